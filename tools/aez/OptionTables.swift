// aez options: the engine's tables of options, for the manual page and for programs. Hidden from help: people read
// the same rows in the help of the commands.

import ArgumentParser
import Container
import Core
import Options
import Quantization
import ToolKit
import Training

struct OptionTables: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "options", abstract: "Print the tables of options.", usage: "aez options [--json]",
    shouldDisplay: false)

  @Flag(help: "As one JSON object on standard output.") var json = false

  func run() throws {
    let tables = [
      ("train", TableFlags<TrainingFlags>.rows), ("compress", TableFlags<CompressionFlags>.rows),
      ("quantize", TableFlags<QuantizationFlags>.rows), ("predictor", TableFlags<PredictorFlags>.rows),
      ("shrink", TableFlags<ShrinkFlags>.rows),
    ]
    if json {
      return try Console.print(JSON.object(tables.map { ($0.0, .array($0.1.map { $0.json })) }).text)
    }
    try Console.print(
      tables.map { name, rows in
        rows.map { "\(name)  --\($0.flag)  \($0.range.isEmpty ? $0.type : $0.range)  \($0.standard)" }
          .joined(separator: "\n")
      }.joined(separator: "\n"))
  }
}

extension OptionFacts {
  fileprivate var json: JSON {
    .object([
      ("key", .string(key)), ("flag", .string("--" + flag)), ("letter", .optional(letter.map { "-\($0)" })),
      ("type", .string(type)), ("range", .string(range)), ("choices", .array(choices.map { .string($0) })),
      ("default", .string(standard)), ("automatic", .bool(isAutomatic)),
      ("documentation", .string(documentation)),
      ("former_flags", .array(formerFlags.map { .string("--" + $0) })),
      ("implied", .bool(isImplied)),
    ])
  }
}

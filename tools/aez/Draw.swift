// aez draw: pen-stroke digits, the data that needs no download.

import ArgumentParser
import Bytes
import Core
import Digits
import Storage
import ToolKit

struct Draw: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draw digits with a pen: data that needs no download.",
    usage: "aez draw -o <path> [<options>]",
    discussion: """
      Digits are pen strokes with random slant, width, curvature and jitter, each of the ten equally often. \
      A seed gives the same images on every machine, and more images begin with the same ones. \
      --parameters also writes what each was drawn from: a .npy of float32, [images, \
      \(PenDigits.parameterCount)].

      EXAMPLE
        aez draw -o digits-idx3-ubyte --labels digits-idx1-ubyte --count 60000
      """)

  @Option(name: .shortAndLong, help: "How many digits.") var count = 1000
  @Option(help: "Fixes what is drawn.") var seed: UInt64 = 1
  @Option(help: "The first image of the seed to draw, so that sets need not overlap.") var first = 0
  @Option(help: "Draw this digit alone, 0 to 9.") var digit: Int?
  @Option(help: ArgumentHelp("Width and height of the images.", valueName: "wxh"))
  var size: ImageSize?
  @Option(help: ArgumentHelp("Also write the parameters: a .npy file.", valueName: "file"))
  var parameters: String?
  @Option(help: ArgumentHelp("Also write the labels: an IDX file; .gz gzips it.", valueName: "file"))
  var labels: String?
  @OptionGroup var output: ImageOutputOptions
  @OptionGroup var report: ReportOptions

  private var isOnStandardOutput: Bool {
    output.isStandardOutput
      || [parameters, labels].contains { $0.map(OutputFiles.isStandardOutput) ?? false }
  }

  func validate() throws {
    try report.check(dataOnStandardOutput: isOnStandardOutput)
    guard (1...ImageSet.maximumCount).contains(count) else {
      throw ValidationError("--count must be in 1 ... \(ImageSet.maximumCount), not \(count).")
    }
    guard first >= 0 else { throw ValidationError("--first must be at least 0, not \(first).") }
    if let digit, !(0...9).contains(digit) {
      throw ValidationError("--digit must be in 0 ... 9, not \(digit).")
    }
    if let size, max(size.width, size.height) > PenDigits.maximumSide {
      throw ValidationError("--size must be at most \(PenDigits.maximumSide)x\(PenDigits.maximumSide).")
    }
  }

  func run() throws {
    try output.check(others: [parameters, labels])
    try output.check(count: count, hasLabels: true, source: .unknown)
    for extra in [parameters, labels].compactMap({ $0 }) {
      try OutputOptions.check(extra, force: output.file.force)
    }
    var options = PenOptions()
    options.digit = digit
    if let size { (options.width, options.height) = (size.width, size.height) }
    let (set, drawn) = try PenDigits.draw(count: count, seed: seed, first: first, options: options)
    try output.write(set)
    if let parameters {
      let file = try NPY.write(drawn, shape: [set.count, PenDigits.parameterCount])
      try File.write(parameters, file.base, file.count, overwrite: output.file.force)
    }
    if let labels { try LabelFile.write(set.labels ?? [], to: labels, overwrite: output.file.force) }
    var facts = Report()
    facts.add("output", .string(output.file.output))
    facts.add(images: set.count, width: set.width, height: set.height)
    facts.add("seed", .string("\(seed)"), "seed")
    facts.add("parameters", .int(PenDigits.parameterCount))
    try report.show(facts, dataOnStandardOutput: isOnStandardOutput)
  }
}

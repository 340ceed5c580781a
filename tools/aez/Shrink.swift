// aez shrink: a model of few bytes.

import ArgumentParser
import Bytes
import Core
import Model
import Options
import Storage
import ToolKit
import Training

/// The engine's options of shrinking as flags.
enum ShrinkFlags: FlagTable {
  static var table: OptionTable<ShrinkOptions> { ShrinkOptions.table }
  static var omitted: [String] { [] }
  static var letters: [String: Character] { [:] }
}

struct Shrink: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make a model small: prune its weights, and quantise them to 4 bits.",
    usage: "aez shrink <model> [<images>] -o <model.aew> [<options>]",
    discussion: """
      Most of the weights become 0, the others one of 15 values of their channel, while the model is trained on. How many \
      stay is searched for, one density after another, so that the pictures lose no more than --target-loss; --density \
      says it outright. \
      Without images the model is trained on images that it draws itself, of codes as its tables have them.

      EXAMPLES
        aez shrink letters.aew letters/ -o letters-small.aew
        aez shrink letters.aew letters/ --target-loss 0.3dB -o letters-small.aew
      """)

  @Argument(help: "A weight file (.aew), or the name of a model that comes with libae.") var model: String
  @Argument(help: "The images that it was trained on, or others like them.") var images: String?
  @OptionGroup var options: TableFlags<ShrinkFlags>
  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws { try report.check(dataOnStandardOutput: output.isStandardOutput) }

  func run() throws {
    try output.check(inputs: [images, input.labels, model].compactMap { $0 })
    let source = try Models.autoencoder(model)
    var options = ShrinkOptions()
    try self.options.apply(to: &options)
    let set = try images.map { try input.load($0, for: source.architecture) }
    if let set, let images { try set.check(for: source, name: images) }
    Interrupt.listen()
    let result = try shrink(source, set, options)
    let bytes = try WeightFile.write(result.model, storage: .int8)
    try output.write(bytes)
    let decoder = try WeightFile.write(result.model, storage: .int8, decoderOnly: true)
    let floats = 4 * source.architecture.parameterCount
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add("name", .string(result.model.name), "model")
    if let set { facts.add(images: set.count, set.shape) }
    facts.add("held_out", .int(result.heldOutCount), "held out", grouped(result.heldOutCount))
    for (index, attempt) in result.attempts.enumerated() {
      facts.add(
        line: "\((100 * attempt.density).fixed(1)) % of the weights: \(attempt.loss.fixed(3)) dB lost",
        title: index == 0 ? "tried" : "")
    }
    facts.add(
      "attempts",
      .array(
        result.attempts.map { .object([("density", .number($0.density)), ("loss_db", .number($0.loss))]) }))
    facts.add("density", .number(result.density), "density", "\((100 * result.density).fixed(1)) %")
    facts.add("loss_db", .number(result.loss), "loss", "\(result.loss.fixed(3)) dB at equal bytes")
    facts.add(
      "bytes", .int(bytes.count), "bytes",
      "\(grouped(bytes.count)), 1/\((Double(floats) / Double(bytes.count)).fixed(1)) of its float32 weights")
    facts.add("decoder_bytes", .int(decoder.count), "decoder", "\(grouped(decoder.count)) bytes")
    facts.add("hash", .string(SHA256.hex(try WeightFile.hash(result.model))), "hash")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }

  private func shrink(_ source: Autoencoder, _ set: ImageSet?, _ options: ShrinkOptions) throws
    -> ShrunkModel
  {
    // Of how many attempts there will be, no one knows: each has a bar of its own.
    var bar: (attempt: Int, progress: Progress)?
    defer { bar?.progress.finish() }
    return try shrunk(
      source, pixels: set.map { UnsafePointer($0.pixels.base) }, count: set?.count ?? 0, options: options,
      progress: { state in
        if bar?.attempt != state.attempt {
          bar?.progress.finish()
          bar = (state.attempt, Progress(total: state.stepCount, isQuiet: report.quiet))
        }
        bar?.progress.update(
          state.step,
          "attempt \(state.attempt), \((100 * state.density).fixed(1)) % of the weights  \(state.step)/\(state.stepCount)"
        )
        return !Interrupt.isRequested
      }, goesOn: { !Interrupt.isRequested })
  }
}

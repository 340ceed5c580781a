// aez quantize: integer networks and a codec for a model in floats.

import ArgumentParser
import Bytes
import Core
import Model
import Options
import Quantization
import Storage
import ToolKit

/// The engine's options of quantisation as flags.
enum QuantizationFlags: FlagTable {
  static var table: OptionTable<QuantizationOptions> { QuantizationOptions.table }
  static var omitted: [String] { [] }
  static var letters: [String: Character] { [:] }
}

struct Quantize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fit a model's integer networks and codec to images.",
    usage: "aez quantize <images> --model <file> -o <model.aew> [<options>]",
    discussion: """
      Post-training quantisation, as `aez train` does it at its end: for a model in floats that was trained elsewhere, or \
      for other images. A few thousand images are enough. Image sets of the model before are not read with the one that \
      comes of it.

      EXAMPLE
        aez quantize letters/ --model letters.aew -o letters-8.aew --storage int8
      """)

  @Argument(help: "The images.") var images: String
  @Option(name: .shortAndLong, help: ArgumentHelp("A weight file (.aew) in floats.", valueName: "file"))
  var model: String
  @OptionGroup var options: TableFlags<QuantizationFlags>
  @Option(help: "How the weight file stores numbers (default: as the model does).") var storage:
    WeightStorage?
  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws { try report.check(dataOnStandardOutput: output.isStandardOutput) }

  func run() throws {
    try output.check(inputs: [images, input.labels, model])
    let source = try Models.autoencoder(model)
    let set = try input.load(images, for: source.architecture)
    try set.check(for: source, name: images)
    var options = QuantizationOptions()
    try self.options.apply(to: &options)
    let fitted = try quantized(source, pixels: set.pixels.base, count: set.count, options: options)
    let quality = try FitQuality(of: fitted, pixels: set.pixels.base, count: set.count)
    if quality.isPoor { Console.warn("aez: \(quality.warning)") }
    let bytes = try WeightFile.write(fitted, storage: storage ?? source.storage)
    try output.write(bytes)
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add("name", .string(fitted.name), "model")
    facts.add(images: set.count, set.shape)
    facts.add(mse: quality.floats, prefix: "float_", title: "in floats")
    facts.add(mse: quality.integers, prefix: "integer_", title: "in integers")
    facts.add("bytes", .int(bytes.count), "bytes", grouped(bytes.count))
    facts.add("hash", .string(SHA256.hex(try WeightFile.hash(fitted))), "hash")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }
}

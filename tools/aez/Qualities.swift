// aez qualities: what each quality costs and gives.

import ArgumentParser
import Bytes
import Compute
import Core
import Latent
import Model
import Quantization
import Storage
import ToolKit

struct Qualities: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List qualities with their bytes and decibels.",
    usage: "aez qualities [<images>] [--model <file>] [-o <model.aew>] [<options>]",
    discussion: """
      Without --model it lists the scale over the models that come with libae, which is what `aez compress` takes \
      without --model; with one, that model's own. Figures are those that the model holds, of the images that it was \
      fitted to, or, with images, of those: mean bytes of an image's code, headers not counted, and the PSNR of the \
      mean squared error. With -o the model is written with the figures that were measured.

      EXAMPLES
        aez qualities
        aez qualities letters/ --model letters.aew
      """)

  @Argument(help: "Images to measure on; without, the figures that the model holds.") var images: String?
  @OptionGroup var model: ModelOptions
  @OptionGroup var input: InputOptions
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write the model with its figures.", valueName: "file"))
  var output: String?
  @Flag(name: .shortAndLong, help: "Replace the output if it is there.") var force = false
  @OptionGroup var report: ReportOptions

  func validate() throws {
    if output != nil, model.model == nil || images == nil {
      throw ValidationError("--output writes a model with measured figures: name --model and images.")
    }
  }

  func run() throws {
    if let output {
      try OutputFiles.check([output], inputs: [images, input.labels])
      try OutputOptions.check(output, force: force)
    }
    let models: [(model: Autoencoder, first: Int)] =
      try model.model.map { [(try Models.autoencoder($0), 1)] }
      ?? [ShippedModel.low, .high].map { (try BuiltInModels.library.shipped($0), $0.firstScaleQuality) }
    let set = try images.map { try input.load($0, for: models[0].model.architecture) }
    Interrupt.listen()
    var rows: [JSON] = []
    var lines: [String] = []
    for (model, first) in models {
      var measured = model
      if let set, let images {
        try set.check(for: model, name: images)
        let progress = Progress(total: set.count * (model.codec?.rates.count ?? 1), isQuiet: report.quiet)
        measured = try Quantization.measured(
          model, pixels: set.pixels.base, count: set.count,
          monitor: Monitor(
            done: 0, total: set.count * (model.codec?.rates.count ?? 1), hook: progress.hook("images")))
        progress.finish()
      }
      guard let codec = measured.codec else {
        throw AEError(.kind, "the model \"\(model.name)\" has no codec: `aez quantize` adds one")
      }
      let standard = self.model.model == nil ? ShippedModel.defaultScaleQuality : codec.defaultQuality
      for index in codec.rates.indices {
        let quality = first + index
        let figure = index < codec.figures.count ? codec.figures[index] : nil
        let psnr = figure.map { Evaluation.psnr(mse: Double($0.meanSquaredError)) }
        rows.append(
          .object([
            ("quality", .int(quality)), ("model", .string(model.name)), ("model_quality", .int(index + 1)),
            ("is_default", .bool(quality == standard)),
            ("bytes_per_image", figure.map { .number(Double($0.bytesPerImage)) } ?? .null),
            ("psnr", psnr.map { .number($0) } ?? .null),
          ]))
        let bytes = figure.map { Double($0.bytesPerImage).fixed(2) } ?? "?"
        let decibels = psnr.map { $0.fixed(2) } ?? "?"
        lines.append(
          "\(padded("\(quality)", 7))  \(padded(bytes, 11))  \(padded(decibels, 8))  \(model.name)"
            + (quality == standard ? "  (default)" : ""))
      }
      if let output {
        let bytes = try WeightFile.write(measured, storage: measured.storage)
        try File.write(output, bytes.base, bytes.count, overwrite: force)
      }
    }
    if report.json {
      var facts = Report()
      facts.add("qualities", .array(rows))
      return try report.show(facts)
    }
    try Console.write(
      try Buffer(
        Array(("quality  bytes/image  PSNR, dB  model\n" + lines.joined(separator: "\n") + "\n").utf8)))
  }

  private func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

// aez eval: how well a model does on a set of images.

import ArgumentParser
import Container
import Core
import Model
import Network
import Storage
import ToolKit
import Training

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure a model on a set of images.",
    usage: "aez eval <images> [--model <file>] [<options>]",
    discussion: """
      Reports the mean squared error per pixel on the [0, 1] scale, and PSNR: in floats, as the literature \
      does; in integers, from codes that are not quantised; and for every quality of `aez compress`, with the \
      bytes per image. For a variational model, --bound adds the evidence bound and the importance-weighted \
      bound, in nats per image, lower is better, on pixels drawn once as 0 or 1 with their value as \
      probability.

      EXAMPLES
        aez eval mnist:test --model elu.aew
        aez eval mnist:test --model vae.aew --bound --samples 500 --binarize-seed 1
      """)

  @Argument(help: "The images.") var images: String
  @OptionGroup var model: ModelOptions
  @OptionGroup var input: InputOptions
  @Flag(help: "Measure the bounds of a variational model.") var bound = false
  @Option(help: "Draws for each image of the importance-weighted bound, 1 to 100000.") var samples = 500
  @Option(help: "Fixes how the images are drawn as 0 and 1.") var binarizeSeed: UInt64 = 1
  @Option(help: "Fixes the draws of the bound.") var seed: UInt64 = 1
  @OptionGroup var report: ReportOptions

  func validate() throws {
    guard (1...100_000).contains(samples) else {
      throw ValidationError("--samples must be in 1 ... 100000, not \(samples).")
    }
  }

  func run() throws {
    let model = try model.load()
    let set = try input.load(images, for: model.architecture)
    try set.check(for: model, name: images)
    guard model.hasEncoder else {
      throw AEError(.kind, "model \"\(model.name)\" is a decoder alone: it cannot encode")
    }
    guard set.count > 0 else { throw AEError(.argument, "\(images): holds no images to measure a model on") }
    Interrupt.listen()
    let progress = Progress(total: set.count, isQuiet: report.quiet)
    defer { progress.finish() }
    var facts = Report()
    facts.add("model", .string(model.name), "model")
    facts.add("kind", .string("\(model.architecture.kind.name)"), "kind")
    facts.add(images: set.count, set.shape)
    if model.encoder != nil, model.decoder != nil {
      let mse = try Evaluation.reconstruction(
        model, pixels: set.pixels.base, count: set.count,
        progress: { progress.hook("in floats: images")($0, set.count) }
      ).mse
      facts.add(mse: mse, title: "in floats")
    }
    if let encoder = model.integerEncoder, let decoder = model.integerDecoder {
      facts.add(mse: try integerError(model, encoder, decoder, set), prefix: "integer_", title: "in integers")
      try addQualities(to: &facts, model, set, progress)
    }
    if bound { try addBounds(to: &facts, model, set) }
    progress.finish()
    try report.show(facts)
  }

  /// The error of the integer networks, one after the other, with nothing quantised between them.
  private func integerError(
    _ model: Autoencoder, _ encoder: IntegerNetwork, _ decoder: IntegerNetwork, _ set: ImageSet
  ) throws(AEError) -> Double {
    let chunk = 1000
    let heads = try Buffer<Int16>(count: chunk * encoder.outputCount)
    let latents = try Buffer<Int16>(count: chunk * decoder.inputCount)
    let rebuilt = try Buffer<UInt8>(count: set.pixels.count)
    var first = 0
    while first < set.count {
      let rows = min(chunk, set.count - first)
      try encoder.encode(set.pixels.base + first * set.imageSize, count: rows, into: heads.base)
      for row in 0..<rows {
        (latents.base + row * decoder.inputCount).update(
          from: heads.base + row * encoder.outputCount, count: decoder.inputCount)
      }
      try decoder.decode(latents.base, count: rows, into: rebuilt.base + first * set.imageSize)
      first += rows
    }
    return Evaluation.meanSquaredError(set.pixels.base, rebuilt.base, byteCount: rebuilt.count)
  }

  private func addQualities(
    to facts: inout Report, _ model: Autoencoder, _ set: ImageSet, _ progress: Progress
  ) throws {
    guard let codec = model.codec else { return }
    var rows: [JSON] = []
    for quality in 1...codec.rates.count {
      var options = CompressionOptions()
      options.quality = quality
      let packed = try CompressedSet(
        try compress(
          set, with: model, options: options, onProgress: progress.hook("quality \(quality): images")),
        model: model, name: "image set")
      let each = Double(packed.information.byteCount) / Double(set.count)
      let mse = try packed.meanSquaredError(to: set)
      rows.append(
        .object([
          ("quality", .int(quality)), ("bytes", .int(packed.information.byteCount)),
          ("bytes_per_image", .number(each)), ("mse", .number(mse)), ("psnr_db", .number(decibels(mse))),
          ("raw_images", .int(packed.information.rawImageCount)),
        ]))
      facts.add(
        line: "\(each.fixed(2)) bytes an image, \(decibels(mse).fixed(2)) dB (MSE \(mse.fixed(5)))"
          + (quality == codec.defaultQuality ? ", the default" : "") + kept(packed.information),
        title: "quality \(quality)")
    }
    facts.add("qualities", .array(rows))
  }

  /// How many images the model reconstructs so poorly that they are stored raw, if any.
  private func kept(_ information: CompressedSetInformation) -> String {
    let kept = information.rawImageCount
    return kept == 0 ? "" : ", \(grouped(kept)) of \(grouped(information.count)) images stored raw"
  }

  private func addBounds(to facts: inout Report, _ model: Autoencoder, _ set: ImageSet) throws {
    let drawn = try Evaluation.binarise(
      set.pixels.base, count: set.count, size: set.imageSize, seed: binarizeSeed)
    let progress = Progress(total: set.count, isQuiet: report.quiet)
    let bounds = try Evaluation.bounds(
      model, pixels: drawn.base, count: set.count, samples: samples, seed: seed
    ) { done in
      progress.update(done, "images \(grouped(done))/\(grouped(set.count))")
      return !Interrupt.isRequested
    }
    progress.finish()
    facts.add(
      "evidence_bound_nats", .number(bounds.evidence), "evidence bound",
      "\(bounds.evidence.fixed(2)) nats an image")
    facts.add(
      "importance_weighted_bound_nats", .number(bounds.importanceWeighted), "importance-weighted",
      "\(bounds.importanceWeighted.fixed(2)) nats an image (\(counted(samples, "sample")))")
    facts.add("samples", .int(samples))
    facts.add("binarize_seed", .string("\(binarizeSeed)"))
    facts.add("latent_kl_nats", .array(bounds.latentKL.map { .number($0) }))
    let used = bounds.latentKL.count { $0 > 0.01 }
    facts.add(
      "latents_used", .int(used), "latents used", "\(used) of \(bounds.latentKL.count) (KL above 0.01 nats)")
  }
}

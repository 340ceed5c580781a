// aez train --exact: what lossless coding learns, alone or beside an autoencoder.

import ArgumentParser
import Bytes
import Core
import Lossless
import Model
import Storage
import ToolKit
import Training

/// What lossless coding learned from images.
struct LosslessFit {
  let predictor: PredictorFit
  /// Nil unless most of the images were drawn from bilevel scans.
  let scans: ScanFit?

  /// The model with what was learned, instead of what it had.
  func added(to model: Autoencoder) throws(AEError) -> Autoencoder {
    var model = try model.with(predictor: predictor.predictor)
    if let scans { model = try model.with(scanModel: scans.model) }
    return model
  }
}

extension Train {
  /// Trains a predictor on its own: no autoencoder.
  func trainPredictor() throws {
    try output.check(inputs: sets + [input.labels, exactStart])
    let images = try sets.map { path in try input.load(path, .exact) }
    let fit = try fitLossless(images)
    var options = PredictorTrainingOptions()
    try predictor.apply(to: &options)
    let trainedOn = images.map { "\($0.count) images of \($0.shape.text)" }.joined(separator: ", ")
    let model = try Autoencoder(
      predictor: fit.predictor.predictor, scanModel: fit.scans?.model, name: options.name,
      provenance: options.provenance(on: String(trainedOn.prefix(2000)), isStarted: exactStart != nil))
    let bytes = try WeightFile.write(model, storage: .int8)
    try output.write(bytes)
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add("name", .string(model.name), "model")
    facts.add("kind", .string("\(model.architecture.kind.name)"), "kind")
    facts.add("images", .int(images.reduce(0) { $0 + $1.count }))
    for (path, set) in zip(sets, images) {
      facts.add(line: "\(path): \(grouped(set.count)) of \(set.shape.text)", title: "images")
    }
    facts.add(fit)
    facts.add("bytes", .int(bytes.count), "bytes", grouped(bytes.count))
    facts.add("hash", .string(SHA256.hex(try fit.predictor.predictor.sectionHash())), "hash")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }

  /// The model at `path` with what lossless coding learns from the images, stored as it was.
  func addLosslessNetworks(to path: String) throws {
    let file = try Models.bytes(path)
    let model = try WeightFile.read(file.base, file.count, name: path)
    let isAlone = model.architecture.kind == .predictor
    let set =
      try isAlone ? input.load(sets[0], .exact) : input.load(sets[0], for: model.architecture)
    if !isAlone { try set.check(for: model, name: sets[0]) }
    let fit = try fitLossless([set])
    let result = try fit.added(to: model)
    let bytes = try WeightFile.write(result, storage: model.storage)
    try output.write(bytes)
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add("name", .string(model.name), "model")
    facts.add(images: set.count, set.shape)
    facts.add(fit)
    facts.add("storage", .string("\(model.storage.name)"), "storage")
    facts.add("bytes", .int(bytes.count), "bytes", grouped(bytes.count))
    let isHashed = result.codec != nil
    facts.add(
      "hash", .optional(isHashed ? SHA256.hex(try WeightFile.hash(result)) : nil), isHashed ? "hash" : nil)
    facts.add(
      "predictor_hash", .string(SHA256.hex(try fit.predictor.predictor.sectionHash())), "predictor's hash")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }

  /// Trains a predictor on images and, if a look at some says that most were drawn from bilevel scans, a scan network.
  func fitLossless(_ images: [ImageSet]) throws -> LosslessFit {
    var options = PredictorTrainingOptions()
    try predictor.apply(to: &options)
    let given = try exactStart.map { path throws -> Predictor in
      guard let predictor = try Models.open(path).predictor else {
        throw AEError(.kind, "\(path): holds no predictor to start from")
      }
      return predictor
    }
    let started = try options.start(given: given, BuiltInModels.library)
    Interrupt.listen()
    let scans = images.count == 1 ? try fitScans(images[0], seed: options.seed) : nil
    let training = Progress(total: options.stepCount, isQuiet: report.quiet)
    let fit: PredictorFit
    do throws(AEError) {
      fit = try fitPredictor(
        images.map { PredictorTrainingSet($0.pixels, count: $0.count, shape: $0.shape) },
        options: options,
        from: started
      ) { progress in
        training.update(
          progress.step,
          "predictor \(progress.step)/\(progress.stepCount)  \(progress.bits.fixed(4)) bits a value")
        return !Interrupt.isRequested
      }
    } catch {
      training.finish()
      throw TableFlags<PredictorFlags>.said(error)
    }
    training.finish()
    return LosslessFit(predictor: fit, scans: scans)
  }

  /// Images that are looked at before scans are searched in all.
  private static let lookedAt = 200

  /// Finds the images' scans and trains a network on them; nil if most of them were not drawn from scans.
  private func fitScans(_ set: ImageSet, seed: UInt64) throws -> ScanFit? {
    let looked = min(set.count, Train.lookedAt)
    guard set.channels == 1,
      2 * (try countScans(set.pixels.base, count: looked, width: set.width, height: set.height)) > looked
    else { return nil }
    var options = ScanTrainingOptions()
    options.seed = seed
    let search = Progress(total: set.count, isQuiet: report.quiet)
    let training = Progress(total: options.stepCount, isQuiet: report.quiet)
    let fit = try fitScanModel(
      set.pixels.base, count: set.count, width: set.width, height: set.height, options: options
    ) { progress in
      switch progress {
      case .searched(let done, let count):
        search.update(done, "scans of \(done)/\(count) images")
        if done == count { search.finish() }
      case .trained(let done, let count, let bits):
        training.update(done, "scan network \(done)/\(count)  \(bits.fixed(4)) bits a pixel asked about")
      }
      return !Interrupt.isRequested
    }
    training.finish()
    return fit
  }
}

extension Report {
  /// What came of training for lossless coding.
  mutating func add(_ fit: LosslessFit) {
    let predictor = fit.predictor
    add(
      "predictor_hidden", .array(predictor.hidden.map { .int($0) }), "predictor",
      ([Predictor.inputCount] + predictor.hidden + [Predictor.outputCount]).map { "\($0)" }.joined(
        separator: "-"))
    add("held_out", .int(predictor.heldOutCount), "held out", counted(predictor.heldOutCount, "image"))
    func bits(_ key: String, _ title: String, _ value: Double) {
      add(key, .number(value), title, "\(value.fixed(4)) bits a value")
    }
    bits("contexts_bits", "contexts alone", predictor.contextsBits)
    bits("float_bits", "float bound", predictor.floatBits)
    bits("integer_bits", "integer bound", predictor.integerBits)
    bits("coded_bits", "coded", predictor.codedBits)
    guard let scans = fit.scans else { return }
    add(
      "scans", .int(scans.scanCount), "scans found",
      "\(grouped(scans.scanCount)) of \(grouped(scans.imageCount))")
    add("exact_float_bits_per_scan", .number(scans.floatBits * scans.askedPerScan))
    add(
      "exact_integer_bits_per_scan", .number(scans.integerBits * scans.askedPerScan), "ink of a scan",
      "\((scans.integerBits * scans.askedPerScan).fixed(1)) bits, \((scans.floatBits * scans.askedPerScan).fixed(1)) in floats"
    )
  }
}

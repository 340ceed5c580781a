// Training an autoencoder: the forward pass, the loss, the backward pass, the optimiser's step, and the
// loop around them that draws batches, reports, and can be stopped, saved and resumed.

import Bytes
import CKernels
import Compute
import Core
import Model
import Network
import Storage

/// A network in training. Used by one thread at a time; it uses several itself.
///
/// The same options and images give the same weights, bit for bit, on one kernel path, whatever the
/// number of threads, and whether or not the run was interrupted.
public final class Trainer {
  public let options: TrainingOptions
  /// What the options say of the network.
  public let architecture: Architecture
  public private(set) var stepsDone = 0
  /// What `fit` draws batches from, once it has begun.
  package private(set) var images: TrainingImages?

  package let encoder: TrainableNetwork
  package let decoder: TrainableNetwork
  /// The densities of rate-distortion training, if there are any.
  package let density: CodeDensity?
  let optimiser: Adam
  let muon: Muon?
  let batches: BatchSource
  /// Takes weights to allowed ones after every step, if they are pruned.
  var pruning: Pruning? = nil
  var work: TrainingWorkspace? = nil
  /// The principal components, once fitted: a pca has no steps.
  var components: (encoder: DenseNetwork, decoder: DenseNetwork)? = nil

  /// A fresh network.
  public init(options: TrainingOptions) throws(AEError) {
    try options.validate()
    self.options = options
    let architecture = options.architecture
    self.architecture = architecture
    let averaged = options.weightAverage > 0
    let isPCA = architecture.kind == .pca
    encoder = try TrainableNetwork(
      shapes: isPCA ? [] : architecture.encoderShapes, seed: options.seed, firstStream: 0, averaged: averaged)
    decoder = try TrainableNetwork(
      shapes: isPCA ? [] : Trainer.logits(architecture.decoderShapes), seed: options.seed, firstStream: 100,
      averaged: averaged)
    density = options.lambda > 0 ? try CodeDensity(latentCount: architecture.latentCount) : nil
    if density != nil { encoder.spreadOutputs() }
    optimiser = Adam(encoder.parameters + decoder.parameters + (density.map { [$0.parameter] } ?? []))
    muon = options.optimiser == .muon ? try Muon([encoder, decoder]) : nil
    batches = BatchSource(seed: options.seed, image: architecture.image)
  }

  /// The decoder learns on the values before its output activation, where losses are stable.
  private static func logits(_ shapes: [LayerShape]) -> [LayerShape] {
    var shapes = shapes
    // Behind the last layer numbers may only be moved.
    var last = shapes.count - 1
    while !shapes[last].hasWeights { last = shapes[last].source(of: last) }
    shapes[last] = shapes[last].with(.identity)
    return shapes
  }

  // MARK: Training

  /// Trains until `options.stepCount` steps are done, on `count` images of bytes.
  ///
  /// - Parameters:
  ///   - progressInterval: steps between calls of `progress`, at least 1.
  ///   - progress: told how it goes; false stops.
  ///   - goesOn: asked between steps, some ten times a second; false stops.
  /// - Throws: `.stopped` after a whole step; `.diverged` if the loss is not finite, and then the trainer is
  ///   back at the last report at which it was; `.argument` if there are no images to train on, or if the run
  ///   began on others.
  public func fit(
    _ pixels: UnsafePointer<UInt8>, count: Int, progressInterval: Int = 500,
    progress: (TrainingProgress) -> Bool = { _ in true }, goesOn: () -> Bool = { true }
  ) throws(AEError) {
    let heldOut = Int(Double(count) * options.validationFraction)
    let trainCount = count - heldOut
    guard trainCount > 0 else {
      throw AEError(.argument, "training needs at least one image beside the validation split; \(count) came")
    }
    images = try checkedImages(pixels, count: count)
    let validation = pixels + trainCount * batches.pixelCount
    let start = monotonicSeconds()
    if architecture.kind == .pca {
      try fitComponents(pixels, count: trainCount, validation, heldOut, start, progress)
      return
    }
    let rows = options.batchSize
    let interval = max(progressInterval, 1)
    var meter = Meter()
    var lastGood = try snapshot()
    var polled = start
    while stepsDone < options.stepCount {
      let work = try reserve(rows: rows)
      batches.draw(
        step: stepsDone, rows: rows, from: pixels, count: trainCount, deformation: options.deformation,
        deformed: work.deformed.base, binarize: options.binarize, into: work.target.base)
      let result = try advance(work, rows: rows)
      guard result.loss.isFinite else {
        let failed = stepsDone
        try restore(lastGood)
        throw AEError(
          .diverged,
          "the loss is not finite at step \(failed); the network is as it was after step \(stepsDone): "
            + "try a lower learning rate than \(options.learningRate) or a gradient clip")
      }
      stepsDone += 1
      meter.add(result)
      if stepsDone % interval == 0 || stepsDone == options.stepCount {
        let validationMSE: Double? =
          heldOut > 0
          ? try Evaluation.reconstruction(networks(), pixels: validation, count: heldOut).mse : nil
        let report = TrainingProgress(
          step: stepsDone, stepCount: options.stepCount, loss: meter.loss, mse: meter.mse,
          validationMSE: validationMSE, learningRate: rate(stepsDone - 1),
          seconds: monotonicSeconds() - start)
        meter = Meter()
        refresh(&lastGood)
        let goOn = progress(report)
        if !goOn && stepsDone < options.stepCount {
          throw stopped
        }
      }
      let now = monotonicSeconds()
      if now - polled >= 0.1 {
        polled = now
        if !goesOn() && stepsDone < options.stepCount { throw stopped }
      }
    }
  }

  /// Throws unless the run may be fitted to these images: batches are drawn from the whole set, so a run that goes
  /// on with another set is neither the one run nor the other.
  public func check(images pixels: UnsafePointer<UInt8>, count: Int) throws(AEError) {
    _ = try checkedImages(pixels, count: count)
  }

  private func checkedImages(_ pixels: UnsafePointer<UInt8>, count: Int) throws(AEError) -> TrainingImages {
    let given = TrainingImages(pixels, count: count, pixelCount: batches.pixelCount)
    if let images, stepsDone > 0, images != given {
      let came = sentence(
        images.count == given.count ? "and these are others" : "and \(given.count) others came")
      throw AEError(
        .argument,
        "the run began on \(images.count) images, \(came): it goes on with the images that it began with")
    }
    return given
  }

  private var stopped: AEError {
    AEError(.stopped, "training was stopped after step \(stepsDone) of \(options.stepCount)")
  }

  /// One step on a batch of the caller's: `count` images of floats in [0, 1].
  public func step(_ images: UnsafePointer<Float>, count: Int) throws(AEError) -> TrainingProgress {
    guard architecture.kind != .pca else {
      throw AEError(.kind, "a pca is not trained in steps; fit it to a set of images")
    }
    guard (1...65536).contains(count) else {
      throw AEError(.argument, "a batch has 1 to 65536 images, not \(count)")
    }
    let size = count * batches.pixelCount
    let bad = ck_first_not_finite(size, images)
    guard bad == size else {
      throw AEError(
        .argument,
        "images must be finite; value \(bad % batches.pixelCount) of image \(bad / batches.pixelCount) is not"
      )
    }
    let start = monotonicSeconds()
    let work = try reserve(rows: count)
    work.target.base.update(from: images, count: size)
    let result = try advance(work, rows: count)
    guard result.loss.isFinite else {
      throw AEError(.diverged, "the loss is not finite at step \(stepsDone)")
    }
    stepsDone += 1
    return TrainingProgress(
      step: stepsDone, stepCount: options.stepCount, loss: result.loss, mse: result.mse, validationMSE: nil,
      learningRate: rate(stepsDone - 1), seconds: monotonicSeconds() - start)
  }

  /// The model with the weights as they are now, in floats, without a codec (see `quantized`).
  public func model(provenance: String = "") throws(AEError) -> Autoencoder {
    let networks = try self.networks()
    return try Autoencoder(
      architecture: architecture, name: options.name, provenance: provenance, storage: .float32,
      encoder: networks.encoder, decoder: networks.decoder)
  }

  /// - Throws: `.kind` for a pca that has not been fitted.
  func checkFitted() throws(AEError) {
    guard architecture.kind != .pca || components != nil else {
      throw AEError(.kind, "the pca has not been fitted yet")
    }
  }

  private func networks() throws(AEError) -> (encoder: DenseNetwork, decoder: DenseNetwork) {
    try checkFitted()
    if let components { return components }
    return (
      try encoder.network(architecture.encoderShapes),
      try decoder.network(architecture.decoderShapes)
    )
  }

  private func fitComponents(
    _ pixels: UnsafePointer<UInt8>, count: Int, _ validation: UnsafePointer<UInt8>, _ heldOut: Int,
    _ start: Double, _ progress: (TrainingProgress) -> Bool
  ) throws(AEError) {
    let fitted = try PrincipalComponents(
      pixels, count: count, width: batches.pixelCount, componentCount: architecture.latentCount)
    let networks = try fitted.networks()
    components = networks
    stepsDone = options.stepCount
    let mse = try Evaluation.reconstruction(networks, pixels: pixels, count: count).mse
    _ = progress(
      TrainingProgress(
        step: stepsDone, stepCount: options.stepCount, loss: mse, mse: mse,
        validationMSE: heldOut > 0
          ? try Evaluation.reconstruction(networks, pixels: validation, count: heldOut).mse : nil,
        learningRate: 0, seconds: monotonicSeconds() - start))
  }

  func rate(_ step: Int) -> Double {
    options.schedule.rate(peak: options.learningRate, step: step, count: options.stepCount)
  }

  // MARK: One step

  struct StepResult {
    let loss: Double
    let mse: Double
  }

  /// Means over the steps since the last report.
  private struct Meter {
    private var lossSum = 0.0
    private var mseSum = 0.0
    private var count = 0.0
    var loss: Double { lossSum / max(count, 1) }
    var mse: Double { mseSum / max(count, 1) }
    mutating func add(_ result: StepResult) {
      lossSum += result.loss
      mseSum += result.mse
      count += 1
    }
  }

  private func reserve(rows: Int) throws(AEError) -> TrainingWorkspace {
    if let work, work.rows >= rows { return work }
    guard let sampleRows = rows.times(options.importanceSamples) else {
      throw AEError(.memory, "a batch is too large")
    }
    try encoder.reserve(rows: rows)
    try decoder.reserve(rows: sampleRows)
    let fresh = try TrainingWorkspace(options, rows: rows, pixels: batches.pixelCount)
    work = fresh
    return fresh
  }

  /// Forward, loss, backward, update, on the images in `work.target`.
  private func advance(_ work: TrainingWorkspace, rows: Int) throws(AEError) -> StepResult {
    let step = AdamStep(
      number: stepsDone, learningRate: rate(stepsDone), averageDecay: options.weightAverage)
    let clips = options.gradientClip > 0
    // Clipping needs the whole gradient before the first weight moves, and Muon that of a layer.
    let isWhole = clips || muon != nil
    let result = try computeGradients(work, rows: rows, update: isWhole ? nil : step)
    guard result.loss.isFinite else { return result }
    if clips {
      let norm = try optimiser.gradientNorm()
      guard norm.isFinite else { return StepResult(loss: .nan, mse: .nan) }
      if norm > options.gradientClip { optimiser.scaleGradient(by: Float(options.gradientClip / norm)) }
    }
    if isWhole {
      optimiser.update(step)
      try muon?.update(step)
    }
    pruning?.project(after: stepsDone)
    return result
  }

  /// The loss of a batch of floats, with its gradient left in the parameters and no step made: what a
  /// check by finite differences needs.
  package func gradients(_ images: [Float], rows: Int) throws(AEError) -> Double {
    let work = try reserve(rows: rows)
    for i in 0..<rows * batches.pixelCount { work.target.base[i] = images[i] }
    return try computeGradients(work, rows: rows, update: nil).loss
  }

  // MARK: State

  /// Every number that changes in training, in the order of files.
  var state: [Buffer<Float>] {
    var all: [Buffer<Float>] = []
    for parameter in optimiser.parameters { all += parameter.state }
    return all
  }

  private struct Snapshot {
    var step: Int
    let values: [Buffer<Float>]
  }

  private func snapshot() throws(AEError) -> Snapshot {
    var values: [Buffer<Float>] = []
    for buffer in state { values.append(try Buffer(copying: buffer.base, count: buffer.count)) }
    return Snapshot(step: stepsDone, values: values)
  }

  /// Copies into the room that a snapshot has.
  private func refresh(_ snapshot: inout Snapshot) {
    for (buffer, saved) in zip(state, snapshot.values) {
      saved.base.update(from: buffer.base, count: saved.count)
    }
    snapshot.step = stepsDone
  }

  private func restore(_ snapshot: Snapshot) throws(AEError) {
    for (buffer, saved) in zip(state, snapshot.values) {
      buffer.base.update(from: saved.base, count: saved.count)
    }
    stepsDone = snapshot.step
  }

  /// Restores the state of a checkpoint in a fresh trainer; `state` has been filled.
  func resume(
    step: Int, images: TrainingImages?, components: (encoder: DenseNetwork, decoder: DenseNetwork)?
  ) {
    stepsDone = step
    self.images = images
    self.components = components
  }
}

// Training an autoencoder: the forward pass, the loss, the backward pass, the optimiser's step, and the
// loop around them that draws batches, reports, and can be stopped, saved and resumed.

import CKernels
import Compute
import Core
import Model
import Network

/// A network in training. Used by one thread at a time; it uses several itself.
///
/// The same options and images give the same weights, bit for bit, on one kernel path, whatever the
/// number of threads, and whether or not the run was interrupted.
public final class Trainer {
  public let options: TrainingOptions
  public private(set) var stepsDone = 0
  /// What `fit` draws batches from, once it has begun.
  package private(set) var images: TrainingImages?

  package let encoder: TrainableNetwork
  package let decoder: TrainableNetwork
  /// What prices the codes, if their bits count.
  package let density: CodeDensity?
  private let optimiser: Adam
  private let muon: Muon?
  private let batches: BatchSource
  private var work: Workspace? = nil
  /// The principal components, once fitted: a pca has no steps.
  private var components: (encoder: DenseNetwork, decoder: DenseNetwork)? = nil

  /// Buffers between encoder and decoder, for so many rows and samples: parts of two.
  private final class Workspace {
    let rows: Int
    let target: Buffer<Float>
    let noisy: Buffer<Float>
    let deformed: Buffer<UInt8>
    /// Draws from the unit Gaussian and the latents made of them, or of noise, [rows * samples, latents].
    let epsilon: Buffer<Float>
    let latents: Buffer<Float>
    let deviations: Buffer<Float>
    let latentDelta: Buffer<Float>
    /// Target rows repeated for every sample, if there is more than one.
    let targets: Buffer<Float>?
    let rowLoss: Buffer<Double>
    let rowSquares: Buffer<Double>
    let rowKL: Buffer<Double>
    let taskSums: Buffer<Double>
    private let floats: Buffer<Float>
    private let doubles: Buffer<Double>

    init(_ options: TrainingOptions, rows: Int, pixels: Int) throws(AEError) {
      let samples = options.importanceSamples
      let isVariational = options.architecture.kind.isVariational
      let latentCount = options.architecture.latentCount
      let drawn = isVariational || options.lambda > 0 ? rows * samples * latentCount : 0
      let repeated = samples > 1 ? rows * samples * pixels : 0
      // Parts begin on boundaries of 16 numbers.
      floats = try Buffer(count: 2 * rows * pixels + 4 * rows * samples * latentCount + repeated + 8 * 16)
      doubles = try Buffer(count: 5 * (rows * samples + 16) + latentCount)
      deformed = try Buffer(count: options.deformation > 0 ? rows * pixels : 0)
      var nextFloat = floats.base
      var nextDouble = doubles.base
      func numbers(_ count: Int) -> Buffer<Float> {
        defer { nextFloat += (count + 15) / 16 * 16 }
        return Buffer(borrowing: nextFloat, count: count)
      }
      func sums(_ count: Int) -> Buffer<Double> {
        defer { nextDouble += count }
        return Buffer(borrowing: nextDouble, count: count)
      }
      self.rows = rows
      target = numbers(rows * pixels)
      noisy = numbers(options.noise > 0 ? rows * pixels : 0)
      epsilon = numbers(drawn)
      latents = numbers(drawn)
      deviations = numbers(isVariational ? rows * latentCount : 0)
      latentDelta = numbers(rows * samples * latentCount)
      targets = samples > 1 ? numbers(repeated) : nil
      rowLoss = sums(rows * samples)
      rowSquares = sums(rows * samples)
      // Where bits count, one sum a latent.
      rowKL = sums(max(rows, options.lambda > 0 ? latentCount : 0))
      taskSums = sums(2 * (rows * samples / rowsPerTask + 1))
    }
  }

  /// A fresh network.
  public init(options: TrainingOptions) throws(AEError) {
    try options.validate()
    self.options = options
    let architecture = options.architecture
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
    batches = BatchSource(seed: options.seed, width: architecture.width, height: architecture.height)
  }

  /// A network that starts from the weights of a trained one, for images of its own or for more steps. The
  /// optimiser starts afresh.
  ///
  /// - Throws: `.argument` unless the model has the architecture that the options say; `.kind` for a pca, for a
  ///   decoder alone, and for a model stored as int8.
  public convenience init(options: TrainingOptions, from model: Autoencoder, hash: [UInt8]) throws(AEError) {
    guard model.architecture.kind != .pca else {
      throw AEError(.kind, "a pca is fitted at once: it starts from nothing")
    }
    guard let encoder = model.encoder, let decoder = model.decoder else {
      throw AEError(
        .kind, "training starts from a model in floats with an encoder; \"\(model.name)\" is not one")
    }
    let (wanted, given) = (options.architecture, model.architecture)
    guard
      wanted.kind == given.kind && wanted.latentCount == given.latentCount
        && wanted.hidden == given.hidden && wanted.output == given.output
        && wanted.width == given.width && wanted.height == given.height
    else {
      throw AEError(
        .argument,
        "a run of \(Trainer.description(wanted)) cannot start from a model of \(Trainer.description(given))"
      )
    }
    var options = options
    options.start = hash
    try self.init(options: options)
    self.encoder.take(encoder)
    self.decoder.take(decoder)
  }

  private static func description(_ architecture: Architecture) -> String {
    let widths = [architecture.pixelCount] + architecture.hidden + [architecture.latentCount]
    let output = architecture.output == .sigmoid ? "sigmoid" : "linear"
    return "kind \(architecture.kind.name), \(architecture.width) x \(architecture.height), "
      + widths.map { "\($0)" }.joined(separator: "-") + ", \(output) output"
  }

  /// The decoder learns on the values before its output activation, where losses are stable.
  private static func logits(_ shapes: [LayerShape]) -> [LayerShape] {
    var shapes = shapes
    let last = shapes.removeLast()
    shapes.append(last.with(.identity))
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
    if options.architecture.kind == .pca {
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
    guard options.architecture.kind != .pca else {
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

  /// The model with the weights as they are now, in floats, without a codec (see `fitCodec`).
  public func model(provenance: String = "") throws(AEError) -> Autoencoder {
    let networks = try self.networks()
    return try Autoencoder(
      architecture: options.architecture, name: options.name, provenance: provenance, storage: .float32,
      encoder: networks.encoder, decoder: networks.decoder)
  }

  /// - Throws: `.kind` for a pca that has not been fitted.
  func checkFitted() throws(AEError) {
    guard options.architecture.kind != .pca || components != nil else {
      throw AEError(.kind, "the pca has not been fitted yet")
    }
  }

  private func networks() throws(AEError) -> (encoder: DenseNetwork, decoder: DenseNetwork) {
    try checkFitted()
    if let components { return components }
    return (
      try encoder.network(options.architecture.encoderShapes),
      try decoder.network(options.architecture.decoderShapes)
    )
  }

  private func fitComponents(
    _ pixels: UnsafePointer<UInt8>, count: Int, _ validation: UnsafePointer<UInt8>, _ heldOut: Int,
    _ start: Double, _ progress: (TrainingProgress) -> Bool
  ) throws(AEError) {
    let fitted = try PrincipalComponents(
      pixels, count: count, width: batches.pixelCount, componentCount: options.architecture.latentCount)
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

  private func rate(_ step: Int) -> Double {
    options.schedule.rate(peak: options.learningRate, step: step, count: options.stepCount)
  }

  // MARK: One step

  private struct StepResult {
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

  private func reserve(rows: Int) throws(AEError) -> Workspace {
    if let work, work.rows >= rows { return work }
    guard let sampleRows = rows.times(options.importanceSamples) else {
      throw AEError(.memory, "a batch is too large")
    }
    try encoder.reserve(rows: rows)
    try decoder.reserve(rows: sampleRows)
    let fresh = try Workspace(options, rows: rows, pixels: batches.pixelCount)
    work = fresh
    return fresh
  }

  /// Forward, loss, backward, update, on the images in `work.target`.
  private func advance(_ work: Workspace, rows: Int) throws(AEError) -> StepResult {
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
    return result
  }

  /// The loss of a batch of floats, with its gradient left in the parameters and no step made: what a
  /// check by finite differences needs.
  package func gradients(_ images: [Float], rows: Int) throws(AEError) -> Double {
    let work = try reserve(rows: rows)
    for i in 0..<rows * batches.pixelCount { work.target.base[i] = images[i] }
    return try computeGradients(work, rows: rows, update: nil).loss
  }

  /// Forward, loss and backward, on the images in `work.target`; with an update, parameters make that step as
  /// their gradients arise, provided that the loss is finite.
  private func computeGradients(_ work: Workspace, rows: Int, update: AdamStep?) throws(AEError) -> StepResult
  {
    var input = UnsafePointer(work.target.base)
    if options.noise > 0 {
      batches.addNoise(
        step: stepsDone, rows: rows, deviation: options.noise, to: input, into: work.noisy.base)
      input = UnsafePointer(work.noisy.base)
    }
    try encoder.forward(input, rows: rows)
    let result =
      options.architecture.kind.isVariational
      ? try variationalPass(work, rows: rows, update: update)
      : try plainPass(work, rows: rows, update: update)
    if result.loss.isFinite { try encoder.backward(input, rows: rows, inputDelta: nil, update: update) }
    return result
  }

  /// Decoder and loss of an autoencoder whose code goes straight through; leaves the gradient by the
  /// code in the encoder.
  private func plainPass(_ work: Workspace, rows: Int, update: AdamStep?) throws(AEError) -> StepResult {
    let codes = density == nil ? encoder.lastOutput.base : work.latents.base
    density?.addNoise(
      to: encoder.lastOutput.base, rows: rows, seed: options.seed, step: stepsDone, into: codes)
    try decoder.forward(codes, rows: rows)
    let pixels = batches.pixelCount
    let isMean = options.loss == .mse && density == nil
    let scale = isMean ? 1 / Float(rows * pixels) : 1 / Float(rows)
    reconstructionLoss(
      target: work.target.base, rows: rows, scale: { _ in scale }, rowLoss: work.rowLoss.base,
      rowSquares: work.rowSquares.base)
    var loss = sum(work.rowLoss, rows)
    if let density {
      loss +=
        options.lambda
        * density.price(
          codes, rows: rows, weight: options.lambda / Double(rows), delta: work.latentDelta.base,
          latentBits: work.rowKL.base)
    }
    let result = StepResult(
      loss: isMean ? loss / Double(rows * pixels) : loss / Double(rows),
      mse: sum(work.rowSquares, rows) / Double(rows * pixels))
    guard result.loss.isFinite else { return result }
    let codeDelta = encoder.lastDelta.base
    try decoder.backward(codes, rows: rows, inputDelta: codeDelta, update: update)
    if let density {
      for i in 0..<rows * options.architecture.latentCount { codeDelta[i] += work.latentDelta.base[i] }
      update?.apply(to: density.parameter, from: 0, count: density.parameter.count)
    }
    return result
  }

  /// The loss of each row, the squared error of each row, and in the decoder's last delta the gradient of
  /// the sum of rows' losses, each times `scale(row)`, by the values before the output activation.
  private func reconstructionLoss(
    target: UnsafePointer<Float>, rows: Int, scale: (Int) -> Float, rowLoss: UnsafeMutablePointer<Double>,
    rowSquares: UnsafeMutablePointer<Double>
  ) {
    let pixels = batches.pixelCount
    let output = decoder.lastOutput.base
    let delta = decoder.lastDelta.base
    let isSigmoid = options.architecture.output == .sigmoid
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        let y = output + row * pixels
        let dy = delta + row * pixels
        let x = target + row * pixels
        switch options.loss {
        case .bernoulli:
          rowLoss[row] = ck_bernoulli(pixels, y, x, 1, dy)
          // The gradient by a logit is sigmoid - target, so its squares are the squared error.
          rowSquares[row] = ck_sum_of_squares(pixels, dy)
          let factor = scale(row)
          for i in 0..<pixels { dy[i] *= factor }
        case .mse:
          if isSigmoid { ck_activate(sigmoidKernel, pixels, y) }
          rowLoss[row] = ck_squared_error(pixels, y, x, scale(row), dy)
          rowSquares[row] = rowLoss[row]
          if isSigmoid { ck_activation_gradient(sigmoidKernel, pixels, y, dy) }
        }
      }
    }
  }

  private func sum(_ values: Buffer<Double>, _ count: Int) -> Double {
    var total = 0.0
    for index in 0..<count { total += values.base[index] }
    return total
  }

  /// The weight of the KL term at this step.
  private var klWeight: Double {
    options.betaWarmupSteps > 0
      ? options.beta * min(1, Double(stepsDone + 1) / Double(options.betaWarmupSteps)) : options.beta
  }

  /// Draws latents z = mean + exp(logVariance / 2) epsilon for every row and sample, and leaves the deviations
  /// exp(logVariance / 2) and each row's divergence from the unit Gaussian.
  private func drawLatents(_ work: Workspace, rows: Int, samples: Int) {
    let d = options.architecture.latentCount
    let heads = encoder.lastOutput.base
    let step = stepsDone
    let seed = options.seed
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        let mean = heads + row * 2 * d
        let deviation = work.deviations.base + row * d
        for j in 0..<d { deviation[j] = 0.5 * mean[d + j] }
        ck_exp(d, deviation, deviation)
        // Kingma and Welling (2014), appendix B.
        var kl = 0.0
        for j in 0..<d {
          kl += 0.5 * Double(mean[j] * mean[j] + deviation[j] * deviation[j] - 1 - mean[d + j])
        }
        work.rowKL.base[row] = kl
        var stream = RandomStream(seed: seed, .posterior, step &* 65536 &+ row)
        for sample in 0..<samples {
          let epsilon = work.epsilon.base + (row * samples + sample) * d
          let z = work.latents.base + (row * samples + sample) * d
          for j in 0..<d {
            let e = stream.normal()
            epsilon[j] = e
            z[j] = mean[j] + deviation[j] * e
          }
        }
      }
    }
  }

  private func variationalPass(_ work: Workspace, rows: Int, update: AdamStep?) throws(AEError) -> StepResult
  {
    let samples = stepsDone < options.importanceWarmupSteps ? 1 : options.importanceSamples
    let d = options.architecture.latentCount
    let pixels = batches.pixelCount
    let heads = encoder.lastOutput.base
    let headDelta = encoder.lastDelta.base
    drawLatents(work, rows: rows, samples: samples)
    try decoder.forward(work.latents.base, rows: rows * samples)
    if samples > 1 { return try importanceWeightedPass(work, rows: rows, update: update) }

    // Kingma and Welling (2014), equation 10.
    let scale = 1 / Float(rows)
    reconstructionLoss(
      target: work.target.base, rows: rows, scale: { _ in scale }, rowLoss: work.rowLoss.base,
      rowSquares: work.rowSquares.base)
    let weight = klWeight
    let loss = sum(work.rowLoss, rows) + weight * sum(work.rowKL, rows)
    let result = StepResult(
      loss: loss / Double(rows), mse: sum(work.rowSquares, rows) / Double(rows * pixels))
    guard result.loss.isFinite else { return result }
    try decoder.backward(
      work.latents.base, rows: rows, inputDelta: work.latentDelta.base, update: update)
    let klScale = Float(weight) / Float(rows)
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        let mean = heads + row * 2 * d
        let meanDelta = headDelta + row * 2 * d
        let dz = work.latentDelta.base + row * d
        let epsilon = work.epsilon.base + row * d
        let deviations = work.deviations.base + row * d
        for j in 0..<d {
          let deviation = deviations[j]
          meanDelta[j] = dz[j] + klScale * mean[j]
          meanDelta[d + j] = 0.5 * (dz[j] * epsilon[j] * deviation + klScale * (deviation * deviation - 1))
        }
      }
    }
    return result
  }

  /// The importance-weighted bound (Burda et al. 2016, equation 8). In the decoder's gradient each sample counts by
  /// its normalised weight (equation 13); in the encoder's, which goes through the samples alone, by the weight's
  /// square (Tucker et al. 2019, equation 8). That has the same mean and less noise, and does not fade as samples
  /// are added (Rainforth et al. 2018). With a KL weight of beta, w (1 - beta + beta w) takes the place of w^2.
  private func importanceWeightedPass(_ work: Workspace, rows: Int, update: AdamStep?) throws(AEError)
    -> StepResult
  {
    let samples = options.importanceSamples
    let d = options.architecture.latentCount
    let pixels = batches.pixelCount
    let heads = encoder.lastOutput.base
    let headDelta = encoder.lastDelta.base
    guard let targets = work.targets else {
      throw AEError(.internal, "no room for the targets of importance samples")
    }
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        for sample in 0..<samples {
          (targets.base + (row * samples + sample) * pixels).update(
            from: work.target.base + row * pixels, count: pixels)
        }
      }
    }
    reconstructionLoss(
      target: targets.base, rows: rows * samples, scale: { _ in 1 }, rowLoss: work.rowLoss.base,
      rowSquares: work.rowSquares.base)
    let weight = klWeight
    let weights = work.rowLoss
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        // log w = log p(x|z) + beta (log p(z) - log q(z|x)); the constants of the Gaussians cancel.
        let mean = heads + row * 2 * d
        var largest = -Double.infinity
        for sample in 0..<samples {
          let index = row * samples + sample
          var logRatio = 0.0
          for j in 0..<d {
            let z = Double(work.latents.base[index * d + j])
            let e = Double(work.epsilon.base[index * d + j])
            logRatio += 0.5 * (e * e - z * z + Double(mean[d + j]))
          }
          weights.base[index] = -weights.base[index] + weight * logRatio
          largest = max(largest, weights.base[index])
        }
        var total = 0.0
        for sample in 0..<samples { total += ExactMath.exp(weights.base[row * samples + sample] - largest) }
        work.rowKL.base[row] =
          -(largest + (total > 0 ? ExactMath.log(total) : 0) - ExactMath.log(Double(samples)))
        for sample in 0..<samples {
          let index = row * samples + sample
          let share = ExactMath.exp(weights.base[index] - largest) / total
          weights.base[index] = share
          let delta = decoder.lastDelta.base + index * pixels
          let factor = Float(share) / Float(rows)
          for i in 0..<pixels { delta[i] *= factor }
        }
      }
    }
    let result = StepResult(
      loss: sum(work.rowKL, rows) / Double(rows),
      mse: sum(work.rowSquares, rows * samples) / Double(rows * samples * pixels))
    guard result.loss.isFinite else { return result }
    try decoder.backward(
      work.latents.base, rows: rows * samples, inputDelta: work.latentDelta.base, update: update)
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        let deviations = work.deviations.base + row * d
        let delta = headDelta + row * 2 * d
        for j in 0..<d {
          let deviation = Double(deviations[j])
          var meanGradient = 0.0
          var deviationGradient = 0.0
          for sample in 0..<samples {
            let index = row * samples + sample
            let share = weights.base[index]
            let epsilon = Double(work.epsilon.base[index * d + j])
            // -d(log w)/dz, the density of q held.
            let path =
              Double(work.latentDelta.base[index * d + j])
              + share * weight / Double(rows)
              * (Double(work.latents.base[index * d + j]) - epsilon / deviation)
            let counted = (1 - weight + weight * share) * path
            meanGradient += counted
            deviationGradient += counted * epsilon
          }
          delta[j] = Float(meanGradient)
          // d/d(logVariance) = deviation / 2 d/d(deviation).
          delta[d + j] = Float(0.5 * deviation * deviationGradient)
        }
      }
    }
    return result
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

  /// Puts a fresh trainer where a checkpoint left off; `state` has been filled.
  func resume(
    step: Int, images: TrainingImages?, components: (encoder: DenseNetwork, decoder: DenseNetwork)?
  ) {
    stepsDone = step
    self.images = images
    self.components = components
  }
}

/// The sigmoid, as the kernels number it.
private let sigmoidKernel = Activation.sigmoid.kernel

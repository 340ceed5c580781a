// Shrinking a model: its weights pruned and quantised to few values while they are trained on, as far as the quality of
// pictures allows. The integer sections of such a model take a fraction of the bytes.

import Bytes
import Compute
import Core
import Latent
import Model
import Network
import Options
import Quantization
import Storage

/// What shrinking is at, as told to a progress callback.
public struct ShrinkProgress: Sendable {
  /// Which density is tried, from 1 on, and the share of weights that stay in it.
  public let attempt: Int
  public let density: Double
  /// Steps done of this attempt, and all of them.
  public let step: Int
  public let stepCount: Int
  /// What the attempt lost in dB; nil while it is trained.
  public let loss: Double?
}

/// A model that was shrunk.
public struct ShrunkModel: Sendable {
  /// In integers, with a codec.
  public let model: Autoencoder
  /// The share of weights that stay.
  public let density: Double
  /// What it lost in dB on the images held out: the mean difference of the PSNR at equal bytes.
  public let loss: Double
  /// Images that were held out.
  public let heldOutCount: Int
  /// What was tried, in order: densities and what each lost.
  public let attempts: [(density: Double, loss: Double)]
}

/// The model with most of its weights 0 and the others of few values, as far as `options` allow.
///
/// - Parameters:
///   - pixels: images to train on and, the last ones, to measure on; nil for images that the model draws itself.
///   - progress: told how it goes; false stops.
/// - Throws: `.kind` for a model without encoder, a pca, a predictor; `.argument` for fewer than 20 images; `.stopped`; as
///   `Trainer.fit`.
public func shrunk(
  _ model: Autoencoder, pixels: UnsafePointer<UInt8>?, count: Int, options: ShrinkOptions,
  progress: (ShrinkProgress) -> Bool = { _ in true }, goesOn: () -> Bool = { true }
) throws(AEError) -> ShrunkModel {
  try ShrinkOptions.table.check(options)
  guard model.architecture.kind != .pca && model.architecture.kind != .predictor else {
    throw AEError(
      .kind,
      "the model \"\(model.name)\" is a \(model.architecture.kind.name): its weights are not trained in steps"
    )
  }
  guard let pixels else {
    let drawn = try samples(of: model, count: options.sampleCount, seed: options.seed)
    return try shrunk(
      model, pixels: UnsafePointer(drawn.base), count: options.sampleCount, options: options,
      progress: progress, goesOn: goesOn)
  }
  guard count >= 20 else {
    throw AEError(
      .argument, "shrinking trains on images and measures on others: 20 are the fewest, \(count) came")
  }
  return try Shrinking(model, pixels: pixels, count: count, options: options).run(progress, goesOn)
}

/// A model's networks, what its weights are multiples of, and what it lost.
private struct Attempt {
  let model: Autoencoder
  let grid: WeightGrid
  let density: Double
  let loss: Double
}

package struct Shrinking {
  /// Images that qualities are measured on, and that codecs of attempts are fitted to, at most.
  private static let (largestHeldOutCount, fittedCount) = (2000, 6000)
  /// Strides from one density to the next are at least this ratio.
  private static let nearest = 1.1
  /// No lower one is tried.
  private static let lowestDensity = 0.001

  private let start: Autoencoder
  private let reference: [QualityFigure]
  private let pixels: UnsafePointer<UInt8>
  private let count: Int
  private let trainedCount: Int
  private let options: ShrinkOptions
  private let training: TrainingOptions

  init(_ model: Autoencoder, pixels: UnsafePointer<UInt8>, count: Int, options: ShrinkOptions) throws(AEError)
  {
    start = try dequantised(model)
    training = try options.training(of: model)
    self.options = options
    self.pixels = pixels
    self.count = count
    trainedCount = count - min(count / 10, Shrinking.largestHeldOutCount)
    let held = pixels + trainedCount * model.inputCount
    var coded = model
    if model.codec == nil || model.integerEncoder == nil {
      coded = try quantized(
        start, pixels: pixels, count: min(trainedCount, Shrinking.fittedCount),
        options: Shrinking.quantisation(training))
    }
    let measured = try measured(coded, pixels: held, count: count - trainedCount)
    reference = measured.codec?.figures ?? []
  }

  private static func quantisation(_ training: TrainingOptions) -> QuantizationOptions {
    var options = QuantizationOptions()
    options.isRateTrained = training.lambda > 0
    return options
  }

  func run(_ progress: (ShrinkProgress) -> Bool, _ goesOn: () -> Bool) throws(AEError) -> ShrunkModel {
    var number = 0
    var attempts: [(density: Double, loss: Double)] = []
    @inline(never)
    func attempt(_ model: Autoencoder, _ from: Double, _ to: Double) throws(AEError) -> Attempt {
      number += 1
      let made = try self.attempt(model, from: from, to: to, number: number, progress, goesOn)
      attempts.append((made.density, made.loss))
      return made
    }
    var best: Attempt
    if let density = options.density {
      best = try attempt(start, 1, density)
    } else {
      // Downwards from what succeeded, in smaller strides after what did not. A density that was too low for one
      // beginning may do for a later one: networks go on learning while they are pruned.
      var kept: Attempt?
      var stride = 0.25
      while true {
        let from = kept?.density ?? 1
        // With all of the weights, what their few values cost.
        let next = stride > 1 / Shrinking.nearest ? 1 : max(from * stride, Shrinking.lowestDensity)
        guard kept == nil || next < from else { break }
        var tried = try attempt(kept?.model ?? start, from, next)
        // What is lost often comes back with more steps: as long as each attempt halves what is too much.
        var excess = tried.loss - options.targetLoss
        var largest = 2 * options.targetLoss
        while excess > 0 && excess < largest {
          tried = try attempt(tried.model, next, next)
          largest = excess / 2
          excess = tried.loss - options.targetLoss
        }
        if excess <= 0 {
          kept = tried
          if next == 1 { break }
          continue
        }
        guard next < 1 else {
          throw AEError(
            .diverged,
            "weights of \(options.weightBitCount) bits lose \(tried.loss) dB if all of them stay, and \(options.targetLoss) dB may be lost: "
              + "take more steps, or a larger target loss")
        }
        stride = stride.squareRoot()
      }
      guard let found = kept else { throw AEError(.internal, "nothing was kept") }
      best = found
    }
    let provenance = sentence(
      "\(start.provenance); shrunk by aez shrink\(ShrinkOptions.table.flags(options)): \(best.density) of the weights stay"
    )
    let named = try Autoencoder(
      architecture: best.model.architecture, name: options.givenName ?? start.name,
      provenance: provenance, storage: .float32, encoder: best.model.encoder, decoder: best.model.decoder)
    let fitted = try quantized(
      named, pixels: pixels, count: trainedCount, options: Shrinking.quantisation(training), grid: best.grid)
    return ShrunkModel(
      model: fitted, density: best.density, loss: best.loss, heldOutCount: count - trainedCount,
      attempts: attempts)
  }

  @inline(never)
  private func attempt(
    _ model: Autoencoder, from: Double, to: Double, number: Int, _ progress: (ShrinkProgress) -> Bool,
    _ goesOn: () -> Bool
  ) throws(AEError) -> Attempt {
    let trainer = try Trainer(options: training, from: model, hash: [])
    let reads = LatentScales.readsCode(model.architecture.decoderShapes)
    let pruning = try Pruning(
      [trainer.encoder, trainer.decoder],
      schedule: PruningSchedule(from: from, to: to, stepCount: options.stepCount),
      bitCount: options.weightBitCount, isQuantised: { half, node in half == 0 || !reads[node] })
    trainer.pruning = pruning
    try trainer.fit(
      pixels, count: trainedCount, progressInterval: 100,
      progress: {
        progress(
          ShrinkProgress(attempt: number, density: to, step: $0.step, stepCount: $0.stepCount, loss: nil))
      }, goesOn: goesOn)
    let trained = try trainer.model()
    let grid = WeightGrid(encoder: pruning.steps(0), decoder: pruning.steps(1))
    let coded = try quantized(
      trained, pixels: pixels, count: min(trainedCount, Shrinking.fittedCount),
      options: Shrinking.quantisation(training), grid: grid)
    let held = pixels + trainedCount * model.inputCount
    let measured = try measured(coded, pixels: held, count: count - trainedCount)
    let loss = Shrinking.loss(measured.codec?.figures ?? [], beside: reference)
    _ = progress(
      ShrinkProgress(
        attempt: number, density: to, step: options.stepCount, stepCount: options.stepCount, loss: loss))
    return Attempt(model: trained, grid: grid, density: to, loss: loss)
  }

  /// The mean difference in dB of the PSNR at equal bytes, over the qualities of `figures` whose bytes `reference` spans;
  /// between its qualities the PSNR goes along the logarithm of bytes (as Bjøntegaard 2001 has it, in straight lines).
  package static func loss(_ figures: [QualityFigure], beside reference: [QualityFigure]) -> Double {
    func point(_ figure: QualityFigure) -> (bytes: Double, psnr: Double) {
      (
        ExactMath.log(max(Double(figure.bytesPerImage), 1e-6)),
        Evaluation.psnr(mse: max(Double(figure.meanSquaredError), 1e-12))
      )
    }
    var sum = 0.0
    var used = 0.0
    var nearest = (distance: Double.infinity, loss: Double.infinity)
    for figure in figures {
      let (bytes, psnr) = point(figure)
      var before: (bytes: Double, psnr: Double)?
      for other in reference {
        let next = point(other)
        let distance = abs(next.bytes - bytes)
        if distance < nearest.distance { nearest = (distance, next.psnr - psnr) }
        if let before, before.bytes < next.bytes, (before.bytes...next.bytes).contains(bytes) {
          let share = (bytes - before.bytes) / (next.bytes - before.bytes)
          sum += before.psnr + share * (next.psnr - before.psnr) - psnr
          used += 1
          break
        }
        before = next
      }
    }
    return used > 0 ? sum / used : nearest.loss
  }
}

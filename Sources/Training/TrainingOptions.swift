// What to train and how: every number that, with the images, fixes a run. Checkpoints store these, the
// C interface and the tool fill them in.

import Compute
import Core
import Model
import Network

/// What is minimised, numbered as in files and in ae.h.
public enum Loss: UInt8, Sendable {
  /// Squared error: its mean over pixels, or for variational kinds its sum over pixels (a Gaussian
  /// likelihood of variance 1/2).
  case mse = 0
  /// Cross-entropy of pixels seen as probabilities, summed over pixels, in nats.
  case bernoulli = 1
}

/// What makes steps of gradients, numbered as in checkpoints.
public enum Optimiser: UInt8, Sendable {
  case adam = 0
  /// Muon (Jordan et al. 2024) for the weights of convolutions, Adam for all others.
  case muon = 1
}

/// The course of the learning rate over a run, numbered as in files and in ae.h.
public enum Schedule: UInt8, Sendable {
  case constant = 0
  /// From the peak to 0 along half a cosine (Loshchilov and Hutter 2017, without restarts).
  case cosine = 1
  /// From a 25th of the peak up to it over the first 30 % of the steps, then down to a 250,000th, both
  /// along half a cosine (Smith and Topin 2018).
  case oneCycle = 2

  /// The learning rate of step `step`, the first being 0, of `count`.
  public func rate(peak: Double, step: Int, count: Int) -> Double {
    func between(_ from: Double, _ to: Double, _ share: Double) -> Double {
      to + (from - to) * 0.5 * (1 + ExactMath.cos(3.141592653589793 * min(max(share, 0), 1)))
    }
    let share = Double(step) / Double(max(count, 1))
    switch self {
    case .constant: return peak
    case .cosine: return between(peak, 0, share)
    case .oneCycle:
      return share < 0.3
        ? between(peak / 25, peak, share / 0.3) : between(peak, peak / 250_000, (share - 0.3) / 0.7)
    }
  }
}

/// Options of a training run; the defaults are the study's protocol.
public struct TrainingOptions: Sendable {
  public var architecture: Architecture
  public var loss: Loss
  public var schedule: Schedule = .constant
  public var optimiser: Optimiser = .adam
  /// The SHA-256 of the weight file whose weights the run starts from; nil for random ones.
  public var start: [UInt8]?
  /// Images in a batch, 1 ... 65536.
  public var batchSize = 100
  /// 1 ... 2^32.
  public var stepCount = 50_000
  /// Fixes the weights' start, the batches and all noise.
  public var seed: UInt64 = 1
  /// The peak of the schedule, positive.
  public var learningRate = 1e-3
  /// Weight of the KL term.
  public var beta = 1.0
  /// Steps over which the KL term's weight rises linearly from 0.
  public var betaWarmupSteps = 0
  /// Draws of the latent for each image: 1 maximises the evidence bound of Kingma and Welling (2014), more
  /// the importance-weighted one of Burda et al. (2016), by the gradient of Tucker et al. (2019). 1 ... 64.
  public var importanceSamples = 1
  /// Steps at first that draw once all the same, which is faster: more draws pay when little is left to learn.
  public var importanceWarmupSteps = 0
  /// What a bit of code counts in the loss, which then is summed over an image's pixels: codes are noised as
  /// quantising will, and their bits are counted under densities that are learned. 0: bits do not count.
  public var lambda = 0.0
  /// Standard deviation of Gaussian noise added to the input, not to the target.
  public var noise = 0.0
  /// Standard deviation of the entries of a random linear map, about the identity, that every image drawn
  /// from a set goes through: slants, turns and sizes that the set does not hold. In [0, 0.5].
  public var deformation = 0.0
  /// Largest norm of the whole gradient; 0 for none.
  public var gradientClip = 0.0
  /// Decay of the running average of the weights, in [0, 1); with 0 the model gets the last weights.
  public var weightAverage = 0.0
  /// Whether every batch's pixels are drawn as 0 or 1 with their value as probability.
  public var binarize = false
  /// Share of the images held out, the last ones, in [0, 0.5].
  public var validationFraction = 0.0
  /// The model's name, at most 64 bytes.
  public var name: String

  /// The study's protocol: Bernoulli cross-entropy for variational kinds and sigmoid outputs, otherwise
  /// squared error.
  public init(architecture: Architecture) {
    self.architecture = architecture
    loss = architecture.kind.isVariational ? .bernoulli : .mse
    name = sentence("\(architecture.kind.name)")
  }

  /// Checks every range and that the options go together.
  public func validate() throws(AEError) {
    try architecture.validate()
    func check(_ name: StaticString, _ value: Int, _ range: ClosedRange<Int>) throws(AEError) {
      guard range.contains(value) else {
        throw AEError(
          .argument, "\(name) must be in \(range.lowerBound) ... \(range.upperBound), not \(value)")
      }
    }
    func check(_ name: StaticString, _ value: Double, _ lower: Double, _ upper: Double) throws(AEError) {
      guard value >= lower, value <= upper else {
        throw AEError(.argument, "\(name) must be in \(lower) ... \(upper), not \(value)")
      }
    }
    try check("batch size", batchSize, 1...65536)
    try check("number of steps", stepCount, 1...(1 << 32))
    try check("learning rate", learningRate, 1e-12, 10)
    try check("beta", beta, 0, 1e6)
    try check("beta warm-up steps", betaWarmupSteps, 0...(1 << 32))
    try check("importance samples", importanceSamples, 1...64)
    try check("importance warm-up steps", importanceWarmupSteps, 0...(1 << 32))
    try check("lambda", lambda, 0, 1e6)
    try check("input noise", noise, 0, 10)
    try check("deformation", deformation, 0, 0.5)
    try check("gradient clip", gradientClip, 0, 1e12)
    try check("weight average", weightAverage, 0, 0.999999)
    try check("validation fraction", validationFraction, 0, 0.5)
    guard UTF8Text.count(name) <= 64 else {
      throw AEError(.argument, "a model's name has at most 64 bytes, not \(UTF8Text.count(name))")
    }
    guard loss != .bernoulli || architecture.output == .sigmoid else {
      throw AEError(.argument, "the Bernoulli loss needs a sigmoid output")
    }
    guard importanceSamples == 1 || architecture.kind.isVariational else {
      throw AEError(.argument, "importance samples need a variational model")
    }
    guard lambda == 0 || !(architecture.kind == .pca || architecture.kind.isVariational) else {
      throw AEError(.argument, "lambda is for autoencoders that are neither a pca nor variational")
    }
    guard optimiser == .adam || architecture.kind == .convVAE else {
      throw AEError(.argument, "the optimizer muon is for convolutions, which only a conv-vae has")
    }
    if architecture.kind == .pca, binarize || noise > 0 || deformation > 0 {
      throw AEError(
        .argument, "a pca is fitted to the images as they are: no noise, no deformation, no binarising")
    }
  }
}

/// How training goes, as told to a progress callback.
public struct TrainingProgress: Sendable {
  public let step: Int
  public let stepCount: Int
  /// Mean over the steps since the last call, of what is minimised.
  public let loss: Double
  /// Mean squared error per pixel over the same steps, [0, 1] scale.
  public let mse: Double
  /// Mean squared error on the validation split, if there is one.
  public let validationMSE: Double?
  public let learningRate: Double
  /// Since this fit began.
  public let seconds: Double

  public var psnr: Double { Evaluation.psnr(mse: mse) }
}

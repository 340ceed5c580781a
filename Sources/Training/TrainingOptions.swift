// Options of training: every number that, with the images, determines a run; the defaults are here. Checkpoints store
// them, tool, C and Python set them.

import Compute
import Core
import Model
import Network
import Options

/// What is minimised, numbered as in files and in ae.h.
public enum Loss: UInt8, Sendable {
  /// Squared error: its mean over pixels, or for variational kinds its sum over pixels (a Gaussian
  /// likelihood of variance 1/2).
  case mse = 0
  /// Cross-entropy of pixels seen as probabilities, summed over pixels, in nats.
  case bernoulli = 1
}

/// Optimisers, numbered as in checkpoints.
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

/// The activation of a network's last layer, numbered as in options.
public enum OutputActivation: UInt8, Sendable {
  case linear = 0
  case sigmoid = 1

  public var activation: Activation { self == .linear ? .identity : .sigmoid }
}

/// Options of a training run; the defaults are the study's protocol. What each means, its range and its name everywhere
/// stand in `TrainingOptions.table`.
public struct TrainingOptions: Sendable {
  public var kind = ModelKind.elu
  public var width = 28
  public var height = 28
  public var channels = 1
  /// nil: 5, for variational kinds 20.
  public var latentSize: Int?
  /// nil: 500, 500, for a conv-vae or residual-vae 32, 64, 256.
  public var hidden: [Int]?
  /// Lists of nodes as `NodeList(text:)` takes them, of a custom network alone, and whether that is variational.
  public var encoderText: String?
  public var decoderText: String?
  public var isCustomVariational = false
  /// nil: linear for squared error, sigmoid for the Bernoulli loss.
  public var outputActivation: OutputActivation?
  /// nil: squared error, for variational kinds Bernoulli.
  public var givenLoss: Loss?
  public var stepCount = 50_000
  public var batchSize = 100
  public var seed: UInt64 = 1
  public var learningRate = 1e-3
  public var schedule = Schedule.constant
  public var optimiser = Optimiser.adam
  public var beta = 1.0
  public var betaWarmupSteps = 0
  public var importanceSamples = 1
  public var importanceWarmupSteps = 0
  public var lambda = 0.0
  public var noise = 0.0
  public var deformation = 0.0
  public var gradientClip = 0.0
  public var weightAverage = 0.0
  public var binarize = false
  public var validationFraction = 0.0
  /// nil: the kind's name.
  public var givenName: String?
  /// The SHA-256 of the weight file whose weights the run starts from; nil for random ones. No option of the table:
  /// it follows from the model that a run is started from.
  public var start: [UInt8]?

  public init() {}

  /// Every option of training. Losses and schedules are numbered as in ae.h.
  public static let table = OptionTable<TrainingOptions>(
    "training", defaults: TrainingOptions(), networkRows + stepRows + imageRows)

  /// What says which network it is.
  private static let networkRows: [OptionRow<TrainingOptions>] = [
    .choice(
      "kind",
      ["pca", "linear", "sigmoid", "relu", "elu", "vae", "conv-vae", "", "residual-vae", "custom"],
      "The kind of network: principal components, an autoencoder with the activation named, a variational one, or one of your own, given by encoder and decoder.",
      { $0.kind }, { $0.kind = $1 }),
    .integer(
      "width", 1...UInt64(ImageShape.maximumSide), "Pixels of an image's row.", isImplied: true, { $0.width },
      { $0.width = $1 }),
    .integer(
      "height", 1...UInt64(ImageShape.maximumSide), "Pixels of an image's column.", isImplied: true,
      { $0.height }, { $0.height = $1 }),
    .integer(
      "channels", 1...4, "Numbers of a pixel: 1 for grey, 3 for RGB, 4 for RGB and alpha.", isImplied: true,
      allowed: [1, 3, 4], { $0.channels }, { $0.channels = $1 }),
    .integer(
      "latent_size", 1...UInt64(Architecture.maximumLatentCount), automatic: "5, for variational kinds 20",
      "Numbers in a latent code.",
      formerly: "latent", { $0.latentSize }, { $0.latentSize = $1 }),
    .integers(
      "hidden", 1...4096, automatic: "500,500, for a conv-vae or residual-vae 32,64,256",
      "Widths of the encoder's hidden layers, at most 8, which the decoder mirrors. Of a conv-vae or residual-vae all but the last are channels of convolutions, at most 1024: as many as before keep the feature map's size, any other number halves it.",
      { $0.hidden }, { $0.hidden = $1 }),
    .text(
      "encoder", largestByteCount: maximumNodeTextCount, automatic: "the kind's",
      "The encoder of a custom network as a list of nodes, operation(arguments) separated by semicolons: docs/networks.md.",
      { $0.encoderText }, { $0.encoderText = $1 }),
    .text(
      "decoder", largestByteCount: maximumNodeTextCount, automatic: "the kind's",
      "The decoder of a custom network, likewise.", { $0.decoderText }, { $0.decoderText = $1 }),
    .flag(
      "variational",
      "Whether a custom network is variational: its encoder gives the means of a code and then the log-variances.",
      { $0.isCustomVariational }, { $0.isCustomVariational = $1 }),
    .choice(
      "loss", ["mse", "bernoulli"], automatic: "mse, for variational kinds bernoulli",
      "What is minimised: squared error, or cross-entropy of pixels seen as probabilities.",
      { $0.givenLoss }, { $0.givenLoss = $1 }),
    .choice(
      "output_activation", ["linear", "sigmoid"], automatic: "sigmoid for the loss bernoulli, else linear",
      "The last layer's activation.", { $0.outputActivation }, { $0.outputActivation = $1 }),
  ]

  /// What says how its weights are found.
  private static let stepRows: [OptionRow<TrainingOptions>] = [
    .integer(
      "steps", 1...(1 << 32), "Steps of training, one batch each; a pca needs none.", { $0.stepCount },
      { $0.stepCount = $1 }),
    .integer(
      "batch_size", 1...65536, "Images in a batch.", formerly: "batch", { $0.batchSize },
      { $0.batchSize = $1 }),
    .integer(
      "seed", 0...UInt64.max, "Fixes the initial weights, the batches and all noise.",
      { Int(bitPattern: UInt($0.seed)) }, { $0.seed = UInt64(UInt(bitPattern: $1)) }),
    .number(
      "learning_rate", 1e-12...10, "The peak of the learning rate.", formerly: "rate", { $0.learningRate },
      { $0.learningRate = $1 }),
    .choice(
      "schedule", ["constant", "cosine", "one-cycle"], "The course of the learning rate.", { $0.schedule },
      { $0.schedule = $1 }),
    .choice(
      "optimizer", ["adam", "muon"],
      "What makes steps of gradients: adam, or muon for the weights of convolutions and adam for all others.",
      { $0.optimiser }, { $0.optimiser = $1 }),
    .number(
      "beta", 0...1e6, "Weight of the KL term of variational kinds.", { $0.beta }, { $0.beta = $1 }),
    .integer(
      "beta_warmup_steps", 0...(1 << 32), "Steps over which that weight rises linearly from 0.",
      formerly: "beta-warmup", { $0.betaWarmupSteps }, { $0.betaWarmupSteps = $1 }),
    .integer(
      "importance_samples", 1...64,
      "Draws of the latent for each image of a variational kind; more than 1 maximise the importance-weighted bound (IWAE).",
      { $0.importanceSamples }, { $0.importanceSamples = $1 }),
    .integer(
      "importance_warmup_steps", 0...(1 << 32), "Steps at first that draw once, which is faster.",
      formerly: "importance-warmup", { $0.importanceWarmupSteps }, { $0.importanceWarmupSteps = $1 }),
    .number(
      "rd_lambda", 0...1e6,
      "The Lagrangian of rate-distortion training: what a bit of code counts beside an image's summed loss, for models of image sets at a low or high rate; 0: bits do not count.",
      formerly: "lambda", { $0.lambda }, { $0.lambda = $1 }),
  ]

  /// What is done to images and weights beside, and names.
  private static let imageRows: [OptionRow<TrainingOptions>] = [
    .number(
      "noise", 0...10, "Standard deviation of Gaussian noise on the input, for denoising.", { $0.noise },
      { $0.noise = $1 }),
    .number(
      "deformation", 0...0.5,
      "Standard deviation of the entries of a random linear map that every image goes through: slants, rotations and sizes that the set does not hold.",
      formerly: "deform", { $0.deformation }, { $0.deformation = $1 }),
    .number(
      "gradient_clip", 0...1e12, "The largest norm of the gradient; 0 for any.", formerly: "clip",
      { $0.gradientClip }, { $0.gradientClip = $1 }),
    .number(
      "weight_average", 0...0.999999,
      "Decay of the exponential moving average of the weights that the model gets; 0 for the last weights.",
      formerly: "average", { $0.weightAverage }, { $0.weightAverage = $1 }),
    .flag(
      "binarize", "Draw every batch's pixels as 0 or 1 with their value as probability.", { $0.binarize },
      { $0.binarize = $1 }),
    .number(
      "validation_fraction", 0...0.5, "Share of the images held out for validation, the last ones.",
      formerly: "validation", { $0.validationFraction }, { $0.validationFraction = $1 }),
    .text(
      "name", largestByteCount: 64, automatic: "the kind's", "The model's name.", { $0.givenName },
      { $0.givenName = $1 }),
  ]
}

extension TrainingOptions {
  /// Options for an architecture, else the defaults.
  public init(architecture: Architecture) {
    self.init()
    self.architecture = architecture
  }

  /// Kind and sizes, with what was not given filled in. Not checked: `validate` does that.
  public var architecture: Architecture {
    get {
      var architecture = Architecture(
        unchecked: kind, width: width, height: height, channels: channels,
        latentCount: latentSize ?? (isVariational ? 20 : 5),
        hidden: hidden,
        output: (outputActivation ?? (loss == .bernoulli ? .sigmoid : .linear)).activation)
      // What is wrong with a list, `validate` says.
      architecture.custom = kind == .custom ? try? custom(of: architecture) : nil
      return architecture
    }
    set {
      (kind, width, height, channels) = (newValue.kind, newValue.width, newValue.height, newValue.channels)
      latentSize = newValue.latentCount
      hidden = newValue.kind == .custom ? nil : newValue.hidden
      outputActivation = newValue.output == .sigmoid ? .sigmoid : .linear
      encoderText = newValue.custom == nil ? nil : newValue.encoder.text
      decoderText = newValue.custom == nil ? nil : newValue.decoder.text
      isCustomVariational = newValue.custom?.isVariational ?? false
    }
  }

  private func custom(of architecture: Architecture) throws(AEError) -> CustomNetwork {
    guard let encoderText, let decoderText else {
      throw AEError(.argument, "a network of kind custom needs both encoder and decoder, as lists of nodes")
    }
    let image = FeatureShape(
      height: architecture.height, width: architecture.width, channels: architecture.channels)
    func list(_ text: String, _ input: FeatureShape, _ half: StaticString) throws(AEError) -> [Node] {
      do {
        return try NodeList(text: text, input: input).nodes
      } catch {
        throw error.at(sentence("\(half)"))
      }
    }
    return CustomNetwork(
      encoder: try list(encoderText, image, "encoder"),
      decoder: try list(decoderText, FeatureShape(vector: architecture.latentCount), "decoder"),
      isVariational: isCustomVariational)
  }

  public var isVariational: Bool { kind == .custom ? isCustomVariational : kind.isVariational }

  public var loss: Loss {
    get {
      // A custom network says both: one with linear outputs has no other loss.
      let isLinear = kind == .custom && outputActivation == .linear
      return givenLoss ?? (isVariational && !isLinear ? .bernoulli : .mse)
    }
    set { givenLoss = newValue }
  }

  /// At most 64 bytes.
  public var name: String {
    get { givenName ?? sentence("\(kind.name)") }
    set { givenName = newValue }
  }

  /// Kind and sizes, checked: what the options say of the network alone.
  public func validatedArchitecture() throws(AEError) -> Architecture {
    try TrainingOptions.table.check(self)
    guard kind == .custom || encoderText == nil && decoderText == nil && !isCustomVariational else {
      throw AEError(.argument, "encoder, decoder and variational are of the kind custom, not \(kind.name)")
    }
    guard kind != .custom || hidden == nil else {
      throw AEError(.argument, "a network of kind custom has no hidden: encoder and decoder say all of it")
    }
    if kind == .custom {
      try ImageShape(width: width, height: height, channels: channels).validate()
      _ = try custom(of: architecture)
    }
    let architecture = self.architecture
    try architecture.validate()
    return architecture
  }

  /// Checks every range and that the options go together.
  public func validate() throws(AEError) {
    let architecture = try validatedArchitecture()
    guard loss != .bernoulli || architecture.output == .sigmoid else {
      throw AEError(.argument, "the Bernoulli loss needs a sigmoid output")
    }
    guard importanceSamples == 1 || isVariational else {
      throw AEError(.argument, "importance samples need a variational model")
    }
    guard lambda == 0 || !(kind == .pca || isVariational) else {
      throw AEError(.argument, "rd_lambda is for autoencoders that are neither a pca nor variational")
    }
    guard optimiser == .adam || kind.isConvolutional || kind == .custom else {
      throw AEError(.argument, "the optimizer muon is for convolutions; the kind \(kind.name) has none")
    }
    if kind == .pca, binarize || noise > 0 || deformation > 0 {
      throw AEError(
        .argument, "a pca is fitted to the images as they are: no noise, no deformation, no binarising")
    }
  }

  /// The command that trains with these options, but for the images: the same for the same options.
  public var commandLine: String {
    var explicit = self
    explicit.hidden = kind == .custom ? nil : architecture.hidden
    // Lists are in the model itself, and as long as they please.
    explicit.encoderText = nil
    explicit.decoderText = nil
    explicit.latentSize = architecture.latentCount
    let always: [StaticString] = kind == .pca ? ["kind"] : ["kind", "steps", "seed"]
    return sentence("aez train\(TrainingOptions.table.flags(explicit, always: always))")
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

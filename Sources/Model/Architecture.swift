// What a network is before it has weights: its kind and sizes, from which every layer's shape follows.
// Weight files, options and integer networks all derive their shapes from here.

import Compute
import Core

/// The networks of the study, numbered as in files and in ae.h.
public enum ModelKind: UInt8, Sendable, CaseIterable {
  /// Principal components: ranked, orthonormal, exact.
  case pca = 0
  /// An autoencoder without non-linearity; it spans the subspace of the principal components.
  case linear = 1
  case sigmoid = 2
  case relu = 3
  case elu = 4
  /// The variational autoencoder (Kingma and Welling 2014) with ELU hidden layers.
  case vae = 5
  /// The convolutional variational autoencoder.
  case convVAE = 6

  /// The name in options and messages.
  public var name: StaticString {
    switch self {
    case .pca: return "pca"
    case .linear: return "linear"
    case .sigmoid: return "sigmoid"
    case .relu: return "relu"
    case .elu: return "elu"
    case .vae: return "vae"
    case .convVAE: return "conv-vae"
    }
  }

  public var isVariational: Bool { self == .vae || self == .convVAE }

  /// The activation of hidden layers.
  public var hiddenActivation: Activation {
    switch self {
    case .pca, .linear: return .identity
    case .sigmoid: return .sigmoid
    case .relu: return .relu
    case .elu, .vae, .convVAE: return .elu
    }
  }
}

/// The shape of a dense layer: y[outputs] = f(W[outputs, inputs] x[inputs] + b[outputs]).
public struct LayerShape: Sendable, Equatable {
  public let inputs: Int
  public let outputs: Int
  public let activation: Activation

  public init(inputs: Int, outputs: Int, activation: Activation) {
    self.inputs = inputs
    self.outputs = outputs
    self.activation = activation
  }
}

/// Kind and sizes of an autoencoder.
public struct Architecture: Sendable {
  public var kind: ModelKind
  /// Pixels, each in 1 ... 64.
  public var width: Int
  public var height: Int
  /// 1.
  public var channels: Int
  /// Numbers in a code, 1 ... 1024.
  public var latentCount: Int
  /// Widths of the encoder's hidden layers, first to last; the decoder mirrors them. At most 8, each in
  /// 1 ... 4096. Empty for `pca`.
  public var hidden: [Int]
  /// Identity or sigmoid.
  public var output: Activation

  public init(
    kind: ModelKind, width: Int = 28, height: Int = 28, channels: Int = 1, latentCount: Int,
    hidden: [Int] = [500, 500], output: Activation
  ) throws(AEError) {
    self.kind = kind
    self.width = width
    self.height = height
    self.channels = channels
    self.latentCount = latentCount
    self.hidden = kind == .pca ? [] : hidden
    self.output = output
    try validate()
  }

  public static let maximumSide = 64
  public static let maximumLatentCount = 1024
  public static let maximumHiddenWidth = 4096
  public static let maximumHiddenCount = 8

  /// Checks every limit.
  public func validate() throws(AEError) {
    func check(_ name: StaticString, _ value: Int, _ range: ClosedRange<Int>) throws(AEError) {
      guard range.contains(value) else {
        throw AEError(
          .argument, "\(name) must be in \(range.lowerBound) ... \(range.upperBound), not \(value)")
      }
    }
    try check("image width", width, 1...Architecture.maximumSide)
    try check("image height", height, 1...Architecture.maximumSide)
    try check("channels", channels, 1...1)
    try check("latent size", latentCount, 1...Architecture.maximumLatentCount)
    try check("number of hidden layers", hidden.count, 0...Architecture.maximumHiddenCount)
    for width in hidden { try check("hidden width", width, 1...Architecture.maximumHiddenWidth) }
    guard output == .identity || output == .sigmoid else {
      throw AEError(.argument, "the output activation must be linear or sigmoid")
    }
    if kind == .pca {
      try check("latent size of a pca", latentCount, 1...pixelCount)
      guard output == .identity else {
        throw AEError(.argument, "a pca has a linear output")
      }
    }
  }

  /// Pixels of an image.
  public var pixelCount: Int { width * height * channels }

  /// Outputs of the encoder's last layer: the means, and for variational kinds the log-variances after them.
  public var encoderOutputCount: Int { kind.isVariational ? 2 * latentCount : latentCount }

  public var encoderShapes: [LayerShape] {
    shapes(from: pixelCount, through: hidden, to: encoderOutputCount, last: .identity)
  }

  public var decoderShapes: [LayerShape] {
    shapes(from: latentCount, through: hidden.reversed(), to: pixelCount, last: output)
  }

  /// Weights and biases of encoder and decoder.
  public var parameterCount: Int {
    var sum = 0
    for shape in encoderShapes { sum += (shape.inputs + 1) * shape.outputs }
    for shape in decoderShapes { sum += (shape.inputs + 1) * shape.outputs }
    return sum
  }

  private func shapes(from first: Int, through widths: [Int], to last: Int, last activation: Activation)
    -> [LayerShape]
  {
    var result: [LayerShape] = []
    var inputs = first
    for width in widths {
      result.append(LayerShape(inputs: inputs, outputs: width, activation: kind.hiddenActivation))
      inputs = width
    }
    result.append(LayerShape(inputs: inputs, outputs: last, activation: activation))
    return result
  }
}

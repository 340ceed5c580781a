// What a network is before it has weights: its kind and sizes, from which every layer's shape follows.
// Weight files, options and integer networks all derive their shapes from here.

import CKernels
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
  /// No autoencoder: what lossless coding learns, a predictor of pixels, and perhaps one of scans.
  case predictor = 7

  /// Those that encode images.
  public static let autoencoders: [ModelKind] = [.pca, .linear, .sigmoid, .relu, .elu, .vae, .convVAE]

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
    case .predictor: return "predictor"
    }
  }

  public var isVariational: Bool { self == .vae || self == .convVAE }

  /// The activation of hidden layers.
  public var hiddenActivation: Activation {
    switch self {
    case .pca, .linear, .predictor: return .identity
    case .sigmoid: return .sigmoid
    case .relu: return .relu
    case .elu, .vae, .convVAE: return .elu
    }
  }
}

/// Kind and sizes of an autoencoder.
public struct Architecture: Equatable, Sendable {
  public var kind: ModelKind
  /// Pixels, each in 1 ... 64.
  public var width: Int
  public var height: Int
  /// 1.
  public var channels: Int
  /// Numbers in a code, 1 ... 1024.
  public var latentCount: Int
  /// Widths of the encoder's hidden layers, first to last; the decoder mirrors them. At most 8, each in
  /// 1 ... 4096. Empty for `pca`. For `convVAE` at least 2: all but the last are channels, at most 1024, of
  /// convolutions, whose pictures hold at most 32768 numbers. One with as many channels as the one before it keeps
  /// the picture's size (windows of 3 x 3); any other halves it, rounding up (windows of 4 x 4, stride 2).
  public var hidden: [Int]
  /// Identity or sigmoid.
  public var output: Activation

  public init(
    kind: ModelKind, width: Int = 28, height: Int = 28, channels: Int = 1, latentCount: Int,
    hidden: [Int]? = nil, output: Activation
  ) throws(AEError) {
    self.init(
      unchecked: kind, width: width, height: height, latentCount: latentCount, hidden: hidden, output: output)
    self.channels = channels
    try validate()
  }

  /// The same without a check, and with the kind's usual hidden layers for nil.
  package init(
    unchecked kind: ModelKind, width: Int, height: Int, latentCount: Int, hidden: [Int]?, output: Activation
  ) {
    self.kind = kind
    self.width = width
    self.height = height
    channels = kind == .predictor ? 0 : 1
    self.latentCount = latentCount
    self.hidden = kind == .pca ? [] : hidden ?? (kind == .convVAE ? [32, 64, 256] : [500, 500])
    self.output = output
  }

  /// That of a predictor, which is for images of any size and has no code: all numbers are 0.
  public static let predictor = Architecture(
    unchecked: .predictor, width: 0, height: 0, latentCount: 0, hidden: [], output: .identity)

  public static let maximumSide = 64
  public static let maximumLatentCount = 1024
  public static let maximumHiddenWidth = 4096
  public static let maximumHiddenCount = 8
  public static let maximumChannels = 1024
  public static let maximumPictureCount = 32768

  /// Checks every limit.
  public func validate() throws(AEError) {
    func check(_ name: StaticString, _ value: Int, _ range: ClosedRange<Int>) throws(AEError) {
      guard range.contains(value) else {
        throw AEError(
          .argument, "\(name) must be in \(range.lowerBound) ... \(range.upperBound), not \(value)")
      }
    }
    guard kind != .predictor else {
      guard self == Architecture.predictor else {
        throw AEError(.argument, "a predictor has no size, no code and no layers of an autoencoder")
      }
      return
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
    if kind == .convVAE {
      try check("number of hidden layers of a conv-vae", hidden.count, 2...Architecture.maximumHiddenCount)
      for channels in hidden.dropLast() { try check("channels", channels, 1...Architecture.maximumChannels) }
      for shape in encoderShapes where shape.isConvolution {
        try check("numbers in the picture of a layer", shape.outputs, 1...Architecture.maximumPictureCount)
      }
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
    var shapes: [LayerShape] = []
    var picture = ck_convolution()
    (picture.coarse_width, picture.coarse_height) = (Int32(width), Int32(height))
    picture.coarse_channels = Int32(channels)
    picture.padding = 1
    var inputs = pixelCount
    for index in 0...hidden.count {
      let isLast = index == hidden.count
      let next = isLast ? encoderOutputCount : hidden[index]
      let activation = isLast ? Activation.identity : kind.hiddenActivation
      if kind == .convVAE && index + 1 < hidden.count {
        let halves: Int32 = index == 0 || hidden[index - 1] != next ? 1 : 0
        (picture.fine_width, picture.fine_height) = (picture.coarse_width, picture.coarse_height)
        picture.fine_channels = picture.coarse_channels
        (picture.kernel, picture.stride) = (3 + halves, 1 + halves)
        (picture.coarse_width, picture.coarse_height) = (
          (picture.fine_width + halves) >> halves, (picture.fine_height + halves) >> halves
        )
        picture.coarse_channels = Int32(next)
        let shape = LayerShape(picture, activation: activation)
        shapes.append(shape)
        inputs = shape.outputs
      } else {
        shapes.append(LayerShape(inputs: inputs, outputs: next, activation: activation))
        inputs = next
      }
    }
    return shapes
  }

  /// The encoder's layers backwards.
  public var decoderShapes: [LayerShape] {
    let shapes = encoderShapes
    var result: [LayerShape] = []
    for index in stride(from: hidden.count, through: 0, by: -1) {
      let activation = index == 0 ? output : kind.hiddenActivation
      result.append(
        index == hidden.count
          ? LayerShape(inputs: latentCount, outputs: shapes[index].inputs, activation: activation)
          : shapes[index].transposed(activation))
    }
    return result
  }

  /// Weights and biases of encoder and decoder.
  public var parameterCount: Int {
    var sum = 0
    for shape in encoderShapes { sum += shape.parameterCount }
    for shape in decoderShapes { sum += shape.parameterCount }
    return sum
  }
}

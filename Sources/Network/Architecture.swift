// What a model is before it has weights: its kind and sizes, or its own lists of nodes. Weight files, options and integer
// networks all derive their shapes from here.

import CKernels
import Compute
import Core

/// Kinds of models, numbered as in files and in ae.h: presets, which build lists of nodes, and networks of someone's own.
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
  /// The convolutional variational autoencoder with residual connections (He et al. 2016).
  case residualVAE = 8
  /// Encoder and decoder are given as lists of nodes.
  case custom = 9

  /// Those that encode images.
  public static let autoencoders: [ModelKind] = [
    .pca, .linear, .sigmoid, .relu, .elu, .vae, .convVAE, .residualVAE, .custom,
  ]

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
    case .residualVAE: return "residual-vae"
    case .custom: return "custom"
    }
  }

  /// Whether all models of the kind are variational; of `custom`, each says so itself.
  public var isVariational: Bool { self == .vae || isConvolutional }
  /// Whether the preset's first hidden layers are convolutions.
  public var isConvolutional: Bool { self == .convVAE || self == .residualVAE }

  /// The activation of hidden layers.
  public var hiddenActivation: Activation {
    switch self {
    case .pca, .linear, .predictor, .custom: return .identity
    case .sigmoid: return .sigmoid
    case .relu: return .relu
    case .elu, .vae, .convVAE, .residualVAE: return .elu
    }
  }
}

/// Encoder and decoder of a `custom` model.
public struct CustomNetwork: Equatable, Sendable {
  public var encoder: [Node]
  public var decoder: [Node]
  public var isVariational: Bool

  public init(encoder: [Node], decoder: [Node], isVariational: Bool) {
    self.encoder = encoder
    self.decoder = decoder
    self.isVariational = isVariational
  }
}

/// Kind and sizes of an autoencoder, from which its lists of nodes follow.
public struct Architecture: Equatable, Sendable {
  public var kind: ModelKind
  /// Pixels, each in 1 ... 256.
  public var width: Int
  public var height: Int
  /// 1 (grey), 3 (RGB) or 4 (RGB and alpha); an image's bytes are at most 196,608.
  public var channels: Int
  /// Numbers in a code, 1 ... 4096.
  public var latentCount: Int
  /// Widths of a preset's hidden layers, first to last; the decoder mirrors them. At most 8, each in
  /// 1 ... 4096. Empty for `pca` and `custom`. For `convVAE` and `residualVAE` at least 2: all but the last are channels,
  /// at most 1024, of convolutions. One with as many channels as the one before it keeps
  /// the feature map's size (windows of 3 x 3), and in a `residualVAE` is added to it; any other halves it, rounding up
  /// (windows of 4 x 4, stride 2).
  public var hidden: [Int]
  /// Identity or sigmoid.
  public var output: Activation
  /// Of `custom` alone.
  public var custom: CustomNetwork?

  public init(
    kind: ModelKind, width: Int = 28, height: Int = 28, channels: Int = 1, latentCount: Int,
    hidden: [Int]? = nil, output: Activation, custom: CustomNetwork? = nil
  ) throws(AEError) {
    self.init(
      unchecked: kind, width: width, height: height, channels: channels, latentCount: latentCount,
      hidden: hidden,
      output: output, custom: custom)
    try validate()
  }

  /// The same without a check, and with the kind's usual hidden layers for nil.
  package init(
    unchecked kind: ModelKind, width: Int, height: Int, channels: Int = 1, latentCount: Int, hidden: [Int]?,
    output: Activation, custom: CustomNetwork? = nil
  ) {
    self.kind = kind
    self.width = width
    self.height = height
    self.channels = kind == .predictor ? 0 : channels
    self.latentCount = latentCount
    self.hidden =
      kind == .pca || kind == .custom
      ? [] : hidden ?? (kind.isConvolutional ? [32, 64, 256] : [500, 500])
    self.output = output
    self.custom = custom
  }

  /// That of a predictor, which is for images of any size and has no code: all numbers are 0.
  public static let predictor = Architecture(
    unchecked: .predictor, width: 0, height: 0, latentCount: 0, hidden: [], output: .identity)

  public static let maximumLatentCount = 4096
  /// The longest side, and the most numbers in a code and in a feature map, of models in files of version 1 and of the
  /// image sets of that time.
  public static let formerLongestSide = 64
  public static let formerLatentCount = 1024
  public static let formerMapCount = 32768
  public static let maximumHiddenWidth = 4096
  public static let maximumHiddenCount = 8
  public static let maximumChannels = 1024

  /// What images of this model are.
  public var image: ImageShape { ImageShape(width: width, height: height, channels: channels) }

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
    try check("image width", width, 1...ImageShape.maximumSide)
    try check("image height", height, 1...ImageShape.maximumSide)
    try image.validate()
    try check("latent size", latentCount, 1...Architecture.maximumLatentCount)
    try check("number of hidden layers", hidden.count, 0...Architecture.maximumHiddenCount)
    for width in hidden { try check("hidden width", width, 1...Architecture.maximumHiddenWidth) }
    guard output == .identity || output == .sigmoid else {
      throw AEError(.argument, "the output activation must be linear or sigmoid")
    }
    guard (custom != nil) == (kind == .custom) else {
      throw AEError(
        .argument, "a model of kind custom, and no other, is given as two lists of nodes, encoder and decoder"
      )
    }
    if kind.isConvolutional {
      guard hidden.count >= 2 else {
        throw AEError(
          .argument,
          "number of hidden layers of a \(kind.name) must be in 2 ... \(Architecture.maximumHiddenCount), not \(hidden.count)"
        )
      }
      for channels in hidden.dropLast() { try check("channels", channels, 1...Architecture.maximumChannels) }
    }
    if kind == .pca {
      try check("latent size of a pca", latentCount, 1...pixelCount)
      guard output == .identity else {
        throw AEError(.argument, "a pca has a linear output")
      }
    }
    try validate(encoder, "encoder", gives: encoderOutputCount)
    try validate(decoder, "decoder", gives: pixelCount)
    guard let custom else { return }
    // What the integers need: words come from a layer's sums alone.
    guard let last = lastLayer(custom.encoder), custom.encoder[last].activation == .identity else {
      throw AEError(
        .argument,
        "encoder: the last node must be a layer without activation, or move the numbers of one: a dense layer behind it will do"
      )
    }
    guard let end = lastLayer(custom.decoder), custom.decoder[end].activation == output else {
      throw AEError(
        .argument,
        "decoder: the last node must be a layer with the output activation, or move the numbers of one: a dense layer or a convolution with kernel 1 behind it will do"
      )
    }
  }

  private func validate(_ list: NodeList, _ half: StaticString, gives count: Int) throws(AEError) {
    do {
      try list.validate()
      try list.validateReaders()
    } catch {
      throw error.at(sentence("\(half)"))
    }
    guard list.outputCount == count else {
      throw AEError(
        .argument, "\(half): the last node gives \(list.outputCount) numbers, \(count) are expected")
    }
  }

  /// The layer that gives a list's numbers, perhaps moved; nil if it is none.
  private func lastLayer(_ nodes: [Node]) -> Int? {
    var index = nodes.count - 1
    while index >= 0, nodes[index].operation.isMove { index = nodes[index].source }
    return index >= 0 && nodes[index].operation.hasWeights ? index : nil
  }

  /// Numbers of an image.
  public var pixelCount: Int { image.byteCount }

  public var isVariational: Bool { custom?.isVariational ?? kind.isVariational }

  /// Outputs of the encoder's last layer: the means, and for variational models the log-variances after them.
  public var encoderOutputCount: Int { isVariational ? 2 * latentCount : latentCount }

  /// What the encoder reads.
  var imageMap: FeatureShape { FeatureShape(height: height, width: width, channels: channels) }

  public var encoder: NodeList {
    @inline(never)
    get { NodeList(unchecked: custom?.encoder ?? Presets.encoder(self), input: imageMap) }
  }

  public var decoder: NodeList {
    @inline(never)
    get {
      NodeList(unchecked: custom?.decoder ?? Presets.decoder(self), input: FeatureShape(vector: latentCount))
    }
  }

  public var encoderShapes: [LayerShape] { encoder.shapes }
  public var decoderShapes: [LayerShape] { decoder.shapes }

  /// Weights and biases of encoder and decoder.
  public var parameterCount: Int { encoder.parameterCount + decoder.parameterCount }
}

// The trained model that everything else passes around: networks in float, in integers or both, the
// codec, and where it came from.

import Compute
import Core
import Latent
import Lossless
import Network

/// How a model's numbers are stored, numbered as in files and in ae.h.
public enum WeightStorage: UInt8, Sendable {
  case float32 = 0
  case float16 = 1
  case int8 = 2

  public var name: StaticString {
    switch self {
    case .float32: return "float32"
    case .float16: return "float16"
    case .int8: return "int8"
    }
  }
}

/// A trained autoencoder, immutable: any number of threads may use one.
///
/// The float networks are there unless the model was stored as int8; the integer networks and the codec
/// are there once they have been fitted (`Quantization.quantized`). The encoders are nil in a decoder alone.
public final class Autoencoder: Sendable {
  public let architecture: Architecture
  /// At most 64 bytes of UTF-8.
  public let name: String
  /// How it was made: the command or call, for people. At most 4096 bytes of UTF-8.
  public let provenance: String
  public let storage: WeightStorage
  public let encoder: DenseNetwork?
  public let decoder: DenseNetwork?
  public let integerEncoder: IntegerNetwork?
  public let integerDecoder: IntegerNetwork?
  public let codec: Codec?
  /// Predicts bilevel scans, for lossless image sets; nil unless it was trained (`Training.fitScanModel`).
  public let scanModel: ScanModel?
  /// Predicts pixels, for lossless image sets; nil unless it was trained (`Training.fitPredictor`).
  public let predictor: Predictor?
  /// The hash that weight files define, once someone has asked for it: it takes a pass over all weights.
  package let hash = Lazy<Buffer<UInt8>>()
  /// Names of its arrays for callers who list them (`ae_model_tensor`).
  package let tensorNames = Lazy<Buffer<UInt8>>()

  /// - Throws: `.shape` if a network does not have the shapes of the architecture, `.format` if there is no
  ///   decoder at all, or an integer decoder without codec or the other way round.
  public init(
    architecture: Architecture, name: String, provenance: String = "", storage: WeightStorage,
    encoder: DenseNetwork?, decoder: DenseNetwork?, integerEncoder: IntegerNetwork? = nil,
    integerDecoder: IntegerNetwork? = nil, codec: Codec? = nil, scanModel: ScanModel? = nil,
    predictor: Predictor? = nil
  ) throws(AEError) {
    try Autoencoder.check(
      architecture, name: name, provenance: provenance, encoder, decoder, integerEncoder, integerDecoder,
      codec, scanModel, predictor)
    self.architecture = architecture
    self.name = name
    self.provenance = provenance
    self.storage = storage
    self.encoder = encoder
    self.decoder = decoder
    self.integerEncoder = integerEncoder
    self.integerDecoder = integerDecoder
    self.codec = codec
    self.scanModel = scanModel
    self.predictor = predictor
  }

  /// Throws unless the parts fit each other.
  @inline(never)
  private static func check(
    _ architecture: Architecture, name: String, provenance: String, _ encoder: DenseNetwork?,
    _ decoder: DenseNetwork?, _ integerEncoder: IntegerNetwork?, _ integerDecoder: IntegerNetwork?,
    _ codec: Codec?, _ scanModel: ScanModel?, _ predictor: Predictor?
  ) throws(AEError) {
    try architecture.validate()
    guard UTF8Text.count(name) <= 64, UTF8Text.count(provenance) <= 4096 else {
      throw AEError(.argument, "a model's name has at most 64 bytes, its provenance 4096")
    }
    guard architecture.kind != .predictor else {
      guard encoder == nil, decoder == nil, integerEncoder == nil, integerDecoder == nil, codec == nil,
        predictor != nil
      else { throw AEError(.format, "a predictor has no encoder, no decoder and no codec") }
      return
    }
    guard decoder != nil || integerDecoder != nil else {
      throw AEError(.format, "a model needs a decoder")
    }
    guard (integerDecoder != nil) == (codec != nil), scanModel == nil || codec != nil else {
      throw AEError(
        .format, "a model has an integer decoder and a codec, or neither, and a scan network only with them")
    }
    @inline(never)
    func check(_ half: StaticString, _ actual: [LayerShape]?, _ shapes: [LayerShape]) throws(AEError) {
      guard let actual else { return }
      guard actual.count == shapes.count else {
        throw AEError(.shape, "\(half): \(shapes.count) layers expected, \(actual.count) came")
      }
      for (index, shape) in shapes.enumerated()
      where actual[index].with(shape.activation) != shape {
        throw AEError(
          .shape,
          "\(half) layer \(index): \(shape.inputs) x \(shape.outputs) expected, "
            + "\(actual[index].inputs) x \(actual[index].outputs) came")
      }
    }
    let encoderShapes = architecture.encoderShapes
    let decoderShapes = architecture.decoderShapes
    try check("encoder", encoder?.shapes, encoderShapes)
    try check("decoder", decoder?.shapes, decoderShapes)
    try check("integer encoder", integerEncoder?.shapes, encoderShapes)
    try check("integer decoder", integerDecoder?.shapes, decoderShapes)
    if let codec, codec.latentScales.count != architecture.latentCount {
      throw AEError(
        .shape, "the codec has \(codec.latentScales.count) latents, the model \(architecture.latentCount)")
    }
  }

  /// A model that only codes images without loss: a predictor of pixels and, if there is one, of scans.
  public convenience init(
    predictor: Predictor, scanModel: ScanModel? = nil, name: String, provenance: String = ""
  ) throws(AEError) {
    try self.init(
      architecture: .predictor, name: name, provenance: provenance, storage: .int8, encoder: nil,
      decoder: nil,
      scanModel: scanModel, predictor: predictor)
  }

  /// The same model with a scan network, instead of the one it has.
  public func with(scanModel: ScanModel) throws(AEError) -> Autoencoder {
    try Autoencoder(
      architecture: architecture, name: name, provenance: provenance, storage: storage, encoder: encoder,
      decoder: decoder, integerEncoder: integerEncoder, integerDecoder: integerDecoder, codec: codec,
      scanModel: scanModel, predictor: predictor)
  }

  /// The same model with a predictor of pixels, instead of the one it has.
  public func with(predictor: Predictor) throws(AEError) -> Autoencoder {
    try Autoencoder(
      architecture: architecture, name: name, provenance: provenance, storage: storage, encoder: encoder,
      decoder: decoder, integerEncoder: integerEncoder, integerDecoder: integerDecoder, codec: codec,
      scanModel: scanModel, predictor: predictor)
  }

  /// The same model with another codec: one of as many latents.
  public func with(codec: Codec) throws(AEError) -> Autoencoder {
    try Autoencoder(
      architecture: architecture, name: name, provenance: provenance, storage: storage, encoder: encoder,
      decoder: decoder, integerEncoder: integerEncoder, integerDecoder: integerDecoder, codec: codec,
      scanModel: scanModel, predictor: predictor)
  }

  /// Whether its integers are of form 2: weights of 7 bits.
  public var isNarrow: Bool { integerDecoder?.isNarrow ?? integerEncoder?.isNarrow ?? false }
  public var inputCount: Int { architecture.pixelCount }
  public var latentCount: Int { architecture.latentCount }
  /// Whether it has what image sets name a model by.
  public var isNameable: Bool { codec != nil || architecture.kind == .predictor }
  public var hasEncoder: Bool { encoder != nil || integerEncoder != nil }
}

// From a trained model in floats to one that compresses: integer networks calibrated on images, and a codec for their
// latents. All of it is decided once, here, and stored: readers compute nothing in floats.

import Bytes
import CKernels
import Compute
import Core
import Latent
import Model
import Network
import Options

/// How a model is quantised.
public struct QuantizationOptions: Sendable {
  /// Whether the model was trained with `TrainingOptions.lambda`.
  public var isRateTrained = false
  /// 7 or 8: form 2 of the integers, in which products of bytes add up in 16 bits, or form 1.
  public var weightBits = 7

  public init() {}

  /// Every option of quantisation.
  public static let table = OptionTable<QuantizationOptions>(
    "quantisation", defaults: QuantizationOptions(),
    [
      .flag(
        "rate_trained",
        "For models trained with rd_lambda: qualities close about their rate, and frequency tables of searched codes.",
        { $0.isRateTrained }, { $0.isRateTrained = $1 }),
      .integer(
        "weight_bits", 7...8,
        "Bits of the integers' weights: 7 are faster on processors without VNNI and take less room, 8 lose less.",
        allowed: [7, 8], { $0.weightBits }, { $0.weightBits = $1 }),
    ])
}

/// What the weights of a pruned network are multiples of: those that are 0 stay so when it is quantised.
public struct WeightGrid: Sendable {
  /// By node the steps of its channels; nil where weights take any values.
  public typealias Half = [[Float]?]
  public let encoder: Half
  public let decoder: Half

  public init(encoder: Half, decoder: Half) {
    self.encoder = encoder
    self.decoder = decoder
  }

  /// Steps are powers of 2^(1/4), so that a file has few of them: the one of this exponent.
  package static func step(_ quarters: Int) -> Double { ExactMath.exp(Double(quarters) * quarter) }

  /// The exponent of the least step that is not less than `value`, which is positive.
  package static func quarters(atLeast value: Double) -> Int {
    Int((ExactMath.log(value) / quarter).rounded(.up))
  }

  private static let quarter = 0.6931471805599453 / 4
}

/// The model with integer networks and a codec, fitted to images in bytes (a few thousand are enough).
///
/// Post-training quantisation: weights to int8 with a scale per output channel, rounded with error feedback
/// (`LayerFeedback`); hidden activations to bytes with a scale and zero point per layer. The provenance names the images.
/// - Parameter grid: of a pruned model, what its weights are multiples of.
/// - Throws: `.kind` for a decoder alone or a model stored as int8; `.argument` without images.
public func quantized(
  _ model: Autoencoder, pixels: UnsafePointer<UInt8>, count: Int,
  options: QuantizationOptions = QuantizationOptions(), grid: WeightGrid? = nil
) throws(AEError) -> Autoencoder {
  guard model.architecture.kind != .predictor else {
    throw AEError(
      .kind, "a codec is fitted to an autoencoder; \"\(model.name)\" is a predictor, in integers already")
  }
  guard let encoder = model.encoder, let decoder = model.decoder else {
    throw AEError(
      .kind, "a codec is fitted to a model in floats with an encoder; \"\(model.name)\" is not one")
  }
  guard count > 0 else { throw AEError(.argument, "a codec is fitted to images; none came") }
  let d = model.latentCount
  var widest = model.inputCount
  for shape in encoder.shapes + decoder.shapes { widest = max(widest, shape.outputs) }
  let sample = try CalibrationSample(pixels, count: count, size: model.inputCount, widest: widest)

  let isNarrow = options.weightBits == 7
  var latentScales = [Float](repeating: 0, count: d)
  let encoderLayers = try quantise(
    encoder, input: sample.floats, integers: .bytes(sample.bytes), rows: sample.count, inputScale: 1 / 255,
    isNarrow: isNarrow, grid: grid?.encoder
  ) { outputs in
    let scales = LatentScales(
      standardDeviations(outputs, rows: sample.count, width: model.architecture.encoderOutputCount),
      encoder: encoder.shapes, decoder: decoder.shapes)
    latentScales = [Float](scales.values.prefix(d))
    var units: [Double] = []
    for scale in scales.ofLastLayer { units.append(Double(scale) / Double(Codec.latentUnitsPerScale)) }
    return .words(units: units)
  }

  // The decoder is calibrated on the codes that the encoder gives.
  let codes = try Buffer<Float>(count: sample.count * d)
  try model.encode(sample.floats.base, count: sample.count, into: codes.base)
  let integerEncoder = try IntegerNetwork(layers: encoderLayers)
  let words = try fixedPointCodes(codes, latentScales)
  let integerDecoder = try IntegerNetwork(
    layers: try quantise(
      try LatentScales.folded(decoder, latentScales), input: words.floats, integers: .words(words.integers),
      rows: sample.count, inputScale: 1, isNarrow: isNarrow, grid: grid?.decoder
    ) { _ in .pixels })

  let codec = try fitCodec(
    model, encoder: integerEncoder, sample: sample, codes: codes, latentScales: latentScales,
    pixels: pixels, count: count, decoder: integerDecoder, isRateTrained: options.isRateTrained)
  let checksum = Checksum.crc32(pixels, count * model.inputCount)
  let provenance = sentence(
    "\(model.provenance); quantised with \(count) images, CRC-32 of their pixels \(UInt64(checksum))")
  return try Autoencoder(
    architecture: model.architecture, name: model.name, provenance: provenance, storage: model.storage,
    encoder: model.encoder, decoder: model.decoder, integerEncoder: integerEncoder,
    integerDecoder: integerDecoder, codec: codec)
}

/// The calibration images, spread over the set.
private struct CalibrationSample {
  static let largestCount = 4000
  /// What a layer may give on all of them.
  static let largestOutputs = 1 << 23
  let count: Int
  let bytes: Buffer<UInt8>
  let floats: Buffer<Float>

  init(_ pixels: UnsafePointer<UInt8>, count: Int, size: Int, widest: Int) throws(AEError) {
    let taken = min(count, CalibrationSample.largestCount, CalibrationSample.largestOutputs / widest)
    bytes = try Buffer(count: taken * size)
    floats = try Buffer(count: taken * size)
    for row in 0..<taken {
      (bytes.base + row * size).update(from: pixels + (row * count / taken) * size, count: size)
    }
    ck_from_u8(bytes.count, bytes.base, floats.base)
    self.count = taken
  }
}

private func standardDeviations(_ values: Buffer<Float>, rows: Int, width: Int) -> [Float] {
  var result: [Float] = []
  for j in 0..<width {
    var sum = 0.0
    var squares = 0.0
    for row in 0..<rows {
      let value = Double(values.base[row * width + j])
      sum += value
      squares += value * value
    }
    let mean = sum / Double(rows)
    let variance = squares / Double(rows) - mean * mean
    // The scale is of the second moment about 0, since codes are quantised about 0.
    let scale = max((max(variance, 0) + mean * mean).squareRoot(), 1e-6)
    result.append(scale.isFinite ? Float(scale) : 1)
  }
  return result
}

private func fixedPointCodes(_ codes: Buffer<Float>, _ latentScales: [Float]) throws(AEError)
  -> (floats: Buffer<Float>, integers: Buffer<Int16>)
{
  let d = latentScales.count
  let result = try Buffer<Float>(count: codes.count)
  let integers = try Buffer<Int16>(count: codes.count)
  for i in 0..<codes.count {
    let units = codes.base[i] / latentScales[i % d] * Float(Codec.latentUnitsPerScale)
    result.base[i] = min(max(units, -Float(Codec.largestLatent)), Float(Codec.largestLatent))
    integers.base[i] = Int16(Int(saturating: Double(result.base[i])))
  }
  return (result, integers)
}

// MARK: Codec

private func fitCodec(
  _ model: Autoencoder, encoder: IntegerNetwork, sample: CalibrationSample, codes floatCodes: Buffer<Float>,
  latentScales: [Float], pixels: UnsafePointer<UInt8>, count: Int, decoder: IntegerNetwork,
  isRateTrained: Bool
) throws(AEError) -> Codec {
  let d = model.latentCount
  // For many latents, or large images, fewer images say enough.
  let gainCount = min(
    sample.count, 500, max(32_000 / d, 16), max(CalibrationSample.largestOutputs / model.inputCount, 4))
  let gains = try latentGains(model, codes: floatCodes, count: gainCount, latentScales: latentScales)
  let modelError = try Evaluation.reconstruction(model, pixels: pixels, count: min(count, 4000)).mse

  // Integer codes of the images, which the tables are counted on.
  let taken = min(count, 60_000)
  let chunk = DenseNetwork.chunkCount(model.inputCount)
  let words = try Buffer<Int16>(count: chunk * encoder.outputCount)
  let fixed = try Buffer<Int16>(count: taken * d)
  var first = 0
  while first < taken {
    let rows = min(chunk, taken - first)
    try encoder.encode(pixels + first * model.inputCount, count: rows, into: words.base)
    for row in 0..<rows {
      (fixed.base + (first + row) * d).update(from: words.base + row * encoder.outputCount, count: d)
    }
    first += rows
  }

  let searchedImages = SearchedImages(of: taken, decoder: decoder)
  var rates: [CodeRate] = []
  var bitPrices: [UInt32] = []
  var figures: [QualityFigure] = []
  let codes = try Buffer<Int16>(count: taken * d)
  let additions = StepAllocation.additions(
    modelError: modelError, latentCount: d, isRateTrained: isRateTrained)
  for addition in additions {
    let steps = StepAllocation.steps(addition: addition, gains: gains, latentScales: latentScales)
    for i in 0..<taken * d {
      codes.base[i] = Int16(
        truncatingIfNeeded: CodeRate.quantise(Int(fixed.base[i]), step: Int(steps[i % d])))
    }
    var rate = try CodeRate(
      steps: steps, tables: codeTables(codes, rows: taken, steps: steps, counts: { _ in true }))
    if isRateTrained {
      let price = StepAllocation.bitPrice(addition: addition, pixelCount: model.inputCount)
      bitPrices.append(UInt32(price))
      rate = try searched(rate, decoder: decoder, price: price, codes, pixels: pixels, rows: taken)
    }
    rates.append(rate)
    figures.append(
      try QualityFigure(
        of: rate, codes: codes, rows: taken, isCounted: { !isRateTrained || searchedImages.contains($0) },
        decoder: decoder, pixels: pixels))
  }
  return try Codec(
    latentScales: latentScales, rates: rates, defaultQuality: StepAllocation.defaultQuality
  ).with(bitPrices: bitPrices).with(figures: figures)
}

/// The Jacobian gain of each latent: the mean squared norm of its column of the decoder's Jacobian, per pixel, by central
/// differences.
private func latentGains(_ model: Autoencoder, codes: Buffer<Float>, count: Int, latentScales: [Float])
  throws(AEError) -> [Double]
{
  let d = model.latentCount
  let size = model.inputCount
  let moved = try Buffer<Float>(count: count * d)
  let above = try Buffer<Float>(count: count * size)
  let below = try Buffer<Float>(count: count * size)
  var gains: [Double] = []
  for j in 0..<d {
    let h = 0.1 * latentScales[j]
    moved.base.update(from: codes.base, count: count * d)
    for row in 0..<count { moved.base[row * d + j] += h }
    try model.decode(moved.base, count: count, into: above.base)
    for row in 0..<count { moved.base[row * d + j] -= 2 * h }
    try model.decode(moved.base, count: count, into: below.base)
    let squares = squaredError(above.base, below.base, count: count * size)
    gains.append(squares / Double(count * size) / (4 * Double(h) * Double(h)))
  }
  return gains
}

/// The model with figures of its qualities, measured on images: codes are searched as sets' are.
/// - Throws: `.kind` without a codec or encoder; `.argument` without images; `.stopped`.
public func measured(
  _ model: Autoencoder, pixels: UnsafePointer<UInt8>, count: Int, monitor: Monitor? = nil
) throws(AEError) -> Autoencoder {
  guard let codec = model.codec, let encoder = model.integerEncoder, let decoder = model.integerDecoder else {
    throw AEError(.kind, "the model \"\(model.name)\" has no codec with an encoder: it has no qualities")
  }
  guard count > 0 else { throw AEError(.argument, "qualities are measured on images; none came") }
  var figures: [QualityFigure] = []
  for quality in 1...codec.rates.count {
    let latents = try LatentLayer(
      codec: codec, encoder: encoder, decoder: decoder, quality: quality, searchPasses: 2)
    let codes = try latents.codes(of: pixels, count: count, monitor)
    try latents.improve(codes, pixels: pixels, count: count, monitor)
    figures.append(
      try QualityFigure(
        of: codec.rates[quality - 1], codes: codes, rows: count, isCounted: { _ in true }, decoder: decoder,
        pixels: pixels))
  }
  return try model.with(codec: try codec.with(figures: figures))
}

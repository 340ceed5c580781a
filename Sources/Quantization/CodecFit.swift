// From a trained model in floats to one that compresses: integer networks fitted to the ranges that
// activations really take, quantiser steps that spend bits where they are seen, and tables of how often
// each code occurs. All of it is decided once, here, and stored: readers compute nothing in floats.

import CKernels
import Compute
import Core
import Latent
import Model
import Network

/// Adds integer networks and a codec to a model, fitted on images in bytes (a few thousand are enough).
///
/// Post-training quantisation: weights to int8 with a scale per output channel, each rounded so as to make up for those
/// before it (`LayerFeedback`; libae.so, which has no room for that, rounds each to the nearest), hidden activations to
/// bytes with a scale and zero point per layer.
///
/// - Parameter bitsCounted: whether the model was trained with `TrainingOptions.lambda`; its qualities then lie
///   close about the rate that it was trained for.
/// - Throws: `.kind` for a decoder alone or a model stored as int8; `.argument` without images.
public func fitCodec(
  _ model: Autoencoder, pixels: UnsafePointer<UInt8>, count: Int, bitsCounted: Bool = false
) throws(AEError) -> Autoencoder {
  guard let encoder = model.encoder, let decoder = model.decoder else {
    throw AEError(
      .kind, "a codec is fitted to a model in floats with an encoder; \"\(model.name)\" is not one")
  }
  guard count > 0 else { throw AEError(.argument, "a codec is fitted to images; none came") }
  let d = model.latentCount
  var widest = model.inputCount
  for shape in model.architecture.encoderShapes { widest = max(widest, shape.outputs) }
  let sample = try CalibrationSample(pixels, count: count, size: model.inputCount, widest: widest)

  var latentScales = [Float](repeating: 0, count: d)
  let encoderLayers = try quantise(
    encoder, input: sample.floats, integers: .bytes(sample.bytes), rows: sample.count, inputScale: 1 / 255
  ) { outputs in
    latentScales = standardDeviations(
      outputs, rows: sample.count, width: model.architecture.encoderOutputCount)
    var units: [Double] = []
    for scale in latentScales { units.append(Double(scale) / Double(Codec.latentUnitsPerScale)) }
    latentScales = [Float](latentScales.prefix(d))
    return .words(units: units)
  }

  // The decoder is calibrated on the codes that the encoder gives.
  let codes = try Buffer<Float>(count: sample.count * d)
  try model.encode(sample.floats.base, count: sample.count, into: codes.base)
  let integerEncoder = try IntegerEncoder(layers: encoderLayers)
  let words = try fixedPointCodes(codes, latentScales)
  let integerDecoder = try IntegerDecoder(
    layers: try quantise(
      try folded(decoder, latentScales), input: words.floats, integers: .words(words.integers),
      rows: sample.count, inputScale: 1
    ) { _ in .pixels })

  let codec = try fitRates(
    model, encoder: integerEncoder, sample: sample, codes: codes, latentScales: latentScales,
    pixels: pixels, count: count, decoder: integerDecoder, bitsCounted: bitsCounted)
  return try Autoencoder(
    architecture: model.architecture, name: model.name, provenance: model.provenance, storage: model.storage,
    encoder: model.encoder, decoder: model.decoder, integerEncoder: integerEncoder,
    integerDecoder: integerDecoder, codec: codec)
}

/// Images that ranges are measured on, spread over the set.
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

/// What the last layer of a network gives.
package enum LastLayer {
  /// Words that count in `units` of the float outputs.
  case words(units: [Double])
  /// Bytes of pixels.
  case pixels
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

/// The decoder as it is for latents in fixed point: the units go into the first layer's weights.
private func folded(_ decoder: DenseNetwork, _ latentScales: [Float]) throws(AEError) -> DenseNetwork {
  var layers = decoder.layers
  let first = layers[0]
  let weights = try Buffer<Float>(count: first.weights.count)
  for o in 0..<first.shape.outputs {
    for j in 0..<first.shape.inputs {
      weights.base[o * first.shape.inputs + j] =
        first.weights.base[o * first.shape.inputs + j] * latentScales[j]
        / Float(Codec.latentUnitsPerScale)
    }
  }
  layers[0] = try DenseLayer(shape: first.shape, weights: weights, bias: first.bias)
  return DenseNetwork(layers: layers)
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

/// What the integer layers before gave on the calibration images: the next one's inputs.
package enum IntegerRows {
  case bytes(Buffer<UInt8>)
  case words(Buffer<Int16>)

  /// The largest magnitude one can have.
  package var largest: Int {
    switch self {
    case .bytes: 255
    case .words: Codec.largestLatent
    }
  }
}

/// Quantises a network layer by layer, measuring on `rows` rows.
///
/// Each layer is fitted to what the float network has at its place, given the inputs that the integer layers
/// before it really make: their errors do not add up where a bias can take them back.
/// - Parameters:
///   - input: what the float network gets, and `integers` the same for the integer one.
///   - inputScale: what a unit of the first layer's integers is worth in the floats of `input`.
///   - last: told the float outputs, says what the last layer gives.
package func quantise(
  _ network: DenseNetwork, input: Buffer<Float>, integers: IntegerRows, rows: Int, inputScale: Double,
  last: (Buffer<Float>) -> LastLayer
) throws(AEError) -> [IntegerLayer] {
  var layers: [IntegerLayer] = []
  var source = input
  var integers = integers
  var scale = inputScale
  var zero = 0
  for (index, layer) in network.layers.enumerated() {
    let shape = layer.shape
    let isLast = index == network.layers.count - 1
    let outputs = try Buffer<Float>(count: rows * shape.outputs)
    try shape.forward(
      source.base, rows: rows, weights: layer.weights.base, bias: layer.bias.base, activation: .identity,
      into: outputs.base)

    // What one unit of the pre-activation t is worth, per output, and the table from t to bytes.
    var units: [Double]
    var table: Buffer<UInt8>? = nil
    var nextScale = 1.0
    var nextZero = 0
    if isLast, case .words(let latentUnits) = last(outputs) {
      units = latentUnits
    } else {
      let range = isLast ? pixelRange(shape.activation) : activationRange(outputs, shape)
      nextScale = range.scale
      nextZero = range.zero
      units = [Double](repeating: range.unit, count: shape.channels)
      table = try activationTable(shape.activation, range)
    }
    var fitted = try integerLayer(
      layer, inputScale: scale, inputZero: zero, integers: integers, rows: rows, units: units, table: table)
    if case .bytes(let bytes) = integers {
      fitted = try centred(fitted, on: bytes, rows: rows, target: outputs)
    }
    layers.append(fitted)
    if !isLast {
      let next = try Buffer<UInt8>(count: rows * shape.outputs)
      try fitted.run(integers, rows: rows, into: next)
      integers = .bytes(next)
    }

    ck_activate(shape.activation.kernel, outputs.count, outputs.base)
    source = outputs
    scale = nextScale
    zero = nextZero
  }
  return layers
}

extension IntegerLayer {
  fileprivate func run(_ input: IntegerRows, rows: Int, into output: Buffer<UInt8>) throws(AEError) {
    switch input {
    case .bytes(let bytes): try run(bytes.base, count: rows, into: output.base)
    case .words(let words): try run(words.base, count: rows, into: output.base)
    }
  }
}

/// The layer with biases that give its outputs, on the inputs that come, the mean that the floats have.
private func centred(_ layer: IntegerLayer, on input: Buffer<UInt8>, rows: Int, target: Buffer<Float>)
  throws(AEError) -> IntegerLayer
{
  // All pixels of a channel count, where there are any.
  let outputs = layer.shape.channels
  let sums = try Buffer<Int32>(count: rows * layer.outputs)
  try layer.run(input.base, count: rows, into: sums.base)
  let bias = try Buffer<Int32>(copying: layer.bias.base, count: outputs)
  for o in 0..<outputs {
    var off = 0.0
    for i in stride(from: o, to: sums.count, by: outputs) {
      off += Double(target.base[i]) / Double(layer.sumScales.base[o])
      off -= Double(sums.base[i])
    }
    let mean = off / Double(sums.count / outputs)
    let moved = Int(bias.base[o]) + Int(saturating: mean).clamped(to: -(1 << 29)...(1 << 29))
    bias.base[o] = Int32(moved.clamped(to: -(1 << 30)...(1 << 30)))
  }
  return try IntegerLayer(
    shape: layer.shape, weights: layer.weights, bias: bias, multipliers: layer.multipliers,
    shift: layer.shift,
    table: layer.table, zero: layer.zero, sumScales: layer.sumScales, largestInput: 255)
}

/// How a layer's activations map to bytes.
private struct ActivationRange {
  /// What one unit of the 12-bit pre-activation is worth.
  let unit: Double
  /// What one unit of the byte is worth, and the byte that stands for 0.
  let scale: Double
  let zero: Int
  /// What is added to an activation in units of bytes before it is rounded, beside `zero`: where steps are wider
  /// than 1, or finer than 1/254, byte 0 stands for -1 and none for 0, to which `zero` is only the nearest that there
  /// is. Biases take back the difference, but not where padding is taken for `zero`.
  var shift = 0.0
}

/// The range of pixels: bytes are 1/255 each. Beyond +-8 a sigmoid is 0 or 255 to within rounding.
private func pixelRange(_ activation: Activation) -> ActivationRange {
  ActivationRange(unit: (activation == .sigmoid ? 8.0 : 1.0) / 2047, scale: 1 / 255, zero: 0)
}

/// The range of a hidden layer, from its pre-activations.
private func activationRange(_ values: Buffer<Float>, _ shape: LayerShape) -> ActivationRange {
  // Rare outliers are clipped: a finer step for all the others is worth more.
  let upper = max(quantile(values, 0.99995), 1e-3)
  let lower = min(-quantile(values, 0.99995, negated: true), 0)
  switch shape.activation {
  case .sigmoid:
    return ActivationRange(unit: 8.0 / 2047, scale: 1.0 / 255, zero: 0)
  case .relu:
    return ActivationRange(unit: upper / 2047, scale: upper / 255, zero: 0)
  case .elu:
    // A whole number of units below zero, so that -1, where many units rest, is met exactly.
    let below = Int(saturating: (255 / (upper + 1)).rounded(.down)).clamped(to: 0...254)
    if shape.isConvolution || below == 0 { return leastErrorRange(values, upper: upper) }
    // Or none, where steps are wider than 1: biases take back the mean of that, not what comes and goes.
    if below == 0 { return ActivationRange(unit: upper / 2047, scale: upper / 255, zero: 0) }
    let scale = 1 / Double(below)
    return ActivationRange(
      unit: max(upper, 4) / 2047, scale: scale, zero: below)
  case .identity:
    let scale = (upper - lower) / 255
    return ActivationRange(
      unit: max(upper, -lower) / 2047, scale: scale,
      zero: Int(saturating: -lower / scale).clamped(to: 0...255))
  }
}

/// The range that leaves the least squared error of ELUs of `values`, apart from their mean, which biases take back.
///
/// Either byte 0 stands for -1, where many units rest, so that is met exactly; 0 then is a byte, too, where steps are
/// between 1 and 1/254, and otherwise padding is taken for another value than 0, as is worth it for much finer steps
/// alone. Or bytes begin at the lowest activation that is met, and 0 is one of them: for layers that come nowhere
/// near -1.
private func leastErrorRange(_ values: Buffer<Float>, upper: Double) -> ActivationRange {
  var least: Float = 0
  var largest: Float = 0
  for i in 0..<values.count {
    least = min(least, values.base[i])
    largest = max(largest, values.base[i])
  }
  let binCount = 1 << 13
  let width = max(Double(largest) - Double(least), 1e-9) / Double(binCount)
  var counts = [Double](repeating: 0, count: binCount)
  for i in 0..<values.count {
    let bin = ((Double(values.base[i]) - Double(least)) / width).rounded(.down)
    counts[Int(saturating: bin).clamped(to: 0...binCount - 1)] += 1
  }
  func elu(_ x: Double) -> Double { x > 0 ? x : ExactMath.exp(x) - 1 }
  let activations = (0..<binCount).map { elu(Double(least) + (Double($0) + 0.5) * width) }
  var best = (error: Double.infinity, scale: 1.0, origin: -1.0)
  /// `origin` is what byte 0 stands for.
  func consider(scale: Double, origin: Double, handicap: Double = 1) {
    var error = 0.0
    var mean = 0.0
    for bin in 0..<binCount where counts[bin] > 0 {
      let byte = min(max(((activations[bin] - origin) / scale).rounded(), 0), 255)
      let off = byte * scale + origin - activations[bin]
      error += counts[bin] * off * off
      mean += counts[bin] * off
    }
    error = (error - mean * mean / Double(values.count)) * handicap
    if error < best.error { best = (error, scale, origin) }
  }
  for steps in 1...254 { consider(scale: 1 / Double(steps), origin: -1) }
  for part in 9...128 { consider(scale: 8 / Double(part * 254), origin: -1, handicap: 4) }
  for part in 4...32 {
    let top = upper * Double(part) / 32
    consider(scale: max(1, (top + 1) / 255), origin: -1)
    let scale = (top - elu(Double(least))) / 255
    consider(scale: scale, origin: (elu(Double(least)) / scale).rounded() * scale)
  }
  let byteOfZero = -best.origin / best.scale
  let zero = Int(saturating: byteOfZero).clamped(to: 0...255)
  // From there down, an ELU is within half a byte of -1: all that are met above count.
  let lowest = max(Double(least), ExactMath.log(min(best.scale / 2, 1)))
  return ActivationRange(
    unit: max(255 * best.scale + best.origin, -lowest) / 2047, scale: best.scale, zero: zero,
    shift: byteOfZero - Double(zero))
}

/// The value below which so much of the values (or of their negatives) lies.
private func quantile(_ values: Buffer<Float>, _ share: Double, negated: Bool = false) -> Double {
  // A histogram over [0, largest]: exact enough for a range, and no sort of millions.
  var largest: Float = 0
  for i in 0..<values.count {
    let value = negated ? -values.base[i] : values.base[i]
    if value > largest { largest = value }
  }
  guard largest > 0, largest.isFinite else { return 0 }
  let bins = 8192
  var histogram = [Int](repeating: 0, count: bins + 1)
  for i in 0..<values.count {
    let value = negated ? -values.base[i] : values.base[i]
    histogram[Int(saturating: Double(max(value, 0) / largest) * Double(bins)).clamped(to: 0...bins)] += 1
  }
  var above = Int((1 - share) * Double(values.count))
  for bin in stride(from: bins, through: 0, by: -1) {
    above -= histogram[bin]
    if above < 0 { return (Double(bin) + 0.5) / Double(bins) * Double(largest) }
  }
  return Double(largest)
}

private func activationTable(_ activation: Activation, _ range: ActivationRange) throws(AEError) -> Buffer<
  UInt8
> {
  let table = try Buffer<UInt8>(count: 4096)
  for index in 0..<4096 {
    let x = Double(index - 2048) * range.unit
    let y: Double
    switch activation {
    case .identity: y = x
    case .relu: y = max(x, 0)
    case .elu: y = x > 0 ? x : ExactMath.exp(x) - 1
    case .sigmoid: y = 1 / (1 + ExactMath.exp(-x))
    }
    let units = y / range.scale + range.shift
    table.base[index] = UInt8((Int(saturating: units) + range.zero).clamped(to: 0...255))
  }
  return table
}

/// One layer in integers.
private func integerLayer(
  _ layer: DenseLayer, inputScale: Double, inputZero: Int, integers: IntegerRows, rows: Int,
  units: [Double], table: Buffer<UInt8>?
) throws(AEError) -> IntegerLayer {
  let shape = layer.shape
  let outputs = shape.channels
  let inputs = shape.weightCount / outputs
  let weights = try Buffer<Int8>(count: shape.weightCount)
  let bias = try Buffer<Int32>(count: outputs)
  let multipliers = try Buffer<Int32>(count: outputs)
  let sumScales = try Buffer<Float>(count: outputs)
  var ratios = [Double](repeating: 0, count: outputs)
  let largestInput = integers.largest
  let feedback = try LayerFeedback(shape, integers, rows: rows, zero: UInt8(inputZero))
  // What the weights can reach at most leaves so much of int32 to the bias, half of it in reserve for the
  // zero point's share.
  let largestBias = Double(max(min(1 << 29, (Int(Int32.max) - inputs * 127 * largestInput) / 2), 1))
  for o in 0..<outputs {
    var largest: Float = 0
    for row in stride(from: o, to: shape.rows, by: outputs) {
      for i in 0..<shape.columns {
        largest = max(largest, layer.weights.base[row * shape.columns + i].magnitude)
      }
    }
    // A channel of tiny weights still needs room for its bias.
    let floor = Double(layer.bias.base[o].magnitude) / (inputScale * largestBias)
    let scale = max(Double(largest) / 127, floor, 1e-30)
    var sum = 0
    feedback.round(layer.weights.base, output: o, scale: scale, into: weights.base)
    for row in stride(from: o, to: shape.rows, by: outputs) {
      for i in row * shape.columns..<(row + 1) * shape.columns {
        let weight = Int(weights.base[i])
        sum += weight
      }
    }
    let unit = scale * inputScale
    // A convolution counts from the zero point itself.
    if shape.isConvolution { sum = 0 }
    bias.base[o] = Int32(
      (Int(saturating: Double(layer.bias.base[o]) / unit) - inputZero * sum).clamped(
        to: -(1 << 30)...(1 << 30)))
    sumScales.base[o] = Float(unit)
    ratios[o] = unit / units[o]
  }
  var largestRatio = 0.0
  for ratio in ratios { largestRatio = max(largestRatio, ratio) }
  // The largest multiplier uses all of its 31 bits.
  var shift = 1
  while shift < 62 && largestRatio * Double(1 << (shift + 1)) < Double(Int32.max) { shift += 1 }
  for o in 0..<outputs {
    multipliers.base[o] = Int32(
      Int(saturating: ratios[o] * Double(1 << shift)).clamped(to: 0...Int(Int32.max)))
  }
  return try IntegerLayer(
    shape: shape, weights: weights, bias: bias, multipliers: multipliers, shift: shift, table: table,
    zero: shape.isConvolution ? UInt8(inputZero) : 0, sumScales: sumScales, largestInput: largestInput)
}

// MARK: Rates

/// Squared error that quantising the codes adds, as a share of what the model itself leaves, from the
/// smallest files to the best.
private let addedErrorShares = [2.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.02]
private let defaultQuality = 4
/// The same for models that were trained at one rate: about that rate.
private let addedErrorSharesWhereBitsCount = [2.0, 1.4, 1.0, 0.7, 0.5, 0.35, 0.25]

private func fitRates(
  _ model: Autoencoder, encoder: IntegerEncoder, sample: CalibrationSample, codes floatCodes: Buffer<Float>,
  latentScales: [Float], pixels: UnsafePointer<UInt8>, count: Int, decoder: IntegerDecoder, bitsCounted: Bool
) throws(AEError) -> Codec {
  let d = model.latentCount
  let gains = try latentGains(
    model, codes: floatCodes, count: min(sample.count, 500), latentScales: latentScales)
  let base = max(try Evaluation.reconstruction(model, pixels: pixels, count: min(count, 4000)).mse, 1e-7)

  // Integer codes of the images, which the tables are counted on.
  let taken = min(count, 60_000)
  let words = try Buffer<Int16>(count: DenseNetwork.chunkCount * encoder.outputCount)
  let fixed = try Buffer<Int16>(count: taken * d)
  var first = 0
  while first < taken {
    let rows = min(DenseNetwork.chunkCount, taken - first)
    try encoder.encode(pixels + first * model.inputCount, count: rows, into: words.base)
    for row in 0..<rows {
      (fixed.base + (first + row) * d).update(from: words.base + row * encoder.outputCount, count: d)
    }
    first += rows
  }

  var rates: [CodeRate] = []
  var bitPrices: [UInt32] = []
  let codes = try Buffer<Int16>(count: taken * d)
  for share in bitsCounted ? addedErrorSharesWhereBitsCount : addedErrorShares {
    // A uniform quantiser of step s adds gain s^2 / 12; equal slopes mean equal additions for every
    // latent (Gersho and Gray 1992, section 8.3), so each gets the same share of what may be added.
    let addition = share * base / Double(d)
    var steps: [UInt16] = []
    for j in 0..<d {
      let step = (12 * addition / max(gains[j], 1e-30)).squareRoot()
      let units = step / Double(latentScales[j]) * Double(Codec.latentUnitsPerScale)
      steps.append(UInt16(Int(saturating: units).clamped(to: 1...Codec.largestLatent)))
    }
    for i in 0..<taken * d {
      codes.base[i] = Int16(
        truncatingIfNeeded: CodeRate.quantise(Int(fixed.base[i]), step: Int(steps[i % d])))
    }
    var rate = try CodeRate(
      steps: steps, tables: codeTables(codes, rows: taken, steps: steps, counts: { _ in true }))
    if bitsCounted {
      let price = bitPrice(addition: addition, pixelCount: model.inputCount)
      bitPrices.append(UInt32(price))
      rate = try searched(rate, decoder: decoder, price: price, codes, pixels: pixels, rows: taken)
    }
    rates.append(rate)
  }
  let codec = try Codec(latentScales: latentScales, rates: rates, defaultQuality: defaultQuality)
  return try codec.with(bitPrices: bitPrices)
}

/// How much squared error per pixel a unit of squared error in each latent makes, on average: the mean
/// squared norm of the decoder's Jacobian column, by central differences.
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

/// The tables of all latents, counted on `rows` rows of codes. Those that do not count, count little: they are
/// there for what is rare.
func codeTables(
  _ codes: Buffer<Int16>, rows: Int, steps: [UInt16], counts isCounted: (Int) -> Bool
) throws(AEError) -> [CodeTable] {
  let largestSymbols = 1024
  let width = steps.count
  var tables: [CodeTable] = []
  for latent in 0..<width {
    try checkMemory()
    var lowest = Int.max
    var highest = Int.min
    for row in 0..<rows {
      let value = Int(codes.base[row &* width &+ latent])
      lowest = min(lowest, value)
      highest = max(highest, value)
    }
    // Room for a little more than was seen; what lies outside is escaped.
    let margin = (highest &- lowest) / 16 &+ 1
    let limit = Codec.largestLatent / Int(steps[latent])
    lowest = max(lowest &- margin, -limit, -largestSymbols / 2)
    highest = min(highest &+ margin, limit, largestSymbols / 2 - 2)
    if highest < lowest { (lowest, highest) = (0, 0) }
    var counts = [Double](repeating: 0, count: highest - lowest + 2)
    for row in 0..<rows {
      let value = Int(codes.base[row &* width &+ latent])
      counts[value < lowest || value > highest ? 0 : value &- lowest &+ 1] +=
        isCounted(row) ? 1 : 0.001
    }
    tables.append(try CodeTable(lowest: lowest, counts: counts))
  }
  return tables
}

extension CodeTable {
  /// The table nearest to counts, escape first: every frequency at least 1, summing to 4096.
  init(lowest: Int, counts: [Double]) throws(AEError) {
    let total = 1 << CodeTable.precisionBits
    var sum = 0.0
    for count in counts { sum += count }
    // One in every slot first; the rest in proportion, and what rounding leaves to the largest.
    let free = Double(total - counts.count)
    var frequencies: [UInt16] = []
    var used = 0
    var largest = 0
    for (index, count) in counts.enumerated() {
      let frequency = 1 + (sum > 0 ? Int((count / sum * free).rounded(.down)) : 0)
      frequencies.append(UInt16(frequency))
      used += frequency
      if count > counts[largest] { largest = index }
    }
    frequencies[largest] += UInt16(total - used)
    try self.init(lowest: lowest, frequencies: frequencies)
  }
}

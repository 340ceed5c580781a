// Post-training quantisation of a network, layer by layer. Activation ranges are in ActivationRange.swift, the rounding of
// weights in ErrorFeedback.swift.

import CKernels
import Compute
import Core
import Latent
import Network

/// What the last layer of a network gives.
package enum LastLayer {
  /// Words that count in `units` of the float outputs.
  case words(units: [Double])
  /// Bytes of pixels.
  case pixels
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
/// Each layer is fitted to the outputs of the float layer, given the actual outputs of the integer layers before it, so
/// that mean errors do not accumulate: the biases compensate for them.
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

/// The layer with biases that give its outputs, on these inputs, the mean of the float outputs.
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
  // The largest sum of weights times inputs leaves this much of int32 to the bias, half of it reserved for the zero
  // point's share.
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

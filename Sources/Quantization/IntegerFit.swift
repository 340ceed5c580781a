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

/// What a node gives on the calibration images, in floats and in integers, and what the integers stand for: the value
/// (integer - zero - shift) scale.
private struct CalibratedRows {
  let floats: Buffer<Float>
  let integers: IntegerRows
  let scale: Double
  var zero = 0
  var shift = 0.0
}

/// Quantises a network node by node, measuring on `rows` rows.
///
/// Each layer is fitted to the outputs of the float layer, given the actual outputs of the integer layers before it, so
/// that mean errors do not accumulate: the biases compensate for them.
/// - Parameters:
///   - input: what the float network gets, and `integers` the same for the integer one.
///   - inputScale: what a unit of the first layer's integers is worth in the floats of `input`.
///   - isNarrow: weights of 7 bits: form 2 of the integers.
///   - grid: of a network that is pruned, the steps that its weights are multiples of.
///   - last: told the float outputs, says what the last layer gives.
/// - Throws: `.kind` for a list that has no integer form.
package func quantise(
  _ network: DenseNetwork, input: Buffer<Float>, integers: IntegerRows, rows: Int, inputScale: Double,
  isNarrow: Bool = false, grid: WeightGrid.Half? = nil, last: (Buffer<Float>) -> LastLayer
) throws(AEError) -> [IntegerLayer] {
  let shapes = network.shapes
  let start = CalibratedRows(floats: input, integers: integers, scale: inputScale)
  /// What nodes gave that is still to be read.
  var results = [CalibratedRows?](repeating: nil, count: shapes.count)
  var lastReader = [Int](0..<shapes.count)
  for (index, shape) in shapes.enumerated() {
    for source in sources(shape, index) where source >= 0 { lastReader[source] = index }
  }
  // The layer whose numbers the network gives, perhaps moved.
  var end = shapes.count - 1
  while !shapes[end].hasWeights {
    guard shapes[end].isMove else {
      throw AEError(.kind, "the last node but moves must be a layer for a network to have an integer form")
    }
    end = shapes[end].source(of: end)
  }

  var layers: [IntegerLayer] = []
  for (index, layer) in network.layers.enumerated() {
    let shape = layer.shape
    let source = shape.source(of: index)
    guard let x = source < 0 ? start : results[source] else {
      throw AEError(.internal, "the numbers that node \(index) reads are gone")
    }
    if shape.hasWeights {
      let (fitted, result) = try quantise(
        layer, x, rows: rows, isNarrow: isNarrow, isPruned: grid != nil, steps: grid?[index],
        isLast: index == end, last: last)
      layers.append(fitted)
      if index < shapes.count - 1 { results[index] = result }
    } else {
      let second = shape.hasTwoSources ? shape.secondSource(of: index) : -1
      let other = !shape.hasTwoSources ? nil : second < 0 ? start : results[second]
      let (fitted, result) = try quantiseWeightless(shape, x, other, rows: rows, index: index)
      layers.append(fitted)
      results[index] = result
    }
    for used in sources(shape, index) where used >= 0 && lastReader[used] == index { results[used] = nil }
  }
  return layers
}

private func sources(_ shape: LayerShape, _ index: Int) -> [Int] {
  shape.hasTwoSources
    ? [shape.source(of: index), shape.secondSource(of: index)] : [shape.source(of: index)]
}

/// One layer, and what it gives; of the last one, `last` says that.
private func quantise(
  _ layer: DenseLayer, _ x: CalibratedRows, rows: Int, isNarrow: Bool, isPruned: Bool, steps: [Float]?,
  isLast: Bool, last: (Buffer<Float>) -> LastLayer
) throws(AEError) -> (IntegerLayer, CalibratedRows) {
  let shape = layer.shape
  let outputs = try Buffer<Float>(count: rows * shape.outputs)
  try shape.forward(
    x.floats.base, rows: rows, weights: layer.weights.base, bias: layer.bias.base, activation: .identity,
    into: outputs.base)

  // What one unit of the pre-activation t is worth, per output, and the table from t to bytes.
  var units: [Double]
  var table: Buffer<UInt8>? = nil
  var range = ActivationRange(unit: 1, scale: 1, zero: 0)
  if isLast, case .words(let latentUnits) = last(outputs) {
    units = channelUnits(latentUnits, shape)
  } else {
    range = isLast ? pixelRange(shape.activation) : activationRange(outputs, shape)
    units = [Double](repeating: range.unit, count: shape.channels)
    table = try activationTable(shape.activation, range)
  }
  var fitted = try integerLayer(
    layer, inputScale: x.scale, inputZero: x.zero, integers: x.integers, rows: rows, units: units,
    table: table, largestWeight: isNarrow ? 63 : 127, isPruned: isPruned, steps: steps)
  if case .bytes(let bytes) = x.integers {
    fitted = try centred(fitted, on: bytes, rows: rows, target: outputs)
  }
  ck_activate(shape.activation.kernel, outputs.count, outputs.base)
  let integers: IntegerRows
  if table == nil {
    // Words of an encoder's end, which no one reads but moves: their values do not matter.
    integers = .words(try Buffer(count: rows * shape.outputs))
  } else {
    let next = try Buffer<UInt8>(count: rows * shape.outputs)
    try fitted.run(x.integers, rows: rows, into: next)
    integers = .bytes(next)
  }
  return (
    fitted,
    CalibratedRows(
      floats: outputs, integers: integers, scale: range.scale, zero: range.zero, shift: range.shift)
  )
}

/// The units of a convolution's channels, where those of a latent's numbers are given: the largest of a channel.
private func channelUnits(_ units: [Double], _ shape: LayerShape) -> [Double] {
  guard shape.channels < units.count else { return units }
  var result = [Double](repeating: 0, count: shape.channels)
  for (index, unit) in units.enumerated() {
    result[index % shape.channels] = max(result[index % shape.channels], unit)
  }
  return result
}

/// A node without weights, and what it gives.
private func quantiseWeightless(
  _ shape: LayerShape, _ x: CalibratedRows, _ second: CalibratedRows?, rows: Int, index: Int
) throws(AEError) -> (IntegerLayer, CalibratedRows) {
  let floats = try Buffer<Float>(count: rows * shape.outputs)
  var node = shape.kernelNode(.identity)
  ck_node_forward(&node, rows, x.floats.base, second?.floats.base, floats.base)
  guard case .bytes(let bytes) = x.integers else {
    guard shape.isMove, case .words(let words) = x.integers else {
      throw AEError(
        .kind,
        "node \(index) reads the code itself: only layers and moves can, for a network to have an integer form"
      )
    }
    let moved = try Buffer<Int16>(count: rows * shape.outputs)
    let fitted = try IntegerLayer(weightless: shape)
    try fitted.move(words.base, count: rows, into: moved.base)
    return (fitted, CalibratedRows(floats: floats, integers: .words(moved), scale: x.scale))
  }
  var secondBytes: Buffer<UInt8>?
  if let second {
    guard case .bytes(let bytes) = second.integers else {
      throw AEError(
        .kind,
        "node \(index) reads the code itself: only layers and moves can, for a network to have an integer form"
      )
    }
    secondBytes = bytes
  }
  var range = ActivationRange(unit: 1, scale: x.scale, zero: x.zero, shift: x.shift)
  let fitted: IntegerLayer
  switch shape.place.operation {
  case Int32(CK_ACTIVATE):
    range = activationRange(floats, shape)
    let table = try Buffer<UInt8>(count: 256)
    for byte in 0..<256 {
      let value = shape.activation.value((Double(byte) - Double(x.zero) - x.shift) * x.scale)
      table.base[byte] = range.byte(value)
    }
    fitted = try IntegerLayer(weightless: shape, table: table)
  case Int32(CK_CONCATENATE):
    range = activationRange(floats, shape)
    let table = try Buffer<UInt8>(count: 512)
    for (part, source) in [x, second ?? x].enumerated() {
      for byte in 0..<256 {
        table.base[256 * part + byte] = range.byte(
          (Double(byte) - Double(source.zero) - source.shift) * source.scale)
      }
    }
    fitted = try IntegerLayer(weightless: shape, table: table)
  case Int32(CK_ADD):
    guard let second else { throw AEError(.internal, "an add of one source") }
    range = activationRange(floats, shape)
    let ratios = (x.scale / range.unit, second.scale / range.unit)
    var shift = 1
    while shift < 62 && max(ratios.0, ratios.1) * Double(1 << (shift + 1)) < Double(Int32.max) { shift += 1 }
    func multiplier(_ ratio: Double) -> Int32 {
      Int32(Int(saturating: ratio * Double(1 << shift)).clamped(to: 0...Int(Int32.max)))
    }
    // What stands for 0 is not quite where the sources have it; the table knows.
    let offset = x.shift * x.scale + second.shift * second.scale
    fitted = try IntegerLayer(
      weightless: shape, multipliers: (multiplier(ratios.0), multiplier(ratios.1)), shift: shift,
      table: try activationTable(shape.activation, range, offset: -offset),
      zeros: (
        UInt8(x.zero.clamped(to: 0...255)), UInt8(second.zero.clamped(to: 0...255))
      ))
  default:
    fitted = try IntegerLayer(weightless: shape)
  }
  if shape.activation != .identity { ck_activate(shape.activation.kernel, floats.count, floats.base) }
  let next = try Buffer<UInt8>(count: rows * shape.outputs)
  try fitted.run(bytes.base, secondBytes?.base, count: rows, into: next.base)
  return (
    fitted,
    CalibratedRows(
      floats: floats, integers: .bytes(next), scale: range.scale, zero: range.zero, shift: range.shift)
  )
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
    table: layer.table, zero: layer.zero, sumScales: layer.sumScales, largestInput: 255,
    isNarrow: layer.isNarrow)
}

/// One layer in integers.
private func integerLayer(
  _ layer: DenseLayer, inputScale: Double, inputZero: Int, integers: IntegerRows, rows: Int,
  units: [Double], table: Buffer<UInt8>?, largestWeight: Int, isPruned: Bool, steps: [Float]?
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
  let largestBias = Double(max(min(1 << 29, (Int(Int32.max) - inputs * largestWeight * largestInput) / 2), 1))
  for o in 0..<outputs {
    var largest: Float = 0
    for row in stride(from: o, to: shape.rows, by: outputs) {
      for i in 0..<shape.columns {
        largest = max(largest, layer.weights.base[row * shape.columns + i].magnitude)
      }
    }
    // A channel of tiny weights still needs room for its bias.
    let floor = Double(layer.bias.base[o].magnitude) / (inputScale * largestBias)
    let step = steps.map { Double($0[o]) } ?? 0
    let smallest = max(Double(largest) / Double(largestWeight), floor, 1e-30)
    let scale =
      step > 0 ? step : isPruned ? WeightGrid.step(WeightGrid.quarters(atLeast: smallest)) : smallest
    var sum = 0
    feedback.round(
      layer.weights.base, output: o, scale: scale, largest: largestWeight, keepsZeros: isPruned,
      into: weights.base)
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
    zero: shape.isConvolution ? UInt8(inputZero) : 0, sumScales: sumScales, largestInput: largestInput,
    isNarrow: largestWeight == 63)
}

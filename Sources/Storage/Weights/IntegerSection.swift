// Sections IENC and IDEC of a weight file: a network in integers. docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Sections IENC and IDEC: one half in integers; and the networks of sections SCAN and PRED.
struct IntegerSection {
  let half: StaticString
  let shapes: [LayerShape]
  /// Whether the last layer gives words, as an encoder's does, and so has no table.
  let endsInWords: Bool
  /// Whether weights are in -63 ... 63: form 2 of the integers.
  let isNarrow: Bool
  private let form: IntegerForm

  /// - Throws: `.kind` for a list that has no integer form.
  init(
    half: StaticString, shapes: [LayerShape], startsInWords: Bool = false, endsInWords: Bool,
    isNarrow: Bool = false
  ) throws(AEError) {
    self.half = half
    self.shapes = shapes
    self.endsInWords = endsInWords
    self.isNarrow = isNarrow
    form = try IntegerForm(shapes, startsInWords: startsInWords)
  }

  /// Of a chain of layers that reads bytes and ends in words, as lossless coding has them.
  init(half: StaticString, chain shapes: [LayerShape]) {
    self.half = half
    self.shapes = shapes
    endsInWords = true
    isNarrow = false
    form = IntegerForm(chain: shapes.count)
  }

  @inline(never)
  static func encoder(_ architecture: Architecture, isNarrow: Bool) throws(AEError) -> IntegerSection {
    try IntegerSection(
      half: "encoder", shapes: architecture.encoderShapes, endsInWords: true, isNarrow: isNarrow)
  }

  @inline(never)
  static func decoder(_ architecture: Architecture, isNarrow: Bool) throws(AEError) -> IntegerSection {
    try IntegerSection(
      half: "decoder", shapes: architecture.decoderShapes, startsInWords: true, endsInWords: false,
      isNarrow: isNarrow)
  }

  /// Entries of a node's table, 0 without one.
  private func tableCount(_ index: Int) -> Int {
    let shape = shapes[index]
    guard shape.hasWeights else { return IntegerLayer.tableCount(ofWeightless: shape) }
    return endsInWords && index == form.end ? 0 : IntegerLayer.tableCount
  }

  /// Exact, since everything follows from the shapes.
  var rawCount: Int { @inline(never) get { layout()[shapes.count] } }

  /// Where each node's weights begin in the raw bytes, also if it has none, and after these the bytes of all.
  @inline(never)
  func layout() -> [Int] {
    var starts: [Int] = []
    var count = 0
    for (index, shape) in shapes.enumerated() {
      count += shape.isConvolution ? 2 : shape.hasWeights ? 1 : shape.hasMultipliers ? 1 + 2 + 8 : 0
      starts.append(count)
      count += shape.weightCount + 12 * shape.channels + tableCount(index)
    }
    starts.append(count)
    return starts
  }

  func write(_ layers: [IntegerLayer]) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    try writer.reserve(rawCount)
    for (index, layer) in layers.enumerated() {
      guard (layer.table?.count ?? 0) == tableCount(index) else {
        throw AEError(
          .format,
          "integer layer \"\(half).\(index)\": an activation table \(tableCount(index) > 0 ? "is missing" : "is too much")"
        )
      }
      guard layer.shape.hasWeights else {
        try writeWeightless(layer, to: writer)
        continue
      }
      guard !isNarrow || layer.isNarrow else {
        throw AEError(
          .format, "integer layer \"\(half).\(index)\": its weights are of 8 bits, the others' of 7")
      }
      try writer.u8(UInt8(layer.shift))
      if layer.shape.isConvolution { try writer.u8(layer.zero) }
      let weightCount = layer.weights.count
      let start = try writer.zeros(weightCount)
      for i in 0..<weightCount { writer.base[start + i] = UInt8(bitPattern: layer.weights.base[i]) }
      let words = try Buffer<UInt32>(count: layer.bias.count)
      for i in 0..<words.count { words.base[i] = UInt32(bitPattern: layer.bias.base[i]) }
      try planes(words, to: writer)
      for i in 0..<words.count { words.base[i] = UInt32(bitPattern: layer.multipliers.base[i]) }
      try planes(words, to: writer)
      for i in 0..<words.count { words.base[i] = SignLast.word(of: layer.sumScales.base[i]) }
      try planes(words, to: writer)
      try differences(layer.table, to: writer)
    }
    return try writer.finish()
  }

  private func writeWeightless(_ layer: IntegerLayer, to writer: ByteWriter) throws(AEError) {
    if layer.shape.hasMultipliers {
      try writer.u8(UInt8(layer.shift))
      try writer.u8(layer.zero)
      try writer.u8(layer.secondZero)
      let words = try Buffer<UInt32>(count: 2)
      for i in 0..<2 { words.base[i] = UInt32(bitPattern: layer.multipliers.base[i]) }
      try planes(words, to: writer)
    }
    try differences(layer.table, to: writer)
  }

  private func differences(_ table: Buffer<UInt8>?, to writer: ByteWriter) throws(AEError) {
    guard let table else { return }
    var previous: UInt8 = 0
    for i in 0..<table.count {
      try writer.u8(table.base[i] &- previous)
      previous = table.base[i]
    }
  }

  /// The table of node `index`, or nil if it has none.
  private func table(_ reader: inout ByteReader, _ index: Int) throws(AEError) -> Buffer<UInt8>? {
    let count = tableCount(index)
    guard count > 0 else { return nil }
    let deltas = try reader.bytes(count)
    let values = try Buffer<UInt8>(count: count)
    var value: UInt8 = 0
    for i in 0..<count {
      value = value &+ deltas[i]
      values.base[i] = value
    }
    return values
  }

  private func readWeightless(_ reader: inout ByteReader, _ index: Int, name: String) throws(AEError)
    -> IntegerLayer
  {
    let start = reader.offset
    var (shift, zeros, multipliers) = (0, (UInt8(0), UInt8(0)), (Int32(0), Int32(0)))
    if shapes[index].hasMultipliers {
      shift = Int(try reader.u8())
      zeros = (try reader.u8(), try reader.u8())
      let both = try Buffer<Int32>(count: 2)
      try words(&reader, into: both)
      multipliers = (both.base[0], both.base[1])
    }
    let table = try table(&reader, index)
    do {
      return try IntegerLayer(
        weightless: shapes[index], multipliers: multipliers, shift: shift, table: table, zeros: zeros)
    } catch {
      throw AEError(error.code, "\(name): node \"\(half).\(index)\": \(error.message) (byte \(start))")
    }
  }

  private func planes(_ words: Buffer<UInt32>, to writer: ByteWriter) throws(AEError) {
    let start = try writer.zeros(4 * words.count)
    Planes.write(words.base, words.count, width: 4, to: writer.base + start)
  }

  func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> [IntegerLayer] {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    var layers: [IntegerLayer] = []
    for (index, shape) in shapes.enumerated() {
      guard shape.hasWeights else {
        layers.append(try readWeightless(&reader, index, name: name))
        continue
      }
      let layerStart = reader.offset
      let shift = Int(try reader.u8())
      guard (1...62).contains(shift) else {
        throw AEError(
          .format,
          "\(name): tensor \"\(half).\(index).shift\" must be in 1 ... 62, not \(shift) (byte \(layerStart))")
      }
      let zero = shape.isConvolution ? try reader.u8() : 0
      guard zero == 0 || !form.readsWords[index] else {
        throw AEError(
          .format,
          "\(name): tensor \"\(half).\(index).zero\" must be 0 where the code is read, not \(zero) (byte \(layerStart + 1))"
        )
      }
      let weightStart = reader.offset
      _ = try reader.bytes(shape.weightCount)
      let weights = try raw.part(weightStart, shape.weightCount, as: Int8.self)
      let bias = try Buffer<Int32>(count: shape.channels)
      try words(&reader, into: bias)
      let multiplierStart = reader.offset
      let multipliers = try Buffer<Int32>(count: shape.channels)
      try words(&reader, into: multipliers)
      for i in 0..<shape.channels where multipliers.base[i] < 0 {
        throw fault(name, index, "multiplier", i, "is negative", at: multiplierStart + i)
      }
      let scaleStart = reader.offset
      let scaleWords = try Buffer<Int32>(count: shape.channels)
      try words(&reader, into: scaleWords)
      let sumScales = try Buffer<Float>(count: shape.channels)
      for i in 0..<shape.channels {
        sumScales.base[i] = SignLast.value(of: UInt32(bitPattern: scaleWords.base[i]))
        guard sumScales.base[i].isFinite else {
          throw fault(name, index, "scale", i, "is not finite", at: scaleStart + i)
        }
      }
      let table = try table(&reader, index)
      do {
        layers.append(
          try IntegerLayer(
            shape: shape, weights: weights, bias: bias, multipliers: multipliers, shift: shift, table: table,
            zero: zero, sumScales: sumScales,
            largestInput: form.readsWords[index] ? Codec.largestLatent : 255, isNarrow: isNarrow))
      } catch {
        for i in 0..<weights.count where weights.base[i] == -128 {
          throw fault(name, index, "weight", i, "must be in -127 ... 127, not -128", at: weightStart + i)
        }
        throw AEError(
          error.code, "\(name): layer \"\(half).\(index)\": \(error.message) (byte \(layerStart))")
      }
    }
    return layers
  }

  /// What is wrong with value `i` of a tensor.
  @inline(never)
  private func fault(
    _ name: String, _ index: Int, _ tensor: StaticString, _ i: Int, _ what: StaticString, at byte: Int
  ) -> AEError {
    AEError(.format, "\(name): tensor \"\(half).\(index).\(tensor)\": value \(i) \(what) (byte \(byte))")
  }

  @inline(never)
  private func words(_ reader: inout ByteReader, into values: Buffer<Int32>) throws(AEError) {
    let bytes = try reader.bytes(4 * values.count)
    values.base.withMemoryRebound(to: UInt32.self, capacity: values.count) {
      Planes.read(bytes, values.count, width: 4, into: $0)
    }
  }
}

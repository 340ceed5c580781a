// Sections IENC and IDEC of a weight file: a network in integers. docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Sections IENC and IDEC: one half in integers.
struct IntegerSection {
  let half: StaticString
  let shapes: [LayerShape]
  /// Whether the last layer gives words, as an encoder's does, and so has no table.
  let endsInWords: Bool
  /// The largest magnitude of the first layer's inputs.
  let largestInput: Int

  static func encoder(_ architecture: Architecture) -> IntegerSection {
    IntegerSection(half: "encoder", shapes: architecture.encoderShapes, endsInWords: true, largestInput: 255)
  }

  static func decoder(_ architecture: Architecture) -> IntegerSection {
    IntegerSection(
      half: "decoder", shapes: architecture.decoderShapes, endsInWords: false,
      largestInput: Codec.largestLatent)
  }

  private static let tableCount = 4096

  private func hasTable(_ index: Int) -> Bool { !(endsInWords && index == shapes.count - 1) }

  /// Exact, since everything follows from the shapes.
  var rawCount: Int {
    var count = 0
    for (index, shape) in shapes.enumerated() {
      count += shape.weightCount + 12 * shape.channels + (shape.isConvolution ? 2 : 1)
      if hasTable(index) { count += IntegerSection.tableCount }
    }
    return count
  }

  func write(_ layers: [IntegerLayer]) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    try writer.reserve(rawCount)
    for (index, layer) in layers.enumerated() {
      guard (layer.table != nil) == hasTable(index) else {
        throw AEError(
          .format,
          "integer layer \"\(half).\(index)\": an activation table \(hasTable(index) ? "is missing" : "is too much")"
        )
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
      if let table = layer.table {
        var previous: UInt8 = 0
        for i in 0..<IntegerSection.tableCount {
          try writer.u8(table.base[i] &- previous)
          previous = table.base[i]
        }
      }
    }
    return try writer.finish()
  }

  private func planes(_ words: Buffer<UInt32>, to writer: ByteWriter) throws(AEError) {
    let start = try writer.zeros(4 * words.count)
    Planes.write(words.base, words.count, width: 4, to: writer.base + start)
  }

  func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> [IntegerLayer] {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    var layers: [IntegerLayer] = []
    for (index, shape) in shapes.enumerated() {
      let layerStart = reader.offset
      let shift = Int(try reader.u8())
      guard (1...62).contains(shift) else {
        throw AEError(
          .format,
          "\(name): tensor \"\(half).\(index).shift\" must be in 1 ... 62, not \(shift) (byte \(layerStart))")
      }
      let zero = shape.isConvolution ? try reader.u8() : 0
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
      var table: Buffer<UInt8>?
      if hasTable(index) {
        let deltas = try reader.bytes(IntegerSection.tableCount)
        let values = try Buffer<UInt8>(count: IntegerSection.tableCount)
        var value: UInt8 = 0
        for i in 0..<IntegerSection.tableCount {
          value = value &+ deltas[i]
          values.base[i] = value
        }
        table = values
      }
      do {
        layers.append(
          try IntegerLayer(
            shape: shape, weights: weights, bias: bias, multipliers: multipliers, shift: shift, table: table,
            zero: zero, sumScales: sumScales,
            largestInput: index == 0 ? largestInput : 255))
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

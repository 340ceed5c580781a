// Section PRED of a weight file: the network that predicts pixels, and the hash by which image sets name it.
// docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Section PRED: the network that predicts pixels, and its table of corrections.
enum PredictorSection {
  static let rawCounts = 1...(1 << 20)

  private static func network(_ shapes: [LayerShape]) -> IntegerSection {
    IntegerSection(half: "predictor", chain: shapes)
  }

  static func rawCount(_ predictor: Predictor) -> Int {
    let shapes = predictor.shapes
    return 1 + 2 * (shapes.count + 1) + 2 * Predictor.tableCount + network(shapes).rawCount
  }

  static func write(_ predictor: Predictor) throws(AEError) -> Buffer<UInt8> {
    let shapes = predictor.shapes
    let writer = ByteWriter()
    try writer.u8(UInt8(shapes.count))
    try writer.u16(UInt16(shapes[0].inputs))
    for shape in shapes { try writer.u16(UInt16(shape.outputs)) }
    // Low bytes, then high ones, which deflate better apart.
    for shift: Int16 in [0, 8] {
      for index in 0..<Predictor.tableCount {
        try writer.u8(UInt8(truncatingIfNeeded: predictor.table.base[index] >> shift))
      }
    }
    try writer.bytes(try network(shapes).write(try predictor.network.layers()))
    return try writer.finish()
  }

  /// The sizes of its layers, with which it begins.
  static func shapes(_ reader: inout ByteReader) throws(AEError) -> [LayerShape] {
    let layerCount = Int(try reader.u8())
    guard (1...Predictor.maximumHiddenCount + 1).contains(layerCount) else {
      throw reader.fail(
        "a predictor of 1 to \(Predictor.maximumHiddenCount + 1) layers expected, not of \(layerCount)")
    }
    let inputs = Int(try reader.u16())
    var shapes: [LayerShape] = []
    var width = inputs
    var weightCount = 0
    for index in 0..<layerCount {
      let outputs = Int(try reader.u16())
      let isLast = index == layerCount - 1
      guard isLast ? outputs == Predictor.outputCount : (1...Predictor.maximumHiddenWidth).contains(outputs)
      else {
        throw reader.fail(
          isLast
            ? "a predictor of \(Predictor.outputCount) outputs expected, not of \(outputs)"
            : "hidden layers of 1 to \(Predictor.maximumHiddenWidth) units expected, not of \(outputs)")
      }
      shapes.append(LayerShape(inputs: width, outputs: outputs, activation: .identity))
      weightCount += width * outputs
      width = outputs
    }
    guard inputs == Predictor.inputCount, weightCount <= Predictor.maximumWeightCount else {
      throw reader.fail(
        "a predictor of \(Predictor.inputCount) inputs and at most \(Predictor.maximumWeightCount) weights expected, "
          + "not of \(inputs) and \(weightCount)")
    }
    return shapes
  }

  static func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> Predictor {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    let shapes = try shapes(&reader)
    let low = try reader.bytes(2 * Predictor.tableCount)
    let table = try Buffer<Int16>(count: Predictor.tableCount)
    for index in 0..<table.count {
      table.base[index] = Int16(
        bitPattern: UInt16(low[index]) | UInt16(low[Predictor.tableCount + index]) << 8)
    }
    let section = network(shapes)
    guard reader.remaining == section.rawCount else {
      throw reader.fail("a predictor of \(section.rawCount) more bytes expected, \(reader.remaining) follow")
    }
    let rest = try Buffer(copying: raw.base + reader.offset, count: section.rawCount)
    do {
      return try Predictor(
        network: try IntegerNetwork(layers: try section.read(rest, name: name)), table: table)
    } catch { throw error.at(name) }
  }
}

extension Predictor {
  /// The 32 bytes that image sets name it by: SHA-256 of its section. Computed once.
  public func sectionHash() throws(AEError) -> [UInt8] {
    try hash.value { () throws(AEError) in
      let raw = try PredictorSection.write(self)
      var sum = SHA256()
      sum.update(raw.base, raw.count)
      return try Buffer(sum.finish())
    }.array
  }
}

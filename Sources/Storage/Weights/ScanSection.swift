// Section SCAN of a weight file: the network that predicts bilevel scans. docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Section SCAN: the network that predicts scans, and its table of probabilities.
enum ScanSection {
  static let rawCounts = 1...(1 << 18)

  private static func network(_ shapes: [LayerShape]) -> IntegerSection {
    IntegerSection(half: "scan", chain: shapes)
  }

  static func rawCount(_ model: ScanModel) -> Int {
    1 + 2 * model.shapes.count + 2 * model.probabilities.count + network(model.shapes).rawCount
  }

  static func write(_ model: ScanModel) throws(AEError) -> Buffer<UInt8> {
    let shapes = model.shapes
    let writer = ByteWriter()
    try writer.u8(UInt8(shapes.count))
    for shape in shapes { try writer.u16(UInt16(shape.inputs)) }
    for probability in model.probabilities { try writer.u16(probability) }
    try writer.bytes(try network(shapes).write(try model.network.layers()))
    return try writer.finish()
  }

  static func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> ScanModel {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    let layerCount = Int(try reader.u8())
    var shapes: [LayerShape] = []
    var isSound = (1...ScanModel.maximumHiddenCount + 1).contains(layerCount)
    if isSound {
      let bytes = try reader.bytes(2 * layerCount)
      func width(_ index: Int) -> Int {
        index < layerCount ? Int(bytes[2 * index]) | Int(bytes[2 * index + 1]) << 8 : 1
      }
      for index in 0..<layerCount {
        isSound = isSound && (1...ScanModel.maximumHiddenWidth).contains(width(index))
        shapes.append(LayerShape(inputs: width(index), outputs: width(index + 1), activation: .identity))
      }
      isSound = isSound && shapes.reduce(0) { $0 + $1.weightCount } <= ScanModel.maximumWeightCount
    }
    guard isSound else {
      throw reader.fail(
        "a scan network of 1 to 5 layers of 1 to \(ScanModel.maximumHiddenWidth) units and at most "
          + "\(ScanModel.maximumWeightCount) weights expected")
    }
    var probabilities = [UInt16](repeating: 0, count: ScanModel.tableCount)
    let table = try reader.bytes(2 * ScanModel.tableCount)
    for index in 0..<ScanModel.tableCount {
      probabilities[index] = UInt16(table[2 * index]) | UInt16(table[2 * index + 1]) << 8
    }
    let section = network(shapes)
    guard reader.remaining == section.rawCount else {
      throw reader.fail("a scan network of \(section.rawCount) bytes expected, \(reader.remaining) follow")
    }
    let rest = try Buffer(copying: raw.base + reader.offset, count: section.rawCount)
    let layers = try section.read(rest, name: name)
    let network = try IntegerNetwork(layers: layers)
    do { return try ScanModel(network: network, probabilities: probabilities) } catch { throw error.at(name) }
  }
}

// A list of nodes in a weight file of version 2: part of section ARCH, and of what the model's hash covers.
// docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Network

enum NodeListSection {
  static let nodeCount = 20
  /// Bytes of a list.
  static let rawCounts = (2 + nodeCount)...(2 + nodeCount * NodeList.maximumNodeCount)

  static func write(_ nodes: [Node], to writer: ByteWriter) throws(AEError) {
    try writer.u16(UInt16(nodes.count))
    for node in nodes {
      try writer.u8(node.operation.rawValue)
      try writer.u8(node.activation.rawValue)
      try writer.u16(node.activation.thousandths)
      try writer.u16(UInt16(node.source + 1))
      try writer.u16(UInt16(node.secondSource + 1))
      try writer.u8(UInt8(node.kernel))
      try writer.u8(UInt8(node.stride))
      try writer.u8(UInt8(node.padding))
      try writer.u8(0)
      try writer.u16(UInt16(node.shape.height))
      try writer.u16(UInt16(node.shape.width))
      try writer.u32(UInt32(node.shape.channels))
    }
  }

  /// The nodes as they stand there: whether they make a network is for `Architecture` to say.
  static func read(_ reader: inout ByteReader, _ half: StaticString) throws(AEError) -> [Node] {
    let count = Int(try reader.u16())
    guard (1...NodeList.maximumNodeCount).contains(count) else {
      throw reader.fail("\(half): a network has 1 to \(NodeList.maximumNodeCount) nodes, not \(count)")
    }
    guard reader.remaining >= count * nodeCount else {
      throw reader.fail(
        "\(half): \(count) nodes take \(count * nodeCount) bytes, \(reader.remaining) are left")
    }
    var nodes: [Node] = []
    nodes.reserveCapacity(count)
    for index in 0..<count {
      let operationNumber = try reader.u8()
      let activationNumber = try reader.u8()
      let slope = try reader.u16()
      guard let operation = Operation(rawValue: operationNumber) else {
        throw reader.fail(
          .version, "\(half): node \(index): an operation \(operationNumber) is not known to this version")
      }
      guard let activation = Activation(rawValue: activationNumber, thousandths: slope) else {
        throw reader.fail(
          .version,
          "\(half): node \(index): an activation \(activationNumber) of slope \(slope) is not known to this version"
        )
      }
      let source = Int(try reader.u16()) - 1
      let secondSource = Int(try reader.u16()) - 1
      let kernel = Int(try reader.u8())
      let stride = Int(try reader.u8())
      let padding = Int(try reader.u8())
      let reserved = try reader.u8()
      guard reserved == 0 else {
        throw reader.fail(
          .version, "\(half): node \(index): a field of \(reserved) is not known to this version")
      }
      let height = Int(try reader.u16())
      let width = Int(try reader.u16())
      let channels = Int(try reader.u32())
      nodes.append(
        Node(
          operation, from: source, and: secondSource, activation: activation, kernel: kernel, stride: stride,
          padding: padding, shape: FeatureShape(height: height, width: width, channels: channels)))
    }
    return nodes
  }
}

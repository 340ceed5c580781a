// Sections FE32, FD32, FE16 and FD16 of a weight file: a network in floats. docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Sections FE32, FD32, FE16, FD16: the weights and biases of one half in floats.
struct FloatSection {
  /// "encoder" or "decoder", for tensor names.
  let half: StaticString
  let shapes: [LayerShape]
  /// Bytes of a value, 4 or 2.
  let width: Int

  /// Exact, since everything follows from the shapes.
  var rawCount: Int {
    var count = 0
    for shape in shapes { count += shape.parameterCount * width }
    return count
  }

  func write(_ network: DenseNetwork) throws(AEError) -> Buffer<UInt8> {
    let raw = try Buffer<UInt8>(count: rawCount)
    var offset = 0
    for (index, layer) in network.layers.enumerated() {
      for (what, tensor) in [("weight" as StaticString, layer.weights), ("bias", layer.bias)] {
        let words = try Buffer<UInt32>(count: tensor.count)
        for i in 0..<tensor.count {
          let value = tensor.base[i]
          guard value.isFinite else {
            throw AEError(.argument, "tensor \"\(half).\(index).\(what)\": value \(i) is not finite")
          }
          if width == 4 {
            words.base[i] = SignLast.word(of: value)
          } else if let bits = HalfPrecision.bits(of: value) {
            words.base[i] = UInt32(bits)
          } else {
            throw AEError(
              .kind,
              "tensor \"\(half).\(index).\(what)\": value \(i) is too large for float16; store the model as float32"
            )
          }
        }
        Planes.write(words.base, tensor.count, width: width, to: raw.base + offset)
        offset += tensor.count * width
      }
    }
    return raw
  }

  func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> DenseNetwork {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    let network = try DenseNetwork(shapes: shapes)
    for (index, layer) in network.layers.enumerated() {
      for (what, tensor) in [("weight" as StaticString, layer.weights), ("bias", layer.bias)] {
        let start = reader.offset
        let bytes = try reader.bytes(tensor.count * width)
        // The words take the floats' own memory: both have 32 bits.
        tensor.base.withMemoryRebound(to: UInt32.self, capacity: tensor.count) {
          Planes.read(bytes, tensor.count, width: width, into: $0)
          for i in 0..<tensor.count {
            let value =
              width == 4
              ? SignLast.value(of: $0[i]) : HalfPrecision.value(of: UInt16(truncatingIfNeeded: $0[i]))
            $0[i] = value.bitPattern
          }
        }
        for i in 0..<tensor.count where !tensor.base[i].isFinite {
          throw AEError(
            .format,
            "\(name): tensor \"\(half).\(index).\(what)\": value \(i) is not finite (byte \(start + i))")
        }
      }
    }
    return network
  }
}

// An image set to pixels, through the modules as they are in libae: what tools/emulated.sh runs on processors that
// this machine is not.

import Bytes
import Container
import Core
import Model
import Storage

/// The pixels of all images, which stay; nil after an error. `count` gets their number.
@_cdecl("decode_set")
public func decodeSet(
  _ path: UnsafePointer<CChar>, _ weights: UnsafePointer<CChar>?, _ count: UnsafeMutablePointer<Int>
) -> UnsafePointer<UInt8>? {
  do throws(AEError) {
    var model: Autoencoder? = nil
    if let weights {
      let file = try File.read(String(cString: weights))
      model = try WeightFile.read(file.base, file.count, name: "model")
    }
    let set = try CompressedSet(
      ByteSource(try File.read(String(cString: path))), model: model, name: "set")
    let information = set.information
    let pixels = try Buffer<UInt8>(count: information.count * information.shape.byteCount)
    try set.read(first: 0, count: information.count, into: pixels.base)
    count.pointee = pixels.count
    _ = Unmanaged.passRetained(pixels)
    return UnsafePointer(pixels.base)
  } catch {
    return nil
  }
}

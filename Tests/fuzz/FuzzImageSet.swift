// libFuzzer's way into the reader of image sets: opens what it is given, with checksums made right, and goes
// through everything in it. Tests/fuzz/fuzz.sh builds and runs it.

import Bytes
import Compression
import Core
import Model
import Storage

/// The model of Tests/golden's files. Without it only sets with their own get past the front door.
private let model: Autoencoder? = {
  do throws(AEError) {
    let bytes = try File.read("Tests/golden/walsh-8.aew")
    return try WeightFile.read(bytes.base, bytes.count, name: "model")
  } catch {
    return nil
  }
}()

private func integer(_ bytes: UnsafeMutablePointer<UInt8>, _ offset: Int, _ size: Int) -> Int {
  var value: UInt64 = 0
  for index in 0..<size { value |= UInt64(bytes[offset + index]) << (8 * UInt64(index)) }
  return Int(truncatingIfNeeded: value)
}

private func putChecksum(_ bytes: UnsafeMutablePointer<UInt8>, _ range: Range<Int>, at offset: Int) {
  let crc = Checksum.crc32(bytes + range.lowerBound, range.count)
  for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: crc >> (8 * UInt32(index))) }
}

/// Makes every checksum match, as far as the parts can be found: a fuzzer would not guess them.
private func repair(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
  guard count > 136 else { return }
  let header = 132 + Int(bytes[23])
  guard header + 4 <= count else { return }
  defer { putChecksum(bytes, 0..<header, at: header) }
  let images = integer(bytes, 32, 8)
  let blockImages = integer(bytes, 24, 4)
  guard images >= 0, images < 1 << 20, blockImages > 0 else { return }
  let blockCount = (images + blockImages - 1) / blockImages
  let index = header + 4
  var offset = index + 9 * blockCount + 4
  guard offset <= count else { return }
  let sectionsEnd = offset - 4
  defer { putChecksum(bytes, index..<sectionsEnd, at: sectionsEnd) }
  for section in 0..<3 {
    let size = integer(bytes, 72 + 20 * section, 8)
    guard size >= 0, size <= count - offset else { return }
    if size > 0 { putChecksum(bytes, offset..<offset + size, at: 72 + 20 * section + 16) }
    offset += size
  }
  for block in 0..<blockCount {
    let size = integer(bytes, index + 9 * block + 1, 4)
    guard size <= count - offset else { return }
    putChecksum(bytes, offset..<offset + size, at: index + 9 * block + 5)
    offset += size
  }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzImageSet(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  do throws(AEError) {
    let bytes = try Buffer<UInt8>(count: size)
    if let data, size > 0 { bytes.base.update(from: data, count: size) }
    repair(bytes.base, size)
    let set = try CompressedSet(bytes, model: model, name: "fuzz")
    let information = set.information
    guard information.count <= 4096 else { return 0 }
    let pixels = try Buffer<UInt8>(count: information.count * information.width * information.height)
    let latents = try Buffer<Float>(count: information.count * information.latentCount)
    let isSound = try set.verify().damage.allSatisfy { if case .block = $0.part { false } else { true } }
    _ = try? set.labels()
    if let names = try? set.names() {
      for index in 0..<names.count {
        let name = names[index]
        if name.isEmpty || name == ".." || name.utf8.contains(0x2F) { fatalError("a name leaves its folder") }
      }
    }
    _ = try? set.latents(first: 0, count: information.count, into: latents.base)
    var isRead = true
    do throws(AEError) {
      try set.read(first: 0, count: information.count, into: pixels.base)
    } catch {
      isRead = false
    }
    if isRead != isSound { fatalError("reading and verification disagree") }
  } catch {}
  return 0
}

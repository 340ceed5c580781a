// The project's own deflate encoder: the system zlib inflates all that it writes, it is as small as zlib's,
// and its bytes never change.

import Bytes
import Core
import Testing

/// Bytes of one of several kinds, by number: they meet stored, fixed and dynamic blocks, matches near and at
/// the far end of the window, and ends of input at every place.
private func sample(_ kind: Int, _ count: Int) throws -> Buffer<UInt8> {
  let bytes = try Buffer<UInt8>(count: count)
  var state: UInt32 = 77
  func next() -> Int {
    state = state &* 1_664_525 &+ 1_013_904_223
    return Int(state >> 16)
  }
  for index in 0..<count {
    switch kind {
    case 0: bytes[index] = 0
    case 1: bytes[index] = UInt8(next() & 255)
    case 2: bytes[index] = UInt8(index % 251)
    case 3: bytes[index] = next() % 5 == 0 ? UInt8(next() & 255) : 0
    case 4: bytes[index] = index < 32_500 ? UInt8(next() & 255) : bytes[index - 32_500]
    case 5: bytes[index] = index < 32_768 ? UInt8(next() & 255) : bytes[index - 32_768]
    case 6: bytes[index] = UInt8((next() & next() & next()) & 255)
    default: bytes[index] = UInt8(index / 1000 % 2 == 0 ? next() & 255 : index & 3)
    }
  }
  return bytes
}

@Test("any zlib inflates what the encoder writes", arguments: 0..<8)
func deflatedInflates(kind: Int) throws {
  for count in [0, 1, 2, 3, 4, 5, 257, 258, 259, 260, 515, 4096, 32_767, 65_535, 65_536, 140_001] {
    let raw = try sample(kind, count)
    for strategy in [Zlib.Strategy.strings, .runs] {
      let packed = try Zlib.deflate(raw.base, count, strategy: strategy)
      let back = try Zlib.inflate(packed.base, packed.count, rawCount: count, name: "sample")
      let isSame = back.array == raw.array
      #expect(isSame, "\(count) bytes")
      // Blocks that do not shrink are stored, five bytes more each.
      #expect(packed.count <= count + 16 + 8 * (count / 16_384))
    }
  }
}

@Test("every short run of three letters survives")
func deflatedShortRuns() throws {
  for size in 0...7 {
    var number = 0
    var total = 1
    for _ in 0..<size { total *= 3 }
    while number < total {
      let raw = try Buffer<UInt8>(count: size)
      var rest = number
      for index in 0..<size {
        raw[index] = UInt8(97 + rest % 3)
        rest /= 3
      }
      let packed = try Zlib.deflate(raw.base, size)
      #expect(try Zlib.inflate(packed.base, packed.count, rawCount: size, name: "run").array == raw.array)
      number += 1
    }
  }
}

@Test("the same bytes are deflated to the same bytes for ever: files are compared by them")
func deflatedBytesArePinned() throws {
  var hash = SHA256()
  var sizes: [Int] = []
  for kind in 0..<8 {
    let raw = try sample(kind, 70_000)
    let packed = try Zlib.deflate(raw.base, raw.count)
    hash.update(packed.base, packed.count)
    sizes.append(packed.count)
  }
  #expect(sizes == [90, 70031, 594, 25896, 32962, 33122, 44150, 35402])
  #expect(
    SHA256.hex(hash.finish()) == "9bdc9c4f306c9d0ee0de475ed5abce468086f264cc0a9b1c541d2009b7399bb8")
}

@Test("a gzip file of the encoder's is one that the system's zlib reads")
func gzipOfOwn() throws {
  for kind in 0..<8 {
    let raw = try sample(kind, 50_000)
    let packed = try Zlib.gzip(raw.base, raw.count)
    let back = try Zlib.gunzip(packed.base, packed.count, limit: 50_000, name: "sample")
    let isSame = back.array == raw.array
    #expect(isSame)
  }
}

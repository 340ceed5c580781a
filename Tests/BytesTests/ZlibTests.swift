// What zlib made comes back; what is damaged, cut short or makes too much is refused.

import Bytes
import Core
import Testing

/// Bytes with structure, so that they compress but not to nothing.
private func sample(_ count: Int) throws -> Buffer<UInt8> {
  let bytes = try Buffer<UInt8>(count: count)
  var state: UInt32 = 7
  for index in 0..<count {
    state = state &* 1_664_525 &+ 1_013_904_223
    bytes[index] = index % 3 == 0 ? UInt8(state >> 28) : UInt8(truncatingIfNeeded: index >> 6)
  }
  return bytes
}

@Test("what was deflated inflates to the same bytes", arguments: [0, 1, 100, 65_536, 300_001])
func deflateInflate(count: Int) throws {
  let raw = try sample(count)
  let packed = try Zlib.deflate(raw.base, raw.count)
  let back = try Zlib.inflate(packed.base, packed.count, rawCount: count, name: "sample")
  #expect(back.array == raw.array)
}

@Test("a stream that makes more or fewer bytes than declared is refused")
func inflateMeetsItsCount() throws {
  let raw = try sample(1000)
  let packed = try Zlib.deflate(raw.base, raw.count)
  for count in [0, 1, 999, 1001, 5000] {
    let error = failure { () throws(AEError) in
      _ = try Zlib.inflate(packed.base, packed.count, rawCount: count, name: "sample")
    }
    #expect(error?.code == .format, "\(count)")
    #expect(error?.message.contains("\(count)") == true)
  }
}

@Test("a size that no stream of that length can make is refused before memory is taken")
func inflateRefusesImpossibleSizes() throws {
  let packed = try Zlib.deflate(try sample(10).base, 10)
  for count in [1 << 20, 1 << 62, .max, -1] {
    let error = failure { () throws(AEError) in
      _ = try Zlib.inflate(packed.base, packed.count, rawCount: count, name: "sample")
    }
    #expect(error?.code == .format)
  }
}

@Test("every truncation and trailing bytes are refused")
func inflateRefusesTruncation() throws {
  let raw = try sample(300)
  let packed = try Zlib.deflate(raw.base, raw.count)
  for count in 0..<packed.count {
    let error = failure { () throws(AEError) in
      _ = try Zlib.inflate(packed.base, count, rawCount: 300, name: "sample")
    }
    #expect(error?.code == .format)
  }
  let longer = try Buffer<UInt8>(packed.array + [0])
  let error = failure { () throws(AEError) in
    _ = try Zlib.inflate(longer.base, longer.count, rawCount: 300, name: "sample")
  }
  #expect(error?.message == "sample: 1 bytes follow the end of the compressed bytes")
}

@Test("a bomb stops at the bytes that were declared")
func inflateStopsBombs() throws {
  let zeros = try Buffer<UInt8>(count: 1 << 24)
  let packed = try Zlib.deflate(zeros.base, zeros.count)
  let error = failure { () throws(AEError) in
    _ = try Zlib.inflate(packed.base, packed.count, rawCount: 1000, name: "bomb")
  }
  #expect(error?.message == "bomb: the compressed bytes make more than the 1000 declared")
}

/// `gzip -9n` of "hello\n".
private let hello: [UInt8] = [
  0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 0x02, 0x00,
  0x20, 0x30, 0x3a, 0x36, 0x06, 0x00, 0x00, 0x00,
]

@Test("gzip files are read, members joined, the limit kept")
func gunzipReads() throws {
  #expect(Zlib.isGzip(hello, hello.count))
  #expect(try Zlib.gunzip(hello, hello.count, limit: 6, name: "hello").array == Array("hello\n".utf8))
  let twice = hello + hello
  #expect(
    try Zlib.gunzip(twice, twice.count, limit: 100, name: "hello").array == Array("hello\nhello\n".utf8))
  let error = failure { () throws(AEError) in
    _ = try Zlib.gunzip(twice, twice.count, limit: 11, name: "hello")
  }
  #expect(error?.message == "hello: the compressed bytes make more than 11 bytes")
}

@Test("padding, empty members and members of any size are read, whole or in pieces of any size")
func gunzipMembers() throws {
  let empty = try Zlib.gzip(hello, 0).array
  let cases = [
    hello + [UInt8](repeating: 0, count: 1000), empty + hello, hello + empty, empty + hello + empty + [0],
  ]
  for bytes in cases {
    #expect(try Zlib.gunzip(bytes, bytes.count, limit: 6, name: "x").array == Array("hello\n".utf8))
    for piece in [1, 2, 7, 64] {
      let gunzip = try Gunzip(name: "x")
      let (input, out) = (try Buffer<UInt8>(bytes), try Buffer<UInt8>(count: 20))
      var (taken, made) = (0, 0)
      while taken < bytes.count {
        let step = try gunzip.inflate(
          input.base + taken, min(piece, bytes.count - taken), into: out.base + made, min(piece, 20 - made))
        taken += step.taken
        made += step.made
      }
      try gunzip.end()
      #expect(out.array.prefix(made) == Array("hello\n".utf8)[...])
    }
  }
}

@Test("what makes nothing does not go on for ever")
func gunzipEnds() throws {
  let zeros = try Buffer<UInt8>(count: Gunzip.largestIdleCount + 2)
  let bytes = try Buffer<UInt8>(count: hello.count + zeros.count)
  bytes.base.update(from: hello, count: hello.count)
  let error = failure { () throws(AEError) in
    _ = try Zlib.gunzip(bytes.base, bytes.count, limit: 100, name: "x")
  }
  #expect(error?.message.hasPrefix("x: 16777216 compressed bytes in a row make nothing") == true)
}

@Test("damaged, truncated and trailed gzip files are refused")
func gunzipRefuses() {
  for count in 0..<hello.count {
    let error = failure { () throws(AEError) in
      _ = try Zlib.gunzip(hello, count, limit: 100, name: "hello")
    }
    #expect(error?.code == .format, "\(count)")
  }
  for bad in [
    hello + [0x01], hello + [0x1f], hello + [0x00, 0x01],
    hello.enumerated().map { $0.offset == 19 ? 0 : $0.element },
  ] {
    let error = failure { () throws(AEError) in
      _ = try Zlib.gunzip(bad, bad.count, limit: 100, name: "hello")
    }
    #expect(error?.code == .format)
  }
}

@Test("what was gzipped comes back, the same bytes every time", arguments: [0, 1, 300_001])
func gzipGunzip(count: Int) throws {
  let raw = try sample(count)
  let packed = try Zlib.gzip(raw.base, raw.count)
  #expect(Zlib.isGzip(packed.base, packed.count))
  #expect(try Zlib.gunzip(packed.base, packed.count, limit: count, name: "sample").array == raw.array)
  #expect(try Zlib.gzip(raw.base, raw.count).array == packed.array)
}

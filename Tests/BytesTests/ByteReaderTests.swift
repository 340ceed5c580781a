// Numbers out of memory and into it: the reader refuses what is not there and says where.

import Bytes
import Core
import Testing

/// The error that `body` throws, or nil.
func failure(_ body: () throws(AEError) -> Void) -> AEError? {
  do {
    try body()
    return nil
  } catch {
    return error
  }
}

@Test("what a writer wrote, a reader reads, in little-endian order")
func readerReadsWhatWriterWrote() throws {
  let writer = ByteWriter()
  try writer.u8(0x01)
  try writer.u16(0x0203)
  try writer.u32(0x0405_0607)
  try writer.u64(0x0809_0a0b_0c0d_0e0f)
  try writer.i32(-2)
  try writer.f32(-1.5)
  try writer.u32be(0x1011_1213)
  try writer.utf8("é0")
  writer.patchU32(0x2425_2627, at: 3)
  let bytes = try writer.finish()
  #expect(writer.count == 0)
  #expect(bytes.array.prefix(7) == [0x01, 0x03, 0x02, 0x27, 0x26, 0x25, 0x24])

  var reader = ByteReader(bytes.base, count: bytes.count, name: "numbers")
  #expect(try reader.u8() == 0x01)
  #expect(try reader.u16() == 0x0203)
  #expect(try reader.u32() == 0x2425_2627)
  #expect(try reader.u64() == 0x0809_0a0b_0c0d_0e0f)
  #expect(try reader.i32() == -2)
  #expect(try reader.f32() == -1.5)
  #expect(try reader.u32be() == 0x1011_1213)
  #expect(try reader.string(3) == "é0")
  #expect(reader.remaining == 0)
}

@Test("a reader refuses bytes beyond the end, and negative counts, and stays where it was")
func readerStaysInside() throws {
  let bytes = try Buffer<UInt8>([1, 2, 3, 4, 5])
  var reader = ByteReader(bytes.base, count: 5, name: "five", origin: 100)
  _ = try reader.u16()
  let error = failure { () throws(AEError) in _ = try reader.u32() }
  #expect(error?.code == .format)
  #expect(error?.message == "five: 4 bytes expected, 3 follow (byte 102)")
  #expect(reader.offset == 2)
  #expect(failure { () throws(AEError) in _ = try reader.bytes(-1) }?.code == .format)
  #expect(failure { () throws(AEError) in _ = try reader.bytes(.max) }?.code == .format)
  #expect(failure { () throws(AEError) in _ = try reader.bytes(.min) }?.code == .format)
  #expect(failure { () throws(AEError) in try reader.seek(to: 6) }?.code == .format)
  try reader.seek(to: 5)
  #expect(reader.remaining == 0)
}

@Test("a declared size beyond its limit is refused, up to 2^64 - 1")
func sizesAreBounded() throws {
  let writer = ByteWriter()
  for value in [UInt64(10), 11, 1 << 63, .max] { try writer.u64(value) }
  let bytes = try writer.finish()
  var reader = ByteReader(bytes.base, count: bytes.count, name: "sizes")
  #expect(try reader.size("size", limit: 10) == 10)
  for value in ["11", "9223372036854775808", "18446744073709551615"] {
    let error = failure { () throws(AEError) in _ = try reader.size("size", limit: 10) }
    #expect(error?.message.contains("size must be at most 10, not \(value)") == true)
    _ = try reader.bytes(8)
  }
}

@Test("text that is not well-formed UTF-8, or holds NUL, is refused at the byte that is wrong")
func textIsValidated() throws {
  let good: [[UInt8]] = [
    [], [0x41], Array("äöü€😀\u{10FFFF}\u{D7FF}\u{E000}\u{800}\u{10000}".utf8),
  ]
  for bytes in good {
    #expect(bytes.withUnsafeBufferPointer { UTF8Text.firstInvalid($0) } == nil)
  }
  let bad: [(bytes: [UInt8], at: Int)] = [
    ([0x41, 0x00], 1), ([0x80], 0), ([0xC0, 0x80], 0), ([0xC1, 0xBF], 0), ([0xE0, 0x9F, 0xBF], 0),
    ([0xED, 0xA0, 0x80], 0), ([0xF0, 0x8F, 0xBF, 0xBF], 0), ([0xF4, 0x90, 0x80, 0x80], 0), ([0xF5], 0),
    ([0x41, 0xC3], 1), ([0xE2, 0x82], 0), ([0xE2, 0x82, 0x41], 0), ([0x41, 0x42, 0xFF], 2),
  ]
  for (bytes, at) in bad {
    #expect(bytes.withUnsafeBufferPointer { UTF8Text.firstInvalid($0) } == at, "\(bytes)")
    let buffer = try Buffer<UInt8>(bytes)
    var reader = ByteReader(buffer.base, count: buffer.count, name: "text")
    let error = failure { () throws(AEError) in _ = try reader.string(buffer.count) }
    #expect(error?.message == "text: text is not UTF-8 without NUL (byte \(at))")
  }
}

@Test("a writer of nothing finishes as no bytes")
func emptyWriter() throws {
  let writer = ByteWriter()
  #expect(try writer.zeros(0) == 0)
  #expect(try writer.finish().count == 0)
  #expect(failure { () throws(AEError) in try writer.reserve(.max) }?.code == .memory)
}

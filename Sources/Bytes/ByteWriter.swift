// Writing numbers into memory that grows and may be refused: the counterpart of ByteReader.

import Core

/// Bytes appended one after the other, little-endian.
///
/// - Note: every append throws `.memory` if the memory it needs is refused, and then has added nothing.
public final class ByteWriter {
  /// Bytes written so far.
  public private(set) var count = 0
  private var memory: Buffer<UInt8>?

  public init() {}

  /// The first byte written; valid until the next append.
  public var base: UnsafeMutablePointer<UInt8> {
    if let memory { return memory.base }
    return UnsafeMutablePointer(bitPattern: 64).unsafelyUnwrapped
  }

  /// Makes room for `extra` bytes beyond `count`.
  public func reserve(_ extra: Int) throws(AEError) {
    let capacity = memory?.count ?? 0
    guard let needed = count.plus(max(extra, 0)) else {
      throw AEError(.memory, "\(count) bytes cannot grow by \(extra)")
    }
    guard needed > capacity else { return }
    let larger = try Buffer<UInt8>(count: max(needed, capacity < Int.max / 2 ? 2 * capacity : needed, 256))
    if let memory { larger.base.update(from: memory.base, count: count) }
    memory = larger
  }

  public func bytes(_ p: UnsafePointer<UInt8>, _ count: Int) throws(AEError) {
    guard count > 0 else { return }
    try reserve(count)
    (base + self.count).update(from: p, count: count)
    self.count += count
  }

  public func bytes(_ buffer: Buffer<UInt8>) throws(AEError) { try bytes(buffer.base, buffer.count) }

  /// Appends `count` zeros, to be filled through `base`, and returns where they begin.
  @inline(never)
  public func zeros(_ count: Int) throws(AEError) -> Int {
    let start = self.count
    guard count > 0 else { return start }
    try reserve(count)
    (base + start).update(repeating: 0, count: count)
    self.count += count
    return start
  }

  public func u8(_ value: UInt8) throws(AEError) {
    try reserve(1)
    base[count] = value
    count += 1
  }

  @inline(never)
  public func u16(_ value: UInt16) throws(AEError) {
    try reserve(2)
    UnsafeMutableRawPointer(base + count).storeBytes(of: value.littleEndian, as: UInt16.self)
    count += 2
  }

  public func u32(_ value: UInt32) throws(AEError) {
    try reserve(4)
    UnsafeMutableRawPointer(base + count).storeBytes(of: value.littleEndian, as: UInt32.self)
    count += 4
  }

  @inline(never)
  public func u64(_ value: UInt64) throws(AEError) {
    try reserve(8)
    UnsafeMutableRawPointer(base + count).storeBytes(of: value.littleEndian, as: UInt64.self)
    count += 8
  }

  public func i32(_ value: Int32) throws(AEError) { try u32(UInt32(bitPattern: value)) }

  public func f32(_ value: Float) throws(AEError) { try u32(value.bitPattern) }

  /// Big-endian, as in IDX files.
  public func u32be(_ value: UInt32) throws(AEError) { try u32(value.byteSwapped) }

  /// The text's UTF-8 bytes, without length or terminator.
  @inline(never)
  public func utf8(_ text: String) throws(AEError) {
    for byte in UTF8Text.bytes(text) { try u8(byte) }
  }

  /// Replaces four bytes that have been written before.
  @inline(never)
  public func patchU32(_ value: UInt32, at position: Int) {
    precondition(position >= 0 && position <= count - 4)
    UnsafeMutableRawPointer(base + position).storeBytes(of: value.littleEndian, as: UInt32.self)
  }

  /// Replaces eight bytes that have been written before.
  @inline(never)
  public func patchU64(_ value: UInt64, at position: Int) {
    precondition(position >= 0 && position <= count - 8)
    UnsafeMutableRawPointer(base + position).storeBytes(of: value.littleEndian, as: UInt64.self)
  }

  /// What was written, in memory of just that size. The writer is empty afterwards.
  @inline(never)
  public func finish() throws(AEError) -> Buffer<UInt8> {
    let result: Buffer<UInt8>
    if let memory, memory.count == count {
      result = memory
    } else {
      result = try Buffer(copying: base, count: count)
    }
    memory = nil
    count = 0
    return result
  }
}

// Reading numbers from untrusted memory. Every format of the project is parsed with this one type, so that no reader can
// leave its bytes and every error says at which byte.

import Core

/// A position in borrowed memory; little-endian unless a name says otherwise.
///
/// Nothing outside the memory is ever read: what would be is a `.format` error that names the file, what
/// was expected, what is left, and the byte. After an error the position is where it was.
public struct ByteReader {
  /// What is read, for messages: "weights file", or a path.
  public let name: String
  /// Bytes before the position.
  public private(set) var offset: Int
  private let base: UnsafePointer<UInt8>
  private let count: Int
  private let origin: Int

  /// A reader of `count` bytes, at their start. The memory must outlive the reader.
  ///
  /// - Parameter origin: where in the named file the memory begins, added to offsets in messages.
  public init(_ base: UnsafePointer<UInt8>, count: Int, name: String, origin: Int = 0) {
    self.base = base
    self.count = max(count, 0)
    self.name = name
    self.origin = origin
    offset = 0
  }

  /// Bytes from the position to the end.
  public var remaining: Int { count - offset }

  /// A `.format` error at the position: "name: message (byte offset)".
  public func fail(_ message: consuming Message) -> AEError { fail(.format, message) }

  /// An error at the position: "name: message (byte offset)".
  public func fail(_ code: AEError.Code, _ message: consuming Message) -> AEError {
    let text = message.take()
    return AEError(code, "\(name): \(text) (byte \(origin &+ offset))")
  }

  /// Moves over `count` bytes and points at them.
  @inline(never)
  public mutating func bytes(_ count: Int) throws(AEError) -> UnsafePointer<UInt8> {
    guard count >= 0, count <= remaining else {
      throw fail("\(count) bytes expected, \(remaining) follow")
    }
    let start = base + offset
    offset += count
    return start
  }

  /// Moves to a byte counted from the start.
  @inline(never)
  public mutating func seek(to position: Int) throws(AEError) {
    guard position >= 0, position <= count else {
      throw fail("byte \(position) is asked for, there are \(count)")
    }
    offset = position
  }

  @inline(never)
  public mutating func u8() throws(AEError) -> UInt8 { try bytes(1).pointee }

  @inline(never)
  public mutating func u16() throws(AEError) -> UInt16 {
    UInt16(littleEndian: UnsafeRawPointer(try bytes(2)).loadUnaligned(as: UInt16.self))
  }

  @inline(never)
  public mutating func u32() throws(AEError) -> UInt32 {
    UInt32(littleEndian: UnsafeRawPointer(try bytes(4)).loadUnaligned(as: UInt32.self))
  }

  @inline(never)
  public mutating func u64() throws(AEError) -> UInt64 {
    UInt64(littleEndian: UnsafeRawPointer(try bytes(8)).loadUnaligned(as: UInt64.self))
  }

  public mutating func i32() throws(AEError) -> Int32 { Int32(bitPattern: try u32()) }

  /// A float as its bits; NaN and infinity come through, for the caller to judge.
  public mutating func f32() throws(AEError) -> Float { Float(bitPattern: try u32()) }

  /// Big-endian, as in IDX files.
  @inline(never)
  public mutating func u32be() throws(AEError) -> UInt32 {
    UInt32(bigEndian: UnsafeRawPointer(try bytes(4)).loadUnaligned(as: UInt32.self))
  }

  /// A size or count of 64 bits that must not exceed `limit`.
  @inline(never)
  public mutating func size(_ what: StaticString, limit: Int) throws(AEError) -> Int {
    let value = try u64()
    guard value <= UInt64(max(limit, 0)) else {
      offset -= 8
      throw fail("\(what) must be at most \(limit), not \(value)")
    }
    return Int(value)
  }

  /// Text of `count` bytes, at most 65536, of valid UTF-8 without NUL (which would cut it short in C).
  @inline(never)
  public mutating func string(_ count: Int) throws(AEError) -> String {
    guard count <= 65536 else { throw fail("a text of \(count) bytes is too long") }
    let start = offset
    let text = UnsafeBufferPointer(start: try bytes(count), count: count)
    if let bad = UTF8Text.firstInvalid(text) {
      offset = start + bad
      let error = fail("text is not UTF-8 without NUL")
      offset = start
      throw error
    }
    return UTF8Text.string(text)
  }
}

// Text as UTF-8, both ways. The standard library's conversions bring strings of Objective-C, breadcrumbs and
// repair with them, some 10 KB of libae.so; here text is bytes that are valid or made so.

import CSystem

/// Text and its bytes. Conversions are calls, not expanded in place.
public enum UTF8Text {
  /// Text of bytes up to the first NUL. What is not UTF-8 becomes U+FFFD, byte for byte.
  @inline(never)
  public static func string(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    var text: [CChar] = []
    text.reserveCapacity(bytes.count + 1)
    var index = 0
    while index < bytes.count {
      let rest = UnsafeBufferPointer(rebasing: bytes[index...])
      let valid = firstInvalid(rest) ?? rest.count
      for byte in rest[..<valid] { text.append(CChar(bitPattern: byte)) }
      index += valid
      guard index < bytes.count, bytes[index] != 0 else { break }
      for byte in [0xEF, 0xBF, 0xBD] as [UInt8] { text.append(CChar(bitPattern: byte)) }
      index += 1
    }
    text.append(0)
    return text.withUnsafeBufferPointer { String(validatingCString: $0.baseAddress.unsafelyUnwrapped) ?? "" }
  }

  @inline(never)
  public static func string(_ bytes: [UInt8]) -> String { bytes.withUnsafeBufferPointer { string($0) } }

  /// Text of NUL-terminated bytes.
  @inline(never)
  public static func string(_ cString: UnsafePointer<CChar>) -> String {
    var count = 0
    while cString[count] != 0 { count += 1 }
    let bytes = UnsafeRawPointer(cString).assumingMemoryBound(to: UInt8.self)
    return string(UnsafeBufferPointer(start: bytes, count: count))
  }

  /// The text's bytes, without a terminator. Every `String` of this project is a native one, whose storage is UTF-8.
  @inline(never)
  public static func bytes(_ text: String) -> [UInt8] {
    text.utf8.withContiguousStorageIfAvailable { Array($0) } ?? []
  }

  /// Whether a text has just these bytes. Comparing strings brings Unicode's tables of normalisation, 25 KB of a library.
  @inline(never)
  public static func equal(_ text: String, _ word: StaticString) -> Bool {
    let bytes = bytes(text)
    guard bytes.count == word.utf8CodeUnitCount else { return false }
    for (index, byte) in bytes.enumerated() where word.utf8Start[index] != byte { return false }
    return true
  }

  /// How many bytes the text has.
  @inline(never)
  public static func count(_ text: String) -> Int {
    text.utf8.withContiguousStorageIfAvailable { $0.count } ?? 0
  }

  /// The index of the first byte that is NUL or not part of a well-formed sequence (Unicode 15, table 3-7).
  public static func firstInvalid(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
    var index = 0
    while index < text.count {
      let lead = text[index]
      var length = 1
      var second: ClosedRange<UInt8> = 0x80...0xBF
      switch lead {
      case 0x01...0x7F: length = 1
      case 0xC2...0xDF: length = 2
      case 0xE0: (length, second) = (3, 0xA0...0xBF)
      case 0xED: (length, second) = (3, 0x80...0x9F)
      case 0xE1...0xEF: length = 3
      case 0xF0: (length, second) = (4, 0x90...0xBF)
      case 0xF4: (length, second) = (4, 0x80...0x8F)
      case 0xF1...0xF3: length = 4
      default: return index
      }
      guard index + length <= text.count else { return index }
      if length > 1 {
        guard second.contains(text[index + 1]) else { return index }
        for next in 2..<length where text[index + next] & 0xC0 != 0x80 { return index }
      }
      index += length
    }
    return nil
  }
}

// Names of files are bytes, and text is UTF-8. Here a name of any bytes becomes text and goes back to the same
// bytes, so that all between the command line and the system's calls can hold names as text. Every call that
// takes a path gets its bytes here.

import Core

/// Names of files as text.
///
/// A byte that is not part of UTF-8 becomes a character of its own: 0x80 ... 0xFF are U+10FF80 ... U+10FFFF, the end
/// of a private area. So does each byte of such a character where a name really holds one, so that two names of
/// different bytes are different texts.
public enum FileName {
  /// The text that stands for a name's bytes, which end at the first NUL.
  @inline(never)
  public static func text(_ name: UnsafeBufferPointer<UInt8>) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(name.count)
    var valid = UTF8Text.firstInvalid(name) ?? name.count
    var index = 0
    while index < name.count, name[index] != 0 {
      if index == valid {
        append(escaped: name[index], to: &text)
        index += 1
        valid =
          index + (UTF8Text.firstInvalid(UnsafeBufferPointer(rebasing: name[index...])) ?? name.count - index)
      } else if isEscape(name, index) {
        for byte in name[index..<index + 4] { append(escaped: byte, to: &text) }
        index += 4
      } else {
        text.append(name[index])
        index += 1
      }
    }
    return UTF8Text.string(text)
  }

  /// The text that stands for a NUL-terminated name.
  @inline(never)
  public static func text(_ name: UnsafePointer<CChar>) -> String {
    var count = 0
    while name[count] != 0 { count += 1 }
    let bytes = UnsafeRawPointer(name).assumingMemoryBound(to: UInt8.self)
    return text(UnsafeBufferPointer(start: bytes, count: count))
  }

  /// The bytes of the name that a text stands for, without a terminator.
  @inline(never)
  public static func bytes(_ text: String) -> [UInt8] {
    let from = UTF8Text.bytes(text)
    return from.withUnsafeBufferPointer { from in
      var name: [UInt8] = []
      name.reserveCapacity(from.count + 1)
      var index = 0
      while index < from.count {
        if isEscape(from, index) {
          name.append(byte(from, index))
          index += 4
        } else {
          name.append(from[index])
          index += 1
        }
      }
      return name
    }
  }

  /// Calls `body` with the name as the system takes it: its bytes and a NUL. A text with a NUL in it, which no
  /// argument and no folder can hold, stands for no name; it ends there.
  @inline(never)
  public static func withCString<Result>(_ text: String, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    var name = bytes(text)
    name.append(0)
    return name.withUnsafeBytes { body($0.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self)) }
  }

  /// The name itself where its bytes are UTF-8, for files that hold names as such; nil where they are not.
  @inline(never)
  public static func utf8(_ text: String) -> String? {
    let name = bytes(text)
    let isValid = name.withUnsafeBufferPointer { UTF8Text.firstInvalid($0) == nil }
    return isValid ? UTF8Text.string(name) : nil
  }

  /// U+10FF80 ... U+10FFFF are F4 8F BE 80 ... F4 8F BF BF.
  private static func append(escaped byte: UInt8, to text: inout [UInt8]) {
    text.append(0xF4)
    text.append(0x8F)
    text.append(byte < 0xC0 ? 0xBE : 0xBF)
    text.append(byte & 0x3F | 0x80)
  }

  /// Whether a character that stands for a byte begins here, in valid UTF-8.
  static func isEscape(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Bool {
    text[index] == 0xF4 && index + 3 < text.count && text[index + 1] == 0x8F && text[index + 2] >= 0xBE
  }

  /// The byte that the character stands for.
  static func byte(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> UInt8 {
    (text[index + 2] & 1) << 6 | text[index + 3]
  }
}

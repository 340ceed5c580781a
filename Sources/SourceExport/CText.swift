// Text of C: templates, arrays of numbers, floats that read back exactly. Without string interpolation, which embedded
// Swift expands in place.

import Bytes
import Core

/// C source under way. In templates, @ is the prefix of every name, $ the next number, ` the `word` and ^ the `type`, none of
/// which occurs in the C that they write.
final class CText {
  private let writer = ByteWriter()
  private let prefix: [UInt8]
  // Properties: as arguments they would be set up at each of many calls, as an array of numbers would be made.
  var word: StaticString = ""
  var type: StaticString = ""

  init(prefix: [UInt8]) { self.prefix = prefix }

  @inline(never)
  func put(
    _ template: StaticString, _ number0: Int = 0, _ number1: Int = 0, _ number2: Int = 0, _ number3: Int = 0
  ) throws(AEError) {
    let base = template.utf8Start
    let count = template.utf8CodeUnitCount
    var first = 0
    var next = 0
    for index in 0...count {
      let byte = index < count ? base[index] : 0
      guard index == count || byte == 0x40 || byte == 0x24 || byte == 0x60 || byte == 0x5E else { continue }
      try writer.bytes(base + first, index - first)
      first = index + 1
      switch byte {
      case 0x40: try put(bytes: prefix)
      case 0x24:
        try put(number: next == 0 ? number0 : next == 1 ? number1 : next == 2 ? number2 : number3)
        next += 1
      case 0x60: try writer.bytes(word.utf8Start, word.utf8CodeUnitCount)
      case 0x5E: try writer.bytes(type.utf8Start, type.utf8CodeUnitCount)
      default: break
      }
    }
  }

  @inline(never)
  func put(bytes: [UInt8]) throws(AEError) {
    for byte in bytes { try writer.u8(byte) }
  }

  /// Text that stands in a comment: letters, digits, and what neither ends a comment nor begins one.
  func put(comment text: String) throws(AEError) {
    for byte in UTF8Text.bytes(text) {
      let isPlain =
        (0x20...0x7E).contains(byte) && byte != 0x2A && byte != 0x2F && byte != 0x5C && byte != 0x3F
      try writer.u8(isPlain ? byte : 0x2E)
    }
  }

  @inline(never)
  private func put(number: Int) throws(AEError) {
    try writer.reserve(20)
    if number < 0 { try writer.u8(0x2D) }
    var rest = number.magnitude
    let first = writer.count
    repeat {
      try writer.u8(0x30 + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    var (low, high) = (first, writer.count - 1)
    while low < high {
      let digit = writer.base[low]
      writer.base[low] = writer.base[high]
      writer.base[high] = digit
      (low, high) = (low + 1, high - 1)
    }
  }

  /// A number with commas between thousands.
  func put(grouped number: Int) throws(AEError) {
    guard number >= 1000 else { return try put(number: number) }
    try put(grouped: number / 1000)
    try writer.u8(0x2C)
    for divisor in [100, 10, 1] { try writer.u8(0x30 + UInt8(number / divisor % 10)) }
  }

  /// A finite float in hexadecimal, which is exact.
  private func put(float: Float) throws(AEError) {
    let bits = float.bitPattern
    let exponent = Int(bits >> 23 & 255)
    let mantissa = (bits & 0x7F_FFFF) << 1
    if bits >> 31 != 0 { try put("-") }
    try put("0x$.", exponent == 0 ? 0 : 1)
    for shift in [UInt32(20), 16, 12, 8, 4, 0] {
      let digit = UInt8(mantissa >> shift & 15)
      try writer.u8(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
    try put("p$f", exponent == 0 ? -126 : exponent - 127)
  }

  /// The elements of an array after its head, some a line, and its end.
  @inline(never)
  func put(count: Int, _ element: (Int) -> Int) throws(AEError) {
    for index in 0..<count {
      try put(number: element(index))
      try end(index, of: count)
    }
    try put("};\n")
  }

  func put(floats: [Float]) throws(AEError) {
    for index in 0..<floats.count {
      try put(float: floats[index])
      try end(index, of: floats.count)
    }
    try put("};\n")
  }

  private func end(_ index: Int, of count: Int) throws(AEError) {
    try writer.u8(0x2C)
    if index % 24 == 23 && index < count - 1 { try writer.u8(0x0A) }
  }

  func finish() throws(AEError) -> Buffer<UInt8> { try writer.finish() }

  /// The most bytes that an array of integers takes, its head counted.
  static func bound(_ count: Int, digits: Int, prefix: Int) -> Int {
    count * (digits + 1) + count / 24 + 80 + prefix
  }
}

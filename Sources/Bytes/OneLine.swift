// Messages quote names and texts that anyone may have chosen. Here a text becomes one line that a terminal shows
// and does not obey: what controls, reorders or hides is spelled out.

import Core

/// The text with everything spelled out that is not to be seen as it is.
///
/// Control characters, and bytes of names that are not UTF-8 (see `FileName`), become \xE9; separators of lines and
/// paragraphs, C1 controls and format characters, such as those that turn the direction of writing, \u{202E}. All
/// else stays, a backslash, too.
@inline(never)
public func oneLine(_ text: String) -> String {
  let bytes = UTF8Text.bytes(text)
  return bytes.withUnsafeBufferPointer { from in
    var line: [UInt8] = []
    line.reserveCapacity(from.count)
    var index = 0
    while index < from.count {
      let (scalar, size) = scalar(from, index)
      if FileName.isEscape(from, index) {
        append(hex: UInt32(FileName.byte(from, index)), "\\x", digits: 2, "", to: &line)
      } else if scalar < 0x20 || scalar == 0x7F {
        append(hex: scalar, "\\x", digits: 2, "", to: &line)
      } else if isUnseen(scalar) {
        append(hex: scalar, "\\u{", digits: 1, "}", to: &line)
      } else {
        for byte in from[index..<index + size] { line.append(byte) }
      }
      index += size
    }
    return UTF8Text.string(line)
  }
}

/// The character that begins at a byte of valid UTF-8, and how many bytes it takes.
private func scalar(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> (UInt32, Int) {
  let lead = UInt32(text[index])
  let size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
  guard size > 1, index + size <= text.count else { return (lead, 1) }
  var scalar = lead & (0x7F >> UInt32(size))
  for next in 1..<size { scalar = scalar << 6 | UInt32(text[index + next] & 0x3F) }
  return (scalar, size)
}

/// C1 controls, line and paragraph separators, and the format characters of Unicode 15 (category Cf).
private func isUnseen(_ scalar: UInt32) -> Bool {
  switch scalar {
  case 0x80...0x9F, 0xAD, 0x600...0x605, 0x61C, 0x6DD, 0x70F, 0x890...0x891, 0x8E2, 0x180E, 0x200B...0x200F,
    0x2028...0x202E, 0x2060...0x2064, 0x2066...0x206F, 0xFEFF, 0xFFF9...0xFFFB, 0x110BD, 0x110CD,
    0x13430...0x1343F,
    0x1BCA0...0x1BCA3, 0x1D173...0x1D17A, 0xE0000...0xE007F:
    return true
  default: return false
  }
}

private func append(
  hex value: UInt32, _ before: StaticString, digits: Int, _ after: StaticString, to line: inout [UInt8]
) {
  for byte in UnsafeBufferPointer(start: before.utf8Start, count: before.utf8CodeUnitCount) {
    line.append(byte)
  }
  var shift = UInt32(28)
  while shift > 0, value >> shift == 0, shift >= UInt32(4 * digits) { shift -= 4 }
  while true {
    let digit = UInt8(truncatingIfNeeded: value >> shift & 15)
    line.append(digit < 10 ? 0x30 + digit : 0x41 + digit - 10)
    if shift == 0 { break }
    shift -= 4
  }
  for byte in UnsafeBufferPointer(start: after.utf8Start, count: after.utf8CodeUnitCount) {
    line.append(byte)
  }
}

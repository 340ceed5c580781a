// Numbers and words between text and values. Its own file because neither the standard library's conversions nor
// libc's do here: those are not in embedded Swift, these follow the host's locale.

import CSystem
import Core

enum NumberText {
  /// A whole number of digits alone, below 2^64.
  static func integer(_ text: String) -> UInt64? {
    let bytes = UTF8Text.bytes(text)
    guard !bytes.isEmpty, bytes.count <= 20 else { return nil }
    var value: UInt64 = 0
    for byte in bytes {
      guard (48...57).contains(byte) else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 48))
      guard !overflow, !carry else { return nil }
      value = sum
    }
    return value
  }

  /// Whole numbers separated by commas.
  static func integers(_ text: String) -> [Int]? {
    var values: [Int] = []
    var value = -1
    for byte in UTF8Text.bytes(text) {
      if byte == 44 {
        guard value >= 0 else { return nil }
        values.append(value)
        value = -1
      } else {
        guard (48...57).contains(byte), value < 1 << 40 else { return nil }
        value = max(value, 0) * 10 + Int(byte - 48)
      }
    }
    guard value >= 0 else { return nil }
    values.append(value)
    return values
  }

  /// A finite number as C writes it, with a point in every locale.
  static func number(_ text: String) -> Double? {
    var bytes = UTF8Text.bytes(text)
    guard !bytes.isEmpty, bytes.count <= 64 else { return nil }
    bytes.append(0)
    var value = 0.0
    let isNumber = bytes.withUnsafeBytes {
      cs_parse_number($0.baseAddress?.assumingMemoryBound(to: CChar.self), &value) != 0
    }
    return isNumber && value.isFinite ? value : nil
  }

  /// The fewest digits that `number` makes the same number of.
  static func shortest(_ value: Double) -> String {
    var bytes = [UInt8](repeating: 0, count: 32)
    bytes.withUnsafeMutableBytes {
      cs_print_number(value, $0.baseAddress?.assumingMemoryBound(to: CChar.self))
    }
    return UTF8Text.string(bytes)
  }

  static func equal(_ word: StaticString, _ text: String) -> Bool { UTF8Text.equal(text, word) }
}

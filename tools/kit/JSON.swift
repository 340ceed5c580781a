// JSON as the programs write it: objects keep their order, infinities and NaN are null, and bytes of names that are not
// UTF-8 are spelled \\xE9.

import Bytes

/// A JSON value.
package enum JSON {
  case null
  case bool(Bool)
  case int(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([(key: String, value: JSON)])

  /// The value, or null.
  package static func optional(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }

  /// On several lines, two spaces a level.
  package var text: String {
    var result = ""
    write(into: &result, indent: 0)
    return result
  }

  private func write(into text: inout String, indent: Int) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .int(let value): text += "\(value)"
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .string(let value): JSON.quote(value, into: &text)
    case .array(let values):
      JSON.write(values.map { (nil, $0) }, "[", "]", into: &text, indent: indent)
    case .object(let pairs):
      JSON.write(pairs.map { ($0.key, $0.value) }, "{", "}", into: &text, indent: indent)
    }
  }

  private static func write(
    _ items: [(String?, JSON)], _ open: String, _ close: String, into text: inout String, indent: Int
  ) {
    guard !items.isEmpty else {
      text += open + close
      return
    }
    text += open
    for (index, item) in items.enumerated() {
      text += index == 0 ? "\n" : ",\n"
      text += String(repeating: " ", count: indent + 2)
      if let key = item.0 {
        quote(key, into: &text)
        text += ": "
      }
      item.1.write(into: &text, indent: indent + 2)
    }
    text += "\n" + String(repeating: " ", count: indent) + close
  }

  private static func quote(_ value: String, into text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case "\r": text += "\\r"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      case "\u{10FF80}"..."\u{10FFFF}": text += "\\" + oneLine(String(scalar))
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

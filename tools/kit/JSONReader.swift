// JSON as the programs read it: what they have written themselves, kept between runs. RFC 8259 without surrogates
// beyond those that are paired.

import Core
import Glibc

extension JSON {
  /// Reads one value.
  /// - Throws: `.format` with the byte at which it ceases to be JSON.
  package init(parsing bytes: UnsafeBufferPointer<UInt8>, name: String) throws(AEError) {
    var reader = JSONReader(bytes: bytes, name: name)
    self = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.position == bytes.count else { throw reader.failure("the end") }
  }

  /// The value of a key of an object; null if there is none.
  package subscript(key: String) -> JSON {
    guard case .object(let pairs) = self else { return .null }
    return pairs.first { $0.key == key }?.value ?? .null
  }

  package var items: [JSON] {
    if case .array(let values) = self { return values }
    return []
  }

  package var pairs: [(key: String, value: JSON)] {
    if case .object(let pairs) = self { return pairs }
    return []
  }

  /// The number; not a number for what is none.
  package var double: Double {
    switch self {
    case .int(let value): return Double(value)
    case .number(let value): return value
    default: return .nan
    }
  }

  package var int: Int { Int(saturating: double) }
  package var string: String {
    if case .string(let value) = self { return value }
    return ""
  }

  package var doubles: [Double] { items.map(\.double) }

  package init(_ values: [Double]) { self = .array(values.map { .number($0) }) }
  package init(_ values: [Int]) { self = .array(values.map { .int($0) }) }
}

private struct JSONReader {
  let bytes: UnsafeBufferPointer<UInt8>
  let name: String
  var position = 0

  func failure(_ expected: String) -> AEError {
    AEError(.format, "\(name): \(expected) of JSON expected (byte \(position))")
  }

  mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard bytes.count - position >= count, memcmp(bytes.baseAddress! + position, text.utf8Start, count) == 0
    else { return false }
    position += count
    return true
  }

  mutating func value(depth: Int) throws(AEError) -> JSON {
    guard depth < 64 else { throw failure("fewer levels") }
    skipSpace()
    if take("null") { return .null }
    if take("true") { return .bool(true) }
    if take("false") { return .bool(false) }
    if next == 0x22 { return .string(try string()) }
    if take("[") {
      var items: [JSON] = []
      skipSpace()
      if take("]") { return .array(items) }
      while true {
        items.append(try value(depth: depth + 1))
        skipSpace()
        if take("]") { return .array(items) }
        guard take(",") else { throw failure("a comma") }
      }
    }
    if take("{") {
      var pairs: [(key: String, value: JSON)] = []
      skipSpace()
      if take("}") { return .object(pairs) }
      while true {
        skipSpace()
        guard next == 0x22 else { throw failure("a key") }
        let key = try string()
        skipSpace()
        guard take(":") else { throw failure("a colon") }
        pairs.append((key, try value(depth: depth + 1)))
        skipSpace()
        if take("}") { return .object(pairs) }
        guard take(",") else { throw failure("a comma") }
      }
    }
    return try number()
  }

  private mutating func number() throws(AEError) -> JSON {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte) {
      position += 1
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if let whole = Int(text) { return .int(whole) }
    guard let value = Double(text), value.isFinite else {
      position = start
      throw failure("a value")
    }
    return .number(value)
  }

  private mutating func string() throws(AEError) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = next, byte != 0x22 {
      position += 1
      guard byte == 0x5C else {
        text.append(byte)
        continue
      }
      guard let escape = next else { break }
      position += 1
      switch escape {
      case 0x6E: text.append(0x0A)
      case 0x74: text.append(0x09)
      case 0x72: text.append(0x0D)
      case 0x62: text.append(0x08)
      case 0x66: text.append(0x0C)
      case 0x75:
        guard position + 4 <= bytes.count,
          let code = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16),
          let scalar = Unicode.Scalar(code)
        else { throw failure("a character") }
        position += 4
        text += Array(String(Character(scalar)).utf8)
      default: text.append(escape)
      }
    }
    guard next == 0x22 else { throw failure("a quotation mark") }
    position += 1
    return String(decoding: text, as: UTF8.self)
  }
}

// A table of options: rows found by key, values set from text or numbers, checked, listed, and stored. The one way in
// and out for tool, C, Python and checkpoints.

import Bytes
import Core

/// The options of one kind of work, each a row.
public struct OptionTable<Root: Sendable>: Sendable {
  /// What they are options of, as messages have it: "training".
  public let name: StaticString
  public let rows: [OptionRow<Root>]
  /// All defaults.
  public let defaults: Root

  public init(_ name: StaticString, defaults: Root, _ rows: [OptionRow<Root>]) {
    self.name = name
    self.rows = rows
    self.defaults = defaults
  }

  /// The row of a key, in which - stands for _ as well.
  /// - Throws: `.argument` for a key that there is none of, with the nearest one.
  public func row(_ key: String) throws(AEError) -> OptionRow<Root> {
    let wanted = OptionTable.normal(UTF8Text.bytes(key))
    for row in rows where OptionTable.bytes(row.key) == wanted { return row }
    var nearest: (distance: Int, key: StaticString)?
    for row in rows {
      let distance = editDistance(wanted, OptionTable.bytes(row.key))
      if distance < nearest?.distance ?? Int.max { nearest = (distance, row.key) }
    }
    if let nearest, nearest.distance <= max(2, wanted.count / 3) {
      throw AEError(.argument, "there is no \(name) option \"\(key)\"; did you mean \"\(nearest.key)\"?")
    }
    throw AEError(.argument, "there is no \(name) option \"\(key)\"")
  }

  private static func normal(_ bytes: [UInt8]) -> [UInt8] { bytes.map { $0 == 45 ? 95 : $0 } }

  private static func bytes(_ text: StaticString) -> [UInt8] {
    [UInt8](UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  // MARK: Values

  public func value(of row: OptionRow<Root>, in root: Root) -> OptionValue { row.get(root) }

  /// The value as text: "auto" for one that follows from other options and was not given.
  public func text(of row: OptionRow<Root>, in root: Root) -> String { row.text(row.get(root)) }

  /// The default as text.
  public func defaultText(of row: OptionRow<Root>) -> String { text(of: row, in: defaults) }

  /// Sets an option from text.
  /// - Throws: `.argument` for an unknown key, a text that is no value, or one that is out of range.
  public func set(_ key: String, _ text: String, in root: inout Root) throws(AEError) {
    let row = try self.row(key)
    try store(try row.parse(text), of: row, in: &root)
  }

  /// Sets an option of type `integer`, `number`, `flag` or `choice` from a whole number.
  public func set(_ key: String, integer: Int64, in root: inout Root) throws(AEError) {
    let row = try self.row(key)
    let value: OptionValue
    switch row.type {
    case .integer where integer >= 0: value = .integer(UInt64(integer))
    case .number: value = .number(Double(integer))
    case .flag where integer == 0 || integer == 1: value = .flag(integer == 1)
    case .choice where row.hasChoice(Int(clamping: integer)): value = .choice(Int(integer))
    default:
      throw AEError(.argument, "\(row.key) takes \(row.rangeText), not the number \(integer)")
    }
    try store(value, of: row, in: &root)
  }

  /// Sets an option of type `number` from a number.
  public func set(_ key: String, number: Double, in root: inout Root) throws(AEError) {
    let row = try self.row(key)
    guard row.type == .number else {
      throw AEError(.argument, "\(row.key) takes \(row.rangeText), not the number \(number)")
    }
    try store(.number(number), of: row, in: &root)
  }

  private func store(_ value: OptionValue, of row: OptionRow<Root>, in root: inout Root) throws(AEError) {
    try row.check(value)
    row.set(&root, value)
  }

  /// Checks every value's range.
  /// - Throws: `.argument` for the first that is out of it.
  public func check(_ root: Root) throws(AEError) {
    for row in rows { try row.check(row.get(root)) }
  }

  // MARK: Command lines

  /// The options that differ from their defaults, as the tool takes them: ` --steps 3000 --binarize`.
  public func flags(_ root: Root, always: [StaticString] = []) -> String {
    var line = ""
    for row in rows where !row.isImplied {
      let text = row.text(row.get(root))
      let isAsked = always.contains { OptionTable.bytes($0) == OptionTable.bytes(row.key) }
      guard isAsked || text != defaultText(of: row) else { continue }
      let flag = OptionTable.flag(row.key)
      line = row.type == .flag ? sentence("\(line) --\(flag)") : sentence("\(line) --\(flag) \(text)")
    }
    return line
  }

  /// A key as the tool's flag, without dashes before it.
  public static func flag(_ key: StaticString) -> String {
    UTF8Text.string(bytes(key).map { $0 == 95 ? 45 : $0 })
  }

  // MARK: Bytes

  /// Stores every value, with its key: what was stored is read by versions that have more options.
  public func write(_ root: Root, to writer: ByteWriter) throws(AEError) {
    try writer.u16(UInt16(rows.count))
    for row in rows {
      try writer.u8(UInt8(row.key.utf8CodeUnitCount))
      try writer.bytes(row.key.utf8Start, row.key.utf8CodeUnitCount)
      let value = row.get(root)
      if case .automatic = value {
        try writer.u8(255)
        continue
      }
      try writer.u8(row.type.rawValue)
      switch value {
      case .automatic: break
      case .integer(let value): try writer.u64(value)
      case .number(let value): try writer.u64(value.bitPattern)
      case .flag(let value): try writer.u8(value ? 1 : 0)
      case .choice(let index): try writer.u8(UInt8(index))
      case .text(let text):
        try writer.u16(UInt16(UTF8Text.count(text)))
        try writer.utf8(text)
      case .integers(let values):
        try writer.u8(UInt8(values.count))
        for value in values { try writer.u64(UInt64(value)) }
      }
    }
  }

  /// Bytes that `write` never exceeds.
  public static var largestByteCount: Int { 1 << 16 }

  /// Reads what `write` has written. Options that were not stored keep what `root` has.
  /// - Throws: `.version` for an option that this version does not know, `.format` or `.argument` for a value that
  ///   the option cannot have.
  public func read(_ reader: inout ByteReader, into root: inout Root) throws(AEError) {
    let count = try reader.u16()
    for _ in 0..<count {
      let key = try reader.string(Int(try reader.u8()))
      guard let row = rows.first(where: { NumberText.equal($0.key, key) }) else {
        throw reader.fail(.version, "option \"\(key)\", which this version does not know")
      }
      let type = try reader.u8()
      if type == 255 {
        guard !row.isRequired else { throw reader.fail("\(row.key) without a value") }
        row.set(&root, .automatic)
        continue
      }
      guard type == row.type.rawValue else { throw reader.fail("\(row.key) of type \(type)") }
      let value: OptionValue
      switch row.type {
      case .integer: value = .integer(try reader.u64())
      case .number: value = .number(Double(bitPattern: try reader.u64()))
      case .flag: value = .flag(try reader.u8() != 0)
      case .choice:
        let index = Int(try reader.u8())
        guard row.hasChoice(index) else { throw reader.fail("\(row.key) \(index)") }
        value = .choice(index)
      case .text: value = .text(try reader.string(Int(try reader.u16())))
      case .integers:
        var values: [Int] = []
        for _ in 0..<Int(try reader.u8()) { values.append(Int(clamping: try reader.u64())) }
        value = .integers(values)
      }
      do throws(AEError) {
        try store(value, of: row, in: &root)
      } catch {
        throw reader.fail("\(error.message)")
      }
    }
  }
}

/// How many bytes have to be put in, left out or changed to make `b` of `a` (Levenshtein).
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  guard a.count <= 64 else { return Int.max }
  var row = [Int](0...b.count)
  for i in 0..<a.count {
    var diagonal = row[0]
    row[0] = i + 1
    for j in 0..<b.count {
      let change = diagonal + (a[i] == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(change, min(row[j], row[j + 1]) + 1)
    }
  }
  return row[b.count]
}

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

  /// Those of the rows. Made when it is asked for: stored, it ends the compiler (6.3.1, embedded, GlobalPropertyOpt).
  private var specifications: [OptionSpecification] { rows.map { $0.specification } }

  /// The row of a key, in which - stands for _ as well.
  /// - Throws: `.argument` for a key that there is none of, with the nearest one.
  public func row(_ key: String) throws(AEError) -> OptionRow<Root> {
    rows[try OptionSpecification.index(of: key, among: specifications, of: name)]
  }

  // MARK: Values

  public func value(of row: OptionRow<Root>, in root: Root) -> OptionValue { row.get(root) }

  /// The value as text: "auto" for one that follows from other options and was not given.
  public func text(of row: OptionRow<Root>, in root: Root) -> String { row.text(row.get(root)) }

  /// The default as text.
  public func defaultText(of row: OptionRow<Root>) -> String { text(of: row, in: defaults) }

  /// Sets an option.
  /// - Throws: `.argument` for an unknown key, for what is no value of the option, or one that is out of range.
  public func set(_ key: String, to input: OptionInput, in root: inout Root) throws(AEError) {
    let (index, value) = try OptionSpecification.value(of: key, input, among: specifications, of: name)
    rows[index].set(&root, value)
  }

  /// Sets an option from text.
  public func set(_ key: String, _ text: String, in root: inout Root) throws(AEError) {
    try set(key, to: .text(text), in: &root)
  }

  /// Checks every value's range.
  /// - Throws: `.argument` for the first that is out of it.
  public func check(_ root: Root) throws(AEError) {
    for row in rows { try row.specification.check(row.get(root)) }
  }

  // MARK: Command lines

  /// The options that differ from their defaults, as the tool takes them: ` --steps 3000 --binarize`.
  /// - Parameters:
  ///   - always: keys of options that are given in any case.
  ///   - prefix: what stands before each flag's name.
  public func flags(_ root: Root, always: [StaticString] = [], prefix: StaticString = "") -> String {
    OptionEntry.flags(entries(root), always: always, prefix: prefix)
  }

  /// A key as the tool's flag, without dashes before it.
  public static func flag(_ key: StaticString) -> String { OptionEntry.flag(key) }

  // MARK: Bytes

  /// Stores every value, with its key: what was stored is read by versions that have more options.
  public func write(_ root: Root, to writer: ByteWriter) throws(AEError) {
    try OptionEntry.write(entries(root), to: writer)
  }

  /// Bytes that `write` never exceeds.
  public static var largestByteCount: Int { 1 << 16 }

  /// Reads what `write` has written. Options that were not stored keep what `root` has.
  /// - Throws: `.version` for an option that this version does not know, `.format` or `.argument` for a value that
  ///   the option cannot have.
  public func read(_ reader: inout ByteReader, into root: inout Root) throws(AEError) {
    let count = try reader.u16()
    for _ in 0..<count {
      let (index, value) = try OptionEntry.read(&reader, specifications)
      rows[index].set(&root, value)
    }
  }

  /// An option by its place, with its value and its default.
  public func option(_ index: Int, in root: Root) -> OptionPlace {
    let entry = rows.indices.contains(index) ? entry(rows[index], root) : nil
    return OptionPlace(table: name, count: rows.count, entry: entry)
  }

  @inline(never)
  private func entry(_ row: OptionRow<Root>, _ root: Root) -> OptionEntry {
    OptionEntry(specification: row.specification, value: row.get(root), standard: row.get(defaults))
  }

  /// Every option with its value and its default.
  func entries(_ root: Root) -> [OptionEntry] {
    rows.map { entry($0, root) }
  }
}

/// What an option is set from.
public enum OptionInput: Sendable {
  /// Of any type.
  case text(String)
  /// Of the types `integer`, `number`, `flag` and `choice`.
  case integer(Int64)
  /// Of type `number`.
  case number(Double)
}

/// A place in a table of options: which table it is, how many it has, and the option there, if there is one.
public struct OptionPlace: Sendable {
  public let table: StaticString
  public let count: Int
  public let entry: OptionEntry?

  /// The value as text of the option of a key, in which - stands for _ as well.
  /// - Throws: `.argument` for a key that there is none of, with the nearest one.
  public static func text(of key: String, _ place: (Int) -> OptionPlace) throws(AEError) -> String {
    var specifications: [OptionSpecification] = []
    let first = place(0)
    for index in 0..<first.count {
      if let entry = place(index).entry { specifications.append(entry.specification) }
    }
    let index = try OptionSpecification.index(of: key, among: specifications, of: first.table)
    return place(index).entry.map { $0.specification.text($0.value) } ?? ""
  }
}

/// An option with a value: what is written of options, whosever they are.
public struct OptionEntry: Sendable {
  public let specification: OptionSpecification
  public let value: OptionValue
  /// The default.
  public let standard: OptionValue

  static func flags(_ entries: [OptionEntry], always: [StaticString], prefix: StaticString) -> String {
    var line = ""
    for entry in entries where !entry.specification.isImplied {
      let option = entry.specification
      let text = option.text(entry.value)
      let isAsked = always.contains { OptionSpecification.bytes($0) == OptionSpecification.bytes(option.key) }
      guard isAsked || text != option.text(entry.standard) else { continue }
      let flag = sentence("\(prefix)\(flag(option.key))")
      line = option.type == .flag ? sentence("\(line) --\(flag)") : sentence("\(line) --\(flag) \(text)")
    }
    return line
  }

  static func flag(_ key: StaticString) -> String {
    UTF8Text.string(OptionSpecification.bytes(key).map { $0 == 95 ? 45 : $0 })
  }

  static func write(_ entries: [OptionEntry], to writer: ByteWriter) throws(AEError) {
    try writer.u16(UInt16(entries.count))
    for entry in entries {
      let key = entry.specification.key
      try writer.u8(UInt8(key.utf8CodeUnitCount))
      try writer.bytes(key.utf8Start, key.utf8CodeUnitCount)
      if case .automatic = entry.value {
        try writer.u8(255)
        continue
      }
      try writer.u8(entry.specification.type.rawValue)
      switch entry.value {
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

  /// An option's place, and a value that it can have.
  static func read(_ reader: inout ByteReader, _ specifications: [OptionSpecification]) throws(AEError)
    -> (index: Int, value: OptionValue)
  {
    let key = try reader.string(Int(try reader.u8()))
    guard let index = specifications.firstIndex(where: { NumberText.equal($0.key, key) }) else {
      throw reader.fail(.version, "option \"\(key)\", which this version does not know")
    }
    let option = specifications[index]
    let type = try reader.u8()
    if type == 255 {
      guard !option.isRequired else { throw reader.fail("\(option.key) without a value") }
      return (index, .automatic)
    }
    guard type == option.type.rawValue else { throw reader.fail("\(option.key) of type \(type)") }
    let value: OptionValue
    switch option.type {
    case .integer: value = .integer(try reader.u64())
    case .number: value = .number(Double(bitPattern: try reader.u64()))
    case .flag: value = .flag(try reader.u8() != 0)
    case .choice:
      let choice = Int(try reader.u8())
      guard option.hasChoice(choice) else { throw reader.fail("\(option.key) \(choice)") }
      value = .choice(choice)
    case .text: value = .text(try reader.string(Int(try reader.u16())))
    case .integers:
      var values: [Int] = []
      for _ in 0..<Int(try reader.u8()) { values.append(Int(clamping: try reader.u64())) }
      value = .integers(values)
    }
    do throws(AEError) {
      try option.check(value)
    } catch {
      throw reader.fail("\(error.message)")
    }
    return (index, value)
  }
}

/// How many bytes have to be put in, left out or changed to make `b` of `a` (Levenshtein).
func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
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

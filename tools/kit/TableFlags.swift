// The engine's tables of options as flags of a command: a new row is a new flag, with its help and its completion, and
// nothing is to be typed here. ArgumentParser finds arguments by a mirror of the type, so the mirror shows the table.

import ArgumentParser
import Core
import Options

/// A table that is to be flags.
package protocol FlagTable {
  associatedtype Root: Sendable
  static var table: OptionTable<Root> { get }
  /// Keys that the command has flags of its own for.
  static var omitted: [String] { get }
  /// Letters of short flags, by key.
  static var letters: [String: Character] { get }
  /// What every flag begins with, "" unless it says otherwise.
  static var prefix: String { get }
}

extension FlagTable {
  package static var prefix: String { "" }
}

/// A row of an option table as the texts of a flag.
package struct OptionFacts {
  package let key: String
  /// Without dashes before it.
  package let flag: String
  package let letter: Character?
  package let type: String
  /// As in `1 to 64`; "" where every value of the type will do.
  package let range: String
  package let choices: [String]
  /// The default, or in words what it follows from.
  package let standard: String
  package let isAutomatic: Bool
  package let documentation: String
  package let formerFlags: [String]
  /// Whether it is no flag, because the images say it.
  package let isImplied: Bool
}

/// Values of options that the command line gives.
package struct TableFlags<Table: FlagTable>: ParsableArguments, CustomReflectable {
  /// Keys and texts, in the order of the table.
  package private(set) var given: [(key: String, text: String)] = []
  /// The flags as they were typed, which may be former ones, for messages.
  private var typed: [String] = []

  package init() {}

  private struct Row {
    let key: String
    let option: OptionRow<Table.Root>
    let isFormer: Bool
    /// With dashes before it.
    let flag: String
    let name: NameSpecification

    var isFlag: Bool { option.type == .flag }

    var help: ArgumentHelp {
      let facts = facts(option)
      var notes: [String] = []
      if !facts.range.isEmpty { notes.append(facts.range) }
      notes.append("default: \(facts.standard)")
      let text = isFlag ? facts.documentation : "\(facts.documentation) (\(notes.joined(separator: "; ")))"
      return ArgumentHelp(
        "\(text)", valueName: option.type == .choice ? "word" : "\(option.type.name)",
        visibility: isFormer ? .hidden : .default)
    }
  }

  /// What every row of the table says, in its order.
  package static var rows: [OptionFacts] { Table.table.rows.map { facts($0) } }

  private static func facts(_ option: OptionRow<Table.Root>) -> OptionFacts {
    let standard = Table.table.defaultText(of: option)
    let isAutomatic = !option.isRequired && standard == "auto"
    var range = ""
    switch option.type {
    case .choice: range = option.rangeText
    // Limits as high as that only keep numbers in their type.
    case .integer, .integers, .number:
      if option.maximum < 1e9 {
        range = "\(plain(option.minimum)) to \(plain(option.maximum))"
      } else if option.type != .number, option.minimum > 0 {
        range = "from \(plain(option.minimum))"
      }
    case .text: range = option.rangeText
    case .flag: break
    }
    return OptionFacts(
      key: "\(option.key)", flag: flag(option),
      letter: Table.letters["\(option.key)"],
      type: "\(option.type.name)", range: range,
      choices: option.choices.map { "\($0)" }.filter { !$0.isEmpty },
      standard: isAutomatic ? said("\(option.automatic)") : standard, isAutomatic: isAutomatic,
      documentation: said("\(option.documentation)"),
      formerFlags: "\(option.formerFlags)".split(separator: " ").map { String($0) },
      isImplied: option.isImplied)
  }

  /// A text of the table, in which keys of two words stand as flags.
  private static func said(_ text: String) -> String {
    text.split(separator: " ").map {
      $0.contains("_") ? "--" + Table.prefix + $0.replacing("_", with: "-") : String($0)
    }
    .joined(separator: " ")
  }

  /// A limit without a fraction that is none.
  private static func plain(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }

  /// A row's flag, without dashes before it.
  private static func flag(_ option: OptionRow<Table.Root>) -> String {
    Table.prefix + OptionTable<Table.Root>.flag(option.key)
  }

  private static func flags() -> [Row] {
    var rows: [Row] = []
    for option in Table.table.rows where !option.isImplied {
      let key = "\(option.key)"
      guard !Table.omitted.contains(key) else { continue }
      var names: [NameSpecification.Element] = [.customLong(flag(option))]
      if let letter = Table.letters[key] { names.append(.customShort(letter)) }
      rows.append(
        Row(
          key: key, option: option, isFormer: false, flag: "--\(flag(option))",
          name: NameSpecification(names)))
      for (index, former) in "\(option.formerFlags)".split(separator: " ").enumerated() {
        rows.append(
          Row(
            key: "\(key)@\(index)", option: option, isFormer: true, flag: "--\(former)",
            name: NameSpecification([.customLong(String(former))])))
      }
    }
    return rows
  }

  package var customMirror: Mirror {
    let children = Self.flags().map { row -> (label: String?, value: Any) in
      // A stored property that is wrapped has a name with _ before it.
      if row.isFlag {
        return ("_" + row.key, Flag<Bool>(wrappedValue: false, name: row.name, help: row.help))
      }
      let completion: CompletionKind? =
        row.option.type == .choice ? .list(row.option.choices.map { "\($0)" }.filter { !$0.isEmpty }) : nil
      return (
        "_" + row.key,
        ArgumentParser.Option<String?>(name: row.name, help: row.help, completion: completion)
      )
    }
    return Mirror(self, children: children, displayStyle: .struct)
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  package init(from decoder: Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for row in Self.flags() {
      let key = Key(stringValue: row.key)
      var text: String?
      if row.isFlag {
        if try container.decode(Flag<Bool>.self, forKey: key).wrappedValue { text = "true" }
      } else {
        text = try container.decode(ArgumentParser.Option<String?>.self, forKey: key).wrappedValue
      }
      if let text {
        given.append(("\(row.option.key)", text))
        typed.append(row.flag)
      }
    }
  }

  package func encode(to encoder: Encoder) throws {}

  /// An error of the engine, whose messages begin with the key that they are about, in the words of the command line.
  package static func said(_ error: AEError) -> AEError {
    let key = error.message.prefix { $0 != " " }
    guard key.contains("_"), Table.table.rows.contains(where: { "\($0.key)" == key }) else { return error }
    let rest = String(error.message.dropFirst(key.count))
    return AEError(error.code, "--\(Table.prefix)\(String(key).replacing("_", with: "-"))\(rest)")
  }

  package var isEmpty: Bool { given.isEmpty }

  /// Whether the command line gives an option.
  package func gives(_ key: String) -> Bool { given.contains { $0.key == key } }

  /// Sets what the command line gives.
  package func apply(to root: inout Table.Root) throws(AEError) {
    for (key, text) in given { try Table.table.set(key, text, in: &root) }
  }

  /// The flags as they were given, to repeat the command line.
  package var words: [String] {
    given.flatMap { key, text -> [String] in
      let flag = "--" + Table.prefix + key.replacing("_", with: "-")
      return text == "true" && Self.flags().contains { $0.key == key && $0.isFlag } ? [flag] : [flag, text]
    }
  }

  /// Checks the values before anything is done.
  package func validate() throws {
    var root = Table.table.defaults
    for (index, (key, text)) in given.enumerated() {
      do throws(AEError) {
        try Table.table.set(key, text, in: &root)
      } catch {
        // Messages of the engine begin with the key.
        let flag = typed[index]
        let message = error.message.hasPrefix(key) ? flag + error.message.dropFirst(key.count) : error.message
        throw ValidationError(message + ".")
      }
    }
  }
}

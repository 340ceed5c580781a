// One row of a table of options: everything that anyone needs to know of an option stands in it. Validation, messages,
// checkpoints, the tool's flags and help, Python's keywords and the man page are made of such rows.

import Core

/// What an option holds. Values are pinned: ae.h and checkpoints have them.
public enum OptionType: UInt8, Sendable {
  /// A whole number, not below 0.
  case integer = 0
  case number = 1
  /// Yes or no.
  case flag = 2
  /// One of a few words.
  case choice = 3
  case text = 4
  /// Whole numbers, separated by commas.
  case integers = 5

  public var name: StaticString {
    switch self {
    case .integer: return "integer"
    case .number: return "number"
    case .flag: return "flag"
    case .choice: return "choice"
    case .text: return "text"
    case .integers: return "integers"
    }
  }
}

/// The value of an option.
public enum OptionValue: Sendable {
  /// None was given: it follows from other options.
  case automatic
  case integer(UInt64)
  case number(Double)
  case flag(Bool)
  /// Its place among the choices.
  case choice(Int)
  case text(String)
  case integers([Int])
}

/// What an option is, apart from whose it is: its name, what it takes, and the text of its values.
public final class OptionSpecification: Sendable {
  public let key: StaticString
  public let type: OptionType
  /// What a number, each of `integers`, or the bytes of a text must lie in.
  public let minimum: Double
  public let maximum: Double
  /// Of a `choice`, in the order of the numbers that ae.h and files give them; "" for a number that is none.
  public let choices: [StaticString]
  /// What holds where no value is given and the default follows from other options; "" where it does not.
  public let automatic: StaticString
  /// One sentence, or two.
  public let documentation: StaticString
  /// Flags that the tool took for it in earlier versions, separated by blanks.
  public let formerFlags: StaticString
  /// True where tool and Python know the value from the images, so that only C says it.
  public let isImplied: Bool
  /// Of an `integer`: the only numbers of the range that are taken; empty for all of them.
  let allowed: [UInt64]
  /// Of a `number`: what may follow it in text, as in "0.1dB".
  let unit: StaticString

  init(
    key: StaticString, type: OptionType, minimum: Double, maximum: Double, choices: [StaticString],
    automatic: StaticString, documentation: StaticString, formerFlags: StaticString, isImplied: Bool,
    allowed: [UInt64] = [], unit: StaticString = ""
  ) {
    self.key = key
    self.type = type
    (self.minimum, self.maximum) = (minimum, maximum)
    self.choices = choices
    self.automatic = automatic
    self.documentation = documentation
    self.formerFlags = formerFlags
    self.isImplied = isImplied
    self.allowed = allowed
    self.unit = unit
  }
}

/// An option of `Root`, a struct that holds the values of all options of a table.
///
/// All that does not depend on `Root` is in the specification: code is made for it once, not for every table.
public struct OptionRow<Root: Sendable>: Sendable {
  public let specification: OptionSpecification
  let get: @Sendable (Root) -> OptionValue
  let set: @Sendable (inout Root, OptionValue) -> Void
}

extension OptionRow {
  /// A whole number.
  public static func integer(
    _ key: StaticString, _ range: ClosedRange<UInt64>, _ documentation: StaticString,
    formerly formerFlags: StaticString = "", isImplied: Bool = false, allowed: [UInt64] = [],
    _ get: @escaping @Sendable (Root) -> Int, _ set: @escaping @Sendable (inout Root, Int) -> Void
  ) -> OptionRow {
    OptionRow(
      specification: OptionSpecification(
        key: key, type: .integer, minimum: Double(range.lowerBound), maximum: Double(range.upperBound),
        choices: [], automatic: "", documentation: documentation, formerFlags: formerFlags,
        isImplied: isImplied, allowed: allowed),
      get: { .integer(UInt64(truncatingIfNeeded: get($0))) },
      set: { if case .integer(let value) = $1 { set(&$0, Int(truncatingIfNeeded: value)) } })
  }

  /// A whole number that follows from other options unless it is given.
  public static func integer(
    _ key: StaticString, _ range: ClosedRange<UInt64>, automatic: StaticString, _ documentation: StaticString,
    formerly formerFlags: StaticString = "", isImplied: Bool = false, allowed: [UInt64] = [],
    _ get: @escaping @Sendable (Root) -> Int?, _ set: @escaping @Sendable (inout Root, Int?) -> Void
  ) -> OptionRow {
    OptionRow(
      specification: OptionSpecification(
        key: key, type: .integer, minimum: Double(range.lowerBound), maximum: Double(range.upperBound),
        choices: [], automatic: automatic, documentation: documentation, formerFlags: formerFlags,
        isImplied: isImplied, allowed: allowed),
      get: { root in get(root).map { .integer(UInt64(truncatingIfNeeded: $0)) } ?? .automatic },
      set: {
        if case .integer(let value) = $1 { set(&$0, Int(truncatingIfNeeded: value)) } else { set(&$0, nil) }
      })
  }

  public static func number(
    _ key: StaticString, _ range: ClosedRange<Double>, _ documentation: StaticString,
    formerly formerFlags: StaticString = "", unit: StaticString = "",
    _ get: @escaping @Sendable (Root) -> Double, _ set: @escaping @Sendable (inout Root, Double) -> Void
  ) -> OptionRow {
    OptionRow(
      specification: OptionSpecification(
        key: key, type: .number, minimum: range.lowerBound, maximum: range.upperBound, choices: [],
        automatic: "", documentation: documentation, formerFlags: formerFlags, isImplied: false, unit: unit),
      get: { .number(get($0)) }, set: { if case .number(let value) = $1 { set(&$0, value) } })
  }

  /// A number that follows from other options unless it is given.
  public static func number(
    _ key: StaticString, _ range: ClosedRange<Double>, automatic: StaticString, _ documentation: StaticString,
    _ get: @escaping @Sendable (Root) -> Double?, _ set: @escaping @Sendable (inout Root, Double?) -> Void
  ) -> OptionRow {
    OptionRow(
      specification: OptionSpecification(
        key: key, type: .number, minimum: range.lowerBound, maximum: range.upperBound, choices: [],
        automatic: automatic, documentation: documentation, formerFlags: "", isImplied: false),
      get: { root in get(root).map { .number($0) } ?? .automatic },
      set: { if case .number(let value) = $1 { set(&$0, value) } else { set(&$0, nil) } })
  }

  public static func flag(
    _ key: StaticString, _ documentation: StaticString, formerly formerFlags: StaticString = "",
    _ get: @escaping @Sendable (Root) -> Bool, _ set: @escaping @Sendable (inout Root, Bool) -> Void
  ) -> OptionRow {
    OptionRow(
      specification: OptionSpecification(
        key: key, type: .flag, minimum: 0, maximum: 1, choices: [], automatic: "",
        documentation: documentation, formerFlags: formerFlags, isImplied: false),
      get: { .flag(get($0)) }, set: { if case .flag(let value) = $1 { set(&$0, value) } })
  }

  /// One of the cases of an enum that are numbered from 0 on.
  public static func choice<Case: RawRepresentable>(
    _ key: StaticString, _ choices: [StaticString], _ documentation: StaticString,
    formerly formerFlags: StaticString = "",
    _ get: @escaping @Sendable (Root) -> Case, _ set: @escaping @Sendable (inout Root, Case) -> Void
  ) -> OptionRow where Case.RawValue == UInt8 {
    OptionRow(
      specification: OptionSpecification(
        key: key, type: .choice, minimum: 0, maximum: Double(choices.count - 1), choices: choices,
        automatic: "", documentation: documentation, formerFlags: formerFlags, isImplied: false),
      get: { .choice(Int(get($0).rawValue)) },
      set: {
        if case .choice(let index) = $1, let value = Case(rawValue: UInt8(truncatingIfNeeded: index)) {
          set(&$0, value)
        }
      })
  }

  /// The same where the choice follows from other options unless it is given.
  public static func choice<Case: RawRepresentable>(
    _ key: StaticString, _ choices: [StaticString], automatic: StaticString, _ documentation: StaticString,
    formerly formerFlags: StaticString = "",
    _ get: @escaping @Sendable (Root) -> Case?, _ set: @escaping @Sendable (inout Root, Case?) -> Void
  ) -> OptionRow where Case.RawValue == UInt8 {
    OptionRow(
      specification: OptionSpecification(
        key: key, type: .choice, minimum: 0, maximum: Double(choices.count - 1), choices: choices,
        automatic: automatic, documentation: documentation, formerFlags: formerFlags, isImplied: false),
      get: { root in get(root).map { .choice(Int($0.rawValue)) } ?? .automatic },
      set: {
        if case .choice(let index) = $1 {
          set(&$0, Case(rawValue: UInt8(truncatingIfNeeded: index)))
        } else {
          set(&$0, nil)
        }
      })
  }

  /// UTF-8 of at most so many bytes.
  public static func text(
    _ key: StaticString, largestByteCount: Int, automatic: StaticString, _ documentation: StaticString,
    _ get: @escaping @Sendable (Root) -> String?, _ set: @escaping @Sendable (inout Root, String?) -> Void
  ) -> OptionRow {
    OptionRow(
      specification: OptionSpecification(
        key: key, type: .text, minimum: 0, maximum: Double(largestByteCount), choices: [],
        automatic: automatic, documentation: documentation, formerFlags: "", isImplied: false),
      get: { root in get(root).map { .text($0) } ?? .automatic },
      set: { if case .text(let value) = $1 { set(&$0, value) } else { set(&$0, nil) } })
  }

  /// Whole numbers, at most 255 of them, which follow from other options unless they are given.
  public static func integers(
    _ key: StaticString, _ range: ClosedRange<UInt64>, automatic: StaticString, _ documentation: StaticString,
    _ get: @escaping @Sendable (Root) -> [Int]?, _ set: @escaping @Sendable (inout Root, [Int]?) -> Void
  ) -> OptionRow {
    OptionRow(
      specification: OptionSpecification(
        key: key, type: .integers, minimum: Double(range.lowerBound), maximum: Double(range.upperBound),
        choices: [], automatic: automatic, documentation: documentation, formerFlags: "", isImplied: false),
      get: { root in get(root).map { .integers($0) } ?? .automatic },
      set: { if case .integers(let value) = $1 { set(&$0, value) } else { set(&$0, nil) } })
  }
}

// MARK: Values and text

extension OptionSpecification {
  /// Checks that a value is in the option's range.
  /// - Throws: `.argument`, naming the option, its range and what came.
  func check(_ value: OptionValue) throws(AEError) {
    switch value {
    case .automatic:
      guard !isRequired else { throw AEError(.argument, "\(key) needs a value") }
    case .integer(let value):
      guard Double(value) >= minimum, Double(value) <= maximum, allowed.isEmpty || allowed.contains(value)
      else { throw outOfRange(sentence("\(value)")) }
    case .number(let value):
      guard value >= minimum, value <= maximum else { throw outOfRange(sentence("\(value)")) }
    case .flag, .choice: break
    case .text(let value):
      let count = UTF8Text.count(value)
      guard count <= Int(maximum) else {
        throw AEError(.argument, "\(key) has at most \(Int(maximum)) bytes of UTF-8, not \(count)")
      }
    case .integers(let values):
      guard values.count <= 255 else {
        throw AEError(.argument, "\(key) are at most 255 numbers, not \(values.count)")
      }
      for value in values where Double(value) < minimum || Double(value) > maximum {
        throw outOfRange(sentence("\(value)"))
      }
    }
  }

  /// Whether a number stands for a choice.
  func hasChoice(_ index: Int) -> Bool {
    choices.indices.contains(index) && choices[index].utf8CodeUnitCount > 0
  }

  /// Whether there is no automatic value.
  public var isRequired: Bool { automatic.utf8CodeUnitCount == 0 }

  private func outOfRange(_ value: String) -> AEError {
    AEError(.argument, "\(key) must be \(allowed.isEmpty ? "in " : "")\(rangeText), not \(value)")
  }

  /// As in `1 ... 64`, or `1, 3 or 4`.
  public var rangeText: String {
    if let last = allowed.last {
      var words = ""
      for value in allowed.dropLast() { words = sentence("\(words)\(words.isEmpty ? "" : ", ")\(value)") }
      return sentence("\(words) or \(last)")
    }
    switch type {
    case .integer, .integers:
      return sentence("\(UInt64(minimum)) ... \(maximum < 0x1p64 ? UInt64(maximum) : UInt64.max)")
    case .number: return sentence("\(minimum) ... \(maximum)")
    case .flag: return "true, false"
    case .choice:
      var words = ""
      for choice in choices where choice.utf8CodeUnitCount > 0 {
        words = words.isEmpty ? sentence("\(choice)") : sentence("\(words), \(choice)")
      }
      return words
    case .text: return sentence("at most \(Int(maximum)) bytes")
    }
  }

  /// A value as text, which `parse` takes back; "auto" for an automatic one.
  public func text(_ value: OptionValue) -> String {
    switch value {
    case .automatic: return "auto"
    case .integer(let value): return sentence("\(value)")
    case .number(let value): return NumberText.shortest(value)
    case .flag(let value): return value ? "true" : "false"
    case .choice(let index): return sentence("\(choices[index])")
    case .text(let text): return text
    case .integers(let values):
      if values.isEmpty { return "none" }
      var words = ""
      for (index, value) in values.enumerated() {
        words = index == 0 ? sentence("\(value)") : sentence("\(words),\(value)")
      }
      return words
    }
  }

  private func withoutUnit(_ text: String) -> String {
    let bytes = UTF8Text.bytes(text)
    let letters = UnsafeBufferPointer(start: unit.utf8Start, count: unit.utf8CodeUnitCount)
    guard !letters.isEmpty, bytes.count > letters.count, bytes.suffix(letters.count).elementsEqual(letters)
    else { return text }
    return UTF8Text.string([UInt8](bytes.dropLast(letters.count)))
  }

  static func bytes(_ text: StaticString) -> [UInt8] {
    [UInt8](UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// The place of a key among those of a table, in which - stands for _ as well.
  /// - Throws: `.argument` for a key that there is none of, with the nearest one.
  static func index(of key: String, among specifications: [OptionSpecification], of table: StaticString)
    throws(AEError) -> Int
  {
    let wanted = UTF8Text.bytes(key).map { $0 == 45 ? 95 : $0 }
    for (index, option) in specifications.enumerated() where bytes(option.key) == wanted { return index }
    var nearest: (distance: Int, key: StaticString)?
    for option in specifications {
      let distance = editDistance(wanted, bytes(option.key))
      if distance < nearest?.distance ?? Int.max { nearest = (distance, option.key) }
    }
    if let nearest, nearest.distance <= max(2, wanted.count / 3) {
      throw AEError(.argument, "there is no \(table) option \"\(key)\"; did you mean \"\(nearest.key)\"?")
    }
    throw AEError(.argument, "there is no \(table) option \"\(key)\"")
  }

  /// Whether a flag of the tool, without dashes before it, is the option's, now or in earlier versions.
  public func isNamed(_ flag: String) -> Bool {
    let wanted = UTF8Text.bytes(flag)
    if OptionSpecification.bytes(key).map({ $0 == 95 ? 45 : $0 }) == wanted { return true }
    var name: [UInt8] = []
    let former = UnsafeBufferPointer(start: formerFlags.utf8Start, count: formerFlags.utf8CodeUnitCount)
    for byte in former {
      if byte != 32 {
        name.append(byte)
        continue
      }
      if name == wanted { return true }
      name = []
    }
    return !name.isEmpty && name == wanted
  }

  /// The place of the option of a key among those of a table, and the value that an input stands for.
  static func value(
    of key: String, _ input: OptionInput, among specifications: [OptionSpecification], of table: StaticString
  ) throws(AEError) -> (index: Int, value: OptionValue) {
    let index = try index(of: key, among: specifications, of: table)
    let option = specifications[index]
    let value = try option.value(of: input)
    try option.check(value)
    return (index, value)
  }

  @inline(never)
  private func refused(_ number: String) -> AEError {
    AEError(.argument, "\(key) takes \(rangeText), not the number \(number)")
  }

  private func value(of input: OptionInput) throws(AEError) -> OptionValue {
    switch (input, type) {
    case (.text(let text), _): return try parse(text)
    case (.integer(let integer), .integer) where integer >= 0: return .integer(UInt64(integer))
    case (.integer(let integer), .number): return .number(Double(integer))
    case (.integer(let integer), .flag) where integer == 0 || integer == 1: return .flag(integer == 1)
    case (.integer(let integer), .choice) where hasChoice(Int(clamping: integer)):
      return .choice(Int(integer))
    case (.number(let number), .number): return .number(number)
    case (.integer(let integer), _): throw refused(sentence("\(integer)"))
    case (.number(let number), _): throw refused(sentence("\(number)"))
    }
  }

  /// The value that a text says.
  /// - Throws: `.argument`, naming the option, what it takes and what came.
  func parse(_ text: String) throws(AEError) -> OptionValue {
    if !isRequired, text == "auto" { return .automatic }
    switch type {
    case .text: return .text(text)
    case .integer:
      guard let value = NumberText.integer(text) else {
        throw AEError(
          .argument,
          "\(key) takes \(allowed.isEmpty ? "a whole number in " : "")\(rangeText), not \"\(text)\"")
      }
      return .integer(value)
    case .number:
      guard let value = NumberText.number(withoutUnit(text)) else {
        throw AEError(.argument, "\(key) takes a number in \(rangeText), not \"\(text)\"")
      }
      return .number(value)
    case .flag:
      switch text {
      case "true", "1", "yes", "on": return .flag(true)
      case "false", "0", "no", "off": return .flag(false)
      default: throw AEError(.argument, "\(key) takes true or false, not \"\(text)\"")
      }
    case .choice:
      for (index, choice) in choices.enumerated()
      where hasChoice(index) && NumberText.equal(choice, text) {
        return .choice(index)
      }
      throw AEError(.argument, "\(key) takes one of \(rangeText), not \"\(text)\"")
    case .integers:
      if text == "none" { return .integers([]) }
      guard let values = NumberText.integers(text) else {
        throw AEError(.argument, "\(key) takes whole numbers separated by commas, or none, not \"\(text)\"")
      }
      return .integers(values)
    }
  }
}

// MARK: What a row tells of its option

extension OptionRow {
  public var key: StaticString { specification.key }
  public var type: OptionType { specification.type }
  public var minimum: Double { specification.minimum }
  public var maximum: Double { specification.maximum }
  public var choices: [StaticString] { specification.choices }
  public var automatic: StaticString { specification.automatic }
  public var documentation: StaticString { specification.documentation }
  public var formerFlags: StaticString { specification.formerFlags }
  public var isImplied: Bool { specification.isImplied }
  public var isRequired: Bool { specification.isRequired }
  public var rangeText: String { specification.rangeText }

  /// A value as text, which `parse` takes back; "auto" for an automatic one.
  public func text(_ value: OptionValue) -> String { specification.text(value) }

  /// Whether a flag of the tool, without dashes before it, is the option's, now or in earlier versions.
  public func isNamed(_ flag: String) -> Bool { specification.isNamed(flag) }
}

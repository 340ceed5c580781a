// What happens to pictures that are more than 8-bit grey. Colour is not coded: in lossless and near-lossless
// sets such pictures are refused, elsewhere they are converted with a message; --grey asks for the conversion.

import Core
import Storage
import ToolKit

/// Which images of an input were converted.
struct GreyNote {
  private(set) var conversions: GreyConversions = []
  /// The file, or the first of several.
  private(set) var name = ""
  /// Files that were converted.
  private(set) var fileCount = 0

  mutating func add(_ conversions: GreyConversions, of name: String) {
    guard !conversions.isEmpty else { return }
    if fileCount == 0 { self.name = name }
    self.conversions.formUnion(conversions)
    fileCount += 1
  }

  /// The words for programs.
  var names: [String] {
    var names: [String] = []
    if conversions.contains(.colour) { names.append("colour") }
    if conversions.contains(.transparency) { names.append("transparency") }
    if conversions.contains(.levels) { names.append("levels") }
    return names
  }

  /// The words for people.
  private static func phrase(_ conversions: GreyConversions) -> String {
    var parts: [String] = []
    if conversions.contains(.colour) { parts.append("colours") }
    if conversions.contains(.transparency) { parts.append("transparency") }
    if conversions.contains(.levels) { parts.append("grey levels that 8 bits do not hold") }
    return parts.count == 3 ? "\(parts[0]), \(parts[1]) and \(parts[2])" : parts.joined(separator: " and ")
  }

  /// Throws for an image that is not to be converted unasked.
  static func refuse(_ conversions: GreyConversions, of name: String) throws(AEError) {
    guard !conversions.isEmpty else { return }
    throw AEError(
      .kind,
      "\(name): has \(phrase(conversions)), and what is kept exactly is 8-bit grey: --grey converts the images to that first"
    )
  }

  /// Says once what was converted unasked.
  func warn() {
    guard fileCount > 0 else { return }
    let others = fileCount > 1 ? " and \(counted(fileCount - 1, "other file"))" : ""
    let (have, are) = fileCount > 1 ? ("have", "are") : ("has", "is")
    Console.warn(
      "aez: \(name)\(others): \(have) \(GreyNote.phrase(conversions)) and \(are) taken as 8-bit grey (--grey says that this is meant)"
    )
  }

  /// The line of a report.
  var line: String? {
    guard fileCount > 0 else { return nil }
    return "\(fileCount > 1 ? "\(grouped(fileCount)) files" : name), of \(GreyNote.phrase(conversions))"
  }
}

extension Report {
  /// Adds which images were converted, if any.
  mutating func add(grey note: GreyNote) {
    add("converted", .array(note.names.map { .string($0) }))
    if let line = note.line { add(line: line, title: "made grey") }
  }
}

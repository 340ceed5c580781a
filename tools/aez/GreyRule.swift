// What happens to images that are more than 8-bit grey. Lossless and near-lossless sets keep colours and transparency, and
// refuse levels that bytes do not hold; a model in colour takes colours as they are, and grey as colours that are all grey;
// for a grey model images become grey with a message; --grey asks for that.

import Core
import Network
import Storage
import ToolKit

/// What to do with images that are more than 8-bit grey.
enum GreyRule {
  /// Make them grey and say so: the model is of grey images.
  case tell
  /// Keep their channels, or give them those of a model in colour, and say what is not as it was: the model is of such
  /// images, or will be.
  case take
  /// Make them grey: the user said so.
  case meant
  /// Keep their channels, and refuse levels that bytes do not hold: the set is lossless or near-lossless.
  case exact
  /// Keep their channels, and say what levels are not as they were.
  case look

  var keepsChannels: Bool { self == .exact || self == .take || self == .look }

  /// What becomes of images for a model.
  static func `for`(_ model: Architecture) -> GreyRule { model.channels > 1 ? .take : .tell }
}

/// Which images of an input were converted.
struct GreyNote {
  private(set) var conversions: GreyConversions = []
  /// The file, or the first of several.
  private(set) var name = ""
  /// Files that were converted.
  private(set) var fileCount = 0
  /// Pictures that were given channels that they have nothing in, because others of their set have.
  private(set) var widenedCount = 0
  private var widenedText = ""
  private var takenText = ""

  mutating func add(_ conversions: GreyConversions, of name: String) {
    guard !conversions.isEmpty else { return }
    if fileCount == 0 { self.name = name }
    self.conversions.formUnion(conversions)
    fileCount += 1
  }

  /// Notes all that was converted of the images of one file.
  mutating func replace(_ conversions: GreyConversions, of name: String) {
    (self.conversions, self.name, fileCount) = (conversions, name, 1)
  }

  /// Notes that some of the pictures have fewer channels than their set.
  mutating func add(widened count: Int, of total: Int, to channels: Int, in name: String) {
    guard count > 0 else { return }
    widenedCount = count
    let (have, are) = count == 1 ? ("has", "is") : ("have", "are")
    let what = total == 1 ? have : "\(grouped(count)) of \(counted(total, "image")) \(have)"
    let form = channels == 4 ? "RGBA" : "RGB"
    widenedText =
      "\(name): \(what) fewer channels than the set and \(are) kept as \(form), the pixels being the same"
    takenText = "\(name): \(what) fewer channels and \(are) taken as \(form), the pixels being the same"
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
    if conversions.contains(.levels) { parts.append("levels that 8 bits do not hold") }
    return parts.count == 3 ? "\(parts[0]), \(parts[1]) and \(parts[2])" : parts.joined(separator: " and ")
  }

  /// Throws for an image that is not to be converted unasked.
  static func refuse(_ conversions: GreyConversions, of name: String) throws(AEError) {
    guard !conversions.isEmpty else { return }
    throw AEError(
      .kind,
      "\(name): has \(phrase(conversions)), and what is kept exactly is 8 bits: convert the images to that first, or take "
        + "them as 8-bit grey with --grey")
  }

  /// Says once what was converted unasked.
  func warn(_ rule: GreyRule) {
    if widenedCount > 0, rule == .exact { Console.warn("aez: \(widenedText)") }
    if widenedCount > 0, rule == .take { Console.warn("aez: \(takenText)") }
    guard fileCount > 0, rule != .meant else { return }
    let others = fileCount > 1 ? " and \(counted(fileCount - 1, "other file"))" : ""
    let (have, are) = fileCount > 1 ? ("have", "are") : ("has", "is")
    let taken = rule == .tell ? "8-bit grey (--grey says that this is meant)" : "8 bits"
    Console.warn(
      "aez: \(name)\(others): \(have) \(GreyNote.phrase(conversions)) and \(are) taken as \(taken)")
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
    add("widened", .int(note.widenedCount))
    if let line = note.line { add(line: line, title: "converted") }
  }
}

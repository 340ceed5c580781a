// Images one after the other, whatever they come from. Files of many images need not fit into memory: IDX and
// NPY are read a piece at a time. Pictures and folders of them are read whole, and then given out in the same way.

import ArgumentParser
import Bytes
import Core
import Storage
import ToolKit

/// The images of a source in order.
final class ImageStream {
  let width: Int
  let height: Int
  let count: Int
  let source: SourceKind
  private(set) var labels: [UInt8]?
  let names: [String]?
  private let set: ImageSet?
  private let reader: ImageReader?
  /// What messages call the source.
  private let name: String
  /// Images given out so far.
  private var done = 0
  private var note = GreyNote()
  /// Whether images are refused that would have to be converted, and whether it is said of others.
  private let isExact: Bool
  private let isQuiet: Bool
  private var hasWarned = false

  var imageSize: Int { width * height }

  /// Images in memory.
  /// - Parameter note: which of them were converted.
  init(_ set: ImageSet, _ name: String, note: GreyNote, _ rule: GreyRule) throws(AEError) {
    (width, height, count, source) = (set.width, set.height, set.count, set.source)
    (labels, names) = (set.labels, set.names)
    (self.set, reader, self.name, self.note) = (set, nil, name, note)
    (isExact, isQuiet) = (rule == .refuse, rule == .meant)
    if isExact { try GreyNote.refuse(note.conversions, of: note.name) }
  }

  init(_ reader: ImageReader, _ name: String, _ rule: GreyRule) {
    (width, height, count, source) = (reader.width, reader.height, reader.count, reader.source)
    (set, names, self.reader, self.name) = (nil, nil, reader, name)
    (isExact, isQuiet) = (rule == .refuse, rule == .meant)
  }

  /// Gives the images labels from a file, which must have as many as the source has images.
  func addLabels(_ path: String) throws(AEError) {
    let all = reader?.declaredCount ?? count
    labels = Array(try LabelFile.read(path, count: all).prefix(count))
  }

  /// The next `count` images, as bytes.
  func next(_ count: Int, into pixels: UnsafeMutablePointer<UInt8>) throws(AEError) {
    precondition(count >= 0 && count <= self.count - done)
    if let set {
      pixels.update(from: set.pixels.base + done * imageSize, count: count * imageSize)
    } else if let reader {
      try reader.next(count, into: pixels)
      try see(reader.conversions)
    }
    done += count
    if done == self.count { warn() }
  }

  /// All images as a set.
  func all() throws(AEError) -> ImageSet {
    var all: ImageSet
    if let reader {
      all = try reader.all()
      all.labels = labels
      try see(reader.conversions)
    } else {
      all = set!
      all.labels = labels
    }
    warn()
    return all
  }

  /// What was converted of the images read so far.
  var converted: GreyNote { note }

  private func see(_ conversions: GreyConversions) throws(AEError) {
    guard note.fileCount == 0, !conversions.isEmpty else { return }
    if isExact { try GreyNote.refuse(conversions, of: name) }
    note.add(conversions, of: name)
  }

  private func warn() {
    guard !isQuiet, !hasWarned else { return }
    hasWarned = true
    note.warn()
  }
}

/// What to do with images that are more than 8-bit grey.
enum GreyRule {
  /// Convert them and say so.
  case tell
  /// Convert them: the user said so.
  case meant
  /// Refuse them: the set is lossless or near-lossless.
  case refuse
}

extension InputOptions {
  /// Begins to read what a path names.
  /// - Parameters:
  ///   - opened: what is behind the path, if that was opened already.
  ///   - isExact: whether the set is lossless or near-lossless.
  func stream(_ path: String, opened: ByteInput? = nil, isExact: Bool = false) throws -> ImageStream {
    let rule: GreyRule = grey ? .meant : isExact ? .refuse : .tell
    let files = try mnistFiles(path)
    try refuseUnusedSplit(path, files)
    if path == "-", labels == "-" {
      throw ValidationError("Images and labels cannot both come from standard input.")
    }
    if path == "-", opened == nil, Console.isTerminal(Console.input) { throw InputOptions.terminalInput }
    let stream: ImageStream
    do throws(AEError) {
      if files == nil, path != "-", Path.kind(path) == .folder {
        let (set, note) = try ImageFolder.read(Path.trimmed(path), limit: limit, rule)
        stream = try ImageStream(set, path, note: note, rule)
      } else {
        let input: ByteInput
        if let opened {
          input = opened
        } else {
          input = try path == "-" ? Console.openInput() : ByteInput(path: files?.images ?? path)
        }
        stream = try ImageFile.open(input, size: size, limit: limit, rule)
      }
      if let labelPath = labels ?? files?.labels { try stream.addLabels(labelPath) }
    } catch {
      // The allocator knows no names.
      guard error.code == .memory, !error.message.hasPrefix(path) else { throw error }
      throw error.at(path == "-" ? "standard input" : path)
    }
    return stream
  }

  /// Reads what a path names.
  func load(_ path: String) throws -> ImageSet { try loadAndNote(path).set }

  /// Reads what a path names, and tells what was converted.
  func loadAndNote(_ path: String, opened: ByteInput? = nil) throws -> (set: ImageSet, note: GreyNote) {
    let stream = try stream(path, opened: opened)
    do throws(AEError) {
      let set = try stream.all()
      return (set, stream.converted)
    } catch {
      guard error.code == .memory, !error.message.hasPrefix(path) else { throw error }
      throw error.at(path == "-" ? "standard input" : path)
    }
  }
}

// Images one after the other, whatever they come from. Files of many images need not fit into memory: IDX and
// NPY are read a piece at a time. Pictures and folders of them are read whole, and then given out in the same way.

import ArgumentParser
import Bytes
import Core
import Network
import Storage
import ToolKit

/// The images of a source in order.
final class ImageStream {
  let shape: ImageShape
  let count: Int
  let source: SourceKind
  private(set) var labels: [UInt8]?
  let names: [String]?
  private let set: ImageSet?
  private let reader: ImageReader?
  /// From the reader's images to those that are given out.
  private let change: ImageChange?
  /// Some of the reader's images before they are changed.
  private var scratch: Buffer<UInt8>?
  /// What messages call the source.
  private let name: String
  /// Images given out so far.
  private var done = 0
  private var note: GreyNote
  private let rule: GreyRule
  private var hasWarned = false
  /// How images come to their size; what was resized is told in reports.
  let fit: ImageFit

  var width: Int { shape.width }
  var height: Int { shape.height }
  var imageSize: Int { shape.byteCount }

  /// Images in memory, changed already.
  /// - Parameter note: which of them were converted.
  init(_ set: ImageSet, _ name: String, note: GreyNote, _ rule: GreyRule, _ fit: ImageFit) throws(AEError) {
    (shape, count, source) = (set.shape, set.count, set.source)
    (labels, names) = (set.labels, set.names)
    (self.set, reader, self.name, self.note) = (set, nil, name, note)
    (self.rule, self.fit, change) = (rule, fit, nil)
    if rule == .exact { try GreyNote.refuse(note.conversions, of: note.name) }
  }

  /// Images that come one after the other.
  /// - Parameter channels: the fewest that are given out, where the rule keeps channels.
  init(_ reader: ImageReader, _ name: String, _ rule: GreyRule, _ fit: ImageFit, channels: Int)
    throws(AEError)
  {
    let from = ImageShape(width: reader.width, height: reader.height, channels: reader.channels)
    let change = try ImageChange(
      from, channels: rule.keepsChannels ? max(from.channels, channels) : 1, fit, name: name)
    (shape, count, source) = (change.to, reader.count, reader.source)
    (set, names, self.reader, self.name) = (nil, nil, reader, name)
    (self.rule, self.fit) = (rule, fit)
    self.change = change.isIdentity ? nil : change
    note = GreyNote()
    if change.to.channels > from.channels, count > 0 {
      note.add(widened: count, of: count, to: change.to.channels, in: name)
    }
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
    } else if let reader, let change {
      // Some megabytes at a time, whatever becomes of them.
      let size = change.from.byteCount
      let step = max((4 << 20) / size, 1)
      if scratch == nil { scratch = try Buffer(count: try elements(min(step, self.count), size)) }
      guard let scratch else { return }
      var first = 0
      while first < count {
        let part = min(step, count - first)
        try reader.next(part, into: scratch.base)
        var lost: GreyConversions = []
        for index in 0..<part {
          lost.formUnion(change.apply(scratch.base + index * size, to: pixels + (first + index) * imageSize))
        }
        try see(reader.conversions.union(lost))
        first += part
      }
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
      if let change { all = try change.apply(all) }
      all.labels = labels
      try see(all.conversions)
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
    guard !conversions.isSubset(of: seen) else { return }
    if rule == .exact { try GreyNote.refuse(conversions, of: name) }
    seen.formUnion(conversions)
    note.replace(seen, of: name)
  }

  /// What the reader's images lost so far.
  private var seen: GreyConversions = []

  private func warn() {
    guard !hasWarned else { return }
    hasWarned = true
    note.warn(rule)
  }
}

extension InputOptions {
  /// Begins to read what a path names.
  /// - Parameters:
  ///   - opened: what is behind the path, if that was opened already.
  ///   - rule: what becomes of images that are more than 8-bit grey, unless --grey says so.
  ///   - channels: the fewest that images are to have, where the rule keeps channels.
  func stream(_ path: String, opened: ByteInput? = nil, _ rule: GreyRule = .tell, channels: Int = 1) throws
    -> ImageStream
  {
    let rule: GreyRule = grey ? .meant : rule
    let files = try mnistFiles(path)
    try refuseUnusedSplit(path, files)
    if path == "-", labels == "-" {
      throw ValidationError("Images and labels cannot both come from standard input.")
    }
    if path == "-", opened == nil, Console.isTerminal(Console.input) { throw InputOptions.terminalInput }
    let stream: ImageStream
    do {
      if files == nil, path != "-", Path.kind(path) == .folder {
        stream = try ImageFolder.read(Path.trimmed(path), limit: limit, rule, sizing, channels: channels)
      } else {
        let input: ByteInput
        if let opened {
          input = opened
        } else {
          input = try path == "-" ? Console.openInput() : ByteInput(path: files?.images ?? path)
        }
        stream = try ImageFile.open(input, size: size, limit: limit, rule, sizing, channels: channels)
      }
      if let labelPath = labels ?? files?.labels { try stream.addLabels(labelPath) }
    } catch let error as AEError {
      // The allocator knows no names.
      guard error.code == .memory, !error.message.hasPrefix(path) else { throw error }
      throw error.at(path == "-" ? "standard input" : path)
    }
    return stream
  }

  /// Begins to read what a path names, for a model.
  func stream(_ path: String, for model: Architecture) throws -> ImageStream {
    try stream(path, .for(model), channels: max(model.channels, 1))
  }

  /// Reads what a path names, for a model.
  func load(_ path: String, for model: Architecture) throws -> ImageSet {
    try loadAndNote(path, .for(model), channels: max(model.channels, 1)).set
  }

  /// Reads what a path names.
  func load(_ path: String, _ rule: GreyRule = .tell) throws -> ImageSet { try loadAndNote(path, rule).set }

  /// Reads what a path names, and tells what was converted.
  func loadAndNote(_ path: String, opened: ByteInput? = nil, _ rule: GreyRule = .tell, channels: Int = 1)
    throws -> (set: ImageSet, note: GreyNote)
  {
    let stream = try stream(path, opened: opened, rule, channels: channels)
    do throws(AEError) {
      let set = try stream.all()
      return (set, stream.converted)
    } catch {
      guard error.code == .memory, !error.message.hasPrefix(path) else { throw error }
      throw error.at(path == "-" ? "standard input" : path)
    }
  }
}

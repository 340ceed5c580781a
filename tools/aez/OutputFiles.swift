// What a command is about to write, compared with what it reads and with the descriptors it speaks on: files, not
// spellings of their names. One file twice loses one of two outputs, and would lose an input.

import ArgumentParser
import Bytes
import CSystem
import Core
import Glibc
import ToolKit

/// What a path leads to, whether it is there or not.
struct Place {
  private let place: cs_place

  /// Nil if nothing could be there: its folder is missing, or the way to it is barred.
  init?(_ path: String) {
    var found = cs_place()
    guard FileName.withCString(path, { cs_place_of($0, &found) }) == 0 else { return nil }
    place = found
  }

  /// What a descriptor is open on.
  init?(descriptor: Int32) { self.init("/proc/self/fd/\(descriptor)") }

  var isFolder: Bool { place.is_there != 0 && place.kind & UInt32(S_IFMT) == UInt32(S_IFDIR) }
  var isFile: Bool { place.is_there != 0 && place.kind & UInt32(S_IFMT) == UInt32(S_IFREG) }
  /// A device such as /dev/null keeps nothing that could be lost.
  private var isDevice: Bool { place.is_there != 0 && place.kind & UInt32(S_IFMT) == UInt32(S_IFCHR) }
  /// The descriptor that the path names, as /dev/stdout does.
  var descriptor: Int32? { place.descriptor >= 0 ? place.descriptor : nil }

  /// Whether both are one file, or would be.
  func isSame(as other: Place) -> Bool {
    if let descriptor, descriptor == other.descriptor { return true }
    guard !isDevice, place.device == other.place.device, place.inode == other.place.inode,
      place.is_there == other.place.is_there
    else { return false }
    return place.is_there != 0 || name == other.name
  }

  private var name: [UInt8] { withUnsafeBytes(of: place.name) { Array($0.prefix { $0 != 0 }) } }

  /// Whether what is written here comes out where the descriptor leads. A regular file is replaced by another, so that
  /// it does not.
  func isWritten(to descriptor: Int32) -> Bool {
    if self.descriptor == descriptor { return true }
    guard !isFile || self.descriptor != nil, let open = Place(descriptor: descriptor) else { return false }
    return isSame(as: open)
  }
}

enum OutputFiles {
  /// Whether data written to a path, where - is standard output, comes out on standard output.
  static func isStandardOutput(_ path: String) -> Bool {
    path == "-" || Place(path)?.isWritten(to: Console.output) ?? false
  }

  /// Throws if two outputs are one file, one is inside a folder that is another, one is an input, or one is where
  /// messages go.
  /// - Parameters:
  ///   - outputs: paths; - is standard output.
  ///   - inputs: files that would be lost; those that are not there do not matter, nor do folders.
  static func check(_ outputs: [String?], inputs: [String?]) throws {
    func named(_ paths: [String?], dash: Int32) -> [(path: String, place: Place)] {
      paths.compactMap { path in
        guard let path else { return nil }
        return (path == "-" ? Place(descriptor: dash) : Place(path)).map { (path, $0) }
      }
    }
    let outputs = named(outputs, dash: Console.output)
    for (index, output) in outputs.enumerated() {
      for other in outputs[..<index] {
        if output.place.isSame(as: other.place) {
          throw ValidationError(
            "\(other.path) and \(output.path) are one file, and two are to be written: name another.")
        }
        for (folder, file) in [(other, output), (output, other)]
        where folder.place.isFolder && isInside(file.path, folder.place) {
          throw ValidationError(
            "\(file.path) is inside of the folder \(folder.path), which is written as a whole: name another.")
        }
      }
      if output.path != "-", output.place.isWritten(to: Console.error),
        !output.place.isWritten(to: Console.output)
      {
        throw ValidationError("\(output.path) is standard error, where messages go: name another file.")
      }
      for input in named(inputs.filter { $0 != "-" }, dash: Console.input)
      where input.place.isFile && output.place.isSame(as: input.place) {
        throw ValidationError(
          "\(output.path) is what is read\(output.path == input.path ? "" : ", \(input.path)"), and would be lost: "
            + "name another file.")
      }
    }
  }

  /// Whether a path leads through a folder.
  private static func isInside(_ path: String, _ folder: Place) -> Bool {
    guard path != "-" else { return false }
    var parent = Path.folder(Path.trimmed(path))
    for _ in 0..<256 {
      guard let place = Place(parent + "/") else { return false }
      if place.isSame(as: folder) { return true }
      let above = parent + "/.."
      if Place(above + "/").map({ $0.isSame(as: place) }) ?? true { return false }
      parent = above
    }
    return false
  }
}

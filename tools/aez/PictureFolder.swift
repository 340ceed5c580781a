// A folder that pictures are written into. What is in it is looked at, every entry, before any work is done; nothing
// is removed but what this program has written there before, which files say by a mark beside their contents.

import Bytes
import CSystem
import Core
import Glibc
import Storage
import ToolKit

/// A folder to be written, which is new, or empty, or, with --force, holds pictures.
struct PictureFolder {
  /// Without slashes at its end.
  let path: String
  private let overwrite: Bool
  private let isNew: Bool
  /// What was in the folder when it was looked at.
  private let entries: Set<[UInt8]>

  /// Looks at the folder.
  /// - Throws: `.io` if it cannot be written: it is something else, its own folder is missing or closed, it holds
  ///   something that is no picture, or, without `overwrite`, anything.
  init(_ path: String, overwrite: Bool) throws(AEError) {
    self.path = Path.trimmed(path)
    self.overwrite = overwrite
    switch Path.kind(self.path) {
    case .file, .device: throw AEError(.io, "\(self.path): is not a folder")
    case .missing:
      isNew = true
      entries = []
      let parent = Path.folder(self.path)
      guard Path.kind(parent) == .folder else { throw AEError(.io, "\(path): there is no folder \(parent)") }
      guard !Path.isTaken(self.path) else { throw AEError(.io, "\(self.path): is a link to nowhere") }
      let name = Path.last(self.path)
      guard FileName.bytes(name).count <= 255 else {
        throw AEError(.io, "\(self.path): a name of a folder has at most 255 bytes")
      }
      try Path.checkWritable(parent, for: self.path, doing: "make a folder beside it")
    case .folder:
      isNew = false
      try Path.checkWritable(self.path, for: self.path, doing: "write into it")
      // What killed runs left behind is theirs and ours.
      let staging = try TemporaryFolder(in: self.path, for: PictureFolder.staging)
      staging.remove()
      let names = try Path.entries(self.path)
      entries = Set(names.map { FileName.bytes($0) })
      guard !names.isEmpty else { return }
      guard overwrite else {
        throw AEError(
          .io, "\(self.path): exists already and is not empty (--force replaces a folder of pictures)")
      }
      for name in names {
        let isPicture = PictureKind(named: name) != nil || name == ImageFolder.labelsName
        guard isPicture, !name.hasPrefix("."), Path.isRegular("\(self.path)/\(name)") else {
          throw AEError(.io, "\(self.path): holds more than pictures, such as \(name), and is not replaced")
        }
      }
    }
  }

  /// What files under way inside of a folder are for.
  private static let staging = "/"

  /// Files that go, because they are not among those to be written.
  /// - Throws: `.io` if one of them is not this program's.
  func leftovers(besides names: [String]) throws(AEError) -> [String] {
    let kept = Set(names.map { FileName.bytes($0) })
    var leftovers: [String] = []
    for name in entries.subtracting(kept).map({ bytes in bytes.withUnsafeBufferPointer { FileName.text($0) } }
    )
    .sorted(by: Path.isBefore) {
      guard isOurs(name) else {
        throw AEError(
          .io,
          "\(path): holds \(name), which is not among what is to be written, and which aez has not written: "
            + "move it away, or name another folder")
      }
      leftovers.append(name)
    }
    return leftovers
  }

  /// Writes the files.
  ///
  /// A new folder is written beside its place and renamed. Into one that is there, files are written whole, one after
  /// the other: each is the old one or the new one at any time.
  /// - Parameter contents: the bytes of the file of that index, which are read one at a time.
  func write(_ names: [String], _ contents: (Int) throws(AEError) -> Buffer<UInt8>) throws(AEError) {
    let leftovers = try leftovers(besides: names)
    // Ctrl-C is to leave nothing half-done beside the target.
    Interrupt.listen()
    let staging = try TemporaryFolder(
      in: isNew ? Path.folder(path) : path, for: isNew ? Path.last(path) : PictureFolder.staging)
    do throws(AEError) {
      for (index, name) in names.enumerated() {
        if Interrupt.isRequested { throw AEError(.stopped, "stopped before \(path) was complete") }
        let isReplaced = entries.contains(FileName.bytes(name))
        try stage(try contents(index), as: name, in: staging.path, replacing: isReplaced)
      }
      try Path.sync(staging.path)
      if isNew {
        try Path.renameToFreeName(staging.path, to: path)
        try Path.sync(Path.folder(path))
      } else {
        for name in names {
          let (from, to) = ("\(staging.path)/\(name)", "\(path)/\(name)")
          if entries.contains(FileName.bytes(name)) {
            guard Path.isRegular(to) || !Path.isTaken(to) else {
              throw AEError(.io, "\(to): is no longer a file")
            }
            try Path.rename(from, to: to)
          } else {
            try Path.renameToFreeName(from, to: to)
          }
        }
        for name in leftovers where isOurs(name) { Path.remove("\(path)/\(name)") }
        try Path.sync(path)
      }
    } catch {
      staging.remove()
      throw error
    }
    staging.remove()
  }

  /// The mark of a file: its size and checksum. One that was changed since is no longer ours.
  private static func mark(_ bytes: Buffer<UInt8>) -> String {
    "\(bytes.count) \(Checksum.crc32(bytes.base, bytes.count))"
  }

  private func isOurs(_ name: String) -> Bool {
    let path = "\(self.path)/\(name)"
    guard Path.isRegular(path), let mark = Path.mark(path), let bytes = try? File.read(path) else {
      return false
    }
    return mark == PictureFolder.mark(bytes)
  }

  private func stage(_ bytes: Buffer<UInt8>, as name: String, in folder: String, replacing: Bool)
    throws(AEError)
  {
    let old = "\(path)/\(name)"
    let error = FileName.withCString("\(folder)/\(name)") { new in
      FileName.withCString(PictureFolder.mark(bytes)) { mark in
        FileName.withCString(old) {
          cs_file_stage(new, bytes.base, bytes.count, replacing ? $0 : nil, mark)
        }
      }
    }
    errno = error
    if error != 0 { throw Path.systemError("\(path)/\(name)", error == EEXIST ? "create twice" : "write") }
  }
}

/// A folder for files under way, which the next run removes if this one is killed.
private final class TemporaryFolder {
  let path: String
  private var lock: Int32
  private var isThere = true

  init(in folder: String, for target: String) throws(AEError) {
    var room = [CChar](repeating: 0, count: 8192)
    var lock: Int32 = -1
    let error = FileName.withCString(folder) { folder in
      FileName.withCString(target) { cs_temporary_folder(folder, $0, &room, room.count, &lock) }
    }
    errno = error
    guard error == 0 else { throw Path.systemError(folder, "make a folder in it") }
    path = room.withUnsafeBufferPointer { FileName.text($0.baseAddress!) }
    self.lock = lock
  }

  func remove() {
    guard isThere else { return }
    isThere = false
    FileName.withCString(path) { cs_temporary_folder_remove($0, lock) }
  }

  deinit { remove() }
}

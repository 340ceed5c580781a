// What writing asks of the file system beyond whole files: what is there, what may be written, names given and taken.

import Bytes
import CSystem
import Core
import Glibc
import ToolKit

extension Path {
  /// Whether the name is taken, be it by a link to nowhere.
  static func isTaken(_ path: String) -> Bool { File.exists(path) }

  /// Whether a file is there: not a link to one.
  static func isRegular(_ path: String) -> Bool {
    var information = stat()
    return FileName.withCString(path) { lstat($0, &information) } == 0
      && information.st_mode & S_IFMT == S_IFREG
  }

  /// All names in a folder, hidden ones, too, in natural order.
  static func entries(_ folder: String) throws(AEError) -> [String] {
    guard let directory = FileName.withCString(folder, { opendir($0) }) else {
      throw systemError(folder, "open")
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { FileName.text($0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted(by: isBefore)
  }

  /// The folder that holds the file a path leads to, links followed.
  static func folder(leading path: String) throws(AEError) -> String {
    guard let real = FileName.withCString(path, { realpath($0, nil) }) else { return folder(path) }
    defer { free(real) }
    return folder(FileName.text(real))
  }

  /// Throws if no files can be made in a folder.
  static func checkWritable(_ folder: String, for path: String, doing: String) throws(AEError) {
    guard FileName.withCString(folder, { access($0, W_OK | X_OK) }) == 0 else {
      throw systemError(path, doing)
    }
  }

  /// Throws if a file cannot be written over.
  static func checkReplaceable(_ path: String) throws(AEError) {
    guard FileName.withCString(path, { access($0, W_OK) }) == 0 else { throw systemError(path, "write") }
  }

  /// Gives a file or folder another name, which must be free.
  static func renameToFreeName(_ path: String, to target: String) throws(AEError) {
    let error = FileName.withCString(path) { from in
      FileName.withCString(target) { cs_rename_to_free_name(from, $0) }
    }
    errno = error
    if error == EEXIST || error == ENOTEMPTY { throw AEError(.io, "\(target): exists already") }
    if error != 0 { throw systemError(target, "rename") }
  }

  /// Puts on disk what was written to the file system of a path.
  static func sync(_ path: String) throws(AEError) {
    let error = FileName.withCString(path) { cs_file_system_sync($0) }
    errno = error
    if error != 0 { throw systemError(path, "sync") }
  }

  /// The mark that `cs_file_stage` left beside a file's contents; nil if there is none.
  static func mark(_ path: String) -> String? {
    var room = [CChar](repeating: 0, count: 128)
    let count = FileName.withCString(path) { cs_file_mark($0, &room, room.count - 1) }
    return count < 0 ? nil : room.withUnsafeBufferPointer { FileName.text($0.baseAddress!) }
  }
}

// Names of files and folders: parts, listing in natural order, and what is behind a name.

import Bytes
import Core
import Glibc

package enum Path {
  /// What is after the last slash; "" if that is the end.
  package static func last(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: 0x2F) else { return path }
    return String(path[path.index(after: slash)...])
  }

  /// The folder a name is in.
  package static func folder(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: 0x2F) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Without slashes at the end, but for the root's.
  package static func trimmed(_ path: String) -> String {
    var path = path
    while path.utf8.count > 1, path.utf8.last == 0x2F { path.removeLast() }
    return path
  }

  /// Whether a name ends so, in upper or lower case: its bytes, since a sign before them that changes what
  /// they look like does not change what they are.
  /// - Parameter suffix: ASCII, in lower case.
  package static func has(_ path: String, _ suffix: String) -> Bool {
    let (path, suffix) = (path.utf8, suffix.utf8)
    guard path.count >= suffix.count else { return false }
    return zip(path.suffix(suffix.count), suffix).allSatisfy { byte, expected in
      ((0x41...0x5A).contains(byte) ? byte | 0x20 : byte) == expected
    }
  }

  /// What the system says of the file that a path leads to, links followed; nil if there is none.
  package static func status(_ path: String) -> stat? {
    var information = stat()
    return FileName.withCString(path) { stat($0, &information) } == 0 ? information : nil
  }

  package enum Kind { case missing, file, folder, device }

  package static func kind(_ path: String) -> Kind {
    guard let information = status(path) else { return .missing }
    switch information.st_mode & S_IFMT {
    case S_IFDIR: return .folder
    case S_IFREG: return .file
    default: return .device
    }
  }

  /// Whether two paths lead to the same file, which is there.
  package static func isSame(_ a: String, _ b: String) -> Bool {
    guard let x = status(a), let y = status(b) else { return false }
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino
  }

  /// Whether a path is a terminal's.
  package static func isTerminal(_ path: String) -> Bool {
    guard let information = status(path), information.st_mode & S_IFMT == S_IFCHR else { return false }
    let descriptor = FileName.withCString(path) { open($0, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) }
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return Console.isTerminal(descriptor)
  }

  /// The names in a folder, but for hidden ones, in natural order.
  package static func list(_ folder: String) throws(AEError) -> [String] {
    guard let directory = FileName.withCString(folder, { opendir($0) }) else {
      throw systemError(folder, "open")
    }
    defer { closedir(directory) }
    var names: [String] = []
    while true {
      // A folder whose end is an error is not a shorter one.
      errno = 0
      guard let entry = readdir(directory) else {
        guard errno == 0 else { throw systemError(folder, "list") }
        break
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { FileName.text($0) }
      }
      if name.utf8.first != 0x2E { names.append(name) }
    }
    return names.sorted(by: isBefore)
  }

  /// Makes a folder and those it is in.
  package static func makeFolders(_ path: String) throws(AEError) {
    guard kind(path) != .folder else { return }
    let parent = folder(path)
    if parent != path { try makeFolders(parent) }
    guard FileName.withCString(path, { mkdir($0, 0o777) }) == 0 || errno == EEXIST && kind(path) == .folder
    else {
      throw systemError(path, "make the folder")
    }
  }

  /// Removes a file, as far as that goes.
  package static func remove(_ path: String) { _ = FileName.withCString(path) { unlink($0) } }

  /// Removes an empty folder, as far as that goes.
  package static func removeFolder(_ path: String) { _ = FileName.withCString(path) { rmdir($0) } }

  /// Gives a file or folder another name, which loses what it named.
  package static func rename(_ path: String, to target: String) throws(AEError) {
    let error = FileName.withCString(path) { from in
      FileName.withCString(target) { Glibc.rename(from, $0) == 0 ? 0 : errno }
    }
    errno = error
    if error != 0 { throw systemError(target, "rename") }
  }

  /// The paths of a list that colons separate.
  package static func listed(_ paths: String) -> [String] {
    paths.utf8.split(separator: 0x3A).compactMap { String($0) }
  }

  /// Natural order: runs of digits compare as numbers, so that `2.png` comes before `10.png`; all else, and
  /// equal numbers of different lengths, compare byte by byte.
  package static func isBefore(_ a: String, _ b: String) -> Bool {
    let (x, y) = (Array(a.utf8), Array(b.utf8))
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    func number(_ bytes: [UInt8], _ position: inout Int) -> ArraySlice<UInt8> {
      let start = position
      while position < bytes.count, isDigit(bytes[position]) { position += 1 }
      return bytes[start..<position].drop { $0 == 0x30 }
    }
    var (i, j) = (0, 0)
    while i < x.count, j < y.count {
      if isDigit(x[i]), isDigit(y[j]) {
        let (m, n) = (number(x, &i), number(y, &j))
        if m.count != n.count { return m.count < n.count }
        if m != n { return m.lexicographicallyPrecedes(n) }
      } else {
        if x[i] != y[j] { return x[i] < y[j] }
        i += 1
        j += 1
      }
    }
    if x.count - i != y.count - j { return x.count - i < y.count - j }
    return x.lexicographicallyPrecedes(y)
  }

  /// The error of the last system call: "path: cannot open: No such file or directory".
  package static func systemError(_ path: String, _ doing: String) -> AEError {
    AEError(.io, "\(path): cannot \(doing): \(String(cString: strerror(errno)))")
  }
}

// Folders of pictures, read into a set and written back as the folder they were: the same names, order and
// labels.

import Bytes
import CSystem
import Core
import Glibc
import Storage

enum ImageFolder {
  /// A folder's labels, if it has any: an IDX file of this name, in the order of the pictures.
  static let labelsName = "labels-idx1-ubyte"

  /// Reads every .png or .pgm file of a folder, in natural order of their names.
  ///
  /// Hidden files and files of other kinds are passed over. Pictures of both kinds, or of different sizes,
  /// are errors that name the file.
  static func read(_ folder: String) throws(AEError) -> ImageSet {
    let all = try Path.list(folder)
    let names = all.filter { Path.has($0, ".png") || Path.has($0, ".pgm") }
    guard let first = names.first else {
      throw AEError(.io, "\(folder): holds no .png or .pgm files")
    }
    let isPNG = Path.has(first, ".png")
    if let other = names.first(where: { Path.has($0, ".png") != isPNG }) {
      throw AEError(
        .format, "\(folder): holds PNG and PGM files, such as \(first) and \(other); one kind is expected")
    }
    let start = try ImageFile.read(try File.read("\(folder)/\(first)"), name: "\(folder)/\(first)")
    guard let byteCount = names.count.times(start.imageSize) else {
      throw AEError(
        .memory, "\(folder): \(names.count) images of \(start.width) x \(start.height) are too many")
    }
    let pixels = try Buffer<UInt8>(count: byteCount)
    for (index, name) in names.enumerated() {
      let image =
        index == 0
        ? start : try ImageFile.read(try File.read("\(folder)/\(name)"), name: "\(folder)/\(name)")
      guard image.width == start.width, image.height == start.height else {
        throw try oddOne(folder, names, start, index, image)
      }
      (pixels.base + index * image.imageSize).update(from: image.pixels.base, count: image.imageSize)
    }
    var set = try ImageSet(
      width: start.width, height: start.height, count: names.count, pixels: pixels, names: names,
      source: isPNG ? .pngFolder : .pgmFolder)
    if all.contains(labelsName) {
      set.labels = try LabelFile.read("\(folder)/\(labelsName)", count: set.count)
    }
    return set
  }

  /// The error for a picture of another size: it names the one that the others do not agree with.
  private static func oddOne(
    _ folder: String, _ names: [String], _ start: ImageSet, _ index: Int, _ image: ImageSet
  ) throws(AEError) -> AEError {
    if index == 1 && names.count > 2 {
      // One against one: the third decides.
      let third = try ImageFile.read(try File.read("\(folder)/\(names[2])"), name: "\(folder)/\(names[2])")
      if third.width == image.width && third.height == image.height {
        return AEError(
          .shape,
          "\(folder)/\(names[0]): is \(start.width) x \(start.height), "
            + "the others are \(image.width) x \(image.height)")
      }
    }
    let others: String
    if index == 1 { others = names[0] + " is" } else { others = "the \(index) before it are" }
    return AEError(
      .shape,
      "\(folder)/\(names[index]): is \(image.width) x \(image.height), "
        + "\(others) \(start.width) x \(start.height)")
  }

  /// Writes a set as a folder of pictures: into a new folder beside it, which is then renamed.
  /// - Parameter isPNG: the kind of the files, PNG or PGM.
  static func write(_ set: ImageSet, to path: String, isPNG: Bool, overwrite: Bool) throws(AEError) {
    let names = try fileNames(set, isPNG: isPNG)
    let target = Path.trimmed(path)
    try checkTarget(target, overwrite: overwrite)
    // Ctrl-C is to leave nothing half-done beside the target.
    Interrupt.listen()
    let temporary = try makeTemporary(beside: target)
    do throws(AEError) {
      for index in 0..<set.count {
        if Interrupt.isRequested { throw AEError(.stopped, "stopped before \(target) was complete") }
        let bytes = isPNG ? try PNG.write(set, index: index) : try PGM.write(set, index: index)
        try writeNew("\(temporary)/\(names[index])", bytes)
      }
      if let labels = set.labels {
        try writeNew("\(temporary)/\(labelsName)", try IDX.writeLabels(labels))
      }
      try check(FileName.withCString(temporary, { cs_file_system_sync($0) }), target, "sync")
      try moveIntoPlace(temporary, target)
    } catch {
      remove(temporary)
      throw error
    }
  }

  /// Throws if a folder may not be written to this path: it is something else, or holds something.
  static func checkTarget(_ target: String, overwrite: Bool) throws(AEError) {
    switch Path.kind(target) {
    case .missing: return
    case .file, .device: throw AEError(.io, "\(target): is not a folder")
    case .folder:
      let names = try Path.list(target)
      if names.isEmpty { return }
      guard overwrite else {
        throw AEError(
          .io, "\(target): exists already and is not empty (--force replaces a folder of pictures)")
      }
      // The old folder goes as a whole, so nothing may be in it that this tool would not have written.
      for name in names where !(Path.has(name, ".png") || Path.has(name, ".pgm") || name == labelsName) {
        throw AEError(.io, "\(target): holds more than pictures, such as \(name), and is not replaced")
      }
    }
  }

  /// The files' names: the set's, with the ending of the kind that is written, or numbers.
  private static func fileNames(_ set: ImageSet, isPNG: Bool) throws(AEError) -> [String] {
    let ending = isPNG ? ".png" : ".pgm"
    guard let names = set.names else {
      let width = max(String(max(set.count - 1, 0)).count, 5)
      return (0..<set.count).map { index in
        let digits = String(index)
        return String(repeating: "0", count: width - digits.count) + digits + ending
      }
    }
    return try names.map { text throws(AEError) in
      let name = FileName.text(text)
      // Names come from files that anyone may have made: none may lead out of the folder.
      guard !name.isEmpty, name.utf8.count <= 255, !name.hasPrefix("."),
        !name.utf8.contains(where: { $0 == 0x2F || $0 == 0 })
      else { throw AEError(.format, "the file name \"\(name)\" in the set cannot be used in a folder") }
      if Path.has(name, ending) { return name }
      let isOther = Path.has(name, ".png") || Path.has(name, ".pgm")
      return (isOther ? String(name.dropLast(4)) : name) + ending
    }
  }

  private static func makeTemporary(beside target: String) throws(AEError) -> String {
    var template = FileName.bytes("\(Path.folder(target))/.\(Path.last(target)).aez-XXXXXX") + [0]
    let isMade = template.withUnsafeMutableBytes {
      mkdtemp($0.baseAddress!.assumingMemoryBound(to: CChar.self)) != nil
    }
    guard isMade else { throw Path.systemError(target, "make a folder beside it") }
    // mkdtemp makes folders for the owner alone; this one is to be like any other.
    let mask = umask(0)
    umask(mask)
    let path = template.withUnsafeBufferPointer { FileName.text($0) }
    _ = FileName.withCString(path) { chmod($0, 0o777 & ~mask) }
    return path
  }

  private static func writeNew(_ path: String, _ bytes: Buffer<UInt8>) throws(AEError) {
    let descriptor = FileName.withCString(path) { open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else { throw Path.systemError(path, "create") }
    defer { close(descriptor) }
    try File.writeDescriptor(descriptor, name: path, bytes.base, bytes.count)
  }

  private static func moveIntoPlace(_ temporary: String, _ target: String) throws(AEError) {
    // Onto nothing or an empty folder, rename is enough; one with files in it changes places first.
    do throws(AEError) {
      return try Path.rename(temporary, to: target)
    } catch {
      guard errno == ENOTEMPTY || errno == EEXIST else { throw error }
    }
    let exchanged = FileName.withCString(temporary) { from in
      FileName.withCString(target) { cs_file_exchange(from, $0) }
    }
    try check(exchanged, target, "exchange with the new folder")
    remove(temporary)
  }

  private static func check(_ error: Int32, _ path: String, _ doing: String) throws(AEError) {
    guard error != 0 else { return }
    errno = error
    throw Path.systemError(path, doing)
  }

  /// Removes a folder of files, as far as that goes.
  private static func remove(_ folder: String) {
    for name in (try? Path.list(folder)) ?? [] { Path.remove("\(folder)/\(name)") }
    Path.removeFolder(folder)
  }
}

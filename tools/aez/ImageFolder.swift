// Folders of pictures, read into a set and written back as the folder they were: the same names, order and
// labels.

import Bytes
import Core
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

  /// Writes a set as a folder of pictures.
  /// - Parameter isPNG: the kind of the files, PNG or PGM.
  static func write(_ set: ImageSet, to path: String, isPNG: Bool, overwrite: Bool) throws(AEError) {
    let folder = try PictureFolder(path, overwrite: overwrite)
    var names = try fileNames(set.names, count: set.count, isPNG: isPNG)
    let labels = try set.labels.map { labels throws(AEError) in try IDX.writeLabels(labels) }
    if labels != nil { names.append(labelsName) }
    try folder.write(names) { index throws(AEError) in
      if let labels, index == set.count { return labels }
      return isPNG ? try PNG.write(set, index: index) : try PGM.write(set, index: index)
    }
  }

  /// Throws, before any work is done, if a folder of so many pictures could not be written to this path.
  static func check(
    _ path: String, names: [String]?, count: Int, isPNG: Bool, hasLabels: Bool, overwrite: Bool
  ) throws(AEError) {
    var files = try fileNames(names, count: count, isPNG: isPNG)
    if hasLabels { files.append(labelsName) }
    _ = try PictureFolder(path, overwrite: overwrite).leftovers(besides: files)
  }

  /// The files' names: the set's, with the ending of the kind that is written, or numbers.
  private static func fileNames(_ names: [String]?, count: Int, isPNG: Bool) throws(AEError) -> [String] {
    let ending = isPNG ? ".png" : ".pgm"
    guard let names else {
      let width = max(String(max(count - 1, 0)).count, 5)
      return (0..<count).map { index in
        let digits = String(index)
        return String(repeating: "0", count: width - digits.count) + digits + ending
      }
    }
    return try names.map { text throws(AEError) in
      let name = FileName.text(text)
      // Names come from files that anyone may have made: none may lead out of the folder.
      guard !name.isEmpty, FileName.bytes(name).count <= 255, !name.hasPrefix("."),
        !name.utf8.contains(where: { $0 == 0x2F || $0 == 0 })
      else { throw AEError(.format, "the file name \"\(name)\" in the set cannot be used in a folder") }
      if Path.has(name, ending) { return name }
      let isOther = Path.has(name, ".png") || Path.has(name, ".pgm")
      return (isOther ? String(name.dropLast(4)) : name) + ending
    }
  }
}

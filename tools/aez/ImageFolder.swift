// Folders of pictures, read into a set and written back as the folder they were: the same names, order and
// labels.

import Bytes
import Core
import Storage
import ToolKit

enum ImageFolder {
  /// A folder's labels, if it has any: an IDX file of this name, in the order of the pictures.
  static let labelsName = "labels-idx1-ubyte"
  private static let labelsNames = [
    labelsName, labelsName + ".gz", "labels.idx1-ubyte", "labels.idx1-ubyte.gz",
  ]

  /// Reads every .png or .pgm file of a folder, in natural order of their names.
  ///
  /// Hidden files and files of other kinds are passed over. Each file must hold one picture of the kind that
  /// its name says. Pictures of both kinds, or of different sizes, are errors that name the file.
  /// - Parameter limit: the most pictures that are wanted; further ones are not looked at.
  static func read(_ folder: String, limit: Int?, _ rule: GreyRule) throws(AEError) -> (ImageSet, GreyNote) {
    let all = try Path.list(folder)
    let pictures = all.filter { isPicture($0) }
    guard let first = pictures.first else { throw noPictures(folder, all) }
    let isPNG = Path.has(first, ".png")
    if let other = pictures.first(where: { Path.has($0, ".png") != isPNG }) {
      throw AEError(
        .format, "\(folder): holds PNG and PGM files, such as \(first) and \(other); one kind is expected")
    }
    let names = Array(pictures.prefix(limit ?? pictures.count))
    // Read before anything is taken for all: what a header declares may not be there.
    let (firstInput, firstFormat) = try opened("\(folder)/\(first)", isPNG)
    let start = try ImageFile.picture(firstInput, firstFormat)
    let sides = (width: start.width, height: start.height)
    guard let byteCount = names.count.times(start.imageSize) else {
      throw AEError(
        .memory, "\(folder): \(names.count) images of \(sides.width) x \(sides.height) are too many")
    }
    let pixels = try Buffer<UInt8>(count: byteCount)
    let imageSize = sides.width * sides.height
    var note = GreyNote()
    for (index, name) in names.enumerated() {
      let path = "\(folder)/\(name)"
      let (input, format) = try opened(path, isPNG)
      // A picture of another size is not worth decoding.
      guard try self.sides(input, isPNG) ?? sides == sides else { throw try mixed(folder, names, isPNG) }
      let image = try ImageFile.picture(input, format)
      guard image.count == 1, image.width == sides.width, image.height == sides.height else {
        throw AEError(
          .format,
          "\(path): holds \(counted(image.count, "image")) of \(image.width) x \(image.height) where one of "
            + "\(sides.width) x \(sides.height) was declared")
      }
      if rule == .refuse { try GreyNote.refuse(image.conversions, of: path) }
      note.add(image.conversions, of: path)
      (pixels.base + index * imageSize).update(from: image.pixels.base, count: imageSize)
    }
    var set = try ImageSet(
      width: sides.width, height: sides.height, count: names.count, pixels: pixels, names: names,
      source: isPNG ? .pngFolder : .pgmFolder)
    if let labels = labelsNames.first(where: { all.contains($0) }) {
      set.labels = Array(
        try LabelFile.read(regular: "\(folder)/\(labels)", count: pictures.count).prefix(names.count))
    }
    return (set, note)
  }

  /// Opens a file that must be a picture of one kind.
  private static func opened(_ path: String, _ isPNG: Bool) throws(AEError) -> (ByteInput, FileFormat) {
    let input = try ByteInput(regular: path, gunzips: false)
    let format = try FileFormat.of(input)
    let expected = isPNG ? "PNG" : "PGM"
    switch format.kind {
    case .png where isPNG, .pgm where !isPNG: return (input, format)
    case .idx, .npy:
      // With a count, if the header is worth one.
      let count = (try? ImageReader(input))?.declaredCount
      let what = count.map { " of \(counted($0, "image"))" } ?? ""
      throw AEError(.format, "\(path): is \(format.what)\(what), not a \(expected) file")
    case .empty: throw AEError(.format, "\(path): is empty, and holds no image")
    case .unknown: throw AEError(.format, "\(path): is not a \(expected) file (byte 0)")
    default: throw AEError(.format, "\(path): is \(format.what), not a \(expected) file")
    }
  }

  private typealias Sides = (width: Int, height: Int)

  /// The sides that a file's header declares.
  private static func sides(_ path: String, _ isPNG: Bool) throws(AEError) -> Sides {
    let (input, format) = try opened(path, isPNG)
    if let sides = try sides(input, isPNG), (1...65535).contains(sides.width),
      (1...65535).contains(sides.height)
    {
      return sides
    }
    // What is wrong with it, its reader says.
    let image = try ImageFile.picture(input, format)
    return (image.width, image.height)
  }

  /// The sides that a header declares; nil if it is damaged.
  private static func sides(_ input: ByteInput, _ isPNG: Bool) throws(AEError) -> Sides? {
    if isPNG { return PNG.sides(try input.peek(24)) }
    let head = try input.peek(ByteInput.largestPeek)
    guard let layout = try? PGM.layout(head, name: input.name) else { return nil }
    return (layout.width, layout.height)
  }

  /// The error for pictures of different sizes: how many there are of each, and one of a size that is rare.
  private static func mixed(_ folder: String, _ names: [String], _ isPNG: Bool) throws(AEError) -> AEError {
    var sizes: [(sides: Sides, count: Int, name: String)] = []
    for name in names {
      let sides = try sides("\(folder)/\(name)", isPNG)
      if let index = sizes.firstIndex(where: { $0.sides == sides }) {
        sizes[index].count += 1
      } else {
        sizes.append((sides, 1, name))
      }
    }
    // Of sizes that are as frequent the first one counts as the usual one.
    let order = sizes.indices.sorted { (-sizes[$0].count, $0) < (-sizes[$1].count, $1) }
    let shown = order.prefix(5).map { index in
      "\(grouped(sizes[index].count)) of \(sizes[index].sides.width) x \(sizes[index].sides.height)"
    }
    let more = order.count > 5 ? " and \(grouped(order.count - 5)) more sizes" : ""
    let odd = sizes[order[1]]
    return AEError(
      .shape,
      "\(folder)/\(odd.name): is \(odd.sides.width) x \(odd.sides.height), and images of a set have one size: the folder "
        + "holds \(shown.joined(separator: ", "))\(more); scale them, or sort them into folders")
  }

  /// The error for a folder without pictures: what it holds instead, and what to do.
  private static func noPictures(_ folder: String, _ names: [String]) -> AEError {
    var kinds: [(suffix: String, count: Int)] = []
    var classes: [String] = []
    var folderCount = 0
    for name in names {
      if Path.kind("\(folder)/\(name)") == .folder {
        folderCount += 1
        if classes.count < 2, let inner = try? Path.list("\(folder)/\(name)"),
          inner.contains(where: { isPicture($0) || foreignSuffix($0) != nil })
        {
          classes.append(name)
        }
      } else if let suffix = foreignSuffix(name) {
        if let index = kinds.firstIndex(where: { $0.suffix == suffix }) {
          kinds[index].count += 1
        } else {
          kinds.append((suffix, 1))
        }
      }
    }
    let none = "\(folder): holds no .png or .pgm files"
    if let kind = kinds.max(by: { $0.count < $1.count }) {
      return AEError(
        .io, "\(none), but \(grouped(kind.count)) \(kind.suffix): convert them to PNG first")
    }
    if let first = classes.first {
      let such = classes.count > 1 ? "\(first) and \(classes[1])" : first
      return AEError(
        .io,
        "\(none), but \(counted(folderCount, "folder")), such as \(such): name one of them, or put all images into one "
          + "folder, with their classes in a file \(labelsName)")
    }
    return AEError(.io, text: none)
  }

  static func isPicture(_ name: String) -> Bool { Path.has(name, ".png") || Path.has(name, ".pgm") }

  /// The suffix of a picture of a kind that is not read.
  private static func foreignSuffix(_ name: String) -> String? {
    foreignSuffixes.first { Path.has(name, $0) }
  }

  private static let foreignSuffixes = [
    ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".heic", ".jxl", ".jp2", ".ppm",
    ".pbm",
    ".pnm", ".pam", ".ico", ".svg", ".dcm", ".npy", ".npz",
  ]

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
    let files = try names.map { text throws(AEError) in
      let name = FileName.text(text)
      // Names come from files that anyone may have made: none may lead out of the folder.
      guard !name.isEmpty, FileName.bytes(name).count <= 255, name.utf8.first != 0x2E,
        !name.utf8.contains(where: { $0 == 0x2F || $0 == 0 })
      else { throw AEError(.format, "the file name \"\(name)\" in the set cannot be used in a folder") }
      if Path.has(name, ending) { return name }
      return (isPicture(name) ? String(decoding: name.utf8.dropLast(4), as: UTF8.self) : name) + ending
    }
    try refuseCollisions(names, files, ending)
    return files
  }

  /// Throws if two images would go to one file, as `a.png` and `a.PNG` would to `a.pgm`.
  private static func refuseCollisions(_ names: [String], _ files: [String], _ ending: String) throws(AEError)
  {
    let order = files.indices.sorted { a, b in
      let (x, y) = (files[a].utf8, files[b].utf8)
      return x.elementsEqual(y) ? a < b : x.lexicographicallyPrecedes(y)
    }
    for (a, b) in zip(order, order.dropFirst()) where files[a].utf8.elementsEqual(files[b].utf8) {
      throw AEError(
        .format,
        "the images \(a) and \(b) of the set, \"\(names[a])\" and \"\(names[b])\", would both be called \(files[a]): "
          + "write them as \(ending == ".png" ? "--as pgm" : "--as png"), or to an .idx or .npy file")
    }
  }
}

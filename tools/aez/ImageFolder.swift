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

  /// Reads every picture of a folder, in natural order of their names.
  ///
  /// Hidden files and files of other kinds are passed over. Each file must hold one picture of the kind that
  /// its name says. Pictures of several kinds are errors that name the file, and so are those of different sizes unless
  /// `sizing` brings them to one. Where the rule keeps channels, the set has those of the picture that has the most.
  /// - Parameters:
  ///   - limit: the most pictures that are wanted; further ones are not looked at.
  ///   - least: the fewest channels that the set is to have, where the rule keeps channels.
  static func read(
    _ folder: String, limit: Int?, _ rule: GreyRule, _ sizing: Sizing, channels least: Int
  ) throws -> ImageStream {
    let all = try Path.list(folder)
    let pictures = all.filter { PictureKind(named: $0) != nil }
    guard let first = pictures.first, let kind = PictureKind(named: first) else {
      throw noPictures(folder, all)
    }
    if let other = pictures.first(where: { PictureKind(named: $0) != kind }) {
      throw AEError(
        .format,
        "\(folder): holds \(kind.name) and \(PictureKind(named: other)?.name ?? "other") files, such as \(first) and "
          + "\(other); one kind is expected")
    }
    let names = Array(pictures.prefix(limit ?? pictures.count))
    let fit = try fit(sizing, folder, names, kind)
    // Read before anything is taken for all: what a header declares may not be there.
    let (firstInput, firstFormat) = try opened("\(folder)/\(first)", kind)
    let start = try ImageFile.picture(firstInput, firstFormat)
    let own: Sides? = if case .asIs = fit { (start.width, start.height) } else { nil }
    let sides = own ?? fit.sides(of: start.shape)
    var shape = ImageShape(
      width: sides.width, height: sides.height,
      channels: rule.keepsChannels ? max(start.channels, least) : 1)
    func memory() throws(AEError) -> Buffer<UInt8> {
      guard let byteCount = names.count.times(shape.byteCount) else {
        throw AEError(.memory, "\(folder): \(names.count) images of \(shape.text) are too many")
      }
      return try Buffer<UInt8>(count: byteCount)
    }
    var pixels = try memory()
    var note = GreyNote()
    // The fewest channels that hold a file's, and the sides of those that are filled up.
    var facts: [(channels: Int, fileChannels: Int, sides: Sides)] = []
    for (index, name) in names.enumerated() {
      let path = "\(folder)/\(name)"
      let (input, format) = try opened(path, kind)
      // A picture of another size is not worth decoding.
      if let own, try self.sides(input, kind) ?? own != own { throw try mixed(folder, names, kind) }
      let picture = try ImageFile.picture(input, format)
      if let own {
        guard (picture.width, picture.height) == own else {
          throw AEError(
            .format,
            "\(path): holds one image of \(picture.width) x \(picture.height) where one of \(own.width) x \(own.height) "
              + "was declared")
        }
      }
      let change = try ImageChange(
        picture.shape, channels: rule.keepsChannels ? picture.channels : 1, fit, name: path)
      let image = change.isIdentity ? picture : try change.apply(picture)
      if rule == .exact { try GreyNote.refuse(image.conversions, of: path) }
      note.add(image.conversions, of: path)
      facts.append((image.channels, picture.fileChannels, (picture.width, picture.height)))
      if image.channels > shape.channels {
        // Those that were read before have as many from now on.
        let (before, narrow) = (pixels, shape.channels)
        shape = ImageShape(width: shape.width, height: shape.height, channels: image.channels)
        pixels = try memory()
        Channels.widen(
          before.base, narrow, to: pixels.base, shape.channels,
          pixelCount: index * shape.width * shape.height)
      }
      Channels.widen(
        image.pixels.base, image.channels, to: pixels.base + index * shape.byteCount, shape.channels,
        pixelCount: shape.width * shape.height)
    }
    if case .padded = fit, shape.channels == 4 {
      for (index, fact) in facts.enumerated() where fact.channels < 4 {
        clear(pixels.base + index * shape.byteCount, shape, but: fact.sides)
      }
    }
    if rule.keepsChannels {
      note.add(
        widened: facts.count { $0.fileChannels < shape.channels }, of: names.count, to: shape.channels,
        in: folder)
    }
    var set = try ImageSet(
      width: shape.width, height: shape.height, channels: shape.channels, count: names.count,
      pixels: pixels, names: names, source: kind.folderSource)
    if let labels = labelsNames.first(where: { all.contains($0) }) {
      set.labels = Array(
        try LabelFile.read(regular: "\(folder)/\(labels)", count: pictures.count).prefix(names.count))
    }
    return try ImageStream(set, folder, note: note, rule, fit)
  }

  /// Makes what is outside of a picture's sides transparent.
  private static func clear(_ image: UnsafeMutablePointer<UInt8>, _ shape: ImageShape, but sides: Sides) {
    for y in 0..<shape.height {
      for x in 0..<shape.width where x >= sides.width || y >= sides.height {
        image[(y * shape.width + x) * 4 + 3] = 0
      }
    }
  }

  /// Opens a file that must be a picture of one kind.
  private static func opened(_ path: String, _ kind: PictureKind) throws(AEError) -> (ByteInput, FileFormat) {
    let input = try ByteInput(regular: path, gunzips: false)
    let format = try FileFormat.of(input)
    if format.kind == kind.format { return (input, format) }
    switch format.kind {
    case .idx, .npy:
      // With a count, if the header is worth one.
      let count = (try? ImageReader(input))?.declaredCount
      let what = count.map { " of \(counted($0, "image"))" } ?? ""
      throw AEError(.format, "\(path): is \(format.what)\(what), not a \(kind.name) file")
    case .empty: throw AEError(.format, "\(path): is empty, and holds no image")
    case .unknown: throw AEError(.format, "\(path): is not a \(kind.name) file (byte 0)")
    default: throw AEError(.format, "\(path): is \(format.what), not a \(kind.name) file")
    }
  }

  private typealias Sides = (width: Int, height: Int)

  /// The sides that a file's header declares.
  private static func sides(_ path: String, _ kind: PictureKind) throws(AEError) -> Sides {
    let (input, format) = try opened(path, kind)
    if let sides = try sides(input, kind), (1...65535).contains(sides.width),
      (1...65535).contains(sides.height)
    {
      return sides
    }
    // What is wrong with it, its reader says.
    let image = try ImageFile.picture(input, format)
    return (image.width, image.height)
  }

  /// The sides that a header declares; nil if it is damaged.
  private static func sides(_ input: ByteInput, _ kind: PictureKind) throws(AEError) -> Sides? {
    if kind == .png { return PNG.sides(try input.peek(24)) }
    let head = try input.peek(ByteInput.largestPeek)
    guard let layout = try? PNM.layout(head, name: input.name) else { return nil }
    return (layout.width, layout.height)
  }

  /// What is to be done to each picture for all to have one size.
  private static func fit(
    _ sizing: Sizing, _ folder: String, _ names: [String], _ kind: PictureKind
  ) throws(AEError) -> ImageFit {
    guard case .pad(.largest) = sizing else { return sizing.fit }
    var (width, height) = (1, 1)
    for name in names {
      let sides = try sides("\(folder)/\(name)", kind)
      (width, height) = (max(width, sides.width), max(height, sides.height))
    }
    let limit = ImageShape.maximumSide
    guard let size = ImageSize(argument: "\(width)x\(height)"), max(width, height) <= limit else {
      throw AEError(
        .shape,
        "\(folder): --pad largest makes images of \(width) x \(height), and sides are 1 to \(limit) pixels: say "
          + "--resize, or sort the pictures into folders")
    }
    return .padded(size)
  }

  /// The error for pictures of different sizes: how many there are of each, with an example, and the ways out.
  private static func mixed(_ folder: String, _ names: [String], _ kind: PictureKind) throws(AEError)
    -> ListedError
  {
    var sizes: [(sides: Sides, count: Int, name: String)] = []
    for name in names {
      let sides = try sides("\(folder)/\(name)", kind)
      if let index = sizes.firstIndex(where: { $0.sides == sides }) {
        sizes[index].count += 1
      } else {
        sizes.append((sides, 1, name))
      }
    }
    // Of sizes that are as frequent the first one counts as the usual one.
    let order = sizes.indices.sorted { (-sizes[$0].count, $0) < (-sizes[$1].count, $1) }
    let shown = order.count > listedSizes ? listedSizes - 1 : order.count
    let digits = grouped(sizes[order[0]].count).count
    var lines = order.prefix(shown).map { index in
      let size = sizes[index]
      let count = grouped(size.count)
      return "  \(String(repeating: " ", count: digits - count.count))\(count) of \(size.sides.width) x "
        + "\(size.sides.height), such as \(oneLine(size.name))"
    }
    if shown < order.count {
      let rest = order.dropFirst(shown).reduce(0) { $0 + sizes[$1].count }
      lines.append("  \(grouped(rest)) of \(grouped(order.count - shown)) more sizes")
    }
    let usual = sizes[order[0]].sides
    let (width, height) = (sizes.map { $0.sides.width }.max() ?? 1, sizes.map { $0.sides.height }.max() ?? 1)
    let limit = ImageShape.maximumSide
    let scaled = "\(min(usual.width, limit))x\(min(usual.height, limit))"
    lines.append(
      max(width, height) > limit
        ? "--resize \(scaled) scales all to one size; or sort them into folders."
        : "--resize \(scaled) scales all to one size, --pad largest fills all up to \(width) x \(height) at the right "
          + "and the bottom; or sort them into folders.")
    return ListedError(
      "\(folder): holds pictures of \(grouped(sizes.count)) sizes, and images of a set have one:", lines)
  }

  /// Lines that sizes take in a message, at most.
  private static let listedSizes = 10

  /// The error for a folder without pictures: what it holds instead, and what to do.
  private static func noPictures(_ folder: String, _ names: [String]) -> AEError {
    var kinds: [(suffix: String, count: Int)] = []
    var classes: [String] = []
    var folderCount = 0
    for name in names {
      if Path.kind("\(folder)/\(name)") == .folder {
        folderCount += 1
        if classes.count < 2, let inner = try? Path.list("\(folder)/\(name)"),
          inner.contains(where: { PictureKind(named: $0) != nil || foreignSuffix($0) != nil })
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
    let none = "\(folder): holds no .png, .pgm, .ppm or .pam files"
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

  /// The suffix of a picture of a kind that is not read.
  private static func foreignSuffix(_ name: String) -> String? {
    foreignSuffixes.first { Path.has(name, $0) }
  }

  private static let foreignSuffixes = [
    ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".heic", ".jxl", ".jp2", ".pbm",
    ".pnm", ".ico", ".svg", ".dcm", ".npy", ".npz",
  ]

  /// Writes a set as a folder of pictures.
  static func write(_ set: ImageSet, to path: String, as kind: PictureKind, overwrite: Bool) throws(AEError) {
    let folder = try PictureFolder(path, overwrite: overwrite)
    var names = try fileNames(set.names, count: set.count, kind)
    let labels = try set.labels.map { labels throws(AEError) in try IDX.writeLabels(labels) }
    if labels != nil { names.append(labelsName) }
    try folder.write(names) { index throws(AEError) in
      if let labels, index == set.count { return labels }
      return try kind.write(set, index: index)
    }
  }

  /// Throws, before any work is done, if a folder of so many pictures could not be written to this path.
  static func check(
    _ path: String, names: [String]?, count: Int, as kind: PictureKind, hasLabels: Bool, overwrite: Bool
  ) throws(AEError) {
    var files = try fileNames(names, count: count, kind)
    if hasLabels { files.append(labelsName) }
    _ = try PictureFolder(path, overwrite: overwrite).leftovers(besides: files)
  }

  /// The files' names: the set's, with the ending of the kind that is written, or numbers.
  private static func fileNames(_ names: [String]?, count: Int, _ kind: PictureKind) throws(AEError)
    -> [String]
  {
    let ending = kind.ending
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
      let isPicture = PictureKind(named: name) != nil
      return (isPicture ? String(decoding: name.utf8.dropLast(4), as: UTF8.self) : name) + ending
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
          + "write them --as \(ending == ".png" ? "pam" : "png"), or to an .idx or .npy file")
    }
  }
}

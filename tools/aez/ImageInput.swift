// Images as they come: IDX, NPY, PNG and PGM files, folders of pictures, MNIST, standard input. Whatever it
// is becomes an ImageSet here, for every command.

import ArgumentParser
import Bytes
import Core
import Storage

/// A size in pixels, as in `28x28`.
struct ImageSize: ExpressibleByArgument {
  let width: Int
  let height: Int

  init?(argument: String) {
    let sides = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard sides.count == 2, let width = sides[0], let height = sides[1], (1...65535).contains(width),
      (1...65535).contains(height)
    else { return nil }
    self.width = width
    self.height = height
  }
}

/// Options of commands that read images.
struct InputOptions: ParsableArguments {
  @Option(help: "Which part of a folder with the four MNIST files: train or test.")
  var split: Split?

  @Option(help: ArgumentHelp("A file of labels (idx1-ubyte) for the images.", valueName: "file"))
  var labels: String?

  @Option(
    help: ArgumentHelp(
      "Width and height of flattened images in a two-dimensional .npy, as in 28x28; square unless told.",
      valueName: "wxh"))
  var size: ImageSize?

  @Option(help: ArgumentHelp("Take only the first so many images.", valueName: "count"))
  var limit: Int?

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit).") }
  }

  /// Reads what a path names.
  func load(_ path: String) throws -> ImageSet {
    var set = try read(path)
    if let labels { set.labels = try LabelFile.read(labels, count: set.count) }
    if let limit, limit < set.count { set = try set.prefix(limit) }
    return set
  }

  private func read(_ path: String) throws -> ImageSet {
    let files = try mnistFiles(path)
    try refuseUnusedSplit(path, files)
    if let files { return try readMNIST(files) }
    if path != "-", Path.kind(path) == .folder { return try ImageFolder.read(Path.trimmed(path)) }
    if path == "-" {
      if Console.isTerminal(Console.input) { throw InputOptions.terminalInput }
      let file = try File.readDescriptor(Console.input, name: "standard input")
      return try ImageFile.read(file, name: "standard input", size: size)
    }
    return try ImageFile.read(try File.read(path), name: path, size: size)
  }

  static var terminalInput: ValidationError {
    ValidationError("Images are expected on standard input, which is a terminal: redirect it.")
  }

  /// The files of the part of MNIST that a path and --split mean; nil if it means something else.
  func mnistFiles(_ path: String) throws -> (images: String, labels: String)? {
    func find(_ folder: String, _ split: Split) throws(AEError) -> (images: String, labels: String) {
      func file(_ name: String) throws(AEError) -> String {
        guard let file = MNIST.file(folder, name) else {
          throw AEError(.io, "\(folder): holds neither \(name) nor \(name).gz")
        }
        return file
      }
      return (try file(split.files.images), try file(split.files.labels))
    }
    if path == "mnist" || path.hasPrefix("mnist:") {
      let named = Split(rawValue: String(path.dropFirst("mnist:".count)))
      guard path == "mnist" || named != nil else {
        throw ValidationError("MNIST has the parts mnist:train and mnist:test, not \(path).")
      }
      guard let split = named ?? split, self.split == nil || self.split == split else {
        throw ValidationError("Which part of MNIST: mnist:train or mnist:test?")
      }
      return try find(try MNIST.folder(), split)
    }
    guard path != "-", Path.kind(path) == .folder, MNIST.isFolder(Path.trimmed(path)) else { return nil }
    guard let split else {
      throw ValidationError("\(path) holds the files of MNIST: say --split train or --split test.")
    }
    return try find(Path.trimmed(path), split)
  }

  func refuseUnusedSplit(_ path: String, _ files: (images: String, labels: String)?) throws {
    if files == nil, split != nil {
      throw ValidationError("--split is for a folder with the four MNIST files, which \(path) is not.")
    }
  }

  private func readMNIST(_ files: (images: String, labels: String)) throws(AEError) -> ImageSet {
    let images = try File.read(files.images)
    var set = try IDX.read(images.base, images.count, name: files.images)
    set.labels = try LabelFile.read(files.labels, count: set.count)
    return set
  }
}

/// Files that hold images, told apart by how they begin.
enum ImageFile {
  static func read(_ file: Buffer<UInt8>, name: String, size: (ImageSize)? = nil) throws(AEError) -> ImageSet
  {
    let (bytes, count) = (UnsafePointer(file.base), file.count)
    if Zlib.isGzip(bytes, count) || IDX.matches(bytes, count) {
      return try IDX.read(bytes, count, name: name)
    }
    if NPY.matches(bytes, count) {
      return try NPY.read(bytes, count, name: name, size: size.map { ($0.width, $0.height) })
    }
    if PNG.matches(bytes, count) { return try PNG.read(bytes, count, name: name) }
    if PGM.matches(bytes, count) { return try PGM.read(bytes, count, name: name) }
    throw AEError(
      .format,
      count == 0
        ? "\(name): is empty" : "\(name): does not begin as an IDX, NPY, PNG or PGM file does (byte 0)")
  }
}

extension ImageSet {
  /// The images of a range, with their labels and names.
  func slice(_ range: Range<Int>) throws(AEError) -> ImageSet {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw AEError(.argument, "images \(range.lowerBound) to \(range.upperBound) of \(count) do not exist")
    }
    let copy = try Buffer<UInt8>(
      copying: pixels.base + range.lowerBound * imageSize, count: range.count * imageSize)
    return try ImageSet(
      width: width, height: height, count: range.count, pixels: copy, labels: labels.map { Array($0[range]) },
      names: names.map { Array($0[range]) }, source: source)
  }

  func prefix(_ count: Int) throws(AEError) -> ImageSet { try slice(0..<min(count, self.count)) }

  /// Throws unless the images have the size a model takes.
  func check(width: Int, height: Int, name: String) throws(AEError) {
    guard self.width == width, self.height == height else {
      throw AEError(
        .shape, "\(name): images are \(self.width) x \(self.height), the model takes \(width) x \(height)")
    }
  }
}

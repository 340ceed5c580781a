// Images as they come: IDX, NPY, PNG and PGM files, folders of pictures, MNIST, standard input. Whatever it
// is becomes an ImageSet here, for every command.

import ArgumentParser
import Bytes
import Core
import Model
import Storage
import ToolKit

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

  @Option(
    help: ArgumentHelp(
      "A file of labels (idx1-ubyte) for the images; - is standard input.", valueName: "file"))
  var labels: String?

  @Option(
    help: ArgumentHelp(
      "Width and height of flattened images in a two-dimensional .npy, as in 28x28; square unless told.",
      valueName: "wxh"))
  var size: ImageSize?

  @Option(help: ArgumentHelp("Take only the first so many images.", valueName: "count"))
  var limit: Int?

  @Flag(
    name: [.customLong("grey"), .customLong("gray")],
    help:
      "Take colours, transparency and deeper levels as 8-bit grey: without a word, and for --exact at all.")
  var grey = false

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit).") }
  }

  static var terminalInput: ValidationError {
    ValidationError("Images are expected on standard input, which is a terminal: redirect it.")
  }

  /// The files of the part of MNIST that a path and --split mean; nil if it means something else.
  func mnistFiles(_ path: String) throws -> (images: String, labels: String)? {
    if path == "mnist" || path.hasPrefix("mnist:") {
      let named = Split(rawValue: String(path.dropFirst("mnist:".count)))
      guard path == "mnist" || named != nil else {
        throw ValidationError("MNIST has the parts mnist:train and mnist:test, not \(path).")
      }
      guard let split = named ?? split, self.split == nil || self.split == split else {
        throw ValidationError("Which part of MNIST: mnist:train or mnist:test?")
      }
      return try MNIST.files(of: split, in: try MNIST.folder())
    }
    guard path != "-", Path.kind(path) == .folder, MNIST.isFolder(Path.trimmed(path)) else { return nil }
    guard let split else {
      throw ValidationError("\(path) holds the files of MNIST: say --split train or --split test.")
    }
    return try MNIST.files(of: split, in: Path.trimmed(path))
  }

  func refuseUnusedSplit(_ path: String, _ files: (images: String, labels: String)?) throws {
    if files == nil, split != nil {
      throw ValidationError("--split is for a folder with the four MNIST files, which \(path) is not.")
    }
  }
}

/// Files that hold images, told apart by how they begin.
enum ImageFile {
  /// Begins to read a file of any kind. What is none of images is refused when its first bytes have come.
  static func open(_ input: ByteInput, size: ImageSize?, limit: Int?, _ rule: GreyRule) throws(AEError)
    -> ImageStream
  {
    let format = try FileFormat.of(input)
    switch format.kind {
    case .idx, .npy:
      let reader = try ImageReader(input, size: size.map { ($0.width, $0.height) }, limit: limit)
      return ImageStream(reader, input.name, rule)
    case .png, .pgm:
      let set = try picture(input, format)
      var note = GreyNote()
      note.add(set.conversions, of: input.name)
      return try ImageStream(set, input.name, note: note, rule)
    default: throw format.refusal(input.name)
    }
  }

  /// Reads the one picture of a PNG or PGM file.
  static func picture(_ input: ByteInput, _ format: FileFormat) throws(AEError) -> ImageSet {
    if format.kind == .png {
      let file = try PNG.bytes(input)
      return try PNG.read(file.base, file.count, name: input.name)
    }
    let layout = try PGM.layout(try input.peek(ByteInput.largestPeek), name: input.name)
    let file = try input.bytes(atMost: layout.byteCount)
    return try PGM.read(file.base, file.count, name: input.name)
  }
}

extension ImageSet {
  /// Throws unless the images have the size a model takes.
  func check(for model: Autoencoder, name: String) throws(AEError) {
    try Advice.checkSides(width, height, name: name)
    guard width == model.architecture.width, height == model.architecture.height else {
      throw Advice.wrongSize(name, width, height, model)
    }
  }
}

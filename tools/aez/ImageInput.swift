// Images as they come: IDX, NPY, PNG, PGM, PPM and PAM files, folders of pictures, MNIST, standard input. Whatever it
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

/// What the command line says of the size of images.
enum Sizing {
  case asIs
  case resize(ImageSize)
  case pad(PadSize)

  /// The same for images of one size.
  var fit: ImageFit {
    switch self {
    case .asIs, .pad(.largest): return .asIs
    case .resize(let size): return .resized(size)
    case .pad(.size(let size)): return .padded(size)
    }
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

  @Option(
    help: ArgumentHelp(
      "Scale images to this size, as in 32x32: each pixel is the mean of the area that it covers. What --exact keeps is "
        + "then the scaled images.", valueName: "wxh"))
  var resize: ImageSize?

  @Option(
    help: ArgumentHelp(
      "Fill images up to this size with black, or transparency if they have such, at the right and the bottom; largest is the "
        + "greatest width and height of a folder's pictures.", valueName: "wxh|largest"))
  var pad: PadSize?

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1, not \(limit).") }
    if resize != nil, pad != nil { throw ValidationError("--resize and --pad exclude each other.") }
    if let resize { try InputOptions.check(resize, "--resize") }
    if case .size(let size) = pad { try InputOptions.check(size, "--pad") }
  }

  private static func check(_ size: ImageSize, _ option: String) throws {
    guard max(size.width, size.height) <= ImageShape.maximumSide else {
      throw ValidationError("\(option) must be at most \(ImageShape.maximumSide)x\(ImageShape.maximumSide).")
    }
  }

  /// How images come to one size.
  var sizing: Sizing { resize.map { .resize($0) } ?? pad.map { .pad($0) } ?? .asIs }

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
  static func open(
    _ input: ByteInput, size: ImageSize?, limit: Int?, _ rule: GreyRule, _ sizing: Sizing, channels: Int
  ) throws(AEError) -> ImageStream {
    let format = try FileFormat.of(input)
    switch format.kind {
    case .idx, .npy:
      let reader = try ImageReader(input, size: size.map { ($0.width, $0.height) }, limit: limit)
      return try ImageStream(reader, input.name, rule, sizing.fit, channels: channels)
    case .png, .pgm, .ppm, .pam:
      let picture = try picture(input, format)
      let change = try ImageChange(
        picture.shape, channels: rule.keepsChannels ? max(picture.channels, channels) : 1, sizing.fit,
        name: input.name)
      let set = change.isIdentity ? picture : try change.apply(picture)
      var note = GreyNote()
      note.add(set.conversions, of: input.name)
      if picture.fileChannels < set.channels {
        note.add(widened: 1, of: 1, to: set.channels, in: input.name)
      }
      return try ImageStream(set, input.name, note: note, rule, sizing.fit)
    default: throw format.refusal(input.name)
    }
  }

  /// Reads the one picture of a PNG, PGM, PPM or PAM file.
  static func picture(_ input: ByteInput, _ format: FileFormat) throws(AEError) -> ImageSet {
    if format.kind == .png {
      let file = try PNG.bytes(input)
      return try PNG.read(file.base, file.count, name: input.name)
    }
    let layout = try PNM.layout(try input.peek(ByteInput.largestPeek), name: input.name)
    let file = try input.bytes(atMost: layout.byteCount)
    return try PNM.read(file.base, file.count, name: input.name)
  }
}

extension ImageSet {
  /// Throws unless the images have the shape that a model takes.
  func check(for model: Autoencoder, name: String) throws(AEError) {
    guard shape == model.architecture.image else { throw Advice.wrongShape(name, shape, model) }
  }
}

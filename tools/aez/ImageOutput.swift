// Where images go: the kind of file follows from the name, and the name is checked before any work is done.

import ArgumentParser
import Bytes
import Core
import Storage
import ToolKit

/// Kinds of output that --as can ask for.
enum OutputForm: String, CaseIterable, ExpressibleByArgument {
  case idx, npy, png, pgm, ppm, pam

  /// The kind of one picture; nil for arrays.
  var picture: PictureKind? {
    switch self {
    case .idx, .npy: return nil
    case .png: return .png
    case .pgm: return .pgm
    case .ppm: return .ppm
    case .pam: return .pam
    }
  }
}

/// Options of commands that write one file of any kind.
struct OutputOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: ArgumentHelp("Where to write; - is standard output.", valueName: "path"))
  var output: String

  @Flag(name: .shortAndLong, help: "Replace what is there.")
  var force = false

  /// Whether what is written comes out on standard output, by whatever name.
  var isStandardOutput: Bool { OutputFiles.isStandardOutput(output) }

  /// Checks, before any work is done, that the file can be written.
  /// - Parameters:
  ///   - others: what else is written.
  ///   - inputs: what is read, and must not be written over.
  func check(others: [String?] = [], inputs: [String?] = []) throws {
    try OutputFiles.check([output] + others, inputs: inputs)
    if isStandardOutput {
      try Console.refuseTerminal()
    } else {
      try OutputOptions.check(output, force: force)
    }
  }

  static func check(_ path: String, force: Bool) throws {
    guard FileName.bytes(Path.last(path)).count <= 255 else {
      throw AEError(.io, "\(path): a name of a file has at most 255 bytes")
    }
    let kind = Path.kind(path)
    switch kind {
    case .folder: throw AEError(.io, "\(path): is a folder")
    case .file where !force: throw AEError(.io, "\(path): exists already (--force replaces it)")
    case .missing where Path.kind(Path.folder(path)) != .folder:
      throw AEError(.io, "\(path): there is no folder \(Path.folder(path))")
    case .device where Path.isTerminal(path): throw Console.terminalRefusal
    case .device: return
    default: break
    }
    if kind == .file { try Path.checkReplaceable(path) }
    try Path.checkWritable(try Path.folder(leading: path), for: path, doing: "create")
  }

  /// Writes the file: beside its place and renamed, or to standard output.
  func write(_ bytes: Buffer<UInt8>) throws {
    if isStandardOutput {
      try Console.write(bytes)
    } else {
      try File.write(output, bytes.base, bytes.count, overwrite: force)
    }
  }
}

/// Options of commands that write images.
struct ImageOutputOptions: ParsableArguments {
  @OptionGroup var file: OutputOptions

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp(
      "What to write where the name does not tell: idx, npy, png, pgm, ppm or pam. For a folder: the last four.",
      valueName: "kind"))
  var form: OutputForm?

  @Option(
    help: ArgumentHelp(
      "Images in a row of a picture, be it .png, .pgm, .ppm or .pam; about as many as rows unless told."))
  var columns: Int?

  var isStandardOutput: Bool { file.isStandardOutput }

  private enum Kind {
    case idx, gzippedIDX, npy
    case picture(PictureKind)
    case folder(PictureKind?)
  }

  func validate() throws {
    if let columns, columns < 1 { throw ValidationError("--columns must be at least 1, not \(columns).") }
    _ = try kind()
  }

  /// Checks, before any work is done, that the output can be written.
  /// - Parameters: as those of `OutputOptions.check`.
  func check(others: [String?] = [], inputs: [String?] = []) throws {
    if case .folder = try kind() {
      try OutputFiles.check([file.output] + others, inputs: inputs)
      _ = try PictureFolder(file.output, overwrite: file.force)
    } else {
      try file.check(others: others, inputs: inputs)
    }
  }

  /// Checks, before any work is done, that the output takes these images: a folder their names, pictures their channels.
  func check(
    names: [String]? = nil, count: Int, channels: Int = 1, hasLabels: Bool, source: SourceKind
  ) throws {
    switch try kind() {
    case .idx, .gzippedIDX, .npy: return
    case .picture(let kind): try kind.check(channels: channels, of: file.output)
    case .folder(let asked):
      let kind = asked ?? PictureKind(source, channels: channels)
      try kind.check(channels: channels, of: file.output)
      try ImageFolder.check(
        file.output, names: names, count: count, as: kind, hasLabels: hasLabels, overwrite: file.force)
    }
  }

  /// Writes a set of images.
  func write(_ set: ImageSet) throws {
    switch try kind() {
    case .idx: try file.write(try IDX.write(set))
    case .gzippedIDX:
      let plain = try IDX.write(set)
      try file.write(try Zlib.gzip(plain.base, plain.count))
    case .npy: try file.write(try NPY.write(set))
    case .picture(let kind): try file.write(try kind.write(try Grid.make(set, columns: columns ?? 0)))
    case .folder(let asked):
      try ImageFolder.write(
        set, to: file.output, as: asked ?? PictureKind(set.source, channels: set.channels),
        overwrite: file.force)
    }
  }

  /// Begins to write a set whose images come in pieces; nil if the output is made of a whole set.
  func open(_ shape: ImageShape, count: Int) throws -> StreamedImages? {
    let (head, isGzip): ([UInt8], Bool)
    let sizes = shape.sizes(count: count)
    switch try kind() {
    case .idx: (head, isGzip) = (IDX.head(sizes: sizes), false)
    case .gzippedIDX: (head, isGzip) = (IDX.head(sizes: sizes), true)
    case .npy: (head, isGzip) = (NPY.head(shape: sizes), false)
    case .picture, .folder: return nil
    }
    let target = try OutputFile(isStandardOutput ? "/dev/stdout" : file.output, overwrite: file.force)
    return try StreamedImages(target, head: head, isGzip: isGzip)
  }

  /// What the name says.
  private func kind() throws -> Kind {
    let path = file.output
    if path == "-" {
      switch form {
      case .idx, nil: return .idx
      case .npy: return .npy
      case .png: return .picture(.png)
      case .pgm: return .picture(.pgm)
      case .ppm: return .picture(.ppm)
      case .pam: return .picture(.pam)
      }
    }
    if path.utf8.last == 0x2F || Path.kind(path) == .folder {
      if let form, form.picture == nil {
        throw ValidationError("A folder holds png, pgm, ppm or pam files, not \(form.rawValue).")
      }
      return .folder(form?.picture)
    }
    let name = Path.last(path)
    let stem = Path.has(name, ".gz") ? String(name.dropLast(3)) : name
    let named: OutputForm?
    if [".idx", "-idx3-ubyte", ".idx3-ubyte", "-idx4-ubyte", ".idx4-ubyte"].contains(where: {
      Path.has(stem, $0)
    }) {
      named = .idx
    } else if Path.has(name, ".npy") {
      named = .npy
    } else {
      named = OutputForm.allCases.first { $0.picture.map { Path.has(name, $0.ending) } ?? false }
    }
    if let named, let form, named != form {
      throw ValidationError("\(path) is a name for \(named.rawValue), but --as says \(form.rawValue).")
    }
    switch named ?? form {
    case .idx: return stem == name ? .idx : .gzippedIDX
    case .npy: return .npy
    case .png, .pgm, .ppm, .pam:
      let picture = (named ?? form)?.picture ?? .png
      return named == nil ? .folder(picture) : .picture(picture)
    case nil:
      throw ValidationError(
        "\(path) does not tell what to write: end it in .idx, -idx3-ubyte (or either with .gz), .npy, .png, .pgm, "
          + ".ppm, .pam, or / for a folder; or say --as.")
    }
  }
}

/// A file of images that is written piece by piece.
final class StreamedImages {
  private let file: OutputFile
  /// What is to be the next member of a gzip file; nil for plain files.
  private let member: ByteWriter?
  private static let memberSize = 16 << 20

  init(_ file: OutputFile, head: [UInt8], isGzip: Bool) throws(AEError) {
    self.file = file
    member = isGzip ? ByteWriter() : nil
    let head = try Buffer<UInt8>(head)
    try append(head.base, head.count)
  }

  func append(_ bytes: UnsafePointer<UInt8>, _ count: Int) throws(AEError) {
    guard let member else { return try file.append(bytes, count) }
    var done = 0
    while done < count {
      let step = min(count - done, StreamedImages.memberSize - member.count)
      try member.bytes(bytes + done, step)
      done += step
      if member.count == StreamedImages.memberSize { try endMember() }
    }
  }

  func finish() throws(AEError) {
    if let member, member.count > 0 { try endMember() }
    try file.finish()
  }

  private func endMember() throws(AEError) {
    guard let plain = try member?.finish() else { return }
    let packed = try Zlib.gzip(plain.base, plain.count)
    try file.append(packed.base, packed.count)
  }
}

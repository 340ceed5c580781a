// aez decompress: an image set (.aez) back to images.

import ArgumentParser
import Bytes
import Compression
import Core
import Model
import Storage

struct Decompress: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Decompress an image set (.aez) to images.",
    usage: "aez decompress <set.aez> [--model <file>] -o <path> [<options>]",
    discussion: """
      The model is found by its hash: embedded in the set, compiled into aez, or in a file of AE_MODEL_PATH \
      (files and folders, separated by colons); --model names it. A set made from a folder comes back as that \
      folder, the same names, order and labels.

      A damaged block costs its images alone. With --partial what is whole is written, lost images are black, \
      and the exit status is 1.

      EXAMPLES
        aez decompress digits.aez -o digits/
        aez decompress digits.aez -o one.png --first 41 --count 1
      """)

  @Argument(help: "The image set: an .aez file, or - for standard input.") var set: String
  @Option(
    name: .shortAndLong, help: ArgumentHelp("The weight file (.aew) it was made with.", valueName: "file"))
  var model: String?
  @Option(help: "The first image to decompress, counted from 0.") var first = 0
  @Option(name: .shortAndLong, help: "How many images; all that follow unless told.") var count: Int?
  @Option(help: ArgumentHelp("Also write the labels: an IDX file; .gz gzips it.", valueName: "file"))
  var labels: String?
  @Flag(help: "Write what can be read of a damaged set.") var partial = false
  @OptionGroup var output: ImageOutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    guard first >= 0 else { throw ValidationError("--first must be at least 0, not \(first).") }
    if let count, count < 1 { throw ValidationError("--count must be at least 1, not \(count).") }
  }

  func run() throws {
    try output.check()
    if let labels { try OutputOptions.check(labels, force: output.file.force) }
    let (name, bytes) = try SetFile.read(set)
    let packed = try Models.openSet(bytes, name: name, model: model)
    let information = packed.information
    guard first < max(information.count, 1), (count ?? 0) <= information.count - first else {
      throw AEError(
        .argument,
        "\(name): holds \(counted(information.count, "image")), not \(count ?? 1) from number \(first)")
    }
    let range = first..<first + (count ?? information.count - first)
    var losses = Losses()
    let images = try read(packed, range, &losses)
    try output.write(images)
    if let labels {
      guard let values = images.labels else { throw AEError(.kind, "\(name): has no labels") }
      try LabelFile.write(values, to: labels, overwrite: output.file.force)
    }

    var facts = Report()
    facts.add("output", .string(output.file.output))
    facts.add(images: images.count, width: images.width, height: images.height)
    facts.add("model", .string(information.modelName), "model")
    facts.add("labels", .bool(images.labels != nil))
    facts.add("names", .bool(images.names != nil))
    facts.add("lost_images", .int(losses.imageCount))
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
    if let error = losses.first {
      throw AEError(
        error.code, "\(error.message); \(counted(losses.imageCount, "image")) lost and written as black")
    }
  }

  /// What --partial could not read.
  private struct Losses {
    var imageCount = 0
    var first: AEError?

    mutating func add(_ error: AEError, images: Int) {
      imageCount += images
      if first == nil { first = error }
    }
  }

  /// The images of a range with their labels and names. With --partial, what cannot be read is noted.
  private func read(_ packed: CompressedSet, _ range: Range<Int>, _ losses: inout Losses) throws(AEError)
    -> ImageSet
  {
    func attempt(images: Int, _ body: () throws(AEError) -> Void) throws(AEError) {
      do throws(AEError) {
        try body()
      } catch {
        guard partial, error.code != .memory else { throw error }
        losses.add(error, images: images)
      }
    }
    let information = packed.information
    let size = information.width * information.height
    let pixels = try Buffer<UInt8>(count: try elements(range.count, size))
    // With --partial a block at a time, so that a damaged one costs only itself.
    let step = partial ? information.blockImages : max(range.count, 1)
    var position = range.lowerBound
    while position < range.upperBound {
      let end = min(partial ? (position / step + 1) * step : range.upperBound, range.upperBound)
      let target = pixels.base + (position - range.lowerBound) * size
      try attempt(images: end - position) { () throws(AEError) in
        try packed.read(first: position, count: end - position, into: target)
      }
      position = end
    }
    var labels: [UInt8]?
    var names: [String]?
    try attempt(images: 0) { () throws(AEError) in
      if let all = try packed.labels() {
        labels = Array(UnsafeBufferPointer(start: all.base + range.lowerBound, count: range.count))
      }
    }
    try attempt(images: 0) { () throws(AEError) in
      if let all = try packed.names() { names = range.map { all[$0] } }
    }
    return try ImageSet(
      width: information.width, height: information.height, count: range.count, pixels: pixels,
      labels: labels, names: names, source: information.source)
  }
}

/// Image sets as files.
enum SetFile {
  /// The bytes of a file or of standard input, and what messages call it.
  static func read(_ path: String) throws(AEError) -> (name: String, bytes: Buffer<UInt8>) {
    guard path == "-" else { return (path, try File.read(path)) }
    let name = "standard input"
    return (name, try File.readDescriptor(Console.input, name: name))
  }
}

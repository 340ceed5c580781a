// aez decompress: an image set (.aez) back to images.

import ArgumentParser
import Bytes
import Compute
import Container
import Core
import Storage
import ToolKit

struct Decompress: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Decompress an image set (.aez) to images.",
    usage: "aez decompress <set.aez> [--model <file>] -o <path> [<options>]",
    discussion: """
      The model is found by its hash: embedded in the set, compiled into aez, or in a file of --model-path or \
      AE_MODEL_PATH (files and folders, separated by colons); --model names it. A set made from a folder comes \
      back as that folder, the same names, order and labels.

      A damaged block costs its images alone. With --salvage all that is whole is written, lost images are \
      black, standard error lists them, and the exit status is 1.

      EXAMPLES
        aez decompress digits.aez -o digits/
        aez decompress digits.aez -o one.png --first 41 --count 1
      """)

  @Argument(help: "The image set: an .aez file, or - for standard input.") var set: String
  @OptionGroup var model: SetModelOptions
  @Option(help: "The first image to decompress, counted from 0.") var first = 0
  @Option(name: .shortAndLong, help: "How many images; all that follow unless told.") var count: Int?
  @Option(help: ArgumentHelp("Also write the labels: an IDX file; .gz gzips it.", valueName: "file"))
  var labels: String?
  @Flag(help: "Write what can be read of a damaged set, and list what is lost.") var salvage = false
  @OptionGroup var output: ImageOutputOptions
  @OptionGroup var report: ReportOptions

  private var isOnStandardOutput: Bool {
    output.isStandardOutput || labels.map { OutputFiles.isStandardOutput($0) } ?? false
  }

  func validate() throws {
    try report.check(dataOnStandardOutput: isOnStandardOutput)
    guard first >= 0 else { throw ValidationError("--first must be at least 0, not \(first).") }
    if let count, count < 1 { throw ValidationError("--count must be at least 1, not \(count).") }
  }

  func run() throws {
    try output.check(others: [labels], inputs: [set, model.model])
    if let labels { try OutputOptions.check(labels, force: output.file.force) }
    let (name, bytes) = try SetFile.open(set)
    let packed = try Models.openSet(bytes, name: name, options: model, isCutAllowed: salvage)
    let information = packed.information
    guard first < max(information.count, 1), (count ?? 0) <= information.count - first else {
      throw AEError(
        .argument,
        "\(name): holds \(counted(information.count, "image")), not \(count ?? 1) from number \(first)")
    }
    let range = first..<first + (count ?? information.count - first)
    var losses = Losses(name: name)
    let (labelValues, names) = try marks(packed, range, &losses)
    if labels != nil, labelValues == nil, losses.partCount == 0 {
      throw AEError(.kind, "\(name): has no labels")
    }
    let shape = information.shape
    try output.check(
      names: names, count: range.count, channels: shape.channels, hasLabels: labelValues != nil,
      source: information.source)
    Interrupt.listen()
    let progress = Progress(total: range.count, isQuiet: report.quiet)
    try Interrupt.whileMaking("\(output.file.output) was complete") {
      if let file = try output.open(shape, count: range.count) {
        // As many blocks at a time as some 16 MB of pixels are, but enough to keep the threads busy.
        let step = max((16 << 20) / shape.byteCount, 1)
        let least = min(8, threadCount)
        var wave = try Buffer<UInt8>(count: 0)
        var position = range.lowerBound
        while position < range.upperBound {
          var (end, blocks) = (position, 0)
          while end < range.upperBound {
            let next = min(packed.images(around: end).upperBound, range.upperBound)
            if blocks >= least, next - position > step { break }
            (end, blocks) = (next, blocks + 1)
          }
          let size = try elements(end - position, shape.byteCount)
          if wave.count < size { wave = try Buffer<UInt8>(count: size) }
          try read(packed, position..<end, into: wave.base, &losses, progress, of: range)
          try file.append(wave.base, (end - position) * shape.byteCount)
          if Interrupt.isRequested { throw AEError(.stopped, "") }
          position = end
        }
        try file.finish()
      } else {
        let pixels = try Buffer<UInt8>(count: try elements(range.count, shape.byteCount))
        try read(packed, range, into: pixels.base, &losses, progress, of: range)
        try output.write(
          try ImageSet(
            width: shape.width, height: shape.height, channels: shape.channels, count: range.count,
            pixels: pixels, labels: labelValues, names: names, source: information.source))
      }
    }
    progress.finish()
    if let labels, let labelValues {
      try LabelFile.write(labelValues, to: labels, overwrite: output.file.force)
    }

    var facts = Report()
    facts.add("output", .string(output.file.output))
    facts.add(images: range.count, shape)
    facts.add(
      "model", information.modelName.isEmpty ? .null : .string(information.modelName),
      information.needsModel || !information.needsPredictor ? "model" : nil,
      information.modelName.isEmpty ? "none needed" : information.modelName)
    facts.add(
      "predictor", information.needsPredictor ? .string(information.predictorName) : .null,
      information.needsPredictor ? "predictor" : nil, information.predictorName)
    facts.add("labels", .bool(labelValues != nil))
    facts.add("names", .bool(names != nil))
    facts.add("lost_images", .int(losses.imageCount))
    facts.add("lost", .array(losses.ranges.map { .array([.int($0.lowerBound), .int($0.upperBound - 1)]) }))
    try report.show(facts, dataOnStandardOutput: isOnStandardOutput)
    if losses.partCount > 0 {
      throw AEError(
        .checksum,
        "\(name): \(counted(losses.partCount, "part")) damaged; \(counted(losses.imageCount, "image")) lost and "
          + "written as black")
    }
  }

  /// What --salvage could not read. Each loss is told on standard error as it is met.
  private struct Losses {
    let name: String
    var partCount = 0
    var imageCount = 0
    var ranges: [Range<Int>] = []

    mutating func add(_ reason: String, images: Range<Int>) {
      partCount += 1
      imageCount += images.count
      guard !images.isEmpty else { return Console.warn("aez: \(reason)") }
      if let last = ranges.last, last.upperBound == images.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<images.upperBound
      } else {
        ranges.append(images)
      }
      Console.warn(
        "aez: \(name): \(reason); images \(images.lowerBound) to \(images.upperBound - 1) are lost")
    }
  }

  private func read(
    _ packed: CompressedSet, _ range: Range<Int>, into pixels: UnsafeMutablePointer<UInt8>,
    _ losses: inout Losses, _ progress: Progress, of whole: Range<Int>
  ) throws(AEError) {
    let hook = progress.hook()
    let before = range.lowerBound - whole.lowerBound
    let onProgress: Monitor.Hook = { done, _ in hook(before + done, whole.count) }
    guard salvage else {
      return try packed.read(
        first: range.lowerBound, count: range.count, into: pixels, onProgress: onProgress)
    }
    try packed.salvage(
      first: range.lowerBound, count: range.count, into: pixels, onProgress: onProgress
    ) { damage in
      progress.finish()
      losses.add(damage.reason, images: damage.images)
    }
  }

  /// Labels and names of a range. With --salvage, what cannot be read is noted.
  private func marks(_ packed: CompressedSet, _ range: Range<Int>, _ losses: inout Losses) throws(AEError)
    -> ([UInt8]?, [String]?)
  {
    func attempt(_ body: () throws(AEError) -> Void) throws(AEError) {
      do throws(AEError) {
        try body()
      } catch {
        guard salvage, error.code != .memory else { throw error }
        losses.add(error.message, images: 0..<0)
      }
    }
    var labels: [UInt8]?
    var names: [String]?
    try attempt { () throws(AEError) in
      if let all = try packed.labels() {
        labels = Array(UnsafeBufferPointer(start: all.base + range.lowerBound, count: range.count))
      }
    }
    try attempt { () throws(AEError) in
      if let all = try packed.names() { names = range.map { all[$0] } }
    }
    return (labels, names)
  }
}

/// Image sets as files.
enum SetFile {
  /// The bytes of a file or of standard input, and what messages call it. A file is read as it is needed.
  static func open(_ path: String) throws(AEError) -> (name: String, bytes: ByteSource) {
    if path != "-", let source = try File.source(path) { return (path, source) }
    let input =
      path == "-"
      ? try Console.openInput(gunzips: false) : try ByteInput(path: path, gunzips: false)
    switch try FileFormat.of(input).kind {
    case .weights: return (input.name, ByteSource(try WeightFile.bytes(input)))
    default: return (input.name, ByteSource(try CompressedSet.bytes(input)))
    }
  }
}

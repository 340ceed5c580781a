// aez cat, append and split: image sets put together and taken apart by their blocks, without decoding them.

import ArgumentParser
import Bytes
import Container
import Core
import Storage
import ToolKit

struct Concatenate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat",
    abstract: "Make one image set of several, by copying their blocks.",
    usage: "aez cat <set.aez> ... -o <set.aez> [<options>]",
    discussion: """
      The images, labels and names of all sets, in order. Nothing is decoded, so that no model is needed and no \
      pixel changes. The sets must agree in image size, in what they keep, in quality and in their model, and have \
      labels and names all or none. Sets that many processes made, each of some blocks of the images, become the \
      same bytes as one process makes of all.

      EXAMPLE
        aez cat part-000.aez part-001.aez -o all.aez
      """)

  @Argument(help: "The image sets.") var sets: [String]
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws { try report.check(dataOnStandardOutput: output.isStandardOutput) }

  func run() throws {
    try output.check(inputs: sets)
    let sources = try sets.map { path in try SetFile.openWithoutModel(path) }
    Interrupt.listen()
    let total = sources.reduce(0) { $0 + $1.information.count }
    let progress = Progress(total: total, isQuiet: report.quiet)
    let size = try Interrupt.whileMaking("\(output.output) was complete") {
      let file = try OutputFile(
        output.isStandardOutput ? "/dev/stdout" : output.output, overwrite: output.force)
      let size = try concatenate(sources, onProgress: progress.hook()) { bytes, count throws(AEError) in
        try file.append(bytes, count)
      }
      if Interrupt.isRequested { throw AEError(.stopped, "") }
      try file.finish()
      return size
    }
    progress.finish()
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add("sets", .int(sources.count), "sets", grouped(sources.count))
    facts.add(images: total, sources[0].information.shape)
    facts.add("bytes", .int(size), "bytes", grouped(size))
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }
}

struct Append: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Add images to an image set.",
    usage: "aez append <set.aez> <images> [--model <file>] [<options>]",
    discussion: """
      The set's blocks stay as they are; the new images are compressed as the set was, at its quality and with its \
      model, which is found as `aez decompress` finds it, and must have its encoder if the set is one of codes. The \
      images need labels and names if the set has them. The set is replaced when the new one is complete, and is the \
      old or the new one whatever happens.

      EXAMPLE
        aez append digits.aez more.idx
      """)

  @Argument(help: "The image set that grows.") var set: String
  @Argument(help: "The images.") var images: String
  @OptionGroup var model: SetModelOptions
  @OptionGroup var input: InputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    if set == "-" { throw ValidationError("A set on standard input cannot be replaced: name a file.") }
  }

  func run() throws {
    try OutputFiles.check([set], inputs: [images, input.labels, model.model])
    try OutputOptions.check(set, force: true)
    var old = try SetFile.openWithoutModel(set)
    let information = old.information
    let network = try Models.encoder(of: information, name: set, options: model)
    let predictor = try Models.predictor(of: information, name: set, options: model)
    // A decoder that is embedded is enough for scans.
    if network == nil, information.hasModel {
      old = try Models.openSet(try SetFile.open(set).bytes, name: set, options: model)
    }
    let stream = try input.stream(
      images, information.mode != .lossy ? .exact : information.shape.channels > 1 ? .take : .tell,
      channels: information.shape.channels)
    guard stream.shape == information.shape else {
      let isColour = stream.width == information.width && stream.height == information.height
      throw AEError(
        .shape,
        "\(images): \(stream.shape.text) pixels, and \(set) holds images of \(information.shape.text)"
          + (isColour && information.shape.channels == 1 ? ": --grey makes grey ones of them" : ""))
    }
    // Names are the set's as labels are: what it has, all of its images have.
    let names = information.hasNames || information.count == 0 ? try stream.storableNames(images) : nil
    for (what, isThere, isWanted) in [
      ("labels", stream.labels != nil, information.hasLabels),
      ("file names", names != nil, information.hasNames),
    ] where information.count > 0 && isThere != isWanted {
      throw AEError(
        .argument,
        isWanted
          ? "\(images): has no \(what), and \(set) has some" : "\(images): has \(what), and \(set) has none")
    }
    Interrupt.listen()
    let total = information.count + stream.count
    let progress = Progress(total: total, isQuiet: report.quiet)
    let size = try Interrupt.whileMaking("\(set) was complete") {
      let file = try OutputFile(set, overwrite: true)
      let writer = try SetWriter(like: [old], model: network, predictor: predictor) {
        bytes, count throws(AEError) in
        try file.append(bytes, count)
      }
      writer.onProgress = progress.hook()
      writer.expectedCount = total
      try writer.add(blocksOf: old)
      let step = max((4 << 20) / stream.imageSize, 1)
      let wave = try Buffer<UInt8>(count: try elements(min(step, max(stream.count, 1)), stream.imageSize))
      var done = 0
      while done < stream.count {
        let count = min(step, stream.count - done)
        try stream.next(count, into: wave.base)
        let labels = try stream.labels(done, count)
        try writer.add(
          wave.base, count: count, labels: labels.map { UnsafePointer($0.base) },
          names: names.map { Array($0[done..<done + count]) })
        // Until here: a pointer does not keep them.
        withExtendedLifetime(labels) {}
        done += count
      }
      try writer.finish()
      if Interrupt.isRequested { throw AEError(.stopped, "") }
      try file.finish()
      return writer.byteCount
    }
    progress.finish()
    var facts = Report()
    facts.add("output", .string(set))
    facts.add("added", .int(stream.count), "added", counted(stream.count, "image"))
    facts.add(images: total, information.shape)
    facts.add("bytes", .int(size), "bytes", grouped(size))
    facts.add(grey: stream.converted)
    facts.add(stream.fit)
    try report.show(facts)
  }
}

struct SplitSet: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "split",
    abstract: "Split an image set into several, by copying its blocks.",
    usage: "aez split <set.aez> --images <number> -o <prefix> [<options>]",
    discussion: """
      Writes prefix-000.aez, prefix-001.aez and so on, each with so many of the images, the last with what is left; \
      `aez cat` makes the set of them again. Nothing is decoded, so that the parts must begin where blocks do: \
      multiples of 500, unless the set was made with another --block-images.

      EXAMPLE
        aez split digits.aez --images 5000 -o part
      """)

  @Argument(help: "The image set: an .aez file, or - for standard input.") var set: String
  @Option(help: "Images in each part.") var images: Int
  @Option(
    name: .shortAndLong, help: ArgumentHelp("What the names of the parts begin with.", valueName: "prefix"))
  var output: String
  @Flag(name: .shortAndLong, help: "Replace what is there.") var force = false
  @OptionGroup var report: ReportOptions

  func validate() throws {
    guard images >= 1 else { throw ValidationError("--images must be at least 1, not \(images).") }
    if output == "-" { throw ValidationError("Parts are files: name what their names begin with.") }
  }

  func run() throws {
    let source = try SetFile.openWithoutModel(set)
    let count = source.information.count
    let partCount = max((count + images - 1) / images, 1)
    guard partCount <= 1_000_000 else {
      throw AEError(
        .argument,
        "\(set): \(counted(count, "image")) make \(grouped(partCount)) parts, at most a million may be")
    }
    let digits = max(3, String(partCount - 1).count)
    let paths = (0..<partCount).map { part in
      let number = String(part)
      return "\(output)-\(String(repeating: "0", count: digits - number.count))\(number).aez"
    }
    // Nothing is written unless all can be.
    for path in paths { try OutputOptions.check(path, force: force) }
    for part in 1..<max(partCount, 1) where source.images(around: part * images).lowerBound != part * images {
      let block = source.images(around: part * images)
      throw AEError(
        .argument,
        "\(source.name): no block begins at image \(part * images); the nearest begin at images \(block.lowerBound) and "
          + "\(block.upperBound)")
    }
    Interrupt.listen()
    let progress = Progress(total: count, isQuiet: report.quiet)
    try Interrupt.whileMaking("all parts were complete") {
      for (part, path) in paths.enumerated() {
        let range = part * images..<min((part + 1) * images, count)
        let file = try OutputFile(path, overwrite: force)
        let writer = try SetWriter(like: [source]) { bytes, count throws(AEError) in
          try file.append(bytes, count)
        }
        let hook = progress.hook()
        writer.onProgress = { done, _ in hook(range.lowerBound + done, count) }
        try writer.add(blocksOf: source, images: range)
        try writer.finish()
        if Interrupt.isRequested { throw AEError(.stopped, "") }
        try file.finish()
      }
    }
    progress.finish()
    var facts = Report()
    facts.add("parts", .array(paths.map { .string($0) }))
    facts.add(images: count, source.information.shape)
    facts.add(
      line: partCount == 1 ? paths[0] : "\(paths[0]) to \(paths[partCount - 1])",
      title: counted(partCount, "part"))
    try report.show(facts)
  }
}

extension SetFile {
  /// An image set whose blocks are looked at by none.
  static func openWithoutModel(_ path: String) throws(AEError) -> CompressedSet {
    // There may be more sets than a process may have files open.
    if path != "-", let source = try File.reopeningSource(path) {
      return try CompressedSet(blocksOf: source, name: path)
    }
    let (name, bytes) = try open(path)
    return try CompressedSet(blocksOf: bytes, name: name)
  }
}

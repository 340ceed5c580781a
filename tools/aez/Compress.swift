// aez compress: images to an image set (.aez), some blocks at a time.

import ArgumentParser
import Bytes
import Compute
import Container
import Core
import Glibc
import Model
import Storage
import ToolKit
import Training

struct Compress: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compress images to an image set (.aez).",
    usage: "aez compress <images> [--model <file>] -o <set.aez> [<options>]",
    discussion: """
      Keeps a few bytes for each image: its latent code. The set decodes to the same pixels on every machine. \
      It needs the model it was made with; --embed-model puts the decoder into the file. File names, their \
      order, and labels go along.

      With --exact every pixel comes back, with --max-error every pixel to within so much. Such sets may be of \
      images of any size from 1 x 1 to 64 x 64, and need no model that knows them.

      EXAMPLES
        aez compress mnist:test -o digits.aez
        aez compress digits/ --model elu.aew --quality 3 --embed-model -o digits.aez
        aez compress scans.npy --exact -o scans.aez
      """)

  @Argument(help: "The images.") var images: String
  @OptionGroup var model: ModelOptions
  @OptionGroup var input: InputOptions
  @Flag(help: "Keep every pixel.") var exact = false
  @Option(
    help: ArgumentHelp(
      "Keep every pixel to within so many grey levels, 1 to 32.", valueName: "levels"))
  var maxError: Int?
  @Option(
    help: ArgumentHelp(
      """
      With --exact or --max-error: 1 codes by contexts, fast and without a model, 2 by scans that the model predicts, \
      smallest; the strongest unless told.
      """,
      valueName: "number"))
  var effort: Int?
  @Flag(
    inversion: .prefixedNo,
    help: "With --exact or --max-error: hold the images' codes, too, for pictures at a glance.")
  var preview = false
  @Option(
    help: ArgumentHelp(
      "From 1 (smallest) to as many as the model offers (best), which `aez info` tells; without --model from 1 to "
        + "\(BuiltInModel.ladder.count), over the models compiled in. Unless told, the default model's default."
    )
  )
  var quality: Int?
  @Option(
    help: ArgumentHelp(
      "Take the best quality that needs no more bytes an image, judged by the first ten thousand images; without "
        + "--model that of all models compiled in.",
      valueName: "bytes"))
  var bytesPerImage: Double?
  @Flag(help: "Put the decoder into the file, which then needs no other.") var embedModel = false
  @Option(
    help: ArgumentHelp(
      "Images in a block, 1 to 65536: what is decoded to read one, and what damage costs.",
      valueName: "images"))
  var block = CompressionOptions.defaultBlockImages
  @Option(
    help: ArgumentHelp(
      "How often every code is tried against its neighbours for a better picture or fewer bits, 0 to 16, where the "
        + "model was trained with --lambda.",
      valueName: "passes"))
  var search = CompressionOptions.defaultSearchPasses
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  private var mode: Mode { maxError != nil ? .nearLossless : exact ? .lossless : .lossy }

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    if let quality, quality < 1 { throw ValidationError("--quality must be at least 1, not \(quality).") }
    guard (1...65536).contains(block) else {
      throw ValidationError("--block must be in 1 ... 65536, not \(block).")
    }
    guard (0...16).contains(search) else {
      throw ValidationError("--search must be in 0 ... 16, not \(search).")
    }
    if let maxError {
      guard (1...32).contains(maxError) else {
        throw ValidationError("--max-error must be in 1 ... 32, not \(maxError); --exact is for none.")
      }
      if exact { throw ValidationError("--exact and --max-error exclude each other.") }
    }
    if mode == .lossy {
      if effort != nil || preview {
        throw ValidationError(
          "\(effort != nil ? "--effort" : "--preview") is for --exact and --max-error.")
      }
    } else if quality != nil, !preview {
      throw ValidationError(
        "--quality is for codes: with \(exact ? "--exact" : "--max-error") pixels are what they are, unless --preview "
          + "keeps codes, too.")
    } else if bytesPerImage != nil {
      throw ValidationError("--bytes-per-image is for sets of codes: exact ones take what they take.")
    }
    if let effort, effort < 1 { throw ValidationError("--effort must be at least 1, not \(effort).") }
    if let bytesPerImage {
      guard bytesPerImage > 0 else {
        throw ValidationError("--bytes-per-image must be above 0, not \(bytesPerImage).")
      }
      if quality != nil { throw ValidationError("--quality and --bytes-per-image exclude each other.") }
    }
  }

  func run() throws {
    try output.check(inputs: [images, input.labels, model.model])
    // Codes want a model that has learned much, exact sets one that is small.
    let isExactAlone = mode != .lossy && !preview && model.model == nil
    let isRated = mode == .lossy && model.model == nil && (quality != nil || bytesPerImage != nil)
    var rung: BuiltInModel.Rung?
    if isRated, let quality {
      guard quality <= BuiltInModel.ladder.count else {
        throw AEError(
          .argument, "quality must be in 1 ... \(BuiltInModel.ladder.count) without --model, not \(quality)")
      }
      rung = BuiltInModel.ladder[quality - 1]
    }
    var model = try rung?.model.load() ?? (isExactAlone ? BuiltInModel.exact.load() : model.load())
    let stream = try input.stream(images, isExact: mode != .lossy)
    let names = try stream.storableNames(images)
    let fits = model.architecture.width == stream.width && model.architecture.height == stream.height
    try Advice.checkSides(stream.width, stream.height, name: images)
    if mode == .lossy, !fits {
      throw Advice.wrongSize(
        images, stream.width, stream.height, model, else: ", or keep every pixel with --exact")
    }
    var options = CompressionOptions()
    options.mode = mode
    options.maxError = maxError ?? 0
    options.method = try effort.map(method)
    options.keepsCodes = preview
    options.quality = rung?.quality ?? quality ?? 0
    options.embedModel = embedModel
    options.blockImages = block
    options.searchPasses = search

    // As many whole blocks at a time as 16 MB of pixels hold, but enough to keep the threads busy, and for
    // --bytes-per-image the sample that decides.
    var step = max((16 << 20) / (block * stream.imageSize), min(8, threadCount)) * block
    if bytesPerImage != nil { step = max(step, (10_000 + block - 1) / block * block) }
    step = min(step, max(stream.count, 1))
    let wave = try Buffer<UInt8>(count: try elements(step, stream.imageSize))
    var done = min(step, stream.count)
    try stream.next(done, into: wave.base)
    Interrupt.listen()
    var rated = isRated ? quality : nil
    // No images take no bytes at any quality.
    if let bytesPerImage, stream.count > 0 {
      (model, options.quality, rated) = try Interrupt.whileMaking("\(output.output) was complete") {
        try fittingQuality(
          of: wave, count: min(done, 10_000), stream, names, isRated ? nil : model, options,
          limit: bytesPerImage)
      }
    }

    let file = try OutputFile(
      output.isStandardOutput ? "/dev/stdout" : output.output, overwrite: output.force)
    let writer = try SetWriter(
      width: stream.width, height: stream.height, source: stream.source, model: model, options: options
    ) { bytes, count throws(AEError) in try file.append(bytes, count) }
    writer.expectedCount = stream.count
    let isReporting = report.json || !(report.quiet || output.isStandardOutput)
    // An exact set has no error to measure.
    writer.isMeasuring = isReporting && mode != .lossless && stream.count > 0
    let progress = Progress(total: stream.count, isQuiet: report.quiet)
    writer.onProgress = progress.hook()
    var variance = Variance()
    var count = done
    try Interrupt.whileMaking("\(output.output) was complete") {
      while true {
        try writer.add(wave.base, count: count, from: stream, first: done - count, names)
        if Interrupt.isRequested { throw AEError(.stopped, "") }
        if mode == .lossy { variance.add(wave.base, count: count, size: stream.imageSize) }
        count = min(step, stream.count - done)
        if count == 0 { break }
        try stream.next(count, into: wave.base)
        done += count
      }
      try writer.finish()
      if Interrupt.isRequested { throw AEError(.stopped, "") }
    }
    try file.finish()
    progress.finish()
    let complaint = complaint(writer, stream, variance, modelName: model.name)
    if let complaint, !report.quiet { Console.warn("aez: \(complaint)") }
    guard isReporting else { return }

    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add(images: stream.count, width: stream.width, height: stream.height)
    facts.add(
      size: writer.byteCount, count: stream.count, imageSize: stream.imageSize)
    facts.add("layer", .string(mode.name), mode == .lossy ? nil : "layer", mode.phrase(maxError))
    // People are told on the scale that they asked on; programs get what the set says, too.
    facts.add(
      "quality", .int(writer.quality), writer.quality > 0 ? "quality" : nil,
      rated.map {
        "\($0) of \(BuiltInModel.ladder.count) (quality \(writer.quality) of the model \(model.name))"
      } ?? "\(writer.quality)")
    if let rated { facts.add("quality_of_all", .int(rated)) }
    if mode == .lossy {
      facts.add("fits_poorly", .bool(complaint != nil))
      facts.add("kept_images", .int(writer.rawImageCount))
      if writer.rawImageCount > 0 {
        facts.add(
          line: "\(grouped(writer.rawImageCount)) whose reconstruction is too poor",
          title: "stored raw")
      }
    }
    if writer.isMeasuring {
      let pixelCount = Double(stream.count) * Double(stream.imageSize)
      facts.add(mse: Double(writer.squaredError) / pixelCount / (255 * 255))
    }
    let isEmbedded = embedModel && writer.needsModel
    facts.add(
      "model", writer.needsModel ? .string(model.name) : .null, "model",
      writer.needsModel ? "\(model.name)\(isEmbedded ? " (embedded)" : "")" : "none is needed")
    facts.add("model_embedded", .bool(isEmbedded))
    facts.add(grey: stream.converted)
    try report.show(facts)
  }

  /// The method that a number of --effort names.
  private func method(_ effort: Int) throws(AEError) -> Method {
    guard let method = UInt8(exactly: effort).flatMap({ Method(rawValue: $0) }) else {
      throw AEError(.argument, "effort must be in 1 ... 2, not \(effort)")
    }
    return method
  }

  /// What to say of a set of codes that came out badly, most likely because the model has learned other images;
  /// nil if it did not.
  ///
  /// Each image that the model reconstructs too poorly is stored raw: more than a tenth are too many. The models
  /// compiled in leave a sixth of the variance of digits away at their lowest quality, so a third is a sign of
  /// other images; a model of the user's may be as small as it likes.
  private func complaint(
    _ writer: SetWriter, _ stream: ImageStream, _ variance: Variance, modelName: String
  ) -> String? {
    // Blank images are stored raw because that is smaller: no model would do better.
    guard mode == .lossy, stream.count > 0, variance.sum > 0 else { return nil }
    let isMissingMuch =
      model.model == nil && writer.isMeasuring && Double(writer.squaredError) > variance.sum / 3
    guard 10 * writer.rawImageCount > stream.count || isMissingMuch else { return nil }
    var figures = "\(grouped(writer.rawImageCount)) of \(counted(stream.count, "image")) stored raw"
    if writer.isMeasuring {
      let pixelCount = Double(stream.count) * Double(stream.imageSize)
      figures += ", \(decibels(Double(writer.squaredError) / pixelCount / (255 * 255)).fixed(2)) dB"
    }
    let each = Double(writer.byteCount) / Double(stream.count)
    return
      "\(images): the model \"\(modelName)\" does badly on these images: \(figures), \(each.fixed(1)) bytes "
      + "an image; train one for them (\(Advice.training(images)), then --model mine.aew), or keep every pixel "
      + "with --exact"
  }

  /// The best quality at which the first images take no more than `limit` bytes each, their share of what all
  /// share counted. Qualities are taken to need the more bytes, the better they are.
  ///
  /// - Parameter model: nil for those compiled in.
  private func fittingQuality(
    of wave: Buffer<UInt8>, count: Int, _ stream: ImageStream, _ names: [String]?, _ model: Autoencoder?,
    _ options: CompressionOptions, limit: Double
  ) throws -> (Autoencoder, quality: Int, rated: Int?) {
    var loaded: [BuiltInModel: Autoencoder] = [:]
    func candidate(_ index: Int) throws -> (model: Autoencoder, quality: Int) {
      if let model { return (model, index + 1) }
      let rung = BuiltInModel.ladder[index]
      let model = try loaded[rung.model] ?? rung.model.load()
      loaded[rung.model] = model
      return (model, rung.quality)
    }
    func bytesPerImage(_ index: Int, searchPasses: Int) throws -> Double {
      let (model, quality) = try candidate(index)
      var options = options
      options.quality = quality
      options.searchPasses = searchPasses
      let sample = try SetWriter(
        width: stream.width, height: stream.height, source: stream.source, model: model, options: options
      ) { _, _ throws(AEError) in }
      sample.expectedCount = count
      let progress = Progress(total: count, isQuiet: report.quiet)
      sample.onProgress = progress.hook("trying quality \(index + 1): images")
      try sample.add(wave.base, count: count, from: stream, first: 0, names)
      try sample.finish()
      return Double(sample.byteCount - sample.fixedByteCount) / Double(max(count, 1))
        + Double(sample.fixedByteCount) / Double(max(stream.count, 1))
    }
    var candidateCount = BuiltInModel.ladder.count
    if let model {
      guard let codec = model.codec else {
        throw AEError(.kind, "the model \"\(model.name)\" has no codec and cannot compress")
      }
      candidateCount = codec.rates.count
    }
    // Without a search of codes, which takes long and changes little in their size: those below `fitting` fit,
    // those from `tooLarge` on do not.
    var (fitting, tooLarge) = (0, candidateCount)
    while fitting < tooLarge {
      let middle = (fitting + tooLarge) / 2
      if try bytesPerImage(middle, searchPasses: 0) <= limit {
        fitting = middle + 1
      } else {
        tooLarge = middle
      }
    }
    // With it, from there on.
    var index = max(fitting, 1) - 1
    var size = try bytesPerImage(index, searchPasses: search)
    if size <= limit {
      while index + 1 < candidateCount, try bytesPerImage(index + 1, searchPasses: search) <= limit {
        index += 1
      }
    }
    while size > limit, index > 0 {
      index -= 1
      size = try bytesPerImage(index, searchPasses: search)
    }
    guard size <= limit else {
      let what = model.map { "the model \"\($0.name)\" needs" } ?? "the models compiled in need"
      throw AEError(
        .argument,
        "\(images): \(what) \(size.fixed(2)) bytes an image at \(model == nil ? "the" : "its") lowest quality, "
          + "and \(limit.fixed(2)) are allowed")
    }
    let best = try candidate(index)
    return (best.model, best.quality, model == nil ? index + 1 : nil)
  }
}

/// The squared distances of images' pixels to their image's mean grey, summed: the error of a model that knows no
/// more than that.
private struct Variance {
  private(set) var sum = 0.0

  mutating func add(_ pixels: UnsafePointer<UInt8>, count: Int, size: Int) {
    for image in 0..<count {
      var (values, squares) = (0, 0)
      for pixel in 0..<size {
        let value = Int(pixels[image * size + pixel])
        values += value
        squares += value * value
      }
      sum += Double(squares) - Double(values) * Double(values) / Double(size)
    }
  }
}

extension Mode {
  /// The word for programs.
  var name: String {
    switch self {
    case .lossy: return "latent"
    case .lossless: return "exact"
    case .nearLossless: return "near-exact"
    }
  }

  /// The words for people.
  func phrase(_ maxError: Int?) -> String {
    switch self {
    case .lossy: return "codes"
    case .lossless: return "exact: every pixel"
    case .nearLossless: return "near-exact: every pixel to within \(maxError ?? 0)"
    }
  }
}

extension ImageStream {
  /// The names of the images as an image set holds them, which is in UTF-8.
  /// - Parameter path: where the images are.
  func storableNames(_ path: String) throws(AEError) -> [String]? {
    try names?.map { name throws(AEError) in
      guard let text = FileName.utf8(name) else {
        throw AEError(
          .format,
          "\(Path.trimmed(path))/\(name): an image set keeps names in UTF-8, which this one is not: rename the file"
        )
      }
      return text
    }
  }
}

extension SetWriter {
  /// Adds the next images of a stream, with their labels and names.
  func add(
    _ pixels: UnsafePointer<UInt8>, count: Int, from stream: ImageStream, first: Int, _ names: [String]?
  ) throws(AEError) {
    let labels = try stream.labels.map { all throws(AEError) in try Buffer(Array(all[first..<first + count]))
    }
    try add(
      pixels, count: count, labels: labels.map { UnsafePointer($0.base) },
      names: names.map { Array($0[first..<first + count]) })
  }
}

extension Report {
  /// Adds the size of a compressed set: in all, per image, and as a share of the pixels' bytes.
  mutating func add(size byteCount: Int, count: Int, imageSize: Int) {
    let each = Double(byteCount) / Double(max(count, 1))
    let ratio = Double(count) * Double(imageSize) / Double(max(byteCount, 1))
    add("bytes", .int(byteCount), "bytes", grouped(byteCount))
    add("bytes_per_image", .number(each), "an image", "\(each.fixed(2)) bytes")
    add("ratio", .number(ratio), "ratio", "\(ratio.fixed(1)) : 1")
  }
}

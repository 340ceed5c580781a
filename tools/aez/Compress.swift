// aez compress: images to an image set (.aez), some blocks at a time.

import ArgumentParser
import Bytes
import Compute
import Container
import Core
import Glibc
import Model
import Network
import Options
import Storage
import ToolKit
import Training

/// The engine's options of compression as flags.
enum CompressionFlags: FlagTable {
  static var table: OptionTable<CompressionOptions> { CompressionOptions.table }
  static var omitted: [String] { [] }
  static var letters: [String: Character] { [:] }
}

struct Compress: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compress images to an image set (.aez).",
    usage: "aez compress <images> [--model <file>] -o <set.aez> [<options>]",
    discussion: """
      Keeps a few bytes for each image: its latent code. The set decodes to the same pixels on every machine. \
      It needs the model it was made with, which commands find if it came with libae; --embed-model puts the decoder \
      into the file. File names, their order, and labels go along.

      --exact is lossless, --max-error near-lossless. Such sets need no model of yours, and may be of images of any \
      size from 1 x 1 to 256 x 256, grey, RGB or RGB with alpha, of at most 196,608 bytes each: colours and \
      transparency are kept. Codes are of images as the model takes them: for a grey model, as those that come with \
      libae are, others become grey; for a model in colour, grey becomes a colour. A line on standard error says so.

      `aez qualities` lists what each quality costs and gives.

      EXAMPLES
        aez compress mnist:test -o digits.aez
        aez compress digits/ --model elu.aew --quality 3 --embed-model -o digits.aez
        aez compress scans.npy --exact -o scans.aez
      """)

  @Argument(help: "The images.") var images: String
  @OptionGroup var model: ModelOptions
  @OptionGroup var input: InputOptions
  @Flag(name: [.long, .customLong("lossless")], help: "Keep every pixel: --mode lossless.") var exact = false
  @OptionGroup(title: "Compression") var flags: TableFlags<CompressionFlags>
  @Flag(help: "Lossless and near-lossless sets in the least time: --priority speed.") var fast = false
  @Flag(help: "Lossless and near-lossless sets of the fewest bytes: --priority size.") var small = false
  @Option(help: ArgumentHelp("1 for --method contexts, 2 for --method scans.", visibility: .hidden))
  var effort: Int?
  @Flag(name: .customLong("no-preview"), help: ArgumentHelp("What holds unless told.", visibility: .hidden))
  var noPreview = false
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    if exact, flags.gives("mode") || flags.gives("max_error") {
      throw ValidationError(
        "--exact and \(flags.gives("mode") ? "--mode" : "--max-error") exclude each other.")
    }
    if fast || small, (fast && small) || flags.gives("priority") {
      throw ValidationError("--fast, --small and --priority exclude each other.")
    }
    if let effort, !(1...2).contains(effort) {
      throw ValidationError("--effort must be 1 or 2, not \(effort); --method has names for them.")
    }
    let options = try options()
    // The table takes 0 for what was not asked for.
    if flags.gives("max_error"), options.maxError == 0 {
      throw ValidationError("--max-error must be in 1 ... 32, not 0; --exact is for none.")
    }
    if flags.gives("bytes_per_image"), options.bytesPerImage == 0 {
      throw ValidationError("--bytes-per-image must be above 0.")
    }
    if options.mode == .lossy {
      if options.maxError > 0 { throw ValidationError("--mode lossy and --max-error exclude each other.") }
      if options.method != nil || options.keepsCodes || options.priority != .balanced {
        let flag =
          options.keepsCodes
          ? "--preview"
          : effort != nil
            ? "--effort"
            : options.method != nil ? "--method" : fast ? "--fast" : small ? "--small" : "--priority"
        throw ValidationError("\(flag) is for --exact and --max-error.")
      }
    } else {
      let asked = exact ? "--exact" : flags.gives("mode") ? "--mode \(options.mode.name)" : "--max-error"
      if options.mode == .nearLossless, options.maxError == 0 {
        throw ValidationError("--mode near-lossless needs --max-error.")
      }
      if options.mode == .lossless, options.maxError > 0 {
        throw ValidationError("--mode lossless and --max-error exclude each other.")
      }
      if flags.gives("quality"), !options.keepsCodes {
        throw ValidationError(
          "--quality is for codes: with \(asked) pixels are what they are, unless --preview keeps codes, too."
        )
      }
      if flags.gives("bytes_per_image") {
        throw ValidationError(
          "--bytes-per-image is for lossy sets: with \(asked) images take what they take.")
      }
    }
    if flags.gives("quality"), flags.gives("bytes_per_image") {
      throw ValidationError("--quality and --bytes-per-image exclude each other.")
    }
    if model.model == nil, options.quality > ShippedModel.scaleCount {
      throw ValidationError(
        "--quality must be in 1 ... \(ShippedModel.scaleCount) without --model, not \(options.quality).")
    }
  }

  /// What the command line says.
  private func options() throws(AEError) -> CompressionOptions {
    var options = CompressionOptions()
    if let effort { options.method = effort == 1 ? .contexts : .scans }
    try flags.apply(to: &options)
    if exact { options.mode = .lossless }
    if fast { options.priority = .speed }
    if small { options.priority = .size }
    if noPreview { options.keepsCodes = false }
    return options
  }

  func run() throws {
    do {
      try compress()
    } catch let error as AEError {
      throw TableFlags<CompressionFlags>.said(error)
    }
  }

  private func compress() throws {
    try output.check(inputs: [images, input.labels, model.model])
    let options = try options()
    let mode = options.mode
    let given = try model.given()
    let stream: ImageStream
    if mode == .lossy, let given {
      stream = try input.stream(images, for: given.architecture)
    } else {
      stream = try input.stream(images, mode == .lossy ? .tell : .exact)
    }
    let names = try stream.storableNames(images)
    try Advice.checkShape(stream.shape, name: images)
    if mode == .lossy {
      let model = try given ?? BuiltInModels.library.shipped(ShippedModel.standard)
      guard model.architecture.image == stream.shape else {
        throw Advice.wrongShape(images, stream.shape, model, else: ", or keep every pixel with --exact")
      }
    }
    let plan = try CompressionPlan(
      options, model: given, width: stream.width, height: stream.height, channels: stream.shape.channels,
      library: BuiltInModels.library)

    // As many images at a time as 16 MB of pixels hold: the writer makes blocks of them.
    let step = min(max((16 << 20) / stream.imageSize, 1), max(stream.count, 1))
    let wave = try Buffer<UInt8>(count: try elements(step, stream.imageSize))
    Interrupt.listen()
    let file = try OutputFile(
      output.isStandardOutput ? "/dev/stdout" : output.output, overwrite: output.force)
    let writer = try PlannedWriter(plan, source: stream.source.isOfPictures ? stream.source : .unknown) {
      bytes, count throws(AEError) in
      try file.append(bytes, count)
    }
    writer.expectedCount = stream.count
    let isReporting = report.json || !(report.quiet || output.isStandardOutput)
    // A lossless set has no error to measure.
    writer.isMeasuring = isReporting && mode != .lossless && stream.count > 0
    let progress = Progress(total: stream.count, isQuiet: report.quiet)
    writer.onProgress = progress.hook()
    var variance = Variance()
    var done = 0
    try Interrupt.whileMaking("\(output.output) was complete") {
      repeat {
        let count = min(step, stream.count - done)
        try stream.next(count, into: wave.base)
        try writer.add(wave.base, count: count, from: stream, first: done, names)
        if Interrupt.isRequested { throw AEError(.stopped, "") }
        if mode == .lossy { variance.add(wave.base, count: count, size: stream.imageSize) }
        done += count
      } while done < stream.count
      try writer.finish()
    }
    try file.finish()
    progress.finish()
    guard let made = writer.settled else { throw AEError(.internal, "a set without a writer") }
    let settled = writer.plan
    let modelName = settled.model?.name ?? ""
    let complaint = complaint(made, mode, stream, variance, settled, modelName: modelName)
    if let complaint, !report.quiet { Console.warn("aez: \(complaint)") }
    guard isReporting else { return }

    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add(images: stream.count, stream.shape)
    facts.add(size: made.byteCount, count: stream.count, imageSize: stream.imageSize)
    facts.add("mode", .string(mode.name), mode == .lossy ? nil : "mode", mode.phrase(options.maxError))
    // People are told on the scale that they asked on; programs get what the set says, too.
    facts.add(
      "quality", .int(made.quality), made.quality > 0 ? "quality" : nil,
      settled.scaleQuality > 0
        ? "\(settled.scaleQuality) of \(ShippedModel.scaleCount)"
        : "\(made.quality) of \(settled.model?.codec?.rates.count ?? 0)")
    facts.add("scale_quality", .int(settled.scaleQuality))
    if mode == .lossy {
      facts.add("fits_poorly", .bool(complaint != nil))
      facts.add("raw_images", .int(made.rawImageCount))
      if made.rawImageCount > 0 {
        facts.add(
          line: "\(grouped(made.rawImageCount)) whose reconstruction is too poor", title: "stored raw")
      }
    }
    if writer.isMeasuring {
      let pixelCount = Double(stream.count) * Double(stream.imageSize)
      facts.add(mse: Double(made.squaredError) / pixelCount / (255 * 255))
    }
    let isEmbedded = options.embedModel && (made.needsModel || made.needsPredictor)
    let embedded = isEmbedded ? " (embedded)" : ""
    facts.add(
      "model", made.needsModel ? .string(modelName) : .null,
      made.needsModel || !made.needsPredictor ? "model" : nil,
      made.needsModel ? "\(modelName)\(embedded)" : "none is needed")
    facts.add(
      "predictor", made.needsPredictor ? .string(made.predictorName) : .null,
      made.needsPredictor ? "predictor" : nil,
      "\(made.predictorName)\(made.needsModel ? "" : embedded)")
    facts.add("model_embedded", .bool(isEmbedded))
    facts.add(grey: stream.converted)
    facts.add(stream.fit)
    try report.show(facts)
  }

  /// The warning for a lossy set with poor reconstructions, most likely because the model was trained on other images; nil
  /// if they are good enough.
  ///
  /// Each image that the model reconstructs too poorly is stored raw: more than a tenth are too many. Of the variance of
  /// digits, digits-low loses a sixth at its lowest quality, digits-high a twentieth: a third, and a fifth, are a sign
  /// of other images; a model of the user's may be as small as it likes.
  private func complaint(
    _ writer: SetWriter, _ mode: Mode, _ stream: ImageStream, _ variance: Variance, _ plan: CompressionPlan,
    modelName: String
  ) -> String? {
    // Blank images are stored raw because that is smaller: no model would do better.
    guard mode == .lossy, stream.count > 0, variance.sum > 0 else { return nil }
    let share = plan.scaleQuality >= ShippedModel.high.firstScaleQuality ? 5.0 : 3.0
    let isMissingMuch =
      model.model == nil && writer.isMeasuring && Double(writer.squaredError) > variance.sum / share
    guard 10 * writer.rawImageCount > stream.count || isMissingMuch else { return nil }
    var figures = "\(grouped(writer.rawImageCount)) of \(counted(stream.count, "image")) stored raw"
    // Pixels alone are restored as they were.
    if writer.isMeasuring, writer.rawImageCount < stream.count {
      let pixelCount = Double(stream.count) * Double(stream.imageSize)
      figures += ", \(decibels(Double(writer.squaredError) / pixelCount / (255 * 255)).fixed(2)) dB"
    }
    let each = Double(writer.byteCount) / Double(stream.count)
    return
      "\(images): the model \"\(modelName)\" reconstructs these images poorly: \(figures), \(each.fixed(1)) bytes "
      + "an image; train one for them (\(Advice.training(images)), then --model mine.aew), or keep every pixel "
      + "with --exact"
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
    case .lossy: return "lossy"
    case .lossless: return "lossless"
    case .nearLossless: return "near-lossless"
    }
  }

  /// The words for people.
  func phrase(_ maxError: Int?) -> String {
    switch self {
    case .lossy: return "lossy: codes"
    case .lossless: return "lossless: every pixel"
    case .nearLossless: return "near-lossless: every pixel to within \(maxError ?? 0)"
    }
  }
}

extension SourceKind {
  /// Whether a set remembers it, for folders of pictures to become such again. Of arrays there is nothing to remember, and
  /// their sets are those that C and Python write.
  fileprivate var isOfPictures: Bool {
    switch self {
    case .unknown, .idx, .npy: return false
    default: return true
    }
  }
}

extension ImageStream {
  /// The labels of some of the images; nil if there are none.
  func labels(_ first: Int, _ count: Int) throws(AEError) -> Buffer<UInt8>? {
    try labels.map { all throws(AEError) in try Buffer(Array(all[first..<first + count])) }
  }

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

extension PlannedWriter {
  /// Adds the next images of a stream, with their labels and names.
  func add(
    _ pixels: UnsafePointer<UInt8>, count: Int, from stream: ImageStream, first: Int, _ names: [String]?
  ) throws(AEError) {
    let labels = try stream.labels(first, count)
    try add(
      pixels, count: count, labels: labels.map { UnsafePointer($0.base) },
      names: names.map { Array($0[first..<first + count]) })
    // Until here: a pointer does not keep them.
    withExtendedLifetime(labels) {}
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

extension CompressedSet {
  /// Mean squared error, on the [0, 1] scale, of what the set gives back.
  func meanSquaredError(to set: ImageSet) throws(AEError) -> Double {
    let pixels = try Buffer<UInt8>(count: set.pixels.count)
    try read(first: 0, count: set.count, into: pixels.base)
    return Evaluation.meanSquaredError(set.pixels.base, pixels.base, byteCount: pixels.count)
  }
}

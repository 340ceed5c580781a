// From images to an .aez: the one writer of the format. It takes images a few blocks at a time and gives
// their bytes away, so that neither has to be in memory as a whole.

import Bytes
import Compute
import Core
import Latent
import Model
import Network
import Storage

/// How to compress.
public struct CompressionOptions: Sendable {
  /// What to keep of the images.
  public var layer = Layer.latent
  /// The most that a pixel may be off, 1 ... 32: for near-exact sets alone.
  public var maxError = 0
  /// How exact sets are coded: 1 by contexts that adapt, fast and without a model; 2 by the scans that the model
  /// foretells, smallest; 0 is the strongest there is. Not for sets of codes.
  public var effort = 0
  /// Whether exact and near-exact sets hold the images' codes, too: pictures at a glance, for a few bytes each.
  public var keepsCodes = false
  /// 1 (smallest) to the number of the model's qualities (best); 0 is the model's default.
  public var quality = 0
  /// Puts the decoder into the set, which then needs no other file.
  public var embedModel = false
  /// Images in a block, 1 ... 65536; 0 is 512. A block is what is decoded to read one image, and what damage
  /// costs. See `largestBlockPixelCount`.
  public var blockImages = 0

  public static let defaultBlockImages = 512
  /// Pixels of a block of exact or near-exact images, at most: one image costs the decoding of all before it.
  /// Fewer images than were asked for are then in a block.
  public static let largestBlockPixelCount = 1 << 24
  /// Two passes give most of what there is.
  public static let defaultSearchPasses = 2

  /// How often every code is tried against its neighbours for a better picture or fewer bits, 0 ... 16.
  /// Has no effect with a model that does not say what a bit is worth.
  public var searchPasses = CompressionOptions.defaultSearchPasses

  public init() {}
}

/// Packs a set of images.
///
/// The same images, model and options give the same bytes on every machine, whatever the number of threads.
/// - Parameters:
///   - model: nil only for exact and near-exact sets, which are then of deflated pixels.
///   - onProgress: see `SetWriter.onProgress`.
/// - Throws: `.shape` if the images are not of the model's size; `.kind` if the model has no codec or is a
///   decoder alone; `.argument` for options or names that are out of range; `.memory`; `.stopped` if
///   `onProgress` asked for it.
public func compress(
  _ set: ImageSet, with model: Autoencoder?, options: CompressionOptions = CompressionOptions(),
  onProgress: Monitor.Hook? = nil
) throws(AEError) -> Buffer<UInt8> {
  try compress(
    set.pixels, width: set.width, height: set.height, count: set.count, source: set.source,
    labels: try set.labels.map { labels throws(AEError) in try Buffer(labels) }, names: set.names,
    with: model,
    options: options, onProgress: onProgress)
}

/// The same for images and labels where they lie.
public func compress(
  _ pixels: Buffer<UInt8>, width: Int, height: Int, count: Int, source: SourceKind = .unknown,
  labels: Buffer<UInt8>?, names: [String]? = nil, with model: Autoencoder?, options: CompressionOptions,
  onProgress: Monitor.Hook? = nil
) throws(AEError) -> Buffer<UInt8> {
  let packer = try SetWriter(
    width: width, height: height, count: count, source: source, labelBytes: labels, names: names,
    model: model,
    options: options)
  packer.onProgress = onProgress
  let writer = ByteWriter()
  _ = try writer.zeros(packer.headSize)
  try packer.add(pixels.base, count: count) { bytes, count throws(AEError) in
    try writer.bytes(bytes, count)
  }
  let head = try packer.head()
  writer.base.update(from: head.base, count: head.count)
  return try writer.finish()
}

/// A size that `compress` with the same arguments never exceeds, without compressing and without looking at
/// pixels.
/// - Throws: as `compress`, for arguments that it refuses.
public func compressedBound(
  width: Int, height: Int, count: Int, hasLabels: Bool, with model: Autoencoder?,
  options: CompressionOptions = CompressionOptions()
) throws(AEError) -> Int {
  let header = try plan(width, height, count, model, options)
  // Sections and blocks are stored as they are where packing does not make them smaller.
  var bound: Int? = header.headerSize + header.indexSize + (hasLabels ? count : 0)
  if options.embedModel, header.namesModel, let model {
    bound = bound?.plus(try WeightFile.bound(model, storage: .int8, decoderOnly: true))
  }
  guard let pixels = count.times(header.imageSize), let sum = bound?.plus(pixels) else {
    throw AEError(.memory, "\(count) images of \(width) x \(height) are more than memory can hold")
  }
  return sum
}

/// Writes one image set.
///
/// The blocks come first, as images are added; what stands before them in the file, `headSize` bytes, comes
/// last. Used by one thread at a time; it uses all threads itself.
public final class SetWriter {
  private let header: ContainerHeader
  private let coder: BlockCoder
  /// Model, labels and names, as far as there are any.
  private let sections: [Buffer<UInt8>]
  private let index: Buffer<UInt8>
  private var blocksDone = 0

  /// Told, on the thread that adds, how many of the set's images are done, some ten times a second; false makes
  /// `add` throw `.stopped` within a few images' time, after which the writer is of no more use.
  public var onProgress: Monitor.Hook?
  /// Whether what is added is also decoded, for `squaredError`.
  public var isMeasuring = false
  /// The squared error of all pixels so far, in steps of 1/255.
  public private(set) var squaredError = 0
  /// Bytes of all blocks so far.
  public private(set) var blockByteCount = 0
  /// Images so far that are kept as pixels.
  public private(set) var keptImageCount = 0

  /// - Throws: as `compress`.
  public convenience init(
    width: Int, height: Int, count: Int, source: SourceKind, labels: [UInt8]?, names: [String]?,
    model: Autoencoder?, options: CompressionOptions
  ) throws(AEError) {
    try self.init(
      width: width, height: height, count: count, source: source,
      labelBytes: try labels.map { labels throws(AEError) in try Buffer(labels) }, names: names, model: model,
      options: options)
  }

  /// The same for labels where they lie.
  public init(
    width: Int, height: Int, count: Int, source: SourceKind, labelBytes labels: Buffer<UInt8>?,
    names: [String]?, model: Autoencoder?, options: CompressionOptions
  ) throws(AEError) {
    guard labels == nil || labels!.count == count, names == nil || names!.count == count else {
      throw AEError(.argument, "labels and names must be as many as images, \(count)")
    }
    let header = try plan(width, height, count, model, options)
    header.source = source
    var sections: [Buffer<UInt8>] = []
    if options.embedModel, header.namesModel, let model {
      let embedded = try WeightFile.write(model, storage: .int8, decoderOnly: true)
      header.model = section(of: embedded, rawSize: embedded.count)
      sections.append(embedded)
    }
    if let labels {
      let packed = try pack(labels)
      header.labels = section(of: packed, rawSize: labels.count)
      sections.append(packed)
    }
    if let names {
      let raw = try NameList.pack(names)
      let packed = try pack(raw)
      header.names = section(of: packed, rawSize: raw.count)
      sections.append(packed)
    }
    self.header = header
    self.sections = sections
    coder = try BlockCoder(header, model: model, searchPasses: options.searchPasses)
    index = try Buffer(count: header.indexSize)
  }

  /// Bytes before the first block.
  public var headSize: Int { header.blocksOffset }
  /// Images in a block, all but the last.
  public var blockImages: Int { header.blockImages }
  /// As written to the header: 0 if there are no codes.
  public var quality: Int { header.quality }
  /// False if the set needs no model.
  public var namesModel: Bool { header.namesModel }

  /// Adds images: whole blocks, unless they are the last.
  ///
  /// - Parameters:
  ///   - pixels: count * width * height bytes.
  ///   - append: takes the next bytes of the file.
  public func add(
    _ pixels: UnsafePointer<UInt8>, count: Int, append: (UnsafePointer<UInt8>, Int) throws(AEError) -> Void
  ) throws(AEError) {
    let start = blocksDone * header.blockImages
    guard count <= header.count - min(start, header.count),
      count % header.blockImages == 0 || start + count == header.count
    else { throw AEError(.argument, "\(count) images after \(start) do not make whole blocks") }
    // A few blocks at a time, so that memory beside input and output stays bounded: as many as there are threads,
    // or more if they are small.
    let waveCount = max(threadCount, min(64, (64 << 20) / (header.blockImages * header.imageSize)))
    var done = 0
    let monitor = onProgress.map { Monitor(done: start, total: header.count, hook: $0) }
    while done < count {
      let blockCount = min(waveCount, (count - done + header.blockImages - 1) / header.blockImages)
      let wave = try encodeWave(pixels + done * header.imageSize, blockCount: blockCount, monitor)
      for block in wave {
        let images = header.imageCount(ofBlock: blocksDone)
        try append(block.base, block.byteCount)
        let entry = index.base + blocksDone * ContainerHeader.indexEntrySize
        entry[0] = block.kind.rawValue
        SetWriter.store(UInt32(truncatingIfNeeded: block.byteCount), at: entry + 1)
        SetWriter.store(Checksum.crc32(block.base, block.byteCount), at: entry + 5)
        if isMeasuring {
          squaredError += try measure(block, pixels + done * header.imageSize, count: images, monitor)
        }
        blockByteCount += block.byteCount
        keptImageCount += coder.keptCount(block, count: images)
        blocksDone += 1
        done += images
      }
    }
  }

  /// What stands before the blocks, once all images have been added.
  public func head() throws(AEError) -> Buffer<UInt8> {
    guard blocksDone == header.blockCount else {
      throw AEError(.argument, "\(blocksDone) of \(header.blockCount) blocks have been added")
    }
    let entriesSize = header.indexSize - 4
    SetWriter.store(Checksum.crc32(index.base, entriesSize), at: index.base + entriesSize)
    let writer = ByteWriter()
    try writer.bytes(try header.write())
    try writer.bytes(index)
    for section in sections { try writer.bytes(section) }
    return try writer.finish()
  }

  private static func store(_ value: UInt32, at target: UnsafeMutablePointer<UInt8>) {
    UnsafeMutableRawPointer(target).storeBytes(of: value.littleEndian, as: UInt32.self)
  }

  private func measure(
    _ block: BlockCoder.Encoded, _ pixels: UnsafePointer<UInt8>, count: Int, _ monitor: Monitor?
  ) throws(AEError) -> Int {
    let decoded = try Buffer<UInt8>(count: count * header.imageSize)
    let fault = coder.decode(
      block.kind, block.base, block.byteCount, count: count, range: 0..<count, into: decoded.base,
      monitor: monitor)
    try monitor.check()
    if let fault { throw AEError(.internal, "a block just made cannot be read: \(fault.reason)") }
    var sum = 0
    for index in 0..<decoded.count {
      let difference = Int(decoded.base[index]) - Int(pixels[index])
      sum += difference * difference
    }
    return sum
  }

  /// Encodes the next blocks on as many threads as there are.
  private func encodeWave(_ pixels: UnsafePointer<UInt8>, blockCount: Int, _ monitor: Monitor?)
    throws(AEError) -> [BlockCoder.Encoded]
  {
    let slots = WaveSlots(count: blockCount)
    let (header, coder, first) = (header, coder, blocksDone)
    parallel(blockCount, monitor: monitor) { index in
      if monitor.isStopped { return }
      let images = header.imageCount(ofBlock: first + index)
      do throws(AEError) {
        slots[index] = .done(
          try coder.encode(
            pixels + index * header.blockImages * header.imageSize, count: images, monitor: monitor))
      } catch {
        slots[index] = .failed(error)
      }
    }
    try monitor.check()
    var blocks: [BlockCoder.Encoded] = []
    for index in 0..<blockCount {
      switch slots[index] {
      case .done(let block): blocks.append(block)
      case .failed(let error): throw error
      case .waiting: throw AEError(.internal, "block \(first + index) was not encoded")
      }
    }
    return blocks
  }
}

/// Checks the arguments and fills a header but for source and sections.
private func plan(
  _ width: Int, _ height: Int, _ count: Int, _ model: Autoencoder?, _ options: CompressionOptions
) throws(AEError) -> ContainerHeader {
  let isLatent = options.layer == .latent
  let errors = options.layer == .nearExact ? 1...NearExact.maximumError : 0...0
  guard errors.contains(options.maxError) else {
    throw AEError(
      .argument,
      errors.upperBound == 0
        ? "max_error \(options.maxError) is for near-exact sets alone"
        : "max_error must be in 1 ... \(NearExact.maximumError), not \(options.maxError)")
  }
  guard (0...ContainerHeader.maximumEffort).contains(options.effort), options.effort == 0 || !isLatent else {
    throw AEError(
      .argument,
      isLatent
        ? "effort \(options.effort) is for exact and near-exact sets alone"
        : "effort must be in 1 ... \(ContainerHeader.maximumEffort), not \(options.effort)")
  }
  guard (0...ContainerHeader.maximumBlockImages).contains(options.blockImages) else {
    throw AEError(
      .argument,
      "images in a block must be in 1 ... \(ContainerHeader.maximumBlockImages), not \(options.blockImages)")
  }
  guard (0...16).contains(options.searchPasses) else {
    throw AEError(.argument, "passes of the search must be in 0 ... 16, not \(options.searchPasses)")
  }
  let sides = 1...Architecture.maximumSide
  guard sides.contains(width), sides.contains(height), (0...ImageSet.maximumCount).contains(count) else {
    throw AEError(
      .argument,
      "\(count) images of \(width) x \(height): sides are 1 to \(Architecture.maximumSide), images at most "
        + "\(ImageSet.maximumCount)")
  }
  let header = ContainerHeader()
  header.width = width
  header.height = height
  header.layer = options.layer
  header.maxError = options.maxError
  header.blockImages = options.blockImages == 0 ? CompressionOptions.defaultBlockImages : options.blockImages
  header.count = count

  if !isLatent {
    header.blockImages = min(
      header.blockImages, CompressionOptions.largestBlockPixelCount / header.imageSize)
    // A model that is not for images of this size is of no use to them.
    let fits = model.map { $0.architecture.width == width && $0.architecture.height == height } ?? false
    let efforts = PixelModel.effortCount(of: fits ? model : nil)
    header.effort = options.effort == 0 ? efforts : options.effort
    if !fits || (header.effort < PixelModel.scanning && !options.keepsCodes) {
      return header
    }
  }
  guard let model else { throw AEError(.argument, "a set of codes needs a model") }
  guard let codec = model.codec else {
    throw AEError(.kind, "the model \"\(model.name)\" has no codec and cannot compress")
  }
  guard model.integerEncoder != nil else {
    throw AEError(.kind, "the model \"\(model.name)\" is a decoder alone and cannot compress")
  }
  let shape = model.architecture
  guard width == shape.width, height == shape.height else {
    throw AEError(
      .shape,
      "the images are \(width) x \(height) pixels, the model \"\(model.name)\" takes "
        + "\(shape.width) x \(shape.height)")
  }
  guard (0...codec.rates.count).contains(options.quality) else {
    throw AEError(.argument, "quality must be in 1 ... \(codec.rates.count), not \(options.quality)")
  }
  header.channels = shape.channels
  header.latentCount = shape.latentCount
  if isLatent || options.keepsCodes {
    header.quality = options.quality == 0 ? codec.defaultQuality : options.quality
  }
  header.modelHash = try WeightFile.hash(model)
  header.modelName = model.name
  return header
}

/// Deflates, unless that does not make it smaller.
private func pack(_ raw: Buffer<UInt8>) throws(AEError) -> Buffer<UInt8> {
  let deflated = try Zlib.deflate(raw.base, raw.count)
  return deflated.count < raw.count ? deflated : raw
}

private func section(of stored: Buffer<UInt8>, rawSize: Int) -> Section {
  Section(
    storedSize: stored.count, rawSize: rawSize, crc: Checksum.crc32(stored.base, stored.count))
}

/// Results of a wave, each written by the one task that its index belongs to.
private final class WaveSlots {
  enum Slot {
    case waiting
    case done(BlockCoder.Encoded)
    case failed(AEError)
  }

  private let base: UnsafeMutablePointer<Slot>
  private let count: Int

  init(count: Int) {
    self.count = count
    base = .allocate(capacity: count)
    base.initialize(repeating: .waiting, count: count)
  }

  deinit {
    base.deinitialize(count: count)
    base.deallocate()
  }

  subscript(index: Int) -> Slot {
    get { base[index] }
    set { base[index] = newValue }
  }
}

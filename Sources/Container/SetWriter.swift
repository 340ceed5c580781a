// The one writer of the format. It takes images as they come and writes the file front to back, so that neither has to be
// in memory, and the number of images need not be known before the last one.

import Bytes
import Compute
import Core
import Lossless
import Model
import Storage

/// Writes one image set, images, labels and names as they come. Used by one thread at a time; it uses all threads
/// itself.
///
/// **Memory.** The images that wait for their block to be full, and the blocks that are encoded at a time: 16 MB of pixels,
/// and their codes. Where blocks are so large that fewer than there are threads fit, at most 64 MB, or one block if that
/// is larger. Labels, names and some bytes for each block are kept to the end.
///
/// **Bytes.** A block ends when it holds `blockImages` images, however they were added, and before blocks that are
/// copied. The same images, model and options give the same bytes, whether they come in one call or in a thousand,
/// or from sets of whole blocks of which the blocks are copied.
public final class SetWriter {
  /// Takes the next bytes of the file. What it throws is thrown by the call that wrote.
  public typealias Sink = (UnsafePointer<UInt8>, Int) throws(AEError) -> Void

  let header: SetHeader
  private let model: Autoencoder?
  private let embedsModel: Bool
  /// Whose predictor new images are coded with, if the header names one.
  private let predicting: Autoencoder?
  private let predictor: Predictor?
  private let searchPasses: Int
  private let method: Method?
  private let priority: Priority
  private let sink: Sink
  /// The set whose embedded model is copied.
  private let embeddingSet: CompressedSet?
  private var encoder: BlockEncoder?
  private var decoder: BlockDecoder?
  /// Images that wait for their block to be full.
  private var waiting: Buffer<UInt8>?
  private var waitingCount = 0
  private let index = ByteWriter()
  private let labels = ByteWriter()
  private let names = NamePacker()
  private var hasLabels: Bool?
  private var hasNames: Bool?
  private var isAtEnd = false
  private var usesModel = false
  private var usesPredictor = false
  /// Images in blocks that were written.
  private var writtenCount = 0

  /// Told, on the thread that adds, how many of the set's images are done, some ten times a second; false makes
  /// the call throw `.stopped` within a few images' time, after which the writer is of no more use.
  public var onProgress: Monitor.Hook?
  /// How many images the set will have, for `onProgress` alone; else it hears of those added so far.
  public var expectedCount: Int?
  /// Whether what is encoded is also decoded, for `squaredError`.
  public var isMeasuring = false
  /// The squared error of all pixels encoded so far, in steps of 1/255.
  public private(set) var squaredError = 0
  /// Bytes written so far.
  public private(set) var byteCount = 0
  /// Images written so far that are stored raw, in lossy sets.
  public private(set) var rawImageCount = 0
  /// Images added so far.
  public var count: Int { writtenCount + waitingCount }

  /// Begins a set.
  ///
  /// - Parameters:
  ///   - shape: of each image.
  ///   - model: nil only for lossless and near-lossless sets.
  ///   - predicting: the model whose predictor of pixels is used if `model` has none.
  ///   - sink: takes the file, from its first byte on.
  /// - Throws: as `compress`, and what `sink` throws.
  public init(
    _ shape: ImageShape, source: SourceKind = .unknown, model: Autoencoder?, predicting: Autoencoder? = nil,
    options: CompressionOptions, sink: @escaping Sink
  ) throws(AEError) {
    header = try options.header(shape, source: source, model, predicting: predicting)
    self.model = header.namesModel ? model : nil
    self.predicting = header.namesPredictor ? (model?.predictor != nil ? model : predicting) : nil
    predictor = self.predicting?.predictor
    self.sink = sink
    searchPasses = options.searchPasses
    method = options.method
    priority = options.priority
    embedsModel = options.embedModel && (header.namesModel || header.namesPredictor)
    embeddingSet = nil
    encoder = try makeEncoder()
    try begin()
  }

  /// Begins a set to which blocks of others can be copied, and new images be added: of their size, mode, largest
  /// error, quality and model, with the first one's number of images in a block and kind of source.
  ///
  /// - Parameters:
  ///   - sets: one or more; labels and names must be in all of them that have images, or in none. If a decoder is
  ///     embedded in one of them, it will be in the new set, if that needs it.
  ///   - model: what new images are encoded with; nil takes the model that the sets were opened with, or none if they
  ///     need none.
  ///   - sink: as above.
  /// - Throws: `.argument` for sets that cannot be one; `.model` if they, or `model`, are of different models, naming
  ///   both; and what `sink` throws.
  public init(
    like sets: [CompressedSet], model: Autoencoder? = nil,
    predictor: Predictor? = nil, searchPasses: Int = CompressionOptions.defaultSearchPasses,
    sink: @escaping Sink
  ) throws(AEError) {
    header = try SetHeader.joining(sets)
    self.sink = sink
    self.searchPasses = searchPasses
    method = nil
    priority = .balanced
    predicting = nil
    var known: Predictor?
    if header.namesPredictor {
      for candidate in [predictor, model?.predictor] + sets.map({ $0.predictor }) {
        if known == nil, let candidate, try candidate.sectionHash() == header.predictorHash {
          known = candidate
        }
      }
    }
    self.predictor = known
    var own: Autoencoder?
    var embedding: CompressedSet?
    for set in sets {
      if own == nil { own = set.model }
      if embedding == nil, set.file.model != nil { embedding = set }
    }
    if let model, header.namesModel {
      let hash = try WeightFile.hash(model)
      guard hash == header.modelHash else {
        throw AEError(
          .model,
          "the set is of the model \"\(header.modelName)\", hash \(SHA256.hex(header.modelHash)); given is "
            + "\"\(model.name)\", hash \(SHA256.hex(hash))")
      }
    }
    self.model = header.namesModel ? model ?? own : nil
    embedsModel = embedding != nil
    embeddingSet = embedding
    try begin()
  }

  /// Images in a block, unless it ends early.
  public var blockImages: Int { header.blockImages }
  /// As written to the header: 0 if there are no codes.
  public var quality: Int { header.quality }
  /// Whether blocks written so far need a model.
  public var needsModel: Bool { usesModel }
  /// Whether blocks written so far need a predictor of pixels.
  public var needsPredictor: Bool { usesPredictor }
  /// The name of the model that holds it.
  public var predictorName: String { header.predictorName }

  private func begin() throws(AEError) {
    try put(try header.write())
  }

  private func put(_ bytes: Buffer<UInt8>) throws(AEError) {
    try sink(bytes.base, bytes.count)
    byteCount += bytes.count
  }

  // MARK: Images

  /// Adds images.
  ///
  /// - Parameters:
  ///   - pixels: [count, height, width, channels] bytes.
  ///   - labels: [count], or nil; there must be some with all images or with none.
  ///   - names: [count] file names without folders, or nil; likewise.
  /// - Throws: `.argument` for labels or names that are missing, too many, or not allowed; `.model` if the images need
  ///   a model that is not there; `.kind` if it cannot encode; `.memory`; `.stopped`; and what the sink throws.
  ///   After an error of another kind than `.argument` the writer is of no more use.
  public func add(
    _ pixels: UnsafePointer<UInt8>, count: Int, labels: UnsafePointer<UInt8>? = nil, names: [String]? = nil
  ) throws(AEError) {
    guard count > 0 else {
      guard count == 0 else { throw AEError(.argument, "\(count) images cannot be added") }
      // A set without images has labels and names, if they were told.
      if labels != nil { hasLabels = hasLabels ?? true }
      if names != nil { hasNames = hasNames ?? true }
      return
    }
    try expect(count, hasLabels: labels != nil, hasNames: names != nil)
    if let names {
      guard names.count == count else {
        throw AEError(.argument, "\(names.count) names were given with \(count) images")
      }
      try self.names.append(names)
    }
    if let labels { try self.labels.bytes(labels, count) }
    if encoder == nil { encoder = try makeEncoder() }

    let room = waveCount * header.blockImages
    var done = 0
    while done < count {
      if waitingCount == 0, count - done >= room {
        try encode(pixels + done * header.imageSize, count: room)
        done += room
        continue
      }
      let step = min(count - done, room - waitingCount)
      let waiting = try waiting(upTo: waitingCount + step)
      (waiting.base + waitingCount * header.imageSize).update(
        from: pixels + done * header.imageSize, count: step * header.imageSize)
      waitingCount += step
      done += step
      if waitingCount == room { try flush() }
    }
  }

  /// Checks that so many images may follow, and with labels and names like those before.
  func expect(_ count: Int, hasLabels: Bool, hasNames: Bool) throws(AEError) {
    guard !isAtEnd else { throw AEError(.argument, "the set is finished: nothing can be added to it") }
    guard count <= ImageSet.maximumCount - self.count else {
      throw AEError(
        .argument,
        "a set has at most \(ImageSet.maximumCount) images, and \(count) after \(self.count) are more")
    }
    guard self.hasLabels ?? hasLabels == hasLabels, self.hasNames ?? hasNames == hasNames else {
      throw AEError(
        .argument,
        self.hasLabels ?? hasLabels != hasLabels
          ? "labels must come with all images of a set or with none"
          : "names must come with all images of a set or with none")
    }
    (self.hasLabels, self.hasNames) = (hasLabels, hasNames)
  }

  private func makeEncoder() throws(AEError) -> BlockEncoder {
    guard !header.namesPredictor || predictor != nil else {
      throw AEError(
        .model,
        "new images need the predictor of the model \"\(header.predictorName)\", hash "
          + "\(SHA256.hex(header.predictorHash)), and it is not at hand")
    }
    guard header.namesModel else {
      return try BlockEncoder(
        header, model: nil, predictor: predictor, searchPasses: 0, method: method, priority: priority)
    }
    guard let model else {
      throw AEError(
        .model,
        "new images need the model \"\(header.modelName)\", hash \(SHA256.hex(header.modelHash)), and it is not at hand"
      )
    }
    guard header.quality == 0 || model.integerEncoder != nil else {
      throw AEError(
        .kind, "the model \"\(model.name)\" is a decoder alone and cannot compress: new images need all of it"
      )
    }
    return try BlockEncoder(
      header, model: model, predictor: predictor, searchPasses: searchPasses, method: method,
      priority: priority)
  }

  /// Room for the images that wait, as much as is needed and not much more.
  private func waiting(upTo count: Int) throws(AEError) -> Buffer<UInt8> {
    let needed = count * header.imageSize
    if let waiting, waiting.count >= needed { return waiting }
    let most = waveCount * header.blockImages * header.imageSize
    let larger = try Buffer<UInt8>(count: min(most, max(needed, 2 * (waiting?.count ?? 0))))
    if let waiting { larger.base.update(from: waiting.base, count: waitingCount * header.imageSize) }
    waiting = larger
    return larger
  }

  /// Blocks that are encoded at a time.
  private var waveCount: Int {
    let byteCount = header.blockImages * header.imageSize
    return max(1, min(64, (16 << 20) / byteCount), min(threadCount, (64 << 20) / byteCount))
  }

  /// Encodes the images that wait; those of the last block are then as many as there are.
  func flush() throws(AEError) {
    guard waitingCount > 0, let waiting else { return }
    let count = waitingCount
    waitingCount = 0
    try encode(waiting.base, count: count)
  }

  /// Encodes a wave of images, whose last block may be shorter, on as many threads as there are.
  private func encode(_ pixels: UnsafePointer<UInt8>, count: Int) throws(AEError) {
    guard let encoder else { throw AEError(.internal, "images without an encoder") }
    let (header, start) = (header, writtenCount)
    let total = max(expectedCount ?? 0, start + count)
    let monitor = onProgress.map { Monitor(done: start, total: total, hook: $0) }
    let blockCount = (count + header.blockImages - 1) / header.blockImages
    let slots = WaveSlots(count: blockCount)
    parallel(blockCount, monitor: monitor) { index in
      if monitor.isStopped { return }
      let first = index * header.blockImages
      do throws(AEError) {
        slots[index] = .done(
          try encoder.encode(
            pixels + first * header.imageSize, count: min(header.blockImages, count - first), monitor: monitor
          ))
      } catch {
        slots[index] = .failed(error)
      }
    }
    try monitor.check()
    for index in 0..<blockCount {
      let first = index * header.blockImages
      let images = min(header.blockImages, count - first)
      switch slots[index] {
      case .failed(let error): throw error
      case .waiting: throw AEError(.internal, "block \(index) was not encoded")
      case .done(let block):
        slots[index] = .waiting
        if isMeasuring {
          squaredError += try measure(block, pixels + first * header.imageSize, count: images, monitor)
        }
        try write(
          ChunkHead(
            block.kind, byteCount: block.byteCount, imageCount: images, rawImageCount: block.rawCount),
          block.base)
      }
    }
  }

  private func measure(
    _ block: BlockEncoder.Encoded, _ pixels: UnsafePointer<UInt8>, count: Int, _ monitor: Monitor?
  ) throws(AEError) -> Int {
    if decoder == nil { decoder = try BlockDecoder(header, model: model, predictor: predictor) }
    guard let decoder else { return 0 }
    let decoded = try Buffer<UInt8>(count: count * header.imageSize)
    let fault = decoder.decode(
      block.kind, block.base, block.byteCount, count: count, range: 0..<count, into: decoded.base,
      monitor: monitor)
    try monitor.check()
    if let fault { throw AEError(.internal, "a block just made cannot be read: \(fault.reason)") }
    return Compute.squaredError(decoded.base, pixels, count: decoded.count)
  }

  // MARK: Chunks

  /// Writes a block.
  func write(_ head: ChunkHead, _ bytes: UnsafePointer<UInt8>) throws(AEError) {
    try chunk(head, bytes)
    writtenCount += head.imageCount
    guard let kind = head.blockKind else { return }
    if kind.needsModel(header) { usesModel = true }
    if kind.needsPredictor(header) { usesPredictor = true }
    switch kind {
    case .deflated, .stored: rawImageCount += head.imageCount
    case .mixed: rawImageCount += head.rawImageCount
    default: break
    }
  }

  private func chunk(_ head: ChunkHead, _ bytes: UnsafePointer<UInt8>) throws(AEError) {
    let start = ByteWriter()
    try head.write(to: start, header)
    if head.kind != ChunkKind.index { try index.bytes(start.base, start.count) }
    let checksum = Checksum.crc32(bytes, head.byteCount, from: Checksum.crc32(start.base, start.count))
    try start.u32(checksum)
    try put(try start.finish())
    try sink(bytes, head.byteCount)
    byteCount += head.byteCount
  }

  /// Adds labels of images whose blocks are copied.
  func addLabels(_ labels: UnsafePointer<UInt8>, count: Int) throws(AEError) {
    try self.labels.bytes(labels, count)
  }

  /// Adds names of images whose blocks are copied.
  func addNames(_ list: NameList, _ images: Range<Int>) throws(AEError) {
    try names.append(list, images)
  }

  /// Ends the set: encodes the images that wait, and writes what stands behind the blocks.
  /// - Throws: as `add`; `.argument` if it was called before.
  public func finish() throws(AEError) {
    guard !isAtEnd else { throw AEError(.argument, "the set is finished already") }
    try flush()
    waiting = nil
    isAtEnd = true
    if embedsModel, usesModel || usesPredictor {
      if let bytes = try embeddingSet?.file.embeddedModel() {
        try chunk(ChunkHead(kind: ChunkKind.model, byteCount: bytes.count), bytes.base)
      } else if let embedded = try embeddedModel() {
        let bytes = try WeightFile.write(embedded, storage: .int8, decoderOnly: true)
        try chunk(ChunkHead(kind: ChunkKind.model, byteCount: bytes.count), bytes.base)
      }
    }
    if hasLabels ?? false {
      let packed = try pack(try labels.finish())
      try chunk(ChunkHead(kind: ChunkKind.labels, byteCount: packed.count), packed.base)
    }
    if hasNames ?? false {
      let raw = try names.finish()
      let packed = try pack(raw)
      try chunk(
        ChunkHead(kind: ChunkKind.names, byteCount: packed.count, rawByteCount: raw.count), packed.base)
    }
    let indexOffset = byteCount
    let entries = try index.finish()
    try chunk(ChunkHead(kind: ChunkKind.index, byteCount: entries.count), entries.base)
    let footer = ByteWriter()
    try Footer(indexOffset: indexOffset, imageCount: writtenCount).write(to: footer)
    try put(try footer.finish())
  }

  /// What the set needs, as one model.
  private func embeddedModel() throws(AEError) -> Autoencoder? {
    guard let model, usesModel else { return predicting }
    guard usesPredictor, model.predictor == nil, let predictor else { return model }
    return try model.with(predictor: predictor)
  }

  /// Deflates, unless that does not make it smaller.
  private func pack(_ raw: Buffer<UInt8>) throws(AEError) -> Buffer<UInt8> {
    let deflated = try Zlib.deflate(raw.base, raw.count)
    return deflated.count < raw.count ? deflated : raw
  }
}

/// Results of a wave, each written by the one task that its index belongs to.
private final class WaveSlots {
  enum Slot {
    case waiting
    case done(BlockEncoder.Encoded)
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

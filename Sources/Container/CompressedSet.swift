// An open image set: what is in it, and any of its images, codes, labels and names. It is the only reader
// of .aez, and what it refuses, other readers should refuse, too.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network
import Storage
import Synchronization

/// What is known of an image set without its model.
public struct CompressedSetInformation: Sendable {
  public let count: Int
  /// Of each image.
  public let shape: ImageShape
  public var width: Int { shape.width }
  public var height: Int { shape.height }
  public var channels: Int { shape.channels }
  public let latentCount: Int
  /// 1 ... 16; 0 in a lossless or near-lossless set without codes.
  public let quality: Int
  /// Images in a block, unless it was made to hold more or fewer. See `CompressedSet.images(around:)`.
  public let blockImages: Int
  public let source: SourceKind
  public let hasLabels: Bool
  public let hasNames: Bool
  /// True if the decoder is embedded.
  public let hasModel: Bool
  /// The whole set, all headers counted.
  public let byteCount: Int
  /// Bytes of all blocks with their heads, without what stands before and after them.
  public let blockByteCount: Int
  /// Of the model that its blocks need, 32 bytes; all 0 if they need none.
  public let modelHash: [UInt8]
  /// At most 64 bytes of UTF-8; empty if no model is needed.
  public let modelName: String
  /// Of the model that new blocks of the set are to be made with, 32 bytes; empty if they need none.
  public let declaredModelHash: [UInt8]
  public let declaredModelName: String
  public let declaredLatentCount: Int
  /// Per `BlockKind`, in the order of their numbers: how many blocks are of that kind.
  public let blockCounts: [Int]
  /// Images that are stored raw, deflated or not: their reconstruction is too poor, or pixels are smaller.
  public let rawImageCount: Int
  public let mode: Mode
  /// The most that a pixel may be off in a near-lossless set, 1 ... 32; else 0.
  public let maxError: Int
  /// What the blocks' pixels are coded by: by scans if some are; nil if neither codes one.
  public let method: Method?
  /// False if all blocks can be read without a model, but perhaps a predictor.
  public let needsModel: Bool
  /// Whether a block needs a predictor of pixels.
  public let needsPredictor: Bool
  /// Of that predictor, 32 bytes; all 0 if none is needed.
  public let predictorHash: [UInt8]
  /// At most 64 bytes of UTF-8; empty if none is needed.
  public let predictorName: String
  /// Of the predictor that new blocks of the set are to be made with, 32 bytes; empty without one.
  public let declaredPredictorHash: [UInt8]
  public let declaredPredictorName: String
  /// Of the file's format, 1 ... 3.
  public let version: Int

  public var blockCount: Int { blockCounts.reduce(0, +) }
}

/// A part of an image set that is damaged.
public struct Damage: Sendable {
  public enum Part: Sendable, Equatable {
    case model
    case labels
    case names
    /// A block, by its number.
    case block(Int)
    /// What should stand at the file's end, or should not.
    case end
  }

  public let part: Part
  /// The images that are lost; empty for anything but a block.
  public let images: Range<Int>
  /// What is wrong, as a sentence: "block 3 (bytes 100 to 220): its bytes do not match its checksum".
  public let reason: String
}

/// An open `.aez`, immutable: any number of threads may use one.
public final class CompressedSet: Sendable {
  public let information: CompressedSetInformation
  let file: ContainerFile
  /// Nil only if none is needed.
  let model: Autoencoder?
  /// Nil if no block needs it and it was not at hand.
  let predictor: Predictor?
  /// Nil in a set that was opened for its blocks alone.
  private let decoder: BlockDecoder?
  private let labelSection = LazySection<Buffer<UInt8>>()
  private let nameSection = LazySection<NameList>()

  /// Opens an image set.
  ///
  /// - Parameters:
  ///   - source: the file; kept, not copied. What is read of it now is the header and the index, and an embedded
  ///     model if it is needed and not given; later, the blocks that are asked for.
  ///   - model: the model it was made with. It may be nil, or another one, if the set has its own embedded or
  ///     needs none.
  ///   - predictor: of a model beside that one; nil takes the model's or the embedded one.
  ///   - name: what messages call the set.
  ///   - isCutAllowed: takes a file that ends too early: what is missing counts as damaged.
  /// - Throws: `.format`, `.checksum` and `.version` for a file that is none, is damaged in header or index, or
  ///   is of a later version; `.model` if the model needed is not there, naming it; `.io`; `.memory`.
  public convenience init(
    _ source: ByteSource, model: Autoencoder?, predictor: Predictor? = nil, name: String,
    isCutAllowed: Bool = false
  ) throws(AEError) {
    try self.init(
      try ContainerFile(source, name: name, isCutAllowed: isCutAllowed), model: model, predictor: predictor)
  }

  /// The same for a file whose header and index have been read.
  init(_ file: ContainerFile, model given: Autoencoder?, predictor: Predictor? = nil) throws(AEError) {
    self.file = file
    if file.needsModel {
      model = try CompressedSet.model(for: file, given: given)
    } else if let given, given.isNameable, !file.header.modelHash.isEmpty,
      try WeightFile.hash(given) == file.header.modelHash
    {
      // No block needs it, but blocks that a writer adds may.
      model = given
    } else {
      model = nil
    }
    self.predictor = try CompressedSet.predictor(for: file, among: [model, given], predictor)
    do {
      decoder = try BlockDecoder(
        file.header, model: file.needsModel ? model : nil,
        predictor: file.needsPredictor ? self.predictor : nil)
    } catch {
      throw error.at(file.name)
    }
    information = file.information
  }

  /// Opens an image set for its labels, names and blocks as they are: what can be copied by a `SetWriter`. It needs no
  /// model, and gives no pixels.
  /// - Throws: as `init`, but for `.model`.
  public init(blocksOf source: ByteSource, name: String) throws(AEError) {
    file = try ContainerFile(source, name: name, isCutAllowed: false)
    model = nil
    predictor = nil
    decoder =
      file.needsModel || file.needsPredictor ? nil : try BlockDecoder(file.header, model: nil, predictor: nil)
    information = file.information
  }

  /// What messages call the set.
  public var name: String { file.name }

  /// Opens an image set in memory.
  public convenience init(_ bytes: Buffer<UInt8>, model: Autoencoder?, name: String) throws(AEError) {
    try self.init(ByteSource(bytes), model: model, name: name)
  }

  /// What is known of a set without its model.
  /// - Throws: as `init`, but for `.model`.
  public static func peek(_ source: ByteSource, name: String, isCutAllowed: Bool = false) throws(AEError)
    -> CompressedSetInformation
  {
    try ContainerFile(source, name: name, isCutAllowed: isCutAllowed).information
  }

  public static func peek(_ bytes: Buffer<UInt8>, name: String) throws(AEError) -> CompressedSetInformation {
    try peek(ByteSource(bytes), name: name)
  }

  /// The model that decodes: the given one if it is the right one, or else the embedded one.
  private static func model(for file: ContainerFile, given: Autoencoder?) throws(AEError) -> Autoencoder {
    let header = file.header
    var needed = sentence(
      "\(file.name): needs the model \"\(header.modelName)\", hash \(shortHash(header.modelHash))")
    if let given {
      if given.isNameable {
        let hash = try WeightFile.hash(given)
        if hash == header.modelHash {
          try check(given, against: file)
          return given
        }
        needed = sentence("\(needed); given is \"\(given.name)\", hash \(shortHash(hash))")
      } else {
        needed = sentence("\(needed); given is \"\(given.name)\", which has no codec")
      }
    } else {
      needed = sentence("\(needed), and none was given")
    }
    let section: Buffer<UInt8>?
    do throws(AEError) {
      section = try file.embeddedModel()
    } catch {
      guard error.code == .checksum else { throw error }
      throw AEError(.checksum, "\(file.name): the embedded model does not match its checksum; it \(needed)")
    }
    guard let bytes = section else { throw AEError(.model, text: needed) }
    let embedded = try WeightFile.read(
      bytes.base, bytes.count, name: sentence("\(file.name), embedded model"))
    guard embedded.isNameable, try WeightFile.hash(embedded) == header.modelHash else {
      throw AEError(.format, "\(file.name): the embedded model is not the one that the header names")
    }
    try check(embedded, against: file)
    return embedded
  }

  /// The predictor that the header names: the given one, that of a model at hand, or the embedded one. Nil if it is none of
  /// these and no block needs it.
  private static func predictor(
    for file: ContainerFile, among models: [Autoencoder?], _ given: Predictor?
  ) throws(AEError) -> Predictor? {
    let wanted = file.header.predictorHash
    guard !wanted.isEmpty else { return nil }
    if let given, try given.sectionHash() == wanted { return given }
    for model in models {
      if let predictor = model?.predictor, try predictor.sectionHash() == wanted { return predictor }
    }
    guard file.needsPredictor else { return nil }
    if let bytes = try file.embeddedModel() {
      let embedded = try WeightFile.read(
        bytes.base, bytes.count, name: sentence("\(file.name), embedded model"))
      if let predictor = embedded.predictor, try predictor.sectionHash() == wanted { return predictor }
    }
    throw AEError(
      .model,
      "\(file.name): needs the predictor of the model \"\(file.header.predictorName)\", hash \(shortHash(wanted)), "
        + "and it is not at hand")
  }

  private static func check(_ model: Autoencoder, against file: ContainerFile) throws(AEError) {
    let header = file.header
    let architecture = model.architecture
    guard architecture.image == header.shape || architecture.kind == .predictor,
      architecture.latentCount == header.latentCount
    else {
      throw AEError(
        .format,
        "\(file.name): images of \(header.shape.text) and \(header.latentCount) latents, but its "
          + "model has \(architecture.image.text) and \(architecture.latentCount)")
    }
    if let codec = model.codec, header.quality > codec.rates.count {
      throw AEError(
        .format, "\(file.name): quality \(header.quality), but its model has \(codec.rates.count) qualities")
    }
  }

  private static func shortHash(_ hash: [UInt8]) -> String { SHA256.hex(Array(hash.prefix(8))) }

  // MARK: Labels and names

  /// One label an image, or nil if the set has none. Read at the first call.
  /// - Throws: `.checksum` or `.format` if the section is damaged, `.memory`.
  public func labels() throws(AEError) -> Buffer<UInt8>? {
    try labelSection.value { () throws(AEError) in try file.labels() }
  }

  /// One file name an image, or nil if the set has none. Read at the first call.
  /// - Throws: `.checksum` or `.format` if the section is damaged, `.memory`.
  public func names() throws(AEError) -> NameList? {
    try nameSection.value { () throws(AEError) in try file.names() }
  }

  // MARK: Pixels

  /// The images of the block that holds image `image`, or an empty range at the end of the set: reading whole blocks
  /// decodes each of them once.
  public func images(around image: Int) -> Range<Int> {
    guard image >= 0, image < file.blocks.imageCount else { return max(image, 0)..<max(image, 0) }
    return file.blocks.images(file.blocks.block(of: image))
  }

  /// Decodes images `first ..< first + count`.
  ///
  /// - Parameters:
  ///   - pixels: count * width * height * channels bytes, written, also where an error is thrown: images that are lost are
  ///     then zeros, and all others as they should be.
  ///   - onProgress: told, on the calling thread, how many of the images are done, some ten times a second;
  ///     false stops within a few images' time, and leaves `pixels` half written.
  /// - Throws: `.argument` if the range is not within the set; `.checksum` or `.format` if blocks are damaged,
  ///   naming the images lost; `.memory`; `.stopped` if `onProgress` asked for it.
  public func read(
    first: Int, count: Int, into pixels: UnsafeMutablePointer<UInt8>, onProgress: Monitor.Hook? = nil
  ) throws(AEError) {
    try report(try decode(first: first, count: count, into: pixels, onProgress), first: first, count: count)
  }

  /// Decodes what can be decoded of images `first ..< first + count`: those that are lost are zeros.
  ///
  /// - Parameters:
  ///   - pixels: as in `read`; nil only checks.
  ///   - onProgress: as in `read`.
  ///   - onLoss: called for each damaged block, in order, with those of its images that are in the range.
  /// - Throws: `.argument` if the range is not within the set; `.memory`; `.stopped` if `onProgress` asked for it.
  public func salvage(
    first: Int, count: Int, into pixels: UnsafeMutablePointer<UInt8>?, onProgress: Monitor.Hook? = nil,
    onLoss: (Damage) -> Void
  ) throws(AEError) {
    let failures = try decode(first: first, count: count, into: pixels, onProgress)
    for index in 0..<failures.count {
      guard let fault = BlockFault(rawValue: failures[index]) else { continue }
      let block = file.blocks.block(of: first) + index
      if fault == .memory { throw outOfMemory(block) }
      onLoss(
        Damage(
          part: .block(block), images: file.blocks.images(block).clamped(to: first..<first + count),
          reason: file.describe(block, fault)))
    }
  }

  private func decode(
    first: Int, count: Int, into pixels: UnsafeMutablePointer<UInt8>?, _ onProgress: Monitor.Hook?
  ) throws(AEError) -> Buffer<UInt8> {
    let imageSize = file.header.imageSize
    let monitor = onProgress.map { Monitor(total: count, hook: $0) }
    return try forEachBlock(first: first, count: count, monitor) { block, range, offset in
      guard let pixels else { return verify(block, monitor)?.rawValue ?? 0 }
      let target = pixels + offset * imageSize
      let fault = file.withBlock(block) { bytes, byteCount in
        guard let decoder else { return .model }
        return decoder.decode(
          file.blocks.kind(block), bytes, byteCount, count: file.blocks.images(block).count,
          range: range, into: target, monitor: monitor)
      }
      if fault != nil { target.update(repeating: 0, count: range.count * imageSize) }
      return fault?.rawValue ?? 0
    }
  }

  /// Gives the codes of images `first ..< first + count` as floats: what `Autoencoder.decode` takes.
  ///
  /// - Parameter latents: count * latentCount floats, written.
  /// - Throws: `.kind` if one of the images is stored raw and has no code, naming them; else as `read`.
  public func latents(first: Int, count: Int, into latents: UnsafeMutablePointer<Float>) throws(AEError) {
    guard file.header.quality > 0, let scales = model?.codec?.latentScales else {
      throw AEError(.kind, "\(file.name): its images are stored raw and have no codes")
    }
    let latentCount = file.header.latentCount
    let failures = try forEachBlock(first: first, count: count) { block, range, offset in
      guard let fixed = try? Buffer<Int16>(count: range.count * latentCount) else {
        return BlockFault.memory.rawValue
      }
      var isRaw = false
      let fault = file.withBlock(block) { bytes, byteCount in
        guard let decoder else { return .model }
        switch decoder.decodeLatents(
          file.blocks.kind(block), bytes, byteCount, count: file.blocks.images(block).count,
          range: range, into: fixed.base)
        {
        case .fault(let fault): return fault
        case .raw:
          isRaw = true
          return nil
        case .done: return nil
        }
      }
      if let fault { return fault.rawValue }
      if isRaw { return CompressedSet.rawMark }
      let target = latents + offset * latentCount
      for row in 0..<range.count {
        for latent in 0..<latentCount {
          target[row * latentCount + latent] =
            Float(fixed.base[row * latentCount + latent]) / Float(Codec.latentUnitsPerScale) * scales[latent]
        }
      }
      return 0
    }
    try report(failures, first: first, count: count)
  }

  /// Calls `body` with every block that holds some of the images, the images of the block that are asked for
  /// (counted from its first), and where they come in the request.
  /// - Returns: what `body` returned: 0, the number of a `BlockFault`, or `rawMark`.
  private func forEachBlock(
    first: Int, count: Int, _ monitor: Monitor? = nil, _ body: (Int, Range<Int>, Int) -> UInt8
  ) throws(AEError) -> Buffer<UInt8> {
    let blocks = file.blocks
    guard first >= 0, count >= 0, first <= blocks.imageCount, count <= blocks.imageCount - first else {
      throw AEError(
        .argument,
        "\(file.name): \(count) images from \(first) on were asked for; it has \(blocks.imageCount)")
    }
    if count == 0 { return try Buffer(count: 0) }
    // Even if other threads do all of the work, the hook is asked.
    try monitor.check()
    let firstBlock = blocks.block(of: first)
    let blockCount = blocks.block(of: first + count - 1) - firstBlock + 1
    let results = try Buffer<UInt8>(count: blockCount)
    parallel(blockCount, monitor: monitor) { index in
      if monitor.isStopped { return }
      let block = firstBlock + index
      let images = blocks.images(block)
      let (start, lower) = (images.lowerBound, max(first, images.lowerBound))
      let upper = min(first + count, images.upperBound)
      results.base[index] = body(block, lower - start..<upper - start, lower - first)
      monitor.advance(upper - lower)
      monitor?.poll()
    }
    if monitor.isStopped { try monitor.check() }
    return results
  }

  private func outOfMemory(_ block: Int) -> AEError {
    AEError(.memory, "\(file.name): there is no memory to decode block \(block)")
  }

  /// Throws if any block of a request failed, naming the images that did not come.
  private func report(_ failures: Buffer<UInt8>, first: Int, count: Int) throws(AEError) {
    var list: [String] = []
    var further = 0
    var code = AEError.Code.checksum
    for index in 0..<failures.count where failures.base[index] != 0 {
      let block = file.blocks.block(of: first) + index
      let fault = BlockFault(rawValue: failures.base[index])
      if fault == .memory { throw outOfMemory(block) }
      if list.count == CompressedSet.listedBlocks {
        further += 1
        continue
      }
      let images = file.blocks.images(block)
      let span = sentence("images \(images.lowerBound) to \(images.upperBound - 1)")
      if let fault {
        if list.isEmpty && fault != .checksum { code = fault == .unreadable ? .io : .format }
        list.append(sentence("\(span) are lost: \(file.describe(block, fault))"))
      } else {
        if list.isEmpty { code = .kind }
        let wanted = images.clamped(to: first..<first + count)
        var raw = 0..<0
        _ = file.withBlock(block) { bytes, byteCount in
          raw = MixedBlock.firstRaw(
            file.blocks.kind(block), bytes, byteCount, count: images.count,
            range: wanted.lowerBound - images.lowerBound..<wanted.upperBound - images.lowerBound)
          return nil
        }
        list.append(
          sentence(
            "images \(images.lowerBound + raw.lowerBound) to \(images.lowerBound + raw.upperBound - 1) "
              + "are stored raw and have no code"))
      }
    }
    if list.isEmpty { return }
    var message = sentence("\(file.name): \(list[0])")
    for entry in list.dropFirst() { message = sentence("\(message); \(entry)") }
    if further > 0 { message = sentence("\(message); and \(further) further blocks") }
    throw AEError(code, text: message)
  }

  private static let rawMark: UInt8 = 255
  /// Blocks that a message names before it only counts them.
  private static let listedBlocks = 4

  // MARK: Verification

  /// What `verify` found.
  public struct Verification: Sendable {
    /// All damage, in the order of the file; the first thousand if there is more.
    public internal(set) var damage: [Damage] = []
    public internal(set) var damageCount = 0
    public internal(set) var lostImageCount = 0
    public var isSound: Bool { damageCount == 0 }

    mutating func add(_ item: Damage) {
      damageCount += 1
      lostImageCount += item.images.count
      if damage.count < 1000 { damage.append(item) }
    }
  }

  /// Checks every checksum and decodes every block.
  /// - Parameter onProgress: told, on the calling thread, how many of the set's images are done, some ten times a
  ///   second; false stops.
  /// - Throws: `.memory`; `.stopped` if `onProgress` asked for it.
  public func verify(onProgress: Monitor.Hook? = nil) throws(AEError) -> Verification {
    var found = Verification()
    let blocks = file.blocks
    do throws(AEError) {
      _ = try file.embeddedModel()
    } catch {
      if error.code == .memory { throw error }
      found.add(
        Damage(part: .model, images: 0..<0, reason: "the embedded model does not match its checksum"))
    }
    do throws(AEError) {
      _ = try labels()
    } catch {
      if error.code == .memory { throw error }
      found.add(Damage(part: .labels, images: 0..<0, reason: error.message))
    }
    do throws(AEError) {
      _ = try names()
    } catch {
      if error.code == .memory { throw error }
      found.add(Damage(part: .names, images: 0..<0, reason: error.message))
    }
    // A few blocks at a time, so that memory stays bounded whatever the size of the set.
    let waveCount = 64
    var first = 0
    let faults = try Buffer<UInt8>(count: waveCount)
    let monitor = onProgress.map { Monitor(total: blocks.imageCount, hook: $0) }
    if blocks.count > 0 { try monitor.check() }
    while first < blocks.count {
      let count = min(waveCount, blocks.count - first)
      parallel(count, monitor: monitor) { index in
        if monitor.isStopped { return }
        let block = first + index
        faults.base[index] = verify(block, monitor)?.rawValue ?? 0
        monitor.advance(blocks.images(block).count)
        monitor?.poll()
      }
      if monitor.isStopped { try monitor.check() }
      for index in 0..<count {
        guard let fault = BlockFault(rawValue: faults.base[index]) else { continue }
        if fault == .memory { throw outOfMemory(first + index) }
        found.add(
          Damage(
            part: .block(first + index), images: blocks.images(first + index),
            reason: file.describe(first + index, fault)))
      }
      first += count
    }
    if let fault = file.endFault {
      found.add(Damage(part: .end, images: 0..<0, reason: fault))
    }
    return found
  }

  private func verify(_ block: Int, _ monitor: Monitor?) -> BlockFault? {
    file.withBlock(block) { bytes, byteCount in
      guard let decoder else { return .model }
      return decoder.verify(
        file.blocks.kind(block), bytes, byteCount, count: file.blocks.images(block).count,
        monitor: monitor)
    }
  }
}

/// A section that is read when it is first asked for, by whichever thread comes first, and then kept.
private final class LazySection<Value: AnyObject & Sendable>: Sendable {
  private enum Content: Sendable {
    case absent
    case value(Value)
    case damaged(AEError)
  }

  private final class Box: Sendable {
    let content: Content
    init(_ content: Content) { self.content = content }
  }

  private let box = AtomicLazyReference<Box>()

  /// The value, read by `read` if no thread has done so yet. Damage is kept, too; a lack of memory is not.
  func value(_ read: () throws(AEError) -> Value?) throws(AEError) -> Value? {
    let content: Content
    if let known = box.load() {
      content = known.content
    } else {
      let fresh = Box(try LazySection.content(read))
      // What outlives the call must not lie in the call's reserve.
      try checkMemory()
      content = box.storeIfNil(fresh).content
    }
    switch content {
    case .absent: return nil
    case .value(let value): return value
    case .damaged(let error): throw error
    }
  }

  private static func content(_ read: () throws(AEError) -> Value?) throws(AEError) -> Content {
    do throws(AEError) {
      guard let value = try read() else { return .absent }
      return .value(value)
    } catch {
      if error.code == .memory { throw error }
      return .damaged(error)
    }
  }
}

// An open image set: what is in it, and any of its images, codes, labels and names. It is the only reader
// of .aez, and what it refuses, other readers should refuse, too.

import Bytes
import Compute
import Core
import Latent
import Model
import Network
import Storage
import Synchronization

/// What can be told of an image set without its model.
public struct CompressedSetInformation: Sendable {
  public let count: Int
  /// Pixels.
  public let width: Int
  public let height: Int
  /// 1.
  public let channels: Int
  public let latentCount: Int
  /// 1 ... 16; 0 in an exact or near-exact set without codes.
  public let quality: Int
  /// Images in a block; the last may hold fewer.
  public let blockImages: Int
  public let source: SourceKind
  public let hasLabels: Bool
  public let hasNames: Bool
  /// True if the decoder is embedded.
  public let hasModel: Bool
  /// The whole set, all headers counted.
  public let byteCount: Int
  /// Bytes of all blocks, without headers and sections.
  public let blockByteCount: Int
  /// Of the model it was made with, 32 bytes.
  public let modelHash: [UInt8]
  /// At most 64 bytes of UTF-8.
  public let modelName: String
  /// Per `BlockKind`, in the order of their numbers: how many blocks are of that kind.
  public let blockCounts: [Int]
  /// Images that are kept as pixels, because the model does badly on them or pixels are smaller.
  public let keptImageCount: Int
  public let layer: Layer
  /// The most that a pixel may be off in a near-exact set, 1 ... 32; else 0.
  public let maxError: Int
  /// Which pixel network of the model codes exact blocks, from 1 on; 0 if none does.
  public let effort: Int
  /// False for an exact or near-exact set whose blocks are all readable without a model.
  public let needsModel: Bool

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
    /// What follows the last block, or is missing of it.
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
  private let file: ContainerFile
  /// Nil only if none is needed.
  private let model: Autoencoder?
  private let coder: BlockCoder
  private let labelSection = LazySection<Buffer<UInt8>>()
  private let nameSection = LazySection<NameList>()

  /// Opens an image set.
  ///
  /// - Parameters:
  ///   - source: the file; kept, not copied.
  ///   - model: the model it was made with. It may be nil, or another one, if the set has its own embedded or
  ///     needs none.
  ///   - name: what messages call the set.
  ///   - isCutAllowed: takes a file that ends too early: what is missing counts as damaged.
  /// - Throws: `.format`, `.checksum` and `.version` for a file that is none, is damaged in header or index, or
  ///   is of a later version; `.model` if the model needed is not there, naming it; `.io`; `.memory`.
  public init(_ source: ByteSource, model: Autoencoder?, name: String, isCutAllowed: Bool = false)
    throws(AEError)
  {
    let file = try ContainerFile(source, name: name, isCutAllowed: isCutAllowed)
    self.file = file
    self.model = file.needsModel ? try CompressedSet.model(for: file, given: model) : nil
    do { coder = try BlockCoder(file.header, model: self.model) } catch { throw error.at(name) }
    information = file.information
  }

  /// Opens an image set in memory.
  public convenience init(_ bytes: Buffer<UInt8>, model: Autoencoder?, name: String) throws(AEError) {
    try self.init(ByteSource(bytes), model: model, name: name)
  }

  /// The bytes of the image set that an input holds: no more than header and index declare, and one that tells
  /// a longer one. Of what has no sound header only the first bytes are taken, for its reader to refuse.
  public static func bytes(_ input: ByteInput) throws(AEError) -> Buffer<UInt8> {
    let all = ByteWriter()
    func append(upTo count: Int) throws(AEError) -> Bool {
      if all.count < count { try all.bytes(try input.bytes(atMost: count - all.count)) }
      return all.count >= count
    }
    _ = try append(upTo: ContainerHeader.largestSize)
    // Sizes far above any file's, which cannot overflow when they are added.
    guard
      let header = try? ContainerHeader.read(all.base, all.count, fileSize: 1 << 48, name: input.name),
      try append(upTo: header.sectionsOffset)
    else { return try all.finish() }
    var end = header.blocksOffset
    for block in 0..<header.blockCount {
      let size = all.base + header.headerSize + block * ContainerHeader.indexEntrySize + 1
      end += Int(size[0]) | Int(size[1]) << 8 | Int(size[2]) << 16 | Int(size[3]) << 24
    }
    _ = try append(upTo: end + 1)
    return try all.finish()
  }

  /// What can be told of a set without its model.
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
      if given.codec != nil {
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
    guard let section = header.model else { throw AEError(.model, text: needed) }
    let bytes = file.modelSection(section)
    guard Checksum.crc32(bytes.base, bytes.count) == section.crc else {
      throw AEError(.checksum, "\(file.name): the embedded model does not match its checksum; it \(needed)")
    }
    let embedded = try WeightFile.read(
      bytes.base, bytes.count, name: sentence("\(file.name), embedded model"))
    guard embedded.codec != nil, try WeightFile.hash(embedded) == header.modelHash else {
      throw AEError(.format, "\(file.name): the embedded model is not the one that the header names")
    }
    try check(embedded, against: file)
    return embedded
  }

  private static func check(_ model: Autoencoder, against file: ContainerFile) throws(AEError) {
    let header = file.header
    let shape = model.architecture
    guard shape.width == header.width, shape.height == header.height, shape.channels == header.channels,
      shape.latentCount == header.latentCount
    else {
      throw AEError(
        .format,
        "\(file.name): images of \(header.width) x \(header.height) and \(header.latentCount) latents, but its "
          + "model has \(shape.width) x \(shape.height) and \(shape.latentCount)")
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

  /// Decodes images `first ..< first + count`.
  ///
  /// - Parameters:
  ///   - pixels: count * width * height bytes, written, also where an error is thrown: images that are lost are
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
      let block = first / file.header.blockImages + index
      if fault == .memory { throw outOfMemory(block) }
      onLoss(
        Damage(
          part: .block(block), images: file.images(ofBlock: block).clamped(to: first..<first + count),
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
        coder.decode(
          file.blockKind(block), bytes, byteCount, count: file.header.imageCount(ofBlock: block),
          range: range, into: target, monitor: monitor)
      }
      if fault != nil { target.update(repeating: 0, count: range.count * imageSize) }
      return fault?.rawValue ?? 0
    }
  }

  /// Gives the codes of images `first ..< first + count` as floats: what `Autoencoder.decode` takes.
  ///
  /// - Parameter latents: count * latentCount floats, written.
  /// - Throws: `.kind` if one of the images is kept as pixels and has no code, naming them; else as `read`.
  public func latents(first: Int, count: Int, into latents: UnsafeMutablePointer<Float>) throws(AEError) {
    guard file.header.quality > 0, let scales = model?.codec?.latentScales else {
      throw AEError(.kind, "\(file.name): its images are kept as pixels and have no codes")
    }
    let latentCount = file.header.latentCount
    let failures = try forEachBlock(first: first, count: count) { block, range, offset in
      guard let fixed = try? Buffer<Int16>(count: range.count * latentCount) else {
        return BlockFault.memory.rawValue
      }
      var isKept = false
      let fault = file.withBlock(block) { bytes, byteCount in
        switch coder.decodeLatents(
          file.blockKind(block), bytes, byteCount, count: file.header.imageCount(ofBlock: block),
          range: range, into: fixed.base)
        {
        case .fault(let fault): return fault
        case .kept:
          isKept = true
          return nil
        case .done: return nil
        }
      }
      if let fault { return fault.rawValue }
      if isKept { return CompressedSet.keptMark }
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
  /// - Returns: what `body` returned: 0, the number of a `BlockFault`, or `keptMark`.
  private func forEachBlock(
    first: Int, count: Int, _ monitor: Monitor? = nil, _ body: (Int, Range<Int>, Int) -> UInt8
  ) throws(AEError) -> Buffer<UInt8> {
    let header = file.header
    guard first >= 0, count >= 0, first <= header.count, count <= header.count - first else {
      throw AEError(
        .argument, "\(file.name): \(count) images from \(first) on were asked for; it has \(header.count)")
    }
    if count == 0 { return try Buffer(count: 0) }
    let firstBlock = first / header.blockImages
    let blockCount = (first + count - 1) / header.blockImages - firstBlock + 1
    let results = try Buffer<UInt8>(count: blockCount)
    parallel(blockCount, monitor: monitor) { index in
      if monitor.isStopped { return }
      let block = firstBlock + index
      let start = block * header.blockImages
      let lower = max(first, start)
      let upper = min(first + count, start + header.imageCount(ofBlock: block))
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
      let block = first / file.header.blockImages + index
      let fault = BlockFault(rawValue: failures.base[index])
      if fault == .memory { throw outOfMemory(block) }
      if list.count == CompressedSet.listedBlocks {
        further += 1
        continue
      }
      let images = file.images(ofBlock: block)
      let span = sentence("images \(images.lowerBound) to \(images.upperBound - 1)")
      if let fault {
        if list.isEmpty && fault != .checksum { code = .format }
        list.append(sentence("\(span) are lost: \(file.describe(block, fault))"))
      } else {
        if list.isEmpty { code = .kind }
        let wanted = images.clamped(to: first..<first + count)
        var kept = 0..<0
        _ = file.withBlock(block) { bytes, byteCount in
          kept = BlockCoder.firstKept(
            file.blockKind(block), bytes, byteCount, count: images.count,
            range: wanted.lowerBound - images.lowerBound..<wanted.upperBound - images.lowerBound)
          return nil
        }
        list.append(
          sentence(
            "images \(images.lowerBound + kept.lowerBound) to \(images.lowerBound + kept.upperBound - 1) "
              + "are kept as pixels and have no code"))
      }
    }
    if list.isEmpty { return }
    var message = sentence("\(file.name): \(list[0])")
    for entry in list.dropFirst() { message = sentence("\(message); \(entry)") }
    if further > 0 { message = sentence("\(message); and \(further) further blocks") }
    throw AEError(code, text: message)
  }

  private static let keptMark: UInt8 = 255
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
    let header = file.header
    if let section = header.model,
      Checksum.crc32(file.modelSection(section).base, section.storedSize) != section.crc
    {
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
    let monitor = onProgress.map { Monitor(total: header.count, hook: $0) }
    while first < header.blockCount {
      let count = min(waveCount, header.blockCount - first)
      parallel(count, monitor: monitor) { index in
        if monitor.isStopped { return }
        let block = first + index
        faults.base[index] = verify(block, monitor)?.rawValue ?? 0
        monitor.advance(header.imageCount(ofBlock: block))
        monitor?.poll()
      }
      if monitor.isStopped { try monitor.check() }
      for index in 0..<count {
        guard let fault = BlockFault(rawValue: faults.base[index]) else { continue }
        if fault == .memory { throw outOfMemory(first + index) }
        found.add(
          Damage(
            part: .block(first + index), images: file.images(ofBlock: first + index),
            reason: file.describe(first + index, fault)))
      }
      first += count
    }
    if file.excess > 0 {
      found.add(
        Damage(
          part: .end, images: 0..<0,
          reason: sentence("\(file.excess) bytes follow the last block, where the file should end")))
    }
    return found
  }

  private func verify(_ block: Int, _ monitor: Monitor?) -> BlockFault? {
    file.withBlock(block) { bytes, byteCount in
      coder.verify(
        file.blockKind(block), bytes, byteCount, count: file.header.imageCount(ofBlock: block),
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

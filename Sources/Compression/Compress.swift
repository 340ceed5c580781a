// From images to an .aez: the one writer of the format.

import Bytes
import Compute
import Core
import Model
import Storage

/// How to compress.
public struct CompressionOptions: Sendable {
  /// 1 (smallest) to the number of the model's qualities (best); 0 is the model's default.
  public var quality = 0
  /// Puts the decoder into the set, which then needs no other file.
  public var embedModel = false
  /// Images in a block, 1 ... 65536. A block is what is decoded to read one image, and what damage costs.
  public var blockImages = 512

  public init() {}
}

/// Packs a set of images with a model.
///
/// The same images, model and options give the same bytes on every machine, whatever the number of threads.
/// - Throws: `.shape` if the images are not of the model's size; `.kind` if the model has no codec or is a
///   decoder alone; `.argument` for options or names that are out of range; `.memory`.
public func compress(
  _ set: ImageSet, with model: Autoencoder, options: CompressionOptions = CompressionOptions()
) throws(AEError) -> Buffer<UInt8> {
  var header = try plan(set, model, options)
  let coder = try BlockCoder(model: model, quality: header.quality)

  let embedded =
    options.embedModel ? try WeightFile.write(model, storage: .int8, decoderOnly: true) : nil
  var labels: Buffer<UInt8>? = nil
  var names: Buffer<UInt8>? = nil
  if let embedded { header.model = section(of: embedded, rawSize: embedded.count) }
  if let raw = set.labels {
    let packed = try pack(try Buffer(raw))
    header.labels = section(of: packed, rawSize: raw.count)
    labels = packed
  }
  if let list = set.names {
    let raw = try NameList.pack(list)
    let packed = try pack(raw)
    header.names = section(of: packed, rawSize: raw.count)
    names = packed
  }

  let writer = ByteWriter()
  try writer.bytes(try header.write())
  let index = try writer.zeros(header.indexSize)
  for part in [embedded, labels, names] {
    if let part { try writer.bytes(part) }
  }

  // A few blocks at a time, so that memory beside input and output stays bounded.
  let waveCount = 64
  var first = 0
  while first < header.blockCount {
    let count = min(waveCount, header.blockCount - first)
    let wave = try encodeWave(set, header, coder, first: first, count: count)
    for (offset, block) in wave.enumerated() {
      try writer.bytes(block.base, block.byteCount)
      let entry = index + (first + offset) * ContainerHeader.indexEntrySize
      writer.base[entry] = block.kind.rawValue
      writer.patchU32(UInt32(truncatingIfNeeded: block.byteCount), at: entry + 1)
      writer.patchU32(Checksum.crc32(block.base, block.byteCount), at: entry + 5)
    }
    first += count
  }
  let entriesSize = header.indexSize - 4
  writer.patchU32(Checksum.crc32(writer.base + index, entriesSize), at: index + entriesSize)
  return try writer.finish()
}

/// A size that `compress` with the same arguments never exceeds, without compressing.
/// - Throws: as `compress`, for arguments that it refuses.
public func compressedBound(
  _ set: ImageSet, with model: Autoencoder, options: CompressionOptions = CompressionOptions()
) throws(AEError) -> Int {
  let header = try plan(set, model, options)
  // Sections and blocks are stored as they are where packing does not make them smaller.
  var bound = header.headerSize + header.indexSize + set.pixels.count
  if set.labels != nil { bound += set.count }
  if let names = set.names {
    for name in names { bound += 1 + name.utf8.count }
  }
  if options.embedModel {
    bound += try WeightFile.write(model, storage: .int8, decoderOnly: true).count
  }
  return bound
}

/// Checks the arguments and fills a header but for its sections.
private func plan(_ set: ImageSet, _ model: Autoencoder, _ options: CompressionOptions) throws(AEError)
  -> ContainerHeader
{
  guard let codec = model.codec else {
    throw AEError(.kind, "the model \"\(model.name)\" has no codec and cannot compress")
  }
  guard model.integerEncoder != nil else {
    throw AEError(.kind, "the model \"\(model.name)\" is a decoder alone and cannot compress")
  }
  let shape = model.architecture
  guard set.width == shape.width, set.height == shape.height else {
    throw AEError(
      .shape,
      "the images are \(set.width) x \(set.height) pixels, the model \"\(model.name)\" takes "
        + "\(shape.width) x \(shape.height)")
  }
  guard (0...codec.rates.count).contains(options.quality) else {
    throw AEError(.argument, "quality must be in 1 ... \(codec.rates.count), not \(options.quality)")
  }
  guard (1...ContainerHeader.maximumBlockImages).contains(options.blockImages) else {
    throw AEError(
      .argument,
      "images in a block must be in 1 ... \(ContainerHeader.maximumBlockImages), not \(options.blockImages)")
  }
  var header = ContainerHeader()
  header.width = shape.width
  header.height = shape.height
  header.channels = shape.channels
  header.latentCount = shape.latentCount
  header.quality = options.quality == 0 ? codec.defaultQuality : options.quality
  header.source = set.source
  header.blockImages = options.blockImages
  header.count = set.count
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

/// Encodes blocks `first ..< first + count` on as many threads as there are.
private func encodeWave(
  _ set: ImageSet, _ header: ContainerHeader, _ coder: BlockCoder, first: Int, count: Int
) throws(AEError) -> [BlockCoder.Encoded] {
  let slots = WaveSlots(count: count)
  parallel(count) { index in
    let block = first + index
    let pixels = set.pixels.base + block * header.blockImages * set.imageSize
    do throws(AEError) {
      slots[index] = .done(try coder.encode(pixels, count: header.imageCount(ofBlock: block)))
    } catch {
      slots[index] = .failed(error)
    }
  }
  var blocks: [BlockCoder.Encoded] = []
  for index in 0..<count {
    switch slots[index] {
    case .done(let block): blocks.append(block)
    case .failed(let error): throw error
    case .waiting: throw AEError(.internal, "block \(first + index) was not encoded")
    }
  }
  return blocks
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

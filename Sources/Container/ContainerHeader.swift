// What stands before the blocks of an .aez: the fixed header, the model's name, and the index. One place
// writes it and one place reads it, and both are below; docs/format-aez.md tells it byte by byte.

import Bytes
import Core
import Network
import Storage

/// A part of the file beside header, index and blocks.
struct Section: Sendable {
  /// Bytes in the file; 0 for a section that is not there.
  var storedSize = 0
  /// Bytes after inflating. Equal to `storedSize` for bytes that are stored as they are.
  var rawSize = 0
  /// Of the stored bytes.
  var crc: UInt32 = 0
}

/// The header of an image set, checked.
///
/// A class, though nothing shares it before it is complete: every way out of the reader would else give back its
/// parts one by one.
final class ContainerHeader: @unchecked Sendable {
  /// The high bit, the line ends and the control-Z find transfers that were made as text.
  static let magic: [UInt8] = [0x89, 0x41, 0x45, 0x5A, 0x0D, 0x0A, 0x1A, 0x0A]
  /// The newest version that is read. Sets of codes are written as version 1, as they always were.
  static let version: UInt16 = 2
  /// Bytes before the model's name.
  static let fixedSize = 132
  /// Bytes of the longest header with its checksum.
  static let largestSize = fixedSize + 64 + 4
  static let indexEntrySize = 9
  static let maximumBlockImages = 65536
  static let maximumQuality = 16
  static let maximumEffort = 9
  /// No zlib stream is smaller than this part of what it inflates to.
  static let largestInflation = 1032

  enum Flag {
    static let model: UInt16 = 1
    static let labels: UInt16 = 2
    static let names: UInt16 = 4
    static let all: UInt16 = 7
  }

  var width = 0
  var height = 0
  var channels = 1
  /// 0 if no model is needed.
  var latentCount = 0
  /// 0 in exact and near-exact sets without codes.
  var quality = 0
  var layer = Layer.latent
  /// The most that a pixel may be off: 1 ... 32 in near-exact sets, else 0.
  var maxError = 0
  /// How exact blocks are coded, from 1 on; 0 in sets of codes, and where none is.
  var effort = 0
  var source = SourceKind.unknown
  var blockImages = 0
  var count = 0
  var modelHash: [UInt8] = []
  var modelName = ""
  /// A decoder's weight file, or absent.
  var model: Section?
  var labels: Section?
  var names: Section?

  var blockCount: Int { count / blockImages + (count % blockImages == 0 ? 0 : 1) }
  var imageSize: Int { width * height * channels }
  /// False for an exact set whose blocks are all deflated or stored pixels.
  var namesModel: Bool { latentCount > 0 }

  /// How many images block `index` holds: as all, but for the last.
  func imageCount(ofBlock index: Int) -> Int { min(blockImages, count - index * blockImages) }

  /// Bytes of the header with its checksum.
  var headerSize: Int { ContainerHeader.fixedSize + UTF8Text.count(modelName) + 4 }
  /// Bytes of the index with its checksum.
  var indexSize: Int { blockCount * ContainerHeader.indexEntrySize + 4 }
  var sectionsOffset: Int { headerSize + indexSize }
  var modelOffset: Int { sectionsOffset }
  var labelsOffset: Int { modelOffset + (model?.storedSize ?? 0) }
  var namesOffset: Int { labelsOffset + (labels?.storedSize ?? 0) }
  var blocksOffset: Int { namesOffset + (names?.storedSize ?? 0) }

  // MARK: Writing

  /// The header's bytes, checksum included.
  func write() throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    for byte in ContainerHeader.magic { try writer.u8(byte) }
    try writer.u16(layer == .latent ? 1 : ContainerHeader.version)
    var flags: UInt16 = 0
    if model != nil { flags |= Flag.model }
    if labels != nil { flags |= Flag.labels }
    if names != nil { flags |= Flag.names }
    try writer.u16(flags)
    try writer.u16(UInt16(width))
    try writer.u16(UInt16(height))
    try writer.u16(UInt16(channels))
    try writer.u16(UInt16(latentCount))
    try writer.u8(UInt8(quality))
    try writer.u8(source.rawValue)
    try writer.u8(layer.rawValue)
    try writer.u8(UInt8(UTF8Text.count(modelName)))
    try writer.u32(UInt32(blockImages))
    try writer.u32(UInt32(maxError | effort << 8))
    try writer.u64(UInt64(count))
    for index in 0..<32 { try writer.u8(namesModel ? modelHash[index] : 0) }
    for section in [model, labels, names] {
      try writer.u64(UInt64(section?.storedSize ?? 0))
      try writer.u64(UInt64(section?.rawSize ?? 0))
      try writer.u32(section?.crc ?? 0)
    }
    try writer.utf8(modelName)
    try writer.u32(Checksum.crc32(writer.base, writer.count))
    return try writer.finish()
  }

  // MARK: Reading

  /// Reads and checks a header. What is checked is everything that the header alone can show.
  /// - Parameters:
  ///   - byteCount: how many bytes are there to read from, at least a header's.
  ///   - fileSize: bytes of the whole file.
  static func read(
    _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, fileSize: Int, name: String
  ) throws(AEError) -> ContainerHeader {
    var reader = ByteReader(bytes, count: byteCount, name: name)
    guard byteCount >= magic.count else {
      throw reader.fail("an image set begins with 8 bytes of signature, and there are \(byteCount)")
    }
    for (index, byte) in magic.enumerated() {
      guard try reader.u8() == byte else {
        throw AEError(.format, "\(name): not an image set: byte \(index) of the signature differs")
      }
    }
    let version = try reader.u16()
    guard version == 1 || version == ContainerHeader.version else {
      throw reader.fail(.version, "format version \(version), and this reader knows versions 1 and 2")
    }
    guard byteCount >= fixedSize else {
      throw reader.fail("a header has at least \(fixedSize) bytes, and there are \(byteCount)")
    }
    let nameSize = Int(bytes[23])
    guard nameSize <= 64 else {
      throw reader.fail("the model's name has \(nameSize) bytes, at most 64 may be")
    }
    let checkedSize = fixedSize + nameSize
    var trailer = ByteReader(bytes, count: byteCount, name: name)
    _ = try trailer.bytes(checkedSize)
    guard try trailer.u32() == Checksum.crc32(bytes, checkedSize) else {
      throw trailer.fail(.checksum, "the header does not match its checksum")
    }

    let header = ContainerHeader()
    let flags = try reader.u16()
    guard flags & ~Flag.all == 0 else {
      throw reader.fail(.version, "flags \(flags): this reader knows 0 to \(Flag.all)")
    }
    header.width = Int(try reader.u16())
    header.height = Int(try reader.u16())
    header.channels = Int(try reader.u16())
    let sides = Architecture.maximumSide
    try require(header.width, 1, sides, "width", reader)
    try require(header.height, 1, sides, "height", reader)
    try require(header.channels, 1, 1, "channels", reader)
    header.latentCount = Int(try reader.u16())
    let least = version == 1 ? 1 : 0
    try require(header.latentCount, least, Architecture.maximumLatentCount, "latents", reader)
    header.quality = Int(try reader.u8())
    try require(header.quality, least, maximumQuality, "quality", reader)
    let source = try reader.u8()
    guard let source = SourceKind(rawValue: source) else {
      throw reader.fail(.version, "source kind \(source), which this reader does not know")
    }
    header.source = source
    let layer = try reader.u8()
    guard let layer = Layer(rawValue: layer), (layer == .latent) == (version == 1) else {
      throw reader.fail(.version, "layer \(layer), which version \(version) does not have")
    }
    header.layer = layer
    _ = try reader.u8()
    header.blockImages = Int(try reader.u32())
    try require(header.blockImages, 1, maximumBlockImages, "images in a block", reader)
    header.maxError = Int(try reader.u8())
    header.effort = Int(try reader.u8())
    let reserved = try reader.u16()
    guard reserved == 0, version > 1 || (header.maxError == 0 && header.effort == 0) else {
      throw reader.fail(.version, "a reserved field is not 0, which this reader does not know")
    }
    let errors = layer == .nearExact
    try require(
      header.maxError, errors ? 1 : 0, errors ? NearExact.maximumError : 0, "largest error", reader)
    // The highest effort that needs no model is 1.
    try require(
      header.effort, 0, version == 1 ? 0 : header.namesModel ? maximumEffort : PixelModel.mixing, "effort",
      reader)
    header.count = Int(truncatingIfNeeded: try reader.u64())
    try require(header.count, 0, ImageSet.maximumCount, "images", reader)
    let hash = try reader.bytes(32)
    var hashBits: UInt8 = 0
    for index in 0..<32 {
      header.modelHash.append(hash[index])
      hashBits |= hash[index]
    }
    // A set names a model wholly or not at all.
    guard
      header.namesModel
        || (header.quality == 0 && hashBits == 0 && nameSize == 0 && flags & Flag.model == 0)
    else { throw reader.fail("a model is described, and no latents") }

    header.model = try readSection(&reader, "model", isPresent: flags & Flag.model != 0, in: fileSize)
    header.labels = try readSection(&reader, "labels", isPresent: flags & Flag.labels != 0, in: fileSize)
    header.names = try readSection(&reader, "names", isPresent: flags & Flag.names != 0, in: fileSize)
    if let model = header.model, model.storedSize != model.rawSize {
      throw reader.fail("the model's section must be stored as it is")
    }
    if let labels = header.labels, labels.rawSize != header.count {
      throw reader.fail("\(header.count) images, but \(labels.rawSize) labels")
    }
    header.modelName = try reader.string(nameSize)
    return header
  }

  /// Throws unless a number is in a range.
  @inline(never)
  private static func require(
    _ value: Int, _ low: Int, _ high: Int, _ what: StaticString, _ reader: ByteReader
  ) throws(AEError) {
    guard value >= low, value <= high else {
      throw reader.fail("\(what) \(value): \(low) to \(high) may be")
    }
  }

  @inline(never)
  private static func readSection(
    _ reader: inout ByteReader, _ what: StaticString, isPresent: Bool, in fileSize: Int
  ) throws(AEError) -> Section? {
    let stored = try reader.u64()
    let raw = try reader.u64()
    let crc = try reader.u32()
    guard isPresent else {
      guard stored == 0, raw == 0, crc == 0 else {
        throw reader.fail("the \(what) section is described, but its flag is not set")
      }
      return nil
    }
    guard stored <= UInt64(fileSize) else {
      throw reader.fail("the \(what) section declares \(stored) bytes, the file has \(fileSize)")
    }
    // Nothing is allocated for a size that the stored bytes cannot possibly inflate to.
    guard raw >= stored, raw <= stored * UInt64(largestInflation) else {
      throw reader.fail("the \(what) section's \(stored) bytes cannot inflate to \(raw)")
    }
    return Section(storedSize: Int(stored), rawSize: Int(raw), crc: crc)
  }
}

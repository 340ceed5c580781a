// Headers of versions 1 and 2, which are read for ever and no longer written: their index is before the first block.

import Bytes
import Core
import Network
import Storage

/// A header of version 1 or 2, checked.
final class OldHeader: @unchecked Sendable {
  /// Bytes before the model's name.
  static let fixedSize = 132
  static let indexEntrySize = 9
  private static let maximumEffort = 9

  private enum Flag {
    static let model: UInt16 = 1
    static let labels: UInt16 = 2
    static let names: UInt16 = 4
    static let all: UInt16 = 7
  }

  let set = SetHeader()
  private(set) var count = 0
  /// How blocks of kind 4 are coded: 1 by contexts, 2 by scans, 0 if there are none.
  private(set) var effort = 0
  private(set) var model: Section?
  private(set) var labels: Section?
  private(set) var names: Section?

  var blockCount: Int { count / set.blockImages + (count % set.blockImages == 0 ? 0 : 1) }
  /// How many images block `index` holds: as all, but for the last.
  func imageCount(ofBlock index: Int) -> Int { min(set.blockImages, count - index * set.blockImages) }

  /// Bytes of the header with its checksum.
  var headerSize: Int { OldHeader.fixedSize + UTF8Text.count(set.modelName) + 4 }
  /// Bytes of the index with its checksum.
  var indexSize: Int { blockCount * OldHeader.indexEntrySize + 4 }
  var blocksOffset: Int {
    headerSize + indexSize + (model?.storedSize ?? 0) + (labels?.storedSize ?? 0) + (names?.storedSize ?? 0)
  }

  /// A block's kind as version 3 numbers it.
  func kind(_ number: UInt8) -> BlockKind? {
    guard number <= 4, let kind = BlockKind(rawValue: number) else { return nil }
    guard kind == .firstContexts else { return kind.belongs(to: set) ? kind : nil }
    if effort == 0 { return nil }
    return effort == 2 && set.canHaveScans ? .firstScans : .firstContexts
  }

  /// Reads and checks a header. What is checked is everything that the header alone can show.
  /// - Parameters:
  ///   - byteCount: how many bytes are there to read from, at least a header's.
  ///   - fileSize: bytes of the whole file.
  static func read(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, fileSize: Int, name: String)
    throws(AEError) -> OldHeader
  {
    var reader = ByteReader(bytes, count: byteCount, name: name)
    _ = try reader.bytes(SetHeader.magic.count)
    let version = try reader.u16()
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

    let header = OldHeader()
    let set = header.set
    let flags = try reader.u16()
    guard flags & ~Flag.all == 0 else {
      throw reader.fail(.version, "flags \(flags): this reader knows 0 to \(Flag.all)")
    }
    let width = Int(try reader.u16())
    let height = Int(try reader.u16())
    set.shape = ImageShape(width: width, height: height, channels: Int(try reader.u16()))
    set.latentCount = Int(try reader.u16())
    set.quality = Int(try reader.u8())
    let source = try reader.u8()
    guard source <= SourceKind.pgmFile.rawValue, let source = SourceKind(rawValue: source) else {
      throw reader.fail(.version, "source kind \(source), which this reader does not know")
    }
    set.source = source
    let mode = try reader.u8()
    guard let mode = Mode(rawValue: mode), (mode == .lossy) == (version == 1) else {
      throw reader.fail(.version, "mode \(mode), which version \(version) does not have")
    }
    set.mode = mode
    _ = try reader.u8()
    set.blockImages = Int(try reader.u32())
    set.maxError = Int(try reader.u8())
    header.effort = Int(try reader.u8())
    let reserved = try reader.u16()
    guard reserved == 0, version > 1 || (set.maxError == 0 && header.effort == 0) else {
      throw reader.fail(.version, "a reserved field is not 0, which this reader does not know")
    }
    try set.check(reader, isFormer: true, hasCodes: version == 1, hasModel: version == 1)
    // The highest effort that needs no model is 1.
    try SetHeader.require(
      header.effort, 0, version == 1 ? 0 : (set.latentCount > 0) ? maximumEffort : 1, "effort", reader)
    guard header.effort <= 2 else {
      throw reader.fail(.kind, "effort \(header.effort), which needs a later reader")
    }
    set.usesScans = header.effort == 2
    header.count = Int(truncatingIfNeeded: try reader.u64())
    try SetHeader.require(header.count, 0, ImageSet.maximumCount, "images", reader)
    let hash = try reader.bytes(32)
    var hashBits: UInt8 = 0
    for index in 0..<32 {
      set.modelHash.append(hash[index])
      hashBits |= hash[index]
    }
    // A set names a model wholly or not at all.
    guard
      (set.latentCount > 0) || (set.quality == 0 && hashBits == 0 && nameSize == 0 && flags & Flag.model == 0)
    else { throw reader.fail("a model is described, and no latents") }
    if set.latentCount == 0 { set.modelHash = [] }

    header.model = try readSection(&reader, "model", isPresent: flags & Flag.model != 0, in: fileSize)
    header.labels = try readSection(&reader, "labels", isPresent: flags & Flag.labels != 0, in: fileSize)
    header.names = try readSection(&reader, "names", isPresent: flags & Flag.names != 0, in: fileSize)
    if let model = header.model, model.storedSize != model.rawSize {
      throw reader.fail("the model's section must be stored as it is")
    }
    if let labels = header.labels, labels.rawSize != header.count {
      throw reader.fail("\(header.count) images, but \(labels.rawSize) labels")
    }
    set.modelName = try reader.string(nameSize)
    var offset = header.headerSize + header.indexSize
    header.model?.offset = offset
    offset += header.model?.storedSize ?? 0
    header.labels?.offset = offset
    offset += header.labels?.storedSize ?? 0
    header.names?.offset = offset
    return header
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
    guard raw >= stored, raw <= stored * UInt64(SetHeader.largestInflation) else {
      throw reader.fail("the \(what) section's \(stored) bytes cannot inflate to \(raw)")
    }
    return Section(offset: 0, headSize: 0, storedSize: Int(stored), rawSize: Int(raw), crc: crc)
  }
}

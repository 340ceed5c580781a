// The bytes of an .aez with header and index read and checked: where each part lies. It needs no model,
// which is what lets a set be looked at without one.

import Bytes
import Core
import Storage

/// An image set's bytes and its table of contents.
final class ContainerFile: Sendable {
  let name: String
  let header: ContainerHeader
  private let source: ByteSource
  /// All before the blocks.
  private let head: Buffer<UInt8>
  /// [blockCount + 1]: where each block begins, and where the last one ends.
  private let offsets: Buffer<Int>
  private let blockCounts: [Int]
  private let keptImageCount: Int

  /// - Parameter isCutAllowed: takes a file that ends too early, whose last blocks are then lost, or too late.
  /// - Throws: `.format`, `.checksum`, `.version`, `.io` or `.memory`, if header or index cannot be trusted or
  ///   the file is not exactly as long as they say.
  init(_ source: ByteSource, name: String, isCutAllowed: Bool) throws(AEError) {
    let fileSize = source.byteCount
    let start = try source.bytes(at: 0, count: min(fileSize, ContainerHeader.largestSize))
    let header = try ContainerHeader.read(start.base, start.count, fileSize: fileSize, name: name)
    guard header.indexSize <= fileSize - header.headerSize else {
      throw AEError(
        .format,
        "\(name): \(header.count) images make \(header.blockCount) blocks, and the \(header.indexSize) bytes of "
          + "their index do not fit into \(fileSize)")
    }
    // No overflow: three sections of at most the file's size each.
    guard header.blocksOffset <= fileSize else {
      throw AEError(
        .format, "\(name): header and index declare \(header.blocksOffset) bytes, and there are \(fileSize)")
    }
    let head = try source.bytes(at: 0, count: header.blocksOffset)
    let index = head.base + header.headerSize
    let entriesSize = header.indexSize - 4
    var trailer = ByteReader(index, count: header.indexSize, name: name, origin: header.headerSize)
    _ = try trailer.bytes(entriesSize)
    guard try trailer.u32() == Checksum.crc32(index, entriesSize) else {
      throw trailer.fail(.checksum, "the index does not match its checksum")
    }

    let offsets = try Buffer<Int>(count: header.blockCount + 1)
    var counts = [Int](repeating: 0, count: BlockKind.allCases.count)
    var kept = 0
    var reader = ByteReader(index, count: entriesSize, name: name, origin: header.headerSize)
    // No overflow: at most 2^28 blocks of less than 2^32 bytes.
    var offset = header.blocksOffset
    offsets.base[0] = offset
    for block in 0..<header.blockCount {
      let kind = try reader.u8()
      guard let kind = BlockKind(rawValue: kind), kind.belongs(to: header) else {
        throw reader.fail(
          .version,
          "block \(block) is of kind \(kind), which this reader does not know in layer \(header.layer.rawValue)"
        )
      }
      counts[Int(kind.rawValue)] += 1
      let size = Int(try reader.u32())
      _ = try reader.u32()
      let isThere = size <= fileSize - min(offset, fileSize)
      guard isThere || isCutAllowed else {
        throw reader.fail(
          "block \(block) declares \(size) bytes from byte \(offset) on, and the file ends at \(fileSize)")
      }
      let images = header.imageCount(ofBlock: block)
      if kind == .deflated || kind == .stored {
        kept += images
      } else if kind == .mixed, size >= 4, isThere {
        let count = try source.bytes(at: offset, count: 4)
        kept += min(
          Int(count[0]) | Int(count[1]) << 8 | Int(count[2]) << 16 | Int(count[3]) << 24, images)
      }
      offset += size
      offsets.base[block + 1] = offset
    }
    guard offset == fileSize || isCutAllowed else {
      throw AEError(
        .format, "\(name): header and index declare \(offset) bytes, and there are \(fileSize)")
    }
    self.name = name
    self.source = source
    self.head = head
    self.header = header
    self.offsets = offsets
    blockCounts = counts
    keptImageCount = kept
  }

  var information: CompressedSetInformation {
    CompressedSetInformation(
      count: header.count, width: header.width, height: header.height, channels: header.channels,
      latentCount: header.latentCount, quality: header.quality, blockImages: header.blockImages,
      source: header.source, hasLabels: header.labels != nil, hasNames: header.names != nil,
      hasModel: header.model != nil, byteCount: source.byteCount,
      blockByteCount: source.byteCount - header.blocksOffset, modelHash: header.modelHash,
      modelName: header.modelName, blockCounts: blockCounts, keptImageCount: keptImageCount,
      layer: header.layer, maxError: header.maxError, effort: header.effort, needsModel: needsModel)
  }

  // MARK: Blocks

  /// False if every block can be read without a model, which only exact and near-exact sets may be.
  var needsModel: Bool {
    header.layer == .latent || (header.namesModel && blockCounts[Int(BlockKind.exact.rawValue)] > 0)
  }

  /// Bytes that the file has beyond what it declares; negative if it was cut.
  var excess: Int { source.byteCount - offsets[header.blockCount] }

  /// The model's section, which the header says is there.
  func modelSection(_ section: Section) -> Buffer<UInt8> {
    Buffer(borrowing: head.base + header.modelOffset, count: section.storedSize)
  }

  private func indexEntry(_ block: Int) -> UnsafeMutablePointer<UInt8> {
    head.base + header.headerSize + block * ContainerHeader.indexEntrySize
  }

  func blockKind(_ block: Int) -> BlockKind {
    // The initialiser has refused every other kind.
    BlockKind(rawValue: indexEntry(block)[0]) ?? .stored
  }

  /// Calls `body` with a block's bytes, once they match their checksum.
  func withBlock(_ block: Int, _ body: (UnsafePointer<UInt8>, Int) -> BlockFault?) -> BlockFault? {
    let (offset, end) = (offsets[block], offsets[block + 1])
    guard end <= source.byteCount else { return .missing }
    let bytes: Buffer<UInt8>
    do throws(AEError) {
      bytes = try source.bytes(at: offset, count: end - offset)
    } catch {
      return error.code == .memory ? .memory : .unreadable
    }
    let entry = indexEntry(block) + 5
    let checksum =
      UInt32(entry[0]) | UInt32(entry[1]) << 8 | UInt32(entry[2]) << 16 | UInt32(entry[3]) << 24
    guard Checksum.crc32(bytes.base, bytes.count) == checksum else { return .checksum }
    return body(bytes.base, bytes.count)
  }

  /// The images that a block holds.
  func images(ofBlock block: Int) -> Range<Int> {
    let first = block * header.blockImages
    return first..<first + header.imageCount(ofBlock: block)
  }

  func describe(_ block: Int, _ fault: BlockFault) -> String {
    sentence("block \(block) (bytes \(offsets[block]) to \(offsets[block + 1])): \(fault.reason)")
  }

  // MARK: Sections

  func labels() throws(AEError) -> Buffer<UInt8>? {
    guard let section = header.labels else { return nil }
    return try unpack(section, at: header.labelsOffset, "labels")
  }

  func names() throws(AEError) -> NameList? {
    guard let section = header.names else { return nil }
    // At least a byte for each name, and no more than the names themselves.
    guard section.rawSize >= header.count, section.rawSize <= NameList.maximumByteCount else {
      throw AEError(.format, "\(name), names: \(section.rawSize) bytes for \(header.count) images")
    }
    let raw = try unpack(section, at: header.namesOffset, "names")
    return try NameList(
      raw: raw.base, rawCount: raw.count, count: header.count, name: sentence("\(name), names"))
  }

  private func unpack(_ section: Section, at offset: Int, _ what: StaticString) throws(AEError)
    -> Buffer<UInt8>
  {
    let stored = head.base + offset
    guard Checksum.crc32(stored, section.storedSize) == section.crc else {
      throw AEError(
        .checksum,
        "\(name): the \(what) (bytes \(offset) to \(offset + section.storedSize)) do not match their checksum"
      )
    }
    if section.storedSize == section.rawSize {
      return try Buffer(copying: stored, count: section.storedSize)
    }
    return try Zlib.inflate(
      stored, section.storedSize, rawCount: section.rawSize, name: sentence("\(name), \(what)"))
  }
}

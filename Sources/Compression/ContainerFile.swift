// The bytes of an .aez with header and index read and checked: where each part lies. It needs no model,
// which is what lets a set be looked at without one.

import Bytes
import Core
import Storage

/// An image set's bytes and its table of contents.
final class ContainerFile: Sendable {
  let name: String
  let bytes: Buffer<UInt8>
  let header: ContainerHeader
  /// [blockCount + 1]: where each block begins, and where the last one ends.
  private let offsets: Buffer<Int>
  private let blockCounts: [Int]
  private let keptImageCount: Int

  /// - Throws: `.format`, `.checksum`, `.version` or `.memory`, if header or index cannot be trusted or the
  ///   file is not exactly as long as they say.
  init(_ bytes: Buffer<UInt8>, name: String) throws(AEError) {
    let header = try ContainerHeader.read(bytes.base, bytes.count, name: name)
    guard header.indexSize <= bytes.count - header.headerSize else {
      throw AEError(
        .format,
        "\(name): \(header.count) images make \(header.blockCount) blocks, and the \(header.indexSize) bytes of "
          + "their index do not fit into \(bytes.count)")
    }
    let index = bytes.base + header.headerSize
    let entriesSize = header.indexSize - 4
    var trailer = ByteReader(index, count: header.indexSize, name: name, origin: header.headerSize)
    _ = try trailer.bytes(entriesSize)
    guard try trailer.u32() == Checksum.crc32(index, entriesSize) else {
      throw trailer.fail(.checksum, "the index does not match its checksum")
    }

    let offsets = try Buffer<Int>(count: header.blockCount + 1)
    var counts = [0, 0, 0, 0]
    var kept = 0
    var reader = ByteReader(index, count: entriesSize, name: name, origin: header.headerSize)
    // No overflow: at most 2^28 blocks of less than 2^32 bytes.
    var offset = header.blocksOffset
    offsets.base[0] = offset
    for block in 0..<header.blockCount {
      let kind = try reader.u8()
      guard let kind = BlockKind(rawValue: kind) else {
        throw reader.fail(.version, "block \(block) is of kind \(kind), which this reader does not know")
      }
      counts[Int(kind.rawValue)] += 1
      let size = Int(try reader.u32())
      _ = try reader.u32()
      guard size <= bytes.count - min(offset, bytes.count) else {
        throw reader.fail(
          "block \(block) declares \(size) bytes from byte \(offset) on, and the file ends at \(bytes.count)")
      }
      let images = header.imageCount(ofBlock: block)
      if kind == .deflated || kind == .stored {
        kept += images
      } else if kind == .mixed, size >= 4 {
        let start = bytes.base + offset
        let count = Int(start[0]) | Int(start[1]) << 8 | Int(start[2]) << 16 | Int(start[3]) << 24
        kept += min(count, images)
      }
      offset += size
      offsets.base[block + 1] = offset
    }
    guard offset == bytes.count else {
      throw AEError(
        .format, "\(name): header and index declare \(offset) bytes, and there are \(bytes.count)")
    }
    self.name = name
    self.bytes = bytes
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
      hasModel: header.model != nil, byteCount: bytes.count,
      blockByteCount: bytes.count - header.blocksOffset, modelHash: header.modelHash,
      modelName: header.modelName, blockCounts: blockCounts, keptImageCount: keptImageCount)
  }

  // MARK: Blocks

  func blockOffset(_ block: Int) -> Int { offsets[block] }
  func blockSize(_ block: Int) -> Int { offsets[block + 1] - offsets[block] }

  private func indexEntry(_ block: Int) -> UnsafeMutablePointer<UInt8> {
    bytes.base + header.headerSize + block * ContainerHeader.indexEntrySize
  }

  func blockKind(_ block: Int) -> BlockKind {
    // The initialiser has refused every other kind.
    BlockKind(rawValue: indexEntry(block)[0]) ?? .stored
  }

  func blockChecksum(_ block: Int) -> UInt32 {
    let entry = indexEntry(block) + 5
    return UInt32(entry[0]) | UInt32(entry[1]) << 8 | UInt32(entry[2]) << 16 | UInt32(entry[3]) << 24
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
    let raw = try unpack(section, at: header.namesOffset, "names")
    return try NameList(
      raw: raw.base, rawCount: raw.count, count: header.count, name: sentence("\(name), names"))
  }

  private func unpack(_ section: Section, at offset: Int, _ what: StaticString) throws(AEError)
    -> Buffer<UInt8>
  {
    let stored = bytes.base + offset
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

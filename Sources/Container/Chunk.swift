// The parts of a file of version 3: each block, section and index is a chunk, whose head gives its kind and length, so
// that a file can be read from its front. The index repeats the heads, and the footer gives the offset of the index, so
// that a file can be opened from its end.

import Bytes
import Core
import Storage

/// The chunks that are no blocks.
enum ChunkKind {
  static let model: UInt8 = 8
  static let labels: UInt8 = 9
  static let names: UInt8 = 10
  static let index: UInt8 = 15
}

/// The head of a chunk; the index repeats it.
struct ChunkHead: Equatable {
  /// Bytes of the largest head with its checksum.
  static let largestSize = 16
  /// Bytes of a chunk, at most.
  static let maximumByteCount = 1 << 32 - 1

  /// That of a block, or a `ChunkKind`.
  var kind: UInt8
  /// Bytes after the head.
  var byteCount: Int
  /// Of a block.
  var imageCount = 0
  /// Images of a mixed block that are stored raw.
  var rawImageCount = 0
  /// Bytes of names after inflating.
  var rawByteCount = 0

  var blockKind: BlockKind? { BlockKind(rawValue: kind) }

  init(kind: UInt8, byteCount: Int, rawByteCount: Int = 0) {
    (self.kind, self.byteCount, self.rawByteCount) = (kind, byteCount, rawByteCount)
  }

  init(_ kind: BlockKind, byteCount: Int, imageCount: Int, rawImageCount: Int) {
    (self.kind, self.byteCount) = (kind.rawValue, byteCount)
    (self.imageCount, self.rawImageCount) = (imageCount, rawImageCount)
  }

  /// Appends the head without its checksum: what the index repeats.
  func write(to writer: ByteWriter, _ header: SetHeader) throws(AEError) {
    let hasCount = blockKind != nil && imageCount != header.blockImages
    try writer.varint(byteCount << 5 | (hasCount ? 16 : 0) | Int(kind))
    if hasCount { try writer.varint(imageCount) }
    if blockKind == .mixed { try writer.varint(rawImageCount) }
    if kind == ChunkKind.names { try writer.varint(rawByteCount) }
  }

  /// Reads a head without its checksum.
  static func read(_ reader: inout ByteReader, _ header: SetHeader) throws(AEError) -> ChunkHead {
    let start = reader
    let tag = try reader.varint("a head", 0, .max)
    let (kind, hasCount, byteCount) = (UInt8(tag & 15), tag & 16 != 0, tag >> 5)
    var head = ChunkHead(kind: kind, byteCount: byteCount)
    guard byteCount <= maximumByteCount else {
      throw start.fail("\(byteCount) bytes in one part: at most \(maximumByteCount) may be")
    }
    guard let block = head.blockKind else {
      guard !hasCount,
        kind >= ChunkKind.model && kind <= ChunkKind.names || kind == ChunkKind.index
      else { throw start.fail(.version, "a part of kind \(kind), which this reader does not know") }
      if kind == ChunkKind.names {
        head.rawByteCount = try reader.varint("bytes of names", 0, NameList.maximumByteCount)
      }
      return head
    }
    guard block.belongs(to: header) else {
      throw start.fail(
        .version,
        "a block of kind \(kind), which this reader does not know in mode \(header.mode.rawValue)")
    }
    guard byteCount > 0 else { throw start.fail("a block without bytes") }
    head.imageCount = header.blockImages
    if hasCount {
      head.imageCount = try reader.varint("images of a block", 1, header.mostBlockImages)
      guard head.imageCount != header.blockImages else {
        throw start.fail("a block of \(head.imageCount) images, as usual, says so")
      }
    }
    if block == .mixed {
      head.rawImageCount = try reader.varint("images of a block stored raw", 1, head.imageCount)
      guard head.rawImageCount < head.imageCount else {
        throw start.fail("all \(head.imageCount) images of a mixed block are stored raw")
      }
    }
    return head
  }
}

/// The end of a file of version 3.
struct Footer {
  static let byteCount = 20
  /// "ZEA" and a byte that is no text.
  static let magic: [UInt8] = [0x5A, 0x45, 0x41, 0x89]

  /// Where the index's chunk begins.
  let indexOffset: Int
  let imageCount: Int

  func write(to writer: ByteWriter) throws(AEError) {
    let start = writer.count
    try writer.u64(UInt64(indexOffset))
    try writer.u32(UInt32(imageCount))
    try writer.u32(Checksum.crc32(writer.base + start, 12))
    for byte in Footer.magic { try writer.u8(byte) }
  }

  /// Whether a footer may begin here.
  static func isMagic(_ bytes: UnsafePointer<UInt8>) -> Bool {
    for index in 0..<magic.count where bytes[byteCount - magic.count + index] != magic[index] { return false }
    return true
  }

  /// Reads the footer that these bytes are.
  /// - Parameter origin: where they are in the file.
  static func read(_ bytes: UnsafePointer<UInt8>, origin: Int, name: String) throws(AEError) -> Footer {
    var reader = ByteReader(bytes, count: byteCount, name: name, origin: origin)
    guard isMagic(bytes) else {
      throw reader.fail("the file does not end with its footer: it was cut, or bytes follow its end")
    }
    let offset = try reader.u64()
    let count = try reader.u32()
    guard try reader.u32() == Checksum.crc32(bytes, 12) else {
      throw reader.fail(.checksum, "the footer does not match its checksum")
    }
    guard offset < UInt64(max(origin, 0)) else {
      throw reader.fail("the index is to begin at byte \(offset), where the footer or nothing is")
    }
    guard count <= UInt32(ImageSet.maximumCount) else {
      throw reader.fail("images \(count): 0 to \(ImageSet.maximumCount) may be")
    }
    return Footer(indexOffset: Int(offset), imageCount: Int(count))
  }
}

/// A part of the file that is no block: model, labels or names.
struct Section: Sendable {
  /// Where it begins: its head, if it has one.
  var offset = 0
  /// Bytes of its head with its checksum; 0 in versions 1 and 2.
  var headSize = 0
  /// Bytes in the file, without the head.
  var storedSize = 0
  /// Bytes after inflating. Equal to `storedSize` for bytes that are stored as they are.
  var rawSize = 0
  /// Of the stored bytes, in versions 1 and 2.
  var crc: UInt32 = 0
}

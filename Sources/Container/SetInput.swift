// An image set that comes in order, from a pipe: its bytes and no more. Its own file because it alone goes through a
// file without an end that could be looked at first.

import Bytes
import Core

extension CompressedSet {
  /// The bytes of the image set that an input holds: no more than it says of itself, and one that tells a longer
  /// input. Of what has no sound header only the first bytes are taken, for its reader to refuse.
  /// - Throws: `.io`, `.memory`.
  public static func bytes(_ input: ByteInput) throws(AEError) -> Buffer<UInt8> {
    let all = ByteWriter()
    func append(upTo count: Int) throws(AEError) -> Bool {
      if all.count < count { try all.bytes(try input.bytes(atMost: count - all.count)) }
      return all.count >= count
    }
    _ = try append(upTo: SetHeader.largestSize)
    guard let version = try? SetHeader.readVersion(all.base, all.count, name: input.name) else {
      return try all.finish()
    }
    if version < SetHeader.version {
      // Sizes far above any file's, which cannot overflow when they are added.
      guard let header = try? OldHeader.read(all.base, all.count, fileSize: 1 << 48, name: input.name),
        try append(upTo: header.headerSize + header.indexSize)
      else { return try all.finish() }
      var end = header.blocksOffset
      for block in 0..<header.blockCount {
        let size = all.base + header.headerSize + block * OldHeader.indexEntrySize + 1
        end += Int(size[0]) | Int(size[1]) << 8 | Int(size[2]) << 16 | Int(size[3]) << 24
      }
      _ = try append(upTo: end + 1)
      return try all.finish()
    }
    guard let (header, headerSize) = try? SetHeader.read(all.base, all.count, name: input.name) else {
      return try all.finish()
    }
    var offset = headerSize
    while true {
      // What follows an index is larger than a head, so that no sound set is read beyond its end.
      _ = try append(upTo: offset + ChunkHead.largestSize)
      var reader = ByteReader(
        all.base + min(offset, all.count), count: all.count - min(offset, all.count), name: input.name)
      guard let head = try? ChunkHead.read(&reader, header) else { break }
      offset += reader.offset + 4 + head.byteCount
      if head.kind == ChunkKind.index {
        _ = try append(upTo: offset + Footer.byteCount + 1)
        break
      }
      guard try append(upTo: offset) else { break }
    }
    return try all.finish()
  }
}

// Offset and images of each block, for random access. It grows in memory that may be refused, because a file says how
// many blocks there are.

import Core

/// The blocks of a set, in order.
final class BlockTable: @unchecked Sendable {
  private(set) var count = 0
  /// Images in all blocks.
  private(set) var imageCount = 0
  /// Blocks per kind.
  private(set) var kindCounts = [Int](repeating: 0, count: BlockKind.count)
  /// Images of lossy blocks that have no code.
  private(set) var rawImageCount = 0
  private var offsets: Buffer<Int>
  private var firsts: Buffer<UInt32>
  private var kinds: Buffer<UInt8>
  private var rawCounts: Buffer<UInt16>
  /// Of the blocks' bytes, in versions 1 and 2.
  private var checksums: Buffer<UInt32>

  /// - Parameters:
  ///   - offset: where the first block begins.
  ///   - hasChecksums: whether they are told beside the blocks.
  init(offset: Int, hasChecksums: Bool) throws(AEError) {
    offsets = try Buffer(count: 2)
    firsts = try Buffer(count: 2)
    kinds = try Buffer(count: 1)
    rawCounts = try Buffer(count: 1)
    checksums = try Buffer(count: hasChecksums ? 1 : 0)
    offsets.base[0] = offset
  }

  /// Where the last block ends.
  var end: Int { offsets.base[count] }

  /// Adds a block.
  /// - Parameter byteCount: with its head.
  func append(
    _ kind: BlockKind, byteCount: Int, imageCount: Int, rawImageCount: Int = 0, checksum: UInt32 = 0
  ) throws(AEError) {
    if count == kinds.count { try grow(to: 2 * count) }
    kinds.base[count] = kind.rawValue
    rawCounts.base[count] = UInt16(truncatingIfNeeded: rawImageCount)
    if checksums.count > 0 { checksums.base[count] = checksum }
    offsets.base[count + 1] = end + byteCount
    self.imageCount += imageCount
    firsts.base[count + 1] = UInt32(truncatingIfNeeded: self.imageCount)
    kindCounts[Int(kind.rawValue)] += 1
    switch kind {
    case .deflated, .stored: self.rawImageCount += imageCount
    case .mixed: self.rawImageCount += rawImageCount
    default: break
    }
    count += 1
  }

  private func grow(to capacity: Int) throws(AEError) {
    func larger<Element>(_ old: Buffer<Element>, _ count: Int) throws(AEError) -> Buffer<Element> {
      let new = try Buffer<Element>(count: count)
      UnsafeMutableRawPointer(new.base).copyMemory(
        from: old.base, byteCount: old.count * MemoryLayout<Element>.stride)
      return new
    }
    offsets = try larger(offsets, capacity + 1)
    firsts = try larger(firsts, capacity + 1)
    kinds = try larger(kinds, capacity)
    rawCounts = try larger(rawCounts, capacity)
    if checksums.count > 0 { checksums = try larger(checksums, capacity) }
  }

  func kind(_ block: Int) -> BlockKind {
    // Only known kinds were added.
    BlockKind(rawValue: kinds[block]) ?? .stored
  }

  /// Bytes of the file that a block takes, its head first if it has one.
  func bytes(_ block: Int) -> Range<Int> { offsets[block]..<offsets[block + 1] }

  /// The images that a block holds.
  func images(_ block: Int) -> Range<Int> { Int(firsts[block])..<Int(firsts[block + 1]) }

  func rawCount(_ block: Int) -> Int { Int(rawCounts[block]) }

  /// What a block's bytes are to match; nil if that is told in its head.
  func checksum(_ block: Int) -> UInt32? { checksums.count > 0 ? checksums[block] : nil }

  /// The block that holds an image: `image` must be in the set.
  func block(of image: Int) -> Int {
    var low = 0
    var high = count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if Int(firsts[middle]) <= image { low = middle } else { high = middle - 1 }
    }
    return low
  }
}

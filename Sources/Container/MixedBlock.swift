// A block of codes in which some images are stored raw. Its own file because writer, reader and copier all parse such
// blocks, and none may trust them.

/// The parts of a mixed block, checked against each other.
struct MixedBlock {
  /// Bytes before the positions: how many images are stored raw, and their deflated size.
  static let headSize = 8

  /// Images stored raw.
  let rawCount: Int
  private let positions: UnsafePointer<UInt8>
  let deflated: UnsafePointer<UInt8>
  let deflatedCount: Int
  let codes: UnsafePointer<UInt8>
  let codesCount: Int

  enum Result {
    case success(MixedBlock)
    case failure(BlockFault)
  }

  static func parse(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int) -> Result {
    guard byteCount >= headSize else { return .failure(.size) }
    var rawCount = 0
    var deflatedCount = 0
    for byte in 0..<4 {
      rawCount |= Int(bytes[byte]) << (8 * byte)
      deflatedCount |= Int(bytes[4 + byte]) << (8 * byte)
    }
    // Both counts lie below 2^32, so nothing here overflows.
    guard rawCount > 0, rawCount < count, headSize + 2 * rawCount + deflatedCount <= byteCount
    else { return .failure(.size) }
    let positions = bytes + headSize
    let deflated = positions + 2 * rawCount
    let codes = deflated + deflatedCount
    let mixed = MixedBlock(
      rawCount: rawCount, positions: positions, deflated: deflated, deflatedCount: deflatedCount,
      codes: codes, codesCount: byteCount - (codes - bytes))
    var last = -1
    for index in 0..<rawCount {
      let position = mixed.position(index)
      guard position > last, position < count else { return .failure(.positions) }
      last = position
    }
    return .success(mixed)
  }

  /// Which image of the block the raw image `index` is.
  func position(_ index: Int) -> Int { Int(positions[2 * index]) | Int(positions[2 * index + 1]) << 8 }

  /// How many raw images lie before image `image`.
  func rawCount(before image: Int) -> Int {
    var low = 0
    var high = rawCount
    while low < high {
      let middle = (low + high) / 2
      if position(middle) < image { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The first images in a row, of those in `range` of a sound block, that are stored raw.
  static func firstRaw(
    _ kind: BlockKind, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>
  ) -> Range<Int> {
    guard kind == .mixed else { return range }
    guard case .success(let mixed) = parse(bytes, byteCount, count: count) else { return range }
    var index = mixed.rawCount(before: range.lowerBound)
    guard index < mixed.rawCount else { return range }
    let first = mixed.position(index)
    var end = first
    while index < mixed.rawCount && mixed.position(index) == end && end < range.upperBound {
      end += 1
      index += 1
    }
    return first..<end
  }
}

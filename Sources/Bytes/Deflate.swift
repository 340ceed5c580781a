// A deflate encoder of the project's own. Any zlib inflates what it writes, but zlib's own encoder gives other
// bytes from version to version and from fork to fork, and the same images must give the same file
// everywhere, so what files hold is deflated here.

import Core

/// Deflates (RFC 1951) by hash chains and lazy matching, in blocks with Huffman codes of their own.
struct Deflater {
  private static let windowSize = 1 << 15
  private static let windowMask = windowSize - 1
  private static let hashCount = 1 << 15
  private static let shortest = 3
  private static let longest = 258
  /// A match of three bytes from further away mostly costs more than its three literals.
  private static let furthestShortMatch = 4096
  /// Candidates that are looked at for one match; fewer where a good one is at hand.
  private static let chainLimit = 1024
  private static let goodMatch = 32
  /// Literals and matches that share a pair of codes.
  private static let tokensPerBlock = 1 << 14

  private let input: UnsafePointer<UInt8>
  private let count: Int
  /// Position + 1 of the last occurrence of a hash, 0 for none.
  private let heads: Buffer<Int>
  /// Position + 1 of the occurrence before, by position within the window.
  private let links: Buffer<Int>
  /// Literals as they are; matches as distance << 9 | length, which is never below 256.
  private let tokens: Buffer<UInt32>
  private var tokenCount = 0
  private var blockStart = 0
  private var bits: BitWriter
  /// Asked after every block whether to go on.
  private var monitor: Monitor?

  private init(_ input: UnsafePointer<UInt8>, _ count: Int) throws(AEError) {
    self.input = input
    self.count = count
    heads = try Buffer(count: Deflater.hashCount)
    links = try Buffer(count: Deflater.windowSize)
    tokens = try Buffer(count: Deflater.tokensPerBlock)
    bits = BitWriter()
  }

  /// `count` bytes in the zlib format (RFC 1950).
  static func zlib(
    _ input: UnsafePointer<UInt8>, _ count: Int, strategy: Zlib.Strategy, monitor: Monitor?
  ) throws(AEError) -> Buffer<UInt8> {
    var deflater = try Deflater(input, count)
    deflater.monitor = monitor
    let writer = deflater.bits.writer
    // 32 KB window, strongest effort; the two bytes make a multiple of 31.
    try writer.u8(0x78)
    try writer.u8(0xDA)
    try strategy == .runs ? deflater.runWithoutStrings() : deflater.run()
    try writer.u32be(adler32(input, count))
    return try writer.finish()
  }

  /// `count` bytes as a gzip file of one member (RFC 1952), without name or time.
  static func gzip(_ input: UnsafePointer<UInt8>, _ count: Int) throws(AEError) -> Buffer<UInt8> {
    var deflater = try Deflater(input, count)
    let writer = deflater.bits.writer
    // Deflated, no flags, no time, strongest effort, made under Unix.
    for byte in [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3] as [UInt8] { try writer.u8(byte) }
    try deflater.run()
    try writer.u32(Checksum.crc32(input, count))
    try writer.u32(UInt32(truncatingIfNeeded: count))
    return try writer.finish()
  }

  private static func adler32(_ input: UnsafePointer<UInt8>, _ count: Int) -> UInt32 {
    var a: UInt32 = 1
    var b: UInt32 = 0
    var position = 0
    while position < count {
      // So many sums stay below 2^32.
      let end = min(count, position + 5552)
      while position < end {
        a &+= UInt32(input[position])
        b &+= a
        position += 1
      }
      a %= 65521
      b %= 65521
    }
    return b << 16 | a
  }

  // MARK: Matches

  private mutating func run() throws(AEError) {
    var position = 0
    var earlierLength = 0
    var earlierDistance = 0
    // True while the byte before `position` waits for whether a longer match begins here.
    var isWaiting = false
    while position < count {
      var length = 0
      var distance = 0
      if position + Deflater.shortest <= count {
        let chain = earlierLength >= Deflater.goodMatch ? Deflater.chainLimit / 4 : Deflater.chainLimit
        if earlierLength < Deflater.longest {
          (length, distance) = longestMatch(at: position, longerThan: earlierLength, chain: chain)
        }
        insert(position)
      }
      if length == Deflater.shortest && distance > Deflater.furthestShortMatch { length = 0 }

      if isWaiting && earlierLength >= Deflater.shortest && length <= earlierLength {
        try match(length: earlierLength, distance: earlierDistance, end: position - 1 + earlierLength)
        let end = position - 1 + earlierLength
        position += 1
        while position < end {
          if position + Deflater.shortest <= count { insert(position) }
          position += 1
        }
        isWaiting = false
        earlierLength = 0
      } else {
        if isWaiting { try literal(input[position - 1], end: position) }
        isWaiting = true
        earlierLength = length
        earlierDistance = distance
        position += 1
      }
    }
    if isWaiting { try literal(input[count - 1], end: count) }
    try endBlock(at: count, isLast: true)
    try bits.align()
  }

  /// `run` with no matches but those at distance 1.
  private mutating func runWithoutStrings() throws(AEError) {
    var position = 0
    while position < count {
      var length = 0
      if position > 0 {
        let limit = min(Deflater.longest, count - position)
        while length < limit && input[position + length] == input[position - 1] { length += 1 }
      }
      if length >= Deflater.shortest {
        position += length
        try match(length: length, distance: 1, end: position)
      } else {
        position += 1
        try literal(input[position - 1], end: position)
      }
    }
    try endBlock(at: count, isLast: true)
    try bits.align()
  }

  @inline(__always)
  private func hash(_ position: Int) -> Int {
    let three =
      UInt32(input[position]) | UInt32(input[position + 1]) << 8 | UInt32(input[position + 2]) << 16
    return Int(truncatingIfNeeded: (three &* 0x9E37_79B1) >> 17)
  }

  @inline(__always)
  private func insert(_ position: Int) {
    let hash = hash(position)
    links.base[position & Deflater.windowMask] = heads.base[hash]
    heads.base[hash] = position + 1
  }

  /// The longest of the nearest matches, if it is longer than `least` and than two; lengths are 0 if none is.
  private func longestMatch(at position: Int, longerThan least: Int, chain: Int) -> (Int, Int) {
    let limit = min(Deflater.longest, count - position)
    var best = max(least, Deflater.shortest - 1)
    var distance = 0
    if best >= limit { return (0, 0) }
    var candidate = heads.base[hash(position)] - 1
    var left = chain
    let oldest = position - Deflater.windowSize
    let here = input + position
    while candidate >= 0 && candidate >= oldest && left > 0 {
      let there = input + candidate
      if there[best] == here[best] && there[best - 1] == here[best - 1] && there[0] == here[0] {
        var length = 0
        while length < limit && there[length] == here[length] { length += 1 }
        if length > best {
          best = length
          distance = position - candidate
          if length == limit { break }
        }
      }
      candidate = links.base[candidate & Deflater.windowMask] - 1
      left -= 1
    }
    return distance > 0 ? (best, distance) : (0, 0)
  }

  private mutating func literal(_ byte: UInt8, end: Int) throws(AEError) {
    try append(UInt32(byte), end: end)
  }

  private mutating func match(length: Int, distance: Int, end: Int) throws(AEError) {
    try append(UInt32(truncatingIfNeeded: distance << 9 | length), end: end)
  }

  /// Keeps a token, which covers the input up to `end`.
  private mutating func append(_ token: UInt32, end: Int) throws(AEError) {
    tokens.base[tokenCount] = token
    tokenCount += 1
    if tokenCount == Deflater.tokensPerBlock { try endBlock(at: end, isLast: false) }
  }

  // MARK: Blocks

  /// Writes the tokens so far as a block of whichever of the three kinds is smallest.
  private mutating func endBlock(at end: Int, isLast: Bool) throws(AEError) {
    try monitor.check()
    var literalCounts = [Int](repeating: 0, count: 286)
    var distanceCounts = [Int](repeating: 0, count: 30)
    var extraBits = 0
    for index in 0..<tokenCount {
      let token = Int(tokens.base[index])
      if token < 256 {
        literalCounts[token] += 1
      } else {
        let length = LengthCode.of(token & 511)
        let distance = DistanceCode.of(token >> 9)
        literalCounts[257 + length.symbol] += 1
        distanceCounts[distance.symbol] += 1
        extraBits += length.extraBits + distance.extraBits
      }
    }
    literalCounts[256] = 1
    let literals = HuffmanCode(counts: literalCounts, longest: 15)
    let distances = HuffmanCode(counts: distanceCounts, longest: 15)
    let header = CodeHeader(literals.lengths, distances.lengths)

    let dynamicSize =
      header.size + literals.size(of: literalCounts) + distances.size(of: distanceCounts) + extraBits
    let fixedSize =
      HuffmanCode.fixedLiterals.size(of: literalCounts) + HuffmanCode.fixedDistances.size(of: distanceCounts)
      + extraBits
    let byteCount = end - blockStart
    // A stored block begins on a byte and holds at most 65535 bytes.
    let storedSize = 8 * byteCount + 40 * (byteCount / 65535 + 1)

    if storedSize <= min(dynamicSize, fixedSize) {
      try storeBlock(end: end, isLast: isLast)
    } else {
      try bits.put(isLast ? 1 : 0, 1)
      if fixedSize <= dynamicSize {
        try bits.put(1, 2)
        try putTokens(HuffmanCode.fixedLiterals, HuffmanCode.fixedDistances)
      } else {
        try bits.put(2, 2)
        try header.put(to: &bits)
        try putTokens(literals, distances)
      }
    }
    blockStart = end
    tokenCount = 0
  }

  private mutating func storeBlock(end: Int, isLast: Bool) throws(AEError) {
    var start = blockStart
    repeat {
      let size = min(65535, end - start)
      try bits.put(isLast && start + size == end ? 1 : 0, 1)
      try bits.put(0, 2)
      try bits.align()
      try bits.writer.u16(UInt16(truncatingIfNeeded: size))
      try bits.writer.u16(~UInt16(truncatingIfNeeded: size))
      try bits.writer.bytes(input + start, size)
      start += size
    } while start < end
  }

  private mutating func putTokens(_ literals: HuffmanCode, _ distances: HuffmanCode) throws(AEError) {
    for index in 0..<tokenCount {
      let token = Int(tokens.base[index])
      if token < 256 {
        try literals.put(token, to: &bits)
      } else {
        let length = LengthCode.of(token & 511)
        try literals.put(257 + length.symbol, to: &bits)
        try bits.put(UInt32(length.extra), length.extraBits)
        let distance = DistanceCode.of(token >> 9)
        try distances.put(distance.symbol, to: &bits)
        try bits.put(UInt32(distance.extra), distance.extraBits)
      }
    }
    try literals.put(256, to: &bits)
  }
}

/// Bits, least significant first, into bytes.
private struct BitWriter {
  let writer = ByteWriter()
  private var held: UInt64 = 0
  private var heldCount = 0

  mutating func put(_ value: UInt32, _ count: Int) throws(AEError) {
    held |= UInt64(value) << UInt64(heldCount)
    heldCount += count
    while heldCount >= 8 {
      try writer.u8(UInt8(truncatingIfNeeded: held))
      held >>= 8
      heldCount -= 8
    }
  }

  /// Fills up the last byte with zeros.
  mutating func align() throws(AEError) {
    if heldCount > 0 { try put(0, 8 - heldCount) }
  }
}

/// A symbol and the extra bits that follow it.
private struct Spread {
  let symbol: Int
  let extra: Int
  let extraBits: Int
}

/// The symbols of match lengths, less 257 (RFC 1951, 3.2.5).
private enum LengthCode {
  @inline(__always)
  static func of(_ length: Int) -> Spread {
    if length == 258 { return Spread(symbol: 28, extra: 0, extraBits: 0) }
    let value = length - 3
    if value < 8 { return Spread(symbol: value, extra: 0, extraBits: 0) }
    // Four symbols to each doubling.
    let extraBits = Int.bitWidth - 1 - value.leadingZeroBitCount - 2
    return Spread(
      symbol: 4 * extraBits + value >> extraBits, extra: value & ((1 << extraBits) - 1), extraBits: extraBits)
  }
}

/// The symbols of match distances (RFC 1951, 3.2.5).
private enum DistanceCode {
  @inline(__always)
  static func of(_ distance: Int) -> Spread {
    let value = distance - 1
    if value < 4 { return Spread(symbol: value, extra: 0, extraBits: 0) }
    // Two symbols to each doubling.
    let extraBits = Int.bitWidth - 1 - value.leadingZeroBitCount - 1
    return Spread(
      symbol: 2 * extraBits + value >> extraBits, extra: value & ((1 << extraBits) - 1), extraBits: extraBits)
  }
}

/// A prefix code with the shortest average for its counts, and none longer than allowed.
private struct HuffmanCode {
  let lengths: [UInt8]
  /// Reversed, since codes go out with their first bit first.
  private let codes: [UInt16]

  init(counts: [Int], longest: Int) {
    self.init(lengths: HuffmanCode.lengths(counts, longest))
  }

  /// Codes in the canonical order (RFC 1951, 3.2.2).
  init(lengths: [UInt8]) {
    var perLength = [Int](repeating: 0, count: 17)
    for length in lengths where length > 0 { perLength[Int(length)] += 1 }
    var next = [Int](repeating: 0, count: 17)
    for length in 1..<16 { next[length + 1] = (next[length] + perLength[length]) << 1 }
    var codes = [UInt16](repeating: 0, count: lengths.count)
    for symbol in 0..<lengths.count where lengths[symbol] > 0 {
      let length = Int(lengths[symbol])
      var code = next[length]
      next[length] += 1
      var reversed = 0
      for _ in 0..<length {
        reversed = reversed << 1 | code & 1
        code >>= 1
      }
      codes[symbol] = UInt16(truncatingIfNeeded: reversed)
    }
    self.lengths = lengths
    self.codes = codes
  }

  /// The codes that blocks without codes of their own use (RFC 1951, 3.2.6).
  static let fixedLiterals = HuffmanCode(
    lengths: [UInt8](repeating: 8, count: 144) + [UInt8](repeating: 9, count: 112)
      + [UInt8](repeating: 7, count: 24) + [UInt8](repeating: 8, count: 8))
  static let fixedDistances = HuffmanCode(lengths: [UInt8](repeating: 5, count: 30))

  /// Bits that symbols which occur so often take.
  func size(of counts: [Int]) -> Int {
    var sum = 0
    for (symbol, count) in counts.enumerated() { sum += count * Int(lengths[symbol]) }
    return sum
  }

  @inline(__always)
  func put(_ symbol: Int, to bits: inout BitWriter) throws(AEError) {
    try bits.put(UInt32(codes[symbol]), Int(lengths[symbol]))
  }

  /// Lengths by package-merge (Larmore and Hirschberg 1990).
  ///
  /// There are always at least two symbols with a code, because some readers stumble over one alone.
  private static func lengths(_ counts: [Int], _ longest: Int) -> [UInt8] {
    var leaves: [(weight: Int, symbol: Int)] = []
    for (symbol, count) in counts.enumerated() where count > 0 { leaves.append((count, symbol)) }
    var spare = 0
    while leaves.count < 2 {
      if counts[spare] == 0 { leaves.append((0, spare)) }
      spare += 1
    }
    leaves.shellSort { $0.weight < $1.weight || ($0.weight == $1.weight && $0.symbol < $1.symbol) }

    // Per level, for every item in order of weight: whether it is a leaf. The rest are packages: pairs of
    // items of the level below.
    var levels: [[Bool]] = [[Bool](repeating: true, count: leaves.count)]
    var weights = leaves.map { $0.weight }
    for _ in 1..<longest {
      var packages: [Int] = []
      var index = 0
      while index + 1 < weights.count {
        packages.append(weights[index] + weights[index + 1])
        index += 2
      }
      var merged: [Int] = []
      var isLeaf: [Bool] = []
      var leaf = 0
      var package = 0
      while leaf < leaves.count || package < packages.count {
        let takesLeaf =
          leaf < leaves.count && (package == packages.count || leaves[leaf].weight <= packages[package])
        merged.append(takesLeaf ? leaves[leaf].weight : packages[package])
        isLeaf.append(takesLeaf)
        if takesLeaf { leaf += 1 } else { package += 1 }
      }
      weights = merged
      levels.append(isLeaf)
    }

    // A symbol's length is how often it is among the first 2n - 2 items, packages opened.
    var lengths = [UInt8](repeating: 0, count: counts.count)
    var taken = 2 * leaves.count - 2
    for isLeaf in levels.reversed() {
      var leafCount = 0
      for index in 0..<taken where isLeaf[index] { leafCount += 1 }
      for index in 0..<leafCount { lengths[leaves[index].symbol] += 1 }
      taken = 2 * (taken - leafCount)
    }
    return lengths
  }
}

/// The lengths of two codes as a block's header tells them (RFC 1951, 3.2.7).
private struct CodeHeader {
  private static let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

  private let literalCount: Int
  private let distanceCount: Int
  private let runs: [(symbol: Int, extra: Int, extraBits: Int)]
  private let code: HuffmanCode
  private let codeCount: Int
  /// Bits, without the three that begin a block.
  let size: Int

  init(_ literals: [UInt8], _ distances: [UInt8]) {
    var literalCount = literals.count
    while literalCount > 257 && literals[literalCount - 1] == 0 { literalCount -= 1 }
    var distanceCount = distances.count
    while distanceCount > 1 && distances[distanceCount - 1] == 0 { distanceCount -= 1 }
    let lengths = Array(literals.prefix(literalCount)) + Array(distances.prefix(distanceCount))

    var runs: [(symbol: Int, extra: Int, extraBits: Int)] = []
    var index = 0
    while index < lengths.count {
      let length = Int(lengths[index])
      var run = 1
      while index + run < lengths.count && Int(lengths[index + run]) == length { run += 1 }
      index += run
      if length == 0 {
        while run >= 11 {
          runs.append((18, min(run, 138) - 11, 7))
          run -= min(run, 138)
        }
        if run >= 3 {
          runs.append((17, run - 3, 3))
          run = 0
        }
      } else {
        runs.append((length, 0, 0))
        run -= 1
        while run >= 3 {
          runs.append((16, min(run, 6) - 3, 2))
          run -= min(run, 6)
        }
      }
      for _ in 0..<run { runs.append((length, 0, 0)) }
    }

    var counts = [Int](repeating: 0, count: 19)
    for run in runs { counts[run.symbol] += 1 }
    let code = HuffmanCode(counts: counts, longest: 7)
    var codeCount = 19
    while codeCount > 4 && code.lengths[CodeHeader.order[codeCount - 1]] == 0 { codeCount -= 1 }
    var size = 14 + 3 * codeCount + code.size(of: counts)
    for run in runs { size += run.extraBits }

    self.literalCount = literalCount
    self.distanceCount = distanceCount
    self.runs = runs
    self.code = code
    self.codeCount = codeCount
    self.size = size
  }

  func put(to bits: inout BitWriter) throws(AEError) {
    try bits.put(UInt32(literalCount - 257), 5)
    try bits.put(UInt32(distanceCount - 1), 5)
    try bits.put(UInt32(codeCount - 4), 4)
    for index in 0..<codeCount { try bits.put(UInt32(code.lengths[CodeHeader.order[index]]), 3) }
    for run in runs {
      try code.put(run.symbol, to: &bits)
      try bits.put(UInt32(run.extra), run.extraBits)
    }
  }
}

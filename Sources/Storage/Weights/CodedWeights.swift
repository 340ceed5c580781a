// The coded form of sections IENC and IDEC, for networks whose weights are mostly 0: weights by an adaptive binary code,
// all else deflated. It restores the very bytes that deflate would. docs/format-aew.md gives it byte by byte.

import Bytes
import Core
import Entropy
import Network

/// In which order a layer's matrix is coded, and where a weight's neighbours are: the five bytes as they are stored, the
/// first one lowest.
private struct WeightOrder {
  let value: Int

  /// Whether the lines that are coded are the matrix's columns, else its rows.
  var isTransposed: Bool { value & 1 != 0 }
  /// Places between neighbours in a line, such as those of pixels in a row; 0 for none.
  var step: Int { value >> 8 & 0xFFFF }
  /// Places between the rows of what lies in a line; 0 for none, else more than a step.
  var period: Int { value >> 24 }

  var isSound: Bool { value & 0xFF <= 1 && (period == 0 || period > step) }
}

/// What a line has had so far, or a place in the lines so far: density of weights, mean magnitude in 1/16, balance of
/// signs.
private struct WeightHistory {
  static let count = 3
  let numbers: UnsafeMutablePointer<UInt16>

  func begin() { (numbers[0], numbers[1], numbers[2]) = (8000, 32, 28) }

  @inline(__always)
  func densityLevel(_ mixer: BitMixer) -> Int { (mixer.stretch(Int(numbers[0]) >> 4) + 2047) >> 8 }
  var meanLevel: Int { ((Int(numbers[1]) - 16) >> 3).clamped(to: 0...7) }
  var balanceLevel: Int { Int(numbers[2]) >> 3 }

  @inline(never)
  func see(_ weight: Int) {
    move(0, to: weight == 0 ? 0 : 65535, 5)
    guard weight != 0 else { return }
    move(1, to: 16 * abs(weight), 3)
    numbers[2] = UInt16(truncatingIfNeeded: (Int(numbers[2]) + (weight < 0 ? -1 : 1)).clamped(to: 0...55))
  }

  private func move(_ index: Int, to target: Int, _ rate: Int) {
    let old = Int(numbers[index])
    numbers[index] = UInt16(truncatingIfNeeded: old + (target - old) >> rate)
  }
}

/// Codes the weights of one layer, in either direction, adapting as it goes.
private final class WeightCoder {
  /// Magnitudes above are a number of 7 bits.
  private static let unaryCount = 16
  private static let firstSign = 256
  private static let firstMagnitude = 512

  private let mixer: BitMixer
  /// Whether lines have weights, whether places have, and from there on those of large magnitudes.
  private let bits: AdaptiveBits
  private let weights: UnsafeMutablePointer<Int8>
  private let lineCount: Int
  private let placeCount: Int
  private let lineStride: Int
  private let placeStride: Int
  private let step: Int
  private let period: Int
  /// Of each line, then each place, whether it has weights.
  private let live: Buffer<UInt8>
  /// Those of all places, then the line's.
  private let histories: Buffer<UInt16>

  init(_ weights: UnsafeMutablePointer<Int8>, rows: Int, columns: Int, _ order: WeightOrder) throws(AEError) {
    self.weights = weights
    (lineCount, placeCount) = order.isTransposed ? (columns, rows) : (rows, columns)
    (lineStride, placeStride) = order.isTransposed ? (1, columns) : (columns, 1)
    // Where there are no neighbours, they lie before every line.
    step = order.step > 0 ? order.step : placeCount
    period = order.period > 0 ? order.period : placeCount + step
    mixer = try BitMixer(inputCount: 3, slotCount: 1536, setCount: 12, divisors: 3...513)
    bits = try AdaptiveBits(count: 2 + 128)
    live = try Buffer(count: lineCount + placeCount)
    histories = try Buffer(count: WeightHistory.count * (placeCount + 1))
  }

  private func history(_ place: Int) -> WeightHistory {
    WeightHistory(numbers: histories.base + WeightHistory.count * place)
  }

  /// Codes all weights; when reading, writes them, which are to be 0 before.
  ///
  /// - Returns: whether no magnitude is larger than `largest`.
  func code(_ coder: inout BinaryCoder, largest: Int) -> Bool {
    for place in 0..<placeCount { history(place).begin() }
    if !coder.isReading {
      for line in 0..<lineCount {
        for place in 0..<placeCount where weights[line * lineStride + place * placeStride] != 0 {
          live.base[line] = 1
          live.base[lineCount + place] = 1
        }
      }
    }
    for index in 0..<live.count {
      live.base[index] = UInt8(bits.code(Int(live.base[index]), index < lineCount ? 0 : 1, &coder))
    }
    for line in 0..<lineCount where live.base[line] != 0 {
      history(placeCount).begin()
      for place in 0..<placeCount where live.base[lineCount + place] != 0 {
        guard codeWeight(line, place, &coder, largest: largest) else { return false }
      }
      if coder.isBeyondEnd { return false }
    }
    return true
  }

  @inline(never)
  private func ask(_ bit: Bool, _ set: Int, _ a: Int, _ b: Int, _ c: Int, _ coder: inout BinaryCoder) -> Bool
  {
    (mixer.contexts[0], mixer.contexts[1], mixer.contexts[2]) = (a, b, c)
    return mixer.code(bit ? 1 : 0, set, &coder) != 0
  }

  @inline(never)
  private func codeWeight(_ line: Int, _ place: Int, _ coder: inout BinaryCoder, largest: Int) -> Bool {
    let target = weights + (line * lineStride + place * placeStride)
    /// The weight some places before, 0 where there is none; without a step, `period - step` is no distance.
    func at(_ distance: Int) -> Int {
      distance > 0 && distance <= place ? Int(target[-distance &* placeStride]) : 0
    }
    func sign(_ weight: Int) -> Int { weight == 0 ? 0 : weight > 0 ? 1 : 2 }
    let (w, n) = (at(step), at(period))
    let (nw, ne) = (at(period + step), at(period - step))
    let (ww, nn) = (at(2 * step), at(2 * period))
    let before = line > 0 ? Int(target[-lineStride]) : 0
    let further = line > 1 ? Int(target[-2 * lineStride]) : 0
    var flags = 0
    func flag(_ neighbour: Int) { flags = flags << 1 | (neighbour != 0 ? 1 : 0) }
    flag(w)
    flag(n)
    flag(nw)
    flag(ne)
    flag(ww)
    flag(nn)
    flag(before)
    flag(further)
    let around = 2 * abs(w) + 2 * abs(n) + abs(nw) + abs(ne) + abs(ww) + abs(nn)
    let near = min((around + 3) >> 2, 7)
    let (own, history) = (history(placeCount), history(place))
    let level = history.densityLevel(mixer)
    let value = Int(target.pointee)
    var result = 0
    if ask(value != 0, near, own.densityLevel(mixer) << 4 | level, flags, near << 4 | level, &coder) {
      let isNegative = ask(
        value < 0, 8, WeightCoder.firstSign + sign(w) + 3 * sign(n) + 9 * sign(before),
        WeightCoder.firstSign + 7 * own.balanceLevel + history.balanceLevel,
        WeightCoder.firstSign + sign(nw) + 3 * sign(ne) + 9 * sign(ww) + 27 * sign(nn), &coder)
      let means = own.meanLevel << 3 | history.meanLevel
      let sides = min(abs(w), 7) << 3 | min(abs(n), 7)
      let others = near << 3 | min(abs(before), 7)
      var magnitude = 1
      var first = WeightCoder.firstMagnitude
      while magnitude <= WeightCoder.unaryCount,
        ask(
          abs(value) > magnitude, 8 + min(magnitude, 3), first + means, first + sides, first + others, &coder)
      {
        magnitude += 1
        first += 64
      }
      if magnitude > WeightCoder.unaryCount {
        magnitude += bits.codeNumber(abs(value) - magnitude, bitCount: 7, 2, &coder)
      }
      guard magnitude <= largest else { return false }
      result = isNegative ? -magnitude : magnitude
      target.pointee = Int8(truncatingIfNeeded: result)
    }
    own.see(result)
    history.see(result)
    return true
  }
}

extension IntegerSection {
  /// In the count of deflated bytes: pairs are listed.
  private static let areListed: UInt32 = 1 << 31

  /// A pair of a multiplier and a scale, a byte in each of 8 planes.
  private struct Pair {
    let bytes: UnsafeMutablePointer<UInt8>
    let stride: Int

    var word: UInt64 {
      @inline(never) get {
        var word: UInt64 = 0
        for plane in 0..<8 { word = word << 8 | UInt64(bytes[plane &* stride]) }
        return word
      }
    }

    @inline(never)
    func set(_ other: Pair) { for plane in 0..<8 { bytes[plane &* stride] = other.bytes[plane &* stride] } }
  }

  /// Copies what lies between weights, from or to memory of nothing else.
  ///
  /// - Parameter isListed: whether each pair of a multiplier and a scale is there once for a layer: pruned networks have few,
  ///   and planes hide that from deflate.
  /// - Returns: how many pairs are listed; nil if an output names one that is not.
  @inline(never)
  private func copyRest(
    _ rest: UnsafeMutablePointer<UInt8>, _ raw: UnsafeMutablePointer<UInt8>, isReading: Bool, isListed: Bool
  ) -> Int? {
    let starts = layout()
    var (rest, at, pairCount) = (rest, 0, 0)
    for index in 0...shapes.count {
      let channels = isListed && index < shapes.count ? shapes[index].channels : 0
      for part in 0..<2 {
        // What lies before the weights, then the biases.
        let count = part == 0 ? starts[index] - at : 4 * channels
        (isReading ? raw + at : rest).update(from: isReading ? rest : raw + at, count: count)
        rest += count
        at += count
        if part == 0 && index < shapes.count { at += shapes[index].weightCount }
      }
      let numbers = rest
      rest += channels
      var used = 0
      for output in 0..<channels {
        let pair = Pair(bytes: raw + at + output, stride: channels)
        var entry = 0
        if isReading {
          entry = Int(numbers[output])
          guard entry <= used || entry == 255 else { return nil }
        } else {
          let word = pair.word
          while entry < min(used, 255) && Pair(bytes: rest + entry, stride: channels).word != word {
            entry += 1
          }
          numbers[output] = UInt8(truncatingIfNeeded: entry)
        }
        if entry == 255 { entry = used }
        let listed = Pair(bytes: rest + entry, stride: channels)
        isReading ? pair.set(listed) : listed.set(pair)
        if entry == used { used += 1 }
      }
      pairCount += used
      at += 8 * channels
      rest += 8 * channels
    }
    return pairCount
  }

  /// Bytes of what lies between weights, and how many outputs have a pair of a multiplier and a scale.
  private func restCounts() -> (bytes: Int, pairs: Int) {
    var (bytes, pairs) = (rawCount, 0)
    for shape in shapes {
      bytes -= shape.weightCount
      pairs += shape.channels
    }
    return (bytes, pairs)
  }

  /// The raw bytes of a stored section, in whatever form it is.
  ///
  /// - Throws: `.format` saying what is wrong with it; `.memory`.
  @inline(never)
  func raw(_ stored: StoredSection) throws(AEError) -> Buffer<UInt8> {
    guard stored.entry.encoding == .coded else { return try stored.raw() }
    var reader = ByteReader(stored.bytes.base, count: stored.bytes.count, name: stored.name)
    let word = try reader.u32()
    let deflatedCount = Int(word & ~IntegerSection.areListed)
    let isListed = word & IntegerSection.areListed != 0
    let counts = restCounts()
    let rest = try Zlib.inflate(
      try reader.bytes(deflatedCount), deflatedCount, rawCount: counts.bytes + (isListed ? counts.pairs : 0),
      name: stored.name)
    let raw = try Buffer<UInt8>(count: rawCount)
    guard copyRest(rest.base, raw.base, isReading: true, isListed: isListed) != nil else {
      throw reader.fail("an output names a multiplier and a scale that are not listed")
    }
    let starts = layout()
    for index in 0..<shapes.count where shapes[index].hasWeights {
      try readLayer(index, raw.base + starts[index], &reader, stored.bytes.base)
    }
    guard reader.remaining == 0 else { throw reader.fail("bytes follow the coded weights") }
    return raw
  }

  /// Reads a layer: its order, and its weights, which are written where they are 0.
  @inline(never)
  private func readLayer(
    _ index: Int, _ weights: UnsafeMutablePointer<UInt8>, _ reader: inout ByteReader,
    _ stored: UnsafePointer<UInt8>
  ) throws(AEError) {
    let order = WeightOrder(value: Int(try reader.u8()) | Int(try reader.u32()) << 8)
    guard order.isSound else { throw reader.fail("no order of coded weights has the five bytes before") }
    var coder = BinaryCoder(reading: stored + reader.offset, count: reader.remaining)
    let isInRange = try weightCoder(index, weights, order).code(&coder, largest: isNarrow ? 63 : 127)
    if coder.isBeyondEnd { throw reader.fail("the coded weights from here on are cut short") }
    guard isInRange else { throw reader.fail("of the coded weights from here on one is too large") }
    try reader.seek(to: reader.offset + coder.readCount)
  }

  /// The bytes that `readLayer` reads, with the weights in an order.
  @inline(never)
  private func writeLayer(
    _ index: Int, _ weights: UnsafeMutablePointer<UInt8>, _ order: WeightOrder
  ) throws(AEError) -> ByteWriter {
    let writer = ByteWriter()
    try writer.u8(UInt8(truncatingIfNeeded: order.value))
    try writer.u32(UInt32(truncatingIfNeeded: order.value >> 8))
    var coder = BinaryCoder(writer: writer)
    _ = try weightCoder(index, weights, order).code(&coder, largest: 128)
    try coder.finish()
    return writer
  }

  @inline(never)
  private func weightCoder(_ index: Int, _ weights: UnsafeMutablePointer<UInt8>, _ order: WeightOrder)
    throws(AEError) -> WeightCoder
  {
    try WeightCoder(
      UnsafeMutableRawPointer(weights).assumingMemoryBound(to: Int8.self), rows: shapes[index].rows,
      columns: shapes[index].columns, order)
  }

  /// The coded form of raw bytes; nil where fewer than half of the weights are 0, or so many that the form may not hold
  /// them.
  @inline(never)
  func coded(_ raw: Buffer<UInt8>, of architecture: Architecture) throws(AEError) -> Buffer<UInt8>? {
    let starts = layout()
    var excess = 0
    for index in 0..<shapes.count {
      for at in starts[index]..<starts[index] + shapes[index].weightCount {
        excess += raw.base[at] == 0 ? 1 : -1
      }
    }
    guard excess >= 0 else { return nil }
    let counts = restCounts()
    let rest = try Buffer<UInt8>(count: counts.bytes + counts.pairs)
    let pairCount = copyRest(rest.base, raw.base, isReading: false, isListed: true) ?? 0
    let isListed = 2 * pairCount < counts.pairs
    if !isListed { _ = copyRest(rest.base, raw.base, isReading: false, isListed: false) }
    let deflated = try Zlib.deflate(rest.base, isListed ? rest.count : counts.bytes)
    let writer = ByteWriter()
    try writer.u32(UInt32(truncatingIfNeeded: deflated.count) | (isListed ? IntegerSection.areListed : 0))
    try writer.bytes(deflated)
    let list = endsInWords ? architecture.encoder : architecture.decoder
    for index in 0..<shapes.count {
      var best: ByteWriter?
      for order in orders(index, list) {
        let trial = try writeLayer(index, raw.base + starts[index], WeightOrder(value: order))
        if trial.count < best?.count ?? .max { best = trial }
      }
      if let best { try writer.bytes(best.base, best.count) }
    }
    return raw.count / SectionEncoding.coded.largestRatio <= writer.count ? try writer.finish() : nil
  }

  /// The orders worth a try for a node, none if it has no weights: by rows along what it reads and by columns along what it
  /// gives, which may be an image that is only called so elsewhere, with its channels last or first.
  private func orders(_ index: Int, _ list: NodeList) -> [Int] {
    let image = endsInWords ? list.input : list.nodes[list.nodes.count - 1].shape
    var orders: [Int] = []
    func add(_ isTransposed: Bool, _ width: Int, _ step: Int) {
      guard step <= 0xFFFF else { return orders.append(isTransposed ? 1 : 0) }
      let period = width > 1 && width * step <= 0xFFFF ? width * step : 0
      orders.append((isTransposed ? 1 : 0) | step << 8 | period << 24)
    }
    func add(_ isTransposed: Bool, _ map: FeatureShape) {
      add(isTransposed, map.width, map.channels)
      guard map.count == image.count else { return }
      if map.width != image.width { add(isTransposed, image.width, image.channels) }
      if image.channels > 1 { add(isTransposed, image.width, 1) }
    }
    let shape = shapes[index]
    if shape.isConvolution {
      let geometry = shape.geometry
      add(shape.isTransposed, Int(geometry.kernel), Int(geometry.fine_channels))
      add(!shape.isTransposed, 1, 1)
    } else if shape.hasWeights {
      let source = list.nodes[index].source
      add(false, source < 0 ? list.input : list.nodes[source].shape)
      add(true, list.nodes[index].shape)
    }
    return orders
  }
}

// Models and image sets that the tests of this target share. The models are built by hand from Walsh
// patterns, so that they really compress: the encoder measures how much of each pattern an image holds, the
// decoder adds the patterns up again. Everything is whole numbers and fixed by a seed.

import Bytes
import CKernels
import Compute
import Container
import Core
import Latent
import Model
import Network
import Storage

enum Support {
  /// +1 or -1: pattern `latent` (never the flat one) at pixel `pixel`.
  static func pattern(_ latent: Int, _ pixel: Int) -> Int {
    ((latent + 1) & pixel).nonzeroBitCount % 2 == 0 ? 1 : -1
  }

  /// A frequency table around 0 that falls off by half every `spread` values, for `-reach ... reach`.
  static func table(reach: Int, spread: Double) throws(AEError) -> CodeTable {
    var weights: [Int] = [1]
    for value in -reach...reach {
      weights.append(1 + Int(400 / (1 + Double(value * value) / (spread * spread))))
    }
    let sum = weights.reduce(0, +)
    var frequencies = weights.map { max(1, $0 * 4096 / sum) }
    var total = frequencies.reduce(0, +)
    while total > 4096 {
      let largest = frequencies.indices.max { frequencies[$0] < frequencies[$1] }!
      frequencies[largest] -= 1
      total -= 1
    }
    frequencies[reach + 1] += 4096 - total
    return try CodeTable(lowest: -reach, frequencies: frequencies.map { UInt16($0) })
  }

  /// A model of `side` x `side` images (a power of two) with `latentCount` latents and three qualities.
  ///
  /// A latent of 16 units is an amplitude of one grey level. With `scramble`, weights are changed at random,
  /// which makes a model that does badly.
  static func model(
    side: Int = 8, latentCount: Int = 6, kind: ModelKind = .linear, name: String = "walsh", seed: UInt64 = 0,
    reach: Int = 20
  ) throws(AEError) -> Autoencoder {
    let pixelCount = side * side
    let architecture = try Architecture(
      kind: kind, width: side, height: side, latentCount: latentCount, hidden: [], output: .identity)
    let outputs = architecture.encoderOutputCount
    var random = RandomStream(seed: seed, stream: 1)

    let up = try Buffer<Int8>(count: outputs * pixelCount)
    for latent in 0..<latentCount {
      for pixel in 0..<pixelCount {
        up[latent * pixelCount + pixel] = Int8(
          seed == 0 ? 4 * pattern(latent, pixel) : random.below(9) - 4)
      }
    }
    let scales = try Buffer<Float>(count: outputs)
    let multipliers = try Buffer<Int32>(count: outputs)
    for output in 0..<outputs {
      scales[output] = 0.01
      multipliers[output] = Int32(4096 / pixelCount * 4)
    }
    let encoder = try IntegerNetwork(layers: [
      try IntegerLayer(
        inputs: pixelCount, outputs: outputs, weights: up, bias: try Buffer(count: outputs),
        multipliers: multipliers, shift: 12, table: nil, sumScales: scales, largestInput: 255)
    ])

    let down = try Buffer<Int8>(count: latentCount * pixelCount)
    let downScales = try Buffer<Float>(count: pixelCount)
    let downMultipliers = try Buffer<Int32>(count: pixelCount)
    for pixel in 0..<pixelCount {
      for latent in 0..<latentCount { down[pixel * latentCount + latent] = Int8(pattern(latent, pixel)) }
      downScales[pixel] = 0.01
      downMultipliers[pixel] = 1
    }
    let ramp = try Buffer<UInt8>(count: 4096)
    for index in 0..<4096 { ramp[index] = UInt8((128 + (index - 2048) / 8).clamped(to: 0...255)) }
    let decoder = try IntegerNetwork(layers: [
      try IntegerLayer(
        inputs: latentCount, outputs: pixelCount, weights: down, bias: try Buffer(count: pixelCount),
        multipliers: downMultipliers, shift: 1, table: ramp, sumScales: downScales, largestInput: 16383)
    ])

    var rates: [CodeRate] = []
    for step in [96, 40, 12] {
      var tables: [CodeTable] = []
      for latent in 0..<latentCount {
        tables.append(
          try table(reach: reach + latent % 3, spread: 300 / Double(step) / Double(1 + latent)))
      }
      rates.append(
        try CodeRate(steps: [UInt16](repeating: UInt16(step), count: latentCount), tables: tables))
    }
    return try Autoencoder(
      architecture: architecture, name: name, provenance: "tests", storage: .int8, encoder: nil, decoder: nil,
      integerEncoder: encoder, integerDecoder: decoder,
      codec: try Codec(
        latentScales: (0..<latentCount).map { 16 + Float($0) }, rates: rates, defaultQuality: 2))
  }

  /// Images that the model can say most of: a few patterns of random strength, and a little noise.
  static func images(_ count: Int, side: Int = 8, seed: UInt64 = 5, loudness: Int = 60) throws(AEError)
    -> Buffer<UInt8>
  {
    let pixelCount = side * side
    let pixels = try Buffer<UInt8>(count: count * pixelCount)
    for image in 0..<count {
      var random = RandomStream(seed: seed, stream: UInt64(image))
      let strengths = (0..<6).map { (random.below(2 * loudness + 1) - loudness) / (1 + $0) }
      for pixel in 0..<pixelCount {
        var value = 128 + random.below(9) - 4
        for latent in 0..<6 { value += strengths[latent] * pattern(latent, pixel) }
        pixels[image * pixelCount + pixel] = UInt8(value.clamped(to: 0...255))
      }
    }
    return pixels
  }

  /// Images of noise, which these models cannot say anything about: the lower half is the upper one inverted,
  /// and their patterns are all the same in both.
  static func noise(_ count: Int, side: Int = 8, seed: UInt64 = 6) throws(AEError) -> Buffer<UInt8> {
    let pixelCount = side * side
    let pixels = try Buffer<UInt8>(count: count * pixelCount)
    var random = RandomStream(seed: seed, stream: 0)
    for image in 0..<count {
      for pixel in 0..<pixelCount / 2 {
        let value = UInt8(truncatingIfNeeded: random.next() >> 13)
        pixels[image * pixelCount + pixel] = value
        pixels[image * pixelCount + pixelCount / 2 + pixel] = 255 - value
      }
    }
    return pixels
  }

  /// A set of `count` images, of which those in `odd` are noise.
  static func set(
    _ count: Int, side: Int = 8, odd: [Int] = [], labelled: Bool = false, named: Bool = false,
    source: SourceKind = .unknown
  ) throws(AEError) -> ImageSet {
    let pixels = try images(count, side: side)
    let strange = try noise(max(odd.count, 1), side: side)
    for (index, image) in odd.enumerated() {
      for pixel in 0..<side * side {
        pixels[image * side * side + pixel] = strange[index * side * side + pixel]
      }
    }
    return try ImageSet(
      width: side, height: side, count: count, pixels: pixels,
      labels: labelled ? (0..<count).map { UInt8($0 * 7 % 10) } : nil,
      names: named ? (0..<count).map { "digit_\($0 + 8).png" } : nil, source: source)
  }

  /// Images that need no model: ramps that turn from image to image, each channel its own, and `noise` levels of noise:
  /// 256 leave nothing else.
  static func ramps(
    _ count: Int, _ shape: ImageShape, noise: Int = 1, labelled: Bool = false, named: Bool = false,
    source: SourceKind = .unknown
  ) throws(AEError) -> ImageSet {
    let pixels = try Buffer<UInt8>(count: count * shape.byteCount)
    var random = RandomStream(seed: 9, stream: 2)
    for index in 0..<pixels.count {
      let (pixel, channel) = (index / shape.channels, index % shape.channels)
      let (x, y) = (pixel % shape.width, pixel / shape.width % shape.height)
      let image = pixel / (shape.width * shape.height)
      let value = (x * (1 + channel) + y * (image % 5)) / 4 * 8 + 40 * channel + random.below(noise)
      pixels[index] = UInt8(truncatingIfNeeded: value)
    }
    return try ImageSet(
      width: shape.width, height: shape.height, channels: shape.channels, count: count, pixels: pixels,
      labels: labelled ? (0..<count).map { UInt8($0 * 7 % 10) } : nil,
      names: named ? (0..<count).map { "picture_\($0 + 8).png" } : nil, source: source)
  }

  static func options(
    mode: Mode = .lossy, maxError: Int = 0, method: Method? = nil, quality: Int = 0, preview: Bool = false,
    embed: Bool = false, block: Int = 512
  ) -> CompressionOptions {
    var options = CompressionOptions()
    options.mode = mode
    options.maxError = maxError
    options.method = method
    options.keepsCodes = preview
    options.quality = quality
    options.embedModel = embed
    options.blockImages = block
    return options
  }

  /// What a set says of its blocks: how many there are of each kind.
  static func counts(_ blocks: [BlockKind: Int]) -> [Int] {
    let largest = BlockKind.allCases.map { Int($0.rawValue) }.max()!
    return (0...largest).map { kind in BlockKind(rawValue: UInt8(kind)).flatMap { blocks[$0] } ?? 0 }
  }

  /// All pixels of a set.
  static func read(_ set: CompressedSet) throws(AEError) -> [UInt8] {
    let information = set.information
    let pixels = try Buffer<UInt8>(count: information.count * information.shape.byteCount)
    try set.read(first: 0, count: information.count, into: pixels.base)
    return pixels.array
  }

  /// What a call throws, or nil.
  static func error(_ body: () throws(AEError) -> Void) -> AEError? {
    do throws(AEError) {
      try body()
      return nil
    } catch {
      return error
    }
  }
}

/// Where the parts of a small file of version 3 lie, found without the reader under test, and its checksums made right
/// again after a change.
struct Layout {
  /// One part: block, section or index.
  struct Chunk {
    let kind: Int
    /// Of the head without its checksum.
    let head: Range<Int>
    let payload: Range<Int>
    let imageCount: Int
    var whole: Range<Int> { head.lowerBound..<payload.upperBound }
  }

  let headerSize: Int
  /// In the order of the file; the index is the last if it is there.
  let chunks: [Chunk]
  /// Where the last chunk ends.
  let end: Int
  var blocks: [Chunk] { chunks.filter { $0.kind < 8 || $0.kind == 11 } }
  var model: Chunk? { chunks.first { $0.kind == 8 } }
  var labels: Chunk? { chunks.first { $0.kind == 9 } }
  var names: Chunk? { chunks.first { $0.kind == 10 } }
  var index: Chunk? { chunks.first { $0.kind == 15 } }

  static func varint(_ bytes: [UInt8], _ offset: inout Int) -> Int? {
    var (value, shift) = (0, 0)
    while offset < bytes.count, shift < 42 {
      let byte = Int(bytes[offset])
      offset += 1
      value |= (byte & 127) << shift
      if byte < 128 { return value }
      shift += 7
    }
    return nil
  }

  static func varint(_ value: Int) -> [UInt8] {
    value < 128 ? [UInt8(value)] : [UInt8(value & 127 | 128)] + varint(value >> 7)
  }

  /// Nil if the bytes are too few for a header; chunks that do not fit are left out, and all after them.
  init?(_ bytes: [UInt8]) {
    guard bytes.count > 21 else { return nil }
    var offset = 12
    for _ in 0..<3 { guard Layout.varint(bytes, &offset) != nil else { return nil } }
    guard let blockImages = Layout.varint(bytes, &offset) else { return nil }
    if bytes[10] & 3 == 2 { offset += 1 }
    if bytes[10] & 8 != 0 { offset += 1 }
    if bytes[10] & 4 != 0 {
      guard Layout.varint(bytes, &offset) != nil, offset + 32 < bytes.count else { return nil }
      offset += 33 + Int(bytes[offset + 32])
    }
    if bytes[10] & 32 != 0 {
      guard offset + 32 < bytes.count else { return nil }
      offset += 33 + Int(bytes[offset + 32])
    }
    headerSize = offset + 4
    var chunks: [Chunk] = []
    offset = headerSize
    while offset < bytes.count {
      let start = offset
      guard let tag = Layout.varint(bytes, &offset) else { break }
      var count = blockImages
      if tag & 16 != 0 {
        guard let told = Layout.varint(bytes, &offset) else { break }
        count = told
      }
      if tag & 15 == 3 || tag & 15 == 10 { guard Layout.varint(bytes, &offset) != nil else { break } }
      let payload = offset + 4
      guard payload <= bytes.count, tag >> 5 <= bytes.count - payload else {
        offset = start
        break
      }
      chunks.append(
        Chunk(kind: tag & 15, head: start..<offset, payload: payload..<payload + tag >> 5, imageCount: count))
      offset = payload + tag >> 5
      if tag & 15 == 15 { break }
    }
    self.chunks = chunks
    end = chunks.last?.payload.upperBound ?? headerSize
  }

  static func integer(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> Int {
    var value: UInt64 = 0
    for index in 0..<size { value |= UInt64(bytes[offset + index]) << (8 * UInt64(index)) }
    return Int(truncatingIfNeeded: value)
  }

  static func put(_ value: UInt64, _ bytes: inout [UInt8], _ offset: Int, _ size: Int) {
    for index in 0..<size { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
  }

  static func crc(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
    bytes.withUnsafeBufferPointer { UInt64(Checksum.crc32($0.baseAddress! + range.lowerBound, range.count)) }
  }

  /// Makes every checksum match what the file now holds, as far as its parts can be found.
  static func repair(_ bytes: inout [UInt8]) {
    guard let layout = Layout(bytes) else { return }
    if layout.headerSize <= bytes.count {
      put(crc(bytes, 0..<layout.headerSize - 4), &bytes, layout.headerSize - 4, 4)
    }
    for chunk in layout.chunks {
      let covered = Array(bytes[chunk.head]) + Array(bytes[chunk.payload])
      put(crc(covered, 0..<covered.count), &bytes, chunk.head.upperBound, 4)
    }
    if layout.index != nil, layout.end + 20 <= bytes.count {
      put(crc(bytes, layout.end..<layout.end + 12), &bytes, layout.end + 12, 4)
    }
  }

  /// The file with one chunk changed: index and footer follow, and so do all checksums.
  ///
  /// - Parameters:
  ///   - number: which chunk.
  ///   - kind: what it becomes; nil leaves that.
  ///   - extra: what stands in its head behind the size; nil leaves that.
  ///   - indexed: whether the index says so, too.
  static func replace(
    _ bytes: [UInt8], _ number: Int, kind: Int? = nil, extra: [UInt8]? = nil, payload: [UInt8]? = nil,
    isCounted: Bool? = nil, indexed: Bool = true
  ) -> [UInt8] {
    let layout = Layout(bytes)!
    var heads: [[UInt8]] = []
    var result = Array(bytes[..<layout.headerSize])
    for (index, chunk) in layout.chunks.enumerated() where chunk.kind != 15 {
      var head = Array(bytes[chunk.head])
      var body = Array(bytes[chunk.payload])
      let old = head
      if index == number {
        var offset = 0
        let tag = varint(head, &offset)!
        body = payload ?? body
        let flag = isCounted.map { $0 ? 16 : 0 } ?? tag & 16
        head = varint(body.count << 5 | flag | (kind ?? chunk.kind)) + (extra ?? Array(head[offset...]))
      }
      heads.append(indexed ? head : old)
      let covered = head + body
      var sum = [UInt8](repeating: 0, count: 4)
      put(crc(covered, 0..<covered.count), &sum, 0, 4)
      result += head + sum + body
    }
    return result
      + end(heads.flatMap { $0 }, at: result.count, imageCount: integer(bytes, bytes.count - 12, 4))
  }

  /// Index and footer.
  static func end(_ entries: [UInt8], at offset: Int, imageCount: Int) -> [UInt8] {
    let head = varint(entries.count << 5 | 15)
    let covered = head + entries
    var sum = [UInt8](repeating: 0, count: 4)
    put(crc(covered, 0..<covered.count), &sum, 0, 4)
    var footer = [UInt8](repeating: 0, count: 16)
    put(UInt64(offset), &footer, 0, 8)
    put(UInt64(imageCount), &footer, 8, 4)
    put(crc(footer, 0..<12), &footer, 12, 4)
    return head + sum + entries + footer + [0x5A, 0x45, 0x41, 0x89]
  }
}

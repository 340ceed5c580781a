// A block: some hundred images that are coded, checked and lost together. Here is what a block may hold,
// how the smallest fitting kind is chosen, and how any of its images come out again.

import Bytes
import Compute
import Core
import Latent
import Model
import Network

/// What a block's bytes are, numbered as in files.
public enum BlockKind: UInt8, Sendable, CaseIterable {
  /// The codes of all images.
  case coded = 0
  /// The pixels of all images, in zlib format.
  case deflated = 1
  /// The pixels of all images.
  case stored = 2
  /// The codes of most images, and the pixels of those that the model does badly on.
  case mixed = 3
  /// All pixels as a pixel network codes them, with or without the images' codes.
  case exact = 4

  /// Whether sets like this one may have such blocks.
  func belongs(to header: ContainerHeader) -> Bool {
    switch self {
    case .deflated, .stored: return true
    case .coded, .mixed: return header.layer == .latent
    case .exact: return header.layer != .latent && header.effort > 0
    }
  }
}

/// What can be wrong with a block.
enum BlockFault: UInt8, Sendable {
  case checksum = 1
  case size = 2
  case codes = 3
  case pixels = 4
  case positions = 5
  case memory = 6
  case missing = 7
  case unreadable = 8
  /// None of the block's: its reader was asked to stop.
  case stopped = 9

  var reason: StaticString {
    switch self {
    case .checksum: return "its bytes do not match its checksum"
    case .size: return "its size does not fit its images"
    case .codes: return "its codes end too early or too late, or are none"
    case .pixels: return "its pixels are damaged"
    case .positions: return "its list of images kept as pixels is out of order"
    case .memory: return "there is no memory to decode it"
    case .missing: return "the file ends before it does"
    case .unreadable: return "it cannot be read from the file"
    case .stopped: return "reading was stopped"
    }
  }
}

/// Makes and reads the blocks of one set. Immutable: any number of threads may use one.
final class BlockCoder: Sendable {
  let imageSize: Int
  private let layer: Layer
  private let maxError: Int
  private let latents: LatentLayer?
  private let pixelModel: PixelModel?

  /// Bytes before the positions of a mixed block: how many images are kept, and their deflated size.
  static let mixedHeadSize = 8
  /// Bytes before the codes of an exact block: how many they are.
  static let exactHeadSize = 4

  /// - Parameters:
  ///   - model: the one that the header names, or nil if it names none or no block needs it.
  ///   - searchPasses: see `CompressionOptions.searchPasses`.
  /// - Throws: `.kind` if the model has no codec, or no pixel network that the header asks for; `.argument` if
  ///   it does not have the quality; `.memory`.
  init(_ header: ContainerHeader, model: Autoencoder?, searchPasses: Int = 0) throws(AEError) {
    imageSize = header.imageSize
    layer = header.layer
    maxError = header.maxError
    if let model, header.namesModel {
      latents =
        header.quality > 0
        ? try LatentLayer(
          of: model, quality: header.quality, searchPasses: layer == .latent ? searchPasses : 0) : nil
    } else {
      latents = nil
    }
    pixelModel =
      header.effort == 0 || (model == nil && header.namesModel)
      ? nil
      : try PixelModel(
        width: header.width, height: header.height, model: header.namesModel ? model : nil,
        effort: header.effort)
  }

  // MARK: Making a block

  /// A block's kind and its bytes, `bytes.base ..< bytes.base + byteCount`.
  struct Encoded {
    let kind: BlockKind
    let bytes: Buffer<UInt8>
    let offset: Int
    let byteCount: Int
    var base: UnsafeMutablePointer<UInt8> { bytes.base + offset }

    /// The same without the room that it was made in, which is as large as the pixels: blocks wait for others.
    func compact() throws(AEError) -> Encoded {
      if bytes.count == byteCount { return self }
      return Encoded(
        kind: kind, bytes: try Buffer(copying: base, count: byteCount), offset: 0, byteCount: byteCount)
    }
  }

  /// Packs `count` images into whatever kind of block is smallest; never more bytes than the pixels, which a
  /// block that stores them goes on to read.
  /// - Parameter monitor: told of all `count` images, as they are done.
  func encode(_ pixels: UnsafePointer<UInt8>, count: Int, monitor: Monitor? = nil) throws(AEError) -> Encoded
  {
    if layer == .latent {
      return try smallest(
        Buffer(borrowing: pixels, count: count * imageSize), count: count,
        coded: encodeCodes(pixels, count: count, monitor), monitor)
    }
    // What is kept, and so what deflate and the pixel network see, is the nearest level of every pixel.
    var kept = Buffer<UInt8>(borrowing: pixels, count: count * imageSize)
    if maxError > 0 {
      kept = try Buffer(count: count * imageSize)
      for index in 0..<kept.count {
        kept.base[index] = NearExact.level(of: pixels[index], maxError: maxError)
      }
    }
    let exact = try encodeExact(kept.base, originals: pixels, count: count, monitor)
    return try smallest(kept, count: count, coded: exact, monitor)
  }

  /// The smallest of a coded block, if there is one, and the pixels deflated or as they are.
  private func smallest(
    _ pixels: Buffer<UInt8>, count: Int, coded: Encoded?, _ monitor: Monitor?
  ) throws(AEError) -> Encoded {
    let pixelCount = pixels.count
    var best = coded
    if try isDeflateWorthTrying(pixels.base, count: count, against: coded?.byteCount) {
      let deflated = try Zlib.deflate(pixels.base, pixelCount, monitor: monitor)
      // Of two equal sizes, the one that keeps every pixel and needs no model.
      if deflated.count <= coded?.byteCount ?? .max {
        best = Encoded(kind: .deflated, bytes: deflated, offset: 0, byteCount: deflated.count)
      }
    }
    if let best, best.byteCount < pixelCount { return try best.compact() }
    return Encoded(kind: .stored, bytes: pixels, offset: 0, byteCount: pixelCount)
  }

  /// The block as the pixel network codes it, codes first; nil without a network.
  private func encodeExact(
    _ kept: UnsafePointer<UInt8>, originals: UnsafePointer<UInt8>, count: Int, _ monitor: Monitor?
  ) throws(AEError) -> Encoded? {
    guard let pixelModel else {
      monitor.advance(count)
      return nil
    }
    let writer = ByteWriter()
    if let latents {
      let codes = try latents.codes(of: originals, count: count, monitor)
      let region = try Buffer<UInt8>(count: count * imageSize)
      guard
        let range = latents.coder.encode(
          codes.base, count: count, into: region.base, capacity: region.count)
      else {
        monitor.advance(count)
        return nil
      }
      try writer.u32(UInt32(truncatingIfNeeded: range.count))
      try writer.bytes(region.base + range.lowerBound, range.count)
    } else {
      try writer.u32(0)
    }
    try writer.bytes(try pixelModel.encode(kept, originals: originals, count: count, monitor: monitor))
    let bytes = try writer.finish()
    return Encoded(kind: .exact, bytes: bytes, offset: 0, byteCount: bytes.count)
  }

  /// Deflating is slow beside coding, and most blocks of digits are far smaller coded: a few images tell.
  private func isDeflateWorthTrying(_ pixels: UnsafePointer<UInt8>, count: Int, against codedByteCount: Int?)
    throws(AEError) -> Bool
  {
    guard let codedByteCount, codedByteCount < count * imageSize else { return true }
    let sampleCount = max(count / 32, min(count, 4))
    if sampleCount == count { return true }
    let sample = try Zlib.deflate(pixels, sampleCount * imageSize)
    // A longer run deflates better, hence the 2.
    return sample.count / 2 * count <= codedByteCount * sampleCount
  }

  /// The block as codes: `coded` if the model does well on every image, `mixed` if not on all; nil if on
  /// none, or if codes would take more bytes than pixels.
  private func encodeCodes(_ pixels: UnsafePointer<UInt8>, count: Int, _ monitor: Monitor?) throws(AEError)
    -> Encoded?
  {
    guard let latents else { throw AEError(.internal, "codes without a model") }
    let (encoder, decoder, coder) = (try latents.sureEncoder(), latents.decoder, latents.coder)
    let latentCount = coder.latentCount
    let codes = try Buffer<Int16>(count: count * latentCount)
    let isKept = try Buffer<UInt8>(count: count)
    var keptCount = 0
    do {
      let run = min(count, LatentLayer.imagesInRun)
      let words = try Buffer<Int16>(count: run * encoder.outputCount)
      let pictures = try Buffer<UInt8>(count: run * imageSize)
      try LatentLayer.inRuns(count, monitor) { first, count throws(AEError) in
        let originals = pixels + first * imageSize
        try encoder.encode(originals, count: count, into: words.base)
        coder.quantise(
          words.base, stride: encoder.outputCount, count: count, into: codes.base + first * latentCount)
        // A variational encoder's rows go on with log-variances; what counts here is the means, in place.
        for image in 1..<max(count, 1) where encoder.outputCount > latentCount {
          (words.base + image * latentCount).update(
            from: words.base + image * encoder.outputCount, count: latentCount)
        }
        try decoder.decode(words.base, count: count, into: pictures.base)
        for image in 0..<count
        where BlockCoder.saysTooLittle(
          pictures.base + image * imageSize, of: originals + image * imageSize, imageSize)
        {
          isKept.base[first + image] = 1
          keptCount += 1
        }
      }
    }
    if keptCount == count {
      monitor.advance(count)
      return nil
    }
    try latents.improve(codes, pixels: pixels, count: count, monitor)

    guard keptCount == 0 else {
      return try mixed(
        pixels, count: count, codes: codes, isKept: isKept, keptCount: keptCount, coder, monitor)
    }
    let region = try Buffer<UInt8>(count: count * imageSize)
    guard let range = coder.encode(codes.base, count: count, into: region.base, capacity: region.count)
    else { return nil }
    return Encoded(kind: .coded, bytes: region, offset: range.lowerBound, byteCount: range.count)
  }

  /// A block of codes and of the pixels of the images that are kept; nil if it would be larger than the pixels.
  @inline(never)
  private func mixed(
    _ pixels: UnsafePointer<UInt8>, count: Int, codes: Buffer<Int16>, isKept: Buffer<UInt8>, keptCount: Int,
    _ coder: LatentCoder, _ monitor: Monitor?
  ) throws(AEError) -> Encoded? {
    let latentCount = coder.latentCount
    let region = try Buffer<UInt8>(count: count * imageSize)
    // The codes grow from the region's end; the head and the kept pixels are then put right before them.
    let kept = try Buffer<UInt8>(count: keptCount * imageSize)
    let positions = try Buffer<UInt8>(count: 2 * keptCount)
    var keptBefore = 0
    for image in 0..<count {
      if isKept.base[image] != 0 {
        (kept.base + keptBefore * imageSize).update(from: pixels + image * imageSize, count: imageSize)
        positions.base[2 * keptBefore] = UInt8(truncatingIfNeeded: image)
        positions.base[2 * keptBefore + 1] = UInt8(truncatingIfNeeded: image >> 8)
        keptBefore += 1
      } else if keptBefore > 0 {
        (codes.base + (image - keptBefore) * latentCount).update(
          from: codes.base + image * latentCount, count: latentCount)
      }
    }
    let deflated = try Zlib.deflate(kept.base, kept.count, monitor: monitor)
    let headSize = BlockCoder.mixedHeadSize + positions.count + deflated.count
    guard
      let range = coder.encode(
        codes.base, count: count - keptCount, into: region.base, capacity: region.count),
      headSize <= range.lowerBound
    else { return nil }
    let start = region.base + range.lowerBound - headSize
    for byte in 0..<4 {
      start[byte] = UInt8(truncatingIfNeeded: keptCount >> (8 * byte))
      start[4 + byte] = UInt8(truncatingIfNeeded: deflated.count >> (8 * byte))
    }
    (start + BlockCoder.mixedHeadSize).update(from: positions.base, count: positions.count)
    (start + BlockCoder.mixedHeadSize + positions.count).update(from: deflated.base, count: deflated.count)
    return Encoded(
      kind: .mixed, bytes: region, offset: range.lowerBound - headSize, byteCount: range.count + headSize)
  }

  /// True if a model says too little of an image: if seven eighths or more of the image's variance are missing
  /// in `picture`, its squared error being that much of the squared distance to the mean grey.
  ///
  /// `picture` comes of latents that are not quantised, so that it is the model that is judged, and a lower
  /// quality never keeps more pixels. docs/format-aez.md has figures for the bound. In whole numbers, so the
  /// same on every machine: sums of at most 64 x 64 pixels stay below 2^44.
  static func saysTooLittle(
    _ picture: UnsafePointer<UInt8>, of image: UnsafePointer<UInt8>, _ pixelCount: Int
  ) -> Bool {
    var error = 0
    var sum = 0
    var sumOfSquares = 0
    for pixel in 0..<pixelCount {
      let value = Int(image[pixel])
      let difference = value - Int(picture[pixel])
      error += difference * difference
      sum += value
      sumOfSquares += value * value
    }
    return error > 0 && 8 * pixelCount * error >= 7 * (pixelCount * sumOfSquares - sum * sum)
  }

  // MARK: Reading a block

  /// Decodes images `range` of a block of `count` images into `pixels`, row after row.
  ///
  /// No more of the block is decoded than they take, unless it is to be verified, and beside the images little
  /// more is kept than one of them.
  /// - Parameter monitor: may stop it, in the middle of a block.
  func decode(
    _ kind: BlockKind, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>,
    verifiesAll: Bool = false, into pixels: UnsafeMutablePointer<UInt8>, monitor: Monitor? = nil
  ) -> BlockFault? {
    do throws(AEError) {
      switch kind {
      case .stored:
        guard byteCount == count * imageSize else { return .size }
        pixels.update(from: bytes + range.lowerBound * imageSize, count: range.count * imageSize)
        return nil
      case .deflated:
        try inflate(bytes, byteCount, count: count, range: range, verifiesAll, into: pixels)
        return nil
      case .coded:
        guard let latents else { return .codes }
        let codes = try Buffer<Int16>(count: range.count * latents.coder.latentCount)
        guard
          latents.coder.decode(bytes, byteCount: byteCount, count: count, range: range, into: codes.base)
        else { return .codes }
        try latents.picture(codes, 0..<range.count, into: pixels, monitor)
        return nil
      case .exact:
        return try decodeExact(
          bytes, byteCount, count: count, range: range, verifiesAll, into: pixels, monitor)
      case .mixed:
        guard let latents else { return .codes }
        let mixed: Mixed
        switch Mixed.parse(bytes, byteCount, count: count) {
        case .failure(let fault): return fault
        case .success(let parsed): mixed = parsed
        }
        // The coded images of the range first, dense at its beginning, then spread from the last one on.
        let before = mixed.keptCount(before: range.lowerBound)
        let keptHere = mixed.keptCount(before: range.upperBound) - before
        let firstCoded = range.lowerBound - before
        var nextCoded = firstCoded + range.count - keptHere
        let raw = try Buffer<UInt8>(count: keptHere * imageSize)
        try inflate(
          mixed.deflated, mixed.deflatedCount, count: mixed.keptCount, range: before..<before + keptHere,
          verifiesAll, into: raw.base)
        let codes = try Buffer<Int16>(count: (nextCoded - firstCoded) * latents.coder.latentCount)
        guard
          latents.coder.decode(
            mixed.codes, byteCount: mixed.codesCount, count: count - mixed.keptCount,
            range: firstCoded..<nextCoded, into: codes.base)
        else { return .codes }
        try latents.picture(codes, 0..<nextCoded - firstCoded, into: pixels, monitor)
        var nextKept = before + keptHere
        for image in range.reversed() {
          let target = pixels + (image - range.lowerBound) * imageSize
          if nextKept > 0 && mixed.position(nextKept - 1) == image {
            nextKept -= 1
            target.update(from: raw.base + (nextKept - before) * imageSize, count: imageSize)
          } else {
            nextCoded -= 1
            let source = pixels + (nextCoded - firstCoded) * imageSize
            if source != target { target.update(from: source, count: imageSize) }
          }
        }
        return nil
      }
    } catch {
      switch error.code {
      case .memory: return .memory
      case .stopped: return .stopped
      default: return .pixels
      }
    }
  }

  /// Goes through everything in a block but the pixels' picture, which cannot fail.
  func verify(
    _ kind: BlockKind, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, monitor: Monitor? = nil
  ) -> BlockFault? {
    // An empty range of pixels decodes codes and inflates pixels all the same, and writes nothing.
    var nothing: UInt8 = 0
    return withUnsafeMutablePointer(to: &nothing) { nothing in
      decode(
        kind, bytes, byteCount, count: count, range: 0..<0, verifiesAll: true, into: nothing, monitor: monitor
      )
    }
  }

  /// Inflates images `range` out of a stream of `count` images.
  private func inflate(
    _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>, _ verifiesAll: Bool,
    into pixels: UnsafeMutablePointer<UInt8>
  ) throws(AEError) {
    try Zlib.inflate(
      bytes, byteCount, rawCount: count * imageSize,
      part: range.lowerBound * imageSize..<range.upperBound * imageSize, verifiesAll: verifiesAll,
      into: pixels, name: "block")
  }

  private func decodeExact(
    _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>, _ verifiesAll: Bool,
    into pixels: UnsafeMutablePointer<UInt8>, _ monitor: Monitor?
  ) throws(AEError) -> BlockFault? {
    guard let pixelModel else { return .codes }
    guard let codesCount = BlockCoder.exactCodesCount(bytes, byteCount), (codesCount > 0) == (latents != nil)
    else { return .size }
    let start = BlockCoder.exactHeadSize + codesCount
    return try pixelModel.decode(
      bytes + start, byteCount: byteCount - start, count: count, range: range, verifiesAll: verifiesAll,
      into: pixels, monitor: monitor)
  }

  /// The bytes of an exact block's codes, or nil if it cannot hold so many.
  private static func exactCodesCount(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Int? {
    guard byteCount >= exactHeadSize else { return nil }
    let count = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16 | Int(bytes[3]) << 24
    return count <= byteCount - exactHeadSize ? count : nil
  }

  /// What became of a request for latents.
  enum LatentResult {
    case done
    /// Some of the images are kept as pixels and have no codes.
    case kept
    case fault(BlockFault)
  }

  /// Decodes the latents of images `range` of a block, in fixed point.
  func decodeLatents(
    _ kind: BlockKind, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>,
    into target: UnsafeMutablePointer<Int16>
  ) -> LatentResult {
    guard let coder = latents?.coder else { return .kept }
    var codesStart = bytes
    var codesCount = byteCount
    var codedCount = count
    var firstCoded = range.lowerBound
    switch kind {
    case .stored, .deflated: return .kept
    case .coded: break
    case .exact:
      guard let count = BlockCoder.exactCodesCount(bytes, byteCount) else { return .fault(.size) }
      codesStart = bytes + BlockCoder.exactHeadSize
      codesCount = count
    case .mixed:
      switch Mixed.parse(bytes, byteCount, count: count) {
      case .failure(let fault): return .fault(fault)
      case .success(let mixed):
        let before = mixed.keptCount(before: range.lowerBound)
        guard mixed.keptCount(before: range.upperBound) == before else { return .kept }
        codesStart = mixed.codes
        codesCount = mixed.codesCount
        codedCount = count - mixed.keptCount
        firstCoded = range.lowerBound - before
      }
    }
    guard
      coder.decode(
        codesStart, byteCount: codesCount, count: codedCount, range: firstCoded..<firstCoded + range.count,
        into: target)
    else { return .fault(.codes) }
    coder.dequantise(target, count: range.count, into: target)
    return .done
  }
}

extension BlockCoder {
  /// How many images of a block just made are kept as pixels.
  func keptCount(_ block: Encoded, count: Int) -> Int {
    switch block.kind {
    case .coded: return 0
    case .deflated, .stored, .exact: return count
    case .mixed:
      guard case .success(let mixed) = Mixed.parse(block.base, block.byteCount, count: count) else {
        return count
      }
      return mixed.keptCount
    }
  }

  /// The first images in a row, of those in `range` of a sound block, that are kept as pixels.
  static func firstKept(
    _ kind: BlockKind, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>
  ) -> Range<Int> {
    guard kind == .mixed else { return range }
    guard case .success(let mixed) = Mixed.parse(bytes, byteCount, count: count) else { return range }
    var index = mixed.keptCount(before: range.lowerBound)
    guard index < mixed.keptCount else { return range }
    let first = mixed.position(index)
    var end = first
    while index < mixed.keptCount && mixed.position(index) == end && end < range.upperBound {
      end += 1
      index += 1
    }
    return first..<end
  }
}

extension LatentLayer {
  /// The latent method of a model.
  /// - Throws: `.kind` if the model has no codec, `.argument` if it does not have the quality, `.memory`.
  convenience init(of model: Autoencoder, quality: Int, searchPasses: Int) throws(AEError) {
    guard let codec = model.codec, let decoder = model.integerDecoder else {
      throw AEError(.kind, "the model \"\(model.name)\" has no codec: image sets need one")
    }
    try self.init(
      codec: codec, encoder: model.integerEncoder, decoder: decoder, quality: quality,
      searchPasses: searchPasses)
  }
}

/// The parts of a mixed block, checked against each other.
struct Mixed {
  let keptCount: Int
  private let positions: UnsafePointer<UInt8>
  let deflated: UnsafePointer<UInt8>
  let deflatedCount: Int
  let codes: UnsafePointer<UInt8>
  let codesCount: Int

  enum Result {
    case success(Mixed)
    case failure(BlockFault)
  }

  static func parse(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int) -> Result {
    guard byteCount >= BlockCoder.mixedHeadSize else { return .failure(.size) }
    var keptCount = 0
    var deflatedCount = 0
    for byte in 0..<4 {
      keptCount |= Int(bytes[byte]) << (8 * byte)
      deflatedCount |= Int(bytes[4 + byte]) << (8 * byte)
    }
    // Both counts lie below 2^32, so nothing here overflows.
    guard keptCount > 0, keptCount < count,
      BlockCoder.mixedHeadSize + 2 * keptCount + deflatedCount <= byteCount
    else { return .failure(.size) }
    let positions = bytes + BlockCoder.mixedHeadSize
    let deflated = positions + 2 * keptCount
    let codes = deflated + deflatedCount
    let mixed = Mixed(
      keptCount: keptCount, positions: positions, deflated: deflated, deflatedCount: deflatedCount,
      codes: codes, codesCount: byteCount - (codes - bytes))
    var last = -1
    for index in 0..<keptCount {
      let position = mixed.position(index)
      guard position > last, position < count else { return .failure(.positions) }
      last = position
    }
    return .success(mixed)
  }

  /// Which image of the block the kept image `index` is.
  func position(_ index: Int) -> Int { Int(positions[2 * index]) | Int(positions[2 * index + 1]) << 8 }

  /// How many kept images lie before image `image`.
  func keptCount(before image: Int) -> Int {
    var low = 0
    var high = keptCount
    while low < high {
      let middle = (low + high) / 2
      if position(middle) < image { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

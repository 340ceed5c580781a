// From a block's bytes to any of its images. It knows neither files nor heads. The bytes have matched their checksum, and
// are checked as if they had not.

import Bytes
import Core
import Latent
import Lossless
import Model

/// Reads the blocks of one set. Immutable: any number of threads may use one.
final class BlockDecoder: Sendable {
  /// Bytes before the codes of a lossless block: how many they are.
  static let losslessHeadSize = 4

  private let imageSize: Int
  private let hasCodes: Bool
  private let latents: LatentLayer?
  private let methods: LosslessMethods?

  /// - Parameters:
  ///   - model: the one that the header names, or nil if no block needs it.
  ///   - predictor: likewise.
  /// - Throws: `.kind` if the model has no codec, or no scan network that the header asks for; `.argument` if
  ///   it does not have the quality; `.memory`.
  init(_ header: SetHeader, model: Autoencoder?, predictor: Predictor?) throws(AEError) {
    imageSize = header.imageSize
    hasCodes = header.quality > 0
    if let model, hasCodes {
      latents = try LatentLayer(of: model, quality: header.quality, searchPasses: 0)
    } else {
      latents = nil
    }
    methods = header.mode == .lossy ? nil : try LosslessMethods(header, model: model, predictor: predictor)
  }

  /// Decodes images `range` of a block of `count` images into `pixels`, row after row.
  ///
  /// No more of the block is decoded than these images need, unless it is to be verified; memory beside the images is
  /// little more than one of them.
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
      case .firstContexts, .firstScans, .contexts, .predicted, .scans:
        return try decodeLossless(
          kind, bytes, byteCount, count: count, range: range, verifiesAll, into: pixels, monitor)
      case .mixed:
        return try decodeMixed(
          bytes, byteCount, count: count, range: range, verifiesAll, into: pixels, monitor)
      }
    } catch {
      switch error.code {
      case .memory: return .memory
      case .stopped: return .stopped
      default: return .pixels
      }
    }
  }

  /// Verifies a block: decodes everything but the reconstructions, which cannot fail.
  func verify(
    _ kind: BlockKind, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, monitor: Monitor? = nil
  ) -> BlockFault? {
    // An empty range of pixels still decodes codes and inflates pixels, and writes nothing.
    var nothing: UInt8 = 0
    return withUnsafeMutablePointer(to: &nothing) { nothing in
      decode(
        kind, bytes, byteCount, count: count, range: 0..<0, verifiesAll: true, into: nothing, monitor: monitor
      )
    }
  }

  private func decodeMixed(
    _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>, _ verifiesAll: Bool,
    into pixels: UnsafeMutablePointer<UInt8>, _ monitor: Monitor?
  ) throws(AEError) -> BlockFault? {
    guard let latents else { return .codes }
    let mixed: MixedBlock
    switch MixedBlock.parse(bytes, byteCount, count: count) {
    case .failure(let fault): return fault
    case .success(let parsed): mixed = parsed
    }
    // The coded images of the range first, dense at its beginning, then spread from the last one on.
    let before = mixed.rawCount(before: range.lowerBound)
    let rawHere = mixed.rawCount(before: range.upperBound) - before
    let firstCoded = range.lowerBound - before
    var nextCoded = firstCoded + range.count - rawHere
    let raw = try Buffer<UInt8>(count: rawHere * imageSize)
    try inflate(
      mixed.deflated, mixed.deflatedCount, count: mixed.rawCount, range: before..<before + rawHere,
      verifiesAll, into: raw.base)
    let codes = try Buffer<Int16>(count: (nextCoded - firstCoded) * latents.coder.latentCount)
    guard
      latents.coder.decode(
        mixed.codes, byteCount: mixed.codesCount, count: count - mixed.rawCount,
        range: firstCoded..<nextCoded, into: codes.base)
    else { return .codes }
    try latents.picture(codes, 0..<nextCoded - firstCoded, into: pixels, monitor)
    var nextRaw = before + rawHere
    for image in range.reversed() {
      let target = pixels + (image - range.lowerBound) * imageSize
      if nextRaw > 0 && mixed.position(nextRaw - 1) == image {
        nextRaw -= 1
        target.update(from: raw.base + (nextRaw - before) * imageSize, count: imageSize)
      } else {
        nextCoded -= 1
        let source = pixels + (nextCoded - firstCoded) * imageSize
        if source != target { target.update(from: source, count: imageSize) }
      }
    }
    return nil
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

  private func decodeLossless(
    _ kind: BlockKind, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>,
    _ verifiesAll: Bool, into pixels: UnsafeMutablePointer<UInt8>, _ monitor: Monitor?
  ) throws(AEError) -> BlockFault? {
    guard let codesCount = BlockDecoder.codesCount(bytes, byteCount), (codesCount > 0) == hasCodes
    else { return .size }
    let start = BlockDecoder.losslessHeadSize + codesCount
    let isSound = try methods?.decode(
      kind, bytes + start, byteCount - start, count: count, range: range, verifiesAll: verifiesAll,
      into: pixels, monitor: monitor)
    guard let isSound else { return .codes }
    return isSound ? nil : .pixels
  }

  /// The bytes of a lossless block's codes, or nil if it cannot hold so many.
  private static func codesCount(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Int? {
    guard byteCount >= losslessHeadSize else { return nil }
    let count = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16 | Int(bytes[3]) << 24
    return count <= byteCount - losslessHeadSize ? count : nil
  }

  /// The outcome of a request for latents.
  enum LatentResult {
    case done
    /// Some of the images are stored raw and have no codes.
    case raw
    case fault(BlockFault)
  }

  /// Decodes the latents of images `range` of a block, in fixed point.
  func decodeLatents(
    _ kind: BlockKind, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>,
    into target: UnsafeMutablePointer<Int16>
  ) -> LatentResult {
    guard let coder = latents?.coder else { return .raw }
    var codesStart = bytes
    var codesCount = byteCount
    var codedCount = count
    var firstCoded = range.lowerBound
    switch kind {
    case .stored, .deflated: return .raw
    case .coded: break
    case .firstContexts, .firstScans, .contexts, .predicted, .scans:
      guard let count = BlockDecoder.codesCount(bytes, byteCount) else { return .fault(.size) }
      codesStart = bytes + BlockDecoder.losslessHeadSize
      codesCount = count
    case .mixed:
      switch MixedBlock.parse(bytes, byteCount, count: count) {
      case .failure(let fault): return .fault(fault)
      case .success(let mixed):
        let before = mixed.rawCount(before: range.lowerBound)
        guard mixed.rawCount(before: range.upperBound) == before else { return .raw }
        codesStart = mixed.codes
        codesCount = mixed.codesCount
        codedCount = count - mixed.rawCount
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

extension ScanCoder {
  /// The coder of blocks by scans.
  /// - Throws: `.kind` if the model has no scan network.
  convenience init(_ header: SetHeader, _ model: Autoencoder) throws(AEError) {
    guard let network = model.scanModel else {
      throw AEError(
        .kind,
        "the model \"\(model.name)\" has no scan network for images of \(header.width) x \(header.height)")
    }
    try self.init(width: header.width, height: header.height, model: network)
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

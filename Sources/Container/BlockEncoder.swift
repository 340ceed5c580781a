// From images to a block: whatever kind is smallest. How each kind is read back is in BlockDecoder.swift.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Makes the blocks of one set. Immutable: any number of threads may use one.
final class BlockEncoder: Sendable {
  private let shape: ImageShape
  private let imageSize: Int
  private let mode: Mode
  private let maxError: Int
  private let latents: LatentLayer?
  private let methods: LosslessMethods?
  private let method: Method?
  private let priority: Priority

  /// - Parameters:
  ///   - model: the one that the header names; nil if it names none.
  ///   - predictor: likewise.
  ///   - searchPasses, method, priority: see `CompressionOptions`.
  /// - Throws: `.kind` if the model has no codec, or no scan network that the header asks for; `.argument` if
  ///   it does not have the quality; `.memory`.
  init(
    _ header: SetHeader, model: Autoencoder?, predictor: Predictor?, searchPasses: Int,
    method: Method? = nil, priority: Priority = .balanced
  ) throws(AEError) {
    shape = header.shape
    imageSize = header.imageSize
    mode = header.mode
    maxError = header.maxError
    self.method = method
    self.priority = priority
    if let model, header.quality > 0 {
      latents = try LatentLayer(
        of: model, quality: header.quality, searchPasses: mode == .lossy ? searchPasses : 0)
    } else {
      latents = nil
    }
    methods = mode == .lossy ? nil : try LosslessMethods(header, model: model, predictor: predictor)
  }

  /// A block's kind and its bytes, `bytes.base ..< bytes.base + byteCount`.
  struct Encoded {
    let kind: BlockKind
    let bytes: Buffer<UInt8>
    let offset: Int
    let byteCount: Int
    /// Images of a mixed block that are stored raw; else 0.
    var rawCount = 0
    var base: UnsafeMutablePointer<UInt8> { bytes.base + offset }

    /// The same in a buffer of its own size, not of the pixels': blocks wait for others.
    func compact() throws(AEError) -> Encoded {
      return Encoded(
        kind: kind, bytes: try Buffer(copying: base, count: byteCount), offset: 0, byteCount: byteCount,
        rawCount: rawCount)
    }
  }

  /// Codes `count` images in the smallest kind of block: never more bytes than the pixels. A stored block refers to
  /// `pixels`.
  /// - Parameter monitor: told of all `count` images, as they are done.
  func encode(_ pixels: UnsafePointer<UInt8>, count: Int, monitor: Monitor? = nil) throws(AEError) -> Encoded
  {
    if mode == .lossy {
      return try smallest(
        Buffer(borrowing: pixels, count: count * imageSize), count: count,
        coded: encodeCodes(pixels, count: count, monitor), monitor)
    }
    // Near-lossless: every pixel is rounded to the nearest level before it is coded.
    var kept = Buffer<UInt8>(borrowing: pixels, count: count * imageSize)
    if maxError > 0 {
      kept = try Buffer(count: count * imageSize)
      for index in 0..<kept.count {
        kept.base[index] = NearLossless.level(of: pixels[index], maxError: maxError)
      }
    }
    let lossless = try encodeLossless(kept.base, originals: pixels, count: count, monitor)
    return try smallest(kept, count: count, coded: lossless, monitor)
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

  /// The block by the smallest method, codes first; nil if that takes more bytes than the pixels.
  private func encodeLossless(
    _ kept: UnsafePointer<UInt8>, originals: UnsafePointer<UInt8>, count: Int, _ monitor: Monitor?
  ) throws(AEError) -> Encoded? {
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
    guard
      let coded = try methods?.encode(
        kept, originals: originals, count: count, method: method, priority: priority, monitor: monitor)
    else { return nil }
    try writer.bytes(coded.bytes)
    let bytes = try writer.finish()
    return Encoded(kind: coded.kind, bytes: bytes, offset: 0, byteCount: bytes.count)
  }

  /// Whether to try deflate, which is slow and hardly ever smaller for digits: a few images decide.
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

  /// The block as codes: `coded` if the model reconstructs every image well enough, `mixed` if some; nil if none, or if
  /// codes would take more bytes than pixels.
  private func encodeCodes(_ pixels: UnsafePointer<UInt8>, count: Int, _ monitor: Monitor?) throws(AEError)
    -> Encoded?
  {
    guard let latents else { throw AEError(.internal, "codes without a model") }
    let (encoder, decoder, coder) = (try latents.sureEncoder(), latents.decoder, latents.coder)
    let latentCount = coder.latentCount
    let codes = try Buffer<Int16>(count: count * latentCount)
    let isRaw = try Buffer<UInt8>(count: count)
    var rawCount = 0
    do {
      let run = min(count, LatentLayer.imagesInRun(imageSize))
      let words = try Buffer<Int16>(count: run * encoder.outputCount)
      let pictures = try Buffer<UInt8>(count: run * imageSize)
      try LatentLayer.inRuns(count, imageSize: imageSize, monitor) { first, count throws(AEError) in
        let originals = pixels + first * imageSize
        try encoder.encode(originals, count: count, into: words.base)
        coder.quantise(
          words.base, stride: encoder.outputCount, count: count, into: codes.base + first * latentCount)
        // A variational encoder's rows end with log-variances, which are not used here.
        for image in 1..<max(count, 1) where encoder.outputCount > latentCount {
          (words.base + image * latentCount).update(
            from: words.base + image * encoder.outputCount, count: latentCount)
        }
        try decoder.decode(words.base, count: count, into: pictures.base)
        for image in 0..<count
        where BlockEncoder.isPoorlyReconstructed(
          pictures.base + image * imageSize, of: originals + image * imageSize, shape)
        {
          isRaw.base[first + image] = 1
          rawCount += 1
        }
      }
    }
    if rawCount == count {
      monitor.advance(count)
      return nil
    }
    try latents.improve(codes, pixels: pixels, count: count, monitor)

    guard rawCount == 0 else {
      return try mixed(
        pixels, count: count, codes: codes, isRaw: isRaw, rawCount: rawCount, coder, monitor)
    }
    let region = try Buffer<UInt8>(count: count * imageSize)
    guard let range = coder.encode(codes.base, count: count, into: region.base, capacity: region.count)
    else { return nil }
    return Encoded(kind: .coded, bytes: region, offset: range.lowerBound, byteCount: range.count)
  }

  /// A block of codes and of the images that are stored raw; nil if it would be larger than the pixels.
  @inline(never)
  private func mixed(
    _ pixels: UnsafePointer<UInt8>, count: Int, codes: Buffer<Int16>, isRaw: Buffer<UInt8>, rawCount: Int,
    _ coder: LatentCoder, _ monitor: Monitor?
  ) throws(AEError) -> Encoded? {
    let latentCount = coder.latentCount
    let region = try Buffer<UInt8>(count: count * imageSize)
    // The codes grow from the region's end; the head and the raw pixels are then put right before them.
    let raw = try Buffer<UInt8>(count: rawCount * imageSize)
    let positions = try Buffer<UInt8>(count: 2 * rawCount)
    var rawBefore = 0
    for image in 0..<count {
      if isRaw.base[image] != 0 {
        (raw.base + rawBefore * imageSize).update(from: pixels + image * imageSize, count: imageSize)
        positions.base[2 * rawBefore] = UInt8(truncatingIfNeeded: image)
        positions.base[2 * rawBefore + 1] = UInt8(truncatingIfNeeded: image >> 8)
        rawBefore += 1
      } else if rawBefore > 0 {
        (codes.base + (image - rawBefore) * latentCount).update(
          from: codes.base + image * latentCount, count: latentCount)
      }
    }
    let deflated = try Zlib.deflate(raw.base, raw.count, monitor: monitor)
    let headSize = MixedBlock.headSize + positions.count + deflated.count
    guard
      let range = coder.encode(
        codes.base, count: count - rawCount, into: region.base, capacity: region.count),
      headSize <= range.lowerBound
    else { return nil }
    let start = region.base + range.lowerBound - headSize
    for byte in 0..<4 {
      start[byte] = UInt8(truncatingIfNeeded: rawCount >> (8 * byte))
      start[4 + byte] = UInt8(truncatingIfNeeded: deflated.count >> (8 * byte))
    }
    (start + MixedBlock.headSize).update(from: positions.base, count: positions.count)
    (start + MixedBlock.headSize + positions.count).update(from: deflated.base, count: deflated.count)
    return Encoded(
      kind: .mixed, bytes: region, offset: range.lowerBound - headSize, byteCount: range.count + headSize,
      rawCount: rawCount)
  }

  /// Whether the reconstruction of an image is too poor, so that the image is stored raw: its squared error is seven eighths
  /// or more of the image's variance (the squared distance to its mean grey or colour).
  ///
  /// `picture` is decoded from latents that are not quantised: the model is judged, not the quality, and a lower
  /// quality never stores more images raw. docs/format-aez.md has figures for the bound. In integers, so the same on
  /// every machine: products of at most 196,608 bytes stay below 2^55.
  static func isPoorlyReconstructed(
    _ picture: UnsafePointer<UInt8>, of image: UnsafePointer<UInt8>, _ shape: ImageShape
  ) -> Bool {
    let error = squaredError(picture, image, count: shape.byteCount)
    let pixelCount = shape.width * shape.height
    // Times the number of pixels.
    var variance = 0
    for channel in 0..<shape.channels {
      var sum = 0
      var sumOfSquares = 0
      for pixel in 0..<pixelCount {
        let value = Int(image[pixel * shape.channels + channel])
        sum += value
        sumOfSquares += value * value
      }
      variance += pixelCount * sumOfSquares - sum * sum
    }
    return error > 0 && 8 * pixelCount * error >= 7 * variance
  }
}

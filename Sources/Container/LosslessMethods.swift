// The methods of lossless coding: which there are for a set, which codes a block, and how each is read. A further method is a
// further `BlockKind` and a case in each of the functions here.

import Bytes
import Compute
import Core
import Lossless
import Model

/// Codes the pixels of lossless and near-lossless blocks. Immutable: any number of threads may use one.
final class LosslessMethods: Sendable {
  private let imageSize: Int
  private let contexts: MixtureCoder
  private let predicted: MixtureCoder?
  private let scans: ScanCoder?
  /// As files of version 2 have them.
  private let firstContexts: ScanCoder?

  /// - Parameters:
  ///   - model: the one that the header names, or nil if no block needs it.
  ///   - predictor: likewise.
  /// - Throws: `.kind` if the model has no scan network that the header asks for; `.memory`.
  init(_ header: SetHeader, model: Autoencoder?, predictor: Predictor?) throws(AEError) {
    imageSize = header.imageSize
    contexts = try MixtureCoder(header.shape, predictor: nil)
    predicted = try predictor.map { predictor throws(AEError) in
      try MixtureCoder(header.shape, predictor: predictor)
    }
    if let model, header.usesScans {
      // Sets of version 2 may tell of scans that images of their size cannot have: they name such a model all the same.
      let coder = try ScanCoder(header, model)
      scans = header.canHaveScans ? coder : nil
    } else {
      scans = nil
    }
    firstContexts =
      header.channels == 1 ? try ScanCoder(width: header.width, height: header.height, model: nil) : nil
  }

  // MARK: Encoding

  /// The images that decide between methods where not all are tried on a whole block: a share of a block, and at least so many.
  private static let sampleShare = 8
  private static let leastSample = 16

  /// A block of `count` images by the smallest of the methods that the set allows, as `priority` says.
  ///
  /// - Parameters:
  ///   - kept: the pixels to code.
  ///   - originals: what scans are looked for in.
  ///   - monitor: told of all images.
  /// - Returns: nil if it would take no less than the pixels.
  func encode(
    _ kept: UnsafePointer<UInt8>, originals: UnsafePointer<UInt8>, count: Int, method: Method?,
    priority: Priority, monitor: Monitor?
  ) throws(AEError) -> (kind: BlockKind, bytes: Buffer<UInt8>)? {
    var isCounting = true
    var best: (kind: BlockKind, bytes: Buffer<UInt8>)?
    if let scans {
      if let found = try scans.encodeScans(originals, count: count, monitor: monitor) {
        let bytes = try encode(found.bytes, rest: kept, found.isScanned, count: count, monitor)
        if bytes.count < count * imageSize { best = (.scans, bytes) }
        // Where most images have scans, nothing else comes near.
        if method == .scans || (priority == .balanced && 2 * found.scanCount >= count) { return best }
      }
      // Its search has counted the images.
      isCounting = false
    }
    let triesAll = priority == .size || count <= LosslessMethods.leastSample
    var triesContexts = predicted == nil || (method == nil && triesAll)
    if let predicted {
      if !triesContexts, method == nil {
        let sample = max(LosslessMethods.leastSample, count / LosslessMethods.sampleShare)
        let room = sample * imageSize
        let one =
          try predicted.encode(kept, count: sample, capacity: room, monitor: monitor, isCounting: false)?
          .count
          ?? room
        let other =
          try contexts.encode(kept, count: sample, capacity: room, monitor: monitor, isCounting: false)?.count
          ?? room
        // Contexts gain more from the rest of the block than a predictor that has learned before.
        triesContexts = other <= one + one / 64
      }
      let bytes = try predicted.encode(
        kept, count: count, capacity: best?.bytes.count ?? count * imageSize, monitor: monitor,
        isCounting: isCounting)
      if let bytes { best = (.predicted, bytes) }
      isCounting = false
    }
    if triesContexts {
      let bytes = try contexts.encode(
        kept, count: count, capacity: best?.bytes.count ?? count * imageSize, monitor: monitor,
        isCounting: isCounting)
      if let bytes { best = (.contexts, bytes) }
    }
    return best
  }

  /// A block by scans: how many bytes these take, these, and the pixels of images without one.
  private func encode(
    _ scanBytes: Buffer<UInt8>, rest kept: UnsafePointer<UInt8>, _ isScanned: Buffer<UInt8>, count: Int,
    _ monitor: Monitor?
  ) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    try writer.u32(UInt32(truncatingIfNeeded: scanBytes.count))
    try writer.bytes(scanBytes)
    let restCount = LosslessMethods.zeros(isScanned)
    if restCount > 0 {
      let rest = try Buffer<UInt8>(count: restCount * imageSize)
      var next = 0
      for image in 0..<count where isScanned.base[image] == 0 {
        (rest.base + next).update(from: kept + image * imageSize, count: imageSize)
        next += imageSize
      }
      // Room for what does not get smaller: noise among digits.
      let bytes = try (predicted ?? contexts).encode(
        rest.base, count: restCount, capacity: 2 * rest.count + 64, monitor: monitor, isCounting: false)
      guard let bytes else { throw AEError(.internal, "pixels take more than twice their bytes") }
      try writer.bytes(bytes)
    }
    return try writer.finish()
  }

  private static func zeros(_ flags: Buffer<UInt8>) -> Int {
    var count = 0
    for index in 0..<flags.count where flags.base[index] == 0 { count += 1 }
    return count
  }

  // MARK: Decoding

  /// Decodes images `range` of a block of `count` images, whose bytes are those of its method alone.
  /// - Returns: false if they are damaged; nil if there is no such method in this set.
  func decode(
    _ kind: BlockKind, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>,
    verifiesAll: Bool, into pixels: UnsafeMutablePointer<UInt8>, monitor: Monitor?
  ) throws(AEError) -> Bool? {
    switch kind {
    case .contexts, .predicted:
      guard let coder = kind == .predicted ? predicted : contexts else { return nil }
      return try coder.decode(bytes, byteCount, count: count, range: range, into: pixels, monitor: monitor)
    case .firstContexts, .firstScans:
      guard let coder = kind == .firstScans ? scans : firstContexts else { return nil }
      return try coder.decode(
        bytes, byteCount, count: count, range: range, verifiesAll: verifiesAll, into: pixels, monitor: monitor
      )
    case .scans:
      guard let scans else { return nil }
      return try decodeScans(
        scans, bytes, byteCount, count: count, range: range, verifiesAll, into: pixels, monitor)
    case .coded, .deflated, .stored, .mixed: return nil
    }
  }

  private func decodeScans(
    _ scans: ScanCoder, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>,
    _ verifiesAll: Bool, into pixels: UnsafeMutablePointer<UInt8>, _ monitor: Monitor?
  ) throws(AEError) -> Bool {
    guard byteCount >= 4 else { return false }
    let scanCount = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16 | Int(bytes[3]) << 24
    guard scanCount <= byteCount - 4 else { return false }
    guard
      let isScanned = try scans.decodeScans(
        bytes + 4, scanCount, count: count, range: range, verifiesAll: verifiesAll, into: pixels,
        monitor: monitor)
    else { return false }
    let restCount = LosslessMethods.zeros(isScanned)
    let restBytes = byteCount - 4 - scanCount
    guard restCount > 0 else { return restBytes == 0 }
    var before = 0
    for image in 0..<range.lowerBound where isScanned.base[image] == 0 { before += 1 }
    var here = 0
    for image in range where isScanned.base[image] == 0 { here += 1 }
    guard here > 0 || verifiesAll else { return true }
    let rest = try Buffer<UInt8>(count: here * imageSize)
    guard
      try (predicted ?? contexts).decode(
        bytes + 4 + scanCount, restBytes, count: restCount, range: before..<before + here, into: rest.base,
        monitor: monitor)
    else { return false }
    var next = 0
    for image in range where isScanned.base[image] == 0 {
      (pixels + (image - range.lowerBound) * imageSize).update(from: rest.base + next, count: imageSize)
      next += imageSize
    }
    return true
  }
}

// Rate control: the best quality within a budget of bytes for each image, found by trial on the first images.

import Bytes
import Core
import Model
import Storage

/// A quality that may be taken.
struct RateChoice: Sendable {
  let model: Autoencoder
  /// As the model counts, from 1.
  let quality: Int
  let scaleQuality: Int
}

enum RateControl {
  /// Images that decide, at most: of large ones 64 MB.
  /// - Parameter imageSize: bytes of an image.
  static func sampleCount(_ imageSize: Int) -> Int { min(10_000, max((1 << 26) / imageSize, 1)) }

  /// The plan with the best quality at which the first images' blocks take no more than `bytesPerImage` bytes each.
  /// Qualities are taken to need the more bytes, the better they are.
  ///
  /// - Parameter onTrial: told which quality is tried, and how far; false stops.
  /// - Throws: `.argument` if even the smallest takes more, with what it takes.
  static func settle(
    _ plan: CompressionPlan, _ pixels: UnsafePointer<UInt8>, count: Int, onProgress: Monitor.Hook?
  ) throws(AEError) -> CompressionPlan {
    let limit = plan.options.bytesPerImage
    let choices = plan.rateChoices
    guard limit > 0, !choices.isEmpty else { return plan }
    let taken = min(count, sampleCount(plan.shape.byteCount))
    // No images take no bytes at any quality.
    guard taken > 0 else { return plan.choosing(choices[choices.count - 1]) }
    func bytesPerImage(_ index: Int, searchPasses: Int) throws(AEError) -> Double {
      var options = plan.choosing(choices[index]).options
      options.searchPasses = searchPasses
      options.embedModel = false
      let writer = try SetWriter(plan.shape, model: choices[index].model, options: options) {
        _, _ throws(AEError) in
      }
      let head = writer.byteCount
      writer.onProgress = onProgress
      writer.expectedCount = taken
      try writer.add(pixels, count: taken)
      try writer.flush()
      return Double(writer.byteCount - head) / Double(taken)
    }
    // Bisection without the code search, which is slow and changes sizes little: qualities below `fitting` fit, those
    // from `tooLarge` on do not.
    var (fitting, tooLarge) = (0, choices.count)
    while fitting < tooLarge {
      let middle = (fitting + tooLarge) / 2
      if try bytesPerImage(middle, searchPasses: 0) <= limit {
        fitting = middle + 1
      } else {
        tooLarge = middle
      }
    }
    // Then with the search, from there on.
    var best = fitting - 1
    let passes = plan.options.searchPasses
    if passes > 0 {
      while best >= 0, try bytesPerImage(best, searchPasses: passes) > limit { best -= 1 }
      while best + 1 < choices.count, try bytesPerImage(best + 1, searchPasses: passes) <= limit { best += 1 }
    }
    guard best >= 0 else {
      let least = try bytesPerImage(0, searchPasses: passes)
      throw AEError(
        .argument,
        "bytes_per_image \(limit): the smallest quality takes \(least) bytes an image of these images")
    }
    return plan.choosing(choices[best])
  }
}

/// A writer for a plan: images go to a `SetWriter` at once or, where a rate is asked for, once enough of them have come
/// to decide the quality.
public final class PlannedWriter {
  private let source: SourceKind
  private let sink: SetWriter.Sink
  private var writer: SetWriter?
  /// Settled once the writer is there.
  public private(set) var plan: CompressionPlan
  private let waiting = WaitingImages()
  private var isFinished = false
  public var onProgress: Monitor.Hook? { didSet { writer?.onProgress = onProgress } }
  public var expectedCount: Int? { didSet { writer?.expectedCount = expectedCount } }
  /// See `SetWriter.isMeasuring`.
  public var isMeasuring = false { didSet { writer?.isMeasuring = isMeasuring } }

  /// - Throws: as `SetWriter`.
  public init(_ plan: CompressionPlan, source: SourceKind = .unknown, sink: @escaping SetWriter.Sink)
    throws(AEError)
  {
    self.plan = plan
    self.source = source
    self.sink = sink
    if plan.rateChoices.isEmpty { try begin() }
  }

  private func begin() throws(AEError) {
    let fresh = try SetWriter(
      plan.shape, source: source, model: plan.model, predicting: plan.predicting, options: plan.options,
      sink: sink)
    fresh.onProgress = onProgress
    fresh.expectedCount = expectedCount
    fresh.isMeasuring = isMeasuring
    writer = fresh
  }

  /// The writer behind, once the quality is settled: for what it can tell.
  public var settled: SetWriter? { writer }

  /// See `SetWriter.add`.
  public func add(
    _ images: UnsafePointer<UInt8>, count: Int, labels: UnsafePointer<UInt8>? = nil, names: [String]? = nil
  ) throws(AEError) {
    guard !isFinished else { throw AEError(.argument, "the set is finished: nothing can be added to it") }
    if let writer { return try writer.add(images, count: count, labels: labels, names: names) }
    guard count >= 0, count < 1 << 40 else { throw AEError(.argument, "\(count) images cannot be added") }
    try waiting.add(images, count: count, size: plan.shape.byteCount, labels: labels, names: names)
    if waiting.count >= RateControl.sampleCount(plan.shape.byteCount) { try settle() }
  }

  private func settle() throws(AEError) {
    plan = try RateControl.settle(plan, waiting.base, count: waiting.count, onProgress: onProgress)
    try begin()
    try writer?.add(waiting.base, count: waiting.count, labels: waiting.labels, names: waiting.names)
    try waiting.clear()
  }

  /// See `SetWriter.add(blocksOf:)`.
  public func add(blocksOf set: CompressedSet, images: Range<Int>? = nil) throws(AEError) {
    if writer == nil { try settle() }
    try writer?.add(blocksOf: set, images: images)
  }

  /// See `SetWriter.finish`.
  public func finish() throws(AEError) {
    if writer == nil { try settle() }
    isFinished = true
    try writer?.finish()
  }
}

/// Images that wait until the quality is decided, with their labels and names.
private final class WaitingImages {
  private let bytes = ByteWriter()
  private let labelBytes = ByteWriter()
  private var nameList: [String] = []
  private var hasLabels: Bool?
  private var hasNames: Bool?
  private(set) var count = 0

  var base: UnsafePointer<UInt8> { UnsafePointer(bytes.base) }
  var labels: UnsafePointer<UInt8>? { hasLabels == true ? UnsafePointer(labelBytes.base) : nil }
  var names: [String]? { hasNames == true ? nameList : nil }

  func add(
    _ images: UnsafePointer<UInt8>, count: Int, size: Int, labels: UnsafePointer<UInt8>?, names: [String]?
  ) throws(AEError) {
    let isNew = hasLabels == nil
    guard isNew || (hasLabels == (labels != nil) && hasNames == (names != nil)) else {
      throw AEError(
        .argument,
        hasLabels != (labels != nil)
          ? "labels must come with all images of a set or with none"
          : "names must come with all images of a set or with none")
    }
    guard names == nil || names!.count == count else {
      throw AEError(.argument, "\(names!.count) names were given with \(count) images")
    }
    (hasLabels, hasNames) = (labels != nil, names != nil)
    try bytes.bytes(images, count * size)
    if let labels { try labelBytes.bytes(labels, count) }
    if let names { nameList += names }
    self.count += count
  }

  /// Forgets them and gives their memory back.
  func clear() throws(AEError) {
    _ = try bytes.finish()
    _ = try labelBytes.finish()
    nameList = []
    count = 0
  }
}

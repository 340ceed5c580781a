// Checkpoints: a weight file like any other, with one section more that holds the options, the step and the optimiser's
// moments.

import Bytes
import CKernels
import Compute
import Core
import Model
import Network
import Options
import Storage

/// The tag of the section, optional for readers, and the version of what is in it.
private let checkpointTag = WeightFile.tag("trnr")
private let checkpointVersion: UInt16 = 8
/// More than any run can make, and far from where sums of steps overflow.
private let largestStep: UInt64 = 1 << 48

/// Which images a run draws its batches from: a run goes on with no others.
package struct TrainingImages: Equatable, Sendable {
  let count: UInt64
  /// CRC-32 of all their pixels: against mistakes, not against forgery.
  let checksum: UInt32

  init(count: UInt64, checksum: UInt32) {
    self.count = count
    self.checksum = checksum
  }

  init(_ pixels: UnsafePointer<UInt8>, count: Int, pixelCount: Int) {
    self.init(count: UInt64(count), checksum: Checksum.crc32(pixels, count * pixelCount))
  }
}

/// What stands before the numbers of a checkpoint's state.
private struct CheckpointHead {
  /// More bytes than a head has.
  static let largestByteCount = 4096 + 2 * maximumNodeTextCount

  let options: TrainingOptions
  let step: Int
  let images: TrainingImages?
  let runCount: Int
  /// Bytes before the first run.
  let byteCount: Int

  init(_ section: Buffer<UInt8>, architecture: Architecture, modelName: String, name: String) throws(AEError)
  {
    var reader = ByteReader(section.base, count: section.count, name: sentence("\(name), state of training"))
    let version = try reader.u16()
    guard version == checkpointVersion else {
      throw reader.fail(.version, "version \(checkpointVersion) expected, version \(version) came")
    }
    var options = TrainingOptions()
    try TrainingOptions.table.read(&reader, into: &options)
    let hashCount = Int(try reader.u8())
    guard hashCount == 0 || hashCount == 32 else {
      throw reader.fail("a hash has 32 bytes, not \(hashCount)")
    }
    if hashCount > 0 {
      let hash = try reader.bytes(hashCount)
      options.start = [UInt8](UnsafeBufferPointer(start: hash, count: hashCount))
    }
    do throws(AEError) {
      try options.validate()
    } catch {
      throw reader.fail("\(error.message)")
    }
    guard options.architecture == architecture, options.name == modelName else {
      throw reader.fail("the options are of another network or name than the file's")
    }
    self.options = options
    let step = try reader.u64()
    // Steps on the caller's own batches may go on beyond the steps that were planned.
    guard step <= largestStep else {
      throw reader.fail("step \(step), where \(largestStep) is the largest")
    }
    self.step = Int(step)
    let imageCount = try reader.u64()
    let checksum = try reader.u32()
    images = imageCount == 0 ? nil : TrainingImages(count: imageCount, checksum: checksum)
    runCount = Int(try reader.u32())
    byteCount = reader.offset
  }
}

extension Trainer {
  /// The run as it is: resumed from these bytes, it ends with the weights of an unbroken run.
  /// - Throws: `.kind` for a pca that has not been fitted; `.diverged` if weights or the optimiser's state overflowed.
  public func checkpoint() throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    try writer.u16(checkpointVersion)
    try TrainingOptions.table.write(options, to: writer)
    try writer.u8(UInt8(options.start?.count ?? 0))
    for byte in options.start ?? [] { try writer.u8(byte) }
    try writer.u64(UInt64(stepsDone))
    try writer.u64(images?.count ?? 0)
    try writer.u32(images?.checksum ?? 0)
    let runs = state
    try writer.u32(UInt32(runs.count))
    for run in runs {
      try writer.u64(UInt64(run.count))
      // A reader refuses what is not finite: the place to say so is here.
      let bad = ck_first_not_finite(run.count, run.base)
      guard bad == run.count else {
        throw AEError(.diverged, "the training has diverged: its state is not finite after step \(stepsDone)")
      }
      for i in 0..<run.count { try writer.f32(run.base[i]) }
    }
    return try WeightFile.write(
      try model(provenance: sentence("checkpoint after step \(stepsDone) of \(options.stepCount)")),
      storage: .float32,
      decoderOnly: false, extra: [ExtraSection(tag: checkpointTag, bytes: try writer.finish())])
  }

  /// Bytes that `checkpoint` never exceeds, without making it.
  /// - Throws: `.kind` for a pca that has not been fitted.
  public func checkpointBound() throws(AEError) -> Int {
    try checkFitted()
    var extraCount = CheckpointHead.largestByteCount
    for run in state { extraCount += 8 + 4 * run.count }
    return WeightFile.bound(options.architecture, extraCount: extraCount)
  }

  /// The trainer of a checkpoint.
  ///
  /// What the state has to hold follows from the architecture and the options, and is compared with what the file
  /// declares before any of it is inflated.
  /// - Throws: `.kind` for a weight file that is not a checkpoint; `.version` for one that another version wrote;
  ///   `.format` for a damaged one.
  public convenience init(checkpoint bytes: UnsafePointer<UInt8>, _ count: Int, name: String = "checkpoint")
    throws(AEError)
  {
    guard
      let section = try WeightFile.extra(
        bytes, count, tag: checkpointTag, headCount: CheckpointHead.largestByteCount, name: name)
    else {
      throw AEError(.kind, "\(name): this weight file is not a checkpoint: it has no state of training")
    }
    let head = try CheckpointHead(
      section.head, architecture: section.architecture, modelName: section.modelName, name: name)
    let components = try Trainer.components(bytes, count, kind: section.architecture.kind, name: name)
    try self.init(options: head.options)
    var byteCount = head.byteCount
    for run in state { byteCount += 8 + 4 * run.count }
    guard
      let raw = try WeightFile.readExtra(
        bytes, count, tag: checkpointTag, byteCount: byteCount, name: name)
    else { throw AEError(.internal, "\(name): the state of training is gone") }
    var reader = ByteReader(raw.base, count: raw.count, name: sentence("\(name), state of training"))
    _ = try reader.bytes(head.byteCount)
    let runs = state
    guard head.runCount == runs.count else {
      throw reader.fail("\(runs.count) runs of numbers expected, \(head.runCount) came")
    }
    for (index, run) in runs.enumerated() {
      let length = try reader.u64()
      guard length == UInt64(run.count) else {
        throw reader.fail("run \(index) has \(length) numbers, \(run.count) expected")
      }
      for i in 0..<run.count {
        let value = try reader.f32()
        guard value.isFinite else { throw reader.fail("run \(index), number \(i) is not finite") }
        run.base[i] = value
      }
    }
    guard reader.remaining == 0 else { throw reader.fail("\(reader.remaining) bytes too many") }
    resume(step: head.step, images: head.images, components: components)
  }

  /// Checks the model in a checkpoint, and gives back its networks for a pca, which has no other state.
  private static func components(
    _ bytes: UnsafePointer<UInt8>, _ count: Int, kind: ModelKind, name: String
  ) throws(AEError) -> (encoder: DenseNetwork, decoder: DenseNetwork)? {
    let model = try WeightFile.read(bytes, count, name: name)
    // The trainer's memory is bounded by the file's size: it follows from an architecture whose weights are all there.
    guard let encoder = model.encoder, let decoder = model.decoder else {
      throw AEError(.format, "\(name): a checkpoint holds encoder and decoder in floats")
    }
    return kind == .pca ? (encoder, decoder) : nil
  }
}

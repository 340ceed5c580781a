// A run on its way, as bytes: a weight file like any other, which can be looked at and used, with one
// section more that holds the options, the step and the optimiser's moments.

import Bytes
import CKernels
import Compute
import Core
import Model
import Storage

/// The tag of the section, optional for readers, and the version of what is in it.
private let checkpointTag = WeightFile.tag("trnr")
private let checkpointVersion: UInt16 = 3
/// More than any run can make, and far from where sums of steps overflow.
private let largestStep: UInt64 = 1 << 48
#if !hasFeature(Embedded)
  /// The same with what the embedded library lacks: Muon, a start from a trained model.
  private let toolVersion: UInt16 = 4
#endif

extension Trainer {
  /// The run as it is: resumed from these bytes, it ends with the weights of an unbroken run.
  /// - Throws: `.kind` for a pca that has not been fitted; `.diverged` if weights or the optimiser's state overflowed.
  public func checkpoint() throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    #if hasFeature(Embedded)
      try writer.u16(checkpointVersion)
    #else
      let isTools = options.optimiser != .adam || options.start != nil
      try writer.u16(isTools ? toolVersion : checkpointVersion)
    #endif
    try options.write(to: writer)
    #if !hasFeature(Embedded)
      if isTools { try options.writeToolsPart(to: writer) }
    #endif
    try writer.u64(UInt64(stepsDone))
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

  /// The trainer of a checkpoint.
  /// - Throws: `.kind` for a weight file that is not a checkpoint; `.format` for a damaged one.
  public convenience init(checkpoint bytes: UnsafePointer<UInt8>, _ count: Int, name: String = "checkpoint")
    throws(AEError)
  {
    let model = try WeightFile.read(bytes, count, name: name)
    guard let section = try WeightFile.readExtra(bytes, count, tag: checkpointTag, name: name) else {
      throw AEError(.kind, "\(name): this weight file is not a checkpoint: it has no state of training")
    }
    var reader = ByteReader(section.base, count: section.count, name: sentence("\(name), state of training"))
    let version = try reader.u16()
    #if hasFeature(Embedded)
      let isKnown = version == checkpointVersion
    #else
      let isKnown = version == checkpointVersion || version == toolVersion
    #endif
    guard isKnown else {
      throw reader.fail(.version, "version \(checkpointVersion) expected, version \(version) came")
    }
    #if hasFeature(Embedded)
      let options = try TrainingOptions(
        reading: &reader, architecture: model.architecture, name: model.name)
    #else
      var options = try TrainingOptions(
        reading: &reader, architecture: model.architecture, name: model.name)
      if version == toolVersion { try options.readToolsPart(&reader) }
    #endif
    do throws(AEError) {
      try options.validate()
    } catch {
      throw reader.fail("\(error.message)")
    }
    let step = try reader.u64()
    // Steps on the caller's own batches may go on beyond the steps that were planned.
    guard step <= largestStep else {
      throw reader.fail("step \(step), where \(largestStep) is the largest")
    }
    try self.init(options: options)
    let runs = state
    let runCount = try reader.u32()
    guard Int(runCount) == runs.count else {
      throw reader.fail("\(runs.count) runs of numbers expected, \(runCount) came")
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
    var components: (encoder: DenseNetwork, decoder: DenseNetwork)? = nil
    if options.architecture.kind == .pca, let encoder = model.encoder, let decoder = model.decoder {
      components = (encoder, decoder)
    }
    resume(step: Int(step), components: components)
  }
}

extension ByteWriter {
  fileprivate func f64(_ value: Double) throws(AEError) { try u64(value.bitPattern) }
}

extension TrainingOptions {
  /// Everything but what the weight file itself says: architecture and name.
  fileprivate func write(to writer: ByteWriter) throws(AEError) {
    try writer.u8(loss.rawValue)
    try writer.u8(schedule.rawValue)
    try writer.u8(binarize ? 1 : 0)
    try writer.u8(UInt8(importanceSamples))
    try writer.u32(UInt32(batchSize))
    try writer.u64(UInt64(stepCount))
    try writer.u64(seed)
    try writer.u64(UInt64(betaWarmupSteps))
    try writer.u64(UInt64(importanceWarmupSteps))
    for value in [
      learningRate, beta, noise, deformation, gradientClip, weightAverage, validationFraction, lambda,
    ] {
      try writer.f64(value)
    }
  }

  #if !hasFeature(Embedded)
    fileprivate func writeToolsPart(to writer: ByteWriter) throws(AEError) {
      try writer.u8(optimiser.rawValue)
      try writer.u8(UInt8(start?.count ?? 0))
      for byte in start ?? [] { try writer.u8(byte) }
    }

    fileprivate mutating func readToolsPart(_ reader: inout ByteReader) throws(AEError) {
      guard let optimiser = Optimiser(rawValue: try reader.u8()) else {
        throw reader.fail("an unknown optimiser")
      }
      self.optimiser = optimiser
      let count = try reader.u8()
      guard count == 0 || count == 32 else { throw reader.fail("a hash has 32 bytes, not \(count)") }
      guard count > 0 else { return }
      var hash: [UInt8] = []
      for _ in 0..<count { hash.append(try reader.u8()) }
      start = hash
    }
  #endif

  fileprivate init(reading reader: inout ByteReader, architecture: Architecture, name: String) throws(AEError)
  {
    self.init(architecture: architecture)
    self.name = name
    guard let loss = Loss(rawValue: try reader.u8()) else { throw reader.fail("an unknown loss") }
    guard let schedule = Schedule(rawValue: try reader.u8()) else { throw reader.fail("an unknown schedule") }
    self.loss = loss
    self.schedule = schedule
    binarize = try reader.u8() != 0
    importanceSamples = Int(try reader.u8())
    batchSize = Int(try reader.u32())
    stepCount = Int(clamping: try reader.u64())
    seed = try reader.u64()
    betaWarmupSteps = Int(clamping: try reader.u64())
    importanceWarmupSteps = Int(clamping: try reader.u64())
    learningRate = Double(bitPattern: try reader.u64())
    beta = Double(bitPattern: try reader.u64())
    noise = Double(bitPattern: try reader.u64())
    deformation = Double(bitPattern: try reader.u64())
    gradientClip = Double(bitPattern: try reader.u64())
    weightAverage = Double(bitPattern: try reader.u64())
    validationFraction = Double(bitPattern: try reader.u64())
    lambda = Double(bitPattern: try reader.u64())
  }
}

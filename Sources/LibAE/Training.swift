// ae.h, "Training": options as C has them become the engine's, callbacks are called, and the trainer's
// state that the engine does not know (who to tell, and how often) stays here.

import Bytes
import CAE
import CSystem
import Compute
import Core
import Model
import Network
import Quantization
import Training

/// The engine's trainer, and whom to tell how it goes.
final class TrainerBox {
  let trainer: Trainer
  let reports: Reports

  init(_ trainer: Trainer, _ reports: Reports) {
    self.trainer = trainer
    self.reports = reports
  }
}

/// The callbacks of a trainer.
struct Reports {
  var interval = 500
  var progress: ae_progress_callback?
  var log: ae_log_callback?
  var poll: ae_poll_callback?
  var context: UnsafeMutableRawPointer?

  init() {}

  init(_ options: ae_trainer_options) throws(AEError) {
    guard options.progress_interval > 0 else {
      throw AEError(.argument, "progress_interval must be at least 1")
    }
    interval = Int(clamping: options.progress_interval)
    progress = options.progress
    log = options.log
    poll = options.poll
    context = options.context
  }

  /// Hands a line to the log callback, if there is one.
  @inline(never)
  func say(_ line: @autoclosure () -> Message) {
    guard let log else { return }
    var text = UTF8Text.bytes(line().take())
    text.append(0)
    text.withUnsafeBytes { bytes in
      callHost { log(context, bytes.baseAddress?.assumingMemoryBound(to: CChar.self)) }
    }
  }
}

private func trainer(_ handle: OpaquePointer?) throws(AEError) -> TrainerBox {
  try object(handle, .trainer, TrainerBox.self)
}

// MARK: Options

/// The defaults of ae.h.
private func defaultOptions() -> ae_trainer_options {
  var options = ae_trainer_options()
  options.kind = Int32(AE_KIND_ELU)
  options.width = 28
  options.height = 28
  options.loss = -1
  options.output = -1
  options.schedule = Int32(AE_SCHEDULE_CONSTANT)
  options.batch_size = 100
  options.step_count = 50_000
  options.seed = 1
  options.learning_rate = 1e-3
  options.beta = 1
  options.importance_samples = 1
  options.progress_interval = 500
  return options
}

@implementation @_cdecl("ae_trainer_options_init")
public func ae_trainer_options_init(
  _ options: UnsafeMutablePointer<ae_trainer_options>!, _ struct_size: Int
) -> ae_status {
  boundary { () throws(AEError) in
    guard let options else { throw AEError(.argument, "options is NULL") }
    try writeStruct(options, defaultOptions(), size: struct_size)
  }
}

private func readOptions(_ options: UnsafePointer<ae_trainer_options>) throws(AEError) -> ae_trainer_options {
  var result = defaultOptions()
  try readStruct(options, over: &result)
  return result
}

/// A case of an enum that files and ae.h number alike.
private func choice<Value: RawRepresentable>(_ raw: Int32, _ name: StaticString) throws(AEError) -> Value
where Value.RawValue == UInt8 {
  guard let byte = UInt8(exactly: raw), let value = Value(rawValue: byte) else {
    throw AEError(.argument, "\(name) has no value \(raw)")
  }
  return value
}

/// A count that C gives as uint64_t.
private func count(_ value: UInt64, _ name: StaticString) throws(AEError) -> Int {
  guard let count = Int(exactly: value) else {
    throw AEError(.argument, "\(name) of \(value) is out of range")
  }
  return count
}

/// The widths of the hidden layers: NULL stands for those of the kind.
private func hiddenWidths(_ options: ae_trainer_options) throws(AEError) -> [Int]? {
  let layers = Int(options.hidden_count)
  guard (0...Architecture.maximumHiddenCount).contains(layers) else {
    throw AEError(
      .argument, "hidden_count must be in 0 ... \(Architecture.maximumHiddenCount), not \(layers)")
  }
  guard let hidden = options.hidden else {
    guard layers == 0 else { throw AEError(.argument, "hidden is NULL, but hidden_count is \(layers)") }
    return nil
  }
  var widths: [Int] = []
  for index in 0..<layers {
    widths.append(
      Int(UnsafeRawPointer(hidden).loadUnaligned(fromByteOffset: 4 * index, as: Int32.self)))
  }
  return widths
}

private func trainingOptions(_ options: ae_trainer_options) throws(AEError) -> TrainingOptions {
  let kind: ModelKind = try choice(options.kind, "kind")
  let loss: Loss =
    options.loss == -1 ? (kind.isVariational ? .bernoulli : .mse) : try choice(options.loss, "loss")
  let output: Activation
  switch options.output {
  case -1: output = loss == .bernoulli ? .sigmoid : .identity
  case Int32(AE_OUTPUT_LINEAR): output = .identity
  case Int32(AE_OUTPUT_SIGMOID): output = .sigmoid
  default: throw AEError(.argument, "output has no value \(options.output)")
  }
  guard options.latent_size >= 0 else {
    throw AEError(.argument, "latent_size must not be negative, and is \(options.latent_size)")
  }
  let latentCount = options.latent_size == 0 ? (kind.isVariational ? 20 : 5) : Int(options.latent_size)
  guard options.binarize == 0 || options.binarize == 1 else {
    throw AEError(.argument, "binarize must be 0 or 1, not \(options.binarize)")
  }
  var result = TrainingOptions(
    architecture: try Architecture(
      kind: kind, width: Int(options.width), height: Int(options.height), latentCount: latentCount,
      hidden: try hiddenWidths(options), output: output))
  result.loss = loss
  result.schedule = try choice(options.schedule, "schedule")
  result.batchSize = Int(options.batch_size)
  result.stepCount = try count(options.step_count, "step_count")
  result.seed = options.seed
  result.learningRate = options.learning_rate
  result.beta = options.beta
  result.betaWarmupSteps = try count(options.beta_warmup_steps, "beta_warmup_steps")
  result.noise = options.noise
  result.deformation = options.deformation
  result.importanceSamples = Int(options.importance_samples)
  result.importanceWarmupSteps = try count(options.importance_warmup_steps, "importance_warmup_steps")
  result.gradientClip = options.gradient_clip
  result.weightAverage = options.weight_average
  result.binarize = options.binarize == 1
  result.validationFraction = options.validation_fraction
  if let name = options.name { result.name = try text(name, "name") }
  return result
}

// MARK: Trainers

@implementation @_cdecl("ae_trainer_create")
public func ae_trainer_create(
  _ options: UnsafePointer<ae_trainer_options>!, _ trainer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(trainer, .trainer) { () throws(AEError) in
    guard let options else { throw AEError(.argument, "options is NULL") }
    let given = try readOptions(options)
    let reports = try Reports(given)
    return try makeHandle(
      .trainer, TrainerBox(try Trainer(options: try trainingOptions(given)), reports))
  }
}

@implementation @_cdecl("ae_trainer_free")
public func ae_trainer_free(_ trainer: OpaquePointer!) { freeHandle(trainer, .trainer, TrainerBox.self) }

/// Progress as C sees it.
private func progress(_ source: TrainingProgress) -> ae_training_progress {
  var result = ae_training_progress()
  result.struct_size = MemoryLayout<ae_training_progress>.size
  result.step = UInt64(clamping: source.step)
  result.step_count = UInt64(clamping: source.stepCount)
  result.loss = source.loss
  result.mse = source.mse
  result.psnr = source.psnr
  result.validation_mse = source.validationMSE ?? -1
  result.learning_rate = source.learningRate
  result.seconds = source.seconds
  return result
}

@implementation @_cdecl("ae_trainer_fit")
public func ae_trainer_fit(
  _ trainer: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int
) -> ae_status {
  boundary { () throws(AEError) in
    let box = try LibAE.trainer(trainer)
    let options = box.trainer.options
    let source = try Input(images, count: count, of: options.architecture.pixelCount, "images")
    let reports = box.reports
    reports.say(
      "training \(options.name) on \(count) images, from step \(box.trainer.stepsDone) to \(options.stepCount), "
        + "\(threadCount) threads, \(kernelPathName) kernels")
    try box.trainer.fit(
      source.base, count: count, progressInterval: reports.interval,
      progress: { state in
        reports.say("step \(state.step) of \(state.stepCount): mse \(state.mse), loss \(state.loss)")
        guard let callback = reports.progress else { return true }
        var told = progress(state)
        return callHost { callback(reports.context, &told) == 0 }
      },
      goesOn: {
        guard let poll = reports.poll else { return true }
        return callHost { poll(reports.context) == 0 }
      })
    reports.say("step \(box.trainer.stepsDone) of \(options.stepCount): done")
  }
}

@implementation @_cdecl("ae_trainer_step")
public func ae_trainer_step(
  _ trainer: OpaquePointer!, _ images: UnsafePointer<Float>!, _ count: Int,
  _ progress: UnsafeMutablePointer<ae_training_progress>!
) -> ae_status {
  boundary { () throws(AEError) in
    let box = try LibAE.trainer(trainer)
    let source = try Input(
      images, count: count, of: box.trainer.options.architecture.pixelCount, "images")
    // Before the step: an error must leave the trainer where it was.
    try Span(writes: progress).apart(from: source.span, "images and progress")
    if let progress { try checkStruct(progress) }
    let state = try box.trainer.step(source.base, count: count)
    if let progress { try writeStruct(progress, LibAE.progress(state)) }
  }
}

@implementation @_cdecl("ae_trainer_model")
public func ae_trainer_model(
  _ trainer: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ model: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(model, .model) { () throws(AEError) in
    let box = try LibAE.trainer(trainer)
    let options = box.trainer.options
    let source = try Input(images, count: count, of: options.architecture.pixelCount, "images")
    try Span(writes: model).apart(from: source.span, "images and the pointer that takes the model")
    let trained = try box.trainer.model(
      provenance: sentence("ae_trainer, \(box.trainer.stepsDone) steps, seed \(options.seed)"))
    guard count > 0 else { return try makeHandle(.model, trained) }
    box.reports.say("fitting integer networks and code tables to \(count) images")
    let fitted = try fitCodec(trained, pixels: source.base, count: count)
    // To measure it takes time, which nobody wants who does not listen.
    if box.reports.log != nil {
      let quality = try FitQuality(of: fitted, pixels: source.base, count: count)
      if quality.isPoor { box.reports.say("\(quality.warning)") }
    }
    return try makeHandle(.model, fitted)
  }
}

@implementation @_cdecl("ae_trainer_save")
public func ae_trainer_save(
  _ trainer: OpaquePointer!, _ out: UnsafeMutableRawPointer!, _ capacity: Int,
  _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  produce(
    out, capacity: capacity, size: size,
    bound: { () throws(AEError) in try LibAE.trainer(trainer).trainer.checkpointBound() },
    make: { () throws(AEError) in try LibAE.trainer(trainer).trainer.checkpoint() })
}

@implementation @_cdecl("ae_trainer_save_file")
public func ae_trainer_save_file(_ trainer: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> ae_status {
  boundary { () throws(AEError) in
    let path = try checkedPath(path)
    let file = try LibAE.trainer(trainer).trainer.checkpoint()
    try File.write(cPath: path, file.base, file.count, overwrite: true)
  }
}

@implementation @_cdecl("ae_trainer_resume")
public func ae_trainer_resume(
  _ data: UnsafeRawPointer!, _ byte_count: Int, _ options: UnsafePointer<ae_trainer_options>!,
  _ trainer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(trainer, .trainer, reading: Span(data, byte_count, isWritten: false)) { () throws(AEError) in
    let data = try bytes(data, byte_count, "data")
    return try resumed(Buffer(borrowing: data.base, count: data.elementCount), options)
  }
}

@implementation @_cdecl("ae_trainer_resume_file")
public func ae_trainer_resume_file(
  _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<ae_trainer_options>!,
  _ trainer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(trainer, .trainer) { () throws(AEError) in
    let path = try checkedPath(path)
    return try resumed(try File.read(cPath: path), options)
  }
}

/// The trainer of a checkpoint.
private func resumed(
  _ checkpoint: Buffer<UInt8>, _ options: UnsafePointer<ae_trainer_options>?
) throws(AEError) -> OpaquePointer {
  var reports = Reports()
  if let options { reports = try Reports(try readOptions(options)) }
  return try makeHandle(
    .trainer, TrainerBox(try Trainer(checkpoint: checkpoint.base, checkpoint.count), reports))
}

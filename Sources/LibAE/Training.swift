// ae.h, "Training": trainers and their callbacks.

import Bytes
import CAE
import CSystem
import Compute
import Core
import LibAEDecode
import Model
import Network
import Quantization
import Training

/// The engine's trainer, its context and its callbacks.
final class TrainerBox {
  let trainer: Trainer
  let context: ContextBox?
  var reports = Reports()

  init(_ trainer: Trainer, _ context: ContextBox?) {
    self.trainer = trainer
    self.context = context
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

  init(_ given: ae_trainer_callbacks) {
    interval = given.progress_interval == 0 ? 500 : Int(clamping: given.progress_interval)
    progress = given.progress
    log = given.log
    poll = given.poll
    context = given.context
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

// MARK: Trainers

@implementation @_cdecl("ae_trainer_create")
public func ae_trainer_create(
  _ context: OpaquePointer!, _ options: OpaquePointer!, _ trainer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(trainer, .trainer, in: context) { () throws(AEError) in
    try makeHandle(
      .trainer, TrainerBox(try Trainer(options: try trainingOptions(options)), try contextBox(context)))
  }
}

@implementation @_cdecl("ae_trainer_create_from")
public func ae_trainer_create_from(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ options: OpaquePointer!,
  _ trainer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(trainer, .trainer, in: context) { () throws(AEError) in
    let started = try Trainer(from: try LibAEDecode.model(model), options: try trainingOptions(options))
    return try makeHandle(.trainer, TrainerBox(started, try contextBox(context)))
  }
}

@implementation @_cdecl("ae_trainer_set_callbacks")
public func ae_trainer_set_callbacks(
  _ trainer: OpaquePointer!, _ callbacks: UnsafePointer<ae_trainer_callbacks>!
) -> ae_status {
  boundary { () throws(AEError) in
    let box = try LibAE.trainer(trainer)
    var given = ae_trainer_callbacks()
    if let callbacks { try readStruct(callbacks, over: &given) }
    box.reports = Reports(given)
  }
}

@implementation @_cdecl("ae_trainer_get_options")
public func ae_trainer_get_options(
  _ trainer: OpaquePointer!, _ options: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(options, .options) { () throws(AEError) in
    try makeHandle(.options, OptionsBox(.training(try LibAE.trainer(trainer).trainer.options)))
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
    try box.context.run { () throws(AEError) in
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
    }
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
    let state = try box.context.run { () throws(AEError) in try box.trainer.step(source.base, count: count) }
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
    return try box.context.run { () throws(AEError) in
      guard count > 0 else {
        return try makeHandle(.model, try box.trainer.model(provenance: box.trainer.provenance))
      }
      box.reports.say("fitting integer networks and code tables to \(count) images")
      let fitted = try box.trainer.quantizedModel(source.base, count: count)
      // Measuring it takes time, so only if there is a log callback.
      if box.reports.log != nil {
        let quality = try FitQuality(of: fitted, pixels: source.base, count: count)
        if quality.isPoor { box.reports.say("\(quality.warning)") }
      }
      return try makeHandle(.model, fitted)
    }
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
    make: { () throws(AEError) in
      let box = try LibAE.trainer(trainer)
      return try box.context.run { () throws(AEError) in try box.trainer.checkpoint() }
    })
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
  _ context: OpaquePointer!, _ data: UnsafeRawPointer!, _ byte_count: Int,
  _ trainer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(trainer, .trainer, in: context, reading: Span(data, byte_count, isWritten: false)) {
    () throws(AEError) in
    let data = try bytes(data, byte_count, "data")
    return try makeHandle(
      .trainer, TrainerBox(try Trainer(checkpoint: data.base, data.elementCount), try contextBox(context)))
  }
}

@implementation @_cdecl("ae_trainer_resume_file")
public func ae_trainer_resume_file(
  _ context: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ trainer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(trainer, .trainer, in: context) { () throws(AEError) in
    let path = try checkedPath(path)
    let file = try File.read(cPath: path)
    return try makeHandle(
      .trainer,
      TrainerBox(
        try Trainer(checkpoint: file.base, file.count, name: FileName.text(path)), try contextBox(context)))
  }
}

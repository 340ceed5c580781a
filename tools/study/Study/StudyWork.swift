// The training runs of a study: trains each network once, keeps it with its loss curve, and reports progress. A run that
// is stopped leaves a checkpoint, from which the next one goes on.

import Bytes
import Core
import Model
import Storage
import ToolKit
import Training

/// A network that was trained, and how that went.
struct TrainedRun {
  let run: StudyRun
  let model: Autoencoder
  /// Step, seconds of training, what is minimised, and mean squared error, over the steps before it.
  let curve: [(step: Int, seconds: Double, loss: Double, mse: Double)]

  var seconds: Double { curve.last?.seconds ?? 0 }
}

/// Trains and keeps the networks of a study.
final class StudyWork {
  let plan: StudyPlan
  let folder: StudyFolder
  private let progress: Progress
  private var done: Int
  private var cache: [String: TrainedRun] = [:]

  /// - Parameters:
  ///   - total, done: costs, of everything and of what is finished already.
  init(plan: StudyPlan, folder: StudyFolder, total: Int, done: Int, isQuiet: Bool) {
    self.plan = plan
    self.folder = folder
    self.done = done
    progress = Progress(total: total, done: done, isQuiet: isQuiet)
  }

  /// Steps between checkpoints.
  private static let checkpointInterval = 5_000

  /// Shows the current work, and stops if the user asked for it.
  func tell(_ what: String) throws(AEError) {
    progress.update(done, what)
    guard !Interrupt.isRequested else {
      throw AEError(.stopped, "stopped; what is finished is kept in \(folder.path): the same command goes on")
    }
  }

  /// Counts something as finished.
  func finish(cost: Int) { done += cost }

  func close() { progress.finish() }

  // MARK: Networks

  /// Whether a run is finished, by the recipe that it has today.
  static func isKept(_ run: StudyRun, in folder: StudyFolder) -> Bool {
    folder.has("\(run.name).aew")
      && (try? folder.json(run.name))??["recipe"].string == run.options.commandLine
  }

  /// Takes over the network of a preset from a folder of networks that were trained before, if recipe and images are
  /// those of the run. Returns what there is to say of one that is not.
  static func adopt(_ run: StudyRun, on set: ImageSet, from trained: String, to folder: StudyFolder) throws
    -> String?
  {
    guard let preset = run.preset, !isKept(run, in: folder) else { return nil }
    let path = "\(trained)/\(preset).aew"
    guard Path.kind(path) == .file else { return nil }
    let file = try File.read(path)
    let model = try WeightFile.read(file.base, file.count, name: path)
    guard model.provenance.hasPrefix(run.options.provenance(on: set.pixels.base, count: set.count)) else {
      return "\(path) is of another recipe or of other images, so that the network is trained anew"
    }
    try folder.keep(model, as: run.name)
    let record = JSON.object([
      ("recipe", .string(run.options.commandLine)), ("curve", .array([])), ("trained", .string(path)),
    ])
    try folder.keep(record, as: run.name)
    return nil
  }

  /// The network of a run, trained on these images unless it is kept.
  func trained(_ run: StudyRun, on set: ImageSet) throws -> TrainedRun {
    if let known = cache[run.name] { return known }
    if !StudyWork.isKept(run, in: folder) {
      try train(run, on: set)
      finish(cost: run.cost)
    }
    let record = try folder.json(run.name) ?? .null
    let curve = record["curve"].items.map { $0.doubles }.filter { $0.count == 4 }.map {
      (step: Int(saturating: $0[0]), seconds: $0[1], loss: $0[2], mse: $0[3])
    }
    let result = TrainedRun(run: run, model: try folder.model(run.name), curve: curve)
    if run.options.architecture.latentCount <= 32 { cache[run.name] = result }
    return result
  }

  /// The network as it was after so many steps, one of the run's marks.
  func snapshot(_ run: StudyRun, step: Int) throws(AEError) -> Autoencoder {
    try folder.model("\(run.name)@\(step)")
  }

  private func train(_ run: StudyRun, on set: ImageSet) throws {
    try tell("training \(run.name)")
    var curve: [JSON] = []
    var earlier = 0.0
    let trainer: Trainer
    if let bytes = try folder.checkpoint(run.name), let partial = try folder.json("\(run.name).partial"),
      // Checkpoints of older versions, other recipes or other images are ignored.
      let resumed = try? Trainer(checkpoint: bytes.base, bytes.count, name: "\(run.name).checkpoint"),
      resumed.options.commandLine == run.options.commandLine,
      (try? resumed.check(images: set.pixels.base, count: set.count)) != nil
    {
      trainer = resumed
      // Of points after the checkpoint, the run to come has its own.
      curve = partial["curve"].items.filter { ($0.doubles.first ?? .infinity) <= Double(trainer.stepsDone) }
      earlier = curve.last?.doubles[1] ?? 0
    } else {
      trainer = try Trainer(options: run.options)
    }
    var failure: AEError?
    var saved = trainer.stepsDone
    func save() throws(AEError) {
      try folder.keep(.object([("curve", .array(curve))]), as: "\(run.name).partial")
      try folder.keep(checkpoint: try trainer.checkpoint(), as: run.name)
      saved = trainer.stepsDone
    }
    do throws(AEError) {
      try trainer.fit(
        set.pixels.base, count: set.count, progressInterval: plan.interval
      ) { report in
        curve.append(JSON([Double(report.step), earlier + report.seconds, report.loss, report.mse]))
        let share = Double(report.step) / Double(report.stepCount)
        progress.update(
          done + Int(share * Double(run.cost)),
          "training \(run.name), step \(grouped(report.step)) of \(grouped(report.stepCount))")
        do throws(AEError) {
          if run.marks.contains(report.step) {
            try folder.keep(try trainer.model(), as: "\(run.name)@\(report.step)")
          }
          if report.step - saved >= StudyWork.checkpointInterval, report.step < report.stepCount {
            try save()
          }
        } catch {
          failure = error
        }
        return failure == nil && !Interrupt.isRequested
      } goesOn: {
        !Interrupt.isRequested
      }
    } catch {
      if let failure { throw failure }
      if error.code == .stopped {
        try save()
        try tell("")
      }
      throw error
    }
    if let failure { throw failure }
    try folder.keep(
      try trainer.model(provenance: run.options.provenance(on: set.pixels.base, count: set.count)),
      as: run.name)
    try folder.keep(
      .object([("recipe", .string(run.options.commandLine)), ("curve", .array(curve))]), as: run.name)
    folder.dropCheckpoint(of: run.name)
  }
}

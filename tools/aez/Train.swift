// aez train: from images to a weight file, with checkpoints on the way.

import ArgumentParser
import Bytes
import Container
import Core
import Model
import Options
import Quantization
import Storage
import ToolKit
import Training

/// The engine's options of training a predictor as flags.
enum PredictorFlags: FlagTable {
  static var table: OptionTable<PredictorTrainingOptions> { PredictorTrainingOptions.table }
  static var omitted: [String] { [] }
  static var letters: [String: Character] { [:] }
  static var prefix: String { "exact-" }
}

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a model on images.",
    usage: "aez train <images> ... -o <model.aew> [<options>]",
    discussion: """
      The model is of the shape of the images: their sides and, grey, RGB or RGB with alpha, their channels; --grey makes \
      a grey one of images in colour.

      Without options it follows the study's protocol: an elu autoencoder 784-500-500-5, 50,000 steps of 100 \
      images. The same images, options and seed give the same model, bit for bit, on machines of the same \
      instruction set, whatever the number of threads, and whether or not the run was interrupted.

      Ctrl-C stops after a whole step and keeps the work: a checkpoint is written to --checkpoint, or beside \
      the output with .checkpoint at its end, and --resume goes on from there. A loss that is not finite ends \
      the run with the last good state in the checkpoint. A checkpoint is a weight file that other commands \
      take, too.

      PRESETS
      \(TrainingPreset.listing)

      EXAMPLES
        aez train mnist:train -o elu.aew --kind elu --latent-size 8 --schedule cosine
        aez train mnist:train -o vae.aew --kind vae --latent-size 50 --binarize
        aez train mnist:train -o elu.aew --resume elu.aew.checkpoint
        aez train letters/ -o letters.aew --start elu.aew --steps 5000 --learning-rate 0.0003
      """)

  @Argument(
    help: ArgumentHelp(
      "The images; for --exact alone, several sets may be given, of different sizes and channels.",
      valueName: "images"))
  var sets: [String]
  @OptionGroup(title: "Training") var recipe: Recipe
  @Option(help: "Options by name, for what is not said here.") var preset: TrainingPreset?
  @Option(
    help: ArgumentHelp(
      "Start from this model's weights instead of random ones. Its kind and sizes hold.", valueName: "model"))
  var start: String?
  @Option(help: "How the weight file stores numbers.") var storage = WeightStorage.float32
  @Option(help: ArgumentHelp("Where checkpoints go.", valueName: "file")) var checkpoint: String?
  @Option(help: ArgumentHelp("Write a checkpoint every so many steps.", valueName: "steps"))
  var checkpointEvery: Int?
  @Option(help: ArgumentHelp("Go on from a checkpoint, whose recipe holds.", valueName: "file"))
  var resume: String?
  @Flag(
    help:
      "Train a predictor, which aez compress --exact is smallest with: it alone, or with --kind or --preset beside an autoencoder."
  )
  var exact = false
  @Option(
    help: ArgumentHelp(
      "Add the predictor to this model instead of training an autoencoder.", valueName: "model"))
  var from: String?
  @OptionGroup(title: "Training a predictor") var predictor: TableFlags<PredictorFlags>
  @Option(
    help: ArgumentHelp(
      "Start from the predictor of this model instead of the universal one.", valueName: "model"))
  var exactStart: String?
  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    if let every = checkpointEvery {
      if every < 1 { throw ValidationError("--checkpoint-every must be at least 1, not \(every).") }
      if checkpoint == nil && output.isStandardOutput {
        throw ValidationError("--checkpoint-every needs --checkpoint where the output has no name.")
      }
    }
    if !exact, !predictor.isEmpty || exactStart != nil {
      throw ValidationError(
        "\(predictor.words.first ?? "--exact-start") is for --exact: a predictor is trained with it.")
    }
    if exact, from == nil, preset == nil, start == nil, resume == nil, !recipe.isEmpty, !recipe.gives("kind")
    {
      throw ValidationError(
        "\(recipe.words[0]) is of an autoencoder's recipe, and --exact alone trains none: add --kind or --preset, or say how "
          + "the predictor is trained with --exact-steps, --exact-seed and their like.")
    }
    if sets.count > 1, !isPredictorAlone {
      throw ValidationError("Several sets of images are for --exact alone: an autoencoder is trained on one.")
    }
    if from != nil {
      if !exact {
        throw ValidationError(
          "--from is for --exact: it names the model that gets the network for lossless coding.")
      }
      if !recipe.isEmpty || preset != nil || start != nil || resume != nil || checkpoint != nil
        || checkpointEvery != nil
      {
        throw ValidationError("--from takes a trained model as it is: leave recipe and checkpoints out.")
      }
    }
    if resume != nil, !recipe.isEmpty || preset != nil || start != nil {
      throw ValidationError(
        "--resume goes on with the checkpoint's recipe: leave the options of the recipe out.")
    }
  }

  func run() throws {
    do {
      if isPredictorAlone {
        try trainPredictor()
      } else {
        try train()
      }
    } catch let error as AEError {
      throw TableFlags<TrainingFlags>.said(error)
    }
  }

  /// The images, where it is one set.
  private var images: String { sets[0] }

  /// Whether no autoencoder is trained.
  private var isPredictorAlone: Bool {
    exact && from == nil && recipe.isEmpty && preset == nil && start == nil && resume == nil
  }

  private func train() throws {
    try output.check(inputs: sets + [input.labels, start, from, resume, exactStart])
    if let from { return try addLosslessNetworks(to: from) }
    if let checkpointPath {
      // A checkpoint that the run goes on from may be replaced by a later one.
      let isResumed = resume.map { Path.isSame($0, checkpointPath) } ?? false
      try OutputFiles.check([output.output, checkpointPath], inputs: [images, input.labels, start])
      try OutputOptions.check(checkpointPath, force: output.force || isResumed)
    }
    // A checkpoint is small beside the images, and a bad one should be told of first.
    let resumed = try resume.map { path throws(AEError) in
      let file = try Models.bytes(path)
      return try Trainer(checkpoint: file.base, file.count, name: path)
    }
    let started = try start.map { path throws(AEError) in try Models.open(path) }
    // A new model is of the images that it learns from, an old one keeps its shape.
    let set: ImageSet
    if let old = resumed?.options.architecture ?? started?.architecture {
      set = try input.load(images, for: old)
    } else {
      set = try input.load(images, .take)
    }
    try Advice.checkShape(set.shape, name: images)
    let trainer: Trainer
    if let resumed {
      trainer = resumed
      let architecture = trainer.options.architecture
      guard set.shape == architecture.image else {
        let (came, wanted) = Advice.texts(set.shape, architecture.image)
        throw AEError(
          .shape,
          "\(images): images are \(came), the checkpoint \(resume ?? "") is of a network for \(wanted): name the images "
            + "that it was trained on")
      }
      do throws(AEError) {
        try trainer.check(images: set.pixels.base, count: set.count)
      } catch {
        throw AEError(
          error.code,
          "\(images): \(error.message); --start \(resume ?? "") begins a new run from its weights")
      }
    } else if let started {
      var options = TrainingOptions()
      (options.width, options.height, options.channels) = (set.width, set.height, set.channels)
      try preset?.apply(to: &options)
      try recipe.apply(to: &options)
      trainer = try Trainer(from: started, options: options)
    } else {
      trainer = try Trainer(
        options: try recipe.options(set.shape, preset: preset))
    }
    let last = try fit(trainer, set)
    var model = try finish(trainer, set)
    var lossless: LosslessFit?
    if exact {
      let fit = try fitLossless([set])
      model = try fit.added(to: model)
      lossless = fit
    }
    let bytes = try WeightFile.write(model, storage: storage)
    try output.write(bytes)
    try show(trainer, set, model, last, lossless, byteCount: bytes.count)
  }

  /// Fewer images than this a network of some hundred thousand weights learns by heart.
  private static let fewImages = 500

  /// Where a run that is cut short leaves its state.
  private var checkpointPath: String? {
    checkpoint ?? (output.isStandardOutput ? nil : output.output + ".checkpoint")
  }

  /// Trains to the end. Returns the last report, or nil if there was nothing left to do.
  private func fit(_ trainer: Trainer, _ set: ImageSet) throws -> TrainingProgress? {
    let options = trainer.options
    let progress = Progress(total: options.stepCount, done: trainer.stepsDone, isQuiet: report.quiet)
    Interrupt.listen()
    var last: TrainingProgress?
    var saved = trainer.stepsDone
    var failure: AEError?
    // Measuring the validation split costs as much as many steps.
    let interval = options.validationFraction > 0 ? 500 : 100
    do throws(AEError) {
      try trainer.fit(
        set.pixels.base, count: set.count, progressInterval: interval
      ) { report in
        last = report
        var detail = "\(report.step)/\(report.stepCount)  loss \(report.loss.significant(4))  "
        detail += "MSE \(report.mse.fixed(5))  \(report.psnr.fixed(2)) dB"
        if let mse = report.validationMSE { detail += "  held out \(mse.fixed(5))" }
        progress.update(report.step, detail)
        if let every = checkpointEvery, report.step / every > saved / every {
          saved = report.step
          do throws(AEError) {
            try save(trainer)
          } catch {
            failure = error
          }
        }
        return failure == nil && !Interrupt.isRequested
      } goesOn: {
        !Interrupt.isRequested
      }
    } catch {
      progress.finish()
      if let failure { throw failure }
      guard error.code == .stopped || error.code == .diverged, let path = checkpointPath else { throw error }
      try save(trainer)
      let what =
        error.code == .stopped
        ? "go on with" : "its state is in \(path), which can be looked at, or resumed with"
      throw AEError(error.code, "\(error.message); \(what): \(resumingCommand(path))")
    }
    progress.finish()
    return last
  }

  /// The command that goes on from a checkpoint on the same images to the same output.
  private func resumingCommand(_ path: String) -> String {
    var words = ["aez", "train", images, "-o", output.output, "--resume", path]
    if let split = input.split { words += ["--split", split.rawValue] }
    if let size = input.size { words += ["--size", "\(size.width)x\(size.height)"] }
    if let resize = input.resize { words += ["--resize", "\(resize.width)x\(resize.height)"] }
    switch input.pad {
    case .largest: words += ["--pad", "largest"]
    case .size(let size): words += ["--pad", "\(size.width)x\(size.height)"]
    case nil: break
    }
    if let limit = input.limit { words += ["--limit", "\(limit)"] }
    if storage != .float32 { words += ["--storage", "\(storage.name)"] }
    if let checkpoint { words += ["--checkpoint", checkpoint] }
    if let every = checkpointEvery { words += ["--checkpoint-every", "\(every)"] }
    return words.map { $0.shellQuoted }.joined(separator: " ")
  }

  private func save(_ trainer: Trainer) throws(AEError) {
    guard let path = checkpointPath else { return }
    let bytes = try trainer.checkpoint()
    try File.write(path, bytes.base, bytes.count, overwrite: true)
  }

  /// The trained model with its codec, fitted to the images that it was trained on.
  private func finish(_ trainer: Trainer, _ set: ImageSet) throws(AEError) -> Autoencoder {
    let fitted = try trainer.quantizedModel(set.pixels.base, count: set.count)
    let heldOut = Int(Double(set.count) * trainer.options.validationFraction)
    let quality = try FitQuality(of: fitted, pixels: set.pixels.base, count: set.count - heldOut)
    if quality.isPoor { Console.warn("aez: \(quality.warning)") }
    return fitted
  }

  private func show(
    _ trainer: Trainer, _ set: ImageSet, _ model: Autoencoder, _ last: TrainingProgress?,
    _ lossless: LosslessFit?, byteCount: Int
  ) throws {
    var facts = Report()
    let options = trainer.options
    facts.add("output", .string(output.output))
    facts.add("name", .string(model.name), "model")
    facts.add("kind", .string("\(options.architecture.kind.name)"), "kind")
    facts.add("latents", .int(options.architecture.latentCount), "latents")
    facts.add(
      "parameters", .int(options.architecture.parameterCount), "parameters",
      grouped(options.architecture.parameterCount))
    facts.add(images: set.count, set.shape)
    facts.add("seed", .string("\(options.seed)"))
    facts.add("steps", .int(trainer.stepsDone), "steps", grouped(trainer.stepsDone))
    if let last {
      facts.add("seconds", .number(last.seconds), "time", Progress.duration(last.seconds))
      facts.add("loss", .number(last.loss), "loss", last.loss.significant(6))
      facts.add(mse: last.mse, prefix: "training_", title: "training")
      if let mse = last.validationMSE { facts.add(mse: mse, prefix: "validation_", title: "validation") }
    }
    let trainedOn = set.count - Int(Double(set.count) * options.validationFraction)
    let isFew = trainedOn < max(Train.fewImages, options.architecture.latentCount)
    facts.add("few_images", .bool(isFew))
    if isFew {
      facts.add(
        line:
          "\(counted(trainedOn, "image")) \(trainedOn == 1 ? "is" : "are") few, and a network learns few by heart: "
          + "the training figure says little of other images",
        title: "note")
      if options.validationFraction == 0 {
        facts.add(line: "--validation-fraction 0.2 holds a fifth of them out and measures on those")
      }
    }
    if let lossless { facts.add(lossless) }
    facts.add("storage", .string("\(storage.name)"), "storage")
    facts.add("bytes", .int(byteCount), "bytes", grouped(byteCount))
    facts.add("hash", .string(SHA256.hex(try WeightFile.hash(model))), "hash")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }
}

// The promises of a run: the same bytes for a seed, for any number of threads, for a run that was cut;
// options that are refused; divergence that is survived.

import Compute
import Core
import Model
import Network
import Storage
import Testing
import Training

/// Images of two soft blobs with random places: quick to learn, not trivial.
func blobs(count: Int, side: Int = 12, seed: UInt64 = 1) throws -> Buffer<UInt8> {
  let pixels = try Buffer<UInt8>(count: count * side * side)
  for image in 0..<count {
    var stream = RandomStream(seed: seed, .test, image)
    let places = (0..<4).map { _ in 2 + stream.uniform() * Float(side - 4) }
    for y in 0..<side {
      for x in 0..<side {
        var value: Float = 0
        for blob in 0..<2 {
          let dx = Float(x) - places[2 * blob]
          let dy = Float(y) - places[2 * blob + 1]
          value += 255 / (1 + (dx * dx + dy * dy) * (dx * dx + dy * dy) / 4)
        }
        pixels[(image * side + y) * side + x] = UInt8(min(value, 255))
      }
    }
  }
  return pixels
}

func smallOptions(_ kind: ModelKind, steps: Int = 60) throws -> TrainingOptions {
  var options = TrainingOptions(
    architecture: try Architecture(
      kind: kind, width: 12, height: 12, latentCount: 4,
      hidden: kind == .pca ? [] : kind == .convVAE ? [8, 8, 24] : [40, 24],
      output: kind.isVariational ? .sigmoid : .identity))
  options.stepCount = steps
  options.batchSize = 37
  options.schedule = .cosine
  options.weightAverage = 0.9
  options.noise = kind == .elu ? 0.1 : 0
  options.lambda = kind == .sigmoid ? 0.05 : 0
  options.deformation = kind == .elu || kind == .vae ? 0.1 : 0
  options.gradientClip = kind == .relu ? 0.01 : 0
  options.binarize = kind == .vae
  options.betaWarmupSteps = kind == .vae ? 20 : 0
  options.importanceSamples = kind == .convVAE ? 2 : 1
  options.importanceWarmupSteps = kind == .convVAE ? steps / 2 : 0
  return options
}

func bytes(_ model: Autoencoder) throws -> [UInt8] {
  try WeightFile.write(model, storage: .float32).array
}

/// Runs a trainer to step 28 and gives the one that its checkpoint makes.
private func cut(_ trainer: Trainer, _ pixels: Buffer<UInt8>) throws -> Trainer {
  let stopped = #expect(throws: AEError.self) {
    try trainer.fit(pixels.base, count: 200, progressInterval: 7) { $0.step < 28 }
  }
  #expect(stopped?.code == .stopped)
  #expect(trainer.stepsDone == 28)
  let saved = try trainer.checkpoint()
  let resumed = try Trainer(checkpoint: saved.base, saved.count)
  #expect(resumed.stepsDone == 28)
  return resumed
}

private let trainedKinds: [ModelKind] = [.linear, .sigmoid, .relu, .elu, .vae, .convVAE]

@Suite("Training repeats", .serialized)
struct RepeatabilityTests {
  @Test("The same seed gives the same bytes for 1, 2 and 3 threads", arguments: trainedKinds)
  func threadsDoNotMatter(kind: ModelKind) throws {
    let pixels = try blobs(count: 300)
    var results: [[UInt8]] = []
    for threads in [1, 2, 3] {
      setThreadCount(threads)
      let trainer = try Trainer(options: try smallOptions(kind))
      try trainer.fit(pixels.base, count: 300)
      results.append(try bytes(try trainer.model()))
    }
    setThreadCount(0)
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }

  @Test(
    "A run that is stopped, saved and resumed ends with the bytes of the unbroken run",
    arguments: trainedKinds)
  func resumedRunsEndAlike(kind: ModelKind) throws {
    let pixels = try blobs(count: 200)
    let options = try smallOptions(kind)
    let unbroken = try Trainer(options: options)
    try unbroken.fit(pixels.base, count: 200)

    let first = try Trainer(options: options)
    let second = try cut(first, pixels)
    try second.fit(pixels.base, count: 200)
    #expect(try bytes(try second.model()) == (try bytes(try unbroken.model())))
    // And without leaving the process.
    try first.fit(pixels.base, count: 200)
    #expect(try bytes(try first.model()) == (try bytes(try unbroken.model())))
  }

  @Test("With Muon, too: for any number of threads, and for a run that was cut")
  func muonRepeats() throws {
    let pixels = try blobs(count: 200)
    var options = try smallOptions(.convVAE)
    options.optimiser = .muon
    setThreadCount(1)
    let unbroken = try Trainer(options: options)
    try unbroken.fit(pixels.base, count: 200)
    setThreadCount(3)
    let second = try cut(try Trainer(options: options), pixels)
    #expect(second.options.optimiser == .muon)
    try second.fit(pixels.base, count: 200)
    setThreadCount(0)
    #expect(try bytes(try second.model()) == (try bytes(try unbroken.model())))
    options.optimiser = .adam
    let other = try Trainer(options: options)
    try other.fit(pixels.base, count: 200)
    #expect(try bytes(try other.model()) != (try bytes(try unbroken.model())))
  }

  @Test(
    "A run that starts from a model begins with its weights, is the same when cut, and says so",
    arguments: trainedKinds)
  func startedRuns(kind: ModelKind) throws {
    let pixels = try blobs(count: 200)
    var options = try smallOptions(kind)
    let before = try Trainer(options: options)
    try before.fit(pixels.base, count: 200)
    let model = try before.model()
    let hash = [UInt8](0..<32)
    options.seed = 5
    let fresh = try Trainer(options: options, from: model, hash: hash)
    #expect(fresh.stepsDone == 0)
    #expect(fresh.options.start == hash)
    #expect(try bytes(try fresh.model()) == (try bytes(model)))
    let resumed = try cut(fresh, pixels)
    #expect(resumed.options.start == hash)
    try resumed.fit(pixels.base, count: 200)
    let unbroken = try Trainer(options: options, from: model, hash: hash)
    try unbroken.fit(pixels.base, count: 200)
    #expect(try bytes(try resumed.model()) == (try bytes(try unbroken.model())))
    #expect(try bytes(try resumed.model()) != (try bytes(model)))
  }

  @Test("A run cannot start from a model of another architecture, from half of one, or from a pca")
  func badStarts() throws {
    let pixels = try blobs(count: 100)
    var options = try smallOptions(.elu, steps: 1)
    let trainer = try Trainer(options: options)
    try trainer.fit(pixels.base, count: 100)
    let model = try trainer.model()
    options.architecture.latentCount = 3
    let other = options
    let error = #expect(throws: AEError.self) { _ = try Trainer(options: other, from: model, hash: []) }
    #expect(error?.code == .argument)
    #expect(
      error?.message == "a run of kind elu, 12 x 12, 144-40-24-3, linear output cannot start from a model of "
        + "kind elu, 12 x 12, 144-40-24-4, linear output")
    let half = try Autoencoder(
      architecture: model.architecture, name: "half", provenance: "", storage: .float32, encoder: nil,
      decoder: model.decoder)
    let same = try smallOptions(.elu)
    #expect(throws: AEError.self) { _ = try Trainer(options: same, from: half, hash: []) }
    let components = try Trainer(options: try smallOptions(.pca))
    try components.fit(pixels.base, count: 100)
    let pca = try components.model()
    let fitted = #expect(throws: AEError.self) {
      _ = try Trainer(options: try smallOptions(.pca), from: pca, hash: [])
    }
    #expect(fitted?.code == .kind)
  }

  @Test("Another seed gives other weights")
  func seedsMatter() throws {
    let pixels = try blobs(count: 100)
    var options = try smallOptions(.elu)
    let a = try Trainer(options: options)
    options.seed = 2
    let b = try Trainer(options: options)
    try a.fit(pixels.base, count: 100)
    try b.fit(pixels.base, count: 100)
    #expect(try bytes(try a.model()) != (try bytes(try b.model())))
  }
}

@Test("Training lowers the error of every kind well below that of the mean image", arguments: trainedKinds)
func trainingLearns(kind: ModelKind) throws {
  let pixels = try blobs(count: 1000)
  let mean = try PrincipalComponents(pixels.base, count: 1000, width: 144, componentCount: 1)
  var total = 0.0
  for variance in mean.variances { total += variance }
  var options = try smallOptions(kind, steps: 1500)
  options.learningRate = 3e-3
  options.lambda = 0
  options.binarize = false
  options.gradientClip = 0
  options.deformation = 0
  let trainer = try Trainer(options: options)
  var reports = 0
  try trainer.fit(pixels.base, count: 1000) {
    reports += 1
    return $0.mse.isFinite
  }
  #expect(reports == 3)
  let mse = try Evaluation.reconstruction(try trainer.model(), pixels: pixels.base, count: 1000).mse
  #expect(mse < 0.7 * total / 144, "\(mse) beside \(total / 144)")
}

@Test("A linear autoencoder comes close to the principal components and never below them")
func linearFindsTheSubspace() throws {
  let pixels = try blobs(count: 1000)
  var options = try smallOptions(.linear, steps: 3000)
  options.learningRate = 2e-3
  let linear = try Trainer(options: options)
  try linear.fit(pixels.base, count: 1000)
  let pca = try Trainer(options: try smallOptions(.pca))
  try pca.fit(pixels.base, count: 1000)
  let floor = try Evaluation.reconstruction(try pca.model(), pixels: pixels.base, count: 1000).mse
  let reached = try Evaluation.reconstruction(try linear.model(), pixels: pixels.base, count: 1000).mse
  #expect(reached > floor * 0.9999)
  #expect(reached < floor * 1.05)
}

@Test("Steps on batches of one's own go on beyond the steps planned, and so do their checkpoints")
func checkpointBeyondThePlan() throws {
  var options = TrainingOptions(
    architecture: try Architecture(
      kind: .elu, width: 3, height: 2, latentCount: 2, hidden: [4], output: .identity))
  options.stepCount = 2
  let trainer = try Trainer(options: options)
  let batch: [Float] = (0..<12).map { Float($0) / 12 }
  for _ in 0..<3 { _ = try trainer.step(batch, count: 2) }
  let saved = try trainer.checkpoint()
  let resumed = try Trainer(checkpoint: saved.base, saved.count)
  #expect(resumed.stepsDone == 3)
  #expect(try resumed.step(batch, count: 2).loss == trainer.step(batch, count: 2).loss)
}

@Test("A checkpoint of a pca is the fitted pca")
func pcaCheckpoints() throws {
  let pixels = try blobs(count: 200)
  let trainer = try Trainer(options: try smallOptions(.pca))
  #expect(throws: AEError.self) { _ = try trainer.checkpoint() }
  try trainer.fit(pixels.base, count: 200)
  let saved = try trainer.checkpoint()
  let resumed = try Trainer(checkpoint: saved.base, saved.count)
  #expect(try bytes(try resumed.model()) == (try bytes(try trainer.model())))
}

@Test("A learning rate that is far too high ends with .diverged and the last good weights")
func divergenceIsSurvived() throws {
  let pixels = try blobs(count: 100)
  var options = try smallOptions(.vae, steps: 2000)
  options.learningRate = 10
  options.schedule = .constant
  options.weightAverage = 0
  let trainer = try Trainer(options: options)
  let error = #expect(throws: AEError.self) {
    try trainer.fit(pixels.base, count: 100, progressInterval: 1)
  }
  #expect(error?.code == .diverged)
  let model = try trainer.model()
  for layer in model.decoder!.layers {
    for value in layer.weights.array { #expect(value.isFinite) }
  }
}

@Test("Options out of range, or that do not go together, are refused with their name")
func badOptionsAreRefused() throws {
  func refused(_ change: (inout TrainingOptions) throws -> Void) throws -> String {
    var options = try smallOptions(.elu)
    try change(&options)
    let bad = options
    let error = #expect(throws: AEError.self) { _ = try Trainer(options: bad) }
    return error?.message ?? ""
  }
  #expect(try refused { $0.batchSize = 0 } == "batch_size must be in 1 ... 65536, not 0")
  #expect(try refused { $0.stepCount = -1 }.hasPrefix("steps must"))
  #expect(try refused { $0.learningRate = .nan }.hasPrefix("learning_rate"))
  #expect(try refused { $0.beta = -1 }.hasPrefix("beta"))
  #expect(try refused { $0.weightAverage = 1 }.hasPrefix("weight_average"))
  #expect(try refused { $0.validationFraction = 0.6 }.hasPrefix("validation_fraction"))
  #expect(try refused { $0.loss = .bernoulli } == "the Bernoulli loss needs a sigmoid output")
  #expect(try refused { $0.importanceSamples = 5 } == "importance samples need a variational model")
  #expect(
    try refused { $0.optimiser = .muon }
      == "the optimizer muon is for convolutions; the kind elu has none")
  #expect(try refused { $0.name = String(repeating: "x", count: 65) }.hasPrefix("name has at most"))
}

@Test("No images, or none beside the validation split, are refused")
func emptySetsAreRefused() throws {
  let pixels = try blobs(count: 1)
  let trainer = try Trainer(options: try smallOptions(.elu))
  #expect(throws: AEError.self) { try trainer.fit(pixels.base, count: 0) }
}

@Test("The validation split is measured and not trained on")
func validationIsHeldOut() throws {
  let pixels = try blobs(count: 200)
  var options = try smallOptions(.elu)
  options.validationFraction = 0.25
  let trainer = try Trainer(options: options)
  var validation: Double? = nil
  try trainer.fit(pixels.base, count: 200) {
    validation = $0.validationMSE
    return true
  }
  #expect(validation != nil)
  // Other images in the held-out quarter change nothing that is learned.
  for i in 150 * 144..<200 * 144 { pixels[i] = 255 - pixels[i] }
  let other = try Trainer(options: options)
  try other.fit(pixels.base, count: 200)
  #expect(try bytes(try other.model()) == (try bytes(try trainer.model())))
}

@Test("Schedules start, peak and end where they say")
func schedulesHaveTheirCourse() {
  #expect(Schedule.constant.rate(peak: 2, step: 99, count: 100) == 2)
  #expect(abs(Schedule.cosine.rate(peak: 2, step: 0, count: 100) - 2) < 1e-12)
  #expect(abs(Schedule.cosine.rate(peak: 2, step: 50, count: 100) - 1) < 1e-12)
  #expect(abs(Schedule.cosine.rate(peak: 2, step: 100, count: 100)) < 1e-12)
  #expect(abs(Schedule.oneCycle.rate(peak: 2, step: 0, count: 100) - 0.08) < 1e-12)
  #expect(abs(Schedule.oneCycle.rate(peak: 2, step: 30, count: 100) - 2) < 1e-12)
  #expect(Schedule.oneCycle.rate(peak: 2, step: 100, count: 100) < 1e-5)
}

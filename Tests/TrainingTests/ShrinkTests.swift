// Shrinking: weights that are 0 or one of few values, what that costs, and floats made of integers.

import Compute
import Core
import Latent
import Model
import Network
import Quantization
import Storage
import Testing
import Training

/// A small network trained on blobs, in floats and integers.
private func trained(_ kind: ModelKind, steps: Int = 800) throws -> Autoencoder {
  let pixels = try blobs(count: 400)
  var options = try smallOptions(kind, steps: steps)
  options.learningRate = 3e-3
  options.binarize = false
  options.gradientClip = 0
  options.deformation = 0
  let trainer = try Trainer(options: options)
  try trainer.fit(pixels.base, count: 400)
  return try trainer.quantizedModel(pixels.base, count: 400)
}

/// The same model as a file of integers alone gives it.
private func stored(_ model: Autoencoder) throws -> Autoencoder {
  let file = try WeightFile.write(model, storage: .int8)
  return try WeightFile.read(file.base, file.count, name: "stored")
}

@Suite("Shrinking")
struct ShrinkTests {
  @Test(
    "The density asked for is kept, and weights are in -7 ... 7", arguments: [ModelKind.elu, .vae, .convVAE])
  func density(kind: ModelKind) throws {
    let model = try trained(kind)
    let pixels = try blobs(count: 400)
    var options = ShrinkOptions()
    options.density = 0.3
    options.stepCount = 400
    var steps: [Int] = []
    let result = try shrunk(
      model, pixels: pixels.base, count: 400, options: options,
      progress: {
        steps.append($0.step)
        return true
      })
    #expect(result.density == 0.3 && result.attempts.count == 1 && result.heldOutCount == 40)
    #expect(steps.last == 400)
    #expect(result.loss.isFinite)
    let encoder = try #require(result.model.integerEncoder).layers()
    let decoder = try #require(result.model.integerDecoder).layers()
    let reads = LatentScales.readsCode(model.architecture.decoderShapes)
    #expect(reads.filter { $0 }.count == 1)
    var kept = 0
    var all = 0
    for (half, layers) in [encoder, decoder].enumerated() {
      for (index, layer) in layers.enumerated() where layer.shape.hasWeights {
        let weights = layer.weights.array
        let largest = weights.map { abs(Int($0)) }.max() ?? 0
        // What reads the code has the code's units folded in: its weights are not of few values.
        #expect(largest <= (half == 1 && reads[index] ? 63 : 7), "half \(half), node \(index)")
        kept += weights.filter { $0 != 0 }.count
        all += weights.count
      }
    }
    #expect(Double(kept) <= 0.301 * Double(all) && Double(kept) > 0.1 * Double(all))
    let whole = try WeightFile.write(model, storage: .int8)
    let small = try WeightFile.write(result.model, storage: .int8)
    #expect(small.count < whole.count * 3 / 4)
    // The floats of the model are the integers' own: training may go on from them.
    let floats = try Evaluation.reconstruction(result.model, pixels: pixels.base, count: 100).psnr
    let integers = try Evaluation.reconstruction(try stored(result.model), pixels: pixels.base, count: 100)
      .psnr
    #expect(abs(floats - integers) < 0.6, "\(floats) and \(integers) dB")
  }

  @Test("Weights take the values that their bits allow", arguments: [2, 3, 7])
  func bits(bitCount: Int) throws {
    let model = try trained(.elu, steps: 300)
    let pixels = try blobs(count: 400)
    var options = ShrinkOptions()
    options.density = 0.4
    options.weightBitCount = bitCount
    options.stepCount = 300
    let result = try shrunk(model, pixels: pixels.base, count: 400, options: options)
    #expect(result.loss.isFinite && result.loss < 3)
    var largest = 0
    for layer in try #require(result.model.integerEncoder).layers() where layer.shape.hasWeights {
      largest = max(largest, layer.weights.array.map { abs(Int($0)) }.max() ?? 0)
    }
    #expect(largest <= 1 << (bitCount - 1) - 1 && largest > (1 << (bitCount - 1) - 1) / 2)
  }

  @Test("The target loss is kept to, by a density that was searched")
  func target() throws {
    let model = try trained(.elu)
    let pixels = try blobs(count: 400)
    var options = ShrinkOptions()
    options.targetLoss = 1
    options.stepCount = 200
    let result = try shrunk(try stored(model), pixels: pixels.base, count: 400, options: options)
    #expect(result.loss <= 1)
    #expect(result.attempts.count > 1)
    #expect(result.attempts.contains { $0.density == result.density && $0.loss == result.loss })
    #expect(!result.attempts.contains { $0.density < result.density / 1.05 && $0.loss <= 1 })
  }

  @Test("The same options and images give the same model, whatever the number of threads")
  func repeats() throws {
    let model = try trained(.elu, steps: 200)
    let pixels = try blobs(count: 200)
    var options = ShrinkOptions()
    options.density = 0.2
    options.stepCount = 150
    var hashes: [[UInt8]] = []
    for threads in [1, 3] {
      setThreadCount(threads)
      defer { setThreadCount(0) }
      hashes.append(
        try WeightFile.hash(try shrunk(model, pixels: pixels.base, count: 200, options: options).model))
    }
    #expect(hashes[0] == hashes[1])
  }

  @Test("Without images it is trained on what the model draws")
  func withoutImages() throws {
    let model = try trained(.elu)
    var options = ShrinkOptions()
    options.density = 0.5
    options.stepCount = 100
    options.sampleCount = 200
    let result = try shrunk(model, pixels: nil, count: 0, options: options)
    #expect(result.heldOutCount == 20)
    let drawn = try samples(of: model, count: 50, seed: 1)
    #expect(drawn.count == 50 * model.inputCount && Set(drawn.array).count > 20)
    #expect(try samples(of: model, count: 50, seed: 1).array == drawn.array)
    #expect(try samples(of: model, count: 50, seed: 2).array != drawn.array)
  }

  @Test("It stops when it is told to")
  func stops() throws {
    let model = try trained(.elu, steps: 50)
    let pixels = try blobs(count: 100)
    #expect(throws: AEError.self) {
      try shrunk(model, pixels: pixels.base, count: 100, options: ShrinkOptions(), goesOn: { false })
    }
  }

  @Test("What cannot be shrunk is refused")
  func refused() throws {
    let pixels = try blobs(count: 100)
    let model = try trained(.elu, steps: 50)
    func code(_ body: () throws -> Void) -> AEError.Code? {
      do { try body() } catch { return (error as? AEError)?.code }
      return nil
    }
    #expect(
      code { _ = try shrunk(model, pixels: pixels.base, count: 19, options: ShrinkOptions()) } == .argument)
    let pca = try Trainer(options: smallOptions(.pca, steps: 1))
    try pca.fit(pixels.base, count: 100)
    let components = try pca.quantizedModel(pixels.base, count: 100)
    #expect(
      code { _ = try shrunk(components, pixels: pixels.base, count: 100, options: ShrinkOptions()) } == .kind)
    let alone = try Autoencoder(
      architecture: model.architecture, name: "alone", storage: .int8, encoder: nil, decoder: nil,
      integerDecoder: model.integerDecoder, codec: model.codec)
    #expect(
      code { _ = try shrunk(alone, pixels: pixels.base, count: 100, options: ShrinkOptions()) } == .kind)
    var wrong = ShrinkOptions()
    wrong.density = 2
    #expect(code { _ = try shrunk(model, pixels: pixels.base, count: 100, options: wrong) } == .argument)
  }

  @Test(
    "Floats of integers do what the integers do",
    arguments: [ModelKind.elu, .relu, .sigmoid, .linear, .vae, .convVAE])
  func floatsOfIntegers(kind: ModelKind) throws {
    let model = try trained(kind)
    let pixels = try blobs(count: 200)
    let integers = try stored(model)
    let floats = try dequantised(integers)
    #expect(floats.encoder != nil && floats.decoder != nil)
    let before = try Evaluation.reconstruction(integers, pixels: pixels.base, count: 200).psnr
    let after = try Evaluation.reconstruction(
      try Autoencoder(
        architecture: floats.architecture, name: "floats", storage: .float32, encoder: floats.encoder,
        decoder: floats.decoder), pixels: pixels.base, count: 200
    ).psnr
    #expect(abs(before - after) < 0.3, "\(before) dB in integers, \(after) in their floats")
  }

  @Test("Options of training are taken from a provenance, by old names, too")
  func provenance() throws {
    var options = TrainingOptions()
    try options.take(
      provenance:
        "aez train --kind elu --latent 32 --batch 50 --rate 0.002 --lambda 0.12 --deform 0.05 --binarize on 60000 images"
    )
    #expect(options.latentSize == 32 && options.batchSize == 50 && options.learningRate == 0.002)
    #expect(options.lambda == 0.12 && options.deformation == 0.05 && options.binarize)
    var others = TrainingOptions()
    try others.take(provenance: "a model of mine --lambda 3")
    #expect(others.lambda == 0)
    try others.take(provenance: "aez train --lambda many --no-such-option --batch-size")
    #expect(others.lambda == 0 && others.batchSize == 100)
  }

  @Test("The loss is the difference of curves, at equal bytes")
  func loss() throws {
    func figures(_ points: [(Float, Double)]) throws -> [QualityFigure] {
      try points.map {
        try QualityFigure(bytesPerImage: $0.0, meanSquaredError: Float(power(10, -$0.1 / 10)))
      }
    }
    let reference = try figures([(10, 20), (20, 24), (40, 28)])
    #expect(
      abs(
        Shrinking.loss(try figures([(10, 19.5), (20, 23), (40, 28.5)]), beside: reference) - (0.5 + 1 - 0.5)
          / 3) < 1e-3)
    // Halfway in the logarithm of bytes.
    #expect(abs(Shrinking.loss(try figures([(14.142, 22)]), beside: reference)) < 1e-3)
    // Without bytes in common, the nearest.
    #expect(abs(Shrinking.loss(try figures([(5, 19)]), beside: reference) - 1) < 1e-3)
  }

  @Test("A density goes along its curve, and then stays")
  func schedule() {
    let schedule = PruningSchedule(from: 1, to: 0.1, stepCount: 1000)
    var last = 1.0
    for step in stride(from: 0, through: 1000, by: 50) {
      let stage = schedule.stage(step)
      #expect(stage.density <= last)
      last = stage.density
    }
    #expect(schedule.stage(0).density == 1 && !schedule.stage(0).isQuantised && !schedule.stage(0).isSettled)
    #expect(abs(schedule.stage(600).density - 0.1) < 1e-12)
    #expect(schedule.stage(1000).isSettled && schedule.stage(1000).isQuantised)
  }
}

private func power(_ base: Double, _ exponent: Double) -> Double {
  ExactMath.exp(exponent * ExactMath.log(base))
}

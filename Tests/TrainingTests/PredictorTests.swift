// Predictors of pixels: the loss and its gradient, repeatable training, starts from others, and images of all sorts.

import CPixels
import Compute
import Core
import Lossless
import Network
import Testing
import Training

/// Soft ramps with noise.
private func images(_ count: Int, _ shape: ImageShape, seed: UInt64 = 1) throws -> Buffer<UInt8> {
  let pixels = try Buffer<UInt8>(count: count * shape.byteCount)
  var stream = RandomStream(seed: seed, .test)
  for image in 0..<count {
    let offset = stream.below(60)
    for at in 0..<shape.byteCount {
      let pixel = at / shape.channels
      let value = offset + 5 * (pixel / shape.width + pixel % shape.width) + stream.below(3)
      pixels.base[image * shape.byteCount + at] = UInt8(min(value, 255))
    }
  }
  return pixels
}

private func few(_ steps: Int = 4, batch: Int = 64, hidden: [Int] = [6, 5]) -> PredictorTrainingOptions {
  var options = PredictorTrainingOptions()
  options.stepCount = steps
  options.batchSize = batch
  options.givenHidden = hidden
  return options
}

private func isFinite(_ fit: PredictorFit) -> Bool {
  fit.floatBits.isFinite && fit.integerBits.isFinite && fit.codedBits.isFinite && fit.contextsBits.isFinite
    && fit.codedBits >= 0 && fit.heldOutCount > 0
}

@Test("The gradient of the loss equals finite differences")
func mixtureGradient() throws {
  let outputCount = Predictor.outputCount
  let components = Int(CP_COMPONENTS)
  var stream = RandomStream(seed: 4, .test)
  for trial in 0..<40 {
    var outputs = (0..<outputCount).map { _ in 0.3 * stream.normal() }
    // Neither so narrow nor so far away that a float has no digits left.
    for k in 0..<components { outputs[2 * components + k] -= 4 }
    var table = (0..<Predictor.tableCount).map { _ in 0.2 * stream.normal() }
    let base = Int32(60 + stream.below(120))
    let value = base + Int32(stream.below(31)) - 15
    var delta = [Float](repeating: 0, count: outputCount)
    var tableDelta = [Float](repeating: 0, count: table.count)
    let cost = cp_mixture_loss(outputs, table, base, value, &delta, &tableDelta)
    #expect(cost.isFinite && cost > 0)
    func difference(_ change: (Float) -> Void) -> Float {
      let step: Float = 1.0 / 64
      change(step)
      let above = cp_mixture_loss(outputs, table, base, value, nil, nil)
      change(-2 * step)
      let below = cp_mixture_loss(outputs, table, base, value, nil, nil)
      change(step)
      return (above - below) / (2 * step)
    }
    for i in 0..<outputCount {
      let wanted = difference { outputs[i] += $0 }
      #expect((delta[i] - wanted).magnitude < 2e-3 + 1e-2 * wanted.magnitude, "trial \(trial), output \(i)")
    }
    var node = 1
    for bit in 0..<8 {
      for j in [0, 7] {
        let at = node * Int(CP_CORRECTIONS) + j
        let wanted = difference { table[at] += $0 }
        #expect(
          (tableDelta[at] - wanted).magnitude < 2e-3 + 1e-2 * wanted.magnitude, "trial \(trial), node \(node)"
        )
      }
      node = 2 * node + Int(value >> (7 - bit) & 1)
    }
    // Nodes that were not asked get nothing.
    #expect(tableDelta[..<Int(CP_CORRECTIONS)].allSatisfy { $0 == 0 })
  }
}

@Test("The costs of all values are those of a distribution")
func mixtureSums() throws {
  var stream = RandomStream(seed: 5, .test)
  for _ in 0..<10 {
    let outputs = (0..<Predictor.outputCount).map { _ in 2 * stream.normal() }
    let table = (0..<Predictor.tableCount).map { _ in 0.3 * stream.normal() }
    var sum = 0.0
    for value in Int32(0)..<256 {
      sum += ExactMath.exp(-Double(cp_mixture_loss(outputs, table, 100, value, nil, nil)))
    }
    #expect((sum - 1).magnitude < 1e-3)
  }
}

@Test(
  "The same predictor for any number of threads, with several sets and with changed images",
  arguments: [false, true])
func predictorsAreRepeatable(augment: Bool) throws {
  let shapes = [ImageShape(width: 9, height: 7), ImageShape(width: 6, height: 8, channels: 3)]
  let pixels = try shapes.map { try images(40, $0) }
  var options = few(6)
  options.augment = augment
  let sets = zip(pixels, shapes).map { PredictorTrainingSet($0, count: 40, shape: $1) }
  var fits: [PredictorFit] = []
  for threads in [1, 3] {
    setThreadCount(threads)
    fits.append(try fitPredictor(sets, options: options))
  }
  setThreadCount(0)
  #expect(fits[0].predictor.table.array == fits[1].predictor.table.array)
  let layers = try fits.map { try $0.predictor.network.layers() }
  for (a, b) in zip(layers[0], layers[1]) {
    #expect(a.weights.array == b.weights.array && a.bias.array == b.bias.array)
  }
  #expect(fits[0].codedBits == fits[1].codedBits && fits[0].floatBits == fits[1].floatBits)
  options.seed = 2
  #expect(try fitPredictor(sets, options: options).floatBits != fits[0].floatBits)
}

@Test("Training pays, integers cost hardly more than floats, and another starts from there")
func predictorsStartFromOthers() throws {
  let shape = ImageShape(width: 10, height: 10)
  let pixels = try images(200, shape)
  let set = [PredictorTrainingSet(pixels, count: 200, shape: shape)]
  let first = try fitPredictor(set, options: few(200, batch: 512, hidden: [16, 12]))
  #expect(first.integerBits < 5 && (first.integerBits / first.floatBits - 1).magnitude < 0.02)
  var options = few(1, batch: 512)
  options.givenHidden = nil
  options.learningRate = 1e-9
  let second = try fitPredictor(set, options: options, from: first.predictor)
  #expect(second.hidden == [16, 12])
  #expect((second.floatBits / first.integerBits - 1).magnitude < 0.01)
  options.givenHidden = [3]
  #expect(throws: AEError.self) { try fitPredictor(set, options: options, from: first.predictor) }
}

@Test(
  "Images of all sorts",
  arguments: [
    ImageShape(width: 1, height: 1), ImageShape(width: 1, height: 5), ImageShape(width: 256, height: 1),
    ImageShape(width: 4, height: 3, channels: 4), ImageShape(width: 20, height: 20, channels: 3),
  ])
func predictorsOfAllImages(shape: ImageShape) throws {
  for count in [1, 2, 30] {
    for augment in [false, true] {
      var options = few(3)
      options.augment = augment
      let pixels = try images(count, shape)
      #expect(
        isFinite(
          try fitPredictor([PredictorTrainingSet(pixels, count: count, shape: shape)], options: options))
      )
      // Nothing to predict.
      for value: UInt8 in [0, 255] {
        pixels.base.update(repeating: value, count: pixels.count)
        #expect(
          isFinite(
            try fitPredictor(
              [PredictorTrainingSet(pixels, count: count, shape: shape)], options: options)))
      }
    }
  }
}

@Test("Options that no predictor has are refused")
func hostilePredictorOptions() throws {
  let shape = ImageShape(width: 4, height: 4)
  let pixels = try images(4, shape)
  let set = [PredictorTrainingSet(pixels, count: 4, shape: shape)]
  for hidden in [[], [1, 1, 1, 1, 1], [1024, 1024], [0], [1025]] {
    #expect(throws: AEError.self) { try fitPredictor(set, options: few(1, hidden: hidden)) }
  }
  for change: (inout PredictorTrainingOptions) -> Void in [
    { $0.stepCount = 0 }, { $0.batchSize = 0 }, { $0.batchSize = 65537 }, { $0.learningRate = 0 },
    { $0.learningRate = .nan }, { $0.weightAverage = 1 },
  ] {
    var options = few(1)
    change(&options)
    #expect(throws: AEError.self) { try fitPredictor(set, options: options) }
  }
  #expect(throws: AEError.self) { try fitPredictor([], options: few(1)) }
  #expect(throws: AEError.self) {
    try fitPredictor([PredictorTrainingSet(pixels, count: 0, shape: shape)], options: few(1))
  }
  #expect(throws: AEError.self) {
    try fitPredictor(
      [PredictorTrainingSet(pixels, count: 1, shape: ImageShape(width: 2, height: 2, channels: 2))],
      options: few(1))
  }
  var calls = 0
  #expect(throws: AEError.self) {
    try fitPredictor(set, options: few(9)) { _ in
      calls += 1
      return calls < 2
    }
  }
  #expect(calls == 2)
}

// Training the predictor of pixels: a network from the bytes of a pixel's neighbourhood to the distribution of its value, in
// floats, then quantised to integers.

import CKernels
import CPixels
import Compute
import Core
import Lossless
import Network
import Quantization

/// What is told while a predictor is trained.
public struct PredictorTrainingProgress: Sendable {
  /// Steps done, and how many there are.
  public let step: Int
  public let stepCount: Int
  /// The mean bits of a value in batches, a running average.
  public let bits: Double
}

/// A predictor and its figures on images held out.
public struct PredictorFit {
  public let predictor: Predictor
  /// Widths of its hidden layers.
  public let hidden: [Int]
  /// Images that were measured on.
  public let heldOutCount: Int
  /// Bits for a value: what the network says in floats, and in integers; and what the images held out take as one block,
  /// with the predictor and without.
  public let floatBits: Double
  public let integerBits: Double
  public let codedBits: Double
  public let contextsBits: Double
}

/// Trains a predictor on the pixels of one or more sets of images.
///
/// The pixels of a batch are of several sets, which are drawn in proportion to the square roots of their bytes. About a fiftieth of each set's
/// images is held out and measured on. Images are taken apart when they are drawn: beside the sets this takes memory for
/// some batches, some 50 MB. The same sets and options give the same predictor, bit for bit, on one kernel path, whatever
/// the number of threads.
/// - Parameters:
///   - sets: at least one image in all; sets without images are left out.
///   - start: a predictor whose weights are started from, instead of random ones; hidden layers are as it has them.
///   - progress: called after each step; false stops.
/// - Throws: `.stopped`; `.argument`; `.diverged`; `.memory`.
public func fitPredictor(
  _ sets: [PredictorTrainingSet], options: PredictorTrainingOptions = PredictorTrainingOptions(),
  from start: Predictor? = nil, progress: (PredictorTrainingProgress) -> Bool = { _ in true }
) throws(AEError) -> PredictorFit {
  try options.validate()
  var filled: [PredictorTrainingSet] = []
  var byteCount = 0
  for set in sets {
    try set.shape.validate()
    guard set.count > 0 else { continue }
    guard set.shape.byteCount.times(set.count) != nil, set.count <= Int(Int32.max) else {
      throw AEError(.argument, "\(set.count) images of \(set.shape.text) are too many")
    }
    filled.append(set)
    byteCount += set.byteCount
  }
  guard !filled.isEmpty else { throw AEError(.argument, "a predictor needs images to be trained on") }
  let samples = try PredictorSamples(filled, augments: options.augment)
  let started = try start.map { predictor throws(AEError) in try FloatPredictor(predictor) }
  let hidden =
    started?.network.layers.dropLast().map { $0.shape.outputs } ?? options.hidden(byteCount: byteCount)
  if started != nil, let given = options.givenHidden, given != hidden {
    throw AEError(
      .argument,
      "hidden layers are those of the predictor that is started from, \(listed(hidden)), not \(listed(given))"
    )
  }
  let training = try PredictorTraining(hidden: hidden, options)
  if let started { training.take(started) }
  try training.run(samples, 0..<options.stepCount, isRounded: false, progress)
  let trained = try training.result(rounded: false)
  let float = try trained.bits(samples)
  var predictor = try trained.quantised(samples, seed: options.seed, step: options.stepCount)
  var integer = try predictor.bits(samples)
  // Where rounding to integers costs much, further steps are made with it.
  let more = options.stepCount * 3 / 20
  if integer > float * 1.002, more > 0 {
    try training.round(samples, from: trained)
    try training.run(samples, options.stepCount..<options.stepCount + more, isRounded: true, progress)
    let other = try training.result(rounded: true).quantised(
      samples, seed: options.seed, step: options.stepCount)
    let bits = try other.bits(samples)
    if bits < integer { (predictor, integer) = (other, bits) }
  }
  return PredictorFit(
    predictor: predictor, hidden: training.hidden, heldOutCount: samples.heldOutCount, floatBits: float,
    integerBits: integer, codedBits: try samples.coded(predictor), contextsBits: try samples.coded(nil))
}

private func listed(_ numbers: [Int]) -> String {
  var text = ""
  for number in numbers { text = text.utf8.isEmpty ? sentence("\(number)") : sentence("\(text),\(number)") }
  return text
}

private let bitsPerNat = 1.4426950408889634

/// A predictor in floats.
struct FloatPredictor {
  let network: DenseNetwork
  /// [values, numbers]
  let table: Buffer<Float>

  init(network: DenseNetwork, table: Buffer<Float>) {
    self.network = network
    self.table = table
  }

  /// What an integer predictor computes, but for the rounding of its activations and their limits.
  /// - Throws: `.kind` if its activations are none of ReLU.
  init(_ predictor: Predictor) throws(AEError) {
    let integers = try predictor.network.layers()
    var layers: [DenseLayer] = []
    /// What a unit of the layer's inputs is worth.
    var inputScale = 1.0 / 255
    for (index, layer) in integers.enumerated() {
      let isLast = index == integers.count - 1
      // Of the inputs' integers to the outputs' ones, and what one of those is worth.
      let slope = try layer.table.map { table throws(AEError) in try FloatPredictor.slope(of: table) } ?? 1
      let outputScale =
        isLast ? 1 / Double(Predictor.wordsPerUnit) : FloatPredictor.scale(of: layer, slope: slope)
      let weights = try Buffer<Float>(count: layer.weights.count)
      let bias = try Buffer<Float>(count: layer.outputs)
      var divisor = 1.0
      for _ in 0..<layer.shift { divisor *= 2 }
      for output in 0..<layer.outputs {
        let unit = Double(layer.multipliers.base[output]) / divisor * slope * outputScale
        bias.base[output] = Float(Double(layer.bias.base[output]) * unit)
        for i in output * layer.inputs..<(output + 1) * layer.inputs {
          weights.base[i] = Float(Double(layer.weights.base[i]) * unit / inputScale)
        }
      }
      let shape = LayerShape(
        inputs: layer.inputs, outputs: layer.outputs, activation: isLast ? .identity : .relu)
      layers.append(try DenseLayer(shape: shape, weights: weights, bias: bias))
      inputScale = outputScale
    }
    network = DenseNetwork(layers: layers)
    table = try Buffer(count: Predictor.tableCount)
    for index in 0..<table.count {
      table.base[index] = Float(predictor.table.base[index]) / Float(Predictor.tableUnit)
    }
  }

  /// The bytes of a unit of pre-activations, of a table that is a ReLU's.
  private static func slope(of table: Buffer<UInt8>) throws(AEError) -> Double {
    let half = table.count / 2
    var (product, square) = (0.0, 0.0)
    for t in 0..<half where table.base[half + t] < 255 {
      product += Double(t) * Double(table.base[half + t])
      square += Double(t) * Double(t)
    }
    let slope = product / max(square, 1)
    for t in -half..<half {
      let wanted = min(max(Double(t) * slope, 0), 255)
      guard slope > 0, (Double(table.base[half + t]) - wanted).magnitude < 2 else {
        throw AEError(.kind, "training starts from a predictor of ReLU layers, which this is not")
      }
    }
    return slope
  }

  /// What a byte of a hidden layer is worth. The layers after it make up for any number; a good one is that of the floats
  /// that it was fitted to, since steps of training count in these.
  private static func scale(of layer: IntegerLayer, slope: Double) -> Double {
    var divisor = 1.0
    for _ in 0..<layer.shift { divisor *= 2 }
    for output in 0..<layer.outputs where layer.multipliers.base[output] > 0 {
      let unit = Double(layer.sumScales.base[output]) * divisor / Double(layer.multipliers.base[output])
      let scale = unit / slope
      if scale > 1e-4 && scale < 1e4 { return scale }
    }
    return 1.0 / 16
  }

  /// The mean bits of values held out.
  func bits(_ samples: PredictorSamples) throws(AEError) -> Double {
    var outputs = try Buffer<Float>(count: 0)
    var nats = 0.0
    var count = 0
    try samples.visitHeldOut { (batch, rows) throws(AEError) in
      if outputs.count < rows * Predictor.outputCount {
        outputs = try Buffer(count: rows * Predictor.outputCount)
      }
      try network.run(batch.inputs.base, count: rows, into: outputs.base)
      nats += cost(outputs, table, batch, rows: rows)
      count += rows
    }
    return nats * bitsPerNat / Double(max(count, 1))
  }

  /// The same in integers, fitted to pixels of the images that it was trained on.
  func quantised(_ samples: PredictorSamples, seed: UInt64, step: Int) throws(AEError) -> Predictor {
    // Batches of several sets, if there are.
    let (batchRows, batchCount) = (1024, 20)
    let rows = batchRows * batchCount
    let features = try Buffer<UInt8>(count: rows * Predictor.inputCount)
    let inputs = try Buffer<Float>(count: rows * Predictor.inputCount)
    let batch = try PredictorBatch(batchRows)
    for index in 0..<batchCount {
      samples.draw(seed: seed, step: step + index, into: batch)
      let at = index * batchRows * Predictor.inputCount
      (features.base + at).update(from: batch.features.base, count: batch.features.count)
      (inputs.base + at).update(from: batch.inputs.base, count: batch.inputs.count)
    }
    let layers = try quantise(
      network, input: inputs, integers: .bytes(features), rows: rows, inputScale: 1 / 255
    ) { _ in
      .words(units: [Double](repeating: 1 / Double(Predictor.wordsPerUnit), count: Predictor.outputCount))
    }
    let table = try Buffer<Int16>(count: Predictor.tableCount)
    for index in 0..<table.count {
      let value = Int(saturating: (Double(self.table.base[index]) * Double(Predictor.tableUnit)).rounded())
      table.base[index] = Int16(value.clamped(to: -32768...32767))
    }
    return try Predictor(network: try IntegerNetwork(layers: layers), table: table)
  }
}

extension Predictor {
  /// The mean bits of values held out, under the integer network's outputs.
  func bits(_ samples: PredictorSamples) throws(AEError) -> Double {
    let table = try Buffer<Float>(count: self.table.count)
    for index in 0..<table.count {
      table.base[index] = Float(self.table.base[index]) / Float(Predictor.tableUnit)
    }
    var words = try Buffer<Int16>(count: 0)
    var outputs = try Buffer<Float>(count: 0)
    var nats = 0.0
    var count = 0
    try samples.visitHeldOut { (batch, rows) throws(AEError) in
      if outputs.count < rows * Predictor.outputCount {
        outputs = try Buffer(count: rows * Predictor.outputCount)
        words = try Buffer(count: rows * Predictor.outputCount)
      }
      try network.encode(batch.features.base, count: rows, into: words.base)
      for index in 0..<rows * Predictor.outputCount {
        outputs.base[index] = Float(words.base[index]) / Float(Predictor.wordsPerUnit)
      }
      nats += cost(outputs, table, batch, rows: rows)
      count += rows
    }
    return nats * bitsPerNat / Double(max(count, 1))
  }
}

/// The nats of a batch's values.
private func cost(_ outputs: Buffer<Float>, _ table: Buffer<Float>, _ batch: PredictorBatch, rows: Int)
  -> Double
{
  var costs = [Double](repeating: 0, count: PredictorSamples.taskCount)
  costs.withUnsafeMutableBufferPointer { costs in
    let costs = costs.baseAddress.unsafelyUnwrapped
    parallel(PredictorSamples.taskCount) { task in
      let range = PredictorSamples.range(task, of: rows)
      costs[task] = cp_mixture_losses(
        range.count, outputs.base + range.lowerBound * Predictor.outputCount, table.base,
        batch.bases.base + range.lowerBound, batch.values.base + range.lowerBound, 1, nil, nil)
    }
  }
  var sum = 0.0
  for cost in costs { sum += cost }
  return sum
}

/// A predictor in training.
private final class PredictorTraining {
  let hidden: [Int]
  private let options: PredictorTrainingOptions
  private let shapes: [LayerShape]
  private let network: TrainableNetwork
  private let table: Parameter
  private let batch: PredictorBatch
  /// The gradient by the table of each task, and what its rows cost.
  private let tableDeltas: Buffer<Float>
  private let costs: Buffer<Double>
  private var average = 0.0
  /// Weights as integers have them, and what a byte of each hidden layer is worth, once steps are made with them; empty
  /// before.
  private var roundedWeights: [Buffer<Float>] = []
  private var activationSteps: [Float] = []

  /// Quicker to forget than what autoencoders are trained with: gradients change as the distributions get narrow.
  private static let beta2 = 0.99
  private static let warmUp = 200
  /// Of the learning rate, in steps with rounded numbers.
  private static let roundedShare = 0.1

  init(hidden: [Int], _ options: PredictorTrainingOptions) throws(AEError) {
    self.hidden = hidden
    self.options = options
    let widths = [Predictor.inputCount] + hidden + [Predictor.outputCount]
    var shapes: [LayerShape] = []
    for index in 1..<widths.count {
      shapes.append(
        LayerShape(
          inputs: widths[index - 1], outputs: widths[index],
          activation: index == widths.count - 1 ? .identity : .relu))
    }
    self.shapes = shapes
    let isAveraged = options.weightAverage > 0
    network = try TrainableNetwork(shapes: shapes, seed: options.seed, firstStream: 300, averaged: isAveraged)
    table = try Parameter(try Buffer(count: Predictor.tableCount), averaged: isAveraged)
    // A mixture from wide to narrow, of components that are hardly apart.
    let (weights, bias) = (network.weights[shapes.count - 1], network.biases[shapes.count - 1])
    for index in 0..<weights.count { weights.values.base[index] *= 0.4 }
    let components = Int(CP_COMPONENTS)
    for index in 0..<components {
      bias.values.base[2 * components + index] = 5 * Float(index) / Float(components - 1) - 5
    }
    weights.average?.base.update(from: weights.values.base, count: weights.count)
    bias.average?.base.update(from: bias.values.base, count: bias.count)
    try network.reserve(rows: options.batchSize)
    batch = try PredictorBatch(options.batchSize)
    tableDeltas = try Buffer(count: PredictorSamples.taskCount * Predictor.tableCount)
    costs = try Buffer(count: PredictorSamples.taskCount)
    if options.augment { ignoreGrid() }
  }

  /// Zero weights for inputs that training hides: they stay so.
  private func ignoreGrid() {
    let first = network.weights[0]
    for row in 0..<shapes[0].outputs {
      let at = row * Predictor.inputCount + Int(CP_GRID_FIRST)
      (first.values.base + at).update(repeating: 0, count: Int(CP_GRID_COUNT))
      if let average = first.average { (average.base + at).update(repeating: 0, count: Int(CP_GRID_COUNT)) }
    }
  }

  /// Starts from these weights, which have the same shapes.
  func take(_ start: FloatPredictor) {
    network.take(start.network)
    if options.augment { ignoreGrid() }
    table.values.base.update(from: start.table.base, count: table.count)
    table.average?.base.update(from: start.table.base, count: table.count)
  }

  /// Makes the steps of a range.
  func run(
    _ samples: PredictorSamples, _ steps: Range<Int>, isRounded: Bool,
    _ progress: (PredictorTrainingProgress) -> Bool
  ) throws(AEError) {
    let warmUp = min(PredictorTraining.warmUp, max(options.stepCount / 10, 1))
    for step in steps {
      samples.draw(seed: options.seed, step: step, into: batch)
      try forward()
      let bits = loss() * bitsPerNat
      guard bits.isFinite else {
        throw AEError(
          .diverged, "the predictor's loss is not finite at step \(step); try a lower learning_rate")
      }
      // Over all steps at first, then over some hundred.
      average += (bits - average) / Double(min(step + 1, 100))
      let since = step - steps.lowerBound
      let rate =
        Schedule.cosine.rate(
          peak: options.learningRate * (isRounded ? PredictorTraining.roundedShare : 1), step: since,
          count: steps.count) * min(1, Double(since + 1) / Double(warmUp))
      let adam = AdamStep(
        number: step, learningRate: rate, averageDecay: options.weightAverage, beta2: PredictorTraining.beta2)
      try network.backward(batch.inputs.base, rows: batch.rows, inputDelta: nil, update: adam)
      adam.apply(to: table, from: 0, count: table.count)
      guard progress(PredictorTrainingProgress(step: step + 1, stepCount: steps.upperBound, bits: average))
      else {
        throw AEError(.stopped, "training of the predictor was stopped after step \(step + 1)")
      }
    }
  }

  /// From here on, steps are made with weights and activations rounded as integer networks have them, and gradients as if
  /// they were not (straight-through: Bengio et al., "Estimating or propagating gradients through stochastic neurons",
  /// 2013). Ranges of activations are those of a batch.
  func round(_ samples: PredictorSamples, from trained: FloatPredictor) throws(AEError) {
    take(trained)
    samples.draw(seed: options.seed, step: options.stepCount, into: batch)
    try network.forward(batch.inputs.base, rows: batch.rows)
    for index in 0..<shapes.count {
      roundedWeights.append(try Buffer(count: shapes[index].weightCount))
      guard index < shapes.count - 1 else { continue }
      // Those of batches have fewer outliers than what quantisation sees.
      activationSteps.append(Float(activationStep(network.outputs[index])))
    }
  }

  private func forward() throws(AEError) {
    guard !roundedWeights.isEmpty else { return try network.forward(batch.inputs.base, rows: batch.rows) }
    var source = UnsafePointer(batch.inputs.base)
    for (index, shape) in shapes.enumerated() {
      roundRows(network.weights[index].values, shape, into: roundedWeights[index])
      let outputs = network.outputs[index].base
      try shape.forward(
        source, rows: batch.rows, weights: roundedWeights[index].base,
        bias: network.biases[index].values.base,
        activation: shape.activation, into: outputs)
      if index < shapes.count - 1 {
        parallelRows(batch.rows) { _, first, rows in
          let at = outputs + first * shape.outputs
          cp_round(rows * shape.outputs, activationSteps[index], 0, 255, at, at)
        }
      }
      source = UnsafePointer(outputs)
    }
  }

  /// Weights as int8 with a scale for each output has them.
  private func roundRows(_ weights: Buffer<Float>, _ shape: LayerShape, into rounded: Buffer<Float>) {
    for row in 0..<shape.rows {
      let at = row * shape.columns
      var largest: Float = 0
      for i in at..<at + shape.columns { largest = max(largest, weights.base[i].magnitude) }
      cp_round(shape.columns, max(largest / 127, 1e-30), -127, 127, weights.base + at, rounded.base + at)
    }
  }

  /// The mean nats of the batch's values; leaves the gradients by the outputs and by the table.
  private func loss() -> Double {
    let rows = batch.rows
    let taskCount = PredictorSamples.taskCount
    parallel(taskCount) { task in
      let range = PredictorSamples.range(task, of: rows)
      let sums = tableDeltas.base + task * Predictor.tableCount
      sums.update(repeating: 0, count: Predictor.tableCount)
      let at = range.lowerBound * Predictor.outputCount
      costs.base[task] = cp_mixture_losses(
        range.count, network.lastOutput.base + at, table.values.base, batch.bases.base + range.lowerBound,
        batch.values.base + range.lowerBound, 1 / Float(rows), network.lastDelta.base + at, sums)
    }
    let gradient = table.gradient.base
    gradient.update(from: tableDeltas.base, count: table.count)
    var sum = costs.base[0]
    for task in 1..<taskCount {
      let part = tableDeltas.base + task * Predictor.tableCount
      for index in 0..<Predictor.tableCount { gradient[index] += part[index] }
      sum += costs.base[task]
    }
    return sum / Double(rows)
  }

  /// The predictor as it is now, copied, its weights rounded to those that integers have.
  func result(rounded: Bool) throws(AEError) -> FloatPredictor {
    let values = table.result
    let network = try network.network(shapes)
    if rounded {
      for layer in network.layers { roundRows(layer.weights, layer.shape, into: layer.weights) }
    }
    return FloatPredictor(network: network, table: try Buffer(copying: values.base, count: values.count))
  }
}

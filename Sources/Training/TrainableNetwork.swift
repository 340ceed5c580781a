// A network in training: a list of nodes with what they gave kept between the forward and the backward pass (reverse-mode
// differentiation), gradients, and the optimiser's moments. DenseNetwork is the same for inference.

import CKernels
import Compute
import Core
import Network

/// A parameter: weights or biases of a layer, with gradient and moments.
package final class Parameter {
  package let values: Buffer<Float>
  package let gradient: Buffer<Float>
  /// First and second moment of Adam.
  let m: Buffer<Float>
  let v: Buffer<Float>
  /// The running average, if one is kept.
  let average: Buffer<Float>?
  /// Whether Muon moves it: its momentum is in `m`.
  var isMuons = false

  package var count: Int { values.count }

  init(_ values: Buffer<Float>, averaged: Bool) throws(AEError) {
    self.values = values
    gradient = try Buffer(count: values.count)
    m = try Buffer(count: values.count)
    v = try Buffer(count: values.count)
    average = averaged ? try Buffer(copying: values.base, count: values.count) : nil
  }

  /// The values for a model: the average if one is kept.
  var result: Buffer<Float> { average ?? values }

  /// The runs that make up the state, in the order of files.
  var state: [Buffer<Float>] { average == nil ? [values, m, v] : [values, m, v, average!] }
}

/// Work is shared between threads by runs of so many rows, whatever the number of threads, so that sums
/// come out the same.
let rowsPerTask = 16

/// Calls `body` with (task, first row, rows) for runs of `rowsPerTask` rows, in parallel.
@inline(never)
func parallelRows(_ rows: Int, _ body: (Int, Int, Int) -> Void) {
  parallel((rows + rowsPerTask - 1) / rowsPerTask) { task in
    let first = task * rowsPerTask
    body(task, first, min(rowsPerTask, rows - first))
  }
}

/// One half of an autoencoder in training.
package final class TrainableNetwork {
  package let shapes: [LayerShape]
  /// Weights and bias of each node; of no numbers where it has none.
  let weights: [Parameter]
  let biases: [Parameter]
  private let plan: TrainingPlan
  /// What each node gave, and the gradient by it, of `capacity` rows.
  private(set) var outputs: [Buffer<Float>] = []
  private(set) var deltas: [Buffer<Float>] = []
  /// What stood before an activation whose gradient needs it; else of no numbers.
  private var preactivations: [Buffer<Float>] = []
  /// Gradients that are to be added to others.
  private var parts: [Buffer<Float>] = []
  /// All of these lie here.
  private var arena: Buffer<Float>?
  private var capacity = 0

  package var parameters: [Parameter] {
    var all: [Parameter] = []
    for index in 0..<shapes.count where shapes[index].hasWeights {
      all.append(weights[index])
      all.append(biases[index])
    }
    return all
  }

  var lastOutput: Buffer<Float> { outputs[outputs.count - 1] }
  /// The caller fills this, the gradient by the last layer's outputs before `backward`.
  var lastDelta: Buffer<Float> { deltas[deltas.count - 1] }

  /// Weights drawn for the activation that follows them; biases zero.
  ///
  /// - Parameter firstStream: the number of the random stream of the first layer.
  init(shapes: [LayerShape], seed: UInt64, firstStream: Int, averaged: Bool) throws(AEError) {
    self.shapes = shapes
    var weights: [Parameter] = []
    var biases: [Parameter] = []
    for (index, shape) in shapes.enumerated() {
      let values = try Buffer<Float>(count: shape.weightCount)
      let bound = TrainableNetwork.initialBound(shape)
      // Streams of the other half begin at 100.
      var stream = RandomStream(
        seed: seed, .initialWeights,
        index < 100 ? firstStream + index : 2 * (index + 500) + (firstStream > 0 ? 1 : 0))
      for i in 0..<values.count { values.base[i] = (2 * stream.uniform() - 1) * bound }
      weights.append(try Parameter(values, averaged: averaged))
      biases.append(try Parameter(try Buffer(count: shape.channels), averaged: averaged))
    }
    self.weights = weights
    self.biases = biases
    plan = TrainingPlan(shapes)
  }

  /// Half the width of the uniform distribution that weights are drawn from: He et al. (2015) for ReLU,
  /// and for its smooth relatives, Glorot and Bengio (2010) for tanh and sigmoid (four times their bound), and LeCun's unit gain
  /// otherwise, which keeps the variance of ELU layers close to their inputs'.
  static func initialBound(_ shape: LayerShape) -> Float {
    guard shape.hasWeights else { return 0 }
    // The fan-in: of a transposed convolution's window, the part of one output phase.
    var inputs = Float(shape.weightCount / shape.channels)
    if shape.geometry.transposed != 0 { inputs /= Float(shape.geometry.stride * shape.geometry.stride) }
    switch shape.activation {
    case .relu, .leakyReLU, .silu, .gelu, .geluTanh: return (6 / inputs).squareRoot()
    case .tanh: return (6 / (inputs + Float(shape.channels))).squareRoot()
    case .sigmoid: return 4 * (6 / (inputs + Float(shape.outputs))).squareRoot()
    case .identity, .elu: return (3 / inputs).squareRoot()
    }
  }

  /// Scales the outputs of a fresh encoder to a few quantiser steps: within one step the noise of training would hide them,
  /// and they would not learn.
  func spreadOutputs() {
    guard let last = weights.last(where: { $0.count > 0 }) else { return }
    for i in 0..<last.count { last.values.base[i] *= 4 }
    last.average?.base.update(from: last.values.base, count: last.count)
  }

  /// Takes the weights of a network of the same shapes.
  func take(_ network: DenseNetwork) {
    for (index, layer) in network.layers.enumerated() {
      for (parameter, values) in [(weights[index], layer.weights), (biases[index], layer.bias)] {
        precondition(parameter.count == values.count)
        parameter.values.base.update(from: values.base, count: values.count)
        parameter.average?.base.update(from: values.base, count: values.count)
      }
    }
  }

  /// Makes room for `rows` rows.
  func reserve(rows: Int) throws(AEError) {
    guard rows > capacity else { return }
    guard let count = plan.count.times(rows) else { throw AEError(.memory, "a batch is too large") }
    outputs = []
    deltas = []
    preactivations = []
    parts = []
    arena = nil
    capacity = 0
    let arena = try Buffer<Float>(count: count)
    func part(_ offset: Int, _ size: Int) -> Buffer<Float> {
      Buffer(borrowing: arena.base + offset * rows, count: size * rows)
    }
    for (index, shape) in shapes.enumerated() {
      outputs.append(part(plan.outputs[index], shape.outputs))
      deltas.append(part(plan.deltas[index], shape.outputs))
      preactivations.append(
        part(plan.preactivations[index], shape.activation.isInvertible ? 0 : shape.outputs))
    }
    for offset in plan.parts { parts.append(part(offset, plan.largestPart)) }
    self.arena = arena
    capacity = rows
  }

  /// What node `index` reads.
  private func rows(_ index: Int, _ input: UnsafePointer<Float>) -> UnsafePointer<Float> {
    index < 0 ? input : UnsafePointer(outputs[index].base)
  }

  /// Runs `rows` rows through, keeping what every node gives.
  func forward(_ input: UnsafePointer<Float>, rows: Int) throws(AEError) {
    for (index, shape) in shapes.enumerated() {
      let source = self.rows(shape.source(of: index), input)
      let second = shape.hasTwoSources ? self.rows(shape.secondSource(of: index), input) : nil
      let keeps = !shape.activation.isInvertible && shape.place.operation != Int32(CK_ACTIVATE)
      let target = keeps ? preactivations[index].base : outputs[index].base
      try shape.forward(
        source, second, rows: rows, weights: weights[index].values.base, bias: biases[index].values.base,
        activation: keeps ? .identity : shape.activation, into: target)
      guard keeps else { continue }
      outputs[index].base.update(from: target, count: rows * shape.outputs)
      ck_activate(shape.activation.kernel, rows * shape.outputs, outputs[index].base)
    }
  }

  /// From `lastDelta`, the gradient by the last layer's outputs *before* its activation, to the gradients of
  /// all parameters and, if asked for, to the gradient by the input.
  ///
  /// - Parameter update: a step to make with each gradient where it arises, so that it is never written out;
  ///   nil leaves the gradients in the parameters.
  func backward(
    _ input: UnsafePointer<Float>, rows: Int, inputDelta: UnsafeMutablePointer<Float>?, update: AdamStep?
  ) throws(AEError) {
    // Whose gradient holds a part already; the input's is at the end.
    var isBegun = [Bool](repeating: false, count: shapes.count + 1)
    isBegun[shapes.count - 1] = true
    for index in stride(from: shapes.count - 1, through: 0, by: -1) {
      let shape = shapes[index]
      let delta = deltas[index].base
      let count = rows * shape.outputs
      // What no one reads has no gradient.
      if !isBegun[index] { delta.update(repeating: 0, count: count) }
      if !plan.isFused[index] && shape.place.operation != Int32(CK_ACTIVATE) {
        if shape.activation.isInvertible {
          ck_activation_gradient(shape.activation.kernel, count, outputs[index].base, delta)
        } else {
          ck_activation_gradient_at(shape.activation.kernel, count, preactivations[index].base, delta)
        }
      }
      /// Where the gradient by a source goes: to its own place, or, if there is a part already, beside it.
      func target(_ source: Int, _ part: Int) -> UnsafeMutablePointer<Float>? {
        guard source >= 0 || inputDelta != nil else { return nil }
        return isBegun[source < 0 ? shapes.count : source] ? parts[part].base : whole(source, inputDelta)
      }
      func finish(_ source: Int, _ part: Int, _ size: Int) {
        guard source >= 0 || inputDelta != nil else { return }
        let place = source < 0 ? shapes.count : source
        if isBegun[place], let sum = whole(source, inputDelta) {
          add(parts[part].base, to: sum, rows: rows, width: size)
        }
        isBegun[place] = true
      }
      let source = shape.source(of: index)
      let x = self.rows(source, input)
      if shape.hasWeights {
        let below = source >= 0 && plan.isFused[source] ? shapes[source].activation : .identity
        let inputGradient = target(source, 0)
        if shape.isConvolution {
          try shape.backward(
            delta, rows: rows, x: x, below: below, weights: weights[index].values.base,
            inputGradient: inputGradient, weightGradient: weights[index].gradient.base,
            biasGradient: biases[index].gradient.base)
          update?.apply(to: weights[index], from: 0, count: shape.weightCount)
        } else {
          // Before the weights move.
          if let inputGradient {
            try multiplyInputGradient(
              delta, by: weights[index].values.base, into: inputGradient, m: rows, n: shape.inputs,
              k: shape.outputs, input: source < 0 ? nil : x, activation: below)
          }
          try multiplyWeightGradient(
            delta, by: x, into: weights[index].gradient.base, m: shape.outputs, n: shape.inputs, k: rows,
            step: update?.on(weights[index], from: 0))
          let biasGradient = biases[index].gradient.base
          biasGradient.update(repeating: 0, count: shape.outputs)
          ck_add_column_sums(rows, shape.outputs, delta, shape.outputs, biasGradient)
        }
        update?.apply(to: biases[index], from: 0, count: shape.channels)
        finish(source, 0, shape.inputs)
        continue
      }
      let second = shape.hasTwoSources ? shape.secondSource(of: index) : -1
      // Of two sources that are one node, the second part is added to the first one.
      let isOne = shape.hasTwoSources && second == source
      let first = target(source, 0)
      let other =
        !shape.hasTwoSources ? nil : isOne ? (first == nil ? nil : parts[1].base) : target(second, 1)
      shape.backward(
        delta, rows: rows, x: x, second: shape.hasTwoSources ? self.rows(second, input) : nil,
        y: outputs[index].base, inputGradient: first, secondGradient: other)
      finish(source, 0, shape.inputs)
      if shape.hasTwoSources { finish(second, 1, shape.secondInputs) }
    }
  }

  /// Where the gradient by a source, or by the input, is summed up.
  private func whole(_ source: Int, _ inputDelta: UnsafeMutablePointer<Float>?)
    -> UnsafeMutablePointer<Float>?
  {
    source < 0 ? inputDelta : deltas[source].base
  }

  private func add(
    _ part: UnsafePointer<Float>, to sum: UnsafeMutablePointer<Float>, rows: Int, width: Int
  ) {
    var node = ck_dense_layer()
    node.node.operation = Int32(CK_ADD)
    (node.inputs, node.outputs) = (width, width)
    ck_node_forward(&node, rows, UnsafePointer(sum), part, sum)
  }

  /// The network as it is now, copied.
  func network(_ shapes: [LayerShape]) throws(AEError) -> DenseNetwork {
    var layers: [DenseLayer] = []
    for (index, shape) in shapes.enumerated() {
      let w = weights[index].result
      let b = biases[index].result
      layers.append(
        try DenseLayer(
          shape: shape, weights: try Buffer(copying: w.base, count: w.count),
          bias: try Buffer(copying: b.base, count: b.count)))
    }
    return DenseNetwork(layers: layers)
  }
}

// A network in training: layers with the outputs kept between the forward and the backward pass, gradients, and the
// optimiser's moments. DenseNetwork is the same for inference.

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
  /// Weights and bias of each layer.
  let weights: [Parameter]
  let biases: [Parameter]
  /// Outputs and their gradients of each layer, of `capacity` rows.
  private(set) var outputs: [Buffer<Float>] = []
  private(set) var deltas: [Buffer<Float>] = []
  private var capacity = 0

  package var parameters: [Parameter] {
    var all: [Parameter] = []
    for index in 0..<shapes.count {
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
      var stream = RandomStream(seed: seed, .initialWeights, firstStream + index)
      for i in 0..<values.count { values.base[i] = (2 * stream.uniform() - 1) * bound }
      weights.append(try Parameter(values, averaged: averaged))
      biases.append(try Parameter(try Buffer(count: shape.channels), averaged: averaged))
    }
    self.weights = weights
    self.biases = biases
  }

  /// Half the width of the uniform distribution that weights are drawn from: He et al. (2015) for ReLU,
  /// Glorot and Bengio (2010) for sigmoid (four times their bound for tanh), and LeCun's unit gain
  /// otherwise, which keeps the variance of ELU layers close to their inputs'.
  static func initialBound(_ shape: LayerShape) -> Float {
    // The fan-in: of a transposed convolution's window, the part of one output phase.
    var inputs = Float(shape.weightCount / shape.channels)
    if shape.geometry.transposed != 0 { inputs /= Float(shape.geometry.stride * shape.geometry.stride) }
    switch shape.activation {
    case .relu: return (6 / inputs).squareRoot()
    case .sigmoid: return 4 * (6 / (inputs + Float(shape.outputs))).squareRoot()
    case .identity, .elu: return (3 / inputs).squareRoot()
    }
  }

  /// Scales the outputs of a fresh encoder to a few quantiser steps: within one step the noise of training would hide them,
  /// and they would not learn.
  func spreadOutputs() {
    guard let last = weights.last else { return }
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
    var outputs: [Buffer<Float>] = []
    var deltas: [Buffer<Float>] = []
    for shape in shapes {
      outputs.append(try Buffer(count: rows * shape.outputs))
      deltas.append(try Buffer(count: rows * shape.outputs))
    }
    self.outputs = outputs
    self.deltas = deltas
    capacity = rows
  }

  /// Runs `rows` rows through, keeping every layer's outputs.
  func forward(_ input: UnsafePointer<Float>, rows: Int) throws(AEError) {
    var source = input
    for (index, shape) in shapes.enumerated() {
      try shape.forward(
        source, rows: rows, weights: weights[index].values.base, bias: biases[index].values.base,
        activation: shape.activation, into: outputs[index].base)
      source = UnsafePointer(outputs[index].base)
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
    for index in stride(from: shapes.count - 1, through: 0, by: -1) {
      let shape = shapes[index]
      let delta = deltas[index].base
      let source = index == 0 ? input : UnsafePointer(outputs[index - 1].base)
      if shape.isConvolution {
        try shape.backward(
          delta, rows: rows, x: source, below: index == 0 ? .identity : shapes[index - 1].activation,
          weights: weights[index].values.base,
          inputGradient: index == 0 ? inputDelta : deltas[index - 1].base,
          weightGradient: weights[index].gradient.base, biasGradient: biases[index].gradient.base)
        update?.apply(to: weights[index], from: 0, count: shape.weightCount)
        update?.apply(to: biases[index], from: 0, count: shape.channels)
        continue
      }
      // Before the weights move.
      if let target = index == 0 ? inputDelta : deltas[index - 1].base {
        try multiplyInputGradient(
          delta, by: weights[index].values.base, into: target, m: rows, n: shape.inputs, k: shape.outputs,
          input: index == 0 ? nil : source,
          activation: index == 0 ? .identity : shapes[index - 1].activation)
      }
      try multiplyWeightGradient(
        delta, by: source, into: weights[index].gradient.base, m: shape.outputs, n: shape.inputs, k: rows,
        step: update?.on(weights[index], from: 0))
      let biasGradient = biases[index].gradient.base
      biasGradient.update(repeating: 0, count: shape.outputs)
      ck_add_column_sums(rows, shape.outputs, delta, shape.outputs, biasGradient)
      update?.apply(to: biases[index], from: 0, count: shape.outputs)
    }
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

// A stack of dense layers in floats: one half of an autoencoder, encoder or decoder.

import Compute
import Core

/// A dense layer in floats, immutable once it is part of a network in use.
public final class DenseLayer: Sendable {
  public let shape: LayerShape
  /// [outputs, inputs], row-major.
  public let weights: Buffer<Float>
  /// [outputs].
  public let bias: Buffer<Float>

  /// A layer of zeros.
  public init(shape: LayerShape) throws(AEError) {
    self.shape = shape
    weights = try Buffer(count: shape.inputs * shape.outputs)
    bias = try Buffer(count: shape.outputs)
  }

  /// A layer over existing weights, which it shares; `weights` is [outputs, inputs], `bias` [outputs].
  public init(shape: LayerShape, weights: Buffer<Float>, bias: Buffer<Float>) throws(AEError) {
    guard weights.count == shape.inputs * shape.outputs, bias.count == shape.outputs else {
      throw AEError(
        .shape,
        "a layer of \(shape.inputs) x \(shape.outputs) got \(weights.count) weights, \(bias.count) biases")
    }
    self.shape = shape
    self.weights = weights
    self.bias = bias
  }
}

/// Dense layers, each one's outputs the next one's inputs.
public struct DenseNetwork: Sendable {
  public let layers: [DenseLayer]

  public init(layers: [DenseLayer]) { self.layers = layers }

  /// A network of zeros.
  public init(shapes: [LayerShape]) throws(AEError) {
    var layers: [DenseLayer] = []
    for shape in shapes { layers.append(try DenseLayer(shape: shape)) }
    self.layers = layers
  }

  public var inputCount: Int { layers[0].shape.inputs }
  public var outputCount: Int { layers[layers.count - 1].shape.outputs }

  /// The same network without the last layer's activation: for a sigmoid output, its logits.
  public func withoutOutputActivation() throws(AEError) -> DenseNetwork {
    var layers = self.layers
    let last = layers.removeLast()
    let shape = LayerShape(inputs: last.shape.inputs, outputs: last.shape.outputs, activation: .identity)
    layers.append(try DenseLayer(shape: shape, weights: last.weights, bias: last.bias))
    return DenseNetwork(layers: layers)
  }

  /// Images that are worked on at a time: enough to keep the kernels busy, few enough to stay in cache.
  public static let chunkCount = 1024

  /// The widest row between two layers.
  public var widestHidden: Int {
    var widest = 1
    for layer in layers.dropLast() where layer.shape.outputs > widest { widest = layer.shape.outputs }
    return widest
  }

  /// Runs `count` rows of `inputCount` floats into rows of `outputCount`.
  ///
  /// Memory is bounded: rows go through in chunks of `chunkCount`.
  public func run(_ input: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<Float>)
    throws(AEError)
  {
    let chunk = min(count, DenseNetwork.chunkCount)
    let scratch = [
      try Buffer<Float>(count: chunk * widestHidden), try Buffer<Float>(count: chunk * widestHidden),
    ]
    var first = 0
    while first < count {
      let rows = min(chunk, count - first)
      var source = input + first * inputCount
      for (index, layer) in layers.enumerated() {
        let isLast = index == layers.count - 1
        let target = isLast ? output + first * outputCount : scratch[index & 1].base
        try multiply(
          source, by: layer.weights.base, transposeB: true, into: target, m: rows, n: layer.shape.outputs,
          k: layer.shape.inputs, bias: layer.bias.base, activation: layer.shape.activation)
        source = UnsafePointer(target)
      }
      first += rows
    }
  }
}

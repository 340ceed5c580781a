// A list of nodes in floats: one half of an autoencoder, encoder or decoder.

import CKernels
import Compute
import Core

/// A node in floats, immutable once it is part of a network in use. One without weights has empty arrays.
public final class DenseLayer: Sendable {
  public let shape: LayerShape
  /// [rows, columns] of the shape, row-major.
  public let weights: Buffer<Float>
  /// [channels].
  public let bias: Buffer<Float>

  /// A layer of zeros.
  public init(shape: LayerShape) throws(AEError) {
    self.shape = shape
    weights = try Buffer(count: shape.weightCount)
    bias = try Buffer(count: shape.channels)
  }

  /// A layer over existing weights, which it shares; `weights` is [rows, columns], `bias` [channels].
  public init(shape: LayerShape, weights: Buffer<Float>, bias: Buffer<Float>) throws(AEError) {
    guard weights.count == shape.weightCount, bias.count == shape.channels else {
      throw AEError(
        .shape,
        "a layer of \(shape.inputs) x \(shape.outputs) got \(weights.count) weights, \(bias.count) biases")
    }
    self.shape = shape
    self.weights = weights
    self.bias = bias
  }
}

/// Nodes in floats, of the shapes of a list. Weights must not change once it has run.
public struct DenseNetwork: Sendable {
  public let layers: [DenseLayer]
  private let packed = Lazy<PackedLayers>()

  public init(layers: [DenseLayer]) { self.layers = layers }

  /// A network of zeros.
  public init(shapes: [LayerShape]) throws(AEError) {
    var layers: [DenseLayer] = []
    for shape in shapes { layers.append(try DenseLayer(shape: shape)) }
    self.layers = layers
  }

  @inline(never)
  package var shapes: [LayerShape] { layers.map { $0.shape } }

  public var inputCount: Int { layers[0].shape.inputs }
  public var outputCount: Int { layers[layers.count - 1].shape.outputs }

  /// The same network without the last layer's activation: for a sigmoid output, its logits.
  public func withoutOutputActivation() throws(AEError) -> DenseNetwork {
    var layers = self.layers
    var end = layers.count - 1
    while end > 0, layers[end].shape.isMove { end = layers[end].shape.source(of: end) }
    let last = layers[end]
    layers[end] = try DenseLayer(shape: last.shape.with(.identity), weights: last.weights, bias: last.bias)
    return DenseNetwork(layers: layers)
  }

  /// Rows that are worked on at a time where memory has to be bounded.
  /// - Parameter width: numbers of a row.
  public static func chunkCount(_ width: Int) -> Int { min(1024, max((1 << 24) / max(width, 1), 1)) }

  /// Runs `count` rows of `inputCount` floats into rows of `outputCount`; memory is bounded.
  /// - Throws: `.argument` for an input that is not finite, which it calls one of `what`; `.diverged` if an output
  ///   is not, before it is clamped; `.memory`.
  public func run(
    _ input: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<Float>,
    _ what: StaticString = "inputs"
  ) throws(AEError) {
    try run(input, CK_ROWS_FLOATS, count: count, output, CK_ROWS_FLOATS, what)
  }

  /// Runs `count` rows in one of the forms of CKernels into rows of another.
  package func run(
    _ input: UnsafeRawPointer, _ inputForm: Int, count: Int, _ output: UnsafeMutableRawPointer,
    _ outputForm: Int,
    _ what: StaticString
  ) throws(AEError) {
    let packed = try packed.value { () throws(AEError) in try PackedLayers(layers) }
    var refused = 0
    var overflow = 0
    let status = withExtendedLifetime(packed) {
      ck_dense_network(
        packed.kernels.base, packed.kernels.count, count, input, Int32(inputForm), output, Int32(outputForm),
        &refused, &overflow)
    }
    guard status == 0 else { throw AEError(.memory, "cannot allocate rows for the network") }
    guard refused == -1 else {
      throw AEError(
        .argument,
        "\(what) must be finite; value \(refused % inputCount) of row \(refused / inputCount) is not")
    }
    guard overflow == -1 else { throw overflowed(what, at: overflow, width: outputCount) }
  }
}

/// What is thrown where finite numbers gave one that is not.
package func overflowed(_ what: StaticString, at index: Int, width: Int) -> AEError {
  AEError(
    .diverged,
    "the model's numbers overflow on these \(what): its weights or they are too large, output \(index % width) is not finite"
  )
}

/// The weights of a network as the kernels want them.
private final class PackedLayers: @unchecked Sendable {
  let kernels: Buffer<ck_dense_layer>
  private let layers: [DenseLayer]

  init(_ layers: [DenseLayer]) throws(AEError) {
    kernels = try Buffer(count: layers.count)
    self.layers = layers
    for (index, layer) in layers.enumerated() {
      let shape = layer.shape
      let kernel = kernels.base + index
      kernel.pointee = ck_dense_layer(
        inputs: shape.columns, outputs: shape.rows, activation: shape.activation.kernel,
        convolution: shape.geometry, bias: layer.bias.base, packed: nil, node: shape.place)
      guard shape.hasWeights else {
        (kernel.pointee.inputs, kernel.pointee.outputs) = (shape.inputs, shape.outputs)
        continue
      }
      ck_dense_prepare(kernel, layer.weights.base)
      guard kernel.pointee.packed != nil else {
        throw AEError(.memory, "cannot allocate rows for the network")
      }
    }
  }

  deinit {
    for index in 0..<kernels.count { ck_dense_release(kernels.base + index) }
  }
}

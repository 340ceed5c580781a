// The shapes of layers, dense or convolutions, and what a layer of a shape computes: inference, training and files
// derive all sizes from here.

import CKernels
import Compute
import Core

/// The shape of a layer: y[outputs] = f(W x[inputs] + b), where W is a matrix, or a convolution from picture to
/// picture.
public struct LayerShape: Sendable, Equatable {
  /// Numbers that go in and come out.
  public let inputs: Int
  public let outputs: Int
  public let activation: Activation
  /// Weights are a matrix [rows, columns]: of a dense layer [outputs, inputs]; of a convolution [coarse channels,
  /// kernel, kernel, fine channels]; of a transposed one [kernel, kernel, fine channels, coarse channels].
  public let rows: Int
  public let columns: Int
  /// Biases: one for each output, or for each channel of the picture that comes out. Row r of the weights belongs
  /// to channel r modulo this.
  public let channels: Int
  /// Of a convolution; its kernel is 0 for a dense layer.
  package let geometry: ck_convolution

  /// A dense layer.
  @inline(never)
  public init(inputs: Int, outputs: Int, activation: Activation) {
    self.inputs = inputs
    self.outputs = outputs
    self.activation = activation
    (rows, columns, channels) = (outputs, inputs, outputs)
    geometry = ck_convolution()
  }

  /// A convolution, or its transpose.
  @inline(never)
  package init(_ geometry: ck_convolution, activation: Activation) {
    var geometry = geometry
    let isTransposed = geometry.transposed != 0
    let fine = ck_fine_count(&geometry)
    let coarseChannels = Int(geometry.coarse_channels)
    let coarse = ck_coarse_pixels(&geometry) * coarseChannels
    let window = ck_column_count(&geometry)
    inputs = isTransposed ? coarse : fine
    outputs = isTransposed ? fine : coarse
    rows = isTransposed ? window : coarseChannels
    columns = isTransposed ? coarseChannels : window
    channels = isTransposed ? Int(geometry.fine_channels) : coarseChannels
    self.activation = activation
    self.geometry = geometry
  }

  /// The same shape with another activation.
  @inline(never)
  public func with(_ activation: Activation) -> LayerShape {
    isConvolution
      ? LayerShape(geometry, activation: activation)
      : LayerShape(inputs: inputs, outputs: outputs, activation: activation)
  }

  /// The shape of a layer back from this one's outputs to its inputs.
  @inline(never)
  package func transposed(_ activation: Activation) -> LayerShape {
    var geometry = self.geometry
    guard isConvolution else { return LayerShape(inputs: outputs, outputs: inputs, activation: activation) }
    geometry.transposed ^= 1
    return LayerShape(geometry, activation: activation)
  }

  public var isConvolution: Bool { geometry.kernel != 0 }
  public var weightCount: Int { rows * columns }
  public var parameterCount: Int { weightCount + channels }

  @inline(never)
  public static func == (a: LayerShape, b: LayerShape) -> Bool {
    a.inputs == b.inputs && a.outputs == b.outputs && a.rows == b.rows && a.columns == b.columns
      && a.activation == b.activation && a.geometry.kernel == b.geometry.kernel
      && a.geometry.stride == b.geometry.stride && a.geometry.fine_width == b.geometry.fine_width
      && a.geometry.transposed == b.geometry.transposed
  }

  /// y[rows, outputs] = f(W x[rows, inputs] + b); `weights` is [rows, columns] of the shape, `bias` [channels].
  ///
  /// - Throws: `.memory`.
  package func forward(
    _ x: UnsafePointer<Float>, rows: Int, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>,
    activation: Activation, into y: UnsafeMutablePointer<Float>
  ) throws(AEError) {
    guard isConvolution else {
      return try multiply(
        x, by: weights, transposeB: true, into: y, m: rows, n: outputs, k: inputs, bias: bias,
        activation: activation)
    }
    var geometry = self.geometry
    try check(ck_convolution_forward(&geometry, rows, x, weights, bias, activation.kernel, y))
  }

  /// Of a convolution: from the gradient by the pre-activations to those by weights and biases and, if asked for, by the
  /// pre-activations of the layer before, whose activation is `below` and whose outputs x were kept.
  ///
  /// - Throws: `.memory`.
  package func backward(
    _ outputGradient: UnsafePointer<Float>, rows: Int, x: UnsafePointer<Float>, below: Activation,
    weights: UnsafePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    weightGradient: UnsafeMutablePointer<Float>, biasGradient: UnsafeMutablePointer<Float>
  ) throws(AEError) {
    var geometry = self.geometry
    try check(
      ck_convolution_backward(
        &geometry, rows, outputGradient, x, weights, below.kernel, inputGradient, weightGradient, biasGradient
      )
    )
  }

  private func check(_ status: Int32) throws(AEError) {
    guard status == 0 else { throw AEError(.memory, "cannot allocate columns for a convolution") }
  }
}

// Nodes as the kernels run them: sizes, weights and geometry, and what one computes, forward and backward. Inference,
// training and files derive all sizes from here.

import CKernels
import Compute
import Core

/// A node's shape: of a layer, y[outputs] = f(W x[inputs] + b), where W is a matrix, or a convolution from feature map to
/// feature map; of one without weights, see `Operation`.
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
  /// Where it stands in a list, and what it computes if it has no weights.
  package let place: ck_node

  /// A dense layer.
  @inline(never)
  public init(inputs: Int, outputs: Int, activation: Activation) {
    self.init(inputs: inputs, outputs: outputs, activation: activation, place: ck_node())
  }

  /// A dense layer at a place in a list.
  @inline(never)
  init(inputs: Int, outputs: Int, activation: Activation, place: ck_node) {
    self.inputs = inputs
    self.outputs = outputs
    self.activation = activation
    (rows, columns, channels) = (outputs, inputs, outputs)
    geometry = ck_convolution()
    self.place = place
  }

  /// A node without weights; `inputs` are those of its first source.
  @inline(never)
  init(
    weightless place: ck_node, _ geometry: ck_convolution, inputs: Int, outputs: Int, activation: Activation
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.activation = activation
    (rows, columns, channels) = (0, 0, 0)
    self.geometry = geometry
    self.place = place
  }

  /// A convolution, or its transpose.
  @inline(never)
  package init(_ geometry: ck_convolution, activation: Activation, place: ck_node = ck_node()) {
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
    self.place = place
  }

  /// The same shape with another activation.
  @inline(never)
  public func with(_ activation: Activation) -> LayerShape {
    guard hasWeights else {
      return LayerShape(weightless: place, geometry, inputs: inputs, outputs: outputs, activation: activation)
    }
    return isConvolution
      ? LayerShape(geometry, activation: activation, place: place)
      : LayerShape(inputs: inputs, outputs: outputs, activation: activation, place: place)
  }

  /// Whether it is a layer: dense, a convolution or a transposed one.
  public var hasWeights: Bool { place.operation == Int32(CK_LAYER) }
  public var isConvolution: Bool { hasWeights && geometry.kernel != 0 }
  public var isTransposed: Bool { isConvolution && geometry.transposed != 0 }
  /// Whether it only says otherwise where numbers lie.
  package var isMove: Bool {
    place.operation == Int32(CK_RESHAPE) || place.operation == Int32(CK_CHANNELS_FIRST)
      || place.operation == Int32(CK_CHANNELS_LAST)
  }
  /// Whether it is an add, whose integers have a multiplier for each source.
  package var hasMultipliers: Bool { place.operation == Int32(CK_ADD) }
  public var hasTwoSources: Bool {
    place.operation == Int32(CK_ADD) || place.operation == Int32(CK_CONCATENATE)
  }
  /// The nodes that it reads, if it is node `index` of its list: -1 is the list's input.
  package func source(of index: Int) -> Int { index - 1 - Int(place.back.0) }
  package func secondSource(of index: Int) -> Int { index - 1 - Int(place.back.1) }
  /// Numbers of the second source.
  package var secondInputs: Int {
    place.operation == Int32(CK_CONCATENATE) ? outputs - inputs : hasTwoSources ? inputs : 0
  }
  public var weightCount: Int { rows * columns }
  /// Products of a weight and a number for one row.
  public var productCount: Int {
    weightCount * (isConvolution ? Int(geometry.coarse_width) * Int(geometry.coarse_height) : 1)
  }
  public var parameterCount: Int { weightCount + channels }

  @inline(never)
  public static func == (a: LayerShape, b: LayerShape) -> Bool {
    let (p, q) = (a.geometry, b.geometry)
    return a.inputs == b.inputs && a.outputs == b.outputs && a.rows == b.rows && a.columns == b.columns
      && a.activation == b.activation && p.kernel == q.kernel && p.stride == q.stride
      && p.padding == q.padding
      && p.transposed == q.transposed && p.fine_width == q.fine_width && p.fine_height == q.fine_height
      && p.fine_channels == q.fine_channels && p.coarse_width == q.coarse_width
      && p.coarse_height == q.coarse_height && a.place.operation == b.place.operation
      && a.place.back.0 == b.place.back.0 && a.place.back.1 == b.place.back.1
      && a.place.channels.0 == b.place.channels.0 && a.place.pixels == b.place.pixels
  }

  /// y[rows, outputs] = f(W x[rows, inputs] + b); `weights` is [rows, columns] of the shape, `bias` [channels].
  ///
  /// A node without weights needs neither; one of two sources needs the second one.
  ///
  /// - Throws: `.memory`.
  package func forward(
    _ x: UnsafePointer<Float>, _ second: UnsafePointer<Float>? = nil, rows: Int,
    weights: UnsafePointer<Float>, bias: UnsafePointer<Float>, activation: Activation,
    into y: UnsafeMutablePointer<Float>
  ) throws(AEError) {
    guard hasWeights else {
      var node = kernelNode(activation)
      return ck_node_forward(&node, rows, x, second, y)
    }
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

  /// Of a node without weights: from the gradient dy by the numbers that it gives (of an add: by the sum before the
  /// activation) to those by its sources, which are stored, if they are asked for.
  package func backward(
    _ outputGradient: UnsafePointer<Float>, rows: Int, x: UnsafePointer<Float>,
    second: UnsafePointer<Float>?, y: UnsafePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    secondGradient: UnsafeMutablePointer<Float>?
  ) {
    var node = kernelNode(activation)
    ck_node_backward(&node, rows, x, second, y, outputGradient, inputGradient, secondGradient)
  }

  /// As kernels take one without weights.
  package func kernelNode(_ activation: Activation) -> ck_dense_layer {
    ck_dense_layer(
      inputs: inputs, outputs: outputs, activation: activation.kernel, convolution: geometry, bias: nil,
      packed: nil, node: place)
  }

  private func check(_ status: Int32) throws(AEError) {
    guard status == 0 else { throw AEError(.memory, "cannot allocate columns for a convolution") }
  }
}

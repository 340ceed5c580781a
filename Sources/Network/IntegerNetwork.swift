// The integer networks: what decodes image sets to the same bytes on every machine. Weights are int8,
// activations bytes, sums int32, activation functions tables; nothing here rounds in floating point.
// docs/format-aew.md gives the arithmetic for other readers; CKernels.h gives it for the kernels.

import CKernels
import Compute
import Core

/// A node in integers; see `ck_integer_layer` for the arithmetic.
public final class IntegerLayer: @unchecked Sendable {
  /// Sizes alone: the activation is in the table.
  public let shape: LayerShape
  /// [rows, columns] of the shape, row-major, each in -127 ... 127, or of form 2 in -63 ... 63.
  public let weights: Buffer<Int8>
  /// [channels]; with the weights, such that every sum fits in int32.
  public let bias: Buffer<Int32>
  /// [channels], 0 ... 2^31 - 1; of an add one for each source.
  public let multipliers: Buffer<Int32>
  /// 1 ... 62; of a node that has no multipliers 0.
  public let shift: Int
  /// [4096] bytes for pre-activations -2048 ... 2047, or nil for a layer that gives words (the last one
  /// of an encoder). Of an activation [256], of a concatenation [2, 256] bytes for bytes.
  public let table: Buffer<UInt8>?
  /// The input that a convolution counts from, and that stands for 0; 0 for a dense layer. Of an add, that of its first
  /// source.
  public let zero: UInt8
  /// Of an add, that of its second source.
  public let secondZero: UInt8
  /// Whether weights are in -63 ... 63: form 2 of the integers.
  public let isNarrow: Bool
  /// What one unit of a sum is worth: [channels]. Only float results of an integer model use it.
  public let sumScales: Buffer<Float>
  private let packed: Buffer<UInt8>

  /// Checks the parts against each other and packs the weights for this machine.
  ///
  /// - Parameter largestInput: the largest magnitude an input can have, 255 for bytes and 16383 for words.
  /// - Throws: `.format` if a size is off, a value out of range, or a sum could leave int32.
  public init(
    shape: LayerShape, weights: Buffer<Int8>, bias: Buffer<Int32>, multipliers: Buffer<Int32>,
    shift: Int, table: Buffer<UInt8>?, zero: UInt8 = 0, sumScales: Buffer<Float>, largestInput: Int,
    isNarrow: Bool = false
  ) throws(AEError) {
    let outputs = shape.channels
    guard shape.hasWeights, shape.inputs > 0, outputs > 0, weights.count == shape.weightCount,
      bias.count == outputs, multipliers.count == outputs, sumScales.count == outputs,
      table == nil || table!.count == IntegerLayer.tableCount
    else { throw AEError(.format, "an integer layer's parts do not fit \(shape.inputs) x \(shape.outputs)") }
    guard (1...62).contains(shift) else {
      throw AEError(.format, "an integer layer's shift must be in 1 ... 62, not \(shift)")
    }
    let largest = isNarrow ? 63 : 127
    for o in 0..<outputs {
      var reach = 0
      for row in stride(from: o, to: shape.rows, by: outputs) {
        let sum = IntegerLayer.reach(weights.base + row * shape.columns, shape.columns)
        guard sum >= 0 else {
          throw AEError(.format, "integer layer, output \(o): a weight must be in -127 ... 127, not -128")
        }
        reach += sum
      }
      let magnitude = Int(bias.base[o].magnitude) + reach * largestInput
      guard magnitude <= Int(Int32.max), multipliers.base[o] >= 0 else {
        throw AEError(
          .format, "integer layer, output \(o): a sum could reach \(magnitude), or the multiplier is negative"
        )
      }
      guard sumScales.base[o].isFinite else {
        throw AEError(.format, "integer layer, output \(o): the scale is not finite")
      }
    }
    if isNarrow {
      for i in 0..<weights.count where weights.base[i].magnitude > 63 {
        throw AEError(
          .format,
          "integer layer, weight \(i): it must be in -\(largest) ... \(largest), not \(Int(weights.base[i]))")
      }
    }
    self.shape = shape
    self.weights = weights
    self.bias = bias
    self.multipliers = multipliers
    self.shift = shift
    self.table = table
    self.zero = zero
    secondZero = 0
    self.isNarrow = isNarrow
    self.sumScales = sumScales
    var kernel = ck_integer_layer()
    (kernel.inputs, kernel.outputs) = (shape.columns, shape.rows)
    kernel.weights = UnsafePointer(weights.base)
    kernel.bias = UnsafePointer(bias.base)
    (kernel.convolution, kernel.zero) = (shape.geometry, Int32(zero))
    packed = try Buffer(count: ck_integer_layer_size(&kernel))
    guard ck_integer_layer_pack(&kernel, packed.base) == 0 else {
      throw AEError(.memory, "cannot allocate rows for an integer layer")
    }
  }

  /// Entries of the table of a layer or an add.
  public static let tableCount = 4096

  /// Entries of the table of a node without weights.
  public static func tableCount(ofWeightless shape: LayerShape) -> Int {
    switch shape.place.operation {
    case Int32(CK_ADD): return tableCount
    case Int32(CK_ACTIVATE): return 256
    case Int32(CK_CONCATENATE): return 512
    default: return 0
    }
  }

  /// A node without weights.
  ///
  /// - Parameters:
  ///   - multipliers: of an add one for each source, else none; `shift` likewise, else 0.
  ///   - zeros: of an add the bytes that stand for 0 in its sources.
  /// - Throws: `.format` if a size is off or a value out of range.
  public init(
    weightless shape: LayerShape, multipliers: (Int32, Int32) = (0, 0), shift: Int = 0,
    table: Buffer<UInt8>? = nil, zeros: (UInt8, UInt8) = (0, 0)
  ) throws(AEError) {
    let isAdd = shape.place.operation == Int32(CK_ADD)
    let entries = IntegerLayer.tableCount(ofWeightless: shape)
    guard !shape.hasWeights, (table?.count ?? 0) == entries, multipliers.0 >= 0, multipliers.1 >= 0,
      isAdd ? (1...62).contains(shift) : shift == 0
    else {
      throw AEError(
        .format, "an integer node's parts do not fit: a table of \(table?.count ?? 0), a shift of \(shift)")
    }
    self.shape = shape
    weights = try Buffer(count: 0)
    bias = try Buffer(count: 0)
    self.multipliers = try Buffer(count: isAdd ? 2 : 0)
    if isAdd {
      self.multipliers.base[0] = multipliers.0
      self.multipliers.base[1] = multipliers.1
    }
    self.shift = shift
    self.table = table
    (zero, secondZero) = zeros
    isNarrow = false
    sumScales = try Buffer(count: 0)
    packed = try Buffer(count: 0)
  }

  /// A dense layer [outputs, inputs].
  public convenience init(
    inputs: Int, outputs: Int, weights: Buffer<Int8>, bias: Buffer<Int32>, multipliers: Buffer<Int32>,
    shift: Int, table: Buffer<UInt8>?, sumScales: Buffer<Float>, largestInput: Int
  ) throws(AEError) {
    try self.init(
      shape: LayerShape(inputs: inputs, outputs: outputs, activation: .identity), weights: weights,
      bias: bias,
      multipliers: multipliers, shift: shift, table: table, sumScales: sumScales, largestInput: largestInput)
  }

  public var inputs: Int { shape.inputs }
  public var outputs: Int { shape.outputs }

  /// The sum of weights' magnitudes, or -1 if one of them is -128, which no layer has.
  public static func reach(_ weights: UnsafePointer<Int8>, _ count: Int) -> Int {
    Int(ck_integer_reach(count, weights))
  }

  // One layer alone, for whoever fits a network: `count` rows of bytes or words into bytes, or into sums.

  public func run(_ input: UnsafePointer<UInt8>, count: Int, into output: UnsafeMutablePointer<UInt8>)
    throws(AEError)
  {
    try run { ck_integer_bytes_to_bytes($0, count, input, output) }
  }

  public func run(_ input: UnsafePointer<Int16>, count: Int, into output: UnsafeMutablePointer<UInt8>)
    throws(AEError)
  {
    try run { ck_integer_words_to_bytes($0, count, input, output) }
  }

  public func run(_ input: UnsafePointer<UInt8>, count: Int, into sums: UnsafeMutablePointer<Int32>)
    throws(AEError)
  {
    try run { ck_integer_bytes_to_sums($0, count, input, sums) }
  }

  /// A node without weights on bytes of one source or two.
  public func run(
    _ input: UnsafePointer<UInt8>, _ second: UnsafePointer<UInt8>?, count: Int,
    into output: UnsafeMutablePointer<UInt8>
  ) throws(AEError) {
    try run {
      ck_integer_node($0, count, input, second, output)
      return 0
    }
  }

  /// A move of words.
  public func move(_ input: UnsafePointer<Int16>, count: Int, into output: UnsafeMutablePointer<Int16>)
    throws(AEError)
  {
    try run {
      ck_integer_move($0, count, input, output)
      return 0
    }
  }

  private func run(_ call: (UnsafePointer<ck_integer_layer>) -> Int32) throws(AEError) {
    var kernel = self.kernel
    guard withExtendedLifetime(self, { call(&kernel) }) == 0 else {
      throw AEError(.memory, "cannot allocate rows for an integer layer")
    }
  }

  /// The layer as the kernels see it; valid while `self` lives.
  var kernel: ck_integer_layer {
    ck_integer_layer(
      inputs: shape.hasWeights ? shape.columns : shape.inputs,
      outputs: shape.hasWeights ? shape.rows : shape.outputs, weights: weights.base, packed: packed.base,
      bias: bias.base, multiplier: multipliers.base, shift: Int32(shift), table: table?.base,
      convolution: shape.geometry, zero: Int32(zero), narrow: isNarrow ? 1 : 0, node: shape.place,
      second_zero: Int32(secondZero))
  }
}

/// Layers as the kernels see them, in one piece; they live as long as this does.
private final class KernelLayers: @unchecked Sendable {
  let layers: [IntegerLayer]
  let kernels: Buffer<ck_integer_layer>

  init(_ layers: [IntegerLayer]) throws(AEError) {
    self.layers = layers
    kernels = try Buffer(count: layers.count)
    for (index, layer) in layers.enumerated() { kernels.base[index] = layer.kernel }
  }
}

/// A network in integers: of an encoder from the bytes of pixels to latents in fixed point, of a decoder the other way. Its
/// layers may be made at first use; their sizes are known before. Immutable.
public final class IntegerNetwork: Sendable {
  /// Sizes alone: activations are in the layers' tables.
  public let shapes: [LayerShape]
  /// Whether all weights are in -63 ... 63 by contract: form 2 of the integers.
  public let isNarrow: Bool
  private let made = Lazy<KernelLayers>()
  private let make: @Sendable () throws(AEError) -> [IntegerLayer]

  public init(layers: [IntegerLayer]) throws(AEError) {
    shapes = layers.map { $0.shape }
    isNarrow = !layers.contains { $0.shape.hasWeights && !$0.isNarrow }
    make = { () throws(AEError) in layers }
  }

  /// A network whose layers `make` gives at first use; what it throws, that use throws. Of `shapes`, only the
  /// sizes count.
  public init(
    shapes: [LayerShape], isNarrow: Bool = false,
    make: @escaping @Sendable () throws(AEError) -> [IntegerLayer]
  ) {
    self.shapes = shapes
    self.isNarrow = isNarrow
    self.make = make
  }

  public func layers() throws(AEError) -> [IntegerLayer] { try kernelLayers().layers }
  public var inputCount: Int { shapes[0].inputs }
  /// Of an encoder the latents, and for variational kinds the log-variances after them.
  public var outputCount: Int { shapes[shapes.count - 1].outputs }

  private func kernelLayers() throws(AEError) -> KernelLayers {
    try made.value { () throws(AEError) in try KernelLayers(try make()) }
  }

  /// Runs a kernel over the layers; it gives 0 unless memory was refused.
  @inline(__always)
  private func run(_ kernel: (KernelLayers) -> Int32) throws(AEError) {
    let layers = try kernelLayers()
    guard withExtendedLifetime(layers, { kernel(layers) }) == 0 else {
      throw AEError(.memory, "cannot allocate rows for the integer network")
    }
  }

  /// `count` rows of `inputCount` bytes into rows of `outputCount` latents in fixed point, each in
  /// -16383 ... 16383 units of 1/256 of the latent's scale.
  public func encode(_ pixels: UnsafePointer<UInt8>, count: Int, into latents: UnsafeMutablePointer<Int16>)
    throws(AEError)
  {
    try run { ck_integer_network_words($0.kernels.base, $0.kernels.count, count, pixels, latents) }
  }

  /// `count` rows of `inputCount` bytes into rows of `outputCount` floats: sum times `sumScales`.
  /// - Throws: `.diverged` if one of them is not finite; `.memory`.
  public func encode(_ pixels: UnsafePointer<UInt8>, count: Int, into outputs: UnsafeMutablePointer<Float>)
    throws(AEError)
  {
    try run {
      // Moves may follow the last layer.
      var last = $0.layers.count - 1
      while last > 0 && !$0.layers[last].shape.hasWeights { last -= 1 }
      return ck_integer_network_floats(
        $0.kernels.base, $0.kernels.count, count, pixels, $0.layers[last].sumScales.base, outputs)
    }
    let overflow = ck_first_not_finite(count * outputCount, outputs)
    guard overflow == count * outputCount else {
      throw overflowed("images", at: overflow, width: outputCount)
    }
  }

  /// `count` rows of `inputCount` latents in fixed point, each in -16383 ... 16383, into rows of
  /// `outputCount` bytes.
  public func decode(_ latents: UnsafePointer<Int16>, count: Int, into pixels: UnsafeMutablePointer<UInt8>)
    throws(AEError)
  {
    try run { ck_integer_network_bytes($0.kernels.base, $0.kernels.count, count, latents, pixels) }
  }
}

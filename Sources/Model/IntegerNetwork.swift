// The integer networks: what decodes image sets to the same bytes on every machine. Weights are int8,
// activations bytes, sums int32, activation functions tables; nothing here rounds in floating point.
// docs/format-aew.md gives the arithmetic for other readers; CKernels.h gives it for the kernels.

import CKernels
import Compute
import Core

/// A dense layer in integers; see `ck_integer_layer` for the arithmetic.
public final class IntegerLayer: @unchecked Sendable {
  public let inputs: Int
  public let outputs: Int
  /// [outputs, inputs], row-major, each in -127 ... 127.
  public let weights: Buffer<Int8>
  /// [outputs]; with the weights, such that every sum fits in int32.
  public let bias: Buffer<Int32>
  /// [outputs], 0 ... 2^31 - 1.
  public let multipliers: Buffer<Int32>
  /// 1 ... 62.
  public let shift: Int
  /// [4096] bytes for pre-activations -2048 ... 2047, or nil for a layer that gives words (the last one
  /// of an encoder).
  public let table: Buffer<UInt8>?
  /// What one unit of a sum is worth: [outputs]. Only float results of an integer model use it.
  public let sumScales: Buffer<Float>
  private let packed: Buffer<UInt8>

  /// Checks the parts against each other and packs the weights for this machine.
  ///
  /// - Parameter largestInput: the largest magnitude an input can have, 255 for bytes and 16383 for words.
  /// - Throws: `.format` if a size is off, a value out of range, or a sum could leave int32.
  public init(
    inputs: Int, outputs: Int, weights: Buffer<Int8>, bias: Buffer<Int32>, multipliers: Buffer<Int32>,
    shift: Int, table: Buffer<UInt8>?, sumScales: Buffer<Float>, largestInput: Int
  ) throws(AEError) {
    guard inputs > 0, outputs > 0, weights.count == inputs * outputs, bias.count == outputs,
      multipliers.count == outputs, sumScales.count == outputs, table == nil || table!.count == 4096
    else { throw AEError(.format, "an integer layer's parts do not fit \(inputs) x \(outputs)") }
    guard (1...62).contains(shift) else {
      throw AEError(.format, "an integer layer's shift must be in 1 ... 62, not \(shift)")
    }
    for o in 0..<outputs {
      var magnitude = Int(bias.base[o].magnitude)
      let row = weights.base + o * inputs
      for i in 0..<inputs { magnitude += Int(row[i].magnitude) * largestInput }
      guard magnitude <= Int(Int32.max), multipliers.base[o] >= 0 else {
        throw AEError(
          .format, "integer layer, output \(o): a sum could reach \(magnitude), or the multiplier is negative"
        )
      }
      guard sumScales.base[o].isFinite else {
        throw AEError(.format, "integer layer, output \(o): the scale is not finite")
      }
    }
    self.inputs = inputs
    self.outputs = outputs
    self.weights = weights
    self.bias = bias
    self.multipliers = multipliers
    self.shift = shift
    self.table = table
    self.sumScales = sumScales
    packed = try Buffer(count: ck_integer_packed_size(inputs, outputs))
    ck_integer_pack(inputs, outputs, weights.base, packed.base)
  }

  /// The layer as the kernels see it; valid while `self` lives.
  var kernel: ck_integer_layer {
    ck_integer_layer(
      inputs: inputs, outputs: outputs, weights: weights.base, packed: packed.base, bias: bias.base,
      multiplier: multipliers.base, shift: Int32(shift), table: table?.base)
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

  /// Runs a kernel over them; it gives 0 unless memory was refused.
  @inline(__always)
  func run(_ kernel: (UnsafePointer<ck_integer_layer>, Int) -> Int32) throws(AEError) {
    guard kernel(kernels.base, kernels.count) == 0 else {
      throw AEError(.memory, "cannot allocate rows for the integer network")
    }
  }
}

/// Pixels to latents in integers.
public final class IntegerEncoder: Sendable {
  private let stack: KernelLayers

  public init(layers: [IntegerLayer]) throws(AEError) { stack = try KernelLayers(layers) }

  public var layers: [IntegerLayer] { stack.layers }
  public var inputCount: Int { layers[0].inputs }
  /// The latents, and for variational kinds the log-variances after them.
  public var outputCount: Int { layers[layers.count - 1].outputs }

  /// `count` rows of `inputCount` bytes into rows of `outputCount` latents in fixed point, each in
  /// -16383 ... 16383 units of 1/256 of the latent's scale.
  public func encode(_ pixels: UnsafePointer<UInt8>, count: Int, into latents: UnsafeMutablePointer<Int16>)
    throws(AEError)
  {
    try stack.run { ck_integer_network_words($0, $1, count, pixels, latents) }
  }

  /// `count` rows of `inputCount` bytes into rows of `outputCount` floats: sum times `sumScales`.
  public func encode(_ pixels: UnsafePointer<UInt8>, count: Int, into outputs: UnsafeMutablePointer<Float>)
    throws(AEError)
  {
    let scales = stack.layers[stack.layers.count - 1].sumScales.base
    try stack.run { ck_integer_network_floats($0, $1, count, pixels, scales, outputs) }
  }
}

/// Latents to pixels in integers.
public final class IntegerDecoder: Sendable {
  private let stack: KernelLayers

  public init(layers: [IntegerLayer]) throws(AEError) { stack = try KernelLayers(layers) }

  public var layers: [IntegerLayer] { stack.layers }
  public var inputCount: Int { layers[0].inputs }
  public var outputCount: Int { layers[layers.count - 1].outputs }

  /// `count` rows of `inputCount` latents in fixed point, each in -16383 ... 16383, into rows of
  /// `outputCount` bytes.
  public func decode(_ latents: UnsafePointer<Int16>, count: Int, into pixels: UnsafeMutablePointer<UInt8>)
    throws(AEError)
  {
    try stack.run { ck_integer_network_bytes($0, $1, count, latents, pixels) }
  }
}

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

/// Pixels to latents in integers.
public final class IntegerEncoder: Sendable {
  public let layers: [IntegerLayer]

  public init(layers: [IntegerLayer]) { self.layers = layers }

  public var inputCount: Int { layers[0].inputs }
  /// The latents, and for variational kinds the log-variances after them.
  public var outputCount: Int { layers[layers.count - 1].outputs }

  /// `count` rows of `inputCount` bytes into rows of `outputCount` latents in fixed point, each in
  /// -16383 ... 16383 units of 1/256 of the latent's scale.
  public func encode(_ pixels: UnsafePointer<UInt8>, count: Int, into latents: UnsafeMutablePointer<Int16>)
    throws(AEError)
  {
    try throughHidden(pixels, count: count) { layer, rows, first, source in
      withExtendedLifetime(layer) {
        var kernel = layer.kernel
        return ck_integer_bytes_to_words(&kernel, rows, source, latents + first * layer.outputs)
      }
    }
  }

  /// `count` rows of `inputCount` bytes into rows of `outputCount` floats: sum times `sumScales`.
  public func encode(_ pixels: UnsafePointer<UInt8>, count: Int, into outputs: UnsafeMutablePointer<Float>)
    throws(AEError)
  {
    let sums = try Buffer<Int32>(count: min(count, DenseNetwork.chunkCount) * outputCount)
    try throughHidden(pixels, count: count) { layer, rows, first, source in
      withExtendedLifetime(layer) {
        var kernel = layer.kernel
        guard ck_integer_bytes_to_sums(&kernel, rows, source, sums.base) == 0 else { return -1 }
        for row in 0..<rows {
          for o in 0..<layer.outputs {
            outputs[(first + row) * layer.outputs + o] =
              Float(sums.base[row * layer.outputs + o]) * layer.sumScales.base[o]
          }
        }
        return 0
      }
    }
  }

  /// Runs chunks of rows through all layers but the last, which `last` does: it gets the layer, the rows
  /// of this chunk, the first row's number, and the layer's input.
  private func throughHidden(
    _ pixels: UnsafePointer<UInt8>, count: Int,
    last: (IntegerLayer, Int, Int, UnsafePointer<UInt8>) -> Int32
  ) throws(AEError) {
    let chunk = min(count, DenseNetwork.chunkCount)
    var widest = 1
    for layer in layers.dropLast() where layer.outputs > widest { widest = layer.outputs }
    let scratch = [try Buffer<UInt8>(count: chunk * widest), try Buffer<UInt8>(count: chunk * widest)]
    var first = 0
    while first < count {
      let rows = min(chunk, count - first)
      var source = pixels + first * inputCount
      var status: Int32 = 0
      for (index, layer) in layers.enumerated() where status == 0 {
        if index == layers.count - 1 {
          status = last(layer, rows, first, source)
        } else {
          let target = scratch[index & 1].base
          status = withExtendedLifetime(layer) {
            var kernel = layer.kernel
            return ck_integer_bytes_to_bytes(&kernel, rows, source, target)
          }
          source = UnsafePointer(target)
        }
      }
      guard status == 0 else { throw AEError(.memory, "cannot allocate rows for the integer network") }
      first += rows
    }
  }
}

/// Latents to pixels in integers.
public final class IntegerDecoder: Sendable {
  public let layers: [IntegerLayer]

  public init(layers: [IntegerLayer]) { self.layers = layers }

  public var inputCount: Int { layers[0].inputs }
  public var outputCount: Int { layers[layers.count - 1].outputs }

  /// `count` rows of `inputCount` latents in fixed point, each in -16383 ... 16383, into rows of
  /// `outputCount` bytes.
  public func decode(_ latents: UnsafePointer<Int16>, count: Int, into pixels: UnsafeMutablePointer<UInt8>)
    throws(AEError)
  {
    let chunk = min(count, DenseNetwork.chunkCount)
    var widest = 1
    for layer in layers.dropLast() where layer.outputs > widest { widest = layer.outputs }
    let scratch = [try Buffer<UInt8>(count: chunk * widest), try Buffer<UInt8>(count: chunk * widest)]
    var first = 0
    while first < count {
      let rows = min(chunk, count - first)
      var status: Int32 = 0
      var source: UnsafePointer<UInt8>? = nil
      for (index, layer) in layers.enumerated() where status == 0 {
        let target = index == layers.count - 1 ? pixels + first * outputCount : scratch[index & 1].base
        status = withExtendedLifetime(layer) {
          var kernel = layer.kernel
          if let source { return ck_integer_bytes_to_bytes(&kernel, rows, source, target) }
          return ck_integer_words_to_bytes(&kernel, rows, latents + first * inputCount, target)
        }
        source = UnsafePointer(target)
      }
      guard status == 0 else { throw AEError(.memory, "cannot allocate rows for the integer network") }
      first += rows
    }
  }
}

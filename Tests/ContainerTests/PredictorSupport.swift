// Predictors of pixels for tests, made by whole numbers alone: what golden files are made of has to be the same for ever.

import Compute
import Core
import Lossless
import Network
import Storage

extension Support {
  /// Numbers of a layer of a predictor: of its place, whether it is the last, and the numbers so far.
  struct PredictorNumbers: Sendable {
    var weight: @Sendable (inout Numbers) -> Int
    /// Given the largest magnitude that it may have.
    var bias: @Sendable (_ output: Int, _ isLast: Bool, _ most: Int) -> Int
    var multiplier: Int32
    var shift: Int
    /// Of a hidden layer's table.
    var activation: @Sendable (Int) -> UInt8
    /// Of the table of corrections.
    var correction: @Sendable (_ index: Int, inout Numbers) -> Int16

    /// Small ones, with distributions some grey levels wide around what is expected.
    static let usual = PredictorNumbers(
      weight: { $0.below(17) - 8 },
      bias: { output, isLast, _ in isLast && (10..<15).contains(output) ? -400 * 16 : 0 },
      multiplier: 1 << 20, shift: 24,
      activation: { UInt8(min(max($0 - 2048, 0) / 4, 255)) },
      // Few of them, so that a weight file is small.
      correction: { index, numbers in index % 16 < 2 ? Int16(numbers.below(601) - 300) : 0 })

    /// Numbers at the ends of their ranges, where sums come near those of int32.
    static let extremes: [(name: String, numbers: PredictorNumbers)] = [
      (
        "all up",
        PredictorNumbers(
          weight: { _ in 127 }, bias: { _, _, most in most }, multiplier: .max, shift: 1,
          activation: { _ in 255 }, correction: { _, _ in .max })
      ),
      (
        "all down",
        PredictorNumbers(
          weight: { _ in -127 }, bias: { _, _, most in -most }, multiplier: .max, shift: 1,
          activation: { _ in 255 }, correction: { _, _ in .min })
      ),
      (
        "up and down",
        PredictorNumbers(
          weight: { $0.below(2) * 254 - 127 }, bias: { output, _, most in output % 2 == 0 ? most : -most },
          multiplier: .max, shift: 1, activation: { UInt8(255 * ($0 & 1)) },
          correction: { index, _ in index % 2 == 0 ? .max : .min })
      ),
      (
        "at random",
        PredictorNumbers(
          weight: { $0.below(255) - 127 }, bias: { _, _, _ in 0 }, multiplier: 1 << 20, shift: 20,
          activation: { UInt8($0 >> 4) },
          correction: { _, numbers in Int16(truncatingIfNeeded: numbers.below(65536)) })
      ),
      (
        "all flat",
        PredictorNumbers(
          weight: { _ in 0 }, bias: { _, _, _ in 0 }, multiplier: 0, shift: 62, activation: { _ in 0 },
          correction: { index, _ in index % 3 == 0 ? .max : .min })
      ),
    ]
  }

  /// A predictor of which nothing was learned.
  static func predictor(
    hidden: [Int] = [8, 8], _ of: PredictorNumbers = .usual
  ) throws(AEError) -> Predictor {
    var numbers = Numbers(state: 11)
    let widths = [Predictor.inputCount] + hidden + [Predictor.outputCount]
    var layers: [IntegerLayer] = []
    for index in 0..<widths.count - 1 {
      let (inputs, outputs) = (widths[index], widths[index + 1])
      let isLast = index == widths.count - 2
      let weights = try Buffer<Int8>(count: inputs * outputs)
      let bias = try Buffer<Int32>(count: outputs)
      let multipliers = try Buffer<Int32>(count: outputs)
      let scales = try Buffer<Float>(count: outputs)
      for output in 0..<outputs {
        var reach = 0
        for input in 0..<inputs {
          let weight = of.weight(&numbers)
          weights[output * inputs + input] = Int8(weight)
          reach += abs(weight) * 255
        }
        bias[output] = Int32(of.bias(output, isLast, Int(Int32.max) - reach))
        multipliers[output] = of.multiplier
        scales[output] = 1
      }
      var table: Buffer<UInt8>?
      if !isLast {
        let values = try Buffer<UInt8>(count: 4096)
        for place in 0..<4096 { values[place] = of.activation(place) }
        table = values
      }
      layers.append(
        try IntegerLayer(
          inputs: inputs, outputs: outputs, weights: weights, bias: bias, multipliers: multipliers,
          shift: of.shift, table: table, sumScales: scales, largestInput: 255))
    }
    let table = try Buffer<Int16>(count: Predictor.tableCount)
    for index in 0..<table.count { table[index] = of.correction(index, &numbers) }
    return try Predictor(network: try IntegerNetwork(layers: layers), table: table)
  }

  /// Grey images of two values: black where `drawings` are dark.
  static func bilevel(_ count: Int) throws(AEError) -> ImageSet {
    let set = try drawings(count)
    for index in 0..<set.pixels.count { set.pixels[index] = set.pixels[index] > 127 ? 255 : 0 }
    return set
  }
}

// The quantisation of a hidden layer's activations to bytes: range, zero point, and the table from sums to bytes.

import Compute
import Core
import Network

/// How a layer's activations are quantised to bytes.
struct ActivationRange {
  /// What one unit of the 12-bit pre-activation is worth.
  let unit: Double
  /// The step between codes, and the zero point.
  let scale: Double
  let zero: Int
  /// The offset, in steps, that is added beside `zero` before rounding. Where steps are wider than 1 or finer than 1/254,
  /// 0 may not be representable; `zero` is the nearest code. Biases compensate for the difference, but not where padding
  /// is read as `zero`.
  var shift = 0.0

  /// The code of a value.
  func byte(_ value: Double) -> UInt8 {
    UInt8((Int(saturating: value / scale + shift) + zero).clamped(to: 0...255))
  }
}

/// The range of pixels: bytes are 1/255 each. Beyond +-8 a sigmoid is 0 or 255 to within rounding.
func pixelRange(_ activation: Activation) -> ActivationRange {
  ActivationRange(unit: (activation == .sigmoid ? 8.0 : 1.0) / 2047, scale: 1 / 255, zero: 0)
}

/// What a byte of a layer of ReLUs is worth, from its activations.
package func activationStep(_ values: Buffer<Float>) -> Double { max(quantile(values, 0.99995), 1e-3) / 255 }

/// The range of a hidden layer, from its pre-activations.
func activationRange(_ values: Buffer<Float>, _ shape: LayerShape) -> ActivationRange {
  // Rare outliers are clipped: a finer step for all the others is worth more.
  let upper = max(quantile(values, 0.99995), 1e-3)
  let lower = min(-quantile(values, 0.99995, negated: true), 0)
  switch shape.activation {
  case .sigmoid:
    return ActivationRange(unit: 8.0 / 2047, scale: 1.0 / 255, zero: 0)
  case .relu:
    return ActivationRange(unit: upper / 2047, scale: upper / 255, zero: 0)
  case .elu:
    // A whole number of steps below zero, so that -1, the value of many saturated units, is representable.
    let below = Int(saturating: (255 / (upper + 1)).rounded(.down)).clamped(to: 0...254)
    if shape.isConvolution || below == 0 { return leastErrorRange(values, upper: upper) }
    let scale = 1 / Double(below)
    return ActivationRange(
      unit: max(upper, 4) / 2047, scale: scale, zero: below)
  case .identity:
    let scale = (upper - lower) / 255
    return ActivationRange(
      unit: max(upper, -lower) / 2047, scale: scale,
      zero: Int(saturating: -lower / scale).clamped(to: 0...255))
  case .leakyReLU, .silu, .gelu, .geluTanh, .tanh:
    return curveRange(shape.activation, lower: lower, upper: upper)
  }
}

/// The range of an activation that is not linear below 0, for pre-activations from `lower`, at most 0, to `upper`.
private func curveRange(_ activation: Activation, lower: Double, upper: Double) -> ActivationRange {
  // Beyond this a saturated function is within half a code of its limit.
  let (lowest, highest): (Double, Double)
  switch activation {
  case .tanh: (lowest, highest) = (-3.5, 3.5)
  case .silu: (lowest, highest) = (-10, .infinity)
  case .gelu, .geluTanh: (lowest, highest) = (-4.5, .infinity)
  default: (lowest, highest) = (-.infinity, .infinity)
  }
  let (from, to) = (max(lower, lowest), min(upper, highest))
  // Some have their least value inside.
  var least = 0.0
  var largest = activation.value(to)
  for part in 0...64 {
    let y = activation.value(from * Double(part) / 64)
    least = min(least, y)
    largest = max(largest, y)
  }
  let scale = max(largest - least, 1e-6) / 255
  return ActivationRange(
    unit: max(to, -from) / 2047, scale: scale, zero: Int(saturating: -least / scale).clamped(to: 0...255))
}

/// The range with the least squared error of ELUs of `values`, apart from the mean error, which biases compensate for.
///
/// Either code 0 is -1, the value of many saturated units. With steps 1, 1/2, ... 1/254 the value 0 has a code, too; with
/// other steps it has none and padding is inexact, which only much finer steps are worth. Or code 0 is the lowest
/// activation seen and 0 has a code: for layers whose activations stay far from -1.
private func leastErrorRange(_ values: Buffer<Float>, upper: Double) -> ActivationRange {
  var least: Float = 0
  var largest: Float = 0
  for i in 0..<values.count {
    least = min(least, values.base[i])
    largest = max(largest, values.base[i])
  }
  let binCount = 1 << 13
  let width = max(Double(largest) - Double(least), 1e-9) / Double(binCount)
  var counts = [Double](repeating: 0, count: binCount)
  for i in 0..<values.count {
    let bin = ((Double(values.base[i]) - Double(least)) / width).rounded(.down)
    counts[Int(saturating: bin).clamped(to: 0...binCount - 1)] += 1
  }
  func elu(_ x: Double) -> Double { x > 0 ? x : ExactMath.exp(x) - 1 }
  let activations = (0..<binCount).map { elu(Double(least) + (Double($0) + 0.5) * width) }
  var best = (error: Double.infinity, scale: 1.0, origin: -1.0)
  /// `origin` is the value of code 0.
  func consider(scale: Double, origin: Double, handicap: Double = 1) {
    var error = 0.0
    var mean = 0.0
    for bin in 0..<binCount where counts[bin] > 0 {
      let byte = min(max(((activations[bin] - origin) / scale).rounded(), 0), 255)
      let off = byte * scale + origin - activations[bin]
      error += counts[bin] * off * off
      mean += counts[bin] * off
    }
    error = (error - mean * mean / Double(values.count)) * handicap
    if error < best.error { best = (error, scale, origin) }
  }
  for steps in 1...254 { consider(scale: 1 / Double(steps), origin: -1) }
  for part in 9...128 { consider(scale: 8 / Double(part * 254), origin: -1, handicap: 4) }
  for part in 4...32 {
    let top = upper * Double(part) / 32
    consider(scale: max(1, (top + 1) / 255), origin: -1)
    let scale = (top - elu(Double(least))) / 255
    consider(scale: scale, origin: (elu(Double(least)) / scale).rounded() * scale)
  }
  let byteOfZero = -best.origin / best.scale
  let zero = Int(saturating: byteOfZero).clamped(to: 0...255)
  // Below this an ELU is within half a step of -1.
  let lowest = max(Double(least), ExactMath.log(min(best.scale / 2, 1)))
  return ActivationRange(
    unit: max(255 * best.scale + best.origin, -lowest) / 2047, scale: best.scale, zero: zero,
    shift: byteOfZero - Double(zero))
}

/// The quantile of the values, or of their negatives.
private func quantile(_ values: Buffer<Float>, _ share: Double, negated: Bool = false) -> Double {
  // A histogram over [0, largest]: exact enough for a range, and no sort of millions.
  var largest: Float = 0
  for i in 0..<values.count {
    let value = negated ? -values.base[i] : values.base[i]
    if value > largest { largest = value }
  }
  guard largest > 0, largest.isFinite else { return 0 }
  let bins = 8192
  var histogram = [Int](repeating: 0, count: bins + 1)
  for i in 0..<values.count {
    let value = negated ? -values.base[i] : values.base[i]
    histogram[Int(saturating: Double(max(value, 0) / largest) * Double(bins)).clamped(to: 0...bins)] += 1
  }
  var above = Int((1 - share) * Double(values.count))
  for bin in stride(from: bins, through: 0, by: -1) {
    above -= histogram[bin]
    if above < 0 { return (Double(bin) + 0.5) / Double(bins) * Double(largest) }
  }
  return Double(largest)
}

/// The table from pre-activations to bytes; `offset` is added to what a pre-activation is worth.
func activationTable(_ activation: Activation, _ range: ActivationRange, offset: Double = 0) throws(AEError)
  -> Buffer<UInt8>
{
  let table = try Buffer<UInt8>(count: 4096)
  for index in 0..<4096 {
    let x = Double(index - 2048) * range.unit + offset
    let y = activation.value(x)
    table.base[index] = range.byte(y)
  }
  return table
}

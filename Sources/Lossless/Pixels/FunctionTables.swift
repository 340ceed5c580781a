// Elementary functions as tables, which coding pixel by pixel looks up. Made of IEEE operations alone, so that they are the
// same on every machine; docs/format-aez.md has their formulas and checksums.

import CPixels
import Compute
import Core

/// The tables, made at first use and then shared.
final class FunctionTables: Sendable {
  private let logit: Buffer<Int16>
  private let log: Buffer<Int16>
  private let logistic: Buffer<UInt16>
  private let sigmoid: Buffer<UInt32>
  private let power: Buffer<UInt32>
  private let rate: Buffer<UInt32>

  init() throws(AEError) {
    func logit(_ p: Double) -> Double { 256 * ExactMath.log(p / (1 - p)) }
    self.logit = try table(4096) { logit((Double($0) + 0.5) / 4096) }
    log = try table(2048) { 4096 * ExactMath.log(1 + (Double($0) + 0.5) / 2048) }
    logistic = try table(6144) {
      min(max(65536 / (1 + ExactMath.exp(Double(3072 - $0) / 256)), 1), 65535)
    }
    sigmoid = try table(1538) { 16_777_216 / (1 + ExactMath.exp(Double(768 - $0) / 64)) }
    power = try table(257) { 65536 * ExactMath.exp(Double($0) / 256 * 0.6931471805599453) }
    rate = try table(16) { (65536 / (Double($0) + 1.5)).rounded(.down) }
  }

  /// The tables as CPixels sees them; valid while `self` lives.
  var functions: cp_functions {
    cp_functions(
      logit: logit.base, log: log.base, logistic: logistic.base, sigmoid: sigmoid.base,
      power: power.base, rate: rate.base)
  }
}

/// A table of the values of a function, rounded to whole numbers.
private func table<Number: FixedWidthInteger & BitwiseCopyable>(
  _ count: Int, _ value: (Int) -> Double
) throws(AEError) -> Buffer<Number> {
  let table = try Buffer<Number>(count: count)
  for index in 0..<count {
    table.base[index] = Number(truncatingIfNeeded: Int(saturating: value(index).rounded()))
  }
  return table
}

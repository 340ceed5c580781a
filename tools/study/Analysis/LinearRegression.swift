// Least squares, and how much of a quantity a prediction explains.

import Core

/// Linear regression with an intercept, by least squares.
public struct LinearRegression: Sendable {
  public let inputCount: Int
  public let outputCount: Int
  /// [inputCount + 1, outputCount]; the last row is the constant.
  public let coefficients: Buffer<Double>

  /// - Parameters:
  ///   - inputs: [count, inputCount].
  ///   - outputs: [count, outputCount].
  /// - Throws: `.argument` if there are not more rows than inputs; `.memory`.
  public init(
    _ inputs: UnsafePointer<Float>, inputCount: Int, _ outputs: UnsafePointer<Float>, outputCount: Int,
    count: Int
  ) throws(AEError) {
    guard count > inputCount, inputCount >= 1, outputCount >= 1 else {
      throw AEError(.argument, "a regression on \(inputCount) inputs needs more than \(count) rows")
    }
    let n = inputCount + 1
    let a = try Buffer<Double>(count: n * n)
    let b = try Buffer<Double>(count: n * outputCount)
    var row = [Double](repeating: 1, count: n)
    for r in 0..<count {
      for i in 0..<inputCount { row[i] = Double(inputs[r * inputCount + i]) }
      for i in 0..<n {
        for j in 0...i { a.base[i * n + j] += row[i] * row[j] }
        for j in 0..<outputCount {
          b.base[i * outputCount + j] += row[i] * Double(outputs[r * outputCount + j])
        }
      }
    }
    // A hint of a ridge lets inputs that never change pass.
    var trace = 0.0
    for i in 0..<n { trace += a.base[i * n + i] }
    for i in 0..<n { a.base[i * n + i] += 1e-12 * trace / Double(n) }
    LinearRegression.solve(a.base, n, b.base, outputCount)
    self.inputCount = inputCount
    self.outputCount = outputCount
    coefficients = b
  }

  /// What it predicts for `count` rows of inputs, [count, outputCount].
  public func predictions(_ inputs: UnsafePointer<Float>, count: Int) throws(AEError) -> Buffer<Float> {
    let result = try Buffer<Float>(count: count * outputCount)
    for r in 0..<count {
      for j in 0..<outputCount {
        var sum = coefficients.base[inputCount * outputCount + j]
        for i in 0..<inputCount {
          sum += Double(inputs[r * inputCount + i]) * coefficients.base[i * outputCount + j]
        }
        result.base[r * outputCount + j] = Float(sum)
      }
    }
    return result
  }

  /// The share of each output's variance that predictions explain, R^2: 1 for all of it, below 0 for worse than
  /// the mean.
  /// - Parameters: [count, width] each.
  public static func explained(
    _ predicted: UnsafePointer<Float>, of actual: UnsafePointer<Float>, count: Int, width: Int
  ) -> [Double] {
    var result: [Double] = []
    for j in 0..<width {
      var mean = 0.0
      for r in 0..<count { mean += Double(actual[r * width + j]) / Double(max(count, 1)) }
      var error = 0.0
      var variance = 0.0
      for r in 0..<count {
        let value = Double(actual[r * width + j])
        let miss = value - Double(predicted[r * width + j])
        error += miss * miss
        variance += (value - mean) * (value - mean)
      }
      result.append(variance > 0 ? 1 - error / variance : 0)
    }
    return result
  }

  /// Solves A X = B in place by Cholesky's method; `a` is symmetric and positive, its lower half is read.
  private static func solve(
    _ a: UnsafeMutablePointer<Double>, _ n: Int, _ b: UnsafeMutablePointer<Double>, _ columns: Int
  ) {
    for i in 0..<n {
      for j in 0...i {
        var sum = a[i * n + j]
        for k in 0..<j { sum -= a[i * n + k] * a[j * n + k] }
        if i == j {
          a[i * n + i] = max(sum, 1e-300).squareRoot()
        } else {
          a[i * n + j] = sum / a[j * n + j]
        }
      }
    }
    for column in 0..<columns {
      for i in 0..<n {
        var sum = b[i * columns + column]
        for k in 0..<i { sum -= a[i * n + k] * b[k * columns + column] }
        b[i * columns + column] = sum / a[i * n + i]
      }
      for i in (0..<n).reversed() {
        var sum = b[i * columns + column]
        for k in i + 1..<max(n, i + 1) { sum -= a[k * n + i] * b[k * columns + column] }
        b[i * columns + column] = sum / a[i * n + i]
      }
    }
  }
}

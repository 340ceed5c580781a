// Logistic regression: how well a linear classifier tells an image's class from its code.

import Compute
import Core

/// Multinomial logistic regression on standardised inputs, fitted by gradient descent with Nesterov's momentum.
public struct LogisticRegression: Sendable {
  public let inputCount: Int
  public let classCount: Int
  /// [classCount, inputCount] and [classCount], for inputs as they come.
  public let weights: Buffer<Float>
  public let bias: Buffer<Float>

  /// - Parameters:
  ///   - inputs: [count, inputCount].
  ///   - labels: [count], each below `classCount`.
  ///   - penalty: of half the squared norm of the weights, by the mean loss.
  /// - Throws: `.argument` if there is nothing to learn from, `.memory`.
  public init(
    _ inputs: UnsafePointer<Float>, inputCount: Int, labels: UnsafePointer<UInt8>, classCount: Int,
    count: Int,
    iterations: Int = 300, penalty: Float = 1e-5
  ) throws(AEError) {
    guard count > 0, inputCount > 0, classCount > 1 else {
      throw AEError(.argument, "a classifier needs rows, inputs and two classes")
    }
    // Standardised, so that one learning rate suits all inputs.
    let mean = try Buffer<Float>(count: inputCount)
    let scale = try Buffer<Float>(count: inputCount)
    parallel(inputCount) { i in
      var sum = 0.0
      var squares = 0.0
      for row in 0..<count {
        let value = Double(inputs[row * inputCount + i])
        sum += value
        squares += value * value
      }
      let m = sum / Double(count)
      mean.base[i] = Float(m)
      let variance = max(squares / Double(count) - m * m, 0)
      // Inputs of hardly any variance are not scaled up.
      scale.base[i] = variance > 1e-8 ? Float(1 / variance.squareRoot()) : 0
    }
    let x = try Buffer<Float>(count: count * inputCount)
    parallel(count) { row in
      for i in 0..<inputCount {
        x.base[row * inputCount + i] = (inputs[row * inputCount + i] - mean.base[i]) * scale.base[i]
      }
    }
    let size = classCount * inputCount
    let w = try Buffer<Float>(count: size)
    let ahead = try Buffer<Float>(count: size)
    let gradient = try Buffer<Float>(count: size)
    let b = try Buffer<Float>(count: classCount)
    let bAhead = try Buffer<Float>(count: classCount)
    let scores = try Buffer<Float>(count: count * classCount)
    let rate = try LogisticRegression.rate(x, count: count, width: inputCount)
    var momentum = 1.0
    for _ in 0..<iterations {
      try multiply(
        x.base, by: ahead.base, transposeB: true, into: scores.base, m: count, n: classCount, k: inputCount,
        bias: bAhead.base)
      // Scores become probabilities less what is true: the gradient by the scores.
      parallel(count) { row in
        let s = scores.base + row * classCount
        var largest = s[0]
        for c in 1..<classCount { largest = max(largest, s[c]) }
        var total: Float = 0
        for c in 0..<classCount {
          s[c] = Float(ExactMath.exp(Double(s[c] - largest)))
          total += s[c]
        }
        for c in 0..<classCount { s[c] /= total }
        s[min(Int(labels[row]), classCount - 1)] -= 1
      }
      try multiply(
        scores.base, transposeA: true, by: x.base, into: gradient.base, m: classCount, n: inputCount, k: count
      )
      let next = (1 + (1 + 4 * momentum * momentum).squareRoot()) / 2
      let carry = Float((momentum - 1) / next)
      momentum = next
      for i in 0..<size {
        let moved = ahead.base[i] - rate * (gradient.base[i] / Float(count) + penalty * ahead.base[i])
        ahead.base[i] = moved + carry * (moved - w.base[i])
        w.base[i] = moved
      }
      for c in 0..<classCount {
        var sum: Float = 0
        for row in 0..<count { sum += scores.base[row * classCount + c] }
        let moved = bAhead.base[c] - rate * sum / Float(count)
        bAhead.base[c] = moved + carry * (moved - b.base[c])
        b.base[c] = moved
      }
    }
    for c in 0..<classCount {
      for i in 0..<inputCount {
        w.base[c * inputCount + i] *= scale.base[i]
        b.base[c] -= w.base[c * inputCount + i] * mean.base[i]
      }
    }
    self.inputCount = inputCount
    self.classCount = classCount
    weights = w
    bias = b
  }

  /// The class with the highest score of each of `count` rows.
  public func classes(_ inputs: UnsafePointer<Float>, count: Int) throws(AEError) -> [UInt8] {
    let scores = try Buffer<Float>(count: count * classCount)
    try multiply(
      inputs, by: weights.base, transposeB: true, into: scores.base, m: count, n: classCount, k: inputCount,
      bias: bias.base)
    var result: [UInt8] = []
    for row in 0..<count {
      var best = 0
      for c in 1..<classCount where scores.base[row * classCount + c] > scores.base[row * classCount + best] {
        best = c
      }
      result.append(UInt8(best))
    }
    return result
  }

  /// One over the steepest curvature: half the largest eigenvalue of the inputs' second moments, the constant
  /// among them, by the power method.
  private static func rate(_ x: Buffer<Float>, count: Int, width: Int) throws(AEError) -> Float {
    let v = try Buffer<Float>(count: width)
    let products = try Buffer<Float>(count: count)
    for i in 0..<width { v.base[i] = 1 + Float(i % 7) / 7 }
    var largest: Float = 1
    for _ in 0..<20 {
      var norm: Float = 0
      for i in 0..<width { norm += v.base[i] * v.base[i] }
      guard norm > 0 else { break }
      norm = norm.squareRoot()
      for i in 0..<width { v.base[i] /= norm }
      try multiply(x.base, by: v.base, into: products.base, m: count, n: 1, k: width)
      var sum: Float = 0
      for row in 0..<count { sum += products.base[row] * products.base[row] }
      largest = max(sum / Float(count), 1)
      try multiply(x.base, transposeA: true, by: products.base, into: v.base, m: width, n: 1, k: count)
    }
    return 1 / (0.5 * largest * 1.1)
  }
}

// Muon, the optimiser for weights that are matrices: momentum, made orthogonal before it becomes a step.

import Compute
import Core
import Network

/// Muon (Jordan et al. 2024) over the weights of convolutions, at the scale of Liu et al. (2025), at which a step
/// has the root mean square of Adam's, so that one learning rate serves both.
///
/// Dense layers stay with Adam: theirs are so large here that making them orthogonal costs more than a step.
package struct Muon {
  static let momentum: Float = 0.95
  /// Steps of the iteration, and its odd quintic: it takes singular values to about 1, not all the way.
  private static let iterationCount = 5
  private static let quintic: (Float, Float, Float) = (3.4445, -4.7750, 2.0315)

  /// A parameter as a matrix, and room to work in.
  private struct Matrix {
    let parameter: Parameter
    let rows: Int
    let columns: Int
    /// The step to be, and the next iterate: [rows, columns].
    let x: Buffer<Float>
    let next: Buffer<Float>
    /// The Gram matrix on the shorter side, and a polynomial of it.
    let gram: Buffer<Float>
    let polynomial: Buffer<Float>

    init(_ parameter: Parameter, rows: Int, columns: Int) throws(AEError) {
      self.parameter = parameter
      self.rows = rows
      self.columns = columns
      x = try Buffer(count: rows * columns)
      next = try Buffer(count: rows * columns)
      let side = min(rows, columns)
      gram = try Buffer(count: side * side)
      polynomial = try Buffer(count: side * side)
    }
  }

  private let matrices: [Matrix]

  /// For the convolutions among the layers of `networks`.
  init(_ networks: [TrainableNetwork]) throws(AEError) {
    var matrices: [Matrix] = []
    for network in networks {
      for (shape, weights) in zip(network.shapes, network.weights) where shape.isConvolution {
        weights.isMuons = true
        matrices.append(try Matrix(weights, rows: shape.rows, columns: shape.columns))
      }
    }
    self.matrices = matrices
  }

  /// Makes a step with the gradients that the parameters hold.
  func update(_ step: AdamStep) throws(AEError) {
    for matrix in matrices {
      let parameter = matrix.parameter
      let x = matrix.x.base
      let momentum = parameter.m.base
      let gradient = parameter.gradient.base
      for i in 0..<parameter.count {
        momentum[i] = Muon.momentum * momentum[i] + gradient[i]
        x[i] = gradient[i] + Muon.momentum * momentum[i]
      }
      let direction = try Muon.orthogonalise(
        x, rows: matrix.rows, columns: matrix.columns, next: matrix.next.base, gram: matrix.gram.base,
        polynomial: matrix.polynomial.base)
      let rate = 0.2 * Float(max(matrix.rows, matrix.columns)).squareRoot() * step.learningRate
      let values = parameter.values.base
      for i in 0..<parameter.count { values[i] -= rate * direction[i] }
      guard let average = parameter.average else { continue }
      let share = 1 - step.averageDecay
      for i in 0..<parameter.count { average.base[i] += share * (values[i] - average.base[i]) }
    }
  }

  /// Of x = U S V^T [rows, columns] about U V^T, by a Newton-Schulz iteration on the shorter side.
  ///
  /// - Parameters:
  ///   - next: room for as many numbers; the result lies in one of the two, which is returned.
  ///   - gram, polynomial: room for min(rows, columns) squared.
  package static func orthogonalise(
    _ x: UnsafeMutablePointer<Float>, rows: Int, columns: Int, next: UnsafeMutablePointer<Float>,
    gram: UnsafeMutablePointer<Float>, polynomial: UnsafeMutablePointer<Float>
  ) throws(AEError) -> UnsafeMutablePointer<Float> {
    let count = rows * columns
    var squares: Float = 0
    for i in 0..<count { squares += x[i] * x[i] }
    // The largest singular value is at most this norm; a gradient of zeros makes no step.
    let scale = squares > 0 ? 1 / squares.squareRoot() : 0
    for i in 0..<count { x[i] *= scale }
    let isWide = rows <= columns
    let side = min(rows, columns)
    let (a, b, c) = quintic
    var (x, next) = (x, next)
    for _ in 0..<iterationCount {
      // X X^T or X^T X.
      try multiply(
        x, transposeA: !isWide, by: x, transposeB: isWide, into: gram, m: side, n: side,
        k: max(rows, columns))
      try multiply(gram, by: gram, into: polynomial, m: side, n: side, k: side)
      for i in 0..<side * side { polynomial[i] = b * gram[i] + c * polynomial[i] }
      for i in 0..<count { next[i] = a * x[i] }
      if isWide {
        try multiply(polynomial, by: x, into: next, m: rows, n: columns, k: rows, accumulate: true)
      } else {
        try multiply(x, by: polynomial, into: next, m: rows, n: columns, k: columns, accumulate: true)
      }
      swap(&x, &next)
    }
    return x
  }
}

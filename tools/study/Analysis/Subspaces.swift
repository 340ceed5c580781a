// The principal angles between two subspaces (Björck and Golub 1973).

import Core
import Training

public enum Subspaces {
  /// Orthonormal rows that span what the given rows span, by Gram and Schmidt, twice for accuracy. Rows that
  /// depend on earlier ones are left out.
  /// - Parameter rows: [count, width].
  public static func orthonormal(_ rows: UnsafePointer<Double>, count: Int, width: Int) throws(AEError)
    -> (basis: Buffer<Double>, rank: Int)
  {
    let basis = try Buffer<Double>(count: count * width)
    var rank = 0
    for index in 0..<count {
      let row = basis.base + rank * width
      row.update(from: rows + index * width, count: width)
      let before = norm(row, width)
      for _ in 0..<2 {
        for earlier in 0..<rank {
          let other = basis.base + earlier * width
          let along = product(row, other, width)
          for j in 0..<width { row[j] -= along * other[j] }
        }
      }
      let after = norm(row, width)
      guard after > 1e-10 * before, after > 0 else { continue }
      for j in 0..<width { row[j] /= after }
      rank += 1
    }
    return (basis, rank)
  }

  /// The principal angles between two subspaces, ascending, in radians.
  ///
  /// Their sines are the singular values of what the second basis has outside of the first: near 0, where cosines
  /// say nothing, that is accurate.
  /// - Parameters:
  ///   - a: [rankA, width], orthonormal rows.
  ///   - b: [rankB, width], orthonormal rows, no more than `a` has.
  /// - Returns: `rankB` angles.
  /// - Throws: `.argument` if `b` has more rows than `a`; `.memory`.
  public static func angles(
    _ a: UnsafePointer<Double>, rankA: Int, _ b: UnsafePointer<Double>, rankB: Int, width: Int
  ) throws(AEError) -> [Double] {
    guard rankB <= rankA, rankB >= 1 else {
      throw AEError(.argument, "angles of \(rankB) dimensions to \(rankA): the second must have no more")
    }
    let outside = try Buffer<Double>(copying: b, count: rankB * width)
    for row in 0..<rankB {
      for other in 0..<rankA {
        let along = product(b + row * width, a + other * width, width)
        for j in 0..<width { outside.base[row * width + j] -= along * a[other * width + j] }
      }
    }
    let squares = try Buffer<Double>(count: rankB * rankB)
    for i in 0..<rankB {
      for j in 0..<rankB {
        squares.base[i * rankB + j] = product(outside.base + i * width, outside.base + j * width, width)
      }
    }
    let eigen = try SymmetricEigen(squares, n: rankB, vectorCount: 0)
    var angles: [Double] = []
    for i in 0..<rankB {
      angles.append(arcSine(min(max(eigen.values[i], 0), 1).squareRoot()))
    }
    angles.shellSort { $0 < $1 }
    return angles
  }

  private static func product(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ width: Int) -> Double
  {
    var sum = 0.0
    for j in 0..<width { sum += a[j] * b[j] }
    return sum
  }

  private static func norm(_ a: UnsafePointer<Double>, _ width: Int) -> Double {
    product(a, a, width).squareRoot()
  }

  /// Newton's method on the sine, from a start that is near everywhere in [0, 1].
  private static func arcSine(_ x: Double) -> Double {
    // asin x = 2 asin(x / sqrt(2 (1 + sqrt(1 - x^2)))), halving the angle until the series is short.
    var halvings = 0
    var s = x
    while s > 0.1 {
      s /= (2 * (1 + max(1 - s * s, 0).squareRoot())).squareRoot()
      halvings += 1
    }
    var term = s
    var sum = s
    var n = 1.0
    while n < 20 {
      term *= s * s * n * n / ((n + 1) * (n + 2))
      sum += term
      n += 2
    }
    return sum * Double(1 << halvings)
  }
}

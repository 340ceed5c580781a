// Eigenvalues and eigenvectors of a symmetric matrix, in double precision: what the principal components
// need, and nothing more general.

import Compute
import Core

/// The eigen-decomposition A = V diag(values) V^T of a symmetric matrix.
///
/// Householder tridiagonalisation, then QL with implicit shifts (Wilkinson and Reinsch 1971, procedures
/// tred2 and imtql2; Golub and Van Loan, chapter 8). O(n^3), some 10 n^3 operations.
package struct SymmetricEigen {
  /// Descending.
  package let values: [Double]
  /// [n, n]: row i is the unit eigenvector of values[i].
  package let vectors: Buffer<Double>

  /// - Parameter matrix: [n, n], symmetric, finite; left as it is.
  /// - Throws: `.internal` if QL does not converge, which no finite matrix has been seen to do.
  package init(_ matrix: Buffer<Double>, n: Int) throws(AEError) {
    // The matrix is reduced in place; row i of `q` ends as the i-th accumulated transformation's row, kept
    // transposed so that the rotations of QL run along rows.
    let a = try Buffer(copying: matrix.base, count: n * n)
    var d = [Double](repeating: 0, count: n)
    var e = [Double](repeating: 0, count: n)
    let q = try SymmetricEigen.tridiagonalise(a.base, n, &d, &e)
    try SymmetricEigen.diagonalise(q.base, n, &d, &e)

    var order = [Int](0..<n)
    let diagonal = d
    order.shellSort { diagonal[$0] > diagonal[$1] || (diagonal[$0] == diagonal[$1] && $0 < $1) }
    let sorted = try Buffer<Double>(count: n * n)
    var sortedValues: [Double] = []
    for (row, source) in order.enumerated() {
      sortedValues.append(d[source])
      (sorted.base + row * n).update(from: q.base + source * n, count: n)
    }
    values = sortedValues
    vectors = sorted
  }

  /// Reduces `a` to tridiagonal form T = H A H^T: diagonal in `d`, subdiagonal in `e[1...]`. Returns H,
  /// [n, n], whose rows the rotations of QL turn into eigenvectors.
  private static func tridiagonalise(
    _ a: UnsafeMutablePointer<Double>, _ n: Int, _ d: inout [Double], _ e: inout [Double]
  ) throws(AEError) -> Buffer<Double> {
    // Column k is cleared below the subdiagonal by the reflector I - beta v v^T.
    let reflectors = try Buffer<Double>(count: n * n)
    var betas = [Double](repeating: 0, count: n)
    let p = try Buffer<Double>(count: n)
    if n > 2 {
      for k in 0..<n - 2 {
        let v = reflectors.base + k * n
        var norm = 0.0
        for i in k + 1..<n {
          v[i] = a[i * n + k]
          norm += v[i] * v[i]
        }
        norm = norm.squareRoot()
        guard norm > 0 else { continue }
        let alpha = v[k + 1] > 0 ? -norm : norm
        v[k + 1] -= alpha
        var vv = 0.0
        for i in k + 1..<n { vv += v[i] * v[i] }
        guard vv > 0 else { continue }
        let beta = 2 / vv
        betas[k] = beta
        // A <- H A H with p = beta A v, w = p - (beta / 2 v.p) v, A <- A - v w^T - w v^T.
        parallel((n - k - 1 + 63) / 64) { task in
          let first = k + 1 + task * 64
          for i in first..<min(first + 64, n) {
            var sum = 0.0
            let row = a + i * n
            for j in k + 1..<n { sum += row[j] * v[j] }
            p.base[i] = beta * sum
          }
        }
        var vp = 0.0
        for i in k + 1..<n { vp += v[i] * p.base[i] }
        let half = 0.5 * beta * vp
        for i in k + 1..<n { p.base[i] -= half * v[i] }
        parallel((n - k - 1 + 63) / 64) { task in
          let first = k + 1 + task * 64
          for i in first..<min(first + 64, n) {
            let row = a + i * n
            let vi = v[i]
            let wi = p.base[i]
            for j in k + 1..<n { row[j] -= vi * p.base[j] + wi * v[j] }
          }
        }
        a[(k + 1) * n + k] = alpha
      }
    }
    for i in 0..<n {
      d[i] = a[i * n + i]
      if i > 0 { e[i] = a[i * n + i - 1] }
    }
    // H = ... H1 H0 applied to the identity from the left, one row block at a time: rows of the product
    // H0 H1 ... are what QL turns, so each row of the identity is multiplied from the right in reverse.
    let q = try Buffer<Double>(count: n * n)
    for i in 0..<n { q.base[i * n + i] = 1 }
    if n > 2 {
      for k in stride(from: n - 3, through: 0, by: -1) where betas[k] != 0 {
        let v = reflectors.base + k * n
        let beta = betas[k]
        parallel((n + 63) / 64) { task in
          for i in task * 64..<min(task * 64 + 64, n) {
            let row = q.base + i * n
            var sum = 0.0
            for j in k + 1..<n { sum += row[j] * v[j] }
            let factor = beta * sum
            for j in k + 1..<n { row[j] -= factor * v[j] }
          }
        }
      }
    }
    return q
  }

  /// QL with implicit shifts on the tridiagonal matrix; the rows of `q` become the eigenvectors.
  private static func diagonalise(
    _ q: UnsafeMutablePointer<Double>, _ n: Int, _ d: inout [Double], _ e: inout [Double]
  ) throws(AEError) {
    if n == 1 { return }
    for i in 1..<n { e[i - 1] = e[i] }
    e[n - 1] = 0
    // What is this small beside the whole matrix is rounding: pixels that never change leave a block of it.
    var norm = 0.0
    for i in 0..<n { norm = max(norm, d[i].magnitude + e[i].magnitude) }
    let negligible = 0x1p-52 * norm
    for l in 0..<n {
      var iterations = 0
      while true {
        var m = l
        while m < n - 1 {
          if e[m].magnitude <= negligible { break }
          m += 1
        }
        if m == l { break }
        iterations += 1
        guard iterations <= 60 else { throw AEError(.internal, "the eigenvalues did not converge") }
        var g = (d[l + 1] - d[l]) / (2 * e[l])
        var r = (g * g + 1).squareRoot()
        g = d[m] - d[l] + e[l] / (g + (g < 0 ? -r : r))
        var s = 1.0
        var c = 1.0
        var p = 0.0
        var i = m - 1
        var underflow = false
        while i >= l {
          let f = s * e[i]
          let b = c * e[i]
          r = (f * f + g * g).squareRoot()
          e[i + 1] = r
          if r == 0 {
            d[i + 1] -= p
            e[m] = 0
            underflow = true
            break
          }
          s = f / r
          c = g / r
          g = d[i + 1] - p
          r = (d[i] - g) * s + 2 * c * b
          p = s * r
          d[i + 1] = g + p
          g = c * r - b
          let upper = q + i * n
          let lower = q + (i + 1) * n
          for k in 0..<n {
            let x = lower[k]
            lower[k] = s * upper[k] + c * x
            upper[k] = c * upper[k] - s * x
          }
          i -= 1
        }
        if underflow { continue }
        d[l] -= p
        e[l] = g
        e[m] = 0
      }
    }
  }
}

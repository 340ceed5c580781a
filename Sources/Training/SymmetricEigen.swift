// Eigenvalues and eigenvectors of a symmetric matrix, in double precision: what the principal components
// need, and nothing more general.

import CKernels
import Core

/// The eigen-decomposition A = V diag(values) V^T of a symmetric matrix.
package struct SymmetricEigen {
  /// All of them, descending.
  package let values: Buffer<Double>
  /// [vectorCount, n]: row i is the unit eigenvector of values[i].
  package let vectors: Buffer<Double>

  /// - Parameter matrix: [n, n], symmetric, finite; left as it is.
  /// - Throws: `.memory`; `.internal` if QL does not converge, which no finite matrix has been seen to do.
  package init(_ matrix: Buffer<Double>, n: Int, vectorCount: Int) throws(AEError) {
    values = try Buffer(count: n)
    vectors = try Buffer(count: vectorCount * n)
    let status = ck_symmetric_eigen(n, matrix.base, vectorCount, values.base, vectors.base)
    guard status != -1 else { throw AEError(.memory, "cannot allocate memory for eigenvectors") }
    guard status == 0 else { throw AEError(.internal, "the eigenvalues did not converge") }
  }
}

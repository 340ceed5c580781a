// The Swift face of CKernels: the same calls with errors that throw and closures for tasks.

import CKernels
import CSystem
import Core

/// The kernel path in use, such as "avx512".
public var kernelPathName: String { UTF8Text.string(ck_path_name(ck_path())) }

/// The number of threads of parallel loops, at least 1: that of the calling thread's context, or else the process's.
public var threadCount: Int { Int(ck_thread_count()) }

/// Sets the process's number of threads; 0 means AE_THREADS or else the machine's processors.
public func setThreadCount(_ count: Int) { ck_set_thread_count(Int32(count.clamped(to: 0...256))) }

/// Calls `body` for every index below `count`, on several threads, and returns when all are done.
///
/// Order is not fixed: a body writes only what belongs to its index.
/// - Parameter monitor: polled while this thread waits for the others, not in between tasks, which may do so
///   themselves.
@inline(never)
public func parallel(_ count: Int, monitor: Monitor? = nil, _ body: (Int) -> Void) {
  guard count > 0 else { return }
  if count == 1 {
    body(0)
    return
  }
  withoutActuallyEscaping(body) { escapable in
    var work = Work(task: escapable, monitor: monitor, call: cs_call_current())
    withUnsafeMutablePointer(to: &work) { pointer in
      ck_parallel_watched(
        count,
        { context, index in
          let work = context!.assumingMemoryBound(to: Work.self)
          let before = cs_call_join(work.pointee.call)
          work.pointee.task(Int(index))
          _ = cs_call_join(before)
        }, pointer,
        monitor == nil ? nil : { $0!.assumingMemoryBound(to: Work.self).pointee.monitor?.poll() })
    }
  }
}

/// What the tasks of a parallel loop and its watch are given.
private struct Work {
  let task: (Int) -> Void
  let monitor: Monitor?
  /// The call of the library that the loop is part of: what its threads make is made in that one's name.
  let call: UnsafeMutableRawPointer?
}

/// C[m,n] = f(op(A)[m,k] op(B)[k,n] + bias + (accumulate ? C : 0)), all row-major and dense.
///
/// op transposes where its flag is set: A is then stored as [k, m], B as [n, k].
/// - Throws: `.memory` if packed panels cannot be allocated.
public func multiply(
  _ a: UnsafePointer<Float>, transposeA: Bool = false,
  by b: UnsafePointer<Float>, transposeB: Bool = false,
  into c: UnsafeMutablePointer<Float>, m: Int, n: Int, k: Int,
  bias: UnsafePointer<Float>? = nil, activation: Activation = .identity, accumulate: Bool = false
) throws(AEError) {
  let status = ck_sgemm(
    transposeA ? 1 : 0, transposeB ? 1 : 0, m, n, k, a, transposeA ? m : k, b, transposeB ? k : n, c, n,
    bias, activation.kernel, accumulate ? 1 : 0)
  try check(status, m, n, k)
}

/// dX[m,n] = (dY[m,k] W[k,n]) f'(X), where X = f(...) [m,n] is all that is kept of the layer below; nil if f is
/// the identity.
///
/// - Throws: `.memory` if packed panels cannot be allocated.
public func multiplyInputGradient(
  _ outputGradient: UnsafePointer<Float>, by weights: UnsafePointer<Float>,
  into inputGradient: UnsafeMutablePointer<Float>, m: Int, n: Int, k: Int,
  input: UnsafePointer<Float>?, activation: Activation
) throws(AEError) {
  let f = input == nil ? Activation.identity : activation
  try check(
    ck_sgemm_input_gradient(m, n, k, outputGradient, weights, input, f.kernel, inputGradient), m, n, k)
}

/// dW[m,n] = dY[k,m]^T X[k,n]; with a step, that step on the weights instead, and dW is left undefined.
///
/// - Throws: `.memory` if packed panels cannot be allocated.
public func multiplyWeightGradient(
  _ outputGradient: UnsafePointer<Float>, by input: UnsafePointer<Float>,
  into gradient: UnsafeMutablePointer<Float>, m: Int, n: Int, k: Int, step: ck_adam_step?
) throws(AEError) {
  let status: Int32
  if var step {
    status = ck_sgemm_weight_gradient(m, n, k, outputGradient, input, gradient, &step)
  } else {
    status = ck_sgemm_weight_gradient(m, n, k, outputGradient, input, gradient, nil)
  }
  try check(status, m, n, k)
}

private func check(_ status: Int32, _ m: Int, _ n: Int, _ k: Int) throws(AEError) {
  guard status == 0 else {
    throw AEError(.memory, "cannot allocate panels for a product of \(m) x \(k) by \(k) x \(n)")
  }
}

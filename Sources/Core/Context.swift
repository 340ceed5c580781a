// The context of a call: number of threads and allocator. It belongs to the calling thread and is no argument of the
// engine's functions.

import CKernels

/// A number of threads and an allocator. What runs in it, on this thread and on those that work for it, uses at most
/// so many threads and takes its Buffers and the kernels' memory from that allocator.
///
/// Memory keeps the allocator it came from, so that it may be given back anywhere, also when the context is gone.
public final class Context: @unchecked Sendable {
  public static let maximumThreads = 256

  /// 0 for as many as the process uses.
  public let threads: Int
  private let allocator: OpaquePointer?

  /// What memory comes from: two functions that go together, and what both are given. They are called from any thread
  /// that works in the context, in the default floating-point environment.
  public struct Allocator {
    let allocate: ck_allocate_function
    let free: ck_free_function
    let host: UnsafeMutableRawPointer?

    public init(
      allocate: @escaping ck_allocate_function, free: @escaping ck_free_function,
      host: UnsafeMutableRawPointer?
    ) {
      self.allocate = allocate
      self.free = free
      self.host = host
    }
  }

  /// - Parameters:
  ///   - threads: 1 ... 256, or 0 for as many as the process uses.
  ///   - allocator: nil for malloc.
  /// - Throws: `.argument`, `.memory`.
  public init(threads: Int = 0, allocator: Allocator? = nil) throws(AEError) {
    guard (0...Context.maximumThreads).contains(threads) else {
      throw AEError(.argument, "threads must be in 1 ... 256, or 0 for the process's, not \(threads)")
    }
    var made: OpaquePointer?
    if let allocator {
      made = ck_allocator_make(allocator.allocate, allocator.free, allocator.host)
      guard made != nil else { throw AEError(.memory, "cannot allocate a context") }
    }
    self.threads = threads
    self.allocator = made
  }

  deinit { ck_allocator_release(allocator) }

  /// Runs `body` in the context, and then puts the thread back into the one that it was in.
  public func run<Result>(_ body: () throws(AEError) -> Result) throws(AEError) -> Result {
    let outer = ck_context_enter(
      ck_context(allocator: allocator, threads: Int32(truncatingIfNeeded: threads)))
    defer { _ = ck_context_enter(outer) }
    return try body()
  }
}

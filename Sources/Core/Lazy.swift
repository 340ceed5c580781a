// Lazy initialisation that is safe between threads, for models that many threads share.

import CKernels
import Synchronization

/// An object that is made once. Threads that meet at the first use may each make one; all get the same.
///
/// Its memory comes from the allocator of the context in which the Lazy itself was made, not from that of the call that
/// needs the value first.
public final class Lazy<Value: AnyObject & Sendable>: Sendable {
  /// The address of a retained object, or 0 as long as there is none.
  private let stored = Atomic<UInt>(0)

  nonisolated(unsafe) private let allocator: OpaquePointer?

  public init() { allocator = ck_allocator_retain(ck_context_current().allocator) }

  deinit {
    reference(stored.load(ordering: .acquiring))?.release()
    ck_allocator_release(allocator)
  }

  /// The value; `make` is called if there is none yet. What it throws is thrown, and the next use tries again.
  public func value(_ make: () throws(AEError) -> Value) throws(AEError) -> Value {
    if let made = reference(stored.load(ordering: .acquiring)) { return made.takeUnretainedValue() }
    var context = ck_context_current()
    context.allocator = allocator
    let outer = ck_context_enter(context)
    defer { _ = ck_context_enter(outer) }
    let made = try make()
    // What outlives the call must not lie in the call's reserve.
    try checkMemory()
    let fresh = Unmanaged.passRetained(made)
    let (won, earlier) = stored.compareExchange(
      expected: 0, desired: UInt(bitPattern: fresh.toOpaque()), ordering: .acquiringAndReleasing)
    if !won, let earlier = reference(earlier) {
      fresh.release()
      return earlier.takeUnretainedValue()
    }
    return fresh.takeUnretainedValue()
  }

  private func reference(_ address: UInt) -> Unmanaged<Value>? {
    UnsafeRawPointer(bitPattern: address).map { Unmanaged<Value>.fromOpaque($0) }
  }
}

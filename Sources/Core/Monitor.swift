// Progress and cancellation of long work: a count that all threads add to, and a flag that all of them check.

import CSystem
import Synchronization

/// Counts what is done, and asks a hook some ten times a second whether to go on.
///
/// The hook is called only on the thread that made the monitor, which takes part in the work or waits for it; other
/// threads count, and check whether the work was stopped.
public final class Monitor: @unchecked Sendable {
  /// Told what is done of how much; false stops.
  public typealias Hook = (_ done: Int, _ total: Int) -> Bool

  private static let secondsBetweenCalls = 0.1

  private let hook: Hook
  private let thread = cs_thread()
  private let total: Int
  private let done: Atomic<Int>
  private let stopped = Atomic<Bool>(false)
  /// When the hook was last called; the owner's alone.
  private var called = -1.0

  /// - Parameters:
  ///   - done: how much was done before.
  ///   - total: how much there is in all.
  public init(done: Int = 0, total: Int, hook: @escaping Hook) {
    self.hook = hook
    self.total = total
    self.done = Atomic<Int>(done)
  }

  /// Whether the work was stopped. Any thread may ask.
  public var isStopped: Bool { stopped.load(ordering: .relaxed) }

  /// How much is done.
  public var count: Int { done.load(ordering: .relaxed) }

  /// Says that so much more is done.
  public func advance(_ count: Int) { done.wrappingAdd(count, ordering: .relaxed) }

  /// Calls the hook, if it is time to and this is the thread that may.
  public func poll() {
    guard cs_thread() == thread, !isStopped else { return }
    let now = cs_seconds()
    guard now - called >= Monitor.secondsBetweenCalls else { return }
    if !hook(min(count, total), total) { stopped.store(true, ordering: .relaxed) }
    // What the hook takes does not count.
    called = cs_seconds()
  }

  /// Throws `.stopped` once the hook has asked to stop, which it is asked first if it is time to.
  public func check() throws(AEError) {
    poll()
    if isStopped { throw AEError(.stopped, "stopped before all was done") }
  }
}

/// `Monitor`'s calls on one that may not be there.
extension Optional where Wrapped == Monitor {
  public func check() throws(AEError) { try self?.check() }
  public func advance(_ count: Int) { self?.advance(count) }
  public var isStopped: Bool { self?.isStopped ?? false }
}

// The thread pool and the choice of paths. What needs fork is in Tests/kernels/pool.c.

import CKernels
import Compute
import Foundation
import Synchronization
import Testing

@Suite struct PoolTests {
  @Test("Every task runs exactly once", arguments: [1, 2, 3, 8] as [Int32])
  func once(threads: Int32) {
    ck_set_thread_count(threads)
    for count in [0, 1, 2, 3, 100, 10_000] {
      let counts = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: max(count, 1))
      for i in 0..<count { (counts + i).initialize(to: Atomic(0)) }
      parallel(count) { counts[$0].wrappingAdd(1, ordering: .relaxed) }
      #expect((0..<count).allSatisfy { counts[$0].load(ordering: .relaxed) == 1 })
      counts.deallocate()
    }
    ck_set_thread_count(0)
  }

  @Test("Loops inside loops, and loops from many threads at once, end and are right")
  func nested() {
    ck_set_thread_count(3)
    let total = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 6) { _ in
      for _ in 0..<40 {
        parallel(5) { _ in parallel(7) { total.wrappingAdd($0 + 1, ordering: .relaxed) } }
      }
    }
    ck_set_thread_count(0)
    #expect(total.load(ordering: .relaxed) == 6 * 40 * 5 * 28)
  }

  @Test("The thread count can shrink and grow while loops run")
  func resize() {
    let done = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 3) { lane in
      for round in 0..<200 {
        if lane == 0 { ck_set_thread_count(Int32(1 + round % 5)) }
        parallel(9) { _ in done.wrappingAdd(1, ordering: .relaxed) }
      }
    }
    ck_set_thread_count(0)
    #expect(done.load(ordering: .relaxed) == 3 * 200 * 9)
    #expect(threadCount >= 1)
  }

  @Test("A path selected on one thread holds in its tasks and nowhere else")
  func selection() {
    let usual = ck_path()
    ck_set_thread_count(4)
    for path in paths {
      let others = Atomic(0)
      on(path) {
        parallel(200) { _ in
          if ck_path() != path { others.wrappingAdd(1, ordering: .relaxed) }
        }
      }
      #expect(others.load(ordering: .relaxed) == 0)
      #expect(ck_path() == usual)
      parallel(200) { _ in
        if ck_path() != usual { others.wrappingAdd(1, ordering: .relaxed) }
      }
      #expect(others.load(ordering: .relaxed) == 0)
    }
    ck_set_thread_count(0)
    #expect(ck_path_select(99) == 0 && ck_path_available(99) == 0 && ck_path_available(-1) == 0)
    #expect(kernelPathName == name(usual))
    #expect(name(99) == "unknown")
  }
}

// Contexts: whose memory a model takes, where it goes back to, and on how many threads it runs.

import Compute
import Core
import Model
import Network
import Synchronization
import Testing

/// An allocator of the tests' own.
private final class Host: Sendable {
  /// Bytes that are out, and calls for more.
  let live = Atomic<Int>(0)
  let calls = Atomic<Int>(0)
  /// The call that is refused, -1 for none.
  let refused = Atomic<Int>(-1)

  var allocator: Context.Allocator {
    Context.Allocator(
      allocate: { host, byteCount, alignment in
        let host = Unmanaged<Host>.fromOpaque(host!).takeUnretainedValue()
        let (call, _) = host.calls.wrappingAdd(1, ordering: .relaxed)
        if call == host.refused.load(ordering: .relaxed) { return nil }
        host.live.wrappingAdd(byteCount, ordering: .relaxed)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: alignment)
        memory.initializeMemory(as: UInt8.self, repeating: 0xAB, count: byteCount)
        return memory
      },
      free: { host, memory, byteCount in
        Unmanaged<Host>.fromOpaque(host!).takeUnretainedValue().live.wrappingSubtract(
          byteCount, ordering: .relaxed)
        memory!.deallocate()
      }, host: Unmanaged.passUnretained(self).toOpaque())
  }
}

@Test("A model made in a context lies in its memory, also what it makes later, and outlives it")
func modelsLieInTheirContext() throws {
  let host = Host()
  let images = try randomImages(count: 100, size: 36)
  let expected = try Buffer<Float>(count: 300)
  try randomModel().encode(images.base, count: 100, into: expected.base)
  do {
    let model = try Context(allocator: host.allocator).run { () throws(AEError) in
      do { return try randomModel() } catch { throw error as! AEError }
    }
    let weights = host.live.load(ordering: .relaxed)
    #expect(weights >= 2 * 4 * (36 * 13 + 13 * 9 + 9 * 3))
    // In no context: what packs its weights for good is the model's all the same.
    let codes = try Buffer<Float>(count: 300)
    try model.encode(images.base, count: 100, into: codes.base)
    #expect(codes.array == expected.array)
    #expect(host.live.load(ordering: .relaxed) > weights)
  }
  #expect(host.live.load(ordering: .relaxed) == 0)
}

@Test("A call in a context gives its memory back, whatever is refused")
func callsGiveBack() throws {
  let host = Host()
  let context = try Context(threads: 2, allocator: host.allocator)
  let model = try randomModel()
  let images = try randomImages(count: 2100, size: 36)
  let expected = try Buffer<Float>(count: 2100 * 3)
  try model.encode(images.base, count: 2100, into: expected.base)
  let codes = try Buffer<Float>(count: 2100 * 3)
  var call = 0
  repeat {
    host.calls.store(0, ordering: .relaxed)
    host.refused.store(call, ordering: .relaxed)
    do {
      try context.run { () throws(AEError) in
        #expect(threadCount == 2)
        try model.encode(images.base, count: 2100, into: codes.base)
      }
      #expect(codes.array == expected.array)
    } catch {
      #expect(error.code == .memory)
    }
    #expect(host.live.load(ordering: .relaxed) == 0)
    call += 1
  } while call <= host.calls.load(ordering: .relaxed)
  #expect(call > 1)
}

@Test("A number of threads that there cannot be is refused", arguments: [-1, 257])
func badThreadCountsAreRefused(threads: Int) {
  #expect(throws: AEError.self) { try Context(threads: threads) }
}

// Adaptive probabilities of several contexts, mixed into one for each bit: what lossless coding by contexts and the
// coded form of weights have in common.
//
// Mixing in the logistic domain follows Mahoney, "Adaptive weighing of context models for lossless data
// compression" (2005). All in integers: docs/format-aez.md gives the arithmetic.
//
// A promise: the bytes for a run of calls never change; see RANS.swift.

import Core

/// Codes bits, each under a mixture of the adaptive probabilities of its contexts.
package final class BitMixer {
  /// The contexts of the bit to come, as many as there are inputs, each an index below `slotCount`.
  package let contexts: UnsafeMutablePointer<Int>

  private let inputCount: Int
  private let slotCount: Int
  private let largestDivisor: UInt32
  /// ln(p / (1 - p)) in 1/256, for p in 1/4096.
  private let stretched: Buffer<Int16>
  /// [inputs, slots]: each a probability of 16 bits, and below it what its next step is divided by.
  private let slots: Buffer<UInt32>
  /// [sets, inputs], 65536 for 1.
  private let weights: Buffer<Int32>
  /// The contexts, and what their probabilities are stretched to.
  private let scratch: Buffer<Int>

  /// - Parameter divisors: a probability moves by 2 / divisor of the way to the bit; the divisor begins at the lower
  ///   bound and grows by 2 with each bit, to the upper one.
  package init(inputCount: Int, slotCount: Int, setCount: Int, divisors: ClosedRange<UInt32>) throws(AEError)
  {
    self.inputCount = inputCount
    self.slotCount = slotCount
    largestDivisor = divisors.upperBound
    slots = try Buffer(count: inputCount * slotCount)
    for index in 0..<slots.count { slots.base[index] = 32768 << 16 | divisors.lowerBound }
    weights = try Buffer(count: setCount * inputCount)
    for index in 0..<weights.count { weights.base[index] = 65536 * 2 / 5 }
    scratch = try Buffer(count: 2 * inputCount)
    contexts = scratch.base
    stretched = try Buffer(count: 4096)
    var next = 0
    for x in -2047...2047 {
      let p = BitMixer.squash(x)
      while next <= p {
        stretched.base[next] = Int16(truncatingIfNeeded: x)
        next += 1
      }
    }
    while next < 4096 {
      stretched.base[next] = 2047
      next += 1
    }
  }

  /// ln(p / (1 - p)) in 1/256, for p in 1/4096, 0 ... 4095.
  @inline(__always)
  package func stretch(_ p: Int) -> Int { Int(stretched.base[p]) }

  /// 4096 / (1 + exp(-x / 256)), between 33 points.
  @inline(__always)
  private static func squash(_ x: Int) -> Int {
    if x > 2047 { return 4095 }
    if x < -2047 { return 1 }
    let position = x &+ 2048
    let index = position >> 7
    let low = Int(point(index))
    let high = Int(point(index &+ 1))
    return low &+ ((high &- low) &* (position & 127) &+ 64) >> 7
  }

  @inline(__always)
  private static func point(_ index: Int) -> Int16 {
    points.withUnsafeBufferPointer { $0[index] }
  }

  private static let points: [Int16] = [
    1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348, 3607, 3785,
    3901, 3975, 4024, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
  ]

  /// Codes a bit under its `contexts`, mixed with the weights of a set, and adapts.
  @inline(never)
  package func code(_ bit: Int, _ set: Int, _ coder: inout BinaryCoder) -> Int {
    let weight = weights.base + set * inputCount
    let logits = contexts + inputCount
    var sum = 0
    for index in 0..<inputCount {
      logits[index] = stretch(Int(slots.base[index &* slotCount &+ contexts[index]] >> 20))
      sum &+= Int(weight[index]) &* logits[index]
    }
    let p = BitMixer.squash(sum >> 16)
    let value = coder.code(bit, (p << 4).clamped(to: 32...65504))
    let error = ((value << 12) &- p) &* 6
    for index in 0..<inputCount {
      let change = (logits[index] &* error &+ 0x2000) >> 14
      weight[index] = Int32(
        truncatingIfNeeded: (Int(weight[index]) &+ change).clamped(to: -(1 << 20)...(1 << 20)))
      let slot = slots.base + (index &* slotCount &+ contexts[index])
      let old = Int(slot.pointee >> 16)
      let divisor = slot.pointee & 0xFFFF
      let new = old &+ ((value == 0 ? 0 : 65535) &- old) &* 2 / Int(divisor)
      slot.pointee =
        UInt32(truncatingIfNeeded: new) << 16 | (divisor < largestDivisor ? divisor &+ 2 : divisor)
    }
    return value
  }
}

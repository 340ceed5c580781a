// The binary arithmetic coder of lossless coding: a carryless range coder of 32 bits in the manner of Mahoney's
// PAQ coders, with probabilities of 16 bits. Adaptive probabilities need symbols to be coded first to last, which
// rANS cannot.
//
// A promise: the bytes for a run of calls never change; see RANS.swift.

import Bytes
import Core

/// Codes bits under given probabilities. One type encodes and decodes, so that a model is written once for both
/// directions: `code` takes the bit and returns it, a decoder ignores its argument.
package struct BinaryCoder {
  private var low: UInt32 = 0
  private var high: UInt32 = .max
  private var state: UInt32 = 0
  private let writer: ByteWriter?
  private let source: UnsafePointer<UInt8>
  private let sourceCount: Int
  private var offset = 0
  package private(set) var failure: AEError?

  package let isReading: Bool

  /// An encoder that appends to `writer`.
  package init(writer: ByteWriter) {
    self.writer = writer
    source = UnsafePointer(writer.base)
    sourceCount = 0
    isReading = false
  }

  /// A decoder of `count` bytes.
  package init(reading source: UnsafePointer<UInt8>, count: Int) {
    writer = nil
    self.source = source
    sourceCount = count
    isReading = true
    for _ in 0..<4 { state = state << 8 | UInt32(next()) }
  }

  private mutating func next() -> UInt8 {
    defer { offset &+= 1 }
    return offset < sourceCount ? source[offset] : 0
  }

  /// Whether a decoder has read past its bytes, which happens only in damaged blocks.
  package var isBeyondEnd: Bool { offset > sourceCount }

  /// Whether a decoder has read exactly its bytes.
  package var isAtEnd: Bool { offset == sourceCount }

  /// Bytes that a decoder has read, all of a run when its last bit is decoded.
  package var readCount: Int { offset }

  /// Codes a bit whose probability of being 1 is `probability` in 65536, 1 ... 65535.
  @inline(never)
  package mutating func code(_ bit: Int, _ probability: Int) -> Int {
    let range = high &- low
    let share = UInt32(truncatingIfNeeded: (UInt64(range) &* UInt64(truncatingIfNeeded: probability)) >> 16)
    let middle = low &+ share
    let value = isReading ? (state <= middle ? 1 : 0) : bit
    if value != 0 { high = middle } else { low = middle &+ 1 }
    while (low ^ high) & 0xFF00_0000 == 0 {
      if isReading {
        state = state << 8 | UInt32(next())
      } else {
        put(UInt8(truncatingIfNeeded: high >> 24))
      }
      low <<= 8
      high = high << 8 | 0xFF
    }
    return value
  }

  @inline(never)
  private mutating func put(_ byte: UInt8) {
    guard let writer, failure == nil else { return }
    do throws(AEError) { try writer.u8(byte) } catch { failure = error }
  }

  /// Ends an encoder's bytes.
  @inline(never)
  package mutating func finish() throws(AEError) {
    for shift: UInt32 in [24, 16, 8, 0] { put(UInt8(truncatingIfNeeded: low >> shift)) }
    if let failure { throw failure }
  }
}

/// Adaptive probabilities, by index. Each starts with a high rate of adaptation, which falls with the bits it has coded.
package final class AdaptiveBits {
  /// Each a probability of 16 bits, and below it the number of bits it has coded.
  private let states: Buffer<UInt32>
  /// The slowest rate is 1 / (limit + 1.5).
  private static let limit = 255

  package init(count: Int) throws(AEError) {
    states = try Buffer(count: count)
    for index in 0..<count { states.base[index] = 32768 << 16 }
  }

  /// Codes a bit under probability `index`.
  @inline(never)
  package func code(_ bit: Int, _ index: Int, _ coder: inout BinaryCoder) -> Int {
    let state = states.base[index]
    let p = Int(state >> 16)
    let count = Int(state & 0xFFFF)
    let value = coder.code(bit, p.clamped(to: 16...65520))
    let target = value == 0 ? 0 : 65535
    let next = p &+ (target &- p) &* 2 / (2 &* count &+ 3)
    states.base[index] =
      UInt32(truncatingIfNeeded: next) << 16
      | UInt32(truncatingIfNeeded: count < AdaptiveBits.limit ? count &+ 1 : count)
    return value
  }

  /// Codes a number of `bitCount` bits, highest bit first, each under one of the 2^bitCount probabilities from
  /// `first` on: the one for the bits before it.
  @inline(never)
  package func codeNumber(_ number: Int, bitCount: Int, _ first: Int, _ coder: inout BinaryCoder) -> Int {
    var node = 1
    for shift in stride(from: bitCount - 1, through: 0, by: -1) {
      node = node << 1 | code(number >> shift & 1, first + node, &coder)
    }
    return node - (1 << bitCount)
  }
}

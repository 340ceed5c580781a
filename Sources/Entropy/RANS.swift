// The entropy coder: range asymmetric numeral systems (Duda 2013), a 32-bit state that is renormalised by
// bytes, after Giesen's "Interleaved entropy coders" (2014). It knows states, bytes and ranges of
// probability, nothing of what the symbols mean, so whatever codes symbols in an image set uses it.
//
// A promise: the bytes this coder writes for a given run of calls never change. Golden files and other
// readers depend on them, so any change of its output is a breaking change of the .aez format and gets a
// new format version.

import Core

/// The constants of the coder. docs/format-aez.md gives the arithmetic for other readers.
public enum RANS {
  /// A state lies in `lowerBound ..< 256 * lowerBound` between symbols.
  public static let lowerBound: UInt32 = 1 << 23
  /// The finest probability is 2^-16: a state at its lowest still distinguishes 128 of them.
  public static let maximumPrecisionBits: UInt32 = 16
  /// A state as it is stored.
  public static let stateByteCount = 4
}

/// Bytes that are written from the end of a region towards its beginning, for a coder whose symbols go in
/// last to first.
public struct RANSWriter {
  @usableFromInline let base: UnsafeMutablePointer<UInt8>
  @usableFromInline let capacity: Int
  @usableFromInline var first: Int
  /// True once a byte did not fit; the bytes written are then invalid.
  public var overflowed: Bool { didOverflow }
  @usableFromInline var didOverflow = false

  /// - Parameter base: `capacity` bytes that outlive the writer.
  public init(_ base: UnsafeMutablePointer<UInt8>, capacity: Int) {
    self.base = base
    self.capacity = capacity
    first = capacity
  }

  @inlinable @inline(__always)
  mutating func push(_ byte: UInt8) {
    if first > 0 {
      first -= 1
      base[first] = byte
    } else {
      didOverflow = true
    }
  }

  /// Where in the region the bytes written so far lie.
  public var written: Range<Int> { first..<capacity }
}

/// Bytes that are read from the beginning. Past the end it gives zeros and sets a flag, so that the inner loop needs no
/// branch out.
public struct RANSReader {
  @usableFromInline let base: UnsafePointer<UInt8>
  @usableFromInline let count: Int
  @usableFromInline var offset = 0
  /// True once a byte past the end was read.
  public var exhausted: Bool { isExhausted }
  @usableFromInline var isExhausted = false

  /// - Parameter base: `count` bytes that outlive the reader.
  public init(_ base: UnsafePointer<UInt8>, count: Int) {
    self.base = base
    self.count = count
  }

  @inlinable @inline(__always)
  mutating func next() -> UInt32 {
    guard offset < count else {
      isExhausted = true
      return 0
    }
    let byte = base[offset]
    offset += 1
    return UInt32(byte)
  }

  /// True if every byte was used and none was missing.
  public var isFinished: Bool { offset == count && !exhausted }
}

/// The state of one coder. Several states may share a writer and a reader: the decoder then takes their
/// symbols in the order opposite to the encoder's.
///
/// A symbol is a range `start ..< start + frequency` of the 2^bits slots that the probabilities divide, with
/// `bits` in 1 ... 16 and `frequency` in 1 ... 2^bits. `bits` may differ from symbol to symbol.
public struct RANSState {
  @usableFromInline var value = RANS.lowerBound

  /// The state that encoding begins with, and that decoding ends with.
  public init() {}

  /// The state that `flush` stored.
  /// - Returns: nil if the bytes are missing or are not a state.
  public init?(from reader: inout RANSReader) {
    value = reader.next()
    value |= reader.next() << 8
    value |= reader.next() << 16
    value |= reader.next() << 24
    guard !reader.exhausted, value >= RANS.lowerBound, value < RANS.lowerBound << 8 else { return nil }
  }

  /// True if the state is the one that encoding began with, as it must be after the last symbol.
  public var isInitial: Bool { value == RANS.lowerBound }

  /// Codes a symbol.
  @inlinable @inline(__always)
  public mutating func encode(start: UInt32, frequency: UInt32, bits: UInt32, to writer: inout RANSWriter) {
    let limit = ((RANS.lowerBound >> bits) << 8) &* frequency
    while value >= limit {
      writer.push(UInt8(truncatingIfNeeded: value))
      value >>= 8
    }
    value = ((value / frequency) << bits) &+ (value % frequency) &+ start
  }

  /// Stores the state, after the last symbol that was coded and so before all bytes.
  public func flush(to writer: inout RANSWriter) {
    writer.push(UInt8(truncatingIfNeeded: value >> 24))
    writer.push(UInt8(truncatingIfNeeded: value >> 16))
    writer.push(UInt8(truncatingIfNeeded: value >> 8))
    writer.push(UInt8(truncatingIfNeeded: value))
  }

  /// The slot of the next symbol, below 2^bits: the symbol is the one whose range holds it.
  @inlinable @inline(__always)
  public func slot(bits: UInt32) -> UInt32 { value & ((1 << bits) &- 1) }

  /// Goes past a symbol whose range holds `slot(bits:)`.
  @inlinable @inline(__always)
  public mutating func advance(start: UInt32, frequency: UInt32, bits: UInt32, from reader: inout RANSReader)
  {
    value = frequency &* (value >> bits) &+ slot(bits: bits) &- start
    // The product is at least 2^(23 - bits), so two bytes always bring the state back.
    if value < RANS.lowerBound { value = value << 8 | reader.next() }
    if value < RANS.lowerBound { value = value << 8 | reader.next() }
  }
}

/// Symbols and their ranges: frequencies summed up for the encoder, and every slot's symbol for the decoder.
public final class SymbolTable: Sendable {
  public let precisionBits: UInt32
  public let symbolCount: Int
  /// [symbolCount]: the first slot in the upper half, the frequency less one in the lower.
  @usableFromInline let ranges: Buffer<UInt32>
  /// [2^precisionBits]: the symbol that holds the slot.
  @usableFromInline let symbols: Buffer<UInt16>

  /// - Parameters:
  ///   - frequencies: 1 ... 2^16 of them, each at least 1, that sum to 2^precisionBits.
  ///   - precisionBits: 1 ... 16.
  /// - Throws: `.argument` if they are not, `.memory`.
  public init(frequencies: [UInt16], precisionBits: UInt32) throws(AEError) {
    guard (1...RANS.maximumPrecisionBits).contains(precisionBits), !frequencies.isEmpty,
      frequencies.count <= 1 << Int(precisionBits)
    else {
      throw AEError(.argument, "\(frequencies.count) symbols at \(precisionBits) bits are out of range")
    }
    let slotCount = 1 << Int(precisionBits)
    self.precisionBits = precisionBits
    symbolCount = frequencies.count
    ranges = try Buffer(count: frequencies.count)
    symbols = try Buffer(count: slotCount)
    var start = 0
    for (symbol, frequency) in frequencies.enumerated() {
      guard frequency > 0, start + Int(frequency) <= slotCount else {
        throw AEError(.argument, "frequency \(frequency) of symbol \(symbol) is out of range")
      }
      ranges.base[symbol] = UInt32(start) << 16 | UInt32(frequency - 1)
      for slot in start..<start + Int(frequency) { symbols.base[slot] = UInt16(symbol) }
      start += Int(frequency)
    }
    guard start == slotCount else {
      throw AEError(.argument, "frequencies must sum to \(slotCount), not \(start)")
    }
  }

  /// Codes a symbol below `symbolCount`.
  @inlinable @inline(__always)
  public func encode(_ symbol: Int, state: inout RANSState, to writer: inout RANSWriter) {
    let range = ranges.base[symbol]
    state.encode(
      start: range >> 16, frequency: (range & 0xFFFF) &+ 1, bits: precisionBits, to: &writer)
  }

  /// Takes the next symbol.
  @inlinable @inline(__always)
  public func decode(state: inout RANSState, from reader: inout RANSReader) -> Int {
    let symbol = Int(symbols.base[Int(state.slot(bits: precisionBits))])
    let range = ranges.base[symbol]
    state.advance(
      start: range >> 16, frequency: (range & 0xFFFF) &+ 1, bits: precisionBits, from: &reader)
    return symbol
  }
}

// The entropy coder against a second one, written from the arithmetic in docs/format-aez.md without a
// thought for speed, and against bytes that must never change.

import Compute
import Core
import Entropy
import Testing

/// A symbol as the coder sees it.
private struct Coded {
  var start: Int
  var frequency: Int
  var bits: Int
}

/// The page's arithmetic: `x` is the state; bytes are put before those already there.
private func reference(_ symbols: [Coded]) -> [UInt8] {
  var x = 8_388_608
  var bytes: [UInt8] = []
  for symbol in symbols.reversed() {
    while x >= 8_388_608 / (1 << symbol.bits) * 256 * symbol.frequency {
      bytes.insert(UInt8(x % 256), at: 0)
      x /= 256
    }
    x = x / symbol.frequency * (1 << symbol.bits) + symbol.start + x % symbol.frequency
  }
  return [UInt8(x % 256), UInt8(x / 256 % 256), UInt8(x / 65536 % 256), UInt8(x / 16_777_216)] + bytes
}

private func encode(_ symbols: [Coded], capacity: Int) -> [UInt8]? {
  var region = [UInt8](repeating: 0xEE, count: capacity)
  return region.withUnsafeMutableBufferPointer { region -> [UInt8]? in
    var writer = RANSWriter(region.baseAddress!, capacity: capacity)
    var state = RANSState()
    for symbol in symbols.reversed() {
      state.encode(
        start: UInt32(symbol.start), frequency: UInt32(symbol.frequency), bits: UInt32(symbol.bits),
        to: &writer)
    }
    state.flush(to: &writer)
    return writer.overflowed ? nil : Array(region[writer.written])
  }
}

private func randomSymbols(_ count: Int, seed: UInt64) -> [Coded] {
  var random = RandomStream(seed: seed, stream: 0)
  return (0..<count).map { _ in
    let bits = 1 + random.below(16)
    let frequency = 1 + random.below(random.below(2) == 0 ? 1 << bits : min(4, 1 << bits))
    return Coded(start: random.below((1 << bits) - frequency + 1), frequency: frequency, bits: bits)
  }
}

@Suite struct RANSTests {
  @Test("The coder writes the bytes of the reference, at every precision from 1 to 16 bits")
  func matchesReference() {
    for seed in 0..<40 {
      let symbols = randomSymbols(seed * 13, seed: UInt64(seed))
      #expect(encode(symbols, capacity: symbols.count * 2 + 4) == reference(symbols))
    }
  }

  @Test("Symbols come back, every byte is used, and the state ends as it began")
  func roundTrip() throws {
    let symbols = randomSymbols(5000, seed: 9)
    let bytes = try #require(encode(symbols, capacity: 20000))
    bytes.withUnsafeBufferPointer { bytes in
      var reader = RANSReader(bytes.baseAddress!, count: bytes.count)
      var state = RANSState(from: &reader)!
      for symbol in symbols {
        let slot = Int(state.slot(bits: UInt32(symbol.bits)))
        #expect(slot >= symbol.start && slot < symbol.start + symbol.frequency)
        state.advance(
          start: UInt32(symbol.start), frequency: UInt32(symbol.frequency), bits: UInt32(symbol.bits),
          from: &reader)
      }
      #expect(reader.isFinished && state.isInitial)
    }
  }

  @Test("These symbols give these bytes, for ever")
  func pinned() {
    let symbols = [
      Coded(start: 0, frequency: 1, bits: 12), Coded(start: 100, frequency: 3000, bits: 12),
      Coded(start: 16383, frequency: 1, bits: 15), Coded(start: 65535, frequency: 1, bits: 16),
      Coded(start: 1, frequency: 1, bits: 1),
    ]
    #expect(
      encode(symbols, capacity: 64)?.map { String($0, radix: 16) }.joined(separator: " ")
        == RANSTests.pinnedBytes)
  }
  static let pinnedBytes = "0 80 f1 a 2b ff ff 0 1"

  @Test("Two states share a stream, and decode in the order opposite to that in which they were coded")
  func interleaved() {
    let symbols = randomSymbols(400, seed: 77)
    var region = [UInt8](repeating: 0, count: 2000)
    region.withUnsafeMutableBufferPointer { region in
      var writer = RANSWriter(region.baseAddress!, capacity: region.count)
      var states = [RANSState(), RANSState()]
      for (index, symbol) in symbols.enumerated().reversed() {
        states[index & 1].encode(
          start: UInt32(symbol.start), frequency: UInt32(symbol.frequency), bits: UInt32(symbol.bits),
          to: &writer)
      }
      states[1].flush(to: &writer)
      states[0].flush(to: &writer)
      let range = writer.written
      var reader = RANSReader(region.baseAddress! + range.lowerBound, count: range.count)
      var decoders = [RANSState(from: &reader)!, RANSState(from: &reader)!]
      for (index, symbol) in symbols.enumerated() {
        let slot = Int(decoders[index & 1].slot(bits: UInt32(symbol.bits)))
        #expect(slot >= symbol.start && slot < symbol.start + symbol.frequency)
        decoders[index & 1].advance(
          start: UInt32(symbol.start), frequency: UInt32(symbol.frequency), bits: UInt32(symbol.bits),
          from: &reader)
      }
      #expect(reader.isFinished && decoders[0].isInitial && decoders[1].isInitial)
    }
  }

  @Test("A region that is too small is said to be, and nothing is written before it")
  func overflow() throws {
    let symbols = randomSymbols(300, seed: 3)
    let size = try #require(encode(symbols, capacity: 4000)).count
    #expect(encode(symbols, capacity: size) != nil)
    #expect(encode(symbols, capacity: size - 1) == nil)
    #expect(encode(symbols, capacity: 0) == nil)
  }

  @Test("Any bytes at all decode to some symbols without end, and are found out")
  func garbage() {
    var random = RandomStream(seed: 4, stream: 4)
    for size in 0..<200 {
      let bytes = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) } + [0]
      bytes.withUnsafeBufferPointer { bytes in
        var reader = RANSReader(bytes.baseAddress!, count: size)
        guard var state = RANSState(from: &reader) else { return }
        for _ in 0..<1000 {
          let bits = UInt32(1 + random.below(16))
          state.advance(start: state.slot(bits: bits), frequency: 1, bits: bits, from: &reader)
        }
        #expect(reader.exhausted && !reader.isFinished)
      }
    }
  }

  @Test("A code is within a thousandth of the entropy of its symbols")
  func efficiency() throws {
    let frequencies: [UInt16] = [1, 2000, 1000, 600, 300, 100, 60, 30, 5]
    let table = try SymbolTable(frequencies: frequencies, precisionBits: 12)
    var random = RandomStream(seed: 1, stream: 2)
    var region = [UInt8](repeating: 0, count: 400_000)
    var bits = 0.0
    let size = region.withUnsafeMutableBufferPointer { region -> Int in
      var writer = RANSWriter(region.baseAddress!, capacity: region.count)
      var state = RANSState()
      for _ in 0..<400_000 {
        var slot = random.below(4096)
        var symbol = 0
        while slot >= Int(frequencies[symbol]) {
          slot -= Int(frequencies[symbol])
          symbol += 1
        }
        bits += 12 - ExactMath.log(Double(frequencies[symbol])) / 0.6931471805599453
        table.encode(symbol, state: &state, to: &writer)
      }
      state.flush(to: &writer)
      return writer.written.count
    }
    #expect(abs(Double(size) * 8 / bits - 1) < 0.001)
  }

  @Test("A table of frequencies that do not divide the slots is refused")
  func tables() {
    for (frequencies, bits) in [
      ([4095], 12), ([], 12), ([4096, 1], 12), ([0, 4096], 12), ([1, 1], 0), ([1], 17), ([40000, 40000], 16),
    ] as [([UInt16], UInt32)] {
      #expect(
        Support.error { () throws(AEError) in
          _ = try SymbolTable(frequencies: frequencies, precisionBits: bits)
        }?
        .code == .argument)
    }
  }
}

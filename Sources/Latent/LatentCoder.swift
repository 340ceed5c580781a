// Fixed-point latents to quantised codes to bytes, and back. It joins the model's codec (steps and frequency tables) to
// the entropy coder, and knows nothing of blocks.

import Core
import Entropy

/// Codes latents at one quality of one codec. Immutable: any number of threads may use one.
package final class LatentCoder: Sendable {
  /// A value outside its table follows the escape as so many equally likely bits.
  package static let escapeBits: UInt32 = 15

  package let latentCount: Int
  package let rate: CodeRate
  /// Per latent, the value that symbol 1 stands for.
  private let lowest: [Int]
  private let tables: [SymbolTable]

  /// - Parameter quality: 1 ... the number of the codec's rates.
  /// - Throws: `.argument` if the quality is out of range, `.memory`.
  package init(codec: Codec, quality: Int) throws(AEError) {
    guard (1...codec.rates.count).contains(quality) else {
      throw AEError(.argument, "quality must be in 1 ... \(codec.rates.count), not \(quality)")
    }
    rate = codec.rates[quality - 1]
    latentCount = rate.steps.count
    lowest = rate.tables.map { $0.lowest }
    var tables: [SymbolTable] = []
    for table in rate.tables {
      tables.append(
        try SymbolTable(frequencies: table.frequencies, precisionBits: UInt32(CodeTable.precisionBits)))
    }
    self.tables = tables
  }

  /// Turns latents into codes: [count, latentCount], in rows `stride` words apart, into dense rows.
  package func quantise(
    _ latents: UnsafePointer<Int16>, stride: Int, count: Int, into codes: UnsafeMutablePointer<Int16>
  ) {
    for image in 0..<count {
      for latent in 0..<latentCount {
        // A quantised value is never larger than the latent, so it fits.
        codes[image * latentCount + latent] = Int16(
          truncatingIfNeeded: CodeRate.quantise(
            Int(latents[image * stride + latent]), step: Int(rate.steps[latent])))
      }
    }
  }

  /// The latents that codes stand for: code times step, moved into -16383 ... 16383. In place or not.
  package func dequantise(
    _ codes: UnsafePointer<Int16>, count: Int, into latents: UnsafeMutablePointer<Int16>
  ) {
    for image in 0..<count {
      for latent in 0..<latentCount {
        let index = image * latentCount + latent
        latents[index] = rate.latent(Int(codes[index]), of: latent)
      }
    }
  }

  /// Codes [count, latentCount] values in -16383 ... 16383.
  ///
  /// The order is latent by latent, so that one table at a time is in use.
  /// - Returns: where in `region` the bytes lie, or nil if `capacity` does not hold them.
  package func encode(
    _ codes: UnsafePointer<Int16>, count: Int, into region: UnsafeMutablePointer<UInt8>, capacity: Int
  ) -> Range<Int>? {
    var writer = RANSWriter(region, capacity: capacity)
    var state = RANSState()
    for latent in stride(from: latentCount - 1, through: 0, by: -1) {
      let table = tables[latent]
      let lowest = lowest[latent]
      for image in stride(from: count - 1, through: 0, by: -1) {
        let value = Int(codes[image * latentCount + latent])
        let symbol = value - lowest + 1
        if symbol >= 1 && symbol < table.symbolCount {
          table.encode(symbol, state: &state, to: &writer)
        } else {
          state.encode(
            start: UInt32(truncatingIfNeeded: value + Codec.largestLatent), frequency: 1,
            bits: LatentCoder.escapeBits, to: &writer)
          table.encode(0, state: &state, to: &writer)
        }
      }
      if writer.overflowed { return nil }
    }
    state.flush(to: &writer)
    return writer.overflowed ? nil : writer.written
  }

  /// Decodes rows `range` of `count` rows of codes in exactly `byteCount` bytes. All rows are decoded, since the order is
  /// latent by latent.
  /// - Returns: false if the bytes are damaged.
  package func decode(
    _ bytes: UnsafePointer<UInt8>, byteCount: Int, count: Int, range: Range<Int>,
    into codes: UnsafeMutablePointer<Int16>
  ) -> Bool {
    var reader = RANSReader(bytes, count: byteCount)
    guard var state = RANSState(from: &reader) else { return false }
    for latent in 0..<latentCount {
      let table = tables[latent]
      let lowest = lowest[latent]
      for image in 0..<count {
        let symbol = table.decode(state: &state, from: &reader)
        var value = lowest + symbol - 1
        if symbol == 0 {
          let slot = state.slot(bits: LatentCoder.escapeBits)
          state.advance(start: slot, frequency: 1, bits: LatentCoder.escapeBits, from: &reader)
          value = Int(slot) - Codec.largestLatent
          // A value in the table is never escaped, and 2^15 - 1 is no value.
          let inTable = value >= lowest && value - lowest + 1 < table.symbolCount
          if inTable || value > Codec.largestLatent { return false }
        }
        if range.contains(image) {
          codes[(image - range.lowerBound) * latentCount + latent] = Int16(truncatingIfNeeded: value)
        }
      }
      if reader.exhausted { return false }
    }
    return reader.isFinished && state.isInitial
  }
}

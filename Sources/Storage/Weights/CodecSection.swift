// Section CODC of a weight file: the codec of the latents. docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Section CODC: latent scales, quantiser steps, frequency tables.
struct CodecSection {
  let latentCount: Int

  /// Tables have as many symbols as they need, so the size is bounded, not known. 2^24 bytes are two
  /// hundred times what 64 latents in 8 qualities take.
  var rawCounts: ClosedRange<Int> { (2 + 4 * latentCount + 10 * latentCount)...(1 << 24) }

  /// Of a codec as `write` writes it.
  func rawCount(_ codec: Codec) -> Int {
    var count = 2 + 4 * latentCount
    for rate in codec.rates {
      count += 2 * latentCount
      for table in rate.tables { count += 4 + 2 * table.frequencies.count }
    }
    return count
  }

  func write(_ codec: Codec) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    try writer.u8(UInt8(codec.rates.count))
    try writer.u8(UInt8(codec.defaultQuality))
    for scale in codec.latentScales { try writer.f32(scale) }
    for rate in codec.rates {
      for step in rate.steps { try writer.u16(step) }
      for table in rate.tables {
        try writer.u16(UInt16(bitPattern: Int16(table.lowest)))
        try writer.u16(UInt16(table.frequencies.count))
        for frequency in table.frequencies { try writer.u16(frequency) }
      }
    }
    guard writer.count <= rawCounts.upperBound else {
      throw AEError(
        .format, "the frequency tables make \(writer.count) bytes; \(rawCounts.upperBound) are allowed")
    }
    return try writer.finish()
  }

  func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> Codec {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    let rateCount = Int(try reader.u8())
    guard (1...16).contains(rateCount) else {
      throw reader.fail("a codec has 1 to 16 qualities, not \(rateCount)")
    }
    let defaultQuality = Int(try reader.u8())
    var scales: [Float] = []
    for _ in 0..<latentCount { scales.append(try reader.f32()) }
    var rates: [CodeRate] = []
    for quality in 1...rateCount {
      var steps: [UInt16] = []
      var tables: [CodeTable] = []
      for _ in 0..<latentCount { steps.append(try reader.u16()) }
      for latent in 0..<latentCount {
        try checkMemory()
        let lowest = Int(Int16(bitPattern: try reader.u16()))
        let count = Int(try reader.u16())
        guard (2...4096).contains(count) else {
          throw reader.fail(
            "quality \(quality), latent \(latent): a table has 2 to 4096 symbols, not \(count)")
        }
        var frequencies: [UInt16] = []
        frequencies.reserveCapacity(count)
        for _ in 0..<count { frequencies.append(try reader.u16()) }
        do {
          tables.append(try CodeTable(lowest: lowest, frequencies: frequencies))
        } catch {
          throw reader.fail(error.code, "quality \(quality), latent \(latent): \(error.message)")
        }
      }
      do {
        rates.append(try CodeRate(steps: steps, tables: tables))
      } catch {
        throw reader.fail(error.code, "quality \(quality): \(error.message)")
      }
    }
    guard reader.remaining == 0 else { throw reader.fail("\(reader.remaining) bytes too many") }
    do {
      return try Codec(latentScales: scales, rates: rates, defaultQuality: defaultQuality)
    } catch {
      throw reader.fail(error.code, Message(error.message))
    }
  }
}

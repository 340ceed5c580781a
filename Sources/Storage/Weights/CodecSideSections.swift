// Sections bitp and qual, optional: the prices of a bit for code search, and bytes and error of each quality. Neither
// is part of what the model's hash covers: decoding does not depend on them.

import Bytes
import Core
import Latent

enum BitPricesSection {
  static let rawCounts = 4...4 * 16

  static func write(_ codec: Codec) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    for price in codec.bitPrices { try writer.u32(price) }
    return try writer.finish()
  }

  /// The codec with the prices in `raw`.
  static func read(_ raw: Buffer<UInt8>, into codec: Codec, name: String) throws(AEError) -> Codec {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    var prices: [UInt32] = []
    while reader.remaining > 0 { prices.append(try reader.u32()) }
    do {
      return try codec.with(bitPrices: prices)
    } catch {
      throw reader.fail(error.code, Message(error.message))
    }
  }
}

enum QualityFiguresSection {
  static let rawCounts = 8...8 * 16

  static func write(_ codec: Codec) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    for figure in codec.figures {
      try writer.f32(figure.bytesPerImage)
      try writer.f32(figure.meanSquaredError)
    }
    return try writer.finish()
  }

  /// The codec with the figures in `raw`.
  static func read(_ raw: Buffer<UInt8>, into codec: Codec, name: String) throws(AEError) -> Codec {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    var figures: [QualityFigure] = []
    do {
      while reader.remaining > 0 {
        figures.append(
          try QualityFigure(bytesPerImage: try reader.f32(), meanSquaredError: try reader.f32()))
      }
      return try codec.with(figures: figures)
    } catch {
      throw reader.fail(error.code, Message(error.message))
    }
  }
}

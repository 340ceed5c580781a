// Section bitp, optional: what a bit of code is worth to an encoder that searches codes. Where there is no search
// (CodeSearch says where), it is kept for files that are written again.

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

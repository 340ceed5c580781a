// Numbers that take as many bytes as they need: seven bits a byte, the lowest first, the high bit set in all but the
// last (LEB128). Its own file because headers, heads of chunks and the index are all made of them.

import Bytes
import Core

extension ByteWriter {
  /// Appends a number of at most 42 bits.
  func varint(_ value: Int) throws(AEError) {
    precondition(value >= 0 && value < 1 << 42)
    var rest = value
    while rest > 0x7F {
      try u8(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    try u8(UInt8(truncatingIfNeeded: rest))
  }
}

extension ByteReader {
  /// A number from `low` to `high`, in its shortest form, which is six bytes at most.
  @inline(never)
  mutating func varint(_ what: StaticString, _ low: Int, _ high: Int) throws(AEError) -> Int {
    let start = self
    var value = 0
    var shift = 0
    while true {
      let byte = Int(try u8())
      value |= (byte & 0x7F) << shift
      if byte < 0x80 {
        if byte == 0, shift > 0 {
          self = start
          throw fail("\(what): a number with more bytes than it needs")
        }
        break
      }
      shift += 7
      guard shift < 42 else {
        self = start
        throw fail("\(what): a number of more than 6 bytes")
      }
    }
    guard value >= low, value <= high else {
      self = start
      throw fail("\(what) \(value): \(low) to \(high) may be")
    }
    return value
  }
}

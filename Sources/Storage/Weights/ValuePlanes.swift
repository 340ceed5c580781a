// How numbers are laid out before they are deflated: plane by plane, signs last. docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Values of more than a byte, plane by plane: first the lowest byte of every value, then the next. The
/// bytes of a plane are alike, and zlib finds that.
enum Planes {
  static func write(
    _ values: UnsafePointer<UInt32>, _ count: Int, width: Int, to out: UnsafeMutablePointer<UInt8>
  ) {
    for plane in 0..<width {
      let shift = UInt32(8 * plane)
      let row = out + plane * count
      for index in 0..<count { row[index] = UInt8(truncatingIfNeeded: values[index] >> shift) }
    }
  }

  static func read(
    _ bytes: UnsafePointer<UInt8>, _ count: Int, width: Int, into values: UnsafeMutablePointer<UInt32>
  ) {
    for index in 0..<count { values[index] = 0 }
    for plane in 0..<width {
      let shift = UInt32(8 * plane)
      let row = bytes + plane * count
      for index in 0..<count { values[index] |= UInt32(row[index]) << shift }
    }
  }
}

/// A float's bits with the sign moved behind the fraction, so that the highest byte is the exponent alone.
enum SignLast {
  static func word(of value: Float) -> UInt32 { value.bitPattern << 1 | value.bitPattern >> 31 }
  static func value(of word: UInt32) -> Float { Float(bitPattern: word >> 1 | word << 31) }
}

// CRC-32 against accidents, SHA-256 for identity: the two sums that files carry.

import CZlib
import Core

public enum Checksum {
  /// The CRC-32 of zlib, gzip and PNG (polynomial 0xEDB88320, reflected).
  ///
  /// - Parameter from: the sum of what came before, to go on from.
  public static func crc32(_ p: UnsafePointer<UInt8>, _ count: Int, from: UInt32 = 0) -> UInt32 {
    // crc32_z, which takes a size_t, came with zlib 1.2.9: older than any zlib this meets.
    UInt32(truncatingIfNeeded: crc32_z(uLong(from), p, z_size_t(max(count, 0))))
  }
}

/// SHA-256 (FIPS 180-4).
public struct SHA256 {
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  /// The block being filled.
  private var block = [UInt8](repeating: 0, count: 64)
  private var filled = 0
  private var byteCount: UInt64 = 0

  public init() {}

  /// Adds `count` bytes.
  public mutating func update(_ p: UnsafePointer<UInt8>, _ count: Int) {
    guard count > 0 else { return }
    byteCount &+= UInt64(count)
    var index = 0
    if filled > 0 {
      while filled < 64 && index < count {
        block[filled] = p[index]
        filled += 1
        index += 1
      }
      guard filled == 64 else { return }
      SHA256.compress(&state, block)
      filled = 0
    }
    while count - index >= 64 {
      SHA256.compress(&state, p + index)
      index += 64
    }
    while index < count {
      block[filled] = p[index]
      filled += 1
      index += 1
    }
  }

  /// The 32 bytes of the sum of all that was added.
  public func finish() -> [UInt8] {
    var last = self
    let bitCount = byteCount &* 8
    last.block[last.filled] = 0x80
    for index in (last.filled + 1)..<64 { last.block[index] = 0 }
    if last.filled >= 56 {
      SHA256.compress(&last.state, last.block)
      for index in 0..<64 { last.block[index] = 0 }
    }
    for index in 0..<8 { last.block[63 - index] = UInt8(truncatingIfNeeded: bitCount >> (8 * UInt64(index))) }
    SHA256.compress(&last.state, last.block)
    var digest: [UInt8] = []
    digest.reserveCapacity(32)
    for word in last.state {
      for shift in [UInt32(24), 16, 8, 0] { digest.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
    return digest
  }

  /// The sum of one run of bytes.
  public static func digest(_ p: UnsafePointer<UInt8>, _ count: Int) -> [UInt8] {
    var sum = SHA256()
    sum.update(p, count)
    return sum.finish()
  }

  /// Bytes as lower-case hexadecimal digits.
  public static func hex(_ bytes: [UInt8]) -> String {
    var digits: [UInt8] = []
    digits.reserveCapacity(2 * bytes.count)
    for byte in bytes {
      for nibble in [byte >> 4, byte & 15] { digits.append(nibble < 10 ? 48 + nibble : 87 + nibble) }
    }
    return UTF8Text.string(digits)
  }

  /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
  ]

  private static func compress(_ state: inout [UInt32], _ block: UnsafePointer<UInt8>) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { w in
      for t in 0..<16 {
        w[t] = UInt32(bigEndian: UnsafeRawPointer(block + 4 * t).loadUnaligned(as: UInt32.self))
      }
      for t in 16..<64 {
        let s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ (w[t - 15] >> 3)
        let s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ (w[t - 2] >> 10)
        w[t] = w[t - 16] &+ s0 &+ w[t - 7] &+ s1
      }
      var (a, b, c, d) = (state[0], state[1], state[2], state[3])
      var (e, f, g, h) = (state[4], state[5], state[6], state[7])
      for t in 0..<64 {
        let s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
        let t1 = h &+ s1 &+ ((e & f) ^ (~e & g)) &+ constants[t] &+ w[t]
        let s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
        let t2 = s0 &+ ((a & b) ^ (a & c) ^ (b & c))
        (h, g, f, e, d, c, b, a) = (g, f, e, d &+ t1, c, b, a, t1 &+ t2)
      }
      state[0] = state[0] &+ a
      state[1] = state[1] &+ b
      state[2] = state[2] &+ c
      state[3] = state[3] &+ d
      state[4] = state[4] &+ e
      state[5] = state[5] &+ f
      state[6] = state[6] &+ g
      state[7] = state[7] &+ h
    }
  }

  @inline(__always)
  private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
    (word &>> count) | (word &<< (32 &- count))
  }
}

// float16 as files hold it, converted in integers so that every machine, with or without hardware for it,
// gives the same bits.

/// IEEE 754 binary16: a sign, 5 bits of exponent (bias 15), 10 of fraction.
enum HalfPrecision {
  /// The nearest float16, ties to even; nil for NaN, infinity, and what rounds beyond 65504.
  static func bits(of value: Float) -> UInt16? {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
    let exponent = Int((bits >> 23) & 0xff) - 127 + 15
    var fraction = bits & 0x7f_ffff
    if exponent >= 31 { return nil }
    if exponent < -10 { return sign }
    if exponent <= 0 {
      fraction |= 0x80_0000
      return sign | UInt16(truncatingIfNeeded: rounded(fraction, shift: UInt32(14 - exponent)))
    }
    // A carry out of the fraction moves into the exponent, as it should.
    let magnitude = rounded(UInt32(exponent) << 23 | fraction, shift: 13)
    return magnitude < 0x7c00 ? sign | UInt16(truncatingIfNeeded: magnitude) : nil
  }

  /// The float of the same value; infinities and NaNs stay what they are.
  static func value(of bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1f
    let fraction = UInt32(bits & 0x3ff)
    if exponent == 31 { return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13) }
    if exponent > 0 { return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13) }
    if fraction == 0 { return Float(bitPattern: sign) }
    // fraction * 2^-24: move its highest bit to the place that floats leave out.
    let shift = UInt32(fraction.leadingZeroBitCount) - 21
    return Float(bitPattern: sign | (113 - shift) << 23 | ((fraction << shift) & 0x3ff) << 13)
  }

  /// `value` / 2^shift, rounded to the nearest, ties to even. `shift` is in 1 ... 24.
  private static func rounded(_ value: UInt32, shift: UInt32) -> UInt32 {
    let quotient = value >> shift
    let rest = value & ((1 << shift) - 1)
    let half: UInt32 = 1 << (shift - 1)
    return rest > half || (rest == half && quotient & 1 == 1) ? quotient + 1 : quotient
  }
}

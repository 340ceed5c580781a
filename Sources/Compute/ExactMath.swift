// Elementary functions in plain IEEE arithmetic: the same bits on every machine, where libm's differ in
// the last place between versions. Seeds and schedules go through these, so that they mean one thing.

/// log, exp and cos from additions, multiplications and divisions alone, to some 1e-15 relative.
public enum ExactMath {
  /// The natural logarithm of a positive, finite, normal number.
  @inline(never)
  public static func log(_ x: Double) -> Double {
    // x = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m - 1) / (m + 1)).
    var m = x.significand
    var e = Double(x.exponent)
    if m > 1.4142135623730951 {
      m *= 0.5
      e += 1
    }
    let t = (m - 1) / (m + 1)
    let t2 = t * t
    var sum = 0.0
    var n = 23.0
    while n >= 1 {
      sum = sum * t2 + 1 / n
      n -= 2
    }
    return e * 0.6931471805599453 + 2 * t * sum
  }

  /// The exponential; 0 below -708, infinity above 709.
  @inline(never)
  public static func exp(_ x: Double) -> Double {
    guard x > -708 else { return x.isNaN ? x : 0 }
    guard x < 709 else { return .infinity }
    // x = k ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts so that r loses nothing.
    let k = (x * 1.4426950408889634).rounded(.toNearestOrEven)
    let r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10
    var sum = 1.0
    var n = 15.0
    while n >= 1 {
      sum = 1 + sum * r / n
      n -= 1
    }
    return sum * Double(sign: .plus, exponent: Int(k), significand: 1)
  }

  /// The cosine of an angle in [0, pi].
  @inline(never)
  public static func cos(_ x: Double) -> Double {
    // cos x = -cos(pi - x), so that the series runs on [0, pi / 2] only.
    let flip = x > 1.5707963267948966
    let y = flip ? 3.141592653589793 - x : x
    let y2 = y * y
    var sum = 1.0
    var n = 22.0
    while n >= 2 {
      sum = 1 - sum * y2 / (n * (n - 1))
      n -= 2
    }
    return flip ? -sum : sum
  }

  /// base^exponent for a whole exponent, by squaring.
  @inline(never)
  public static func power(_ base: Double, _ exponent: Int) -> Double {
    var result = 1.0
    var square = base
    var rest = exponent
    while rest > 0 {
      if rest & 1 == 1 { result *= square }
      square *= square
      rest >>= 1
    }
    return result
  }
}

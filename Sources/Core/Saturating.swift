// Conversions that cannot trap. Swift's Int(Double.nan) and products that overflow end the process,
// and inputs must not: everything that comes from a file or a caller goes through these.

extension Int {
  /// The nearest integer, ties away from zero; the closest bound for what is out of range; 0 for NaN.
  @inlinable
  public init(saturating value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= 9.2e18 {
      self = .max
    } else if value <= -9.2e18 {
      self = .min
    } else {
      self = Int(value.rounded())
    }
  }

  /// The product, or nil if it does not fit.
  @inlinable
  public func times(_ other: Int) -> Int? {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? nil : product
  }

  /// The sum, or nil if it does not fit.
  @inlinable
  public func plus(_ other: Int) -> Int? {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? nil : sum
  }

  /// The value moved into a range.
  @inlinable
  public func clamped(to range: ClosedRange<Int>) -> Int {
    self < range.lowerBound ? range.lowerBound : (self > range.upperBound ? range.upperBound : self)
  }
}

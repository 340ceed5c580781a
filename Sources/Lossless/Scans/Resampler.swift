// How a bilevel scan becomes an anti-aliased image, in integers: the forward direction of what ScanSearch
// inverts. Its own file because readers of image sets need this half alone.

import CScan
import Core

/// Draws a square scan of 0 and 1 on a box of 20 x 20 pixels by the area that its ink covers, the way the
/// digits of MNIST were made (LeCun et al. 1998; reconstructed by Yadav and Bottou, "Cold Case: The Lost MNIST
/// Digits", 2019): every scan pixel is drawn 0.99 of its size where a pixel's edge cuts it, and the darkest
/// pixel becomes 255.
public enum Resampler {
  /// Pixels of the box's side.
  public static let boxSide = Int(CK_SCAN_BOX)
  /// Sides that a scan may have.
  public static let sides = Int(CK_SCAN_BOX)...Int(CK_SCAN_MAX_SIDE)

  /// Gives `body` where each row of a scan of `side` rows goes.
  @inline(__always)
  private static func withShares<Result>(
    side: Int, _ body: (UnsafeMutablePointer<ck_scan_share>) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(of: ck_scan_share.self, capacity: sides.upperBound) {
      let shares = $0.baseAddress.unsafelyUnwrapped
      ck_scan_weights(Int32(side), shares)
      return body(shares)
    }
  }

  /// What a row of ink sums to in each of the box's rows: 5 * side or a little less.
  static func rowSums(side: Int, into sums: UnsafeMutablePointer<Int32>) {
    sums.update(repeating: 0, count: boxSide)
    withShares(side: side) { shares in
      for row in 0..<side {
        let share = shares[row]
        sums[Int(share.target)] &+= share.weight
        if share.next_weight > 0 { sums[Int(share.target) + 1] &+= share.next_weight }
      }
    }
  }

  /// The area that ink covers of each of the box's pixels, in units of 1 / (5 side)^2 of a pixel, and the
  /// largest of them, at least 1.
  static func areas(_ scan: Scan, into areas: UnsafeMutablePointer<Int32>) -> Int {
    areas.update(repeating: 0, count: boxSide * boxSide)
    // First along the rows, then down.
    withShares(side: scan.side) { shares in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: boxSide) { line in
        for row in 0..<scan.height {
          line.update(repeating: 0)
          for column in 0..<scan.width where scan.ink.base[row * scan.width + column] != 0 {
            let share = shares[scan.left + column]
            line[Int(share.target)] &+= share.weight
            if share.next_weight > 0 { line[Int(share.target) + 1] &+= share.next_weight }
          }
          let share = shares[scan.top + row]
          let target = areas + Int(share.target) * boxSide
          for column in 0..<boxSide { target[column] &+= share.weight &* line[column] }
          if share.next_weight > 0 {
            for column in 0..<boxSide { target[boxSide + column] &+= share.next_weight &* line[column] }
          }
        }
      }
    }
    var largest: Int32 = 1
    for index in 0..<boxSide * boxSide where areas[index] > largest { largest = areas[index] }
    return Int(largest)
  }

  /// The value of a pixel of which ink covers `area`, and whether the value before rounding was a whole number.
  /// There the images' makers got one or the other neighbour, by the noise of their floats.
  @inline(__always)
  static func value(area: Int, largest: Int) -> (value: Int, isTie: Bool) {
    // Rounded towards the middle.
    let excess = 255 &* area &- 128 &* largest
    return (128 &+ excess / largest, area > 0 && excess % largest == 0 && excess != 0)
  }

  /// The other value of a tie.
  @inline(__always)
  public static func neighbour(_ value: Int) -> Int { value < 128 ? value &+ 1 : value &- 1 }
}

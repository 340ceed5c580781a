// The elbow of a falling curve, beyond which more gains little.

import Compute
import Core

public enum Elbow {
  /// The point of a curve that lies furthest below the straight line between its ends, both axes logarithmic
  /// and scaled to 1 (Satopää et al. 2011, "kneedle", without smoothing).
  ///
  /// - Parameters:
  ///   - x: ascending, positive.
  ///   - y: positive, as many.
  /// - Returns: the position in `x`, and the distance, 0 for a curve that is nowhere below its line; nil for
  ///   fewer than three points or a curve without extent.
  public static func find(_ x: [Double], _ y: [Double]) -> (index: Int, depth: Double)? {
    guard x.count >= 3, x.count == y.count, x[0] > 0, x[0] < x[x.count - 1] else { return nil }
    for value in y where !(value > 0) { return nil }
    let (left, right) = (ExactMath.log(x[0]), ExactMath.log(x[x.count - 1]))
    let (top, bottom) = (ExactMath.log(y[0]), ExactMath.log(y[y.count - 1]))
    guard top != bottom else { return nil }
    var best = (index: 0, depth: 0.0)
    for i in 0..<x.count {
      let along = (ExactMath.log(x[i]) - left) / (right - left)
      let height = (ExactMath.log(y[i]) - bottom) / (top - bottom)
      let depth = (1 - along - height) / 1.4142135623730951
      if depth > best.depth { best = (i, depth) }
    }
    return best
  }
}

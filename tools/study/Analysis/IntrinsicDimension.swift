// Estimates of the intrinsic dimension of a set of points, from the distances to nearest neighbours.

import Compute
import Core

/// An estimate with its standard error, from the spread of the sample alone; what the method makes of curved
/// manifolds and of too few points is not in it.
public struct DimensionEstimate: Sendable {
  public let dimension: Double
  public let standardError: Double
}

public enum IntrinsicDimension {
  /// The share of points, those with the largest ratios, that TwoNN leaves out.
  public static let discardedShare = 0.1

  /// TwoNN (Facco, d'Errico, Rodriguez and Laio 2017): the ratio mu of the distances to the second and the first
  /// neighbour has the distribution F(mu) = 1 - mu^-d, so that -log(1 - F) over log mu is a line of slope d.
  ///
  /// Points with a neighbour at distance 0 are left out.
  /// - Parameter neighbours: at least two of every point among the others.
  /// - Throws: `.argument` for fewer than two neighbours or fewer than 10 points left.
  public static func twoNN(_ neighbours: Neighbours) throws(AEError) -> DimensionEstimate {
    guard neighbours.count >= 2 else { throw AEError(.argument, "TwoNN needs two neighbours of each point") }
    var logs: [Double] = []
    for point in 0..<neighbours.queryCount {
      let first = Double(neighbours.squaredDistances.base[point * neighbours.count])
      let second = Double(neighbours.squaredDistances.base[point * neighbours.count + 1])
      if first > 0 { logs.append(0.5 * (ExactMath.log(second) - ExactMath.log(first))) }
    }
    guard logs.count >= 10 else {
      throw AEError(.argument, "TwoNN needs at least 10 points with distinct neighbours, not \(logs.count)")
    }
    logs.shellSort { $0 < $1 }
    let kept = Int(Double(logs.count) * (1 - discardedShare))
    var xx = 0.0
    var xy = 0.0
    for i in 0..<kept {
      let y = -ExactMath.log(1 - Double(i + 1) / Double(logs.count))
      xx += logs[i] * logs[i]
      xy += logs[i] * y
    }
    let dimension = xx > 0 ? xy / xx : 0
    return DimensionEstimate(
      dimension: dimension, standardError: dimension / Double(kept).squareRoot())
  }

  /// The maximum-likelihood estimate of Levina and Bickel (2005) from the `count` nearest neighbours of each point,
  /// its inverses averaged over points (MacKay and Ghahramani 2005).
  ///
  /// - Throws: `.argument` if there are fewer than 2 or fewer than `count` neighbours, or all distances are 0.
  public static func maximumLikelihood(_ neighbours: Neighbours, count: Int) throws(AEError)
    -> DimensionEstimate
  {
    guard count >= 2, count <= neighbours.count else {
      throw AEError(.argument, "\(count) neighbours of \(neighbours.count) cannot be used")
    }
    var sum = 0.0
    var squares = 0.0
    var used = 0.0
    for point in 0..<neighbours.queryCount {
      let row = neighbours.squaredDistances.base + point * neighbours.count
      guard row[0] > 0 else { continue }
      let last = ExactMath.log(Double(row[count - 1]))
      var inverse = 0.0
      for place in 0..<count - 1 { inverse += 0.5 * (last - ExactMath.log(Double(row[place]))) }
      inverse /= Double(count - 1)
      sum += inverse
      squares += inverse * inverse
      used += 1
    }
    guard used > 1, sum > 0 else {
      throw AEError(.argument, "an estimate of dimension needs points at distances other than 0")
    }
    let mean = sum / used
    let variance = max(squares / used - mean * mean, 0) / used
    return DimensionEstimate(dimension: 1 / mean, standardError: variance.squareRoot() / (mean * mean))
  }
}

// Exact nearest neighbours, for estimates of dimension and for the simplest classifier. Distances come from matrix products
// of whole blocks, which the kernels are fastest at.

import Compute
import Core

/// The `count` nearest of `points` for each of `queries`, nearest first.
public struct Neighbours: Sendable {
  public let count: Int
  public let queryCount: Int
  /// [queryCount, count]: rows of `points`.
  public let indices: Buffer<Int32>
  /// [queryCount, count]: squared Euclidean distances.
  public let squaredDistances: Buffer<Float>

  private static let queryBlock = 256
  private static let pointBlock = 4096

  /// - Parameters:
  ///   - queries: [queryCount, width].
  ///   - points: [pointCount, width].
  ///   - isLeavingOut: whether queries are the first of the points, and none is its own neighbour.
  /// - Throws: `.argument` unless there are at least `count` points (one more if it leaves itself out); `.memory`.
  public init(
    of queries: UnsafePointer<Float>, queryCount: Int, among points: UnsafePointer<Float>, pointCount: Int,
    width: Int, count: Int, isLeavingOut: Bool = false
  ) throws(AEError) {
    guard count >= 1, width >= 1, pointCount >= count + (isLeavingOut ? 1 : 0) else {
      throw AEError(
        .argument, "\(count) neighbours need more than the \(pointCount) points of \(width) numbers that came"
      )
    }
    let indices = try Buffer<Int32>(count: queryCount * count)
    let distances = try Buffer<Float>(count: queryCount * count)
    let pointSquares = try Neighbours.squares(points, count: pointCount, width: width)
    let querySquares = try Neighbours.squares(queries, count: queryCount, width: width)
    for i in 0..<distances.count { distances.base[i] = .infinity }
    let products = try Buffer<Float>(count: Neighbours.queryBlock * min(Neighbours.pointBlock, pointCount))
    for firstQuery in stride(from: 0, to: queryCount, by: Neighbours.queryBlock) {
      let rows = min(Neighbours.queryBlock, queryCount - firstQuery)
      for firstPoint in stride(from: 0, to: pointCount, by: Neighbours.pointBlock) {
        let columns = min(Neighbours.pointBlock, pointCount - firstPoint)
        try multiply(
          queries + firstQuery * width, by: points + firstPoint * width, transposeB: true,
          into: products.base, m: rows, n: columns, k: width)
        parallel(rows) { row in
          let query = firstQuery + row
          let best = distances.base + query * count
          let who = indices.base + query * count
          for column in 0..<columns {
            let point = firstPoint + column
            let distance =
              querySquares.base[query] + pointSquares.base[point] - 2 * products.base[row * columns + column]
            if distance >= best[count - 1] || (isLeavingOut && point == query) { continue }
            // Insertion keeps the row in order.
            var place = count - 1
            while place > 0, best[place - 1] > distance {
              best[place] = best[place - 1]
              who[place] = who[place - 1]
              place -= 1
            }
            best[place] = distance
            who[place] = Int32(truncatingIfNeeded: point)
          }
        }
      }
    }
    // What was found in floats of the size of the norms is measured again: differences near 0 would drown.
    parallel(queryCount) { query in
      let base = query * count
      for place in 0..<count {
        let point = points + Int(indices.base[base + place]) * width
        distances.base[base + place] = Float(squaredError(queries + query * width, point, count: width))
      }
      for place in 1..<max(count, 1) {
        var at = place
        while at > 0, distances.base[base + at - 1] > distances.base[base + at] {
          (distances.base[base + at - 1], distances.base[base + at]) = (
            distances.base[base + at], distances.base[base + at - 1]
          )
          (indices.base[base + at - 1], indices.base[base + at]) = (
            indices.base[base + at], indices.base[base + at - 1]
          )
          at -= 1
        }
      }
    }
    self.count = count
    self.queryCount = queryCount
    self.indices = indices
    squaredDistances = distances
  }

  private static func squares(_ rows: UnsafePointer<Float>, count: Int, width: Int) throws(AEError)
    -> Buffer<Float>
  {
    let result = try Buffer<Float>(count: count)
    parallel(count) { row in
      var sum: Float = 0
      for j in 0..<width { sum += rows[row * width + j] * rows[row * width + j] }
      result.base[row] = sum
    }
    return result
  }

  // MARK: Prediction

  /// The class that most neighbours of each query have; among equals, the nearest one's.
  /// - Parameter labels: of the points, each below 256.
  public func classes(_ labels: UnsafePointer<UInt8>) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: queryCount)
    for query in 0..<queryCount {
      var votes = [Int](repeating: 0, count: 256)
      for place in 0..<count { votes[Int(labels[Int(indices.base[query * count + place])])] += 1 }
      var best = 0
      for place in 0..<count {
        let label = labels[Int(indices.base[query * count + place])]
        if votes[Int(label)] > best {
          best = votes[Int(label)]
          result[query] = label
        }
      }
    }
    return result
  }

  /// The mean of the neighbours' values, [queryCount, width].
  /// - Parameter values: of the points, [points, width].
  public func means(_ values: UnsafePointer<Float>, width: Int) throws(AEError) -> Buffer<Float> {
    let result = try Buffer<Float>(count: queryCount * width)
    for query in 0..<queryCount {
      for place in 0..<count {
        let point = Int(indices.base[query * count + place])
        for j in 0..<width { result.base[query * width + j] += values[point * width + j] / Float(count) }
      }
    }
    return result
  }
}

// What Analysis computes, held against cases whose answers are known.

import Analysis
import Compute
import Core
import Testing

/// Points of a plane of `dimension` directions in `width` numbers, uniform in a cube and turned.
private func plane(dimension: Int, width: Int, count: Int, seed: UInt64 = 1) throws -> Buffer<Float> {
  var stream = RandomStream(seed: seed, .test)
  let directions = (0..<dimension * width).map { _ in stream.normal() }
  let points = try Buffer<Float>(count: count * width)
  for point in 0..<count {
    for i in 0..<dimension {
      let along = stream.uniform()
      for j in 0..<width { points.base[point * width + j] += along * directions[i * width + j] }
    }
  }
  return points
}

private func neighbours(_ points: Buffer<Float>, width: Int, count: Int) throws -> Neighbours {
  let n = points.count / width
  return try Neighbours(
    of: points.base, queryCount: n, among: points.base, pointCount: n, width: width, count: count,
    isLeavingOut: true)
}

@Test("both estimates find the dimension of a plane in a space of many", arguments: [1, 2, 4, 6])
func planesHaveTheirDimension(dimension: Int) throws {
  let near = try neighbours(try plane(dimension: dimension, width: 40, count: 4000), width: 40, count: 12)
  let two = try IntrinsicDimension.twoNN(near)
  let likelihood = try IntrinsicDimension.maximumLikelihood(near, count: 12)
  // A cube's boundary takes a little away, the more the higher it is.
  #expect(abs(two.dimension - Double(dimension)) < 0.12 * Double(dimension))
  #expect(abs(likelihood.dimension - Double(dimension)) < 0.15 * Double(dimension))
  #expect(two.standardError > 0 && two.standardError < 0.05 * Double(dimension))
}

@Test("a circle is of one dimension though it lies in a plane")
func aCircleIsALine() throws {
  let points = try Buffer<Float>(count: 2 * 3000)
  var stream = RandomStream(seed: 3, .test)
  for i in 0..<3000 {
    let angle = Double(stream.uniform()) * 3.141592653589793
    points.base[2 * i] = Float(ExactMath.cos(angle))
    let sine = (1 - ExactMath.cos(angle) * ExactMath.cos(angle)).squareRoot()
    points.base[2 * i + 1] = Float(stream.uniform() < 0.5 ? sine : -sine)
  }
  let two = try IntrinsicDimension.twoNN(try neighbours(points, width: 2, count: 2))
  #expect(abs(two.dimension - 1) < 0.08)
}

@Test("points that are all the same have no dimension, and say so")
func noExtentIsAnError() throws {
  let near = try neighbours(try Buffer<Float>(count: 100), width: 2, count: 3)
  #expect(throws: AEError.self) { try IntrinsicDimension.twoNN(near) }
  #expect(throws: AEError.self) { try IntrinsicDimension.maximumLikelihood(near, count: 3) }
  #expect(throws: AEError.self) { try neighbours(try Buffer<Float>(count: 6), width: 2, count: 3) }
}

@Test("neighbours are those that looking at every pair finds")
func neighboursAreTheNearest() throws {
  let (width, count) = (7, 900)
  let points = try plane(dimension: 5, width: width, count: count)
  let near = try neighbours(points, width: width, count: 4)
  for query in stride(from: 0, to: count, by: 97) {
    var all: [(Float, Int)] = []
    for other in 0..<count where other != query {
      var sum: Float = 0
      for j in 0..<width {
        let difference = points.base[query * width + j] - points.base[other * width + j]
        sum += difference * difference
      }
      all.append((sum, other))
    }
    all.sort { $0.0 < $1.0 }
    for place in 0..<4 {
      #expect(Int(near.indices.base[query * 4 + place]) == all[place].1)
      #expect(abs(near.squaredDistances.base[query * 4 + place] - all[place].0) <= 1e-6 * all[place].0)
    }
  }
}

@Test("neighbours vote, and the nearest decides a tie")
func neighboursVote() throws {
  let points = try Buffer<Float>([0, 1, 2, 3])
  let queries = try Buffer<Float>([0.1, 2.6])
  let near = try Neighbours(
    of: queries.base, queryCount: 2, among: points.base, pointCount: 4, width: 1, count: 3)
  let labels = try Buffer<UInt8>([7, 5, 5, 9])
  #expect(near.classes(labels.base) == [5, 5])
  let two = try Neighbours(
    of: queries.base, queryCount: 2, among: points.base, pointCount: 4, width: 1, count: 2)
  #expect(two.classes(labels.base) == [7, 9])
  #expect(try two.means(points.base, width: 1).array == [0.5, 2.5])
}

@Test("principal angles of planes that are turned by known angles are those angles")
func anglesAreKnown() throws {
  // Axes 0 and 1 against axis 0 turned towards 2 by a, and axis 1 towards 3 by b.
  for (sinA, sinB) in [(0.0, 1.0), (1e-6, 0.5), (0.25, 0.7071067811865476)] {
    let a = try Buffer<Double>([1, 0, 0, 0, 0, 1, 0, 0])
    let (cosA, cosB) = ((1 - sinA * sinA).squareRoot(), (1 - sinB * sinB).squareRoot())
    // As a mixture of both directions: the subspace is the same.
    let first = [cosA, cosB, sinA, sinB]
    let second = [cosA, -cosB, sinA, -sinB]
    let rows = try Buffer<Double>(first + second)
    let b = try Subspaces.orthonormal(rows.base, count: 2, width: 4)
    #expect(b.rank == 2)
    let angles = try Subspaces.angles(a.base, rankA: 2, b.basis.base, rankB: 2, width: 4)
    for (angle, sine) in zip(angles, [sinA, sinB]) {
      // The sine of what came, by its series.
      var term = angle
      var sum = angle
      var n = 2.0
      while n < 40 {
        term *= -angle * angle / (n * (n + 1))
        sum += term
        n += 2
      }
      #expect(abs(sum - sine) < 1e-8 + 1e-6 * sine)
    }
  }
}

@Test("rows that depend on others are left out of a basis")
func dependentRowsAreLeftOut() throws {
  let rows = try Buffer<Double>([1, 2, 3, 2, 4, 6, 0, 0, 1, 0, 0, 0])
  let basis = try Subspaces.orthonormal(rows.base, count: 4, width: 3)
  #expect(basis.rank == 2)
  #expect(throws: AEError.self) {
    try Subspaces.angles(basis.basis.base, rankA: 1, basis.basis.base, rankB: 2, width: 3)
  }
}

@Test("least squares finds the map that made the values, and explains what is not noise")
func regressionFindsTheMap() throws {
  var stream = RandomStream(seed: 9, .test)
  let (count, d) = (2000, 3)
  let x = try Buffer<Float>(count: count * d)
  let y = try Buffer<Float>(count: count * 2)
  for row in 0..<count {
    for j in 0..<d { x.base[row * d + j] = stream.normal() }
    let exact = 2 * x.base[row * d] - x.base[row * d + 2] + 0.5
    y.base[row * 2] = exact
    // As much noise as there is signal.
    y.base[row * 2 + 1] = x.base[row * d + 1] + stream.normal()
  }
  let fit = try LinearRegression(x.base, inputCount: d, y.base, outputCount: 2, count: count)
  for (found, known) in zip((0...d).map { fit.coefficients.base[2 * $0] }, [2, 0, -1, 0.5]) {
    #expect(abs(found - known) < 1e-4)
  }
  let foretold = try fit.predictions(x.base, count: count)
  let explained = LinearRegression.explained(foretold.base, of: y.base, count: count, width: 2)
  #expect(explained[0] > 0.99999)
  #expect(abs(explained[1] - 0.5) < 0.05)
}

@Test("logistic regression tells classes apart that a plane parts, and those alone")
func logisticRegressionSeparates() throws {
  var stream = RandomStream(seed: 11, .test)
  let count = 1500
  let x = try Buffer<Float>(count: count * 2)
  var parted: [UInt8] = []
  var crossed: [UInt8] = []
  for row in 0..<count {
    let (u, v) = (stream.normal(), stream.normal())
    x.base[2 * row] = 100 * u + 7
    x.base[2 * row + 1] = 0.01 * v
    parted.append(u + v > 0.5 ? 2 : u - v > 0 ? 1 : 0)
    crossed.append((u > 0) == (v > 0) ? 1 : 0)
  }
  func accuracy(_ labels: [UInt8]) throws -> Double {
    let buffer = try Buffer<UInt8>(labels)
    let fit = try LogisticRegression(x.base, inputCount: 2, labels: buffer.base, classCount: 3, count: count)
    return Double(zip(try fit.classes(x.base, count: count), labels).count { $0 == $1 }) / Double(count)
  }
  #expect(try accuracy(parted) > 0.97)
  #expect(try accuracy(crossed) < 0.65)
}

@Test("the elbow of a curve that falls and then stays is where it stops falling")
func elbowsAreFound() {
  let x = [1.0, 2, 4, 8, 16, 32, 64]
  let bent = Elbow.find(x, x.map { max(1 / $0, 1 / 8.0) })
  #expect(bent?.index == 3)
  #expect((bent?.depth ?? 0) > 0.2)
  // A straight line has none.
  #expect((Elbow.find(x, x.map { 1 / $0 })?.depth ?? 1) < 1e-12)
  #expect(Elbow.find([1, 2], [2, 1]) == nil)
  #expect(Elbow.find([1, 2, 3], [2, 0, 1]) == nil)
  #expect(Elbow.find([1, 2, 3], [2, 2, 2]) == nil)
}

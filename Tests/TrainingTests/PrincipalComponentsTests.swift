// The exact fit: orthonormal, ranked, and the best that a linear map can do.

import Compute
import Core
import Foundation
import Testing
import Training

private func images(count: Int, width: Int, seed: UInt64, level: Float = 128) throws -> Buffer<UInt8> {
  // Three hidden directions of falling strength, and noise.
  var stream = RandomStream(seed: seed, .test)
  let directions = (0..<3 * width).map { _ in stream.normal() }
  let pixels = try Buffer<UInt8>(count: count * width)
  for row in 0..<count {
    let a = 40 * stream.normal()
    let b = 20 * stream.normal()
    let c = 8 * stream.normal()
    for i in 0..<width {
      var value = a * directions[i]
      value += b * directions[width + i]
      value += c * directions[2 * width + i]
      value += level + stream.normal()
      // Every fifth pixel never changes, as at the border of digits.
      if i % 5 == 4 { value = 0 }
      pixels[row * width + i] = UInt8(min(max(value, 0), 255))
    }
  }
  return pixels
}

@Test(
  "Principal components are orthonormal, ranked, and diagonalise the covariance, of bright images too",
  arguments: [1, 2, 7, 40, 70], [128, 240] as [Float])
func componentsAreOrthonormal(width: Int, level: Float) throws {
  let count = 700
  let pixels = try images(count: count, width: width, seed: 4, level: level)
  let fit = try PrincipalComponents(pixels.base, count: count, width: width, componentCount: width)
  for a in 0..<width {
    for b in 0..<width {
      var dot = 0.0
      var covariance = 0.0
      for i in 0..<width { dot += fit.components[a * width + i] * fit.components[b * width + i] }
      for row in 0..<count {
        var pa = 0.0
        var pb = 0.0
        for i in 0..<width {
          let x = Double(pixels[row * width + i]) / 255 - fit.mean[i]
          pa += x * fit.components[a * width + i]
          pb += x * fit.components[b * width + i]
        }
        covariance += pa * pb / Double(count)
      }
      #expect(abs(dot - (a == b ? 1 : 0)) < 1e-10)
      #expect(abs(covariance - (a == b ? fit.variances[a] : 0)) < 1e-9)
    }
    if a > 0 { #expect(fit.variances[a] <= fit.variances[a - 1] + 1e-15) }
  }
}

/// A random set: of any rank from 0, with duplicates, blank and constant pixels, binary or not, of few images or many.
private func randomSet(seed: UInt64) throws -> (pixels: Buffer<UInt8>, count: Int, width: Int) {
  var stream = RandomStream(seed: seed, .test, 7)
  let width = 1 + stream.below(48)
  let count = stream.below(2) == 0 ? 1 + stream.below(width) : 1 + stream.below(150)
  let rank = stream.below(min(count, width) + 1)
  let kind = stream.below(4)
  let basis = (0..<max(rank, 1) * width).map { _ in stream.normal() }
  let strengths = (0..<max(rank, 1)).map { _ in exp(-4 * stream.uniform()) }
  let pixels = try Buffer<UInt8>(count: count * width)
  for row in 0..<count {
    let isDuplicate = row > 0 && stream.below(3) == 0
    let factors = (0..<max(rank, 1)).map { _ in stream.normal() }
    for i in 0..<width {
      var value: Float = 100
      for r in 0..<rank { value += 60 * factors[r] * strengths[r] * basis[r * width + i] }
      var byte = UInt8(min(max(value, 0), 255))
      if kind == 1 { byte = byte > 100 ? 255 : 0 }
      if kind == 2 && i % 3 != 0 { byte = 0 }
      pixels[row * width + i] = isDuplicate ? pixels[(row - 1) * width + i] : byte
    }
  }
  return (pixels, count, width)
}

/// Singular values, and right singular vectors as rows, of the centred images by one-sided Jacobi rotations (Hestenes
/// 1958): nothing is squared that is small beside the rest, and no code is shared with what is tested.
private func jacobi(_ pixels: Buffer<UInt8>, count: Int, width: Int) -> (
  values: [Double], vectors: [[Double]]
) {
  // Columns of the matrix are pixels; each is rotated together with its column of V.
  var columns = (0..<width).map { i in
    let sum = (0..<count).reduce(0) { $0 + Int(pixels[$1 * width + i]) }
    return (0..<count).map { Double(count * Int(pixels[$0 * width + i]) - sum) / Double(count) / 255 }
  }
  var vectors = (0..<width).map { i in (0..<width).map { $0 == i ? 1.0 : 0 } }
  func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for i in 0..<a.count { sum += a[i] * b[i] }
    return sum
  }
  func rotate(_ a: inout [Double], _ b: inout [Double], _ c: Double, _ s: Double) {
    for i in 0..<a.count { (a[i], b[i]) = (c * a[i] - s * b[i], s * a[i] + c * b[i]) }
  }
  let total = columns.reduce(0) { $0 + dot($1, $1) }
  var rotated = true
  for _ in 0..<60 where rotated {
    rotated = false
    for p in 0..<width {
      for q in p + 1..<max(width, p + 1) {
        let (a, b, c) = (
          dot(columns[p], columns[p]), dot(columns[q], columns[q]), dot(columns[p], columns[q])
        )
        // Columns that are rounding need not be orthogonal.
        guard abs(c) > 1e-15 * (a * b).squareRoot(), min(a, b) > 1e-30 * total else { continue }
        rotated = true
        let zeta = (b - a) / (2 * c)
        let t = (zeta < 0 ? -1 : 1) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
        let cosine = 1 / (1 + t * t).squareRoot()
        var (x, y) = (columns[p], columns[q])
        rotate(&x, &y, cosine, cosine * t)
        (columns[p], columns[q]) = (x, y)
        var (v, w) = (vectors[p], vectors[q])
        rotate(&v, &w, cosine, cosine * t)
        (vectors[p], vectors[q]) = (v, w)
      }
    }
  }
  let values = columns.map { dot($0, $0).squareRoot() }
  let order = (0..<width).sorted { values[$0] > values[$1] }
  return (order.map { values[$0] }, order.map { vectors[$0] })
}

/// More sets by hand: AE_PCA_SETS=1000 swift test --filter componentsOfAnySet
@Test(
  "Components of any set span what an independent decomposition gives, and are orthonormal beyond the rank")
func componentsOfAnySet() throws {
  let setCount = Int(ProcessInfo.processInfo.environment["AE_PCA_SETS"] ?? "") ?? 100
  var (angle, value, skew, ranks) = (0.0, 0.0, 0.0, [Int]())
  for seed in 0..<UInt64(setCount) {
    let (pixels, count, width) = try randomSet(seed: seed)
    let fit = try PrincipalComponents(pixels.base, count: count, width: width, componentCount: width)
    let expected = jacobi(pixels, count: count, width: width)
    let largest = max(expected.values[0], 1e-300)
    ranks.append(expected.values.filter { $0 > 1e-9 * largest && $0 > 1e-9 }.count)
    for a in 0..<width {
      // What a variance of v / n stands for is a singular value of sqrt(v n); squares are compared, as they are given.
      let square = fit.variances[a] * Double(count)
      value = max(value, abs(square - expected.values[a] * expected.values[a]) / (largest * largest))
      for b in 0...a {
        var dot = 0.0
        for i in 0..<width { dot += fit.components[a * width + i] * fit.components[b * width + i] }
        skew = max(skew, abs(dot - (a == b ? 1 : 0)))
      }
    }
    // The first k against the first k, wherever a gap of a thousandth of the largest follows.
    for k in 1..<max(width, 1) where expected.values[k - 1] - expected.values[k] > 1e-3 * largest {
      var squares = 0.0
      for b in 0..<k {
        var outside = expected.vectors[b]
        for a in 0..<k {
          var dot = 0.0
          for i in 0..<width { dot += fit.components[a * width + i] * expected.vectors[b][i] }
          for i in 0..<width { outside[i] -= dot * fit.components[a * width + i] }
        }
        for x in outside { squares += x * x }
      }
      angle = max(angle, squares.squareRoot())
    }
  }
  #expect(angle < 1e-9 && value < 1e-13 && skew < 1e-13)
  #expect(ranks.contains(0))
  print(
    "principal components of \(setCount) sets of rank \(ranks.min()!) to \(ranks.max()!): largest angle \(angle), "
      + "error of a squared singular value \(value), of orthonormality \(skew)")
}

@Test(
  "Equal images have no variance, and components that are orthonormal all the same", arguments: [1, 2, 40])
func equalImages(count: Int) throws {
  for byte in [0, 7, 255] as [UInt8] {
    let pixels = try Buffer<UInt8>([UInt8](repeating: byte, count: count * 30))
    let fit = try PrincipalComponents(pixels.base, count: count, width: 30, componentCount: 12)
    #expect(fit.variances.allSatisfy { $0 == 0 })
    for a in 0..<12 {
      for b in 0..<12 {
        var dot = 0.0
        for i in 0..<30 { dot += fit.components[a * 30 + i] * fit.components[b * 30 + i] }
        #expect(abs(dot - (a == b ? 1 : 0)) < 1e-14)
      }
    }
    #expect(fit.mean.array.allSatisfy { abs($0 - Double(byte) / 255) < 1e-15 })
  }
}

@Test("A few components are the first of many")
func fewComponents() throws {
  let pixels = try images(count: 300, width: 50, seed: 5)
  let all = try PrincipalComponents(pixels.base, count: 300, width: 50, componentCount: 50)
  let few = try PrincipalComponents(pixels.base, count: 300, width: 50, componentCount: 3)
  #expect(few.variances == all.variances)
  for i in 0..<few.components.count { #expect(few.components[i] == all.components[i]) }
}

@Test("More components than pixels, and no images at all, are refused")
func impossibleComponentsAreRefused() throws {
  let pixels = try images(count: 4, width: 6, seed: 1)
  #expect(throws: AEError.self) {
    _ = try PrincipalComponents(pixels.base, count: 4, width: 6, componentCount: 7)
  }
  #expect(throws: AEError.self) {
    _ = try PrincipalComponents(pixels.base, count: 0, width: 6, componentCount: 2)
  }
}

// The exact fit: orthonormal, ranked, and the best that a linear map can do.

import Compute
import Core
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

// The sum of squared differences against the sum as it is written down, at sizes on both sides of its pieces.

import Compute
import Core
import Testing

@Test(
  "Squared differences of bytes are summed exactly, however many there are",
  arguments: [0, 1, 7, 784, 65_000, 200_001])
func bytesSquaredError(count: Int) throws {
  let a = try Buffer<UInt8>(count: count)
  let b = try Buffer<UInt8>(count: count)
  var expected = 0
  for i in 0..<count {
    // The largest differences there are, and some others.
    (a.base[i], b.base[i]) = i % 5 == 0 ? (UInt8(i % 251), UInt8(i % 13)) : (i % 2 == 0 ? (0, 255) : (255, 0))
    let difference = Int(a.base[i]) - Int(b.base[i])
    expected += difference * difference
  }
  #expect(squaredError(a.base, b.base, count: count) == expected)
  #expect(squaredError(b.base, a.base, count: count) == expected)
}

@Test("Squared differences of floats are those of the numbers", arguments: [0, 1, 15, 784])
func floatsSquaredError(count: Int) throws {
  let a = try Buffer<Float>(count: count)
  let b = try Buffer<Float>(count: count)
  for i in 0..<count { (a.base[i], b.base[i]) = (Float(i % 17) / 4, Float(i % 5) / 2) }
  let expected = (0..<count).reduce(0.0) { sum, i in
    let difference = Double(a.base[i]) - Double(b.base[i])
    return sum + difference * difference
  }
  #expect(abs(squaredError(a.base, b.base, count: count) - expected) <= 1e-6 * expected)
}

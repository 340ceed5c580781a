// How like MNIST the drawn digits are: a 1-nearest-neighbour classifier that has seen drawn digits alone
// is put to MNIST's test digits. Needs those files, so it runs only where AE_MNIST names their folder;
// AE_MNIST_FULL=1 adds the full measure, 60,000 drawn digits against all 10,000.

import Bytes
import Compute
import Core
import Digits
import Storage
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

private func environment(_ name: String) -> String? {
  guard let value = getenv(name) else { return nil }
  return String(cString: value)
}

/// What follows the header of a gzipped IDX file of bytes.
private func idx(_ path: String, headerCount: Int) throws -> [UInt8] {
  let packed = try File.read(path)
  return Array(
    try Zlib.gunzip(packed.base, packed.count, limit: 1 << 30, name: path).array.dropFirst(headerCount))
}

/// The fraction of MNIST's first `testCount` test digits whose nearest of `drawnCount` drawn digits
/// (Euclidean distance between pixels) is the same digit.
private func accuracy(folder: String, drawnCount: Int, testCount: Int, seed: UInt64) throws -> Double {
  let test = try idx("\(folder)/t10k-images-idx3-ubyte.gz", headerCount: 16).prefix(testCount * 784)
  let truth = try idx("\(folder)/t10k-labels-idx1-ubyte.gz", headerCount: 8)
  let queries = try Buffer<Float>(test.map { Float($0) })
  let (set, _) = try PenDigits.draw(count: drawnCount, seed: seed)

  var best = [Float](repeating: .infinity, count: testCount)
  var answer = [UInt8](repeating: 255, count: testCount)
  let chunk = 1000
  let products = try Buffer<Float>(count: testCount * chunk)
  for first in stride(from: 0, to: drawnCount, by: chunk) {
    let some = min(chunk, drawnCount - first)
    let drawn = try Buffer<Float>(count: some * 784)
    for i in 0..<some * 784 { drawn.base[i] = Float(set.pixels.base[first * 784 + i]) }
    try multiply(
      queries.base, by: drawn.base, transposeB: true, into: products.base, m: testCount, n: some, k: 784)
    for j in 0..<some {
      var square: Float = 0
      for i in 0..<784 { square += drawn.base[j * 784 + i] * drawn.base[j * 784 + i] }
      for query in 0..<testCount {
        // The query's own square is the same for all.
        let distance = square - 2 * products.base[query * some + j]
        if distance < best[query] {
          best[query] = distance
          answer[query] = set.labels![first + j]
        }
      }
    }
  }
  return Double((0..<testCount).count { answer[$0] == truth[$0] }) / Double(testCount)
}

@Test(
  "10,000 drawn digits teach a nearest-neighbour classifier to read MNIST's first 2,000 test digits",
  .enabled(if: environment("AE_MNIST") != nil, "AE_MNIST does not name a folder with the MNIST files"))
func drawnDigitsTeachReading() throws {
  let result = try accuracy(
    folder: environment("AE_MNIST")!, drawnCount: 10_000, testCount: 2000, seed: 1)
  print("nearest neighbour: 10,000 drawn, first 2,000 test digits: \(result)")
  #expect(result >= 0.88)
}

@Test(
  "60,000 drawn digits teach it to read 93 in 100 of all 10,000",
  .enabled(
    if: environment("AE_MNIST") != nil && environment("AE_MNIST_FULL") != nil,
    "AE_MNIST and AE_MNIST_FULL=1 ask for this measure of a minute"))
func drawnDigitsTeachReadingInFull() throws {
  let result = try accuracy(
    folder: environment("AE_MNIST")!, drawnCount: 60_000, testCount: 10_000, seed: 1)
  print("nearest neighbour: 60,000 drawn, all 10,000 test digits: \(result)")
  #expect(result >= 0.93)
}

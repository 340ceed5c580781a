// ck_sgemm against the definition, in double precision, over shapes, layouts and paths.

import CKernels
import Foundation
import Testing

/// A product with everything that ck_sgemm takes.
struct Product: CustomStringConvertible {
  var m, n, k: Int
  var transposeA = false, transposeB = false, accumulate = false, hasBias = false
  var activation = 0
  /// Elements between rows beyond the row itself.
  var gapA = 0, gapB = 0, gapC = 0
  var zerosInA = false, zerosInB = false

  var description: String {
    "\(m)x\(n)x\(k) \(transposeA ? "T" : "N")\(transposeB ? "T" : "N") f=\(activation)"
      + "\(accumulate ? " +C" : "")\(hasBias ? " +b" : "") gaps \(gapA),\(gapB),\(gapC)"
      + "\(zerosInA ? " sparse A" : "")\(zerosInB ? " sparse B" : "")"
  }

  /// Numbers with, if asked for, four runs of eight in five set to zero.
  static func numbers(_ draws: inout Draws, _ count: Int, zeros: Bool) -> [Float] {
    var x = draws.floats(count)
    if zeros {
      for start in stride(from: 0, to: count, by: 8) where draws.integer(0...4) != 0 {
        for i in start..<min(start + 8, count) { x[i] = 0 }
      }
    }
    return x
  }

  /// Runs the product on `path` and on the definition; returns what is wrong, or nil, and C.
  func run(on path: Int32, seed: UInt64) -> (fault: String?, c: [Float]) {
    var draws = Draws(seed)
    let lda = (transposeA ? m : k) + gapA, ldb = (transposeB ? k : n) + gapB, ldc = n + gapC
    let a = Product.numbers(&draws, max(1, (transposeA ? k : m) * lda), zeros: zerosInA)
    let b = Product.numbers(&draws, max(1, (transposeB ? n : k) * ldb), zeros: zerosInB)
    let bias = draws.floats(n)
    let before = draws.floats(m * ldc)
    var c = before
    let status = on(path) {
      ck_sgemm(
        transposeA ? 1 : 0, transposeB ? 1 : 0, m, n, k, a, lda, b, ldb, &c, ldc, hasBias ? bias : nil,
        Int32(activation), accumulate ? 1 : 0)
    }
    if status != 0 { return ("status \(status)", c) }
    for i in 0..<m {
      for j in 0..<ldc {
        let got = c[i * ldc + j]
        if j >= n {
          if got != before[i * ldc + j] { return ("wrote between rows at [\(i), \(j)]", c) }
          continue
        }
        var sum = (accumulate ? Double(before[i * ldc + j]) : 0) + (hasBias ? Double(bias[j]) : 0)
        for p in 0..<k {
          let left = transposeA ? a[p * lda + i] : a[i * lda + p]
          let right = transposeB ? b[j * ldb + p] : b[p * ldb + j]
          sum += Double(left) * Double(right)
        }
        let want = activated(activation, sum)
        if !(abs(Double(got) - want) <= 1e-5 * (1 + Double(k).squareRoot() / 4)) {
          return ("[\(i), \(j)] is \(got), not \(want)", c)
        }
      }
    }
    return (nil, c)
  }
}

@Suite struct MatrixProductTests {
  static func random(_ seed: UInt64, largest: Int) -> Product {
    var d = Draws(seed)
    func size(_ d: inout Draws) -> Int { d.flag() ? d.integer(1...9) : d.integer(1...largest) }
    return Product(
      m: size(&d), n: size(&d), k: d.integer(0...9) == 0 ? 0 : size(&d), transposeA: d.flag(),
      transposeB: d.flag(), accumulate: d.flag(), hasBias: d.flag(), activation: d.integer(0...3),
      gapA: d.integer(0...3), gapB: d.integer(0...3), gapC: d.integer(0...3),
      zerosInA: d.flag(), zerosInB: d.flag())
  }

  @Test("A product of any shape and layout is what its definition says, on every path", arguments: paths)
  func shapes(path: Int32) {
    for seed in 0..<400 as Range<UInt64> {
      let product = Self.random(seed, largest: 90)
      let fault = product.run(on: path, seed: seed).fault
      #expect(fault == nil, "\(name(path)), seed \(seed), \(product)")
    }
  }

  @Test("A product too large for one panel, block or chunk is right", arguments: paths)
  func large(path: Int32) {
    let products = [
      Product(m: 1100, n: 70, k: 20), Product(m: 33, n: 90, k: 1100, transposeB: true),
      Product(m: 300, n: 65, k: 513, transposeA: true, accumulate: true, hasBias: true, activation: 3),
      Product(m: 1030, n: 7, k: 40, transposeB: true, hasBias: true, activation: 1),
      Product(m: 1050, n: 5, k: 30, transposeA: true, accumulate: true),
      Product(m: 70, n: 1100, k: 24, transposeA: true, accumulate: true, gapC: 3, zerosInB: true),
      Product(m: 100, n: 300, k: 784, transposeB: true, hasBias: true, activation: 3, zerosInA: true),
    ]
    for (seed, product) in products.enumerated() {
      let fault = product.run(on: path, seed: UInt64(seed)).fault
      #expect(fault == nil, "\(name(path)), \(product)")
    }
  }

  @Test("One row, one column, one element, and no depth at all are right", arguments: paths)
  func edges(path: Int32) {
    for m in [1, 2, 17] {
      for n in [1, 3, 16, 33] {
        for k in [0, 1, 5, 64] {
          for layout in 0..<4 {
            let product = Product(
              m: m, n: n, k: k, transposeA: layout & 1 != 0, transposeB: layout & 2 != 0, accumulate: k == 0,
              hasBias: true, activation: 2)
            let fault = product.run(on: path, seed: 1).fault
            #expect(fault == nil, "\(name(path)), \(product)")
          }
        }
      }
    }
  }

  @Test("One, two and four threads give the same bits", arguments: paths)
  func threads(path: Int32) {
    let products = [
      Product(m: 100, n: 500, k: 784, transposeB: true, hasBias: true, activation: 3, zerosInA: true),
      Product(m: 500, n: 784, k: 100, transposeA: true, zerosInB: true),
      Product(m: 500, n: 784, k: 100, transposeA: true), Product(m: 1, n: 2000, k: 784, transposeB: true),
      Product(m: 700, n: 30, k: 60),
    ]
    for product in products {
      var results: [[UInt32]] = []
      for threads in [1, 2, 4] as [Int32] {
        ck_set_thread_count(threads)
        results.append(product.run(on: path, seed: 5).c.map(\.bitPattern))
      }
      ck_set_thread_count(0)
      #expect(results[0] == results[1] && results[0] == results[2], "\(name(path)), \(product)")
    }
  }

  @Test("Leaving zeros out does not change a bit", arguments: paths)
  func zeros(path: Int32) {
    // The same numbers, but the zeros of one are 1e-30, which a sum of numbers near 1 swallows.
    var draws = Draws(3)
    let m = 50, n = 120, k = 200
    let sparse = Product.numbers(&draws, k * n, zeros: true)
    let full = sparse.map { $0 == 0 ? 1e-30 : $0 }
    let other = draws.floats(m * k, 0.5...1)
    func product(_ x: [Float], _ call: ([Float], inout [Float]) -> Int32) -> [Float] {
      var c = [Float](repeating: 0, count: m * n)
      let status = on(path) { call(x, &c) }
      #expect(status == 0)
      return c
    }
    let forward = [sparse, full].map {
      product($0) { x, c in ck_sgemm(1, 0, n, m, k, x, n, other, m, &c, m, nil, 0, 0) }
    }
    let backward = [sparse, full].map {
      product($0) { x, c in ck_sgemm(1, 0, m, n, k, other, m, x, n, &c, n, nil, 0, 0) }
    }
    #expect(zip(forward[0], forward[1]).allSatisfy { $0 == $1 || abs($1) < 1e-20 }, "\(name(path))")
    #expect(zip(backward[0], backward[1]).allSatisfy { $0 == $1 || abs($1) < 1e-20 }, "\(name(path))")
  }

  @Test("A NaN in an operand reaches every element that depends on it", arguments: paths)
  func notANumber(path: Int32) {
    for (m, n, k) in [(1, 20, 30), (40, 50, 60), (40, 3, 20)] {
      var a = [Float](repeating: 1, count: m * k)
      let b = [Float](repeating: 1, count: n * k)
      a[(m - 1) * k + 2] = .nan
      var c = [Float](repeating: 0, count: m * n)
      let status = on(path) { ck_sgemm(0, 1, m, n, k, a, k, b, k, &c, n, nil, 2, 0) }
      #expect(status == 0 && c[((m - 1) * n)...].allSatisfy(\.isNaN))
      #expect(c[..<((m - 1) * n)].allSatisfy { $0 == Float(k) })
    }
  }
}

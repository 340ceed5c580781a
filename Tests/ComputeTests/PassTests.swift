// The elementwise passes and reductions against double precision, on every path.

import CKernels
import Foundation
import Testing

/// libm's, whose name the test of ours hides.
func exponential(_ x: Double) -> Double { Foundation.exp(x) }

/// Lengths around the widths of vectors and of chunks.
let lengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 100, 784, 1000, 16_384, 40_001]

@Suite struct PassTests {
  @Test("exp is within 2 ulp on [-87, 88] and clamped outside", arguments: paths)
  func exp(path: Int32) {
    let count = 200_001
    let x = (0..<count).map { -87 + 175 * Float($0) / Float(count - 1) }
    var y = [Float](repeating: 0, count: count)
    on(path) { ck_exp(count, x, &y) }
    var worst = 0.0
    for i in 0..<count {
      let want = exponential(Double(x[i]))
      worst = max(worst, abs(Double(y[i]) - want) / Double(Float(want).ulp))
    }
    #expect(worst < 2, "\(name(path))")
    let outside: [Float] = [-1000, 1000, .infinity, -.infinity, .nan]
    var z = outside
    on(path) { ck_exp(5, outside, &z) }
    #expect(z[0] > 0 && z[0] < 2e-38 && z[3] == z[0] && z[1].isFinite && z[1] > 1e38 && z[2] == z[1])
    #expect(z[4].isNaN)
  }

  @Test("Activations and their gradients are what they are called", arguments: paths)
  func activations(path: Int32) {
    for activation in 0..<4 {
      for count in lengths {
        var draws = Draws(UInt64(count))
        var x = draws.floats(count, -12...12)
        if count > 3 { x[2] = 1e-6 }
        if count > 4 { x[3] = -1e-6 }
        var y = x
        on(path) { ck_activate(Int32(activation), count, &y) }
        let slope = draws.floats(count)
        var dx = slope
        on(path) { ck_activation_gradient(Int32(activation), count, y, &dx) }
        var worst = 0.0, worstSlope = 0.0
        for i in 0..<count {
          let want = activated(activation, Double(x[i]))
          worst = max(worst, abs(Double(y[i]) - want) / (abs(want) + 1e-5))
          let v = Double(y[i])
          let derivative =
            switch activation {
            case 1: v * (1 - v)
            case 2: v > 0 ? 1.0 : 0
            case 3: v > 0 ? 1 : v + 1
            default: 1.0
            }
          worstSlope = max(worstSlope, abs(Double(dx[i]) - Double(slope[i]) * derivative))
        }
        #expect(worst <= 5e-7, "\(name(path)) f\(activation), \(count)")
        #expect(worstSlope <= 1e-6, "\(name(path)) f\(activation)', \(count)")
      }
    }
  }

  @Test("An element's result does not depend on where it stands", arguments: paths)
  func position(path: Int32) {
    var draws = Draws(9)
    let x = draws.floats(67, -9...9)
    for activation in 1...3 as ClosedRange<Int32> {
      var whole = x
      on(path) { ck_activate(activation, x.count, &whole) }
      for i in 0..<x.count {
        var one = [x[i]]
        on(path) { ck_activate(activation, 1, &one) }
        #expect(one[0].bitPattern == whole[i].bitPattern)
      }
    }
  }

  @Test("Bytes become floats and the same bytes again", arguments: paths)
  func bytes(path: Int32) {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    var x = [Float](repeating: 0, count: bytes.count)
    var back = [UInt8](repeating: 0, count: bytes.count)
    on(path) {
      ck_from_u8(bytes.count, bytes, &x)
      ck_to_u8(x.count, x, &back)
    }
    #expect(zip(bytes, x).allSatisfy { $1 == Float($0) / 255 })
    #expect(back == bytes)
    let odd: [Float] = [
      -1, 2, .nan, .infinity, -.infinity, 0.5 / 255, 1.5 / 255, 2.5 / 255, -0.0, 0.999, 1e-30,
    ]
    var clamped = odd
    var rounded = [UInt8](repeating: 9, count: odd.count)
    on(path) {
      ck_to_u8(odd.count, odd, &rounded)
      ck_clamp_unit(odd.count, &clamped)
    }
    let wantedBytes: [UInt8] = [0, 255, 0, 255, 0, 0, 2, 2, 0, 255, 0]
    #expect(rounded == wantedBytes)
    let wanted: [Float] = [0, 1, 0, 1, 0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 0, 0.999, 1e-30]
    #expect(clamped == wanted)
  }

  @Test("The first number that is not finite is found", arguments: paths)
  func finite(path: Int32) {
    for count in lengths where count <= 1000 {
      var x = [Float](repeating: 3e38, count: count)
      #expect(on(path) { ck_first_not_finite(count, x) } == count)
      for (at, bad) in [(0, Float.nan), (count / 2, .infinity), (count - 1, -.infinity)] where count > 0 {
        x[at] = bad
        #expect(on(path) { ck_first_not_finite(count, x) } == at)
        x[at] = -3e38
      }
    }
  }

  @Test("Losses and sums are right and have the gradients they should", arguments: paths)
  func losses(path: Int32) {
    for count in lengths {
      var draws = Draws(UInt64(count) + 1)
      let y = draws.floats(count, -20...20)
      let target = draws.floats(count, 0...1)
      var squared = 0.0, entropy = 0.0, squares = 0.0
      for i in 0..<count {
        let (a, t) = (Double(y[i]), Double(target[i]))
        squared += (a - t) * (a - t)
        entropy += max(a, 0) + log1p(exponential(-abs(a))) - t * a
        squares += a * a
      }
      var dy = [Float](repeating: 7, count: count)
      let gotSquared = on(path) { ck_squared_error(count, y, target, 0.25, &dy) }
      #expect(abs(gotSquared - squared) <= 1e-6 * (1 + squared), "\(name(path)) \(count)")
      #expect((0..<count).allSatisfy { abs(dy[$0] - 0.5 * (y[$0] - target[$0])) <= 1e-5 })
      #expect(on(path) { ck_squared_error(count, y, target, 1, nil) } == gotSquared)
      let gotEntropy = on(path) { ck_bernoulli(count, y, target, 0.5, &dy) }
      #expect(abs(gotEntropy - entropy) <= 1e-6 * (1 + entropy), "\(name(path)) \(count)")
      #expect(
        (0..<count).allSatisfy {
          abs(Double(dy[$0]) - 0.5 * (activated(1, Double(y[$0])) - Double(target[$0]))) <= 1e-6
        })
      #expect(on(path) { ck_bernoulli(count, y, target, 1, nil) } == gotEntropy)
      #expect(abs(on(path) { ck_sum_of_squares(count, y) } - squares) <= 1e-9 * (1 + squares))
    }
  }

  @Test("Sums do not depend on the number of threads", arguments: paths)
  func reductions(path: Int32) {
    var draws = Draws(4)
    let count = 300_001
    let y = draws.floats(count)
    let target = draws.floats(count, 0...1)
    var results: [[Double]] = []
    for threads in [1, 2, 4] as [Int32] {
      ck_set_thread_count(threads)
      results.append(
        on(path) {
          [
            ck_squared_error(count, y, target, 1, nil), ck_bernoulli(count, y, target, 1, nil),
            ck_sum_of_squares(count, y),
          ]
        })
    }
    ck_set_thread_count(0)
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test("Column sums are added to what is there", arguments: paths)
  func columnSums(path: Int32) {
    for (rows, columns, gap) in [(0, 5, 0), (1, 1, 0), (3, 17, 2), (100, 500, 0), (37, 784, 4), (101, 5, 1)] {
      var draws = Draws(UInt64(rows))
      let x = draws.floats(max(1, rows * (columns + gap)))
      var sums = [Float](repeating: 1, count: columns)
      on(path) { ck_add_column_sums(rows, columns, x, columns + gap, &sums) }
      for j in 0..<columns {
        var want = 1.0
        for i in 0..<rows { want += Double(x[i * (columns + gap) + j]) }
        #expect(abs(Double(sums[j]) - want) <= 1e-4)
      }
    }
  }

  @Test("Weights are projected as they are by one after the other, to the bit", arguments: paths)
  func projection(path: Int32) {
    for count in lengths {
      // Steps of which quotients are exact, so that the reciprocal is, too.
      for step: Float in [0, 0.125, 0.5] {
        var draws = Draws(UInt64(count) + 7)
        var weights = draws.floats(count, -3...3)
        var residual = draws.floats(count, -0.3...0.3)
        let keep = draws.floats(count, 0...1).map { $0 < 0.5 ? Float(0) : 1 }
        var wanted: [(weight: Float, residual: Float)] = []
        for i in 0..<count {
          var s = weights[i] + residual[i]
          var q = s
          if step > 0 {
            s = min(max(s, -7.5 * step), 7.5 * step)
            q = min(max((s / step).rounded(.toNearestOrEven), -7), 7) * step
          }
          wanted.append((q * keep[i], (s - q) * keep[i]))
        }
        on(path) {
          weights.withUnsafeMutableBufferPointer { weights in
            residual.withUnsafeMutableBufferPointer { residual in
              keep.withUnsafeBufferPointer { keep in
                var projection = ck_projection(
                  weights: weights.baseAddress, residual: residual.baseAddress, keep: keep.baseAddress,
                  step: step, largest: 7)
                ck_project(count, &projection)
              }
            }
          }
        }
        let isEqual = (0..<count).allSatisfy {
          weights[$0] == wanted[$0].weight && residual[$0] == wanted[$0].residual
        }
        #expect(isEqual, "\(name(path)) \(count), a step of \(step)")
      }
    }
  }

  @Test("Adam and the average follow their formulas", arguments: paths)
  func adam(path: Int32) {
    for count in lengths {
      var draws = Draws(UInt64(count) + 2)
      var w = draws.floats(count), m = draws.floats(count), v = draws.floats(count, 0...1)
      let g = draws.floats(count)
      var average = draws.floats(count)
      let (w0, m0, v0, a0) = (w, m, v, average)
      on(path) {
        withStep(&w, &m, &v, &average) { ck_adam(count, g, $0) }
      }
      var worst = 0.0
      for i in 0..<count {
        let mean = 0.9 * Double(m0[i]) + 0.1 * Double(g[i])
        let second = 0.999 * Double(v0[i]) + 0.001 * Double(g[i]) * Double(g[i])
        let want = Double(w0[i]) - 0.01 * (mean / 0.19) / ((second / 0.002).squareRoot() + 1e-8)
        worst = max(worst, abs(Double(m[i]) - mean), abs(Double(v[i]) - second))
        worst = max(worst, abs(Double(w[i]) - want) / (1 + abs(want)))
        worst = max(worst, Double(abs(average[i] - (0.75 * a0[i] + 0.25 * w[i]))))
      }
      #expect(worst <= 1e-6, "\(name(path)) \(count)")
    }
  }
}

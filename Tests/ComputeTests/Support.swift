// What the kernels' tests share: the paths of this machine, reproducible numbers, and arrays whose
// neighbours are watched.

import CKernels
import Foundation

/// The kernel paths that this machine can run.
let paths: [Int32] = (0..<Int32(CK_PATH_COUNT))
  .filter { ck_path_available($0) != 0 }

func name(_ path: Int32) -> String { String(cString: ck_path_name(path)) }

/// Runs `body` with `path` in use on this thread.
func on<T>(_ path: Int32, _ body: () throws -> T) rethrows -> T {
  precondition(ck_path_select(path) != 0)
  defer { _ = ck_path_select(-1) }
  return try body()
}

/// SplitMix64 (Steele, Lea and Flood 2014): not the generator under test.
struct Draws {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func integer(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
  }

  mutating func float(_ range: ClosedRange<Float>) -> Float {
    range.lowerBound + (range.upperBound - range.lowerBound) * Float(next() >> 40) * 0x1p-24
  }

  mutating func floats(_ count: Int, _ range: ClosedRange<Float> = -1...1) -> [Float] {
    (0..<count).map { _ in float(range) }
  }

  mutating func flag() -> Bool { next() & 1 == 1 }
}

/// f(x) in double precision, for CKernels' numbering of f.
func activated(_ activation: Int, _ x: Double) -> Double {
  switch activation {
  case 1: 1 / (1 + exp(-x))
  case 2: max(x, 0)
  case 3: x > 0 ? x : expm1(x)
  default: x
  }
}

/// Calls `body` with a step of Adam on the four arrays: rate 0.01, beta 0.9 and 0.999, epsilon 1e-8, corrections
/// 0.19 and 0.002, decay 0.75.
func withStep(
  _ weights: inout [Float], _ m: inout [Float], _ v: inout [Float], _ average: inout [Float],
  _ body: (UnsafePointer<ck_adam_step>) -> Void
) {
  weights.withUnsafeMutableBufferPointer { weights in
    m.withUnsafeMutableBufferPointer { m in
      v.withUnsafeMutableBufferPointer { v in
        average.withUnsafeMutableBufferPointer { average in
          var step = ck_adam_step(
            weights: weights.baseAddress, m: m.baseAddress, v: v.baseAddress, average: average.baseAddress,
            rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, correction1: 0.19, correction2: 0.002,
            average_decay: 0.75)
          body(&step)
        }
      }
    }
  }
}

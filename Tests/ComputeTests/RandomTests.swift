// Random streams: the generator's published vectors, and the distributions made from it.

import Compute
import Foundation
import Testing

@Suite struct RandomTests {
  @Test("Philox4x32-10 gives Random123's known answers")
  func knownAnswers() {
    // kat_vectors of Random123 1.14.
    let ones = UInt32.max
    #expect(
      Philox.block(counter: (0, 0, 0, 0), key: (0, 0)) == (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)
    )
    #expect(
      Philox.block(counter: (ones, ones, ones, ones), key: (ones, ones))
        == (0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      Philox.block(
        counter: (0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: (0xa409_3822, 0x299f_31d0))
        == (0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test("A stream can be entered anywhere, and streams differ")
  func position() {
    var stream = RandomStream(seed: 7, stream: 3)
    for _ in 0..<40 { _ = stream.next() }
    var later = RandomStream(seed: 7, stream: 3, position: 10)
    for _ in 0..<20 { #expect(stream.next() == later.next()) }
    var other = RandomStream(seed: 7, stream: 4)
    var seeded = RandomStream(seed: 8, stream: 3)
    var first = RandomStream(seed: 7, stream: 3)
    let words = (0..<8).map { _ in first.next() }
    #expect(words != (0..<8).map { _ in other.next() } && words != (0..<8).map { _ in seeded.next() })
  }

  @Test("Uniform draws fill [0, 1) evenly, and whole numbers their range")
  func uniform() {
    var stream = RandomStream(seed: 1, stream: 1)
    let count = 200_000
    var sum = 0.0, squares = 0.0
    var bins = [Int](repeating: 0, count: 10)
    var isInside = true
    for _ in 0..<count {
      let x = stream.uniform()
      isInside = isInside && x >= 0 && x < 1
      sum += Double(x)
      squares += Double(x) * Double(x)
      bins[stream.below(10)] += 1
    }
    #expect(isInside)
    let mean = sum / Double(count)
    // Five standard errors.
    #expect(abs(mean - 0.5) < 5 * 0.2887 / Double(count).squareRoot())
    #expect(abs(squares / Double(count) - 1.0 / 3) < 5 * 0.2981 / Double(count).squareRoot())
    let expected = Double(count) / 10
    let chiSquare = bins.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    #expect(chiSquare < 33.7)  // 9 degrees of freedom, one in ten thousand
    #expect((0..<1000).allSatisfy { _ in stream.below(1) == 0 })
    #expect((0..<1000).allSatisfy { _ in (0..<(1 << 32)).contains(stream.below(1 << 32)) })
  }

  @Test("Normal draws have mean 0, variance 1, no skew, and a Gaussian's tails")
  func normal() {
    var stream = RandomStream(seed: 2, stream: 9)
    let count = 400_000
    var moments = [Double](repeating: 0, count: 5)
    var beyondTwo = 0
    for _ in 0..<count {
      let x = Double(stream.normal())
      var power = 1.0
      for i in 0..<5 {
        moments[i] += power / Double(count)
        power *= x
      }
      if abs(x) > 2 { beyondTwo += 1 }
    }
    let error = 1 / Double(count).squareRoot()
    #expect(abs(moments[1]) < 5 * error)
    #expect(abs(moments[2] - 1) < 5 * error * 2.0.squareRoot())
    #expect(abs(moments[3]) < 5 * error * 15.0.squareRoot())
    #expect(abs(moments[4] - 3) < 5 * error * 96.0.squareRoot())
    #expect(abs(Double(beyondTwo) / Double(count) - 0.0455) < 5 * error * 0.2084)
  }

  @Test("Draws are the same numbers for ever")
  func pinned() {
    var stream = RandomStream(seed: 42, stream: 1)
    let words = (0..<4).map { _ in stream.next() }
    let block = Philox.block(counter: (0, 0, 1, 0), key: (42, 0))
    #expect(words == [block.0, block.1, block.2, block.3])
  }

  @Test("ExactMath agrees with the C library to 1e-14")
  func exactMath() {
    for i in 0..<4000 {
      let x = pow(10, -300 + 0.15 * Double(i))
      #expect(abs(ExactMath.log(x) - Foundation.log(x)) <= 1e-14 * max(1, abs(Foundation.log(x))))
      let y = -700 + 0.35 * Double(i)
      #expect(abs(ExactMath.exp(y) / Foundation.exp(y) - 1) <= 1e-14)
      let angle = Double.pi * Double(i) / 3999
      #expect(abs(ExactMath.cos(angle) - Foundation.cos(angle)) <= 1e-14)
    }
    for x in [0.5, 0.999999, 1.0, 1.000001, 2.0.squareRoot(), 2] {
      #expect(abs(ExactMath.log(x) - Foundation.log(x)) <= 1e-15)
    }
    #expect(ExactMath.exp(-1000) == 0 && ExactMath.exp(1000) == .infinity && ExactMath.exp(.nan).isNaN)
    #expect(abs(ExactMath.power(0.999, 1234) - pow(0.999, 1234)) < 1e-14)
  }
}

// The products of training, which end in a derivative or in a step of Adam, against the same done one after
// the other: bit for bit, over shapes and paths.

import CKernels
import Testing

private let shapes: [(m: Int, n: Int, k: Int)] = [
  (1, 1, 1), (7, 5, 3), (5, 500, 100), (500, 5, 100), (64, 65, 17), (33, 784, 100), (100, 129, 600),
  (9, 1030, 40), (1030, 9, 16), (70, 300, 511), (3, 4, 0),
]

@Suite("Products of training", .serialized)
struct TrainingProductTests {
  @Test("A weight gradient with a step is that gradient and then the step", arguments: paths, [false, true])
  func weightGradient(path: Int32, hasZeros: Bool) {
    for (m, n, k) in shapes {
      var draws = Draws(UInt64(m * 1000 + n))
      let dy = draws.floats(max(1, k * m))
      let x = Product.numbers(&draws, max(1, k * n), zeros: hasZeros)
      var w = draws.floats(m * n), mean = draws.floats(m * n), square = draws.floats(m * n, 0...1)
      var average = draws.floats(m * n)
      var dw = [Float](repeating: 0, count: m * n)
      var (w2, mean2, square2, average2) = (w, mean, square, average)
      on(path) {
        #expect(ck_sgemm(1, 0, m, n, k, dy, m, x, n, &dw, n, nil, 0, 0) == 0)
        withStep(&w, &mean, &square, &average) { ck_adam(m * n, dw, $0) }
        var stored = [Float](repeating: 7, count: m * n)
        #expect(ck_sgemm_weight_gradient(m, n, k, dy, x, &stored, nil) == 0)
        #expect(stored == dw, "\(name(path)) \(m)x\(n)x\(k)")
        withStep(&w2, &mean2, &square2, &average2) {
          #expect(ck_sgemm_weight_gradient(m, n, k, dy, x, &stored, $0) == 0)
        }
      }
      #expect(
        w == w2 && mean == mean2 && square == square2 && average == average2, "\(name(path)) \(m)x\(n)x\(k)")
    }
  }

  @Test(
    "An input gradient is the product and then the derivative", arguments: paths, [0, 1, 2, 3] as [Int32])
  func inputGradient(path: Int32, activation: Int32) {
    for (m, n, k) in shapes {
      var draws = Draws(UInt64(m * 1000 + n + 1))
      let dy = draws.floats(max(1, m * k))
      let w = draws.floats(max(1, k * n))
      let x = draws.floats(m * n)
      var want = [Float](repeating: 0, count: m * n)
      var got = [Float](repeating: 7, count: m * n)
      on(path) {
        #expect(ck_sgemm(0, 0, m, n, k, dy, k, w, n, &want, n, nil, 0, 0) == 0)
        ck_activation_gradient(activation, m * n, x, &want)
        #expect(ck_sgemm_input_gradient(m, n, k, dy, w, x, activation, &got) == 0)
      }
      #expect(got == want, "\(name(path)) \(m)x\(n)x\(k) f=\(activation)")
    }
  }
}

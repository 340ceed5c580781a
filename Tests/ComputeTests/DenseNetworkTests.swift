// Trained layers in floats against their definition in double precision, on every path: odd sizes, zeros in
// runs as in pictures, every form of rows, and what is refused.

import CKernels
import Testing

/// Random layers, prepared for every path.
final class ReferenceStack {
  let sizes: [Int], activations: [Int]
  let weights: [[Float]], biases: [[Float]]
  private let layers: UnsafeMutableBufferPointer<ck_dense_layer>
  private let heldBiases: [UnsafeMutablePointer<Float>]

  init(_ sizes: [Int], _ d: inout Draws) {
    self.sizes = sizes
    var activations: [Int] = [], weights: [[Float]] = [], biases: [[Float]] = []
    var heldBiases: [UnsafeMutablePointer<Float>] = []
    layers = .allocate(capacity: sizes.count - 1)
    for (inputs, outputs) in zip(sizes, sizes.dropFirst()) {
      activations.append(d.integer(0...3))
      let bound = 2 / Float(inputs).squareRoot()
      weights.append(d.floats(inputs * outputs, -bound...bound))
      biases.append(d.floats(outputs))
      heldBiases.append(.allocate(capacity: outputs))
      heldBiases.last!.initialize(from: biases.last!, count: outputs)
      let layer = layers.baseAddress! + heldBiases.count - 1
      layer.initialize(
        to: ck_dense_layer(
          inputs: inputs, outputs: outputs, activation: Int32(activations.last!),
          convolution: ck_convolution(),
          bias: heldBiases.last!, packed: nil, node: ck_node()))
      ck_dense_prepare(layer, weights.last!)
    }
    (self.activations, self.weights, self.biases, self.heldBiases) = (
      activations, weights, biases, heldBiases
    )
  }

  deinit {
    for index in layers.indices { ck_dense_release(layers.baseAddress! + index) }
    layers.deallocate()
    for pointer in heldBiases { pointer.deallocate() }
  }

  func expected(_ row: [Double]) -> [Double] {
    var x = row
    for (l, (inputs, outputs)) in zip(sizes, sizes.dropFirst()).enumerated() {
      x = (0..<outputs).map { o in
        var sum = Double(biases[l][o])
        for i in 0..<inputs { sum += Double(weights[l][o * inputs + i]) * x[i] }
        return activated(activations[l], sum)
      }
    }
    return x
  }

  func run(_ count: Int, _ x: UnsafeRawPointer, _ xForm: Int, _ y: UnsafeMutableRawPointer, _ yForm: Int)
    -> Int
  {
    var refused = 0
    var overflow = 0
    let status = ck_dense_network(
      layers.baseAddress, layers.count, count, x, Int32(xForm), y, Int32(yForm), &refused, &overflow)
    return status == 0 ? refused : -2
  }
}

@Suite struct DenseNetworkTests {
  @Test("Networks of any shape give the definition's numbers, and write no further", arguments: paths)
  func shapes(path: Int32) {
    for seed in 0..<60 as Range<UInt64> {
      var d = Draws(seed)
      let sizes = (0...d.integer(1...3)).map { _ in d.integer(1...150) }
      let stack = ReferenceStack(sizes, &d)
      let count = d.integer(1...20), outputs = sizes.last!
      var bytes = (0..<count * sizes[0]).map { _ in UInt8(d.integer(0...255)) }
      for start in stride(from: 0, to: bytes.count, by: 9) where d.flag() {
        for i in start..<min(start + 9, bytes.count) { bytes[i] = 0 }
      }
      let floats = bytes.map { Float($0) / 255 }
      var plain = [Float](repeating: 99, count: count * outputs + 1), unit = plain, fromBytes = plain
      var pixels = [UInt8](repeating: 99, count: count * outputs + 1)
      let refused = on(path) {
        [
          stack.run(count, floats, CK_ROWS_FLOATS, &plain, CK_ROWS_FLOATS),
          stack.run(count, floats, CK_ROWS_FLOATS, &unit, CK_ROWS_UNIT),
          stack.run(count, bytes, CK_ROWS_BYTES, &fromBytes, CK_ROWS_FLOATS),
          stack.run(count, bytes, CK_ROWS_BYTES, &pixels, CK_ROWS_BYTES),
        ]
      }
      #expect(refused == [-1, -1, -1, -1])
      #expect(plain.last == 99 && unit.last == 99 && fromBytes.last == 99 && pixels.last == 99)
      for row in 0..<count {
        let x = floats[row * sizes[0]..<(row + 1) * sizes[0]].map(Double.init)
        for (o, y) in stack.expected(x).enumerated() {
          let at = row * outputs + o, clamped = min(max(y, 0), 1)
          let close = abs(Double(plain[at]) - y) < 1e-4 * (1 + abs(y))
          #expect(
            close && abs(Double(unit[at]) - clamped) < 2e-4 * (1 + abs(y))
              && abs(Double(fromBytes[at]) - y) < 2e-4 * (1 + abs(y))
              && abs(Double(pixels[at]) - 255 * clamped) < 0.6 + 0.03 * abs(y),
            "\(name(path)), seed \(seed): \(sizes), row \(row), output \(o): \(plain[at]), not \(y)")
        }
      }
    }
  }

  @Test("A row's bits depend on neither the other rows nor the number of threads", arguments: paths)
  func rowsAlone(path: Int32) {
    var d = Draws(3)
    let stack = ReferenceStack([90, 70, 33], &d)
    let count = 203
    let x = (0..<count * 90).map { _ in d.integer(0...2) == 0 ? d.float(-1...1) : 0 }
    var alone = [Float](repeating: 0, count: count * 33)
    on(path) {
      x.withUnsafeBufferPointer { x in
        alone.withUnsafeMutableBufferPointer { y in
          for row in 0..<count {
            _ = stack.run(
              1, x.baseAddress! + row * 90, CK_ROWS_FLOATS, y.baseAddress! + row * 33, CK_ROWS_FLOATS)
          }
        }
      }
      for threads in [1, 2, 5] as [Int32] {
        ck_set_thread_count(threads)
        var together = [Float](repeating: 0, count: count * 33)
        #expect(stack.run(count, x, CK_ROWS_FLOATS, &together, CK_ROWS_FLOATS) == -1)
        #expect(together == alone, "\(name(path)), \(threads) threads")
      }
      ck_set_thread_count(0)
    }
  }

  @Test("The first input that is not finite is named, wherever it is", arguments: paths)
  func notFinite(path: Int32) {
    var d = Draws(4)
    let stack = ReferenceStack([20, 5], &d)
    var y = [Float](repeating: 0, count: 500 * 5)
    for bad in [0, 19, 20 * 77 + 3, 20 * 499 + 19] {
      var x = d.floats(500 * 20)
      x[bad] = .nan
      x[500 * 20 - 1] = .infinity
      #expect(on(path) { stack.run(500, x, CK_ROWS_FLOATS, &y, CK_ROWS_FLOATS) } == bad)
    }
  }

  @Test("Integer layers in one go give what they give one by one", arguments: paths)
  func integers(path: Int32) {
    for seed in 0..<20 as Range<UInt64> {
      var d = Draws(seed)
      let sizes = (0..<3).map { _ in d.integer(1...130) }, count = d.integer(1...80)
      let one = ReferenceLayer(inputs: sizes[0], outputs: sizes[1], shift: 34, &d) {
        Int8($0.integer(-127...127))
      }
      let two = ReferenceLayer(inputs: sizes[1], outputs: sizes[2], shift: 34, &d) {
        Int8($0.integer(-127...127))
      }
      let x = (0..<count * sizes[0]).map { _ in d.flag() ? 0 : UInt8(d.integer(0...255)) }
      let words = x.map { Int16($0) - 100 }
      let scales = d.floats(sizes[2])
      var hidden = [UInt8](repeating: 0, count: count * sizes[1]), fromWords = hidden
      var a16 = [Int16](repeating: 0, count: count * sizes[2]), b16 = a16
      var a32 = [Int32](repeating: 0, count: count * sizes[2])
      var b = [Float](repeating: 0, count: count * sizes[2])
      var a8 = [UInt8](repeating: 0, count: count * sizes[2]), b8 = a8
      let status = on(path) {
        one.withKernel(packed: true) { first in
          two.withKernel(packed: true) { second in
            let stack = [first.pointee, second.pointee]
            return ck_integer_bytes_to_bytes(first, count, x, &hidden)
              | ck_integer_bytes_to_words(second, count, hidden, &a16)
              | ck_integer_bytes_to_sums(second, count, hidden, &a32)
              | ck_integer_words_to_bytes(first, count, words, &fromWords)
              | ck_integer_bytes_to_bytes(second, count, fromWords, &a8)
              | ck_integer_network_words(stack, 2, count, x, &b16)
              | ck_integer_network_floats(stack, 2, count, x, scales, &b)
              | ck_integer_network_bytes(stack, 2, count, words, &b8)
          }
        }
      }
      #expect(status == 0 && a16 == b16 && a8 == b8, "\(name(path)), seed \(seed): \(sizes)")
      #expect(b == a32.enumerated().map { Float($1) * scales[$0 % sizes[2]] })
    }
  }
}

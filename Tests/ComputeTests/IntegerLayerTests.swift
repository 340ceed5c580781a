// Integer layers against their definition, to the integer, on every path: files must mean the same
// pixels on every machine.

import CKernels
import Testing

/// A random layer with its packed weights, and the definition's answers.
struct ReferenceLayer {
  var inputs, outputs, shift: Int
  var weights: [Int8], bias: [Int32], multiplier: [Int32], table: [UInt8], packed: [UInt8]

  init(
    inputs: Int, outputs: Int, shift: Int, _ draws: inout Draws, weight: (inout Draws) -> Int8,
    multiplier: ClosedRange<Int> = 0...Int(Int32.max)
  ) {
    (self.inputs, self.outputs, self.shift) = (inputs, outputs, shift)
    weights = (0..<inputs * outputs).map { _ in weight(&draws) }
    bias = (0..<outputs).map { _ in Int32(draws.integer(-100_000...100_000)) }
    self.multiplier = (0..<outputs).map { _ in Int32(draws.integer(multiplier)) }
    table = (0..<4096).map { _ in UInt8(draws.integer(0...255)) }
    packed = [UInt8](repeating: 0, count: ck_integer_packed_size(inputs, outputs))
    ck_integer_pack(inputs, outputs, weights, &packed)
  }

  func sum<X: FixedWidthInteger>(_ x: ArraySlice<X>, _ output: Int) -> Int {
    var sum = Int(bias[output])
    for i in 0..<inputs { sum += Int(weights[output * inputs + i]) * Int(x[x.startIndex + i]) }
    return sum
  }

  func scaled(_ sum: Int, _ output: Int, _ range: ClosedRange<Int>) -> Int {
    let t = (sum * Int(multiplier[output]) + (1 << (shift - 1))) >> shift
    return min(max(t, range.lowerBound), range.upperBound)
  }

  func withKernel<T>(packed isPacked: Bool, _ body: (UnsafePointer<ck_integer_layer>) -> T) -> T {
    weights.withUnsafeBufferPointer { w in
      packed.withUnsafeBytes { p in
        bias.withUnsafeBufferPointer { b in
          multiplier.withUnsafeBufferPointer { m in
            table.withUnsafeBufferPointer { t in
              var layer = ck_integer_layer(
                inputs: inputs, outputs: outputs, weights: w.baseAddress,
                packed: isPacked ? p.baseAddress : nil,
                bias: b.baseAddress, multiplier: m.baseAddress, shift: Int32(shift), table: t.baseAddress,
                convolution: ck_convolution(), zero: 0, narrow: 0, node: ck_node(), second_zero: 0)
              return body(&layer)
            }
          }
        }
      }
    }
  }

  /// Whether all four kernels give the definition's integers.
  func agrees(on path: Int32, packed: Bool, bytes: [UInt8], words: [Int16]) -> Bool {
    let count = bytes.count / inputs
    var y8 = [UInt8](repeating: 0, count: count * outputs), z8 = y8
    var y16 = [Int16](repeating: 0, count: count * outputs)
    var y32 = [Int32](repeating: 0, count: count * outputs)
    let status = on(path) {
      withKernel(packed: packed) { layer in
        ck_integer_bytes_to_bytes(layer, count, bytes, &y8)
          | ck_integer_bytes_to_words(layer, count, bytes, &y16)
          | ck_integer_bytes_to_sums(layer, count, bytes, &y32)
          | ck_integer_words_to_bytes(layer, count, words, &z8)
      }
    }
    guard status == 0 else { return false }
    for image in 0..<count {
      let x = bytes[image * inputs..<(image + 1) * inputs], w = words[image * inputs..<(image + 1) * inputs]
      for o in 0..<outputs {
        let at = image * outputs + o
        let sum = self.sum(x, o)
        guard y32[at] == sum, y8[at] == table[scaled(sum, o, -2048...2047) + 2048],
          y16[at] == scaled(sum, o, -16383...16383),
          z8[at] == table[scaled(self.sum(w, o), o, -2048...2047) + 2048]
        else { return false }
      }
    }
    return true
  }
}

@Suite struct IntegerLayerTests {
  @Test("Layers of any shape give the definition's integers", arguments: paths)
  func shapes(path: Int32) {
    for seed in 0..<150 as Range<UInt64> {
      var d = Draws(seed)
      let inputs = d.integer(1...140), outputs = d.integer(1...150), count = d.integer(1...14)
      let layer = ReferenceLayer(inputs: inputs, outputs: outputs, shift: d.integer(1...62), &d) {
        Int8($0.integer(-127...127))
      }
      // Zeros in runs, as in pictures.
      var bytes = (0..<count * inputs).map { _ in UInt8(d.integer(0...255)) }
      for start in stride(from: 0, to: bytes.count, by: 6) where d.flag() {
        for i in start..<min(start + 6, bytes.count) { bytes[i] = 0 }
      }
      let words = (0..<count * inputs).map { _ in d.integer(0...3) == 0 ? 0 : Int16(d.integer(-800...800)) }
      for packed in [true, false] {
        #expect(
          layer.agrees(on: path, packed: packed, bytes: bytes, words: words),
          "\(name(path)), seed \(seed): \(inputs) -> \(outputs), \(count) images, shift \(layer.shift)")
      }
    }
  }

  @Test("Extreme weights and inputs do not saturate on the way", arguments: paths)
  func extremes(path: Int32) {
    for (inputs, outputs) in [(784, 37), (1030, 20), (4096, 5), (500, 64)] {
      for sign in [1, -1] {
        var d = Draws(UInt64(inputs))
        let layer = ReferenceLayer(inputs: inputs, outputs: outputs, shift: 40, &d) { _ in Int8(127 * sign) }
        let bytes = [UInt8](repeating: 255, count: 7 * inputs)
        // The largest words whose sum still fits: 127 * 16383 * 1030 < 2^31.
        let word = inputs <= 1030 ? 16383 : 4000
        let words = [Int16](repeating: Int16(-word), count: 7 * inputs)
        #expect(layer.agrees(on: path, packed: true, bytes: bytes, words: words), "\(name(path)), \(inputs)")
      }
    }
  }

  @Test("Inputs that are all zero leave the bias", arguments: paths)
  func zeros(path: Int32) {
    var d = Draws(8)
    let layer = ReferenceLayer(inputs: 50, outputs: 70, shift: 20, &d) { Int8($0.integer(-127...127)) }
    #expect(
      layer.agrees(
        on: path, packed: true, bytes: [UInt8](repeating: 0, count: 450),
        words: [Int16](repeating: 0, count: 450)))
  }

  @Test("Any number of threads and images gives the same integers")
  func threads() {
    var d = Draws(12)
    let layer = ReferenceLayer(inputs: 100, outputs: 90, shift: 36, &d) { Int8($0.integer(-127...127)) }
    let bytes = (0..<100 * 100).map { _ in UInt8(d.integer(0...255)) }
    let words = (0..<100 * 100).map { _ in Int16(d.integer(-16383...16383)) }
    for threads in [1, 2, 4] as [Int32] {
      ck_set_thread_count(threads)
      #expect(layer.agrees(on: paths.last!, packed: true, bytes: bytes, words: words))
    }
    ck_set_thread_count(0)
  }
}

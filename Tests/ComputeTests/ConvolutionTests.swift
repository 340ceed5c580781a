// Convolutions against their definition, on every path: pictures and windows of any size, forward and backward,
// trained in floats and, to the integer, in integers.

import CKernels
import Testing

/// A random geometry with numbers for it, and the definition's answers.
struct ReferenceConvolution {
  var g: ck_convolution
  let rows: Int
  let inputs, outputs, columns, channels: Int

  init(_ d: inout Draws) {
    g = ck_convolution()
    (g.fine_width, g.fine_height) = (Int32(d.integer(1...13)), Int32(d.integer(1...13)))
    (g.fine_channels, g.coarse_channels) = (Int32(d.integer(1...9)), Int32(d.integer(1...20)))
    g.stride = Int32(d.integer(1...3))
    g.kernel = g.stride + Int32(d.integer(0...3))
    g.padding = Int32(d.integer(0...Int(g.kernel) - 1))
    g.coarse_width = (g.fine_width + g.stride - 1) / g.stride
    g.coarse_height = (g.fine_height + g.stride - 1) / g.stride
    g.transposed = d.flag() ? 1 : 0
    rows = d.integer(1...30)
    let fine = ck_fine_count(&g), coarse = ck_coarse_pixels(&g) * Int(g.coarse_channels)
    inputs = g.transposed == 1 ? coarse : fine
    outputs = g.transposed == 1 ? fine : coarse
    columns = ck_column_count(&g)
    channels = Int(g.transposed == 1 ? g.fine_channels : g.coarse_channels)
  }

  var weightCount: Int { columns * Int(g.coarse_channels) }
  /// Inputs and outputs of the dense layer between columns and pixels.
  var matrix: (inputs: Int, outputs: Int) {
    g.transposed == 1 ? (Int(g.coarse_channels), columns) : (columns, Int(g.coarse_channels))
  }

  /// Calls `body` with every (output, input, weight) that are multiplied, as indices.
  func each(_ body: (Int, Int, Int) -> Void) {
    let (fineChannels, coarseChannels, kernel) = (Int(g.fine_channels), Int(g.coarse_channels), Int(g.kernel))
    for y in 0..<Int(g.coarse_height) {
      for x in 0..<Int(g.coarse_width) {
        for window in 0..<kernel * kernel {
          let row = y * Int(g.stride) - Int(g.padding) + window / kernel
          let column = x * Int(g.stride) - Int(g.padding) + window % kernel
          guard row >= 0, row < Int(g.fine_height), column >= 0, column < Int(g.fine_width) else { continue }
          for f in 0..<fineChannels {
            let fine = (row * Int(g.fine_width) + column) * fineChannels + f
            for c in 0..<coarseChannels {
              let coarse = (y * Int(g.coarse_width) + x) * coarseChannels + c
              let under = window * fineChannels + f
              if g.transposed == 1 {
                body(fine, coarse, under * coarseChannels + c)
              } else {
                body(coarse, fine, c * columns + under)
              }
            }
          }
        }
      }
    }
  }

  func run<X: Sequence<Double>>(_ x: X, _ weights: [Float], _ bias: [Float]) -> [Double] {
    let x = Array(x)
    var y = (0..<outputs).map { Double(bias[$0 % channels]) }
    each { output, input, weight in y[output] += Double(weights[weight]) * x[input] }
    return y
  }
}

@Suite struct ConvolutionTests {
  @Test("Training and trained layers give the definition's numbers", arguments: paths)
  func forward(path: Int32) {
    for seed in 0..<60 as Range<UInt64> {
      var d = Draws(seed)
      let reference = ReferenceConvolution(&d)
      var g = reference.g
      let x = d.floats(reference.rows * reference.inputs), weights = d.floats(reference.weightCount)
      let bias = d.floats(reference.channels), activation = d.integer(0...3)
      var y = [Float](repeating: 99, count: reference.rows * reference.outputs + 1), z = y
      let (inputs, outputs) = reference.matrix
      var refused = 0
      var overflow = 0
      let status = on(path) {
        bias.withUnsafeBufferPointer { bias in
          var layer = ck_dense_layer(
            inputs: inputs, outputs: outputs, activation: Int32(activation), convolution: g,
            bias: bias.baseAddress, packed: nil, node: ck_node())
          defer { ck_dense_release(&layer) }
          ck_dense_prepare(&layer, weights)
          return ck_dense_network(
            &layer, 1, reference.rows, x, Int32(CK_ROWS_FLOATS), &z, Int32(CK_ROWS_FLOATS), &refused,
            &overflow)
            | ck_convolution_forward(
              &g, reference.rows, x, weights, bias.baseAddress, Int32(activation), &y)
        }
      }
      #expect(status == 0 && refused == -1 && overflow == -1 && y.last == 99 && z.last == 99)
      var off = 0.0
      for row in 0..<reference.rows {
        let expected = reference.run(
          x[row * reference.inputs..<(row + 1) * reference.inputs].lazy.map { Double($0) }, weights, bias)
        for (o, sum) in expected.enumerated() {
          let at = row * reference.outputs + o, value = activated(activation, sum)
          off = max(off, abs(Double(y[at]) - value), abs(Double(z[at]) - value))
        }
      }
      #expect(off < 2e-4, "\(name(path)), seed \(seed): \(g)")
    }
  }

  @Test("Gradients are the definition's derivatives", arguments: paths)
  func backward(path: Int32) {
    for seed in 0..<60 as Range<UInt64> {
      var d = Draws(seed + 1000)
      let reference = ReferenceConvolution(&d)
      var g = reference.g
      let (rows, inputs, outputs) = (reference.rows, reference.inputs, reference.outputs)
      // Inputs are an ELU's outputs, whose derivative is 1 or output + 1.
      let x = d.floats(rows * inputs, -0.9...1), weights = d.floats(reference.weightCount)
      let dy = d.floats(rows * outputs)
      var dx = [Float](repeating: 99, count: rows * inputs + 1)
      var dw = [Float](repeating: 99, count: reference.weightCount + 1), other = dw
      var db = [Float](repeating: 99, count: reference.channels + 1)
      let status = on(path) {
        ck_convolution_backward(&g, rows, dy, x, weights, Int32(CK_ELU), &dx, &dw, &db)
          | ck_convolution_backward(&g, rows, dy, x, weights, Int32(CK_ELU), nil, &other, &db)
      }
      #expect(status == 0 && dx.last == 99 && dw.last == 99 && db.last == 99 && other == dw)
      var weightGradient = [Double](repeating: 0, count: reference.weightCount)
      var biasGradient = [Double](repeating: 0, count: reference.channels)
      var off = 0.0
      for row in 0..<rows {
        var inputGradient = [Double](repeating: 0, count: inputs)
        reference.each { output, input, weight in
          let delta = Double(dy[row * outputs + output])
          weightGradient[weight] += delta * Double(x[row * inputs + input])
          inputGradient[input] += delta * Double(weights[weight])
        }
        for o in 0..<outputs { biasGradient[o % reference.channels] += Double(dy[row * outputs + o]) }
        for i in 0..<inputs {
          let value = Double(x[row * inputs + i])
          off = max(off, abs(Double(dx[row * inputs + i]) - inputGradient[i] * (value > 0 ? 1 : value + 1)))
        }
      }
      for (actual, expected) in zip(dw, weightGradient) {
        off = max(off, abs(Double(actual) - expected) / 10)
      }
      for (actual, expected) in zip(db, biasGradient) { off = max(off, abs(Double(actual) - expected) / 10) }
      #expect(off < 2e-4, "\(name(path)), seed \(seed): \(g)")
    }
  }

  @Test("The same bits come from any number of threads")
  func threads() {
    var d = Draws(5)
    var g = ck_convolution(
      fine_width: 14, fine_height: 13, fine_channels: 6, coarse_width: 7, coarse_height: 7,
      coarse_channels: 12, kernel: 4, stride: 2, padding: 1, transposed: 0)
    for transposed in [0, 1] as [Int32] {
      g.transposed = transposed
      let coarse = ck_coarse_pixels(&g) * 12, fine = ck_fine_count(&g), rows = 53
      let inputs = transposed == 1 ? coarse : fine, outputs = transposed == 1 ? fine : coarse
      let x = d.floats(rows * inputs), dy = d.floats(rows * outputs), weights = d.floats(96 * 12)
      let bias = d.floats(12)
      var results: [[Float]] = []
      for threads in [1, 2, 5] as [Int32] {
        ck_set_thread_count(threads)
        var y = [Float](repeating: 0, count: rows * outputs), dx = [Float](repeating: 0, count: rows * inputs)
        var dw = [Float](repeating: 0, count: 96 * 12), db = [Float](repeating: 0, count: 12)
        _ = ck_convolution_forward(&g, rows, x, weights, bias, Int32(CK_ELU), &y)
        _ = ck_convolution_backward(&g, rows, dy, x, weights, Int32(CK_ELU), &dx, &dw, &db)
        results.append(y + dx + dw + db)
      }
      ck_set_thread_count(0)
      #expect(results[0] == results[1] && results[0] == results[2])
    }
  }

  @Test("Integer convolutions give the definition's integers", arguments: paths)
  func integers(path: Int32) {
    for seed in 0..<60 as Range<UInt64> {
      var d = Draws(seed + 2000)
      let reference = ReferenceConvolution(&d)
      let (inputs, outputs) = reference.matrix
      // The channels' biases and multipliers are the first of these.
      let isNarrow = d.flag()
      let layer = ReferenceLayer(inputs: inputs, outputs: max(outputs, reference.channels), shift: 30, &d) {
        Int8(isNarrow ? $0.integer(-63...63) : $0.integer(-127...127))
      }
      let weights = Array(layer.weights.prefix(reference.weightCount))
      let zero = d.integer(0...255)
      let x = (0..<reference.rows * reference.inputs).map { _ in
        d.flag() ? UInt8(zero) : UInt8(d.integer(0...255))
      }
      var expected: [Int] = []
      for row in 0..<reference.rows {
        var y = (0..<reference.outputs).map { Int(layer.bias[$0 % reference.channels]) }
        reference.each { output, input, weight in
          y[output] += Int(weights[weight]) * (Int(x[row * reference.inputs + input]) - zero)
        }
        expected += y
      }
      var bytes = [UInt8](repeating: 99, count: expected.count + 1)
      var sums = [Int32](repeating: 99, count: expected.count + 1)
      let status = weights.withUnsafeBufferPointer { weights in
        layer.withKernel(packed: false) { plain in
          var kernel = plain.pointee
          (kernel.inputs, kernel.outputs, kernel.zero) = (inputs, outputs, Int32(zero))
          kernel.weights = weights.baseAddress
          kernel.convolution = reference.g
          kernel.narrow = isNarrow ? 1 : 0
          let size = ck_integer_layer_size(&kernel)
          let packed = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
          defer { packed.deallocate() }
          return on(path) {
            let refused = ck_integer_layer_pack(&kernel, packed)
            kernel.packed = UnsafeRawPointer(packed)
            return refused | ck_integer_bytes_to_bytes(&kernel, reference.rows, x, &bytes)
              | ck_integer_bytes_to_sums(&kernel, reference.rows, x, &sums)
          }
        }
      }
      #expect(status == 0 && bytes.last == 99 && sums.last == 99)
      var wrong = 0
      for (at, sum) in expected.enumerated() {
        let t = layer.scaled(sum, at % reference.channels, -2048...2047)
        if sums[at] != sum || bytes[at] != layer.table[t + 2048] { wrong += 1 }
      }
      #expect(wrong == 0, "\(name(path)), seed \(seed): \(reference.g)")
    }
  }
}

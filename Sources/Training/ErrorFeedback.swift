// How a layer's weights are rounded to integers so that what one loses the next ones make up for. Apart from
// CodecFit because libae.so leaves it out: it has no room for it, and a fit without it is a little less near.

#if !hasFeature(Embedded)
  import Compute
  import Core

  /// How the rounding of one weight is made up for by those after it: inputs that go together can stand in for
  /// each other.
  ///
  /// With the covariance of the inputs H = (U + I) D (U + I)^T, U strictly upper triangular, weight k is rounded
  /// after adding the sum over j < k of U[j, k] times what the rounding of weight j took away: the least squared
  /// error of the output that rounding one after the other can have (Chee et al. 2023, "QuIP", theorem 1). Means
  /// do not count, because the bias takes them back.
  package struct ErrorFeedback {
    /// Inputs that vary most come first: there are most to make up for them.
    private let order: [Int]
    /// Row k holds U[j, k] for j < k, places in `order`.
    private let factors: Buffer<Double>
    /// What rounding took from each weight of the output at hand.
    private let lost: Buffer<Double>

    /// - Parameter inputs: `rows` rows of `n` inputs as the layer gets them.
    package init(_ inputs: IntegerRows, rows: Int, width n: Int) throws(AEError) {
      let centred = try Buffer<Float>(count: rows * n)
      for i in 0..<rows * n {
        switch inputs {
        case .bytes(let bytes): centred.base[i] = Float(bytes.base[i])
        case .words(let words): centred.base[i] = Float(words.base[i])
        }
      }
      parallel(n) { input in
        var sum = 0.0
        for row in 0..<rows { sum += Double(centred.base[row * n + input]) }
        for row in 0..<rows { centred.base[row * n + input] -= Float(sum / Double(rows)) }
      }
      let products = try Buffer<Float>(count: n * n)
      try multiply(
        centred.base, transposeA: true, by: centred.base, into: products.base, m: n, n: n, k: rows)
      var order = [Int](0..<n)
      order.shellSort {
        let a = products.base[$0 * n + $0]
        let b = products.base[$1 * n + $1]
        return a > b || (a == b && $0 < $1)
      }
      var trace = 0.0
      for input in 0..<n { trace += Double(products.base[input * n + input]) }
      let h = try Buffer<Double>(count: n * n)
      for i in 0..<n {
        for j in 0...i { h.base[i * n + j] = Double(products.base[order[i] * n + order[j]]) }
        // What few rows show of inputs that hardly vary is not to be relied on.
        h.base[i * n + i] += 0.01 * trace / Double(n) + 1e-9
      }
      for k in stride(from: n - 1, to: 0, by: -1) {
        let row = h.base + k * n
        let pivot = row[k]
        for j in 0..<k { row[j] /= pivot }
        parallel((k + 31) / 32) { task in
          for i in task * 32..<min(task * 32 + 32, k) {
            let target = h.base + i * n
            let factor = pivot * row[i]
            for j in 0...i { target[j] -= factor * row[j] }
          }
        }
      }
      self.order = order
      factors = h
      lost = try Buffer<Double>(count: n)
    }

    /// Rounds one output's weights to multiples of `scale`, into `rounded`, in -127 ... 127.
    package func round(
      _ weights: UnsafePointer<Float>, scale: Double, into rounded: UnsafeMutablePointer<Int8>
    ) {
      for k in 0..<order.count {
        let weight = Double(weights[order[k]])
        let row = factors.base + k * order.count
        // Four sums, of which none waits for the one before.
        var sums = SIMD4<Double>()
        var j = 0
        while j + 4 <= k {
          sums +=
            SIMD4(lost.base[j], lost.base[j + 1], lost.base[j + 2], lost.base[j + 3])
            * SIMD4(row[j], row[j + 1], row[j + 2], row[j + 3])
          j += 4
        }
        var wanted = weight + sums.sum()
        while j < k {
          wanted += lost.base[j] * row[j]
          j += 1
        }
        let whole = Int(saturating: wanted / scale).clamped(to: -127...127)
        rounded[order[k]] = Int8(whole)
        lost.base[k] = weight - Double(whole) * scale
      }
    }
  }
#endif

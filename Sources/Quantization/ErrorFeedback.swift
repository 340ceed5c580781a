// Rounding a layer's weights to integers with error feedback: each weight is rounded so as to compensate for the rounding
// of those before it.

import CKernels
import Compute
import Core
import Network

/// Error feedback over a layer's inputs: where inputs are correlated, one weight compensates for another's rounding.
///
/// Memory is bounded: up to 4096 inputs have one covariance matrix, 200 MB at most. More inputs are divided into blocks
/// of some 512 neighbours, 4 KB for each input, with feedback within a block alone.
package struct ErrorFeedback {
  /// Inputs that are one block, and about how many of a block where there are more.
  package static let (widestWhole, blockWidth) = (4096, 512)

  private let blocks: [FeedbackBlock]

  /// - Parameter inputs: `rows` rows of `n` inputs as the layer gets them.
  package init(_ inputs: IntegerRows, rows: Int, width n: Int) throws(AEError) {
    let count =
      n <= ErrorFeedback.widestWhole ? 1 : (n + ErrorFeedback.blockWidth - 1) / ErrorFeedback.blockWidth
    var blocks: [FeedbackBlock] = []
    for block in 0..<count {
      blocks.append(
        try FeedbackBlock(
          inputs, rows: rows, width: n, columns: n * block / count..<n * (block + 1) / count))
    }
    self.blocks = blocks
  }

  /// Rounds one output's weights to multiples of `scale`, into `rounded`, in -largest ... largest.
  /// - Parameter keepsZeros: whether weights of 0 stay 0, as those of a pruned network have to.
  package func round(
    _ weights: UnsafePointer<Float>, scale: Double, largest: Int = 127, keepsZeros: Bool = false,
    into rounded: UnsafeMutablePointer<Int8>
  ) {
    for block in blocks {
      block.round(weights, scale: scale, largest: largest, keepsZeros: keepsZeros, into: rounded)
    }
  }
}

/// Inputs whose weights compensate for each other.
///
/// With the covariance of the inputs H = (U + I) D (U + I)^T, U strictly upper triangular, weight k is rounded
/// after adding the sum over j < k of U[j, k] times the rounding error of weight j: the least squared error of the
/// output that rounding in sequence can have (Chee et al. 2023, "QuIP", theorem 1). Means do not count, because the
/// bias compensates for them.
private struct FeedbackBlock {
  /// The first input.
  private let start: Int
  /// Inputs, counted from the first. Those of the largest variance come first: most others can compensate for them.
  private let order: [Int]
  /// Row k holds U[j, k] for j < k, places in `order`.
  private let factors: Buffer<Double>
  /// The rounding error of each weight of the current output.
  private let lost: Buffer<Double>

  /// - Parameter inputs: `rows` rows of `width` inputs as the layer gets them, of which `columns` are the block's.
  init(_ inputs: IntegerRows, rows: Int, width: Int, columns: Range<Int>) throws(AEError) {
    let n = columns.count
    let centred = try Buffer<Float>(count: rows * n)
    for row in 0..<rows {
      let (from, to) = (row * width + columns.lowerBound, row * n)
      switch inputs {
      case .bytes(let bytes): for i in 0..<n { centred.base[to + i] = Float(bytes.base[from + i]) }
      case .words(let words): for i in 0..<n { centred.base[to + i] = Float(words.base[from + i]) }
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
    start = columns.lowerBound
    self.order = order
    factors = h
    lost = try Buffer<Double>(count: n)
  }

  /// Rounds the block's weights of one output; both are whole outputs.
  func round(
    _ weights: UnsafePointer<Float>, scale: Double, largest: Int, keepsZeros: Bool,
    into rounded: UnsafeMutablePointer<Int8>
  ) {
    let (weights, rounded) = (weights + start, rounded + start)
    for k in 0..<order.count {
      let weight = Double(weights[order[k]])
      if keepsZeros && weight == 0 {
        rounded[order[k]] = 0
        lost.base[k] = 0
        continue
      }
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
      let whole = Int(saturating: wanted / scale).clamped(to: -largest...largest)
      rounded[order[k]] = Int8(whole)
      lost.base[k] = weight - Double(whole) * scale
    }
  }
}

/// The same for all outputs of a layer. Those of a dense layer see the same inputs; so do, if pixels are taken
/// together, those of a convolution, whose inputs are windows. Those of a transposed one see a window, too, but
/// with a stride of s there are s * s kinds of pixels, each with weights of its own.
package struct LayerFeedback {
  fileprivate struct Kind {
    let feedback: ErrorFeedback
    /// Where the weights of the first output lie in the layer; those of output o lie o rows on.
    let places: [Int]
    let rounded: Buffer<Int8>
    let weights: Buffer<Float>
  }

  /// Windows that a covariance is taken of, enough for some hundred inputs, and their inputs at most.
  fileprivate static let (largestWindowCount, largestInputCount) = (1 << 15, 1 << 25)

  private let kinds: [Kind]
  private let columns: Int

  /// - Parameters:
  ///   - inputs: `rows` rows of inputs as the layer gets them.
  ///   - zero: the byte that stands for what lies outside of a convolution's picture.
  package init(_ shape: LayerShape, _ inputs: IntegerRows, rows: Int, zero: UInt8) throws(AEError) {
    columns = shape.columns
    guard shape.isConvolution else {
      kinds = [
        try Kind(
          feedback: try ErrorFeedback(inputs, rows: rows, width: shape.columns), count: shape.columns)
      ]
      return
    }
    let phases = shape.geometry.transposed != 0 ? Int(shape.geometry.stride) : 1
    var kinds: [Kind] = []
    for phase in 0..<phases * phases {
      // Pixels between the windows see no weights.
      guard max(phase / phases, phase % phases) < Int(shape.geometry.kernel) else { continue }
      kinds.append(
        try Kind(shape, inputs, rows: rows, zero: zero, phase: (phase / phases, phase % phases)))
    }
    self.kinds = kinds
  }

  /// Rounds the weights of output `o` to multiples of `scale`, in -largest ... largest; both are whole layers.
  package func round(
    _ weights: UnsafePointer<Float>, output o: Int, scale: Double, largest: Int, keepsZeros: Bool = false,
    into rounded: UnsafeMutablePointer<Int8>
  ) {
    for kind in kinds {
      let offset = o * columns
      for (i, place) in kind.places.enumerated() { kind.weights.base[i] = weights[place + offset] }
      kind.feedback.round(
        kind.weights.base, scale: scale, largest: largest, keepsZeros: keepsZeros, into: kind.rounded.base)
      for (i, place) in kind.places.enumerated() { rounded[place + offset] = kind.rounded.base[i] }
    }
  }
}

extension LayerFeedback.Kind {
  init(feedback: ErrorFeedback, places: [Int]) throws(AEError) {
    self.feedback = feedback
    self.places = places
    rounded = try Buffer(count: places.count)
    weights = try Buffer(count: places.count)
  }

  init(feedback: ErrorFeedback, count: Int) throws(AEError) {
    try self.init(feedback: feedback, places: [Int](0..<count))
  }

  /// Pixels that come out at one of a transposed convolution's phases, or all of them.
  init(
    _ shape: LayerShape, _ inputs: IntegerRows, rows: Int, zero: UInt8, phase: (y: Int, x: Int)
  ) throws(AEError) {
    let g = shape.geometry
    let isTransposed = g.transposed != 0
    let (kernel, stride, padding) = (Int(g.kernel), Int(g.stride), Int(g.padding))
    let (fineChannels, coarseChannels) = (Int(g.fine_channels), Int(g.coarse_channels))
    let fine = (width: Int(g.fine_width), height: Int(g.fine_height))
    let coarse = (width: Int(g.coarse_width), height: Int(g.coarse_height))
    let (source, target) = isTransposed ? (coarse, fine) : (fine, coarse)
    let channels = isTransposed ? coarseChannels : fineChannels
    let step = isTransposed ? stride : 1

    var places: [Int] = []
    var taps: [(y: Int, x: Int)] = []
    for y in Swift.stride(from: phase.y, to: kernel, by: step) {
      for x in Swift.stride(from: phase.x, to: kernel, by: step) {
        taps.append((y, x))
        let first = (y * kernel + x) * fineChannels * (isTransposed ? coarseChannels : 1)
        for channel in 0..<channels { places.append(first + channel) }
      }
    }
    // The pixels that see those taps.
    let ys = (0..<target.height).filter { ($0 + padding) % step == phase.y % step || !isTransposed }
    let xs = (0..<target.width).filter { ($0 + padding) % step == phase.x % step || !isTransposed }
    let width = places.count
    let windowCount = min(LayerFeedback.largestWindowCount, LayerFeedback.largestInputCount / max(width, 1))
    let images = min(rows, max(windowCount / max(ys.count * xs.count, 1), 1))
    // Of a large map not every pixel is needed.
    let interval = max(images * ys.count * xs.count / max(windowCount, 1), 1)
    let taken = (images * ys.count * xs.count + interval - 1) / interval
    /// The windows of `pictures`, in which `empty` stands for what lies outside.
    func laidOut<Number>(_ pictures: Buffer<Number>, empty: Number) throws(AEError) -> Buffer<Number> {
      let windows = try Buffer<Number>(count: taken * width)
      var window = windows.base
      var place = -1
      for image in 0..<images {
        let picture = pictures.base + image * rows / images * shape.inputs
        for y in ys {
          for x in xs {
            place += 1
            guard place % interval == 0 else { continue }
            for tap in taps {
              let fromY = isTransposed ? (y + padding - tap.y) / stride : y * stride + tap.y - padding
              let fromX = isTransposed ? (x + padding - tap.x) / stride : x * stride + tap.x - padding
              // What would be divided below zero lies outside, too.
              let isInside =
                (!isTransposed || (y + padding >= tap.y && x + padding >= tap.x))
                && (0..<source.height).contains(fromY) && (0..<source.width).contains(fromX)
              if isInside {
                window.update(from: picture + (fromY * source.width + fromX) * channels, count: channels)
              } else {
                window.update(repeating: empty, count: channels)
              }
              window += channels
            }
          }
        }
      }
      return windows
    }
    let laid: IntegerRows
    switch inputs {
    case .bytes(let bytes): laid = .bytes(try laidOut(bytes, empty: zero))
    case .words(let words): laid = .words(try laidOut(words, empty: 0))
    }
    try self.init(
      feedback: try ErrorFeedback(laid, rows: taken, width: width),
      places: places)
  }
}

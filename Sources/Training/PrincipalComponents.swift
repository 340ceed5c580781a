// The exact fit of a pca: mean, covariance, eigenvectors. Linear autoencoders are compared with it.

import CKernels
import Compute
import Core
import Network

/// The leading principal components of a set of images in bytes: ranked, orthonormal, each with its
/// entry of largest magnitude positive.
public struct PrincipalComponents: Sendable {
  /// Numbers of one image.
  public let width: Int
  public let componentCount: Int
  /// [width], [0, 1] scale.
  public let mean: Buffer<Double>
  /// [componentCount, width], orthonormal rows.
  public let components: Buffer<Double>
  /// Variance along every component of the whole space, descending, [0, 1] scale squared.
  public let variances: [Double]

  /// Fits `componentCount` components to `count` images of `width` bytes: for any images, also where there are
  /// fewer of them than components, or all are equal. Components beyond the rank are orthonormal, too, and have
  /// no variance.
  ///
  /// Of no fewer images than pixels the covariance is taken apart, of fewer their Gram matrix, which is smaller.
  /// Both are exact but for one rounding.
  public init(_ pixels: UnsafePointer<UInt8>, count: Int, width: Int, componentCount: Int) throws(AEError) {
    guard count > 0, componentCount >= 1, componentCount <= width else {
      throw AEError(
        .argument,
        "a pca of \(componentCount) components needs images of at least as many pixels, not \(width)")
    }
    self.width = width
    self.componentCount = componentCount
    if count < width {
      (mean, components, variances) = try PrincipalComponents.ofFew(
        pixels, count: count, width: width, componentCount: componentCount)
    } else {
      (mean, components, variances) = try PrincipalComponents.ofMany(
        pixels, count: count, width: width, componentCount: componentCount)
    }
    for component in 0..<componentCount {
      let row = components.base + component * width
      var largest = 0
      for i in 0..<width where row[i].magnitude > row[largest].magnitude { largest = i }
      if row[largest] < 0 {
        for i in 0..<width { row[i] = -row[i] }
      }
    }
  }

  private typealias Parts = (mean: Buffer<Double>, components: Buffer<Double>, variances: [Double])

  /// The eigenvectors of the covariance.
  private static func ofMany(
    _ pixels: UnsafePointer<UInt8>, count: Int, width: Int, componentCount: Int
  ) throws(AEError) -> Parts {
    let products = try ByteProducts(rowCount: count, width: width) { row, floats in
      for i in 0..<width { floats[i] = Float(pixels[row * width + i]) }
    }
    let covariance = try Buffer<Double>(count: width * width)
    let mean = try Buffer<Double>(count: width)
    let n = Double(count)
    // Whole numbers: n times the product of two sums is below 2^63.
    let isExact = count < 10_000_000
    for i in 0..<width {
      let sum = products.sums.base[i]
      mean.base[i] = sum / n / 255
      for j in 0...i {
        let (product, other) = (products[i, j], products.sums.base[j])
        let value =
          isExact
          ? Double(count * Int(product) - Int(sum) * Int(other)) / (n * n)
          : product / n - sum / n * (other / n)
        covariance.base[i * width + j] = value / 65025
        covariance.base[j * width + i] = value / 65025
      }
    }
    let eigen = try SymmetricEigen(covariance, n: width, vectorCount: componentCount)
    return (mean, eigen.vectors, (0..<width).map { max(eigen.values.base[$0], 0) })
  }

  /// The images' combinations by the eigenvectors of the Gram matrix of the centred images X X^T, which are the
  /// components times their images' norms, made orthonormal.
  private static func ofFew(
    _ pixels: UnsafePointer<UInt8>, count: Int, width: Int, componentCount: Int
  ) throws(AEError) -> Parts {
    let products = try ByteProducts(rowCount: width, width: count) { row, floats in
      for image in 0..<count { floats[image] = Float(pixels[image * width + row]) }
    }
    let mean = try Buffer<Double>(count: width)
    for image in 0..<count {
      for i in 0..<width { mean.base[i] += Double(pixels[image * width + i]) }
    }
    for i in 0..<width { mean.base[i] = mean.base[i] / Double(count) / 255 }
    // Centred and n^2 times as large, these are whole numbers below 2^53: 4096^3 * 255^2 is.
    let sums = try Buffer<Int>(count: count)
    var total = 0
    for i in 0..<count {
      for j in 0..<count { sums.base[i] += Int(products[max(i, j), min(i, j)]) }
      total += sums.base[i]
    }
    let gram = try Buffer<Double>(count: count * count)
    let scale = Double(count) * Double(count) * 65025
    for i in 0..<count {
      for j in 0...i {
        let centred = count * (count * Int(products[i, j]) - sums.base[i] - sums.base[j]) + total
        gram.base[i * count + j] = Double(centred) / scale
        gram.base[j * count + i] = Double(centred) / scale
      }
    }
    let vectorCount = min(componentCount, count)
    let eigen = try SymmetricEigen(gram, n: count, vectorCount: vectorCount)
    // What is smaller is rounding: it points nowhere.
    let least = eigen.values.base[0] * Double(count) * 0x1p-52
    let components = try Buffer<Double>(count: componentCount * width)
    parallel(vectorCount) { component in
      guard eigen.values.base[component] > least else { return }
      let factors = eigen.vectors.base + component * count
      let row = components.base + component * width
      var sum = 0.0
      for image in 0..<count {
        let factor = factors[image]
        sum += factor
        for i in 0..<width { row[i] += factor * Double(pixels[image * width + i]) }
      }
      for i in 0..<width { row[i] -= sum * 255 * mean.base[i] }
    }
    try orthonormalise(components, rows: componentCount, width: width)
    let variances = (0..<width).map { $0 < count ? max(eigen.values.base[$0], 0) / Double(count) : 0 }
    return (mean, components, variances)
  }

  /// Encoder z = C (x - mean) and decoder x = C^T z + mean as dense layers.
  func networks() throws(AEError) -> (encoder: DenseNetwork, decoder: DenseNetwork) {
    let encoder = try DenseLayer(
      shape: LayerShape(inputs: width, outputs: componentCount, activation: .identity))
    let decoder = try DenseLayer(
      shape: LayerShape(inputs: componentCount, outputs: width, activation: .identity))
    for component in 0..<componentCount {
      var offset = 0.0
      for i in 0..<width {
        let value = components.base[component * width + i]
        encoder.weights.base[component * width + i] = Float(value)
        decoder.weights.base[i * componentCount + component] = Float(value)
        offset += value * mean.base[i]
      }
      encoder.bias.base[component] = Float(-offset)
    }
    for i in 0..<width { decoder.bias.base[i] = Float(mean.base[i]) }
    return (DenseNetwork(layers: [encoder]), DenseNetwork(layers: [decoder]))
  }
}

/// Makes rows orthonormal, each in the span of those before and its own where they are independent, by Householder
/// reflections (Golub and Van Loan, algorithm 5.2.1). A row of zeros becomes any unit vector that fits.
func orthonormalise(_ matrix: Buffer<Double>, rows: Int, width: Int) throws(AEError) {
  // Row r becomes the r-th reflector, I - scale v v^T, zeros before column r.
  let scales = try Buffer<Double>(count: rows)
  func reflect(_ target: UnsafeMutablePointer<Double>, by row: Int) {
    let v = matrix.base + row * width
    var product = 0.0
    for i in row..<width { product += v[i] * target[i] }
    product *= scales.base[row]
    for i in row..<width { target[i] -= product * v[i] }
  }
  for row in 0..<rows {
    let v = matrix.base + row * width
    // To a largest entry of 1, so that no square is lost.
    var largest = 0.0
    for i in row..<width { largest = max(largest, v[i].magnitude) }
    var squares = 0.0
    for i in row..<width {
      v[i] = largest > 0x1p-500 ? v[i] / largest : 0
      squares += v[i] * v[i]
    }
    for i in 0..<row { v[i] = 0 }
    if squares > 0 {
      let length = v[row] > 0 ? squares.squareRoot() : -squares.squareRoot()
      v[row] += length
      scales.base[row] = 1 / (length * v[row])
    }
    parallel(rows - row - 1) { later in
      reflect(matrix.base + (row + 1 + later) * width, by: row)
    }
  }
  let result = try Buffer<Double>(count: rows * width)
  parallel(rows) { row in
    let target = result.base + row * width
    target[row] = 1
    for reflector in stride(from: row, through: 0, by: -1) { reflect(target, by: reflector) }
  }
  matrix.base.update(from: result.base, count: rows * width)
}

/// The products of all columns of a matrix of bytes with each other, and their sums: exact, in doubles. Products are
/// summed in float within runs of rows that do not round, and between runs in double.
private struct ByteProducts {
  /// [width]
  let sums: Buffer<Double>
  private let products: Buffer<SIMD8<Double>>
  private let stride: Int

  /// Rows in a float product, whose sums of bytes are exact below 2^24: 255 * 255 * 256 is.
  private static let exactRows = 256
  /// Rows to begin with, and how many fewer to try where a column's product with itself is not below that.
  private static let (hopefulRows, fewerRows) = (512, 64)
  /// Columns whose products with themselves and all columns after them are one float product. Those with columns
  /// before them are the same numbers.
  private static let stripWidth = 112

  /// The product of columns i and j, j at most i.
  subscript(i: Int, j: Int) -> Double { products.base[i * stride + j / 8][j % 8] }

  /// - Parameter load: stores a row's bytes as floats.
  init(rowCount: Int, width: Int, load: (Int, UnsafeMutablePointer<Float>) -> Void) throws(AEError) {
    let stripWidth = ByteProducts.stripWidth
    var mostRows = min(ByteProducts.hopefulRows, rowCount)
    // Whole numbers below 2^53, which doubles hold as they are.
    sums = try Buffer<Double>(count: width)
    stride = (width + 7) / 8
    products = try Buffer<SIMD8<Double>>(count: width * stride)
    let floats = try Buffer<Float>(count: mostRows * width)
    let partialSums = try Buffer<Float>(count: width)
    let partialProducts = try Buffer<SIMD8<Float>>(count: width * stride)
    let partial = UnsafeMutablePointer<Float>(OpaquePointer(partialProducts.base))
    let (products, stride) = (self.products, self.stride)
    var first = 0
    while first < rowCount {
      let rows = min(mostRows, rowCount - first)
      parallel(rows) { row in load(first + row, floats.base + row * width) }
      var column = 0
      while column < width {
        let left = width - column
        let from = floats.base + column
        let status = ck_sgemm(
          1, 0, left, min(stripWidth, left), rows, from, width, from, width,
          partial + column * stride * 8 + column, stride * 8, nil, Activation.identity.kernel, 0)
        guard status == 0 else { throw AEError(.memory, "cannot allocate panels for a covariance") }
        column += stripWidth
      }
      if rows > ByteProducts.exactRows {
        // No sum is above the largest of these (Cauchy and Schwarz); what was rounded is not below 2^24.
        var largest: Float = 0
        for i in 0..<width { largest = max(largest, partial[i * stride * 8 + i]) }
        if largest >= 0x1p24 {
          mostRows = max(ByteProducts.exactRows, rows - ByteProducts.fewerRows)
          continue
        }
      }
      for i in 0..<width { partialSums.base[i] = 0 }
      ck_add_column_sums(rows, width, floats.base, width, partialSums.base)
      for i in 0..<width { sums.base[i] += Double(partialSums.base[i]) }
      parallel(width) { row in
        for i in row * stride...row * stride + row / 8 {
          products.base[i] += SIMD8(partialProducts.base[i])
        }
      }
      first += rows
    }
  }
}

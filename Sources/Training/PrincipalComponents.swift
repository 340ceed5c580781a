// The exact fit of a pca: mean, covariance, eigenvectors. The yardstick that a linear autoencoder is
// held against.

import CKernels
import Compute
import Core
import Model

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

  /// Images in a float product, whose sums of bytes are exact below 2^24: 255 * 255 * 256 is.
  private static let exactRows = 256
  /// Images to begin with, and how many fewer to try where a pixel's product with itself is not below that.
  private static let (hopefulRows, fewerRows) = (512, 64)
  /// Pixels whose products with themselves and all pixels after them are one float product. Those with pixels
  /// before them are the same numbers.
  private static let stripWidth = 112

  /// Fits `componentCount` components to `count` images of `width` bytes.
  ///
  /// The covariance is exact: products of bytes are summed in float within runs that do not round, and
  /// between runs in double.
  public init(_ pixels: UnsafePointer<UInt8>, count: Int, width: Int, componentCount: Int) throws(AEError) {
    guard count > 0, componentCount >= 1, componentCount <= width else {
      throw AEError(
        .argument,
        "a pca of \(componentCount) components needs images of at least as many pixels, not \(width)")
    }
    let (exactRows, stripWidth) = (PrincipalComponents.exactRows, PrincipalComponents.stripWidth)
    var mostRows = min(PrincipalComponents.hopefulRows, count)
    // Whole numbers below 2^53, which doubles hold as they are.
    let sums = try Buffer<Double>(count: width)
    let stride = (width + 7) / 8
    let products = try Buffer<SIMD8<Double>>(count: width * stride)
    let floats = try Buffer<Float>(count: mostRows * width)
    let partialSums = try Buffer<Float>(count: width)
    let partialProducts = try Buffer<SIMD8<Float>>(count: width * stride)
    let partial = UnsafeMutablePointer<Float>(OpaquePointer(partialProducts.base))
    var first = 0
    while first < count {
      let rows = min(mostRows, count - first)
      let start = pixels + first * width
      parallel(rows) { row in
        for i in row * width..<(row + 1) * width { floats.base[i] = Float(start[i]) }
      }
      var pixel = 0
      while pixel < width {
        let left = width - pixel
        let from = floats.base + pixel
        let status = ck_sgemm(
          1, 0, left, min(stripWidth, left), rows, from, width, from, width,
          partial + pixel * stride * 8 + pixel, stride * 8, nil, Activation.identity.kernel, 0)
        guard status == 0 else { throw AEError(.memory, "cannot allocate panels for a covariance") }
        pixel += stripWidth
      }
      if rows > exactRows {
        // No sum is above the largest of these (Cauchy and Schwarz); what was rounded is not below 2^24.
        var largest: Float = 0
        for i in 0..<width { largest = max(largest, partial[i * stride * 8 + i]) }
        if largest >= 0x1p24 {
          mostRows = max(exactRows, rows - PrincipalComponents.fewerRows)
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
    let covariance = try Buffer<Double>(count: width * width)
    let n = Double(count)
    let meanBuffer = try Buffer<Double>(count: width)
    for i in 0..<width {
      meanBuffer.base[i] = sums.base[i] / n / 255
      for j in 0...i {
        let product = products.base[i * stride + j / 8][j % 8]
        let value = (product / n - sums.base[i] / n * (sums.base[j] / n)) / 65025
        covariance.base[i * width + j] = value
        covariance.base[j * width + i] = value
      }
    }
    let eigen = try SymmetricEigen(covariance, n: width, vectorCount: componentCount)
    let rows = try Buffer<Double>(copying: eigen.vectors.base, count: componentCount * width)
    for component in 0..<componentCount {
      let row = rows.base + component * width
      var largest = 0
      for i in 0..<width where row[i].magnitude > row[largest].magnitude { largest = i }
      if row[largest] < 0 {
        for i in 0..<width { row[i] = -row[i] }
      }
    }
    self.width = width
    self.componentCount = componentCount
    mean = meanBuffer
    components = rows
    variances = (0..<width).map { eigen.values.base[$0] }
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

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

  /// Images in a float product: 255 * 255 * 256 < 2^24, so that its sums of bytes are exact.
  private static let exactRows = 256

  /// Fits `componentCount` components to `count` images of `width` bytes.
  ///
  /// The covariance is exact: products of bytes are summed in float within runs that cannot round, and
  /// between runs in integers.
  public init(_ pixels: UnsafePointer<UInt8>, count: Int, width: Int, componentCount: Int) throws(AEError) {
    guard count > 0, componentCount >= 1, componentCount <= width else {
      throw AEError(
        .argument,
        "a pca of \(componentCount) components needs images of at least as many pixels, not \(width)")
    }
    let sums = try Buffer<Int64>(count: width)
    let products = try Buffer<Int64>(count: width * width)
    let floats = try Buffer<Float>(count: PrincipalComponents.exactRows * width)
    let partial = try Buffer<Float>(count: width * width)
    var first = 0
    while first < count {
      let rows = min(PrincipalComponents.exactRows, count - first)
      for i in 0..<rows * width {
        let value = pixels[first * width + i]
        floats.base[i] = Float(value)
      }
      for row in 0..<rows {
        for j in 0..<width { sums.base[j] &+= Int64(pixels[(first + row) * width + j]) }
      }
      try multiply(
        floats.base, transposeA: true, by: floats.base, into: partial.base, m: width, n: width, k: rows)
      parallel(width) { row in
        for j in row * width..<(row + 1) * width { products.base[j] &+= Int64(partial.base[j]) }
      }
      first += rows
    }
    let covariance = try Buffer<Double>(count: width * width)
    let n = Double(count)
    let meanBuffer = try Buffer<Double>(count: width)
    for i in 0..<width {
      meanBuffer.base[i] = Double(sums.base[i]) / n / 255
      for j in 0..<width {
        covariance.base[i * width + j] =
          (Double(products.base[i * width + j]) / n - Double(sums.base[i]) / n * (Double(sums.base[j]) / n))
          / 65025
      }
    }
    let eigen = try SymmetricEigen(covariance, n: width)
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
    variances = eigen.values
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

// Bytes and error of a quality, measured on the images that its tables were counted on, so that qualities can be listed
// without images.

import Compute
import Core
import Network

/// Bytes and error of one quality over images that a codec was fitted to.
public struct QualityFigure: Equatable, Sendable {
  /// Mean bytes of an image's code, by the frequency tables; headers are not counted.
  public let bytesPerImage: Float
  /// Mean squared error per pixel of the pictures, [0, 1] scale.
  public let meanSquaredError: Float

  /// - Throws: `.format` unless both are finite and not negative.
  public init(bytesPerImage: Float, meanSquaredError: Float) throws(AEError) {
    guard bytesPerImage >= 0, bytesPerImage.isFinite, meanSquaredError >= 0, meanSquaredError.isFinite else {
      throw AEError(.format, "a quality's figures must be finite and not negative")
    }
    self.bytesPerImage = bytesPerImage
    self.meanSquaredError = meanSquaredError
  }

  /// Images that are looked at, at most.
  private static let largestCount = 1000

  /// Measures the first rows that count.
  /// - Parameters:
  ///   - codes: [rows, latents] codes of the images `pixels`.
  ///   - isCounted: whether a row is looked at.
  package init(
    of rate: CodeRate, codes: Buffer<Int16>, rows: Int, isCounted: (Int) -> Bool, decoder: IntegerNetwork,
    pixels: UnsafePointer<UInt8>
  ) throws(AEError) {
    let latentCount = rate.steps.count
    let size = decoder.outputCount
    let most = min(rows, QualityFigure.largestCount)
    let latents = try Buffer<Int16>(count: most * latentCount)
    let chosen = try Buffer<Int>(count: most)
    let pictures = try Buffer<UInt8>(count: most * size)
    var count = 0
    for row in 0..<rows where count < most && isCounted(row) {
      chosen.base[count] = row
      for latent in 0..<latentCount {
        latents.base[count * latentCount + latent] = rate.latent(
          Int(codes.base[row * latentCount + latent]), of: latent)
      }
      count += 1
    }
    try decoder.decode(latents.base, count: count, into: pictures.base)
    var error = 0
    for index in 0..<count {
      let image = pixels + chosen.base[index] * size
      let picture = pictures.base + index * size
      error += squaredError(image, picture, count: size)
    }
    var bits = 0.0
    for latent in 0..<latentCount {
      let table = rate.tables[latent]
      for index in 0..<count {
        let symbol = Int(codes.base[chosen.base[index] * latentCount + latent]) - table.lowest + 1
        let isInTable = symbol >= 1 && symbol < table.frequencies.count
        bits +=
          Double(CodeTable.precisionBits) - ExactMath.log(Double(table.frequencies[isInTable ? symbol : 0]))
          / 0.6931471805599453 + (isInTable ? 0 : Double(LatentCoder.escapeBits))
      }
    }
    try self.init(
      bytesPerImage: Float(bits / 8 / Double(max(count, 1))),
      meanSquaredError: Float(Double(error) / Double(max(count * size, 1)) / 65025))
  }
}

// Rate-distortion training: uniform noise in place of the quantiser, and a learned density for every latent that gives
// the codes' bits. Ballé, Laparra and Simoncelli (2017), "End-to-end Optimized Image Compression", with mixtures of
// logistic densities.

import Compute
import Core

/// The densities of a network's latents, and the bits that codes take under them.
///
/// The quantiser's step is 1 in every latent while training. How finely a latent is coded follows from the range that the
/// encoder gives it: bits go where they lower the loss, and a latent that is not worth its bits collapses to 0.
package struct CodeDensity {
  /// Logistic densities in a latent's mixture.
  static let components = 3
  /// How far a unit of a parameter moves a density. Adam moves every parameter by about the learning rate, and densities
  /// have to keep up with the codes.
  private static let pace = 8.0
  /// The bits of an escaped code (12 of escape, 15 of value): no code takes more.
  private static let floor = 0x1p-27

  let latentCount: Int
  /// Per latent the middles, the logarithms of the scales and the logarithms of the weights of its components.
  package let parameter: Parameter
  private let scratch: Buffer<Double>
  private static let scratchCount = 9 * components

  init(latentCount: Int) throws(AEError) {
    self.latentCount = latentCount
    let values = try Buffer<Float>(count: latentCount * 3 * CodeDensity.components)
    for latent in 0..<latentCount {
      let base = latent * 3 * CodeDensity.components
      for k in 0..<CodeDensity.components {
        values.base[base + k] = Float(Double(2 * (k - CodeDensity.components / 2)) / CodeDensity.pace)
      }
    }
    parameter = try Parameter(values, averaged: false)
    scratch = try Buffer(count: latentCount * CodeDensity.scratchCount)
  }

  /// `noisy` = `latents` + noise, uniform over one step, which is what a quantiser adds (with dither, exactly).
  func addNoise(
    to latents: UnsafePointer<Float>, rows: Int, seed: UInt64, step: Int,
    into noisy: UnsafeMutablePointer<Float>
  ) {
    let d = latentCount
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        var stream = RandomStream(seed: seed, .codeNoise, step &* 65536 &+ row)
        for i in row * d..<(row + 1) * d { noisy[i] = latents[i] + stream.uniform() - 0.5 }
      }
    }
  }

  /// The bits that `rows` rows of noisy latents take in all: -log2 of the density's mass within half a step of
  /// each.
  ///
  /// - Parameters:
  ///   - weight: what a bit counts in the loss; the gradient by the densities' parameters is left in
  ///     `parameter`, that by the latents in `delta`.
  ///   - latentBits: room for the sum of each latent.
  func price(
    _ noisy: UnsafePointer<Float>, rows: Int, weight: Double, delta: UnsafeMutablePointer<Float>,
    latentBits: UnsafeMutablePointer<Double>
  ) -> Double {
    parallel(latentCount) { latent in
      latentBits[latent] = price(latent, noisy, rows: rows, weight: weight, delta: delta)
    }
    var total = 0.0
    for latent in 0..<latentCount { total += latentBits[latent] }
    return total
  }

  /// One latent's share.
  private func price(
    _ latent: Int, _ noisy: UnsafePointer<Float>, rows: Int, weight: Double,
    delta: UnsafeMutablePointer<Float>
  ) -> Double {
    let count = CodeDensity.components
    let values = parameter.values.base + latent * 3 * count
    let gradients = parameter.gradient.base + latent * 3 * count
    let work = scratch.base + latent * CodeDensity.scratchCount
    // Per component: its share, the inverse of its scale, e to the length of a step in units of it.
    let (shares, inverses, steps) = (work, work + count, work + 2 * count)
    // Of one code: mass within half a step, its slope, its change by the scale.
    let (masses, slopes, stretches) = (work + 3 * count, work + 4 * count, work + 5 * count)
    let sums = work + 6 * count
    var total = 0.0
    for k in 0..<count {
      inverses[k] = min(ExactMath.exp(-CodeDensity.pace * Double(values[count + k])), 64)
      steps[k] = ExactMath.exp(inverses[k])
      shares[k] = ExactMath.exp(CodeDensity.pace * Double(values[2 * count + k]))
      total += shares[k]
    }
    for k in 0..<count { shares[k] /= total }
    for k in 0..<3 * count { sums[k] = 0 }

    var nats = 0.0
    let unit = weight / 0.6931471805599453
    for row in 0..<rows {
      let index = row &* latentCount &+ latent
      let y = Double(noisy[index])
      var mass = 0.0
      for k in 0..<count {
        let distance = y - CodeDensity.pace * Double(values[k])
        // The logistic is symmetric: left of its middle both ends have small values, which subtract exactly.
        let side = distance > 0 ? -1.0 : 1.0
        let upper = (distance + 0.5) * inverses[k]
        let power = ExactMath.exp(-side * upper)
        let above = 1 / (1 + power)
        let below = 1 / (1 + (side > 0 ? power * steps[k] : power / steps[k]))
        masses[k] = side * (above - below)
        mass += shares[k] * masses[k]
        let upperDensity = above * (1 - above)
        let lowerDensity = below * (1 - below)
        slopes[k] = (upperDensity - lowerDensity) * inverses[k]
        stretches[k] = (upper - inverses[k]) * lowerDensity - upper * upperDensity
      }
      let floored = mass + CodeDensity.floor
      nats -= ExactMath.log(floored)
      var slope = 0.0
      for k in 0..<count {
        let factor = shares[k] / floored
        slope -= factor * slopes[k]
        sums[k] += factor * slopes[k]
        sums[count + k] -= factor * stretches[k]
        sums[2 * count + k] -= factor * (masses[k] - mass)
      }
      delta[index] = Float(unit * slope)
    }
    for k in 0..<3 * count { gradients[k] = Float(unit * CodeDensity.pace * sums[k]) }
    return nats / 0.6931471805599453
  }
}

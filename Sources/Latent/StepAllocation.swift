// How a latent's quantiser step is chosen, and what a bit is worth: the qualities of a codec, from its smallest files to
// its best.

import Core

package enum StepAllocation {
  /// Squared error that quantising the codes adds, as a share of what the model itself leaves, from the
  /// smallest files to the best.
  private static let addedErrorShares = [2.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.02]
  /// The same for models that were trained at one rate (`rd_lambda`): about that rate.
  private static let addedErrorSharesNearRate = [2.0, 1.4, 1.0, 0.7, 0.5, 0.35, 0.25]
  package static let defaultQuality = 4

  /// Added mean squared error per latent and pixel, for every quality.
  ///
  /// - Parameter modelError: the mean squared error per pixel that the model leaves without quantised codes.
  package static func additions(modelError: Double, latentCount: Int, isRateTrained: Bool) -> [Double] {
    (isRateTrained ? addedErrorSharesNearRate : addedErrorShares).map {
      $0 * max(modelError, 1e-7) / Double(latentCount)
    }
  }

  /// The quantiser steps, in units of 1/256 of each latent's scale, with which every latent adds `addition`.
  ///
  /// A uniform quantiser of step s adds gain s^2 / 12; equal slopes mean equal additions for every latent (Gersho and
  /// Gray 1992, section 8.3), so each gets the same share of what may be added.
  /// - Parameter gains: per latent, the mean squared norm of its column of the decoder's Jacobian, per pixel.
  package static func steps(addition: Double, gains: [Double], latentScales: [Float]) -> [UInt16] {
    var steps: [UInt16] = []
    for (latent, gain) in gains.enumerated() {
      let step = (12 * addition / max(gain, 1e-30)).squareRoot()
      let units = step / Double(latentScales[latent]) * Double(Codec.latentUnitsPerScale)
      steps.append(UInt16(Int(saturating: units).clamped(to: 1...Codec.largestLatent)))
    }
    return steps
  }

  /// The squared error, summed over an image's bytes, that a bit of code is worth where every latent's quantiser
  /// adds `addition` to the mean squared error of a pixel: D = gain s^2 / 12 and R = -log2 s + c, as of a fine
  /// quantiser.
  package static func bitPrice(addition: Double, pixelCount: Int) -> Int {
    Int(saturating: 2 * 0.6931471805599453 * addition * Double(pixelCount) * 65025)
      .clamped(to: 1...Int(Int32.max))
  }
}

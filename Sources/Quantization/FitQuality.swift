// What integer networks lose beside the floats that they were fitted to, on images that both rebuild. Its own file
// because whoever fits a model, tool or library, must be able to say so.

import Bytes
import Compute
import Core
import Model

/// How near a model's integers come to its floats: mean squared errors per pixel, [0, 1] scale, of rebuilt images.
public struct FitQuality: Sendable {
  /// Of the networks in floats.
  public let floats: Double
  /// Of the networks in integers, before codes are quantised.
  public let integers: Double

  /// Images that are looked at, at most.
  private static let largestCount = 500
  /// What bytes may add in any case: above 43 dB nobody sees it.
  private static let invisible = 5e-5

  public init(floats: Double, integers: Double) {
    self.floats = floats
    self.integers = integers
  }

  /// Measures a model that `quantized` has given its integers, on some of the images it was fitted to.
  /// - Throws: `.argument` without images, `.kind` if there are not both networks.
  public init(of model: Autoencoder, pixels: UnsafePointer<UInt8>, count: Int) throws(AEError) {
    guard model.encoder != nil, model.decoder != nil, model.integerEncoder != nil, model.integerDecoder != nil
    else { throw AEError(.kind, "a fit is measured of a model in floats and in integers") }
    let taken = min(count, FitQuality.largestCount)
    let stored = try Autoencoder(
      architecture: model.architecture, name: model.name, storage: .int8, encoder: nil, decoder: nil,
      integerEncoder: model.integerEncoder, integerDecoder: model.integerDecoder, codec: model.codec)
    self.init(
      floats: try Evaluation.reconstruction(model, pixels: pixels, count: taken).mse,
      integers: try Evaluation.reconstruction(stored, pixels: pixels, count: taken).mse)
  }

  /// Whether the integers fall far below the floats: more than 3 dB, where that can be seen.
  public var isPoor: Bool { integers > 2 * (floats + FitQuality.invisible) }

  /// What is to be said of a poor fit.
  public var warning: String {
    sentence(
      "warning: the integer networks rebuild these images at \(Evaluation.psnr(mse: integers)) dB, those in floats at "
        + "\(Evaluation.psnr(mse: floats)) dB: image sets of this model will look that much worse")
  }
}

// The exact pixel model's place in a set: what a block asks of it, and nothing of how it works. A weight file
// without one makes exact sets of deflated pixels.

import Core
import Model

/// A causal network over pixels that drives the entropy coder. Immutable: any number of threads may use one.
final class PixelModel: Sendable {
  /// How many strengths a model offers, numbered from 1 (fastest); 0 if it has no pixel network.
  static func effortCount(of model: Autoencoder) -> Int { 0 }

  /// - Parameter effort: 1 ... `effortCount(of: model)`.
  /// - Throws: `.kind` if the model does not have it, `.memory`.
  init(model: Autoencoder, effort: Int) throws(AEError) {
    throw AEError(.kind, "the model \"\(model.name)\" has no pixel network of effort \(effort)")
  }

  /// Codes `count` images.
  /// - Parameters:
  ///   - pixels: count * imageSize bytes. If `maxError` is above 0, each is a level of `NearExact`.
  ///   - pictures: what the latent decoder makes of the images' codes, as many bytes; nil without codes.
  func encode(
    _ pixels: UnsafePointer<UInt8>, count: Int, maxError: Int, pictures: UnsafePointer<UInt8>?
  ) throws(AEError) -> Buffer<UInt8> {
    throw AEError(.internal, "a pixel network that is not there")
  }

  /// Decodes `count` images from exactly `byteCount` bytes.
  /// - Returns: nil if all went well, or what is wrong.
  func decode(
    _ bytes: UnsafePointer<UInt8>, byteCount: Int, count: Int, maxError: Int,
    pictures: UnsafePointer<UInt8>?, into pixels: UnsafeMutablePointer<UInt8>
  ) -> BlockFault? {
    .codes
  }
}

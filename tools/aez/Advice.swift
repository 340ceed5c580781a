// Advice when images and model do not fit: one wording for every command.

import Core
import Model
import Network
import Storage
import ToolKit

enum Advice {
  /// The command that trains a model on these images.
  static func training(_ images: String) -> String {
    "aez train \(images == "-" ? "IMAGES" : images.shellQuoted) -o mine.aew"
  }

  /// Throws if no model can be of images of this size.
  /// - Parameter other: what else can be done, after a comma.
  static func checkSides(_ width: Int, _ height: Int, name: String, else other: String = "") throws(AEError) {
    guard max(width, height) > Architecture.maximumSide else { return }
    throw AEError(
      .shape,
      "\(name): images are \(width) x \(height), and sides are 1 to \(Architecture.maximumSide) pixels in models: cut the "
        + "images into pieces, or make them smaller with --resize\(other)")
  }

  /// Throws if no set can be of images of this shape.
  static func checkShape(_ shape: ImageShape, name: String) throws(AEError) {
    guard !shape.isValid else { return }
    throw AEError(
      .shape,
      "\(name): images are \(shape.text), and in image sets sides are 1 to \(ImageShape.maximumSide) pixels, and width x "
        + "height x channels is at most \(grouped(ImageShape.maximumByteCount)): cut the images into pieces, or make them "
        + "smaller with --resize")
  }

  /// A predictor where an autoencoder is needed.
  static func predictorAlone(_ model: String) -> AEError {
    AEError(
      .kind,
      "\(model): is a predictor, which keeps every pixel (aez compress --exact) and has no latent codes; an autoencoder is "
        + "needed")
  }

  /// Images of a size that a model does not take.
  /// - Parameter other: what else can be done, after a comma.
  static func wrongSize(
    _ name: String, _ width: Int, _ height: Int, _ model: Autoencoder, else other: String = ""
  ) -> AEError {
    guard model.architecture.kind != .predictor else { return predictorAlone(model.name) }
    return AEError(
      .shape,
      "\(name): images are \(width) x \(height), the model \"\(model.name)\" takes \(model.architecture.width) x "
        + "\(model.architecture.height): train one of this size (\(training(name)), then --model mine.aew)\(other)"
    )
  }
}

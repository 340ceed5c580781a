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

  /// Throws if no model and no set can be of images of this size.
  static func checkSides(_ width: Int, _ height: Int, name: String) throws(AEError) {
    guard max(width, height) > Architecture.maximumSide else { return }
    throw AEError(
      .shape,
      "\(name): images are \(width) x \(height), and sides are 1 to \(Architecture.maximumSide) pixels in models and "
        + "image sets: cut the images into pieces, or make them smaller")
  }

  /// Images of a size that a model does not take.
  /// - Parameter other: what else can be done, after a comma.
  static func wrongSize(
    _ name: String, _ width: Int, _ height: Int, _ model: Autoencoder, else other: String = ""
  ) -> AEError {
    AEError(
      .shape,
      "\(name): images are \(width) x \(height), the model \"\(model.name)\" takes \(model.architecture.width) x "
        + "\(model.architecture.height): train one of this size (\(training(name)), then --model mine.aew)\(other)"
    )
  }
}

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

  /// Images of a shape that a model does not take.
  /// - Parameter other: what else can be done, after a comma.
  static func wrongShape(
    _ name: String, _ shape: ImageShape, _ model: Autoencoder, else other: String = ""
  ) -> AEError {
    guard model.architecture.kind != .predictor else { return predictorAlone(model.name) }
    let (came, wanted) = texts(shape, model.architecture.image)
    let isOfSize = shape.width == model.architecture.width && shape.height == model.architecture.height
    return AEError(
      .shape,
      "\(name): images are \(came), the model \"\(model.name)\" takes \(wanted): train one of this "
        + "\(isOfSize ? "shape" : "size") (\(training(name)), then --model mine.aew)\(other)"
    )
  }

  /// Two shapes for one message: with their channels if those differ.
  static func texts(_ one: ImageShape, _ other: ImageShape) -> (String, String) {
    guard one.channels != other.channels else { return (one.text, other.text) }
    func whole(_ shape: ImageShape) -> String { "\(shape.width) x \(shape.height) x \(shape.channels)" }
    return (whole(one), whole(other))
  }
}

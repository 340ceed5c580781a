// From a trainer to a model that compresses, the same for tool, C and Python.

import Bytes
import Core
import Model
import Network
import Quantization

extension Trainer {
  /// The trained model with integer networks and a codec, fitted to images. Of the images that it was trained on, those
  /// that were held out do not count.
  /// - Throws: as `quantized`; `.kind` for a pca that has not been fitted.
  public func quantizedModel(_ pixels: UnsafePointer<UInt8>, count: Int) throws(AEError) -> Autoencoder {
    let model = try model(provenance: provenance)
    let isOwn = images == TrainingImages(pixels, count: count, pixelCount: architecture.pixelCount)
    let heldOut = isOwn ? Int(Double(count) * options.validationFraction) : 0
    var quantization = QuantizationOptions()
    quantization.isRateTrained = options.lambda > 0
    return try quantized(model, pixels: pixels, count: count - heldOut, options: quantization)
  }

  /// Where a model of this run comes from: the same for the same options and images.
  public var provenance: String {
    var text = options.commandLine
    if let images {
      text = options.provenance(on: images)
    } else if options.kind != .pca {
      text = sentence("\(text), \(stepsDone) steps on batches of the caller's")
    }
    return options.start.map { sentence("\(text), from the weights of SHA-256 \(SHA256.hex($0))") } ?? text
  }
}

extension TrainingOptions {
  /// Where a model that is trained with these options on images comes from.
  public func provenance(on pixels: UnsafePointer<UInt8>, count: Int) -> String {
    provenance(on: TrainingImages(pixels, count: count, pixelCount: architecture.pixelCount))
  }

  func provenance(on images: TrainingImages) -> String {
    sentence(
      "\(commandLine) on \(images.count) images of \(width) x \(height), CRC-32 of their pixels "
        + "\(UInt64(images.checksum))")
  }
}

// Training that starts from the weights of a trained model.

import Bytes
import Compute
import Core
import Model
import Network
import Storage

extension Trainer {
  /// A network that starts from the weights of a trained one, for images of its own or for more steps. The
  /// optimiser starts afresh.
  ///
  /// - Parameter options: what they say of the network must be as the model has it; what they do not say is the
  ///   model's.
  /// - Throws: `.argument` if they say otherwise; `.kind` for a pca, for a decoder alone, and for a model stored as int8.
  public convenience init(from model: Autoencoder, options: TrainingOptions) throws(AEError) {
    guard model.encoder != nil, model.decoder != nil else {
      throw AEError(
        .kind, "training starts from a model in floats with an encoder; \"\(model.name)\" is not one")
    }
    var options = options
    let defaults = TrainingOptions()
    if options.kind == defaults.kind { options.kind = model.architecture.kind }
    if options.latentSize == nil { options.latentSize = model.latentCount }
    if options.kind == .custom, options.encoderText == nil, options.decoderText == nil {
      let custom = TrainingOptions(architecture: model.architecture)
      (options.encoderText, options.decoderText) = (custom.encoderText, custom.decoderText)
      options.isCustomVariational = custom.isCustomVariational
    } else if options.hidden == nil && options.kind != .custom {
      options.hidden = model.architecture.hidden
    }
    if options.outputActivation == nil {
      options.outputActivation = model.architecture.output == .sigmoid ? .sigmoid : .linear
    }
    if options.width == defaults.width && options.height == defaults.height {
      (options.width, options.height) = (model.architecture.width, model.architecture.height)
    }
    if options.channels == defaults.channels { options.channels = model.architecture.channels }
    if options.givenName == nil { options.givenName = model.name }
    try self.init(options: options, from: model, hash: try Trainer.hash(ofWeights: model))
  }

  /// The same for options that say all of the network.
  ///
  /// - Parameter hash: what the checkpoint and the provenance name the model by.
  public convenience init(options: TrainingOptions, from model: Autoencoder, hash: [UInt8]) throws(AEError) {
    guard model.architecture.kind != .pca else {
      throw AEError(.kind, "a pca is fitted at once: it starts from nothing")
    }
    guard let encoder = model.encoder, let decoder = model.decoder else {
      throw AEError(
        .kind, "training starts from a model in floats with an encoder; \"\(model.name)\" is not one")
    }
    let (wanted, given) = (options.architecture, model.architecture)
    guard
      wanted == given
    else {
      throw AEError(
        .argument,
        "a run of \(Trainer.description(wanted)) cannot start from a model of \(Trainer.description(given))"
      )
    }
    var options = options
    options.start = hash
    try self.init(options: options)
    self.encoder.take(encoder)
    self.decoder.take(decoder)
  }

  /// What names the weights that a run starts from: the SHA-256 of the model's floats as a weight file.
  private static func hash(ofWeights model: Autoencoder) throws(AEError) -> [UInt8] {
    let floats = try Autoencoder(
      architecture: model.architecture, name: model.name, storage: .float32, encoder: model.encoder,
      decoder: model.decoder)
    let file = try WeightFile.write(floats, storage: .float32)
    return SHA256.digest(file.base, file.count)
  }

  @inline(never)
  private static func description(_ architecture: Architecture) -> String {
    let output: StaticString = architecture.output == .sigmoid ? "sigmoid" : "linear"
    var text = sentence("kind \(architecture.kind.name), \(architecture.image.text), ")
    if architecture.custom != nil {
      text += "encoder "
      text += architecture.encoder.text
      text += ", decoder "
      text += architecture.decoder.text
    } else {
      text = sentence("\(text)\(architecture.pixelCount)")
      for width in architecture.hidden { text = sentence("\(text)-\(width)") }
      text = sentence("\(text)-\(architecture.latentCount)")
    }
    text += ", "
    text += sentence("\(output) output")
    return text
  }
}

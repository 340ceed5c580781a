// Where models come from: a file that is named, one compiled in, or, for an image set that names its model by
// hash, wherever a file with that hash is.

import ArgumentParser
import Bytes
import Container
import Core
import Lossless
import Model
import Storage
import ToolKit

/// The option of commands that use a model.
struct ModelOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A weight file (.aew), or the name of a model that comes with libae; digits-high unless told.",
      valueName: "file"))
  var model: String?

  /// The model that is named, by its path or as one that comes with libae, or the default one.
  func load() throws(AEError) -> Autoencoder {
    guard let model else { return try BuiltInModels.library.shipped(ShippedModel.standard) }
    return try Models.autoencoder(model)
  }

  /// The model that is named; nil if none is.
  func given() throws(AEError) -> Autoencoder? {
    try model.map { path throws(AEError) in try Models.open(path) }
  }
}

/// The options of commands that open an image set, whose model is found by its hash.
struct SetModelOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The weight file (.aew) the set was made with.", valueName: "file"))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "Where to look for its model before AE_MODEL_PATH: files and folders, separated by colons.",
      valueName: "paths"))
  var modelPath: String?
}

enum Models {
  /// The model of a weight file, or one that comes with libae where no file has its name.
  static func open(_ path: String) throws(AEError) -> Autoencoder {
    if let shipped = shipped(path) { return try BuiltInModels.library.shipped(shipped) }
    let file = try bytes(ofNamed: path)
    let head = UnsafeBufferPointer(start: UnsafePointer(file.base), count: file.count)
    if let refusal = FileFormat.of(head).refusalAsWeights(path) { throw refusal }
    return try WeightFile.read(file.base, file.count, name: path)
  }

  /// The same, unless it is a predictor alone.
  static func autoencoder(_ path: String) throws(AEError) -> Autoencoder {
    let model = try open(path)
    guard model.architecture.kind != .predictor else { throw Advice.predictorAlone(path) }
    return model
  }

  /// The model that comes with libae under this name; nil where a file has it.
  static func shipped(_ name: String) -> ShippedModel? {
    File.exists(name) ? nil : ShippedModel.all.first { "\($0.name)" == name }
  }

  /// The bytes of a weight file, or as many as tell that it is none.
  static func bytes(_ path: String) throws(AEError) -> Buffer<UInt8> {
    try WeightFile.bytes(try ByteInput(path: path, gunzips: false))
  }

  /// The same where a name would do, too: what is neither is answered with the names.
  private static func bytes(ofNamed path: String) throws(AEError) -> Buffer<UInt8> {
    do throws(AEError) {
      return try bytes(path)
    } catch {
      // A word without a dot or a slash is meant to be a name.
      guard !File.exists(path), !path.utf8.contains(where: { $0 == 0x2E || $0 == 0x2F }) else { throw error }
      let names = ShippedModel.all.map { "\($0.name)" }.joined(separator: ", ")
      throw AEError(error.code, "\(error.message); models that come with libae are \(names)")
    }
  }

  /// What new images of a set are encoded with; nil if they need no model, or if the embedded one is enough.
  static func encoder(
    of set: CompressedSetInformation, name: String, options: SetModelOptions
  ) throws(AEError) -> Autoencoder? {
    try CompressedSet.encoder(
      of: set, name: name, given: try options.model.map { path throws(AEError) in try open(path) },
      library: BuiltInModels.library(places: options.modelPath))
  }

  /// The predictor that new images of a set are coded with; nil if the set names none.
  static func predictor(
    of set: CompressedSetInformation, name: String, options: SetModelOptions
  ) throws(AEError) -> Predictor? {
    try CompressedSet.predictor(
      of: set, name: name, given: try options.model.map { path throws(AEError) in try open(path) },
      library: BuiltInModels.library(places: options.modelPath))
  }

  /// Opens an image set with the model it needs.
  ///
  /// A model that the user names must be the right one. Otherwise it is the embedded one, one compiled in, or
  /// one found on --model-path or `AE_MODEL_PATH`.
  static func openSet(
    _ bytes: ByteSource, name: String, options: SetModelOptions, isCutAllowed: Bool = false
  ) throws(AEError) -> CompressedSet {
    let library = BuiltInModels.library(places: options.modelPath)
    guard let path = options.model else {
      do throws(AEError) {
        return try CompressedSet.open(
          bytes, model: nil, name: name, library: library, isCutAllowed: isCutAllowed)
      } catch {
        guard error.code == .model,
          let information = try? CompressedSet.peek(bytes, name: name, isCutAllowed: isCutAllowed)
        else { throw error }
        let isPredictor = !information.needsModel && information.needsPredictor
        let needed =
          isPredictor
          ? "the predictor of the model \"\(information.predictorName)\", hash \(SHA256.hex(information.predictorHash))"
          : "the model \"\(information.modelName)\", hash \(SHA256.hex(information.modelHash))"
        throw AEError(
          .model,
          "\(name): needs \(needed): name it with --model, or put it into a folder that --model-path or AE_MODEL_PATH lists"
        )
      }
    }
    let given = try Models.open(path)
    let information = try CompressedSet.peek(bytes, name: name, isCutAllowed: isCutAllowed)
    guard information.needsModel else {
      if information.needsPredictor, let own = try given.predictor?.sectionHash(),
        own != information.predictorHash
      {
        throw AEError(
          .model,
          "\(name): was made with the predictor of the model \"\(information.predictorName)\", hash "
            + "\(SHA256.hex(information.predictorHash)); that of \(path) has the hash \(SHA256.hex(own))")
      }
      return try CompressedSet.open(
        bytes, model: given, name: name, library: library, isCutAllowed: isCutAllowed)
    }
    guard given.isNameable, try WeightFile.hash(given) == information.modelHash else {
      let hash = !given.isNameable ? "no codec" : "hash \(SHA256.hex(try WeightFile.hash(given)))"
      throw AEError(
        .model,
        "\(name): was made with the model \"\(information.modelName)\", hash "
          + "\(SHA256.hex(information.modelHash)); \(path) is \"\(given.name)\", \(hash)")
    }
    return try CompressedSet.open(
      bytes, model: given, name: name, library: library, isCutAllowed: isCutAllowed)
  }
}

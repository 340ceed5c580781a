// Where models come from: a file that is named, one compiled in, or, for an image set that names its model by
// hash, wherever a file with that hash is.

import ArgumentParser
import Bytes
import Container
import Core
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
    return try Models.open(model)
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
    if ShippedModel.all.contains(where: { "\($0.name)" == path }), !File.exists(path) {
      return try BuiltInModels.library.shipped(named: path)
    }
    let file = try bytes(path)
    let head = UnsafeBufferPointer(start: UnsafePointer(file.base), count: file.count)
    if let refusal = FileFormat.of(head).refusalAsWeights(path) { throw refusal }
    return try WeightFile.read(file.base, file.count, name: path)
  }

  /// The bytes of a weight file, or as many as tell that it is none.
  static func bytes(_ path: String) throws(AEError) -> Buffer<UInt8> {
    try WeightFile.bytes(try ByteInput(path: path, gunzips: false))
  }

  /// What new images of a set are encoded with; nil if they need no model, or if the embedded one is enough.
  static func encoder(
    of set: CompressedSetInformation, name: String, options: SetModelOptions
  ) throws(AEError) -> Autoencoder? {
    try CompressedSet.encoder(
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
        throw AEError(
          .model,
          "\(name): needs the model \"\(information.modelName)\", hash \(SHA256.hex(information.modelHash)): name it "
            + "with --model, or put it into a folder that --model-path or AE_MODEL_PATH lists")
      }
    }
    let given = try Models.open(path)
    let information = try CompressedSet.peek(bytes, name: name, isCutAllowed: isCutAllowed)
    guard information.needsModel else {
      return try CompressedSet(bytes, model: nil, name: name, isCutAllowed: isCutAllowed)
    }
    guard given.codec != nil, try WeightFile.hash(given) == information.modelHash else {
      let hash = given.codec == nil ? "no codec" : "hash \(SHA256.hex(try WeightFile.hash(given)))"
      throw AEError(
        .model,
        "\(name): was made with the model \"\(information.modelName)\", hash "
          + "\(SHA256.hex(information.modelHash)); \(path) is \"\(given.name)\", \(hash)")
    }
    return try CompressedSet(bytes, model: given, name: name, isCutAllowed: isCutAllowed)
  }
}

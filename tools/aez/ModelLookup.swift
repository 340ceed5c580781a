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
    help: ArgumentHelp("A weight file (.aew); the model compiled into aez unless told.", valueName: "file"))
  var model: String?

  /// The model that is named, or the default one.
  func load() throws(AEError) -> Autoencoder {
    guard let model else { return try BuiltInModel.standard.load() }
    return try Models.open(model)
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
  /// The model of a weight file.
  static func open(_ path: String) throws(AEError) -> Autoencoder {
    let file = try bytes(path)
    let head = UnsafeBufferPointer(start: UnsafePointer(file.base), count: file.count)
    if let refusal = FileFormat.of(head).refusalAsWeights(path) { throw refusal }
    return try WeightFile.read(file.base, file.count, name: path)
  }

  /// The bytes of a weight file, or as many as tell that it is none.
  static func bytes(_ path: String) throws(AEError) -> Buffer<UInt8> {
    try WeightFile.bytes(try ByteInput(path: path, gunzips: false))
  }

  /// Opens an image set with the model it needs.
  ///
  /// A model that the user names must be the right one. Otherwise it is the embedded one, one compiled in, or
  /// one found on --model-path or `AE_MODEL_PATH`.
  static func openSet(
    _ bytes: ByteSource, name: String, options: SetModelOptions, isCutAllowed: Bool = false
  ) throws(AEError) -> CompressedSet {
    func open(_ model: Autoencoder?) throws(AEError) -> CompressedSet {
      try CompressedSet(bytes, model: model, name: name, isCutAllowed: isCutAllowed)
    }
    let information = try CompressedSet.peek(bytes, name: name, isCutAllowed: isCutAllowed)
    guard information.needsModel else { return try open(nil) }
    if let model = options.model {
      let given = try Models.open(model)
      guard given.codec != nil, try WeightFile.hash(given) == information.modelHash else {
        let hash = given.codec == nil ? "no codec" : "hash \(SHA256.hex(try WeightFile.hash(given)))"
        throw AEError(
          .model,
          "\(name): was made with the model \"\(information.modelName)\", hash "
            + "\(SHA256.hex(information.modelHash)); \(model) is \"\(given.name)\", \(hash)")
      }
      return try open(given)
    }
    if information.hasModel {
      do throws(AEError) {
        return try open(nil)
      } catch {
        // An embedded model that is damaged may be at hand elsewhere.
        guard error.code == .checksum || error.code == .format,
          let found = try find(information, options.modelPath)
        else { throw error }
        return try open(found)
      }
    }
    guard let found = try find(information, options.modelPath) else {
      throw AEError(
        .model,
        "\(name): needs the model \"\(information.modelName)\", hash \(SHA256.hex(information.modelHash)): name it "
          + "with --model, or put it into a folder that --model-path or AE_MODEL_PATH lists")
    }
    return try open(found)
  }

  /// What new images of a set are encoded with; nil if they need no model, or if the embedded one is enough.
  static func encoder(
    of set: CompressedSetInformation, name: String, options: SetModelOptions
  ) throws(AEError) -> Autoencoder? {
    guard !set.declaredModelHash.isEmpty else { return nil }
    if let model = options.model { return try open(model) }
    if let found = try find(set, options.modelPath) { return found }
    if set.hasModel, set.quality == 0 { return nil }
    throw AEError(
      .model,
      "\(name): new images need the model \"\(set.declaredModelName)\", hash \(SHA256.hex(set.declaredModelHash)): "
        + "name it with --model, or put it into a folder that --model-path or AE_MODEL_PATH lists")
  }

  /// The model that a set needs, from those compiled in, on `paths` or on `AE_MODEL_PATH`.
  private static func find(_ set: CompressedSetInformation, _ paths: String?) throws(AEError) -> Autoencoder?
  {
    let hash = set.declaredModelHash
    for model in BuiltInModel.allCases where try model.summary().hash == hash { return try model.load() }
    for path in candidates(paths) + candidates(Process.environment("AE_MODEL_PATH")) {
      // A file there that is damaged, or something else, is not what was asked for.
      // Nor is anything waited for that is no file.
      guard let input = try? ByteInput(regular: path, gunzips: false), isCandidate(input, for: set),
        let file = try? WeightFile.bytes(input),
        let summary = try? WeightFile.summary(file.base, file.count, name: path), summary.hash == hash
      else { continue }
      return try WeightFile.read(file.base, file.count, name: path)
    }
    return nil
  }

  /// Whether a file begins as a model of the set's sizes does: only such a one is read and summed up.
  private static func isCandidate(_ input: ByteInput, for set: CompressedSetInformation) -> Bool {
    guard let head = try? input.peek(WeightFile.prefixCount), let base = head.baseAddress,
      let sizes = try? WeightFile.sizes(
        base, head.count, fileByteCount: input.byteCount ?? head.count, name: input.name)
    else { return false }
    return sizes.width == set.width && sizes.height == set.height && sizes.latentCount == set.latentCount
  }

  /// The weight files that a list leads to: files, and folders of .aew files, separated by colons.
  private static func candidates(_ paths: String?) -> [String] {
    guard let paths else { return [] }
    var result: [String] = []
    for path in Path.listed(paths) {
      if Path.kind(path) == .folder {
        let names = (try? Path.list(path)) ?? []
        result += names.filter { Path.has($0, ".aew") }.map { "\(path)/\($0)" }
      } else {
        result.append(path)
      }
    }
    return result
  }
}

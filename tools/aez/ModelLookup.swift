// Where models come from: a file that is named, the one compiled in, or, for an image set that names its
// model by hash, wherever a file with that hash is.

import ArgumentParser
import Bytes
import CDefaultModel
import Compression
import Core
import Model
import Storage

/// The option of commands that use a model.
struct ModelOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("A weight file (.aew); the model compiled into aez unless told.", valueName: "file"))
  var model: String?

  /// The model that is named, or the default one.
  func load() throws(AEError) -> Autoencoder {
    guard let model else { return try Models.builtIn() }
    return try Models.open(model)
  }
}

enum Models {
  /// The model of a weight file.
  static func open(_ path: String) throws(AEError) -> Autoencoder {
    let file = try File.read(path)
    return try WeightFile.read(file.base, file.count, name: path)
  }

  /// The model compiled in.
  static func builtIn() throws(AEError) -> Autoencoder {
    try builtInFile { bytes, count throws(AEError) in
      try WeightFile.read(bytes, count, name: "default model")
    }
  }

  /// Calls `body` with the weight file compiled in.
  /// - Throws: `.model` if there is none.
  static func builtInFile<Result>(
    _ body: (UnsafePointer<UInt8>, Int) throws(AEError) -> Result
  ) throws(AEError) -> Result {
    let count = ae_default_model_size
    guard count > 0, let bytes = ae_default_model_bytes() else {
      throw AEError(.model, "this aez was built without a default model: name one with --model")
    }
    return try body(bytes, count)
  }

  /// Opens an image set with the model it needs.
  ///
  /// - Parameter model: the one that the user names: it must be the right one. Otherwise it is the embedded
  ///   one, the one compiled in, or one found on `AE_MODEL_PATH`.
  static func openSet(_ bytes: Buffer<UInt8>, name: String, model: String?) throws(AEError) -> CompressedSet {
    let information = try CompressedSet.peek(bytes, name: name)
    if let model {
      let given = try open(model)
      guard given.codec != nil, try WeightFile.hash(given) == information.modelHash else {
        let hash = given.codec == nil ? "no codec" : "hash \(SHA256.hex(try WeightFile.hash(given)))"
        throw AEError(
          .model,
          "\(name): was made with the model \"\(information.modelName)\", hash "
            + "\(SHA256.hex(information.modelHash)); \(model) is \"\(given.name)\", \(hash)")
      }
      return try CompressedSet(bytes, model: given, name: name)
    }
    if information.hasModel { return try CompressedSet(bytes, model: nil, name: name) }
    guard let found = try find(information.modelHash) else {
      throw AEError(
        .model,
        "\(name): needs the model \"\(information.modelName)\", hash \(SHA256.hex(information.modelHash)): name it "
          + "with --model, or put it into a folder that AE_MODEL_PATH lists")
    }
    return try CompressedSet(bytes, model: found, name: name)
  }

  /// The model of that hash, from those compiled in or on `AE_MODEL_PATH`.
  private static func find(_ hash: [UInt8]) throws(AEError) -> Autoencoder? {
    if ae_default_model_size > 0 {
      let model = try builtIn()
      if model.codec != nil, try WeightFile.hash(model) == hash { return model }
    }
    for path in candidates() {
      // A file there that is damaged, or something else, is not what was asked for.
      guard let file = try? File.read(path),
        let summary = try? WeightFile.summary(file.base, file.count, name: path), summary.hash == hash
      else { continue }
      return try WeightFile.read(file.base, file.count, name: path)
    }
    return nil
  }

  /// The weight files that `AE_MODEL_PATH` leads to: files, and folders of .aew files, separated by colons.
  private static func candidates() -> [String] {
    guard let paths = MNIST.environment("AE_MODEL_PATH") else { return [] }
    var result: [String] = []
    for path in paths.split(separator: ":").map({ String($0) }) {
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

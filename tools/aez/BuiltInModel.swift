// The models that are compiled into the tool, as the engine's library of models takes them.

import Bytes
import CShippedModels
import Core
import Storage
import ToolKit

enum BuiltInModels {
  /// Where commands find models: those compiled in, AE_MODEL_PATH, and places that a command names.
  static func library(places: String? = nil) -> ModelLibrary {
    ModelLibrary(places: places.map { ModelLibrary.listed($0) } ?? []) { model in bytes(model) }
  }

  /// The one library of a command that names no places.
  static let library = library()

  private static func bytes(_ model: ShippedModel) -> Buffer<UInt8>? {
    var count = 0
    guard let bytes = FileName.withCString("\(model.name)", { ae_shipped_model($0, &count) }) else {
      return nil
    }
    return Buffer(borrowing: bytes, count: count)
  }

  /// What the weight file of a model says of itself.
  static func summary(_ model: ShippedModel) throws(AEError) -> WeightFileSummary {
    guard let file = bytes(model) else {
      throw AEError(.internal, "the model \(model.name) is not compiled in")
    }
    return try WeightFile.summary(file.base, file.count, name: "\(model.name)")
  }
}

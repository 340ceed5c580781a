// The models that are compiled in, and the ladder of qualities that those for image sets make together.

import CDefaultModel
import Core
import Model
import Storage

/// A model of models/, whose README tells what each is for.
enum BuiltInModel: CaseIterable {
  case standard
  case exact
  case low
  case high

  /// One quality of one model.
  struct Rung {
    let model: BuiltInModel
    /// As the model counts: from 1.
    let quality: Int
  }

  /// The models for sets of codes of a rate that is asked for, from the smallest sets to the best, and how many
  /// qualities each has. `standard` is not among them: where they reach, they are nearer for the bytes.
  private static let rated: [(model: BuiltInModel, qualities: Int)] = [(.low, 7), (.high, 7)]

  /// Their qualities in one row, from the smallest sets to the best.
  static let ladder = rated.flatMap { rated in
    (1...rated.qualities).map { Rung(model: rated.model, quality: $0) }
  }

  /// Calls `body` with the weight file.
  private func withFile<Result>(
    _ body: (UnsafePointer<UInt8>, Int, String) throws(AEError) -> Result
  ) throws(AEError) -> Result {
    let (which, name): (ae_built_in, String) =
      switch self {
      case .standard: (AE_BUILT_IN_DEFAULT, "default model")
      case .exact: (AE_BUILT_IN_EXACT, "exact model")
      case .low: (AE_BUILT_IN_LOW, "low model")
      case .high: (AE_BUILT_IN_HIGH, "high model")
      }
    var count = 0
    guard let bytes = ae_built_in_model(which, &count) else {
      throw AEError(.internal, "the \(name) is not compiled in")
    }
    return try body(bytes, count, name)
  }

  func load() throws(AEError) -> Autoencoder {
    try withFile { bytes, count, name throws(AEError) in try WeightFile.read(bytes, count, name: name) }
  }

  func summary() throws(AEError) -> WeightFileSummary {
    try withFile { bytes, count, name throws(AEError) in
      try WeightFile.summary(bytes, count, name: name)
    }
  }
}

// Opening a set with the model that it needs, wherever that is. Apart from CompressedSet, which takes a model that is at
// hand, because only who opens for a caller looks for one.

import Bytes
import Core
import Lossless
import Model
import Storage

extension CompressedSet {
  /// Opens an image set with the model given, the one embedded, or one that the library finds, in this order.
  /// - Throws: as `init`; `.model`, naming the model that is needed, if it is not found.
  public static func open(
    _ source: ByteSource, model: Autoencoder?, name: String, library: ModelLibrary, isCutAllowed: Bool = false
  ) throws(AEError) -> CompressedSet {
    let file = try ContainerFile(source, name: name, isCutAllowed: isCutAllowed)
    let wanted = file.header.predictorHash
    var predictor: Predictor?
    if !wanted.isEmpty {
      if let own = model?.predictor, try own.sectionHash() == wanted { predictor = own }
      if predictor == nil { predictor = try library.predictor(hash: wanted) }
    }
    if model == nil || (file.needsModel && model?.isNameable == false) {
      let information = file.information
      if information.needsModel {
        func find() throws(AEError) -> Autoencoder? {
          try library.model(
            hash: information.modelHash, width: information.width, height: information.height,
            latentCount: information.latentCount)
        }
        if information.hasModel {
          do throws(AEError) {
            return try CompressedSet(file, model: nil, predictor: predictor)
          } catch {
            // An embedded model that is damaged may be at hand elsewhere.
            guard error.code == .checksum || error.code == .format, let found = try find() else {
              throw error
            }
            return try CompressedSet(file, model: found, predictor: predictor)
          }
        }
        return try CompressedSet(file, model: try find(), predictor: predictor)
      }
    }
    return try CompressedSet(file, model: model, predictor: predictor)
  }

  /// What new images of a set are encoded with; nil if they need no model, or if the embedded decoder is enough.
  /// - Throws: `.model`, naming it, if it is not found.
  public static func encoder(
    of set: CompressedSetInformation, name: String, given: Autoencoder?, library: ModelLibrary
  ) throws(AEError) -> Autoencoder? {
    guard !set.declaredModelHash.isEmpty else { return nil }
    if let given { return given }
    if let found = try library.model(
      hash: set.declaredModelHash, width: set.width, height: set.height, latentCount: set.declaredLatentCount)
    {
      return found
    }
    if set.hasModel, set.quality == 0 { return nil }
    throw AEError(
      .model,
      "\(name): new images need the model \"\(set.declaredModelName)\", hash \(SHA256.hex(set.declaredModelHash)), "
        + "which is not at hand: give it, or put it into a folder that AE_MODEL_PATH lists")
  }
}

extension CompressedSet {
  /// The predictor that new images of a set are coded with; nil if the set names none.
  /// - Throws: `.model`, naming it, if it is not found.
  public static func predictor(
    of set: CompressedSetInformation, name: String, given: Autoencoder?, library: ModelLibrary
  ) throws(AEError) -> Predictor? {
    let wanted = set.declaredPredictorHash
    guard !wanted.isEmpty else { return nil }
    if let own = given?.predictor, try own.sectionHash() == wanted { return own }
    if let found = try library.predictor(hash: wanted) { return found }
    throw AEError(
      .model,
      "\(name): new images need the predictor of the model \"\(set.declaredPredictorName)\", hash \(SHA256.hex(wanted)), "
        + "which is not at hand: give it, or put it into a folder that AE_MODEL_PATH lists")
  }
}

/// Writes the images of sets, one set after the other, as one set, by copying blocks.
///
/// - Parameters:
///   - sets: one or more, as `CompressedSet(blocksOf:)` opens them.
///   - sink: takes the file.
/// - Throws: as `SetWriter`.
/// - Returns: the bytes written.
@discardableResult
public func concatenate(
  _ sets: [CompressedSet], onProgress: Monitor.Hook? = nil, sink: @escaping SetWriter.Sink
) throws(AEError) -> Int {
  let writer = try SetWriter(like: sets, sink: sink)
  writer.onProgress = onProgress
  var total = 0
  for set in sets { total += set.information.count }
  writer.expectedCount = total
  for set in sets { try writer.add(blocksOf: set) }
  try writer.finish()
  return writer.byteCount
}

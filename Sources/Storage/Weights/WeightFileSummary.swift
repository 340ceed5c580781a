// A summary of a weight file, without building its networks.

import Bytes
import Core
import Latent
import Lossless
import Model
import Network

/// What a weight file says of itself.
public struct WeightFileSummary: Sendable {
  /// One section, as the table lists it.
  public struct Section: Sendable {
    /// Four letters or digits; a small first letter marks what readers may skip.
    public let tag: String
    public let storedByteCount: Int
    public let rawByteCount: Int
    /// Whether its weights are coded, beyond what deflate does.
    public let isCoded: Bool
  }

  public let majorVersion: Int
  public let minorVersion: Int
  public let byteCount: Int
  public let architecture: Architecture
  public let name: String
  public let provenance: String
  public let storage: WeightStorage
  public let hasEncoder: Bool
  /// Qualities of the codec, 0 without one.
  public let qualityCount: Int
  public let defaultQuality: Int
  /// The 32 bytes that image sets name the model by, nil without codec.
  public let hash: [UInt8]?
  /// The 32 bytes that image sets name its predictor of pixels by, nil without one.
  public let predictorHash: [UInt8]?
  /// Inputs, widths of hidden layers and outputs of its predictor of pixels; empty without one.
  public let predictorWidths: [Int]
  public let sections: [Section]
}

extension WeightFile {
  /// The sizes of a model, from the first `prefixCount` bytes of its file, or all if it has fewer: what can be
  /// told without reading, inflating or summing up its weights.
  ///
  /// - Returns: nil for a model without codec, which no image set names.
  /// - Throws: as `read`, for what is wrong in header, table and architecture.
  public static func sizes(_ p: UnsafePointer<UInt8>, _ count: Int, fileByteCount: Int, name: String)
    throws(AEError) -> Architecture?
  {
    let file = try WeightFileContainer(
      Buffer(borrowing: p, count: count), name: name, fileByteCount: fileByteCount)
    let contents = try Contents(file)
    return contents.codec == nil ? nil : contents.architecture
  }

  /// Header, the longest table, and the longest architecture, deflated or not.
  public static let prefixCount =
    WeightFileContainer.headerCount + WeightFileContainer.maximumSections * WeightFileContainer.lineCount
    + 32768

  /// What a file holds, without building its networks. All checksums are verified.
  public static func summary(_ p: UnsafePointer<UInt8>, _ count: Int, name: String) throws(AEError)
    -> WeightFileSummary
  {
    let file = try WeightFileContainer(Buffer(borrowing: p, count: count), name: name)
    let contents = try Contents(file)
    for entry in file.entries { try file.verify(entry) }
    var hash: [UInt8]?
    var codec: Codec?
    var predictorWidths: [Int] = []
    let predictorHash = try contents.predictor.map { entry throws(AEError) -> [UInt8] in
      let raw = try contents.rawPredictor(entry)
      var reader = ByteReader(raw.base, count: raw.count, name: contents.place(entry))
      let shapes = try PredictorSection.shapes(&reader)
      predictorWidths = [shapes[0].inputs] + shapes.map { $0.outputs }
      var sum = SHA256()
      sum.update(raw.base, raw.count)
      return sum.finish()
    }
    if contents.architecture.kind == .predictor {
      hash = try digest(
        contents.architecture, version: 1, decoder: nil, codec: nil,
        scan: try contents.scan.map { entry throws(AEError) in try contents.rawScan(entry) },
        predictor: predictorHash)
    }
    if let decoderEntry = contents.integerDecoder, let codecEntry = contents.codec {
      let raw = try contents.rawCodec(codecEntry)
      hash = try digest(
        contents.architecture, version: contents.architecture.isFormer && !contents.isNarrow ? 1 : 2,
        decoder: try contents.rawIntegerDecoder(decoderEntry), codec: raw,
        scan: try contents.scan.map { entry throws(AEError) in try contents.rawScan(entry) })
      codec = try CodecSection(latentCount: contents.architecture.latentCount).read(
        raw, name: contents.place(codecEntry))
    }
    return WeightFileSummary(
      majorVersion: file.major, minorVersion: file.minor, byteCount: file.byteCount,
      architecture: contents.architecture, name: contents.modelName, provenance: contents.provenance,
      storage: contents.storage, hasEncoder: contents.floatEncoder != nil || contents.integerEncoder != nil,
      qualityCount: codec?.rates.count ?? 0, defaultQuality: codec?.defaultQuality ?? 0, hash: hash,
      predictorHash: predictorHash, predictorWidths: predictorWidths,
      sections: file.entries.map {
        WeightFileSummary.Section(
          tag: $0.tag.text, storedByteCount: $0.storedCount, rawByteCount: $0.rawCount,
          isCoded: $0.encoding == .coded)
      })
  }
}

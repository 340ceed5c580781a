// The sections of a weight file by what they hold, checked against each other: what reading and summing up have in
// common.

import Bytes
import Core
import Latent
import Lossless
import Model
import Network

/// Which sections a file has, and its architecture: what reading and summing up have in common.
final class Contents {
  let architecture: Architecture
  let modelName: String
  let provenance: String
  /// Whether integers are of form 2.
  let isNarrow: Bool
  let storage: WeightStorage
  let floatEncoder: SectionEntry?
  let floatDecoder: SectionEntry?
  let integerEncoder: SectionEntry?
  let integerDecoder: SectionEntry?
  let codec: SectionEntry?
  let scan: SectionEntry?
  let predictor: SectionEntry?
  private let file: WeightFileContainer

  init(_ file: WeightFileContainer) throws(AEError) {
    self.file = file
    let head = try ArchitectureSection(
      try file.raw(file.entries[0], allowed: ArchitectureSection.rawCounts(version: file.major)),
      version: file.major, name: file.name)
    (architecture, modelName, provenance) = (head.architecture, head.name, head.provenance)
    isNarrow = head.isNarrow
    let decoder32 = file.entry(.floatDecoder32)
    let decoder16 = file.entry(.floatDecoder16)
    let encoder32 = file.entry(.floatEncoder32)
    let encoder16 = file.entry(.floatEncoder16)
    floatDecoder = decoder32 ?? decoder16
    floatEncoder = encoder32 ?? encoder16
    integerEncoder = file.entry(.integerEncoder)
    integerDecoder = file.entry(.integerDecoder)
    codec = file.entry(.codec)
    scan = file.entry(.scan)
    predictor = file.entry(.predictor)
    storage = decoder32 != nil ? .float32 : decoder16 != nil ? .float16 : .int8
    guard architecture.kind != .predictor else {
      guard predictor != nil, floatEncoder == nil, floatDecoder == nil, integerEncoder == nil,
        integerDecoder == nil, codec == nil
      else {
        throw AEError(
          .format, "\(file.name): a predictor has section PRED, perhaps SCAN, and none of an autoencoder")
      }
      return
    }
    guard floatDecoder != nil || integerDecoder != nil else {
      throw AEError(.format, "\(file.name): there is no decoder: none of the sections FD32, FD16, IDEC")
    }
    guard decoder32 == nil || decoder16 == nil, encoder32 == nil || storage == .float32,
      encoder16 == nil || storage == .float16
    else {
      throw AEError(
        .format, "\(file.name): float sections must be one decoder and, of its precision, one encoder")
    }
    guard (integerDecoder != nil) == (codec != nil), integerEncoder == nil || integerDecoder != nil else {
      throw AEError(.format, "\(file.name): sections IDEC and CODC come together, and IENC only with them")
    }
  }

  /// Bytes of a float.
  var width: Int { storage == .float32 ? 4 : 2 }

  func place(_ entry: SectionEntry) -> String { sentence("\(file.name): section \(entry.tag.text)") }

  /// One half in floats, if the file has it.
  @inline(never)
  func floats(_ half: StaticString, _ entry: SectionEntry?, _ shapes: [LayerShape]) throws(AEError)
    -> DenseNetwork?
  {
    guard let entry else { return nil }
    let section = FloatSection(half: half, shapes: shapes, width: width)
    return try section.read(
      try file.raw(entry, allowed: section.rawCount...section.rawCount), name: place(entry))
  }

  func section(ofEncoder entry: SectionEntry) throws(AEError) -> IntegerSection {
    do {
      return try IntegerSection.encoder(architecture, isNarrow: isNarrow)
    } catch {
      throw AEError(.format, "\(place(entry)): \(error.message)")
    }
  }

  func section(ofDecoder entry: SectionEntry) throws(AEError) -> IntegerSection {
    do {
      return try IntegerSection.decoder(architecture, isNarrow: isNarrow)
    } catch {
      throw AEError(.format, "\(place(entry)): \(error.message)")
    }
  }

  func rawIntegerDecoder(_ entry: SectionEntry) throws(AEError) -> Buffer<UInt8> {
    let section = try section(ofDecoder: entry)
    return try section.raw(try file.stored(entry, allowed: section.rawCount...section.rawCount))
  }

  func rawScan(_ entry: SectionEntry) throws(AEError) -> Buffer<UInt8> {
    try file.raw(entry, allowed: ScanSection.rawCounts)
  }

  func rawPredictor(_ entry: SectionEntry) throws(AEError) -> Buffer<UInt8> {
    try file.raw(entry, allowed: PredictorSection.rawCounts)
  }

  func rawCodec(_ entry: SectionEntry) throws(AEError) -> Buffer<UInt8> {
    try file.raw(entry, allowed: CodecSection(latentCount: architecture.latentCount).rawCounts)
  }
}

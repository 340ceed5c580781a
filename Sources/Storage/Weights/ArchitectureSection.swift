// Section ARCH of a weight file: what network it is. docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Section ARCH: kind, sizes, name and provenance.
enum ArchitectureSection {
  /// The form of the layers: dense alone, or convolutions before them.
  private static func form(_ kind: ModelKind) -> UInt8 { kind == .convVAE ? 1 : 0 }
  /// The largest section: 8 hidden layers, 64 bytes of name, 4096 of provenance.
  static let rawCounts = 15...(12 + 16 + 1 + 64 + 2 + 4096)

  static func write(_ model: Autoencoder) throws(AEError) -> Buffer<UInt8> {
    let architecture = model.architecture
    let writer = ByteWriter()
    try writer.u8(architecture.kind.rawValue)
    try writer.u8(architecture.output.rawValue)
    try writer.u8(form(architecture.kind))
    try writer.u8(UInt8(architecture.hidden.count))
    try writer.u16(UInt16(architecture.width))
    try writer.u16(UInt16(architecture.height))
    try writer.u16(UInt16(architecture.channels))
    try writer.u16(UInt16(architecture.latentCount))
    for width in architecture.hidden { try writer.u16(UInt16(width)) }
    try writer.u8(UInt8(UTF8Text.count(model.name)))
    try text(model.name, "name", to: writer)
    try writer.u16(UInt16(UTF8Text.count(model.provenance)))
    try text(model.provenance, "provenance", to: writer)
    return try writer.finish()
  }

  private static func text(_ text: String, _ what: StaticString, to writer: ByteWriter) throws(AEError) {
    let start = writer.count
    try writer.utf8(text)
    for index in start..<writer.count where writer.base[index] == 0 {
      throw AEError(.argument, "a model's \(what) must not hold the character NUL")
    }
  }

  static func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> (
    architecture: Architecture, name: String, provenance: String
  ) {
    var reader = ByteReader(raw.base, count: raw.count, name: sentence("\(name): section ARCH"))
    let kindNumber = try reader.u8()
    guard let kind = ModelKind(rawValue: kindNumber) else {
      throw reader.fail(.version, "a network of kind \(kindNumber) is not known to this version")
    }
    let outputNumber = try reader.u8()
    guard let output = Activation(rawValue: outputNumber) else {
      throw reader.fail(.version, "an output activation \(outputNumber) is not known to this version")
    }
    let form = try reader.u8()
    guard form == ArchitectureSection.form(kind) else {
      throw reader.fail(.version, "layers of form \(form) for a \(kind.name) are not known to this version")
    }
    let hiddenCount = Int(try reader.u8())
    guard hiddenCount <= (kind == .pca ? 0 : Architecture.maximumHiddenCount) else {
      throw reader.fail("\(hiddenCount) hidden layers are too many for a \(kind.name)")
    }
    let width = Int(try reader.u16())
    let height = Int(try reader.u16())
    let channels = Int(try reader.u16())
    let latentCount = Int(try reader.u16())
    var hidden: [Int] = []
    for _ in 0..<hiddenCount { hidden.append(Int(try reader.u16())) }
    let architecture: Architecture
    do {
      architecture = try Architecture(
        kind: kind, width: width, height: height, channels: channels, latentCount: latentCount,
        hidden: hidden, output: output)
    } catch {
      throw reader.fail(Message(error.message))
    }
    let nameCount = Int(try reader.u8())
    guard nameCount <= 64 else { throw reader.fail("a name of \(nameCount) bytes; 64 are allowed") }
    let modelName = try reader.string(nameCount)
    let provenanceCount = Int(try reader.u16())
    guard provenanceCount <= 4096 else {
      throw reader.fail("a provenance of \(provenanceCount) bytes; 4096 are allowed")
    }
    let provenance = try reader.string(provenanceCount)
    guard reader.remaining == 0 else { throw reader.fail("\(reader.remaining) bytes too many") }
    return (architecture, modelName, provenance)
  }
}

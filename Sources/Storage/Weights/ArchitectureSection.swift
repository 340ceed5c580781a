// Section ARCH of a weight file: what network it is. docs/format-aew.md gives it byte by byte.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Section ARCH: kind, sizes, name and provenance, and from version 2 on the lists of nodes.
struct ArchitectureSection {
  let architecture: Architecture
  let name: String
  let provenance: String
  /// Whether integers are of form 2, if there are any.
  let isNarrow: Bool

  /// The form of the layers: dense alone, convolutions before them, or, in version 2, lists.
  private static func form(_ kind: ModelKind, version: Int) -> UInt8 {
    version > 1 ? 2 : kind == .convVAE ? 1 : 0
  }

  /// The largest section: 8 hidden layers, 64 bytes of name, 4096 of provenance; and two bytes and two lists.
  static func rawCounts(version: Int) -> ClosedRange<Int> {
    let common = 15...(12 + 16 + 1 + 64 + 2 + 4096)
    let lists = NodeListSection.rawCounts
    return version == 1
      ? common
      : (common.lowerBound + 2 + 2 * lists.lowerBound)...(common.upperBound + 2 + 2 * lists.upperBound)
  }

  static func write(_ model: Autoencoder, version: Int) throws(AEError) -> Buffer<UInt8> {
    let architecture = model.architecture
    let writer = ByteWriter()
    try writer.u8(architecture.kind.rawValue)
    try writer.u8(architecture.output.rawValue)
    try writer.u8(form(architecture.kind, version: version))
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
    if version > 1 {
      try writer.u8(model.isNarrow ? 2 : 1)
      try writer.u8(architecture.isVariational ? 1 : 0)
      try NodeListSection.write(architecture.encoder.nodes, to: writer)
      try NodeListSection.write(architecture.decoder.nodes, to: writer)
    }
    return try writer.finish()
  }

  private static func text(_ text: String, _ what: StaticString, to writer: ByteWriter) throws(AEError) {
    let start = writer.count
    try writer.utf8(text)
    for index in start..<writer.count where writer.base[index] == 0 {
      throw AEError(.argument, "a model's \(what) must not hold the character NUL")
    }
  }

  init(_ raw: Buffer<UInt8>, version: Int, name: String) throws(AEError) {
    var reader = ByteReader(raw.base, count: raw.count, name: sentence("\(name): section ARCH"))
    let kindNumber = try reader.u8()
    guard let kind = ModelKind(rawValue: kindNumber), version > 1 || kind.rawValue <= 7 else {
      throw reader.fail(.version, "a network of kind \(kindNumber) is not known to this version")
    }
    let outputNumber = try reader.u8()
    guard let output = Activation(rawValue: outputNumber), outputNumber < 4 else {
      throw reader.fail(.version, "an output activation \(outputNumber) is not known to this version")
    }
    let form = try reader.u8()
    guard form == ArchitectureSection.form(kind, version: version) else {
      throw reader.fail(.version, "layers of form \(form) for a \(kind.name) are not known to this version")
    }
    let hiddenCount = Int(try reader.u8())
    guard version == 1 || kind != .predictor else {
      throw reader.fail("a predictor is in files of version 1 alone")
    }
    guard hiddenCount <= (kind == .pca || kind == .custom ? 0 : Architecture.maximumHiddenCount) else {
      throw reader.fail("\(hiddenCount) hidden layers are too many for a \(kind.name)")
    }
    let width = Int(try reader.u16())
    let height = Int(try reader.u16())
    let channels = Int(try reader.u16())
    let latentCount = Int(try reader.u16())
    var hidden: [Int] = []
    for _ in 0..<hiddenCount { hidden.append(Int(try reader.u16())) }
    /// What the fields and, of a custom network, the lists make.
    func architecture(_ custom: CustomNetwork?) throws(AEError) -> Architecture {
      do {
        return try Architecture(
          kind: kind, width: width, height: height, channels: channels, latentCount: latentCount,
          hidden: hidden, output: output, custom: custom)
      } catch {
        throw reader.fail(Message(error.message))
      }
    }
    var made: Architecture?
    if kind != .custom {
      if version == 1 && kind != .predictor {
        func check(_ name: StaticString, _ value: Int, _ largest: Int) throws(AEError) {
          guard (1...largest).contains(value) else {
            throw reader.fail("\(name) must be in 1 ... \(largest), not \(value)")
          }
        }
        try check("image width", width, Architecture.formerLongestSide)
        try check("image height", height, Architecture.formerLongestSide)
        try check("channels", channels, 1)
        try check("latent size", latentCount, Architecture.formerLatentCount)
      }
      let preset = try architecture(nil)
      if version == 1 {
        for node in preset.encoder.nodes where node.shape.count > Architecture.formerMapCount {
          throw reader.fail(
            "numbers in the picture of a layer must be in 1 ... \(Architecture.formerMapCount), not \(node.shape.count)"
          )
        }
      }
      made = preset
    }
    let nameCount = Int(try reader.u8())
    guard nameCount <= 64 else { throw reader.fail("a name of \(nameCount) bytes; 64 are allowed") }
    self.name = try reader.string(nameCount)
    let provenanceCount = Int(try reader.u16())
    guard provenanceCount <= 4096 else {
      throw reader.fail("a provenance of \(provenanceCount) bytes; 4096 are allowed")
    }
    provenance = try reader.string(provenanceCount)
    var isNarrow = false
    if version > 1 {
      let integerForm = try reader.u8()
      guard integerForm == 1 || integerForm == 2 else {
        throw reader.fail(.version, "integers of form \(integerForm) are not known to this version")
      }
      isNarrow = integerForm == 2
      let variational = try reader.u8()
      guard variational <= 1 else {
        throw reader.fail("variational must be 0 or 1, not \(variational)")
      }
      let encoder = try NodeListSection.read(&reader, "encoder")
      let decoder = try NodeListSection.read(&reader, "decoder")
      if let preset = made {
        guard preset.isVariational == (variational == 1), preset.encoder.nodes == encoder,
          preset.decoder.nodes == decoder
        else { throw reader.fail("the lists of nodes are not those of a \(kind.name) of these sizes") }
      } else {
        made = try architecture(
          CustomNetwork(encoder: encoder, decoder: decoder, isVariational: variational == 1))
      }
    }
    guard reader.remaining == 0 else { throw reader.fail("\(reader.remaining) bytes too many") }
    guard let made else { throw reader.fail("a custom network without lists") }
    self.architecture = made
    self.isNarrow = isNarrow
  }
}

extension Autoencoder {
  /// The version of the weight file, and of the hash: 1 for what files of version 1 can hold.
  var formatVersion: Int { architecture.isFormer && !isNarrow ? 1 : 2 }
}

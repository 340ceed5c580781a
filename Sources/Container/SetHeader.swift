// The header of an image set: what all of its blocks have in common. Headers of version 3 are written and read here;
// OldHeader.swift reads those of versions 1 and 2 into the same type. docs/format-aez.md specifies it.

import Bytes
import Core
import Lossless
import Network
import Storage

/// What the images of a set have in common, checked.
///
/// A class, though nothing shares it before it is complete: every way out of the reader would else give back its
/// parts one by one.
final class SetHeader: @unchecked Sendable {
  /// The high bit, the line ends and the control-Z find transfers that were made as text.
  static let magic: [UInt8] = [0x89, 0x41, 0x45, 0x5A, 0x0D, 0x0A, 0x1A, 0x0A]
  /// The version that is written.
  static let version: UInt16 = 3
  /// More than the bytes of any header, of whatever version.
  static let largestSize = 256
  static let maximumBlockImages = 65536
  /// Bytes of the pixels of a block, at most: what a file can ask a reader to decode for one image.
  static let maximumBlockByteCount = 1 << 28
  static let maximumQuality = 16
  /// No zlib stream is smaller than this part of what it inflates to.
  static let largestInflation = 1032

  private enum Flag {
    static let model: UInt8 = 4
    static let codes: UInt8 = 8
    static let scans: UInt8 = 16
    static let predictor: UInt8 = 32
    static let modes: UInt8 = 3
    static let all: UInt8 = 63
  }

  /// Of each image.
  var shape = ImageShape(width: 0, height: 0)
  var mode = Mode.lossy
  /// The most that a pixel may be off: 1 ... 32 in near-lossless sets, else 0.
  var maxError = 0
  var source = SourceKind.unknown
  /// Images in a block, unless the block says otherwise.
  var blockImages = 0
  /// The codes' quality; 0 in sets without codes.
  var quality = 0
  /// Whether blocks may be coded by scans, which the model predicts.
  var usesScans = false
  /// Latents in a code of the model; 0 without one.
  var latentCount = 0
  /// 32 bytes; empty without a model.
  var modelHash: [UInt8] = []
  var modelName = ""
  /// Of the predictor that blocks may be coded with, 32 bytes; empty without one.
  var predictorHash: [UInt8] = []
  var predictorName = ""

  var width: Int { shape.width }
  var height: Int { shape.height }
  var channels: Int { shape.channels }
  var imageSize: Int { shape.byteCount }
  /// Images that a block may hold.
  var mostBlockImages: Int { min(SetHeader.maximumBlockImages, SetHeader.maximumBlockByteCount / imageSize) }
  /// Whether blocks may need a model.
  var namesModel: Bool { !modelHash.isEmpty }
  /// Whether blocks may need a predictor of pixels.
  var namesPredictor: Bool { !predictorHash.isEmpty }
  var canHaveScans: Bool { channels == 1 && ScanCoder.canFind(width: width, height: height) }

  /// The same, to be changed.
  func copy() -> SetHeader {
    let other = SetHeader()
    other.shape = shape
    (other.mode, other.maxError, other.source) = (mode, maxError, source)
    (other.blockImages, other.quality, other.usesScans) = (blockImages, quality, usesScans)
    (other.latentCount, other.modelHash, other.modelName) = (latentCount, modelHash, modelName)
    (other.predictorHash, other.predictorName) = (predictorHash, predictorName)
    return other
  }

  // MARK: Writing

  /// The bytes of a header of version 3, checksum included.
  func write() throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    for byte in SetHeader.magic { try writer.u8(byte) }
    try writer.u16(SetHeader.version)
    var content = mode.rawValue
    if namesModel { content |= Flag.model }
    if quality > 0 { content |= Flag.codes }
    if usesScans { content |= Flag.scans }
    if namesPredictor { content |= Flag.predictor }
    try writer.u8(content)
    try writer.u8(source.rawValue)
    try writer.varint(width)
    try writer.varint(height)
    try writer.varint(channels)
    try writer.varint(blockImages)
    if mode == .nearLossless { try writer.u8(UInt8(maxError)) }
    if quality > 0 { try writer.u8(UInt8(quality)) }
    if namesModel {
      try writer.varint(latentCount)
      try SetHeader.writeName(modelHash, modelName, to: writer)
    }
    if namesPredictor { try SetHeader.writeName(predictorHash, predictorName, to: writer) }
    try writer.u32(Checksum.crc32(writer.base, writer.count))
    return try writer.finish()
  }

  private static func writeName(_ hash: [UInt8], _ name: String, to writer: ByteWriter) throws(AEError) {
    for index in 0..<32 { try writer.u8(hash[index]) }
    try writer.u8(UInt8(UTF8Text.count(name)))
    try writer.utf8(name)
  }

  // MARK: Reading

  /// The version of the file that begins with these bytes.
  /// - Throws: `.format` if they are none of an image set's.
  static func readVersion(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String) throws(AEError)
    -> UInt16
  {
    var reader = ByteReader(bytes, count: byteCount, name: name)
    let found = try reader.bytes(min(byteCount, magic.count))
    for index in 0..<magic.count where index >= byteCount || found[index] != magic[index] {
      throw AEError(.format, "\(name): not an image set (.aez): it does not begin with its signature")
    }
    let version = try reader.u16()
    guard version >= 1, version <= SetHeader.version else {
      throw AEError(
        .version,
        "\(name): image set of version \(version), and this reader knows versions 1 to \(SetHeader.version)")
    }
    return version
  }

  /// Reads and checks a header of version 3.
  /// - Parameter byteCount: how many bytes are there to read from.
  /// - Returns: the header, and how many bytes it takes.
  static func read(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String) throws(AEError) -> (
    SetHeader, byteCount: Int
  ) {
    var reader = ByteReader(bytes, count: byteCount, name: name)
    _ = try reader.bytes(magic.count + 2)
    let header = SetHeader()
    let content = try reader.u8()
    let source = try reader.u8()
    let width = try reader.varint("width", 0, .max)
    let height = try reader.varint("height", 0, .max)
    header.shape = ImageShape(
      width: width, height: height, channels: try reader.varint("channels", 0, .max))
    header.blockImages = try reader.varint("images in a block", 0, .max)
    let mode = Mode(rawValue: content & Flag.modes)
    if mode == .nearLossless { header.maxError = Int(try reader.u8()) }
    if content & Flag.codes != 0 { header.quality = Int(try reader.u8()) }
    if content & Flag.model != 0 {
      header.latentCount = try reader.varint("latents", 0, .max)
      (header.modelHash, header.modelName) = try readName(&reader, "model")
    }
    if content & Flag.predictor != 0 {
      (header.predictorHash, header.predictorName) = try readName(&reader, "predictor")
    }
    let checkedCount = reader.offset
    guard try reader.u32() == Checksum.crc32(bytes, checkedCount) else {
      throw reader.fail(.checksum, "the header does not match its checksum")
    }
    guard content & ~Flag.all == 0, let mode else {
      throw reader.fail(.version, "content \(content), which this reader does not know")
    }
    guard let source = SourceKind(rawValue: source) else {
      throw reader.fail(.version, "source kind \(source), which this reader does not know")
    }
    (header.mode, header.source) = (mode, source)
    header.usesScans = content & Flag.scans != 0
    let isModelUsed = header.quality > 0 || header.usesScans
    guard (content & Flag.model != 0) == isModelUsed else {
      throw reader.fail(isModelUsed ? "codes or scans without a model" : "a model without codes and scans")
    }
    guard mode == .lossy ? header.quality > 0 && !header.usesScans : true else {
      throw reader.fail("a lossy set has codes and no scans")
    }
    guard mode != .lossy || !header.namesPredictor else {
      throw reader.fail("a lossy set has no predictor of pixels")
    }
    try header.check(
      reader, isFormer: false, hasCodes: content & Flag.codes != 0,
      hasModel: content & Flag.codes != 0)
    return (header, reader.offset)
  }

  private static func readName(_ reader: inout ByteReader, _ what: StaticString) throws(AEError) -> (
    hash: [UInt8], name: String
  ) {
    let bytes = try reader.bytes(32)
    var hash: [UInt8] = []
    for index in 0..<32 { hash.append(bytes[index]) }
    let nameSize = Int(try reader.u8())
    guard nameSize <= 64 else {
      throw reader.fail("the \(what)'s name has \(nameSize) bytes, at most 64 may be")
    }
    return (hash, try reader.string(nameSize))
  }

  /// Checks what versions 1 to 3 have in common.
  /// - Parameter isFormer: whether the limits of versions 1 and 2 hold: small grey images, and fewer latents.
  func check(_ reader: ByteReader, isFormer: Bool, hasCodes: Bool, hasModel: Bool) throws(AEError) {
    let longestSide = isFormer ? Architecture.formerLongestSide : ImageShape.maximumSide
    let latents = isFormer ? Architecture.formerLatentCount : Architecture.maximumLatentCount
    try SetHeader.require(width, 1, longestSide, "width", reader)
    try SetHeader.require(height, 1, longestSide, "height", reader)
    guard channels == 1 || !isFormer else {
      throw reader.fail("channels \(channels): 1 may be in versions 1 and 2")
    }
    guard ImageShape.hasChannels(channels) else {
      throw reader.fail("channels \(channels): 1, 3 or 4 may be")
    }
    try SetHeader.require(imageSize, 1, ImageShape.maximumByteCount, "bytes of an image", reader)
    try SetHeader.require(latentCount, hasModel ? 1 : 0, latents, "latents", reader)
    try SetHeader.require(quality, hasCodes ? 1 : 0, SetHeader.maximumQuality, "quality", reader)
    try SetHeader.require(blockImages, 1, mostBlockImages, "images in a block", reader)
    let errors = mode == .nearLossless
    try SetHeader.require(
      maxError, errors ? 1 : 0, errors ? NearLossless.maximumError : 0, "largest error", reader)
  }

  /// Throws unless a number is in a range.
  @inline(never)
  static func require(
    _ value: Int, _ low: Int, _ high: Int, _ what: StaticString, _ reader: ByteReader
  ) throws(AEError) {
    guard value >= low, value <= high else {
      throw reader.fail("\(what) \(value): \(low) to \(high) may be")
    }
  }
}

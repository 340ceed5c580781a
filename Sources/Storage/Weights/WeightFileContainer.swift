// The outer half of a weight file: header, section table, checksums, compression. It knows where sections
// are and not what they mean; what is beside it knows that, and restores coded weights (CodedWeights.swift).
// docs/format-aew.md is the specification.

import Bytes
import Core

/// Four letters or digits that name a section, the first one in the lowest byte.
///
/// A capital first letter says that a reader must know the section, a small one that it may skip it.
struct SectionTag: Equatable {
  let value: UInt32

  init(_ value: UInt32) { self.value = value }

  /// `letters` has four ASCII characters.
  init(_ letters: StaticString) {
    var value: UInt32 = 0
    letters.withUTF8Buffer {
      for (index, letter) in $0.prefix(4).enumerated() { value |= UInt32(letter) << (8 * UInt32(index)) }
    }
    self.value = value
  }

  static let architecture = SectionTag("ARCH")
  static let floatEncoder32 = SectionTag("FE32")
  static let floatDecoder32 = SectionTag("FD32")
  static let floatEncoder16 = SectionTag("FE16")
  static let floatDecoder16 = SectionTag("FD16")
  static let integerEncoder = SectionTag("IENC")
  static let integerDecoder = SectionTag("IDEC")
  static let codec = SectionTag("CODC")
  static let scan = SectionTag("SCAN")
  static let predictor = SectionTag("PRED")
  static let bitPrices = SectionTag("bitp")
  static let qualityFigures = SectionTag("qual")

  /// The required sections, in the order they have in files.
  static let required = [
    architecture, floatEncoder32, floatEncoder16, floatDecoder32, floatDecoder16, integerEncoder,
    integerDecoder, codec, scan, predictor,
  ]

  /// Whether the bytes are those of floats, for the most part: float sections, and a trainer's state.
  var holdsFloats: Bool {
    isOptional || self == .floatEncoder32 || self == .floatEncoder16 || self == .floatDecoder32
      || self == .floatDecoder16
  }

  /// Whether it may be coded: it holds the weights of a network of the architecture in integers.
  var isCodable: Bool { self == .integerEncoder || self == .integerDecoder }

  private var letters: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) } }

  var isOptional: Bool { (0x61...0x7a).contains(letters[0]) }

  /// Whether all four are letters or digits and the first is a letter.
  var isWellFormed: Bool {
    for (index, letter) in letters.enumerated() {
      let isLetter = (0x41...0x5a).contains(letter) || (0x61...0x7a).contains(letter)
      guard isLetter || (index > 0 && (0x30...0x39).contains(letter)) else { return false }
    }
    return true
  }

  /// For messages; a tag that is not well-formed as its number.
  var text: String {
    @inline(never) get { isWellFormed ? UTF8Text.string(letters) : sentence("\(value)") }
  }
}

/// How a section is stored, by the number in the table.
enum SectionEncoding: UInt32 {
  case plain = 0
  case deflated = 1
  case coded = 2

  /// A stored byte makes at most so many raw ones.
  var largestRatio: Int {
    switch self {
    case .plain: 1
    case .deflated: Zlib.largestRatio
    case .coded: 256
    }
  }
}

/// One line of the section table, and where the section's bytes are.
struct SectionEntry {
  let tag: SectionTag
  let encoding: SectionEncoding
  /// Where the stored bytes begin in the file.
  let offset: Int
  let storedCount: Int
  let rawCount: Int
  let checksum: UInt32
  /// Where the line is in the file, for messages.
  let line: Int
}

/// A section's verified bytes as they are stored, which may outlive the file.
struct StoredSection: Sendable {
  let entry: SectionEntry
  let bytes: Buffer<UInt8>
  /// For messages.
  let name: String

  /// The bytes inflated, of a section that is not coded.
  @inline(never)
  func raw() throws(AEError) -> Buffer<UInt8> {
    guard entry.encoding == .deflated else { return bytes }
    return try Zlib.inflate(bytes.base, bytes.count, rawCount: entry.rawCount, name: name)
  }
}

/// A weight file's header and table, checked; the sections still as they are stored.
struct WeightFileContainer {
  static let magic: [UInt8] = [0x89, 0x41, 0x45, 0x57, 0x0d, 0x0a, 0x1a, 0x0a]
  static let majors = 1...2
  static let headerCount = 32
  static let lineCount = 32
  static let maximumSections = 64

  let major: Int
  let minor: Int
  let name: String
  let byteCount: Int
  /// In the order of the file; at most 64.
  let entries: [SectionEntry]
  private let bytes: Buffer<UInt8>
  private var base: UnsafePointer<UInt8> { UnsafePointer(bytes.base) }

  /// Reads header and table.
  ///
  /// - Parameter fileByteCount: bytes of the whole file, if `bytes` are only its beginning.
  /// - Throws: `.format` if it is no weight file or cut short, `.version` if another version wrote it,
  ///   `.checksum` if header or table are damaged.
  init(_ bytes: Buffer<UInt8>, name: String, fileByteCount: Int? = nil) throws(AEError) {
    self.bytes = bytes
    self.name = name
    let base = UnsafePointer(bytes.base)
    byteCount = max(fileByteCount ?? bytes.count, 0)
    var reader = ByteReader(base, count: min(byteCount, bytes.count), name: name)
    let shown = min(byteCount, WeightFileContainer.magic.count)
    for index in 0..<shown where base[index] != WeightFileContainer.magic[index] {
      throw AEError(.format, "\(name): not a weight file: its first bytes are not those of an .aew")
    }
    guard byteCount >= WeightFileContainer.headerCount else {
      throw AEError(
        .format,
        "\(name): the header of a weight file has \(WeightFileContainer.headerCount) bytes, the file \(byteCount)"
      )
    }
    _ = try reader.bytes(WeightFileContainer.magic.count)
    major = Int(try reader.u16())
    guard WeightFileContainer.majors.contains(major) else {
      throw AEError(.version, "\(name): a weight file of version \(major); this reads versions 1 and 2")
    }
    minor = Int(try reader.u16())
    let flags = try reader.u32()
    let declared = try reader.u64()
    let sectionCount = Int(try reader.u32())
    guard (1...WeightFileContainer.maximumSections).contains(sectionCount) else {
      throw AEError(
        .format,
        "\(name): a weight file has 1 to \(WeightFileContainer.maximumSections) sections, "
          + "not \(sectionCount) (byte 24)")
    }
    let checksum = try reader.u32()
    let bodyStart = WeightFileContainer.headerCount + sectionCount * WeightFileContainer.lineCount
    guard reader.remaining >= bodyStart - reader.offset else {
      throw reader.fail(
        "a table of \(sectionCount) sections ends at byte \(bodyStart), the file at \(byteCount)")
    }
    let sum = Checksum.crc32(
      base + WeightFileContainer.headerCount, bodyStart - WeightFileContainer.headerCount,
      from: Checksum.crc32(base, WeightFileContainer.headerCount - 4))
    guard sum == checksum else {
      throw AEError(.checksum, "\(name): header and section table do not match their checksum (byte 28)")
    }
    guard flags == 0 else {
      throw AEError(.version, "\(name): flags \(flags) in the header are not known to this version (byte 12)")
    }
    guard declared == UInt64(byteCount) else {
      throw AEError(
        .format, "\(name): \(declared) bytes are declared, the file has \(byteCount) (byte 16)")
    }

    var entries: [SectionEntry] = []
    var offset = bodyStart
    for _ in 0..<sectionCount {
      let line = reader.offset
      let tag = SectionTag(try reader.u32())
      let encoding = try reader.u32()
      let stored = try reader.u64()
      let raw = try reader.u64()
      let checksum = try reader.u32()
      let reserved = try reader.u32()
      guard tag.isWellFormed else {
        throw AEError(
          .format, "\(name): a section's tag must be letters and digits, not \(tag.value) (byte \(line))")
      }
      for entry in entries where entry.tag == tag {
        throw AEError(.format, "\(name): a second section \(tag.text) (byte \(line))")
      }
      guard let known = SectionEncoding(rawValue: encoding), known != .coded || tag.isCodable, reserved == 0
      else {
        throw AEError(
          .version,
          "\(name): section \(tag.text): encoding \(encoding), \(reserved) is not known to this version (byte \(line))"
        )
      }
      guard stored <= UInt64(byteCount - offset) else {
        throw AEError(
          .format,
          "\(name): section \(tag.text) declares \(stored) bytes, \(byteCount - offset) are left (byte \(line))"
        )
      }
      guard known == .plain ? raw == stored : raw / UInt64(known.largestRatio) <= stored else {
        throw AEError(
          .format, "\(name): section \(tag.text): \(stored) stored bytes cannot make \(raw) (byte \(line))")
      }
      entries.append(
        SectionEntry(
          tag: tag, encoding: known, offset: offset, storedCount: Int(stored), rawCount: Int(raw),
          checksum: checksum, line: line))
      offset += Int(stored)
    }
    guard offset == byteCount else {
      throw AEError(.format, "\(name): \(byteCount - offset) bytes follow the last section (byte \(offset))")
    }
    self.entries = entries
    try checkOrder()
  }

  /// Required sections come first, in their order, the architecture before all; optional ones last.
  private func checkOrder() throws(AEError) {
    var next = 0
    var optionalCame = false
    for entry in entries {
      if entry.tag.isOptional {
        optionalCame = true
        continue
      }
      var rank = next
      while rank < SectionTag.required.count && SectionTag.required[rank] != entry.tag { rank += 1 }
      if rank == SectionTag.required.count {
        for tag in SectionTag.required where tag == entry.tag {
          throw AEError(.format, "\(name): section \(entry.tag.text) is out of order (byte \(entry.line))")
        }
        throw AEError(
          .version,
          "\(name): section \(entry.tag.text) is required and not known to this version (byte \(entry.line))")
      }
      guard !optionalCame else {
        throw AEError(
          .format, "\(name): section \(entry.tag.text) follows an optional section (byte \(entry.line))")
      }
      next = rank + 1
    }
    guard entries[0].tag == .architecture else {
      throw AEError(
        .format,
        "\(name): the first section must be ARCH, not \(entries[0].tag.text) (byte \(entries[0].line))")
    }
  }

  func entry(_ tag: SectionTag) -> SectionEntry? {
    for entry in entries where entry.tag == tag { return entry }
    return nil
  }

  /// Checks the sum over a section's stored bytes.
  func verify(_ entry: SectionEntry) throws(AEError) {
    guard entry.offset + entry.storedCount <= bytes.count else {
      throw AEError(
        .format, "\(name): section \(entry.tag.text) ends at byte \(entry.offset + entry.storedCount)")
    }
    guard Checksum.crc32(base + entry.offset, entry.storedCount) == entry.checksum else {
      throw AEError(
        .checksum,
        "\(name): section \(entry.tag.text) does not match its checksum "
          + "(bytes \(entry.offset) to \(entry.offset + entry.storedCount))")
    }
  }

  /// A section's bytes as they are stored, verified.
  ///
  /// - Parameter allowed: how many raw bytes the section may have, as the caller derives it.
  func stored(_ entry: SectionEntry, allowed: ClosedRange<Int>) throws(AEError) -> StoredSection {
    try check(entry, allowed: allowed)
    return StoredSection(
      entry: entry, bytes: try bytes.part(entry.offset, entry.storedCount, as: UInt8.self),
      name: sentence("\(name): section \(entry.tag.text)"))
  }

  /// A section's first raw bytes, once all of it is verified; fewer if there are no more.
  func prefix(_ entry: SectionEntry, count: Int) throws(AEError) -> Buffer<UInt8> {
    try verify(entry)
    let count = min(count, entry.rawCount)
    let stored = base + entry.offset
    guard entry.encoding == .deflated else { return try Buffer(copying: stored, count: count) }
    return try Zlib.inflatePrefix(
      stored, entry.storedCount, prefixCount: count, name: sentence("\(name): section \(entry.tag.text)"))
  }

  /// A section's raw bytes: verified, inflated. Of one that may be coded, `stored` gives what they are made of.
  func raw(_ entry: SectionEntry, allowed: ClosedRange<Int>) throws(AEError) -> Buffer<UInt8> {
    try check(entry, allowed: allowed)
    guard entry.encoding == .deflated else {
      return try Buffer(copying: base + entry.offset, count: entry.storedCount)
    }
    return try StoredSection(
      entry: entry, bytes: Buffer(borrowing: base + entry.offset, count: entry.storedCount),
      name: sentence("\(name): section \(entry.tag.text)")
    ).raw()
  }

  private func check(_ entry: SectionEntry, allowed: ClosedRange<Int>) throws(AEError) {
    guard allowed.contains(entry.rawCount) else {
      let expected = sentence(
        allowed.lowerBound == allowed.upperBound
          ? "the architecture makes \(allowed.lowerBound)"
          : "\(allowed.lowerBound) to \(allowed.upperBound) are allowed")
      throw AEError(
        .format,
        "\(name): section \(entry.tag.text) declares \(entry.rawCount) raw bytes, \(expected) (byte \(entry.line))"
      )
    }
    try verify(entry)
  }

  /// Bytes that a file of sections with so many raw bytes never exceeds: none is stored larger.
  static func bound(_ rawCounts: [Int]) -> Int {
    var bound = headerCount + rawCounts.count * lineCount
    for count in rawCounts { bound += count }
    return bound
  }

  /// A whole file out of raw sections, each deflated, or coded if that is given, where that makes it smaller.
  static func write(
    _ sections: [(tag: SectionTag, raw: Buffer<UInt8>, coded: Buffer<UInt8>?)], version major: Int
  ) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    try writer.bytes(magic, magic.count)
    try writer.u16(UInt16(major))
    let minorPosition = writer.count
    try writer.u16(0)
    try writer.u32(0)
    let sizePosition = writer.count
    try writer.u64(0)
    try writer.u32(UInt32(sections.count))
    let checksumPosition = writer.count
    try writer.u32(0)
    var line = try writer.zeros(sections.count * lineCount)
    for section in sections {
      let packed = try Zlib.deflate(
        section.raw.base, section.raw.count, strategy: section.tag.holdsFloats ? .runs : .strings)
      var encoding = SectionEncoding.plain
      var stored = section.raw
      if packed.count < stored.count { (encoding, stored) = (.deflated, packed) }
      if let coded = section.coded, coded.count < stored.count {
        (encoding, stored) = (.coded, coded)
        // Minor version 1, and flags of 0.
        writer.patchU32(1, at: minorPosition)
      }
      writer.patchU32(section.tag.value, at: line)
      writer.patchU32(encoding.rawValue, at: line + 4)
      writer.patchU64(UInt64(stored.count), at: line + 8)
      writer.patchU64(UInt64(section.raw.count), at: line + 16)
      writer.patchU32(Checksum.crc32(stored.base, stored.count), at: line + 24)
      line += lineCount
      try writer.bytes(stored)
    }
    writer.patchU64(UInt64(writer.count), at: sizePosition)
    let sum = Checksum.crc32(
      writer.base + headerCount, sections.count * lineCount,
      from: Checksum.crc32(writer.base, checksumPosition))
    writer.patchU32(sum, at: checksumPosition)
    return try writer.finish()
  }
}

// An .aez whose header and index have been read and checked: the offset of each part, in every version of the format, and
// what can be salvaged of a truncated file. It needs no model and reads no blocks.

import Bytes
import Core
import Storage

/// An image set's bytes and its table of contents.
final class ContainerFile: Sendable {
  let name: String
  let header: SetHeader
  let blocks: BlockTable
  let model: Section?
  let labelSection: Section?
  let nameSection: Section?
  /// What is wrong with the file's end, if it was opened nevertheless.
  let endFault: String?
  private let version: UInt16
  private let source: ByteSource

  /// Bytes at the end of a file that are read first; they mostly contain the index.
  private static let tailCount = 1 << 16

  /// - Parameter isCutAllowed: takes a file that ends too early, whose last blocks are then lost, or too late.
  /// - Throws: `.format`, `.checksum`, `.version`, `.io` or `.memory`, if header or index cannot be trusted or
  ///   the file is not exactly as long as they say.
  init(_ source: ByteSource, name: String, isCutAllowed: Bool) throws(AEError) {
    let start = try source.bytes(at: 0, count: min(source.byteCount, SetHeader.largestSize))
    version = try SetHeader.readVersion(start.base, start.count, name: name)
    let contents: Contents
    if version < SetHeader.version {
      contents = try ContainerFile.readOld(source, start, name: name, isCutAllowed: isCutAllowed)
    } else {
      contents = try ContainerFile.readNew(source, start, name: name, isCutAllowed: isCutAllowed)
    }
    self.name = name
    self.source = source
    header = contents.header
    blocks = contents.blocks
    model = contents.model
    labelSection = contents.labels
    nameSection = contents.names
    endFault = contents.endFault
  }

  /// The contents of a file, while they are read.
  fileprivate final class Contents {
    let header: SetHeader
    let blocks: BlockTable
    var model: Section?
    var labels: Section?
    var names: Section?
    var endFault: String?

    init(_ header: SetHeader, _ blocks: BlockTable) {
      (self.header, self.blocks) = (header, blocks)
    }
  }

  // MARK: Version 3

  private static func readNew(
    _ source: ByteSource, _ start: Buffer<UInt8>, name: String, isCutAllowed: Bool
  ) throws(AEError) -> Contents {
    let (header, headerSize) = try SetHeader.read(start.base, start.count, name: name)
    do throws(AEError) {
      return try readFromEnd(source, header, headerSize, end: source.byteCount, name: name)
    } catch {
      guard isCutAllowed, error.code != .memory, error.code != .io else { throw error }
      return try salvage(source, header, headerSize, name: name, refusal: error)
    }
  }

  /// Reads footer and index of a file that ends at `end`.
  private static func readFromEnd(
    _ source: ByteSource, _ header: SetHeader, _ headerSize: Int, end: Int, name: String
  ) throws(AEError) -> Contents {
    guard end - headerSize >= Footer.byteCount else {
      throw AEError(
        .format,
        "\(name): the file ends at byte \(end), and is to end with a footer of \(Footer.byteCount) bytes")
    }
    let tailOffset = max(headerSize, end - tailCount)
    let tail = try source.bytes(at: tailOffset, count: end - tailOffset)
    let footerOffset = end - Footer.byteCount
    let footer = try Footer.read(
      tail.base + footerOffset - tailOffset, origin: footerOffset, name: name)
    guard footer.indexOffset >= headerSize else {
      throw AEError(
        .format, "\(name): the index is to begin at byte \(footer.indexOffset), where the header is")
    }
    let indexCount = footerOffset - footer.indexOffset
    let index =
      footer.indexOffset >= tailOffset
      ? Buffer(borrowing: tail.base + footer.indexOffset - tailOffset, count: indexCount)
      : try source.bytes(at: footer.indexOffset, count: indexCount)
    defer { withExtendedLifetime(tail) {} }
    var reader = ByteReader(index.base, count: indexCount, name: name, origin: footer.indexOffset)
    let head = try ChunkHead.read(&reader, header)
    let headCount = reader.offset
    guard head.kind == ChunkKind.index, headCount + 4 + head.byteCount == indexCount else {
      throw reader.fail("no index of \(indexCount) bytes begins where the footer says")
    }
    guard
      try reader.u32() == ContainerFile.checksum(index.base, headCount, head.byteCount)
    else { throw reader.fail(.checksum, "the index does not match its checksum") }

    let contents = Contents(header, try BlockTable(offset: headerSize, hasChecksums: false))
    var offset = headerSize
    while reader.remaining > 0 {
      let before = reader
      let entry = try ChunkHead.read(&reader, header)
      let headSize = reader.offset - before.offset + 4
      offset += headSize + entry.byteCount
      guard offset <= footer.indexOffset else {
        throw before.fail("a part that ends at byte \(offset), and the index begins at \(footer.indexOffset)")
      }
      try contents.append(entry, headSize: headSize, end: offset, before)
    }
    guard offset == footer.indexOffset else {
      throw reader.fail(
        "the index lists parts up to byte \(offset), and begins itself at \(footer.indexOffset)")
    }
    guard contents.blocks.imageCount == footer.imageCount else {
      throw reader.fail(
        "the blocks hold \(contents.blocks.imageCount) images, the footer declares \(footer.imageCount)")
    }
    try contents.checkSections(reader)
    return contents
  }

  /// Salvages a file that is truncated, whose footer or index is damaged, or that has bytes after its footer.
  private static func salvage(
    _ source: ByteSource, _ header: SetHeader, _ headerSize: Int, name: String, refusal: AEError
  ) throws(AEError) -> Contents {
    let fileSize = source.byteCount
    // A footer, with something after it.
    let tailOffset = max(headerSize, fileSize - tailCount)
    let tail = try source.bytes(at: tailOffset, count: fileSize - tailOffset)
    var position = tail.count - Footer.byteCount - 1
    while position >= 0 {
      if Footer.isMagic(tail.base + position) {
        let end = tailOffset + position + Footer.byteCount
        if let contents = try? readFromEnd(source, header, headerSize, end: end, name: name) {
          contents.endFault = sentence(
            "\(fileSize - end) bytes follow the footer, where the file should end")
          return contents
        }
      }
      position -= 1
    }
    try checkMemory()
    // From the front, head by head.
    let contents = Contents(header, try BlockTable(offset: headerSize, hasChecksums: false))
    var offset = headerSize
    while offset < fileSize {
      let piece = try source.bytes(at: offset, count: min(ChunkHead.largestSize, fileSize - offset))
      var reader = ByteReader(piece.base, count: piece.count, name: name, origin: offset)
      guard let head = try? ChunkHead.read(&reader, header), head.kind != ChunkKind.index else { break }
      let headSize = reader.offset + 4
      let end = offset + headSize + head.byteCount
      // A truncated section is useless; the head of a truncated block names the images lost.
      guard end <= fileSize || head.blockKind != nil else { break }
      do throws(AEError) {
        try contents.append(head, headSize: headSize, end: end, reader)
      } catch {
        if error.code == .memory { throw error }
        break
      }
      offset = end
    }
    if (try? contents.checkSections(ByteReader(tail.base, count: 0, name: name))) == nil {
      (contents.labels, contents.names) = (nil, nil)
    }
    contents.endFault = sentence(
      "the index cannot be used, and \(contents.blocks.imageCount) images in \(contents.blocks.count) blocks were "
        + "found by going through the file (\(refusal.message))")
    return contents
  }

  /// CRC-32 of a chunk but for the checksum itself, which stands behind the first `headCount` bytes.
  private static func checksum(_ bytes: UnsafePointer<UInt8>, _ headCount: Int, _ byteCount: Int) -> UInt32 {
    Checksum.crc32(bytes + headCount + 4, byteCount, from: Checksum.crc32(bytes, headCount))
  }

  // MARK: Versions 1 and 2

  private static func readOld(
    _ source: ByteSource, _ start: Buffer<UInt8>, name: String, isCutAllowed: Bool
  ) throws(AEError) -> Contents {
    let fileSize = source.byteCount
    let header = try OldHeader.read(start.base, start.count, fileSize: fileSize, name: name)
    guard header.indexSize <= fileSize - header.headerSize else {
      throw AEError(
        .format,
        "\(name): \(header.count) images make \(header.blockCount) blocks, and the \(header.indexSize) bytes of "
          + "their index do not fit into \(fileSize)")
    }
    // No overflow: three sections of at most the file's size each.
    guard header.blocksOffset <= fileSize else {
      throw AEError(
        .format, "\(name): header and index declare \(header.blocksOffset) bytes, and there are \(fileSize)")
    }
    let index = try source.bytes(at: header.headerSize, count: header.indexSize)
    let entriesSize = header.indexSize - 4
    var trailer = ByteReader(index.base, count: header.indexSize, name: name, origin: header.headerSize)
    _ = try trailer.bytes(entriesSize)
    guard try trailer.u32() == Checksum.crc32(index.base, entriesSize) else {
      throw trailer.fail(.checksum, "the index does not match its checksum")
    }

    let contents = Contents(header.set, try BlockTable(offset: header.blocksOffset, hasChecksums: true))
    (contents.model, contents.labels, contents.names) = (header.model, header.labels, header.names)
    var reader = ByteReader(index.base, count: entriesSize, name: name, origin: header.headerSize)
    // No overflow: at most 2^28 blocks of less than 2^32 bytes.
    var offset = header.blocksOffset
    for block in 0..<header.blockCount {
      let number = try reader.u8()
      guard let kind = header.kind(number) else {
        throw reader.fail(
          .version,
          "block \(block) is of kind \(number), which this reader does not know in mode "
            + "\(header.set.mode.rawValue)")
      }
      let size = Int(try reader.u32())
      let checksum = try reader.u32()
      let isThere = size <= fileSize - min(offset, fileSize)
      guard isThere || isCutAllowed else {
        throw reader.fail(
          "block \(block) declares \(size) bytes from byte \(offset) on, and the file ends at \(fileSize)")
      }
      let images = header.imageCount(ofBlock: block)
      var raw = 0
      if kind == .mixed, size >= 4, isThere {
        let count = try source.bytes(at: offset, count: 4)
        raw = min(
          Int(count[0]) | Int(count[1]) << 8 | Int(count[2]) << 16 | Int(count[3]) << 24, images)
      }
      try contents.blocks.append(
        kind, byteCount: size, imageCount: images, rawImageCount: raw, checksum: checksum)
      offset += size
    }
    guard offset == fileSize || isCutAllowed else {
      throw AEError(
        .format, "\(name): header and index declare \(offset) bytes, and there are \(fileSize)")
    }
    if offset < fileSize {
      contents.endFault = sentence(
        "\(fileSize - offset) bytes follow the last block, where the file should end")
    }
    return contents
  }

  // MARK: What is known

  var information: CompressedSetInformation {
    let (needsModel, needsPredictor) = (needsModel, needsPredictor)
    func has(_ kind: BlockKind) -> Bool { blocks.kindCounts[Int(kind.rawValue)] > 0 }
    let method: Method? =
      has(.scans) || has(.firstScans)
      ? .scans : has(.predicted) ? .predicted : has(.contexts) || has(.firstContexts) ? .contexts : nil
    return CompressedSetInformation(
      count: blocks.imageCount, shape: header.shape,
      latentCount: needsModel || header.quality > 0 ? header.latentCount : 0, quality: header.quality,
      blockImages: header.blockImages, source: header.source, hasLabels: labelSection != nil,
      hasNames: nameSection != nil, hasModel: model != nil, byteCount: source.byteCount,
      blockByteCount: blocks.end - (blocks.count > 0 ? blocks.bytes(0).lowerBound : blocks.end),
      modelHash: needsModel ? header.modelHash : [UInt8](repeating: 0, count: 32),
      modelName: needsModel ? header.modelName : "", declaredModelHash: header.modelHash,
      declaredModelName: header.modelName, declaredLatentCount: header.latentCount,
      blockCounts: blocks.kindCounts,
      rawImageCount: blocks.rawImageCount, mode: header.mode, maxError: header.maxError, method: method,
      needsModel: needsModel, needsPredictor: needsPredictor,
      predictorHash: needsPredictor ? header.predictorHash : [UInt8](repeating: 0, count: 32),
      predictorName: needsPredictor ? header.predictorName : "", declaredPredictorHash: header.predictorHash,
      declaredPredictorName: header.predictorName, version: Int(version))
  }

  /// False if every block can be read without a model.
  var needsModel: Bool {
    for kind in BlockKind.allCases
    where blocks.kindCounts[Int(kind.rawValue)] > 0 && kind.needsModel(header) { return true }
    return false
  }

  /// False if every block can be read without a predictor of pixels.
  var needsPredictor: Bool {
    for kind in BlockKind.allCases
    where blocks.kindCounts[Int(kind.rawValue)] > 0 && kind.needsPredictor(header) { return true }
    return false
  }

  // MARK: Blocks

  /// Calls `body` with a block's bytes, once they match their head and checksum.
  func withBlock(_ block: Int, _ body: (UnsafePointer<UInt8>, Int) -> BlockFault?) -> BlockFault? {
    let range = blocks.bytes(block)
    guard range.upperBound <= source.byteCount else { return .missing }
    let bytes: Buffer<UInt8>
    do throws(AEError) {
      bytes = try source.bytes(at: range.lowerBound, count: range.count)
    } catch {
      return error.code == .memory ? .memory : .unreadable
    }
    defer { withExtendedLifetime(bytes) {} }
    if let checksum = blocks.checksum(block) {
      guard Checksum.crc32(bytes.base, bytes.count) == checksum else { return .checksum }
      return body(bytes.base, bytes.count)
    }
    let expected = ChunkHead(
      blocks.kind(block), byteCount: 0, imageCount: blocks.images(block).count,
      rawImageCount: blocks.rawCount(block))
    switch payload(bytes, expected) {
    case .failure(let fault): return fault
    case .success(let start):
      let count = bytes.count - start
      if expected.rawImageCount > 0 {
        // What the index counts is what the block says.
        guard count >= MixedBlock.headSize else { return .size }
        let raw = bytes.base + start
        guard
          Int(raw[0]) | Int(raw[1]) << 8 | Int(raw[2]) << 16 | Int(raw[3]) << 24 == expected.rawImageCount
        else { return .head }
      }
      return body(bytes.base + start, count)
    }
  }

  private enum Payload {
    case success(Int)
    case failure(BlockFault)
  }

  /// Where a chunk's bytes begin behind its head, which must be as expected, but for its size, and end with them.
  private func payload(_ bytes: Buffer<UInt8>, _ expected: ChunkHead) -> Payload {
    var reader = ByteReader(bytes.base, count: bytes.count, name: name)
    let head = try? ChunkHead.read(&reader, header)
    let headCount = reader.offset
    var wanted = expected
    wanted.byteCount = bytes.count - headCount - 4
    let checksum = try? reader.u32()
    guard let head, let checksum, head == wanted else { return .failure(.head) }
    guard checksum == ContainerFile.checksum(bytes.base, headCount, head.byteCount) else {
      return .failure(.checksum)
    }
    return .success(headCount + 4)
  }

  func describe(_ block: Int, _ fault: BlockFault) -> String {
    let range = blocks.bytes(block)
    return sentence("block \(block) (bytes \(range.lowerBound) to \(range.upperBound)): \(fault.reason)")
  }

  // MARK: Sections

  /// A section's stored bytes, once they match their head and checksum; valid while the file lives.
  private func stored(_ section: Section, _ kind: UInt8, _ what: StaticString) throws(AEError)
    -> Buffer<UInt8>
  {
    let whole = try source.bytes(at: section.offset, count: section.headSize + section.storedSize)
    let isSound: Bool
    if section.headSize == 0 {
      isSound = Checksum.crc32(whole.base, whole.count) == section.crc
    } else {
      let expected = ChunkHead(
        kind: kind, byteCount: 0, rawByteCount: kind == ChunkKind.names ? section.rawSize : 0)
      if case .success = payload(whole, expected) { isSound = true } else { isSound = false }
    }
    guard isSound else {
      throw AEError(
        .checksum,
        "\(name): the \(what) (bytes \(section.offset) to \(section.offset + whole.count)) do not match their checksum"
      )
    }
    return section.headSize == 0
      ? whole : try whole.part(section.headSize, section.storedSize, as: UInt8.self)
  }

  /// The embedded model's weight file.
  /// - Throws: `.checksum`, `.io`, `.memory`.
  func embeddedModel() throws(AEError) -> Buffer<UInt8>? {
    guard let model else { return nil }
    return try stored(model, ChunkKind.model, "bytes of the embedded model")
  }

  func labels() throws(AEError) -> Buffer<UInt8>? {
    guard let section = labelSection else { return nil }
    return try unpack(section, ChunkKind.labels, "labels")
  }

  func names() throws(AEError) -> NameList? {
    guard let section = nameSection else { return nil }
    // At least a byte for each name, and no more than the names themselves.
    guard section.rawSize >= blocks.imageCount, section.rawSize <= NameList.maximumByteCount else {
      throw AEError(.format, "\(name), names: \(section.rawSize) bytes for \(blocks.imageCount) images")
    }
    let raw = try unpack(section, ChunkKind.names, "names")
    return try NameList(
      raw: raw.base, rawCount: raw.count, count: blocks.imageCount, name: sentence("\(name), names"))
  }

  private func unpack(_ section: Section, _ kind: UInt8, _ what: StaticString) throws(AEError)
    -> Buffer<UInt8>
  {
    let bytes = try stored(section, kind, what)
    defer { withExtendedLifetime(bytes) {} }
    if section.storedSize == section.rawSize {
      return try Buffer(copying: bytes.base, count: section.storedSize)
    }
    return try Zlib.inflate(
      bytes.base, section.storedSize, rawCount: section.rawSize, name: sentence("\(name), \(what)"))
  }
}

extension ContainerFile.Contents {
  /// Takes a chunk that ends at `end`.
  /// - Throws: `.format` if it may not stand here.
  fileprivate func append(_ head: ChunkHead, headSize: Int, end: Int, _ reader: ByteReader) throws(AEError) {
    if let kind = head.blockKind {
      guard model == nil, labels == nil, names == nil else { throw reader.fail("a block after the blocks") }
      guard blocks.imageCount + head.imageCount <= ImageSet.maximumCount else {
        throw reader.fail("blocks of more than \(ImageSet.maximumCount) images")
      }
      return try blocks.append(
        kind, byteCount: headSize + head.byteCount, imageCount: head.imageCount,
        rawImageCount: head.rawImageCount)
    }
    var section = Section()
    section.offset = end - headSize - head.byteCount
    section.headSize = headSize
    section.storedSize = head.byteCount
    switch head.kind {
    case ChunkKind.model where model == nil && labels == nil && names == nil:
      section.rawSize = head.byteCount
      model = section
    case ChunkKind.labels where labels == nil && names == nil:
      section.rawSize = blocks.imageCount
      labels = section
    case ChunkKind.names where names == nil:
      section.rawSize = head.rawByteCount
      names = section
    default: throw reader.fail("a part of kind \(head.kind), which does not come here")
    }
  }

  /// Checks what sections declare.
  fileprivate func checkSections(_ reader: ByteReader) throws(AEError) {
    // A model is there for blocks that need it.
    guard model == nil || header.namesModel || header.namesPredictor else {
      throw reader.fail("a model is embedded, and the header names none")
    }
    for section in [labels, names] {
      guard let section else { continue }
      // Nothing is allocated for a size that the stored bytes cannot possibly inflate to.
      guard section.rawSize >= section.storedSize,
        section.rawSize / SetHeader.largestInflation <= section.storedSize
      else {
        throw reader.fail(
          "a section's \(section.storedSize) bytes cannot inflate to \(section.rawSize)")
      }
    }
  }
}

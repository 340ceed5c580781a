// Weight files (.aew): a trained model as bytes and back, the hash by which image sets name it, and extra sections.
// docs/format-aew.md gives the format byte by byte.

import Bytes
import Core
import Latent
import Lossless
import Model
import Network

/// Bytes of a caller's own in a weight file, such as a trainer's state in a checkpoint.
public struct ExtraSection: Sendable {
  /// Four letters or digits as `WeightFile.tag` makes them, the first one small: readers may skip it.
  public let tag: UInt32
  public let bytes: Buffer<UInt8>

  public init(tag: UInt32, bytes: Buffer<UInt8>) {
    self.tag = tag
    self.bytes = bytes
  }
}

/// The declared size and the first bytes of an extra section, before it is inflated.
public struct ExtraSectionHead: Sendable {
  public let architecture: Architecture
  public let modelName: String
  /// The section's first bytes.
  public let head: Buffer<UInt8>
  /// Bytes of the section, as the file declares them.
  public let byteCount: Int
}

public enum WeightFile {
  /// The bytes of the weight file that an input holds: no more than its header declares, and one that tells a
  /// longer one. Of what is no weight file only the first bytes are taken, for its reader to refuse.
  public static func bytes(_ input: ByteInput) throws(AEError) -> Buffer<UInt8> {
    let headerCount = WeightFileContainer.headerCount
    let head = try input.peek(headerCount)
    guard head.count == headerCount else { return try input.bytes(atMost: headerCount) }
    for (index, byte) in WeightFileContainer.magic.enumerated() where head[index] != byte {
      return try input.bytes(atMost: headerCount)
    }
    var declared = 0
    for index in (16..<24).reversed() { declared = min(declared, 1 << 48) << 8 | Int(head[index]) }
    return try input.bytes(atMost: max(declared, headerCount) + 1)
  }

  /// The tag of an extra section. `letters` has four ASCII letters or digits, the first a small letter.
  public static func tag(_ letters: StaticString) -> UInt32 { SectionTag(letters).value }

  /// A model as a weight file; the same model and options give the same bytes. It is of version 1 wherever that can hold
  /// the model.
  ///
  /// Float storages hold the float networks and, if there are any, the integer networks and the codec too;
  /// `int8` holds the latter two alone.
  /// - Parameters:
  ///   - decoderOnly: leaves the encoders out.
  ///   - extra: sections of the caller's, with tags of their own.
  /// - Throws: `.kind` if the model does not have the networks that `storage` asks for, or a value does not
  ///   fit float16; `.argument` if a weight is not finite or an extra section's tag is not optional; `.memory`.
  public static func write(
    _ model: Autoencoder, storage: WeightStorage, decoderOnly: Bool = false, extra: [ExtraSection] = []
  ) throws(AEError) -> Buffer<UInt8> {
    var sections: [(tag: SectionTag, raw: Buffer<UInt8>, coded: Buffer<UInt8>?)] = []
    @inline(never)
    func add(_ tag: SectionTag, _ raw: Buffer<UInt8>, coded: Buffer<UInt8>? = nil) {
      sections.append((tag, raw, coded))
    }
    try forEachSection(model, storage: storage, decoderOnly: decoderOnly) { tag, _, make throws(AEError) in
      let (raw, coded) = try make()
      add(tag, raw, coded: coded)
    }
    for section in extra {
      let tag = SectionTag(section.tag)
      guard tag.isWellFormed, tag.isOptional else {
        throw AEError(
          .argument,
          "an extra section's tag must be letters and digits, the first a small letter: \(tag.text)")
      }
      for other in sections where other.tag == tag {
        throw AEError(.argument, "two extra sections have the tag \(tag.text)")
      }
      add(tag, section.bytes)
    }
    guard sections.count <= WeightFileContainer.maximumSections else {
      throw AEError(
        .argument, "\(sections.count) sections; a file has at most \(WeightFileContainer.maximumSections)")
    }
    return try WeightFileContainer.write(sections, version: model.formatVersion)
  }

  /// Bytes that `write` with the same arguments never exceeds, without making them.
  /// - Throws: `.kind` as `write`.
  public static func bound(
    _ model: Autoencoder, storage: WeightStorage, decoderOnly: Bool = false
  ) throws(AEError) -> Int {
    var rawCounts: [Int] = []
    try forEachSection(model, storage: storage, decoderOnly: decoderOnly) { _, rawCount, _ throws(AEError) in
      rawCounts.append(rawCount)
    }
    return WeightFileContainer.bound(rawCounts)
  }

  /// The same for a model of float32 storage without codec, as checkpoints are, of which only the architecture is
  /// known, with one extra section of `extraCount` bytes.
  public static func bound(_ architecture: Architecture, extraCount: Int) -> Int {
    let encoder = FloatSection(half: "encoder", shapes: architecture.encoderShapes, width: 4).rawCount
    let decoder = FloatSection(half: "decoder", shapes: architecture.decoderShapes, width: 4).rawCount
    return WeightFileContainer.bound([
      ArchitectureSection.rawCounts(version: 2).upperBound, encoder, decoder, extraCount,
    ])
  }

  /// Visits the sections of a model's file in their order: tag, raw bytes, and what makes them, and where there is one, the
  /// coded form.
  private static func forEachSection(
    _ model: Autoencoder, storage: WeightStorage, decoderOnly: Bool,
    _ visit: (SectionTag, Int, () throws(AEError) -> (Buffer<UInt8>, Buffer<UInt8>?)) throws(AEError) -> Void
  ) throws(AEError) {
    let architecture = model.architecture
    let keepsEncoder = model.hasEncoder && !decoderOnly
    let head = try ArchitectureSection.write(model, version: model.formatVersion)
    let isNarrow = model.isNarrow
    try visit(.architecture, head.count) { () throws(AEError) in (head, nil) }
    func visitLossless() throws(AEError) {
      if let scan = model.scanModel {
        try visit(.scan, ScanSection.rawCount(scan)) { () throws(AEError) in
          (try ScanSection.write(scan), nil)
        }
      }
      if let predictor = model.predictor {
        try visit(.predictor, PredictorSection.rawCount(predictor)) { () throws(AEError) in
          (try PredictorSection.write(predictor), nil)
        }
      }
    }
    guard architecture.kind != .predictor else { return try visitLossless() }
    func visitFloats(
      _ half: StaticString, _ tag32: SectionTag, _ tag16: SectionTag, _ shapes: [LayerShape],
      _ network: DenseNetwork
    ) throws(AEError) {
      let isSingle = storage == .float32
      let section = FloatSection(half: half, shapes: shapes, width: isSingle ? 4 : 2)
      try visit(isSingle ? tag32 : tag16, section.rawCount) { () throws(AEError) in
        (try section.write(network), nil)
      }
    }
    if storage == .int8 {
      guard model.integerDecoder != nil, !keepsEncoder || model.integerEncoder != nil else {
        throw AEError(.kind, "int8 storage needs integer networks, which this model does not have")
      }
    } else {
      guard let decoder = model.decoder, !keepsEncoder || model.encoder != nil else {
        throw AEError(.kind, "\(storage.name) storage needs float networks; a model read from int8 has none")
      }
      if keepsEncoder, let encoder = model.encoder {
        try visitFloats("encoder", .floatEncoder32, .floatEncoder16, architecture.encoderShapes, encoder)
      }
      try visitFloats("decoder", .floatDecoder32, .floatDecoder16, architecture.decoderShapes, decoder)
    }
    if keepsEncoder, let encoder = model.integerEncoder {
      let section = try IntegerSection.encoder(architecture, isNarrow: isNarrow)
      try visit(.integerEncoder, section.rawCount) { () throws(AEError) in
        let raw = try section.write(try encoder.layers())
        return (raw, try section.coded(raw, of: architecture))
      }
    }
    guard let decoder = model.integerDecoder, let codec = model.codec else { return try visitLossless() }
    let section = try IntegerSection.decoder(architecture, isNarrow: isNarrow)
    try visit(.integerDecoder, section.rawCount) { () throws(AEError) in
      let raw = try section.write(try decoder.layers())
      return (raw, try section.coded(raw, of: architecture))
    }
    let codecSection = CodecSection(latentCount: architecture.latentCount)
    try visit(.codec, codecSection.rawCount(codec)) { () throws(AEError) in
      (try codecSection.write(codec), nil)
    }
    try visitLossless()
    if keepsEncoder && !codec.bitPrices.isEmpty {
      try visit(.bitPrices, 4 * codec.bitPrices.count) { () throws(AEError) in
        (try BitPricesSection.write(codec), nil)
      }
    }
    if keepsEncoder && !codec.figures.isEmpty {
      try visit(.qualityFigures, 8 * codec.figures.count) { () throws(AEError) in
        (try QualityFiguresSection.write(codec), nil)
      }
    }
  }

  /// The model of a weight file. Nothing of the bytes is kept.
  ///
  /// - Parameter name: what to call the file in messages: a path, or "weights file".
  /// - Throws: `.format`, `.checksum` or `.version`, saying what was expected, what came, and at which byte
  ///   (of the file, or of a section's raw bytes where one is named); `.memory`.
  public static func read(_ p: UnsafePointer<UInt8>, _ count: Int, name: String) throws(AEError)
    -> Autoencoder
  {
    let model = try read(lazily: Buffer(borrowing: p, count: count), name: name)
    _ = try model.integerEncoder?.layers()
    _ = try model.integerDecoder?.layers()
    return model
  }

  /// The model of a weight file, as `read` gives it, but the sections of integer networks stay as they are
  /// stored, checksums verified, until their first use, which then throws what is wrong in them. The model
  /// keeps the file's bytes, or, where they are borrowed, copies of those sections.
  public static func read(lazily bytes: Buffer<UInt8>, name: String) throws(AEError) -> Autoencoder {
    let file = try WeightFileContainer(bytes, name: name)
    let contents = try Contents(file)
    let architecture = contents.architecture
    for entry in file.entries where entry.tag.isOptional { try file.verify(entry) }

    let encoder: DenseNetwork?
    let decoder: DenseNetwork?
    var integerEncoder: IntegerNetwork?
    var integerDecoder: IntegerNetwork?
    var codec: Codec?
    encoder = try contents.floats("encoder", contents.floatEncoder, architecture.encoderShapes)
    decoder = try contents.floats("decoder", contents.floatDecoder, architecture.decoderShapes)
    if let entry = contents.integerEncoder {
      let section = try contents.section(ofEncoder: entry)
      integerEncoder = IntegerNetwork(
        shapes: section.shapes, isNarrow: section.isNarrow,
        make: try layers(of: section, in: file, entry, name: contents.place(entry)))
    }
    if let entry = contents.integerDecoder {
      let section = try contents.section(ofDecoder: entry)
      integerDecoder = IntegerNetwork(
        shapes: section.shapes, isNarrow: section.isNarrow,
        make: try layers(of: section, in: file, entry, name: contents.place(entry)))
    }
    if let entry = contents.codec {
      codec = try CodecSection(latentCount: architecture.latentCount).read(
        try contents.rawCodec(entry), name: contents.place(entry))
    }
    if let known = codec, let entry = file.entry(.bitPrices) {
      codec = try BitPricesSection.read(
        try file.raw(entry, allowed: BitPricesSection.rawCounts), into: known, name: contents.place(entry))
    }
    if let known = codec, let entry = file.entry(.qualityFigures) {
      codec = try QualityFiguresSection.read(
        try file.raw(entry, allowed: QualityFiguresSection.rawCounts), into: known,
        name: contents.place(entry))
    }
    let scanModel = try contents.scan.map { entry throws(AEError) in
      try ScanSection.read(try contents.rawScan(entry), name: contents.place(entry))
    }
    let predictor = try contents.predictor.map { entry throws(AEError) in
      try PredictorSection.read(try contents.rawPredictor(entry), name: contents.place(entry))
    }
    do {
      return try Autoencoder(
        architecture: architecture, name: contents.modelName, provenance: contents.provenance,
        storage: contents.storage, encoder: encoder, decoder: decoder, integerEncoder: integerEncoder,
        integerDecoder: integerDecoder, codec: codec, scanModel: scanModel,
        predictor: predictor)
    } catch {
      throw error.at(name)
    }
  }

  /// What reads an integer network's section: its checksum is verified now, its contents when it is called.
  private static func layers(
    of section: IntegerSection, in file: WeightFileContainer, _ entry: SectionEntry, name: String
  ) throws(AEError) -> @Sendable () throws(AEError) -> [IntegerLayer] {
    let stored = try file.stored(entry, allowed: section.rawCount...section.rawCount)
    return { () throws(AEError) in try section.read(try section.raw(stored), name: name) }
  }

  /// The head of an extra section, or nil if the file has none of that tag.
  ///
  /// - Parameter headCount: how many of the section's first bytes to give; fewer come if it has no more.
  public static func extra(
    _ p: UnsafePointer<UInt8>, _ count: Int, tag: UInt32, headCount: Int, name: String
  ) throws(AEError) -> ExtraSectionHead? {
    let file = try WeightFileContainer(Buffer(borrowing: p, count: count), name: name)
    let tag = SectionTag(tag)
    guard tag.isOptional, let entry = file.entry(tag) else { return nil }
    let contents = try Contents(file)
    return ExtraSectionHead(
      architecture: contents.architecture, modelName: contents.modelName,
      head: try file.prefix(entry, count: headCount), byteCount: entry.rawCount)
  }

  /// The extra section of a tag, or nil if the file has none.
  ///
  /// - Parameter byteCount: how many bytes it must have, so that a file does not choose what it costs.
  public static func readExtra(
    _ p: UnsafePointer<UInt8>, _ count: Int, tag: UInt32, byteCount: Int, name: String
  ) throws(AEError) -> Buffer<UInt8>? {
    let file = try WeightFileContainer(Buffer(borrowing: p, count: count), name: name)
    let tag = SectionTag(tag)
    guard tag.isOptional, let entry = file.entry(tag) else { return nil }
    return try file.raw(entry, allowed: byteCount...byteCount)
  }

  /// The 32 bytes that image sets name a model by: SHA-256 of the image's size, the integer decoder, the codec,
  /// and the scan network if there is one, which are all that decoding depends on, but for the predictor of pixels, which
  /// has a hash of its own. The same for a model, its
  /// decoder alone, and every storage. Computed once for a model.
  ///
  /// - Throws: `.kind` if the model has no codec; `.memory`.
  public static func hash(_ model: Autoencoder) throws(AEError) -> [UInt8] {
    guard model.integerDecoder != nil && model.codec != nil || model.architecture.kind == .predictor else {
      throw AEError(.kind, "a model without codec has no hash")
    }
    return try model.hash.value { () throws(AEError) in
      let architecture = model.architecture
      let isNarrow = model.isNarrow
      return try Buffer(
        digest(
          architecture, version: model.formatVersion,
          decoder: try model.integerDecoder.map { decoder throws(AEError) in
            try IntegerSection.decoder(architecture, isNarrow: isNarrow).write(try decoder.layers())
          },
          codec: try model.codec.map { codec throws(AEError) in
            try CodecSection(latentCount: architecture.latentCount).write(codec)
          },
          scan: try model.scanModel.map { scan throws(AEError) in try ScanSection.write(scan) },
          predictor: architecture.kind == .predictor ? try model.predictor?.sectionHash() : nil))
    }.array
  }

  static func digest(
    _ architecture: Architecture, version: Int, decoder: Buffer<UInt8>?, codec: Buffer<UInt8>?,
    scan: Buffer<UInt8>?, predictor: [UInt8]? = nil
  ) throws(AEError) -> [UInt8] {
    var sum = SHA256()
    @inline(never)
    func add(_ value: Int) {
      withUnsafeBytes(of: UInt32(truncatingIfNeeded: value).littleEndian) { word in
        sum.update(word.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self), 4)
      }
    }
    if version > 1 {
      // No image is as wide: no hash of version 1 is made of the same bytes.
      add(-1)
      add(version)
      for value in [architecture.width, architecture.height, architecture.channels, architecture.latentCount]
      {
        add(value)
      }
      let writer = ByteWriter()
      try NodeListSection.write(architecture.decoder.nodes, to: writer)
      let list = try writer.finish()
      sum.update(list.base, list.count)
    }
    let shapes = version > 1 || architecture.kind == .predictor ? [] : architecture.decoderShapes
    for value in version > 1
      ? [] : [architecture.width, architecture.height, architecture.channels, shapes.count]
    { add(value) }
    for shape in shapes {
      add(shape.inputs)
      add(shape.outputs)
      guard shape.isConvolution else { continue }
      let geometry = shape.geometry
      for value in [geometry.fine_channels, geometry.kernel, geometry.stride, geometry.padding] {
        add(Int(value))
      }
    }
    if let decoder { sum.update(decoder.base, decoder.count) }
    if let codec { sum.update(codec.base, codec.count) }
    if let scan { sum.update(scan.base, scan.count) }
    if let predictor { sum.update(predictor, predictor.count) }
    return sum.finish()
  }
}

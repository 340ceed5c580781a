// Weights that are mostly 0 are coded: what is written is read, hashes stay, dense models stay as they were, and damaged
// codes are refused.

import Bytes
import Compute
import Core
import Glibc
import Model
import Network
import Storage
import Testing

/// Gives weights of which `zeros` in 1000 are 0; of the others most are small.
private func drawn(zeros: Int, isNarrow: Bool) -> (LayerShape, Int, inout RandomStream) -> Int {
  { _, _, random in
    guard random.below(1000) >= zeros else { return 0 }
    let magnitude = 1 + random.below(random.below(8) == 0 ? (isNarrow ? 63 : 127) : 7)
    return random.below(2) == 0 ? magnitude : -magnitude
  }
}

/// Whether a file's sections of weights are coded, by tag.
private func codedTags(_ file: Buffer<UInt8>) throws(AEError) -> [String] {
  try WeightFile.summary(file.base, file.count, name: "weights file").sections.filter(\.isCoded).map(\.tag)
}

/// Writes and reads a model, and returns the tags of what was coded.
@discardableResult
private func roundTrip(_ model: Autoencoder, _ what: String) throws -> [String] {
  let file = try WeightFile.write(model, storage: .int8)
  let tags = try codedTags(file)
  #expect(file[10] == (tags.isEmpty ? 0 : 1) && file[11] == 0, "\(what)")
  #expect(file.count <= (try WeightFile.bound(model, storage: .int8)), "\(what)")
  let back = try readWeights(file.array)
  #expect(sameModel(model, back), "\(what)")
  #expect(try WeightFile.write(back, storage: .int8).array == file.array, "\(what)")
  let hash = try WeightFile.hash(model)
  #expect(try WeightFile.hash(back) == hash, "\(what)")
  #expect(
    try WeightFile.summary(file.base, file.count, name: "weights file").hash == hash, "\(what)")
  return tags
}

@Test("sparse weights of every kind of layer come back, coded, with the hash that they have otherwise")
func sparseRoundTrip() throws {
  for isNarrow in [false, true] {
    for zeros in [600, 880, 990] {
      let weight = drawn(zeros: zeros, isNarrow: isNarrow)
      let what = "\(zeros), \(isNarrow)"
      let dense = try SampleModel.make(
        kind: .elu, width: 9, height: 8, latentCount: 5, hidden: [60, 40], floats: false,
        seed: UInt64(zeros), isNarrow: isNarrow, weight: weight)
      #expect(try roundTrip(dense, "dense, \(what)") == ["IENC", "IDEC"])
      let wide = try SampleModel.make(
        kind: .linear, width: 64, height: 50, latentCount: 1, hidden: [], floats: false, isNarrow: isNarrow,
        weight: weight)
      try roundTrip(wide, "wide, \(what)")
      let convolutions = try SampleModel.make(
        kind: .convVAE, width: 8, height: 7, hidden: [16, 16, 24, 30], floats: false, isNarrow: isNarrow,
        weight: weight)
      #expect(try roundTrip(convolutions, "convolutions, \(what)") == ["IENC", "IDEC"])
      try roundTrip(
        try SampleModel.make(try SampleModel.custom(), floats: false, isNarrow: isNarrow, weight: weight),
        "custom, \(what)")
    }
  }
}

@Test("layers without weights, with one, and with nothing but weights come back")
func extremeWeights() throws {
  func model(_ weight: @escaping (LayerShape, Int, inout RandomStream) -> Int) throws(AEError) -> Autoencoder
  {
    try SampleModel.make(
      kind: .elu, width: 9, height: 8, latentCount: 5, hidden: [60], floats: false, isNarrow: true,
      weight: weight)
  }
  try roundTrip(try model { _, _, _ in 0 }, "zeros")
  for value in [1, -63] {
    for place in [0, 17, 299] { try roundTrip(try model { _, i, _ in i == place ? value : 0 }, "one") }
  }
  #expect(try roundTrip(try model { _, i, _ in i % 7 + 1 }, "none is 0") == [])
  // One layer is full, the other, which is larger, is empty: the half of all counts.
  try roundTrip(try model { shape, i, _ in shape.weightCount == 300 ? i % 127 - 63 : 0 }, "one full")
  // Rows and columns of zeros, and weights of all sizes.
  let tags = try roundTrip(
    try model { shape, i, random in
      let (row, column) = (i / shape.columns, i % shape.columns)
      return row % 3 == 0 || column % 2 == 0 ? 0 : random.below(127) - 63
    }, "rows and columns")
  #expect(tags == ["IENC", "IDEC"])
}

@Test("zeros that make more raw bytes than a code may are deflated")
func largestRatio() throws {
  let model = try SampleModel.make(
    kind: .linear, width: 64, height: 64, latentCount: 1024, hidden: [], floats: false,
    weight: { _, i, _ in i == 5 ? 1 : 0 })
  let file = try WeightFile.write(model, storage: .int8)
  let summary = try WeightFile.summary(file.base, file.count, name: "weights file")
  for section in summary.sections where section.isCoded {
    #expect(section.rawByteCount / 256 <= section.storedByteCount)
  }
  try roundTrip(model, "zeros")
}

@Test("the same weights have one hash, coded, deflated or stored")
func hashesStay() throws {
  let model = try goldenModel()
  var file = try RawWeightFile(model, .int8)
  #expect(file["IDEC"].encoding == 2 && file["IENC"].encoding == 2 && file.minor == 1)
  // The raw bytes are those of the same layers in a file whose weights were drawn anew one by one.
  let hash = try WeightFile.hash(model)
  #expect(try WeightFile.hash(try readWeights(file.bytes())) == hash)
  for deflated in [false, true] {
    for tag in ["IENC", "IDEC"] {
      let layers = try #require(tag == "IENC" ? model.integerEncoder : model.integerDecoder).layers()
      file[tag] = RawWeightFile.Section(tag: tag, raw: rawBytes(layers), deflated: deflated)
    }
    file.minor = 0
    let back = try readWeights(file.bytes())
    #expect(sameModel(back, model))
    #expect(try WeightFile.hash(back) == hash)
  }
}

/// A dense section's raw bytes, written a second time.
private func rawBytes(_ layers: [IntegerLayer]) -> [UInt8] {
  var raw: [UInt8] = []
  func planes(_ words: [UInt32]) {
    for plane in 0..<4 { for word in words { raw.append(UInt8(truncatingIfNeeded: word >> (8 * plane))) } }
  }
  for layer in layers {
    raw.append(UInt8(layer.shift))
    raw += layer.weights.array.map { UInt8(bitPattern: $0) }
    planes(layer.bias.array.map { UInt32(bitPattern: $0) })
    planes(layer.multipliers.array.map { UInt32(bitPattern: $0) })
    planes(layer.sumScales.array.map { $0.bitPattern << 1 | $0.bitPattern >> 31 })
    guard let table = layer.table?.array else { continue }
    for i in table.indices { raw.append(table[i] &- (i > 0 ? table[i - 1] : 0)) }
  }
  return raw
}

@Test("dense models are written as they were before weights could be coded")
func denseStays() throws {
  for name in [
    "Tests/golden/tiny-conv.aew", "Tests/golden/tiny-nodes.aew",
    "Tests/golden/tiny-nodes-form-2.aew", "models/digits-low.aew",
  ] {
    let file = try File.read(treePath(name))
    let model = try WeightFile.read(file.base, file.count, name: name)
    #expect(try WeightFile.write(model, storage: .int8).array == file.array, "\(name)")
  }
}

// ---- The golden file ----

/// A model of 12 x 10 pixels whose weights are spots on the image, some of them large, and some units without any.
private func goldenModel() throws(AEError) -> Autoencoder {
  try SampleModel.make(
    kind: .elu, width: 12, height: 10, latentCount: 5, hidden: [48], floats: false, seed: 12, shift: 31,
    isNarrow: true
  ) { shape, i, random in
    let (row, column) = (i / shape.columns, i % shape.columns)
    let noise = random.below(200)
    let isImage = shape.rows == 120 || shape.columns == 120
    guard isImage else { return (row + column) % 9 == 0 ? 0 : noise < 90 ? noise % 15 - 7 : 0 }
    let (unit, pixel) = shape.rows == 120 ? (column, row) : (row, column)
    if unit % 8 == 3 { return noise == 0 ? 1 : 0 }
    let distance = abs(pixel % 12 - unit * 5 % 12) + abs(pixel / 12 - unit * 7 % 10)
    if distance > 2 { return noise < 4 ? noise - 2 : 0 }
    let magnitude = noise == 9 ? 40 : 6 - 2 * distance + noise % 2
    return unit % 2 == 0 ? magnitude : -magnitude
  }
}

/// The same with few pairs of multipliers and scales, as pruning leaves them, and in one layer more than a byte can number.
private func goldenListed() throws(AEError) -> Autoencoder {
  let model = try SampleModel.make(
    kind: .elu, width: 20, height: 16, latentCount: 4, hidden: [300], floats: false, seed: 14, shift: 31,
    isNarrow: true, weight: drawn(zeros: 900, isNarrow: true))
  try sharePairs(model)
  return model
}

/// Gives a model's layers few pairs of multipliers and scales, those of 300 outputs 280.
private func sharePairs(_ model: Autoencoder) throws(AEError) {
  var random = RandomStream(seed: 15, stream: 0)
  for network in [model.integerEncoder, model.integerDecoder] {
    for layer in try network?.layers() ?? [] where layer.shape.hasWeights {
      let channels = layer.shape.channels
      let pairCount = channels == 300 ? 280 : 7
      let own = (0..<pairCount).map { _ in (Int32(random.below(1 << 30)), Float(random.below(1 << 20)) / 4096)
      }
      for channel in 0..<channels {
        let pair = channel < pairCount ? channel : random.below(pairCount)
        (layer.multipliers.base[channel], layer.sumScales.base[channel]) = own[pair]
      }
    }
  }
}

@Test("shared pairs are listed and come back, beside nodes of every kind")
func listedRoundTrip() throws {
  let weight = drawn(zeros: 880, isNarrow: false)
  let models = [
    // With sums, whose nodes have multipliers and no weights.
    try SampleModel.make(try SampleModel.custom(), floats: false, weight: weight),
    try SampleModel.make(
      kind: .convVAE, width: 8, height: 7, hidden: [16, 16, 24, 30], floats: false, weight: weight),
    try goldenNodes(),
  ]
  for (index, model) in models.enumerated() {
    let before = try WeightFile.write(model, storage: .int8).count
    try sharePairs(model)
    let tags = try roundTrip(model, "\(index)")
    let file = try RawWeightFile(model, .int8)
    let listed = tags.filter { file.first($0) >> 31 != 0 }
    #expect(!listed.isEmpty, "\(index): \(tags)")
    #expect(try WeightFile.write(model, storage: .int8).count < before)
  }
}

/// A model of 14 x 12 pixels in colour with every kind of layer, of weights of 8 bits, some of them large.
private func goldenNodes() throws(AEError) -> Autoencoder {
  let encoder = try NodeList(
    text: "convolution(channels=12,kernel=3,stride=2,padding=1,activation=relu);dense(outputs=4)",
    input: FeatureShape(height: 12, width: 14, channels: 3))
  let decoder = try NodeList(
    text: "dense(height=6,width=7,channels=12,activation=relu);"
      + "convolution(channels=20,kernel=3,padding=1,activation=elu);convolution(0,channels=20,kernel=1);"
      + "add(1,2,activation=relu);concatenate(3,0);"
      + "transposed_convolution(channels=3,kernel=4,stride=2,padding=1)",
    input: FeatureShape(vector: 4))
  return try SampleModel.make(
    try Architecture(
      kind: .custom, width: 14, height: 12, channels: 3, latentCount: 4, output: .identity,
      custom: CustomNetwork(encoder: encoder.nodes, decoder: decoder.nodes, isVariational: false)),
    floats: false, seed: 13, shift: 33, weight: drawn(zeros: 850, isNarrow: false))
}

private let codedGoldenFiles: [(String, @Sendable () throws(AEError) -> Autoencoder)] = [
  ("tiny-coded.aew", goldenModel), ("tiny-coded-nodes.aew", goldenNodes),
  ("tiny-coded-listed.aew", goldenListed),
]

@Test("coded weights decode to the pixels of the first day")
func codedGolden() throws {
  let expected =
    [
      ("4a1dd39f4b92c1f140ae9131ab5691cf9cfcd8e5dda363e8772bc0aea4b36cbd", 1_284_601_426, 188_157_745),
      ("450eab2926cc537c749f8aa01cf7ea5acc53ef4357db068ad80da68a02b86969", 1_694_311_463, 961_625_943),
      ("268125a179fa71dde9ef7084a59be0588f70949ea647223a72d4d331f5355476", 3_281_620_135, 482_791_518),
    ] as [(String, UInt32, UInt32)]
  for ((name, make), (hash, words, pixels)) in zip(codedGoldenFiles, expected) {
    let file = try File.read(treePath("Tests/golden/\(name)"))
    #expect(try codedTags(file) == ["IENC", "IDEC"])
    let model = try WeightFile.read(file.base, file.count, name: name)
    #expect(sameModel(model, try make()))
    #expect(try WeightFile.write(model, storage: .int8).array == file.array)
    let numbers = try goldenNumbers(model)
    #expect(numbers == (hash, words, pixels))
  }
}

/// The model's hash, and checksums of what it makes of images and codes.
private func goldenNumbers(_ model: Autoencoder) throws -> (String, UInt32, UInt32) {
  let (size, latentCount) = (model.architecture.encoder.inputCount, model.architecture.latentCount)
  let images = try Buffer<UInt8>((0..<5 * size).map { UInt8(truncatingIfNeeded: $0 * 37 + $0 / 7) })
  let latents = try Buffer<Int16>(count: 5 * latentCount)
  try #require(model.integerEncoder).encode(images.base, count: 5, into: latents.base)
  let codes = try Buffer<Int16>((0..<5 * latentCount).map { Int16($0 * 1001 - 14000) })
  let decoded = try Buffer<UInt8>(count: 5 * size)
  try #require(model.integerDecoder).decode(codes.base, count: 5, into: decoded.base)
  #expect(Set(latents.array).count > 5 && Set(decoded.array).count > 30)
  let bytes = latents.array.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
  return (
    SHA256.hex(try WeightFile.hash(model)), Checksum.crc32(bytes, bytes.count),
    Checksum.crc32(decoded.base, decoded.count)
  )
}

@Test(
  "the golden files of coded weights are written anew",
  .enabled(if: getenv("AE_WRITE_TEST_FILES") != nil, "a writer, for AE_WRITE_TEST_FILES=1"))
func writeCodedGolden() throws {
  for (name, make) in codedGoldenFiles {
    let model = try make()
    let file = try WeightFile.write(model, storage: .int8)
    try File.write(treePath("Tests/golden/\(name)"), file.base, file.count, overwrite: true)
    print(try goldenNumbers(model), try codedTags(file))
  }
}

// ---- Attacks ----

/// One lie about coded weights, and the refusal that it must meet.
private struct CodedAttack: CustomTestStringConvertible, Sendable {
  let title: String
  var code = AEError.Code.format
  let says: String
  let change: @Sendable (inout RawWeightFile) throws(AEError) -> Void

  var testDescription: String { title }
}

extension RawWeightFile {
  /// The first word of a coded section: bytes of the deflated part, and whether pairs are listed.
  fileprivate func first(_ tag: String) -> Int {
    (0..<4).reduce(0) { $0 | Int(self[tag].raw[$1]) << (8 * $1) }
  }

  /// Where the first layer's order is in a coded section: behind the deflated part.
  fileprivate func order(_ tag: String) -> Int { 4 + first(tag) & 0x7FFF_FFFF }

  /// Puts another deflated part into a coded section.
  fileprivate mutating func replaceRest(_ tag: String, _ rest: [UInt8], isListed: Bool = false)
    throws(AEError)
  {
    let deflated = try Zlib.deflate(rest, rest.count).array
    let count = UInt32(deflated.count) | (isListed ? 1 << 31 : 0)
    self[tag].raw.replaceSubrange(
      0..<order(tag), with: (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + deflated)
  }

  /// Puts zeros into IDEC with pairs listed, and numbers of pairs for the 48 outputs of the first layer.
  fileprivate mutating func replaceListed(_ number: (Int) -> UInt8) throws(AEError) {
    var listed = [UInt8](repeating: 0, count: restCount + pairCount)
    for output in 0..<48 { listed[1 + 4 * 48 + output] = number(output) }
    try replaceRest("IDEC", listed, isListed: true)
  }
}

/// The bytes of IDEC beside weights: 5 inputs, 48 hidden units, 120 pixels.
private let restCount = 2 * (1 + 4096) + 12 * (48 + 120)
/// Its pairs of a multiplier and a scale.
private let pairCount = 48 + 120

private let codedAttacks: [CodedAttack] = [
  CodedAttack(title: "a coded section that is empty", says: "IDEC: 0 stored bytes cannot make") {
    $0["IDEC"].raw = []
  },
  CodedAttack(title: "a coded section of three bytes", says: "3 stored bytes cannot make") {
    $0["IDEC"].raw = [1, 2, 3]
  },
  CodedAttack(title: "a coded bomb", says: "IDEC: 60 stored bytes cannot make 16210") {
    $0["IDEC"].raw = Array($0["IDEC"].raw.prefix(60))
  },
  CodedAttack(
    title: "a coded section of another size", says: "IDEC declares 16211 raw bytes, the architecture"
  ) {
    $0["IDEC"].declaredRaw = 16211
  },
  CodedAttack(title: "coded floats", code: .version, says: "section CODC: encoding 2") {
    $0["CODC"].encoding = 2
  },
  CodedAttack(title: "a deflated part of 4 billion bytes", says: "2147483647 bytes expected") {
    $0["IDEC"].raw.replaceSubrange(0..<4, with: [255, 255, 255, 255])
  },
  CodedAttack(title: "a deflated part beyond the section", says: "bytes expected") {
    let count = $0["IDEC"].raw.count - 3
    $0["IDEC"].raw.replaceSubrange(0..<2, with: [UInt8(count & 255), UInt8(count >> 8)])
  },
  CodedAttack(title: "a deflated part of no bytes", says: "cannot make") {
    $0["IDEC"].raw.replaceSubrange(0..<4, with: [0, 0, 0, 0])
  },
  CodedAttack(title: "a deflated part that is cut", says: "the compressed bytes are cut short") {
    $0["IDEC"].raw[0] &-= 1
  },
  CodedAttack(title: "a deflated part with a byte more", says: "bytes follow the end of the compressed bytes")
  {
    $0["IDEC"].raw[0] += 1
  },
  CodedAttack(title: "a deflated part that is damaged", says: "the compressed bytes are damaged") {
    $0["IDEC"].raw[4] = 0xff
  },
  CodedAttack(
    title: "a deflated part that makes too little", says: "make \(restCount - 1) bytes, \(restCount) are"
  ) {
    file throws(AEError) in
    try file.replaceRest("IDEC", [UInt8](repeating: 1, count: restCount - 1))
  },
  CodedAttack(title: "a deflated part that makes too much", says: "make more than the \(restCount) declared")
  {
    file throws(AEError) in
    try file.replaceRest("IDEC", [UInt8](repeating: 1, count: restCount + 1))
  },
  CodedAttack(title: "a coded section without orders", says: "bytes expected, 0 follow") {
    $0["IDEC"].raw.removeSubrange($0.order("IDEC")...)
  },
  CodedAttack(title: "an order of the code of 2", says: "no order of coded weights has") {
    $0["IDEC"].raw[$0.order("IDEC")] = 2
  },
  CodedAttack(title: "a period of a step", says: "no order of coded weights has") {
    let at = $0.order("IDEC")
    $0["IDEC"].raw.replaceSubrange(at + 1..<at + 5, with: [3, 0, 3, 0])
  },
  CodedAttack(title: "a period of less than a step", says: "no order of coded weights has") {
    let at = $0.order("IDEC")
    $0["IDEC"].raw.replaceSubrange(at + 1..<at + 5, with: [255, 255, 1, 0])
  },
  CodedAttack(title: "coded weights of no bytes", says: "the coded weights from here on are cut short") {
    $0["IDEC"].raw.removeSubrange(($0.order("IDEC") + 5)...)
  },
  CodedAttack(title: "coded weights that are cut", says: "the coded weights from here on are cut short") {
    $0["IDEC"].raw.removeLast(1)
  },
  CodedAttack(title: "coded weights cut to half", says: "the coded weights from here on are cut short") {
    let start = $0.order("IDEC") + 5
    $0["IDEC"].raw.removeLast(($0["IDEC"].raw.count - start) / 2)
  },
  CodedAttack(title: "bytes after coded weights", says: "bytes follow the coded weights") {
    $0["IDEC"].raw += [0, 0, 0, 0, 0]
  },
  // A code of ones says of every weight that it is there, negative, and of every magnitude that it is more.
  CodedAttack(
    title: "a coded weight that is too large",
    says: "IDEC: of the coded weights from here on one is too large"
  ) {
    let start = $0.order("IDEC") + 5
    for i in start..<$0["IDEC"].raw.count { $0["IDEC"].raw[i] = 0 }
  },
  CodedAttack(
    title: "a coded encoder's weight that is too large",
    says: "IENC: of the coded weights from here on one is too large"
  ) {
    let start = $0.order("IENC") + 5
    for i in start..<$0["IENC"].raw.count { $0["IENC"].raw[i] = 0 }
  },
  CodedAttack(title: "a coded section as if deflated", says: "IDEC: the compressed bytes are damaged") {
    $0["IDEC"].encoding = 1
  },
  CodedAttack(
    title: "a deflated part with a shift of 0", says: "\"decoder.0.shift\" must be in 1 ... 62, not 0"
  ) {
    file throws(AEError) in
    try file.replaceRest("IDEC", [UInt8](repeating: 0, count: restCount))
  },
  CodedAttack(title: "listed pairs that are not listed", says: "make more than the \(restCount) declared") {
    file throws(AEError) in
    try file.replaceRest("IDEC", [UInt8](repeating: 1, count: restCount + pairCount))
  },
  CodedAttack(
    title: "pairs that are said to be listed", says: "make \(restCount) bytes, \(restCount + pairCount)"
  ) {
    file throws(AEError) in
    try file.replaceRest("IDEC", [UInt8](repeating: 1, count: restCount), isListed: true)
  },
  CodedAttack(
    title: "a pair that is not in the list",
    says: "IDEC: an output names a multiplier and a scale that are not listed"
  ) {
    file throws(AEError) in
    // The first output's may be the first one, and only that.
    try file.replaceListed { $0 == 0 ? 1 : 0 }
  },
  CodedAttack(
    title: "a pair far behind the list",
    says: "IDEC: an output names a multiplier and a scale that are not listed"
  ) {
    file throws(AEError) in
    try file.replaceListed { $0 == 47 ? 254 : 0 }
  },
  // Every output takes the next pair: as many as there are outputs, all 0, and so is the shift.
  CodedAttack(
    title: "listed pairs to the last with a shift of 0",
    says: "\"decoder.0.shift\" must be in 1 ... 62, not 0"
  ) {
    file throws(AEError) in
    try file.replaceListed { _ in 255 }
  },
]

@Test("coded weights that lie are refused, and the refusal says what it is", arguments: codedAttacks)
private func codedAttack(attack: CodedAttack) throws {
  let error = weightFileError { () throws(AEError) in
    var file = try RawWeightFile(try goldenModel(), .int8)
    try attack.change(&file)
    _ = try readWeights(try file.bytes())
  }
  #expect(error?.code == attack.code)
  #expect(error?.message.contains(attack.says) == true, "\(error?.message ?? "accepted")")
}

@Test(
  "attack files of coded weights are written anew",
  .enabled(if: getenv("AE_WRITE_TEST_FILES") != nil, "a writer, for AE_WRITE_TEST_FILES=1"))
func writeCodedAttackFiles() throws {
  for attack in codedAttacks {
    var file = try RawWeightFile(try goldenModel(), .int8)
    try attack.change(&file)
    let name = String(attack.title.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" })
    let bytes = try file.bytes()
    try File.write(treePath("Tests/attack/aew/\(name).aew"), bytes, bytes.count, overwrite: true)
  }
}

@Test("coded weights are read at their first use, and what is wrong in them is said then and again")
func codedLazily() throws {
  var file = try RawWeightFile(try goldenModel(), .int8)
  file["IDEC"].raw += [0, 0, 0, 0, 0]
  let model = try WeightFile.read(lazily: try Buffer<UInt8>(file.bytes()), name: "weights file")
  _ = try #require(model.integerEncoder).layers()
  for _ in 0..<2 {
    let error = weightFileError { () throws(AEError) in _ = try model.integerDecoder?.layers() }
    #expect(error?.message.contains("bytes follow the coded weights") == true)
  }
}

@Test("any order of weights is read, within the layer's bytes")
func codedOrders() throws {
  let file = try RawWeightFile(try goldenModel(), .int8)
  for transposed in [0, 1] {
    for (step, period) in [
      (0, 0), (0, 1), (0, 7), (1, 2), (1, 0), (5, 65535), (65534, 65535), (65535, 0), (119, 120),
    ] {
      var changed = file
      let at = file.order("IDEC")
      changed["IDEC"].raw.replaceSubrange(
        at..<at + 5,
        with: [transposed, step & 255, step >> 8, period & 255, period >> 8].map { UInt8($0) })
      let error = weightFileError { () throws(AEError) in _ = try readWeights(try changed.bytes()) }
      // What is read in another order is other weights, of another length, but by chance.
      #expect(error == nil || error?.message.contains("coded") == true, "\(error?.message ?? "")")
    }
  }
}

@Test("2,000 damaged codes never end the process")
func codedDamage() throws {
  let weight = drawn(zeros: 800, isNarrow: false)
  let files = [
    try RawWeightFile(try goldenModel(), .int8),
    try RawWeightFile(try goldenListed(), .int8),
    try RawWeightFile(
      try SampleModel.make(
        kind: .convVAE, width: 8, height: 7, hidden: [16, 16, 24, 30], floats: false, weight: weight), .int8),
  ]
  var random = RandomStream(seed: 8, stream: 0)
  var (accepted, refused) = (0, 0)
  for round in 0..<2_000 {
    var file = files[round % files.count]
    let tag = random.below(2) == 0 ? "IENC" : "IDEC"
    for _ in 0...random.below(3) {
      // Half of them in the orders and the first bits of the code.
      let start = file.order(tag)
      let count = file[tag].raw.count
      let at = random.below(2) == 0 ? min(start + random.below(30), count - 1) : random.below(count)
      file[tag].raw[at] = UInt8(truncatingIfNeeded: random.next())
    }
    do {
      _ = try readWeights(try file.bytes())
      accepted += 1
    } catch let error as AEError {
      refused += 1
      #expect(error.code == .format && !error.message.isEmpty, "\(error.message)")
    }
  }
  // Most codes end somewhere else than their bytes do.
  #expect(refused > 1000, "\(accepted) were read, \(refused) refused")
}

// Weight files of version 2: lists of nodes, colour, larger images, integers of form 2.

import Bytes
import Core
import Glibc
import Model
import Network
import Storage
import Testing

/// Models that version 1 cannot hold, each for another reason.
private func models() throws -> [(String, Autoencoder)] {
  func preset(
    _ kind: ModelKind, width: Int = 5, height: Int = 4, channels: Int = 1, latentCount: Int = 2,
    hidden: [Int] = [4, 4, 3], isNarrow: Bool = false
  ) throws -> Autoencoder {
    try SampleModel.make(
      try Architecture(
        kind: kind, width: width, height: height, channels: channels, latentCount: latentCount,
        hidden: hidden, output: .sigmoid), isNarrow: isNarrow)
  }
  return [
    ("residual-vae", try preset(.residualVAE)), ("colour", try preset(.elu, channels: 3, hidden: [3])),
    ("alpha", try preset(.convVAE, channels: 4)),
    ("wide", try preset(.linear, width: 65, height: 1, hidden: [])),
    ("many latents", try preset(.relu, latentCount: 1025, hidden: [1])),
    ("a large map", try preset(.convVAE, width: 64, height: 64, hidden: [33, 1])),
    ("form 2", try preset(.vae, hidden: [4], isNarrow: true)),
    ("custom", try SampleModel.make(try SampleModel.custom())),
    ("custom, variational", try SampleModel.make(try SampleModel.custom(isVariational: true))),
    ("custom, form 2", try SampleModel.make(try SampleModel.custom(), isNarrow: true)),
  ]
}

@Test("what version 1 cannot hold is written as version 2 and comes back in every storage, with one hash")
func version2RoundTrip() throws {
  for (name, model) in try models() {
    let hash = try WeightFile.hash(model)
    for storage in [WeightStorage.float32, .int8] {
      for decoderOnly in [false, true] {
        let file = try WeightFile.write(model, storage: storage, decoderOnly: decoderOnly)
        #expect(file.count <= (try WeightFile.bound(model, storage: storage, decoderOnly: decoderOnly)))
        let back = try WeightFile.read(file.base, file.count, name: "weights file")
        if storage == .float32 && !decoderOnly { #expect(sameModel(model, back), "\(name)") }
        #expect(try WeightFile.write(back, storage: storage).array == file.array, "\(name)")
        #expect(try WeightFile.hash(back) == hash, "\(name)")
        let summary = try WeightFile.summary(file.base, file.count, name: "weights file")
        #expect(summary.majorVersion == 2 && summary.hash == hash, "\(name)")
        #expect(summary.architecture == model.architecture, "\(name)")
      }
    }
  }
}

@Test("what version 1 can hold is written as version 1")
func version1Stays() throws {
  for kind in ModelKind.autoencoders where kind != .custom && kind != .residualVAE {
    let file = try WeightFile.write(try SampleModel.make(kind: kind), storage: .float32)
    #expect(file.array[8] == 1)
  }
}

@Test("a file of version 2 may hold what version 1 can, and the model has the hash of version 1")
func version2OfFormerModels() throws {
  let model = try SampleModel.make(kind: .vae)
  let narrow = try SampleModel.make(kind: .vae, isNarrow: true)
  var file = try RawWeightFile(narrow, .int8)
  // The form of the integers stands before a byte and the two lists of three nodes.
  file["ARCH"].raw[file["ARCH"].raw.count - 2 * 62 - 2] = 1
  let raw = try RawWeightFile(model, .int8)
  for tag in ["IENC", "IDEC", "CODC"] { file[tag].raw = raw[tag].raw }
  #expect(try WeightFile.hash(try readWeights(file.bytes())) == WeightFile.hash(model))
  #expect(try WeightFile.hash(narrow) != WeightFile.hash(model))
}

@Test("other nodes make another hash, though they have as many weights")
func listsCount() throws {
  let architecture = try SampleModel.custom()
  var other = architecture
  var decoder = other.custom!.decoder
  decoder[6] = Node(.meanPool, from: 5, kernel: 6, stride: 1, shape: FeatureShape(vector: 3))
  other.custom!.decoder = decoder
  #expect(
    try WeightFile.hash(try SampleModel.make(architecture))
      != WeightFile.hash(try SampleModel.make(other)))
}

@Test("the integers of a list with every operation are those of the first day")
func nodesGolden() throws {
  for (name, hash, words, pixels) in [
    (
      "tiny-nodes.aew", "15f55b12a5661f742f080115e4b7bb083485a66f60e8b6c2cfd9e5de27faa333",
      3_769_448_519 as UInt32, 1_759_409_056 as UInt32
    ),
    (
      "tiny-nodes-form-2.aew", "1508b3c79584f4bd7b8cf2080ee8661b5c4fe73f362ea5b414a601bac38c465d",
      881_036_575, 2_843_536_805
    ),
  ] {
    let file = try File.read(treePath("Tests/golden/\(name)"))
    let model = try WeightFile.read(file.base, file.count, name: name)
    #expect(SHA256.hex(try WeightFile.hash(model)) == hash)
    let images = try Buffer<UInt8>((0..<5 * 90).map { UInt8(truncatingIfNeeded: $0 * 37 + $0 / 7) })
    let latents = try Buffer<Int16>(count: 5 * 3)
    try #require(model.integerEncoder).encode(images.base, count: 5, into: latents.base)
    let codes = try Buffer<Int16>((0..<5 * 3).map { Int16($0 * 2001 - 14000) })
    let decoded = try Buffer<UInt8>(count: 5 * 90)
    try #require(model.integerDecoder).decode(codes.base, count: 5, into: decoded.base)
    #expect(Set(latents.array).count > 5 && Set(decoded.array).count > 30)
    let bytes = latents.array.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    #expect(Checksum.crc32(bytes, bytes.count) == words)
    #expect(Checksum.crc32(decoded.base, decoded.count) == pixels)
  }
}

@Test(
  "the golden weight files of version 2 are written anew",
  .enabled(if: getenv("AE_WRITE_TEST_FILES") != nil, "a writer, for AE_WRITE_TEST_FILES=1"))
func writeNodeFiles() throws {
  for (name, isNarrow) in [("tiny-nodes", false), ("tiny-nodes-form-2", true)] {
    let model = try SampleModel.make(try SampleModel.custom(), seed: 6, shift: 32, isNarrow: isNarrow)
    let file = try WeightFile.write(model, storage: .int8)
    try File.write(treePath("Tests/golden/\(name).aew"), file.base, file.count, overwrite: true)
  }
}

/// One lie about a list, and the refusal that it must meet.
private struct ListAttack: CustomTestStringConvertible, Sendable {
  let title: String
  let code: AEError.Code
  let says: String
  let change: @Sendable (inout RawWeightFile) -> Void

  var testDescription: String { title }

  init(
    _ title: String, code: AEError.Code = .format, _ says: String,
    change: @escaping @Sendable (inout RawWeightFile) -> Void
  ) {
    (self.title, self.code, self.says, self.change) = (title, code, says, change)
  }

  /// A change of one node of the encoder: the field at `offset` of its record becomes `bytes`.
  init(
    _ title: String, code: AEError.Code = .format, node: Int, _ offset: Int, _ bytes: [UInt8],
    _ says: String
  ) {
    self.init(title, code: code, says) {
      let start = listStart($0["ARCH"].raw) + 2 + 20 * node + offset
      $0["ARCH"].raw.replaceSubrange(start..<start + bytes.count, with: bytes)
    }
  }
}

/// Where the encoder's list begins: after fields, name, provenance, form and variational.
private func listStart(_ raw: [UInt8]) -> Int {
  let name = 12 + 2 * Int(raw[3])
  let provenance = name + 1 + Int(raw[name])
  return provenance + 2 + Int(raw[provenance]) + 256 * Int(raw[provenance + 1]) + 2
}

private let listAttacks: [ListAttack] = [
  ListAttack("a list of no nodes", "encoder: a network has 1 to 512 nodes, not 0") {
    let start = listStart($0["ARCH"].raw)
    $0["ARCH"].raw.replaceSubrange(start..<start + 2, with: [0, 0])
  },
  ListAttack("a list of 65535 nodes", "encoder: a network has 1 to 512 nodes, not 65535") {
    let start = listStart($0["ARCH"].raw)
    $0["ARCH"].raw.replaceSubrange(start..<start + 2, with: [255, 255])
  },
  ListAttack("a list of more nodes than bytes", "encoder: 512 nodes take 10240 bytes") {
    let start = listStart($0["ARCH"].raw)
    $0["ARCH"].raw.replaceSubrange(start..<start + 2, with: [0, 2])
  },
  ListAttack("a million nodes", "raw bytes, 61 to 24677 are allowed") {
    $0["ARCH"].raw += [UInt8](repeating: 0, count: 20_000_000)
    $0["ARCH"].deflated = true
  },
  ListAttack("a list with bytes behind it", "1 bytes too many") { $0["ARCH"].raw.append(0) },
  ListAttack("a list that is cut", "bytes") { $0["ARCH"].raw.removeLast(3) },
  ListAttack("an unknown operation", code: .version, node: 0, 0, [12], "an operation 12 is not known"),
  ListAttack(
    "an unknown activation", code: .version, node: 0, 1, [9], "an activation 9 of slope 0 is not known"),
  ListAttack("a slope of 0", code: .version, node: 2, 2, [0, 0], "an activation 4 of slope 0"),
  ListAttack("a slope of 1000", code: .version, node: 2, 2, [0xE8, 3], "an activation 4 of slope 1000"),
  ListAttack(
    "a slope without a leaky relu", code: .version, node: 0, 2, [1, 0], "an activation 2 of slope 1"),
  ListAttack("a node that reads itself", node: 1, 4, [2, 0], "node 1, convolution: it reads node 1, which"),
  ListAttack(
    "a node that reads a later one", node: 1, 4, [3, 0], "it reads node 2, which does not come before"),
  ListAttack("a cycle of two nodes", node: 0, 4, [2, 0], "node 0, convolution: it reads node 1, which"),
  ListAttack("a second source that comes later", node: 2, 6, [255, 255], "it reads node 65534, which"),
  ListAttack("a second source of a convolution", node: 1, 6, [1, 0], "it has two sources"),
  ListAttack("a node that none reads", node: 5, 6, [4, 0], "node 4, mean_pool: no node reads it"),
  ListAttack("a kernel of 0", node: 0, 8, [0], "kernel must be in 1 ... 7, not 0"),
  ListAttack("a kernel of 8", node: 0, 8, [8], "kernel must be in 1 ... 7, not 8"),
  ListAttack("a stride of 0", node: 0, 9, [0], "stride must be in 1 ... 16, not 0"),
  ListAttack("a padding as wide as the kernel", node: 0, 10, [3], "padding must be in 0 ... 2, not 3"),
  ListAttack("a kernel of an activation", node: 6, 8, [1], "it has no kernel, but 1 came"),
  ListAttack("a used reserve in a node", code: .version, node: 0, 11, [1], "a field of 1 is not known"),
  ListAttack("a map of no rows", node: 0, 12, [0, 0], "no side is less than 1"),
  ListAttack(
    "a map of 2^64 numbers", node: 0, 12, [255, 255, 255, 255, 255, 255, 255, 255], "1 to 8388608 may be"),
  ListAttack("a map that does not follow", node: 0, 12, [200, 0], "height 5 cannot become 200"),
  ListAttack("sources of two shapes", node: 1, 16, [5, 0, 0, 0], "its sources are"),
  ListAttack("a reshape of other numbers", node: 11, 16, [4, 0, 0, 0], "numbers cannot become"),
  ListAttack("an activation at the encoder's end", node: 10, 1, [2], "the last node must be a layer without"),
  ListAttack("an encoder of other outputs", "the last node gives 3 numbers, 6 are expected") {
    $0["ARCH"].raw[listStart($0["ARCH"].raw) - 1] = 1
  },
  ListAttack("a variational of 2", "variational must be 0 or 1, not 2") {
    $0["ARCH"].raw[listStart($0["ARCH"].raw) - 1] = 2
  },
  ListAttack("integers of form 3", code: .version, "integers of form 3 are not known") {
    $0["ARCH"].raw[listStart($0["ARCH"].raw) - 2] = 3
  },
  ListAttack("weights of 8 bits in form 2", "it must be in -63 ... 63") {
    $0["ARCH"].raw[listStart($0["ARCH"].raw) - 2] = 2
  },
  ListAttack("lists in a file of version 1", code: .version, "a network of kind 9 is not known") {
    $0.major = 1
  },
  ListAttack("layers of form 1 in version 2", code: .version, "layers of form 1 for a custom") {
    $0["ARCH"].raw[2] = 1
  },
  ListAttack("two channels", "images of 2 channels") { $0["ARCH"].raw[8] = 2 },
  ListAttack("a side of 257", "image width must be in 1 ... 256, not 257") {
    $0["ARCH"].raw.replaceSubrange(4..<6, with: [1, 1])
  },
  ListAttack("hidden widths in a custom network", "1 hidden layers are too many for a custom") {
    $0["ARCH"].raw[3] = 1
  },
  ListAttack("a predictor in version 2", "a predictor is in files of version 1") {
    $0["ARCH"].raw[0] = 7
  },
  ListAttack("lists of another kind", "the lists of nodes are not those of a residual-vae") {
    $0["ARCH"].raw.replaceSubrange(0..<4, with: [8, 0, 2, 2])
    $0["ARCH"].raw.insert(contentsOf: [4, 0, 4, 0], at: 12)
  },
  // The decoder's node 2 is a convolution of the code: its shift and zero follow those of node 1, 18 outputs of 3 inputs.
  ListAttack("a convolution of the code with a zero", "\"decoder.2.zero\" must be 0") {
    $0["IDEC"].raw[1 + 54 + 12 * 18 + 4096 + 1] = 7
  },
  // The encoder's node 2 is an add, after 4 x 27 weights and 4 x 36.
  ListAttack("an add with a shift of 0", "node \"encoder.2\": an integer node's parts do not fit") {
    $0["IENC"].raw[2 + 108 + 48 + 4096 + 2 + 144 + 48 + 4096] = 0
  },
  ListAttack("an add with a shift of 63", "a shift of 63") {
    $0["IENC"].raw[2 + 108 + 48 + 4096 + 2 + 144 + 48 + 4096] = 63
  },
  ListAttack("an add with a negative multiplier", "node \"encoder.2\"") {
    $0["IENC"].raw[2 + 108 + 48 + 4096 + 2 + 144 + 48 + 4096 + 3 + 6] = 0x80
  },
  ListAttack("a decoder whose pool reads the code", "IDEC: node 0 reads the code itself") {
    $0.sections.removeAll { ["FE32", "FD32", "IENC"].contains($0.tag) }
    let start = listStart($0["ARCH"].raw) + 2 + 20 * 12 + 2
    // The reshape of [1, 3, 1] becomes a pool of the code.
    $0["ARCH"].raw.replaceSubrange(
      start..<start + 20, with: [7, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 3, 0, 0, 0])
    let next = start + 40
    $0["ARCH"].raw.replaceSubrange(
      next..<next + 20, with: [0, 3, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3, 0, 2, 0, 0, 0])
  },
]

@Test("a list that lies is refused, and the refusal says what it is", arguments: listAttacks)
private func listAttack(attack: ListAttack) throws {
  let error = weightFileError { () throws(AEError) in
    var file = try RawWeightFile(try SampleModel.make(try SampleModel.custom()), .float32)
    attack.change(&file)
    _ = try readWeights(try file.bytes())
  }
  #expect(error?.code == attack.code)
  #expect(error?.message.contains(attack.says) == true, "\(error?.message ?? "accepted")")
}

@Test(
  "attack files of lists are written anew",
  .enabled(if: getenv("AE_WRITE_TEST_FILES") != nil, "a writer, for AE_WRITE_TEST_FILES=1"))
func writeListAttackFiles() throws {
  for attack in listAttacks {
    var file = try RawWeightFile(try SampleModel.make(try SampleModel.custom(), floats: false), .int8)
    for index in file.sections.indices where file.sections[index].raw.count > 1000 {
      file.sections[index].deflated = true
    }
    attack.change(&file)
    let name = String(attack.title.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" })
    let bytes = try file.bytes()
    try File.write(treePath("Tests/attack/aew/\(name).aew"), bytes, bytes.count, overwrite: true)
  }
}

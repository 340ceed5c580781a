// Weight files: what is written is read, in every storage, and the hash knows what matters.

import Bytes
import Core
import Glibc
import Model
import Network
import Storage
import Testing

@Test(
  "every kind comes back from float32 as it was, with or without integer networks",
  arguments: [ModelKind.pca, .linear, .sigmoid, .relu, .elu, .vae, .convVAE])
func float32RoundTrip(kind: ModelKind) throws {
  for integers in [true, false] {
    let model = try SampleModel.make(kind: kind, integers: integers)
    let file = try WeightFile.write(model, storage: .float32)
    let back = try WeightFile.read(file.base, file.count, name: "weights file")
    #expect(sameModel(model, back))
    #expect(back.storage == .float32)
    #expect(try WeightFile.write(back, storage: .float32).array == file.array)
  }
}

@Test("hidden layers may be none or eight, and sides up to 64")
func extremeShapes() throws {
  for (hidden, side, latents) in [
    ([], 1, 1), ([Int](repeating: 1, count: 8), 64, 3), ([4096], 2, 2), ([3], 2, 1024),
  ] {
    let model = try SampleModel.make(
      kind: .elu, width: side, height: side, latentCount: latents, hidden: hidden)
    let file = try WeightFile.write(model, storage: .float32)
    #expect(sameModel(model, try WeightFile.read(file.base, file.count, name: "weights file")))
  }
}

@Test("a conv-vae comes back whatever its pictures' sizes, in every storage")
func convolutionsRoundTrip() throws {
  for (hidden, width, height) in [
    ([1, 1], 1, 1), ([3, 3, 5], 7, 2), ([2, 2, 3, 3, 4, 4, 5, 6], 64, 63), ([32, 2], 64, 64),
  ] {
    for storage in [WeightStorage.float32, .float16, .int8] {
      let model = try SampleModel.make(
        kind: .convVAE, width: width, height: height, hidden: hidden,
        storage: storage == .float16 ? .float16 : .float32, floats: storage != .int8)
      let file = try WeightFile.write(model, storage: storage)
      #expect(sameModel(model, try WeightFile.read(file.base, file.count, name: "weights file")))
    }
  }
}

@Test("a decoder of convolutions has another hash than one of as many numbers otherwise laid out")
func convolutionsCount() throws {
  let model = try SampleModel.make(kind: .convVAE, hidden: [4, 3])
  let other = try SampleModel.make(kind: .convVAE, hidden: [4, 4, 3])
  #expect(try WeightFile.hash(model) != WeightFile.hash(other))
  #expect(
    try WeightFile.hash(model) == WeightFile.hash(try SampleModel.make(kind: .convVAE, hidden: [4, 3])))
}

@Test("the integers of a convolutional model are those of the first day")
func convolutionGolden() throws {
  let file = try File.read(treePath("Tests/golden/tiny-conv.aew"))
  let model = try WeightFile.read(file.base, file.count, name: "tiny-conv.aew")
  let pixels = try Buffer<UInt8>((0..<5 * 35).map { UInt8(truncatingIfNeeded: $0 * 37) })
  let words = try Buffer<Int16>(count: 5 * 4)
  try #require(model.integerEncoder).encode(pixels.base, count: 5, into: words.base)
  let codes = try Buffer<Int16>((0..<5 * 2).map { Int16($0 * 3001 - 14000) })
  let decoded = try Buffer<UInt8>(count: 5 * 35)
  try #require(model.integerDecoder).decode(codes.base, count: 5, into: decoded.base)
  // Numbers of many sizes, not ends of ranges alone.
  #expect(Set(words.array).count > 8 && Set(decoded.array).count > 30)
  let wordBytes = words.array.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
  #expect(Checksum.crc32(wordBytes, wordBytes.count) == 0x0F64_8829)
  #expect(Checksum.crc32(decoded.base, decoded.count) == 0xBCA7_B10E)
}

@Test("float16 keeps what float16 can hold and rounds the rest to the nearest")
func float16RoundTrip() throws {
  let exact = try SampleModel.make(kind: .vae, storage: .float16)
  let file = try WeightFile.write(exact, storage: .float16)
  let back = try WeightFile.read(file.base, file.count, name: "weights file")
  #expect(sameModel(exact, back))
  #expect(back.storage == .float16)

  let model = try SampleModel.make(kind: .vae)
  let rounded = try readWeights(try WeightFile.write(model, storage: .float16).array)
  for (a, b) in zip(model.decoder!.layers, rounded.decoder!.layers) {
    for i in 0..<a.weights.count { #expect(b.weights[i] == Float(Float16(a.weights[i]))) }
    for i in 0..<a.bias.count { #expect(b.bias[i] == Float(Float16(a.bias[i]))) }
  }
}

@Test("int8 holds the integer networks and the codec alone")
func int8RoundTrip() throws {
  let model = try SampleModel.make(kind: .vae)
  let file = try WeightFile.write(model, storage: .int8)
  let back = try WeightFile.read(file.base, file.count, name: "weights file")
  #expect(back.storage == .int8)
  #expect(back.encoder == nil && back.decoder == nil && back.hasEncoder)
  let integersAlone = try Autoencoder(
    architecture: model.architecture, name: model.name, provenance: model.provenance, storage: .int8,
    encoder: nil, decoder: nil, integerEncoder: model.integerEncoder, integerDecoder: model.integerDecoder,
    codec: model.codec)
  #expect(sameModel(back, integersAlone))
  #expect(try WeightFile.write(back, storage: .int8).array == file.array)
}

@Test("a decoder alone has no encoder in any storage, and reads back")
func decoderOnly() throws {
  let model = try SampleModel.make(kind: .elu)
  for storage in [WeightStorage.float32, .float16, .int8] {
    let whole = try WeightFile.write(model, storage: storage)
    let part = try WeightFile.write(model, storage: storage, decoderOnly: true)
    #expect(part.count < whole.count)
    let back = try WeightFile.read(part.base, part.count, name: "weights file")
    #expect(!back.hasEncoder)
    #expect(back.integerDecoder != nil && back.storage == storage)
    #expect(try WeightFile.write(back, storage: storage).array == part.array)
  }
}

@Test("the hash is the same for every storage and for the decoder alone, and follows decoder and codec")
func hashIsAboutDecoding() throws {
  let model = try SampleModel.make(kind: .vae)
  let hash = try WeightFile.hash(model)
  #expect(hash.count == 32)
  for storage in [WeightStorage.float32, .float16, .int8] {
    for decoderOnly in [false, true] {
      let file = try WeightFile.write(model, storage: storage, decoderOnly: decoderOnly)
      let back = try WeightFile.read(file.base, file.count, name: "weights file")
      #expect(try WeightFile.hash(back) == hash)
      #expect(try WeightFile.summary(file.base, file.count, name: "weights file").hash == hash)
    }
  }
  var changed = try RawWeightFile(model, .int8)
  changed["IDEC"].raw[1] ^= 1
  #expect(try WeightFile.hash(try readWeights(changed.bytes())) != hash)
  changed = try RawWeightFile(model, .int8)
  changed["CODC"].raw[1] = 1
  #expect(try WeightFile.hash(try readWeights(changed.bytes())) != hash)
  changed = try RawWeightFile(model, .int8)
  changed["IENC"].raw[1] ^= 1
  #expect(try WeightFile.hash(try readWeights(changed.bytes())) == hash)
  // Six pixels are not six pixels: 2 x 3 instead of 3 x 2.
  changed = try RawWeightFile(model, .int8)
  (changed["ARCH"].raw[4], changed["ARCH"].raw[6]) = (2, 3)
  #expect(try WeightFile.hash(try readWeights(changed.bytes())) != hash)
}

@Test("what a model does not have cannot be stored, and the error says so")
func missingNetworks() throws {
  let floats = try SampleModel.make(kind: .elu, integers: false)
  #expect(
    weightFileError { () throws(AEError) in _ = try WeightFile.write(floats, storage: .int8) }?.code == .kind)
  #expect(weightFileError { () throws(AEError) in _ = try WeightFile.hash(floats) }?.code == .kind)
  let integers = try SampleModel.make(kind: .elu, floats: false)
  for storage in [WeightStorage.float32, .float16] {
    let error = weightFileError { () throws(AEError) in _ = try WeightFile.write(integers, storage: storage) }
    #expect(error?.code == .kind)
    #expect(error?.message.contains("needs float networks") == true)
  }
}

@Test("weights that are not finite, or too large for float16, are not written")
func unwritableWeights() throws {
  let model = try SampleModel.make(kind: .elu)
  model.encoder!.layers[1].weights[2] = 65520
  let error = weightFileError { () throws(AEError) in _ = try WeightFile.write(model, storage: .float16) }
  #expect(error?.code == .kind)
  #expect(error?.message.contains("\"encoder.1.weight\": value 2") == true)
  model.encoder!.layers[1].weights[2] = 65519
  let file = try WeightFile.write(model, storage: .float16)
  #expect(try readWeights(file.array).encoder!.layers[1].weights[2] == 65504)
  model.decoder!.layers[0].bias[1] = .infinity
  let infinite = weightFileError { () throws(AEError) in _ = try WeightFile.write(model, storage: .float32) }
  #expect(infinite?.code == .argument)
  #expect(infinite?.message == "tensor \"decoder.0.bias\": value 1 is not finite")
}

@Test("extra sections come back by their tag and are skipped by readers of models")
func extraSections() throws {
  let model = try SampleModel.make(kind: .elu)
  let state = try Buffer<UInt8>([UInt8](repeating: 7, count: 1000))
  let empty = try Buffer<UInt8>(count: 0)
  let file = try WeightFile.write(
    model, storage: .float32,
    extra: [
      ExtraSection(tag: WeightFile.tag("adam"), bytes: state),
      ExtraSection(tag: WeightFile.tag("none"), bytes: empty),
    ])
  #expect(sameModel(model, try WeightFile.read(file.base, file.count, name: "weights file")))
  func extra(_ tag: StaticString) throws(AEError) -> [UInt8]? {
    guard
      let section = try WeightFile.extra(
        file.base, file.count, tag: WeightFile.tag(tag), headCount: 3, name: "weights file")
    else { return nil }
    #expect(section.head.array == [UInt8](repeating: 7, count: min(3, section.byteCount)))
    return try WeightFile.readExtra(
      file.base, file.count, tag: WeightFile.tag(tag), byteCount: section.byteCount, name: "weights file")?
      .array
  }
  #expect(try extra("adam") == state.array)
  #expect(try extra("none") == [])
  #expect(try extra("else") == nil)
  #expect(try extra("IDEC") == nil)

  for tags in [["ADAM"], ["ad m"], ["adam", "adam"], ["1dam"]] as [[StaticString]] {
    let sections = tags.map { ExtraSection(tag: WeightFile.tag($0), bytes: state) }
    let error = weightFileError { () throws(AEError) in
      _ = try WeightFile.write(model, storage: .float32, extra: sections)
    }
    #expect(error?.code == .argument)
  }
}

@Test("a summary tells of a file what building its networks would")
func summaries() throws {
  let model = try SampleModel.make(kind: .vae)
  let file = try WeightFile.write(model, storage: .float16)
  let summary = try WeightFile.summary(file.base, file.count, name: "weights file")
  #expect(summary.majorVersion == 1 && summary.minorVersion == 0 && summary.byteCount == file.count)
  #expect(summary.architecture.kind == .vae && summary.architecture.hidden == [4, 3])
  #expect(summary.name == "sample é" && summary.provenance == "drawn from seed 1")
  #expect(summary.storage == .float16 && summary.hasEncoder)
  #expect(summary.qualityCount == 3 && summary.defaultQuality == 2)
  #expect(summary.sections.map(\.tag) == ["ARCH", "FE16", "FD16", "IENC", "IDEC", "CODC"])
  #expect(summary.sections.reduce(32 + 6 * 32) { $0 + $1.storedByteCount } == file.count)
  #expect(summary.sections[1].rawByteCount == 2 * (6 * 4 + 4 + 4 * 3 + 3 + 3 * 4 + 4))

  let plain = try WeightFile.write(try SampleModel.make(kind: .pca, integers: false), storage: .float32)
  let other = try WeightFile.summary(plain.base, plain.count, name: "weights file")
  #expect(other.hash == nil && other.qualityCount == 0)
}

@Test("float16 conversion agrees with the compiler's for every float16 and for floats between them")
func halfPrecision() throws {
  // Weights are the only door to the conversion: a model of one tensor holds the values to be tried.
  let finite = (0...UInt16.max).filter { $0 & 0x7c00 != 0x7c00 }
  var values = finite.map { Float(Float16(bitPattern: $0)) }
  for bits in finite {
    let value = Float(Float16(bitPattern: bits))
    let next = Float(Float16(bitPattern: bits).nextUp)
    guard next.isFinite else { continue }
    let middle = (value + next) / 2
    values += [middle, middle.nextUp, middle.nextDown]
  }
  values += [Float.leastNonzeroMagnitude, -Float.leastNonzeroMagnitude, 0x1p-25, 0x1.8p-25, 65519.996]
  let columns = 64
  let rows = 4096
  for start in stride(from: 0, to: values.count, by: columns * rows) {
    let model = try SampleModel.make(
      kind: .linear, width: columns, height: 1, latentCount: 1, hidden: [rows], integers: false)
    let tensor = model.encoder!.layers[0].weights
    for i in 0..<tensor.count { tensor[i] = values[(start + i) % values.count] }
    let back = try readWeights(try WeightFile.write(model, storage: .float16).array)
    var wrong = 0
    for i in 0..<tensor.count {
      let expected = Float(Float16(tensor[i]))
      if back.encoder!.layers[0].weights[i].bitPattern != expected.bitPattern { wrong += 1 }
    }
    #expect(wrong == 0)
  }
}

@Test("yesterday's files read as they did when they were written")
func goldenFiles() throws {
  for (name, storage, hash) in [
    ("tiny.aew", WeightStorage.float32, nil),
    ("tiny-int8.aew", .int8, "f1bf95e98dedaebd6aa74d53c5e4037f2ec0accac369efbff2a25a4fc8bbcab6"),
    ("tiny-conv.aew", .int8, "a9723e8d97271b5dd0c93f5d595fe9478ab1de22ae52e2efc1ec7981dd29537f"),
  ] as [(String, WeightStorage, String?)] {
    let file = try File.read(treePath("Tests/golden/\(name)"))
    let model = try WeightFile.read(file.base, file.count, name: name)
    #expect(model.storage == storage)
    #expect(try WeightFile.summary(file.base, file.count, name: name).hash.map { SHA256.hex($0) } == hash)
    // How sections are deflated may change; what they hold may not.
    let written = try RawWeightFile(try WeightFile.write(model, storage: storage).array)
    let kept = try RawWeightFile(file.array)
    #expect(written.sections.map(\.tag) == kept.sections.map(\.tag))
    #expect(written.sections.map(\.raw) == kept.sections.map(\.raw))
  }
}

@Test("the example that docs/format-aew.md explains is the file in Tests/golden, and what is written today")
func documentedExample() throws {
  let file = try File.read(treePath("Tests/golden/tiny.aew")).array
  #expect(try WeightFile.write(try tinyModel(), storage: .float32).array == file)
  let page = String(decoding: try File.read(treePath("docs/format-aew.md")).array, as: UTF8.self)
  for line in hexdump(file) { #expect(page.contains(line), "\(line)") }
}

/// The model of the example: two pixels, one latent, no hidden layers.
private func tinyModel() throws(AEError) -> Autoencoder {
  let architecture = try Architecture(
    kind: .linear, width: 2, height: 1, latentCount: 1, hidden: [], output: .identity)
  let encoder = try DenseNetwork(shapes: architecture.encoderShapes)
  let decoder = try DenseNetwork(shapes: architecture.decoderShapes)
  encoder.layers[0].weights[0] = 0.5
  encoder.layers[0].weights[1] = -0.25
  encoder.layers[0].bias[0] = 0.125
  decoder.layers[0].weights[0] = 1.5
  decoder.layers[0].weights[1] = -1
  decoder.layers[0].bias[0] = 0.1
  decoder.layers[0].bias[1] = 0
  return try Autoencoder(
    architecture: architecture, name: "tiny", provenance: "by hand", storage: .float32, encoder: encoder,
    decoder: decoder)
}

/// Lines of sixteen bytes, as `hexdump -C` gives them but for the letters.
private func hexdump(_ bytes: [UInt8]) -> [String] {
  func hex(_ value: Int, _ width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: width - digits.count) + digits
  }
  return stride(from: 0, to: bytes.count, by: 16).map { start in
    hex(start, 4) + " "
      + bytes[start..<min(start + 16, bytes.count)].map { " " + hex(Int($0), 2) }.joined()
  }
}

@Test(
  "the golden weight files are written anew",
  .enabled(if: getenv("AE_WRITE_TEST_FILES") != nil, "a writer, for AE_WRITE_TEST_FILES=1"))
func writeGoldenFiles() throws {
  let tiny = try WeightFile.write(try tinyModel(), storage: .float32)
  try File.write(treePath("Tests/golden/tiny.aew"), tiny.base, tiny.count, overwrite: true)
  for line in hexdump(tiny.array) { print(line) }
  let int8 = try WeightFile.write(try SampleModel.make(kind: .vae, seed: 2), storage: .int8)
  try File.write(treePath("Tests/golden/tiny-int8.aew"), int8.base, int8.count, overwrite: true)
  let conv = try WeightFile.write(
    try SampleModel.make(kind: .convVAE, width: 7, height: 5, hidden: [3, 3, 2, 6], seed: 4, shift: 34),
    storage: .int8)
  try File.write(treePath("Tests/golden/tiny-conv.aew"), conv.base, conv.count, overwrite: true)
  for file in [int8, conv] {
    print(SHA256.hex(try WeightFile.summary(file.base, file.count, name: "golden").hash!))
  }
}

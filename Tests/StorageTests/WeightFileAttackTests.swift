// Weight files that lie, are cut short or damaged: each is refused with its own words, and none ends the
// process.

import Bytes
import Compute
import Core
import Glibc
import Model
import Network
import Storage
import Testing

@Test("every truncation of a file is refused as one")
func truncations() throws {
  let whole = try WeightFile.write(try SampleModel.make(kind: .vae), storage: .float32).array
  for count in 0..<whole.count {
    let error = weightFileError { () throws(AEError) in _ = try readWeights(Array(whole[..<count])) }
    #expect(error?.code == .format, "\(count)")
  }
  let error = weightFileError { () throws(AEError) in _ = try readWeights(Array(whole.dropLast())) }
  #expect(
    error?.message
      == "weights file: \(whole.count) bytes are declared, the file has \(whole.count - 1) (byte 16)")
}

@Test("every flip of one bit is refused: by the checksums, except in the magic, version and sizes")
func bitFlips() throws {
  for storage in [WeightStorage.float32, .float16, .int8] {
    let whole = try WeightFile.write(
      try SampleModel.make(kind: .elu, latentCount: 1, hidden: [2]), storage: storage,
      extra: [ExtraSection(tag: WeightFile.tag("xtra"), bytes: try Buffer<UInt8>([1, 2, 3]))]
    ).array
    let body = 32 + 32 * Int(whole[24])
    let copy = try Buffer<UInt8>(whole)
    for bit in 0..<8 * whole.count {
      copy[bit / 8] = whole[bit / 8] ^ 1 << UInt8(bit % 8)
      let error = weightFileError { () throws(AEError) in
        _ = try WeightFile.read(copy.base, copy.count, name: "weights file")
      }
      switch bit / 8 {
      case 0..<8: #expect(error?.code == .format, "bit \(bit)")
      case 8..<10: #expect(error?.code == .version, "bit \(bit)")
      case 24..<28: #expect(error?.code == .format || error?.code == .checksum, "bit \(bit)")
      case 10..<body: #expect(error?.code == .checksum, "bit \(bit)")
      default: #expect(error?.code == .checksum, "bit \(bit)")
      }
      copy[bit / 8] = whole[bit / 8]
    }
  }
}

/// One lie about a file, and the refusal it must meet.
private struct Attack: CustomTestStringConvertible, Sendable {
  let title: String
  let code: AEError.Code
  /// What the message must hold.
  let says: String
  var kind = ModelKind.elu
  var storage = WeightStorage.float32
  let change: @Sendable (inout RawWeightFile) -> Void

  var testDescription: String { title }
}

/// The sample's raw layout: 3 x 2 pixels, hidden 4 and 3, 2 latents; IENC and IDEC begin with a shift, then
/// weights, biases, multipliers, scales and a table.
private let attacks: [Attack] = [
  Attack(title: "an empty table", code: .format, says: "1 to 64 sections, not 0") { $0.sections = [] },
  Attack(title: "more sections than there is file", code: .format, says: "a table of 60 sections") {
    $0.declaredSections = 60
    $0.sections = [$0.sections[0]]
  },
  Attack(title: "4 billion sections", code: .format, says: "1 to 64 sections, not 4294967295") {
    $0.declaredSections = .max
  },
  Attack(title: "a later major version", code: .version, says: "a weight file of version 3") { $0.major = 3 },
  Attack(title: "major version 0", code: .version, says: "a weight file of version 0") { $0.major = 0 },
  Attack(title: "flags", code: .version, says: "flags 1 ") { $0.flags = 1 },
  Attack(title: "a size of 2^63", code: .format, says: "9223372036854775808 bytes are declared") {
    $0.declaredCount = 1 << 63
  },
  Attack(title: "a size of 0", code: .format, says: "0 bytes are declared") { $0.declaredCount = 0 },
  Attack(title: "bytes after the last section", code: .format, says: "3 bytes follow the last section") {
    $0.trailer = [1, 2, 3]
  },
  Attack(title: "a section of 2^63 stored bytes", code: .format, says: "declares 9223372036854775808 bytes") {
    $0["FD32"].declaredStored = 1 << 63
  },
  Attack(title: "a section of -1 stored bytes", code: .format, says: "declares 18446744073709551615 bytes") {
    $0["FD32"].declaredStored = .max
  },
  Attack(title: "a section that takes in its successor", code: .format, says: "CODC declares") {
    $0["IDEC"].declaredStored = UInt64($0["IDEC"].raw.count + 8)
    $0["IDEC"].declaredRaw = UInt64($0["IDEC"].raw.count + 8)
  },
  Attack(title: "a section of 0 stored bytes", code: .format, says: "FD32: 0 stored bytes cannot make") {
    $0["FD32"].declaredStored = 0
  },
  Attack(title: "2^63 raw bytes", code: .format, says: "cannot make 9223372036854775808") {
    $0["FD32"].declaredRaw = 1 << 63
    $0["FD32"].deflated = true
  },
  Attack(title: "-1 raw bytes", code: .format, says: "cannot make 18446744073709551615") {
    $0["FD32"].declaredRaw = .max
  },
  Attack(title: "0 raw bytes", code: .format, says: "declares 0 raw bytes, the architecture makes 220") {
    $0["FD32"].declaredRaw = 0
    $0["FD32"].deflated = true
  },
  Attack(title: "a value too few", code: .format, says: "declares 216 raw bytes, the architecture makes 220")
  {
    $0["FD32"].raw.removeLast(4)
  },
  Attack(title: "a value too many", code: .format, says: "declares 224 raw bytes, the architecture makes 220")
  {
    $0["FD32"].raw += [0, 0, 0, 0]
  },
  Attack(title: "a bomb", code: .format, says: "FD32: the compressed bytes make more than the 220 declared") {
    $0["FD32"].raw = [UInt8](repeating: 0, count: 1 << 20)
    $0["FD32"].declaredRaw = 220
    $0["FD32"].deflated = true
  },
  Attack(title: "a stream that makes too little", code: .format, says: "make 148 bytes, 220 are declared") {
    $0["FD32"].raw.removeLast(72)
    $0["FD32"].declaredRaw = 220
    $0["FD32"].deflated = true
  },
  Attack(title: "a damaged stream", code: .format, says: "IDEC: the compressed bytes are damaged") {
    $0["IDEC"].deflated = false
    $0["IDEC"].encoding = 1
  },
  Attack(title: "an unknown encoding", code: .version, says: "section FD32: encoding 2") {
    $0["FD32"].encoding = 2
  },
  Attack(title: "a used reserve", code: .version, says: "section FD32: encoding 0, 7") {
    $0["FD32"].reserved = 7
  },
  Attack(title: "a wrong checksum", code: .checksum, says: "section FD32 does not match") {
    $0["FD32"].checksum = 1
  },
  Attack(title: "a section twice", code: .format, says: "a second section IDEC") {
    $0.sections.append($0["IDEC"])
  },
  Attack(title: "sections out of order", code: .format, says: "section IDEC is out of order") {
    let last = $0.sections.count - 1
    $0.sections.swapAt(last, last - 1)
  },
  Attack(title: "no architecture", code: .format, says: "the first section must be ARCH, not FE32") {
    $0.sections.removeFirst()
  },
  Attack(title: "an optional section first", code: .format, says: "section ARCH follows an optional section")
  {
    $0.sections.insert(RawWeightFile.Section(tag: "note", raw: []), at: 0)
  },
  Attack(title: "an unknown required section", code: .version, says: "section NEWS is required and not known")
  {
    $0.sections.append(RawWeightFile.Section(tag: "NEWS", raw: []))
  },
  Attack(title: "a tag that is no text", code: .format, says: "a section's tag must be letters and digits") {
    $0["CODC"].tag = "a\0bc"
  },
  Attack(title: "no decoder", code: .format, says: "there is no decoder") {
    $0.sections.removeAll { ["FD32", "IDEC", "IENC", "CODC"].contains($0.tag) }
  },
  Attack(title: "an integer decoder without codec", code: .format, says: "IDEC and CODC come together") {
    $0.sections.removeLast()
  },
  Attack(title: "a codec without integer decoder", code: .format, says: "IDEC and CODC come together") {
    $0.sections.removeAll { $0.tag == "IDEC" }
  },
  Attack(title: "an integer encoder alone", code: .format, says: "IENC only with them") {
    $0.sections.removeAll { ["IDEC", "CODC"].contains($0.tag) }
  },
  Attack(title: "floats of two precisions", code: .format, says: "of its precision, one encoder") {
    $0["FE32"].tag = "FE16"
  },
  Attack(title: "a float encoder without decoder", code: .format, says: "of its precision, one encoder") {
    $0.sections.removeAll { $0.tag == "FD32" }
  },

  Attack(title: "an unknown kind", code: .version, says: "kind 9") { $0["ARCH"].raw[0] = 9 },
  Attack(title: "a kind of convolution layers", code: .version, says: "for a conv-vae") {
    $0["ARCH"].raw[0] = 6
  },
  Attack(title: "an unknown output", code: .version, says: "output activation 4") { $0["ARCH"].raw[1] = 4 },
  Attack(title: "an output that none has", code: .format, says: "must be linear or sigmoid") {
    $0["ARCH"].raw[1] = 2
  },
  Attack(title: "another form of layers", code: .version, says: "layers of form 1") { $0["ARCH"].raw[2] = 1 },
  Attack(title: "dense layers in a conv-vae", code: .version, says: "layers of form 0", kind: .convVAE) {
    $0["ARCH"].raw[2] = 0
  },
  Attack(title: "a conv-vae of one layer", code: .format, says: "hidden layers of a conv-vae", kind: .convVAE)
  {
    $0["ARCH"].raw[3] = 1
    $0["ARCH"].raw.removeSubrange(14..<16)
  },
  Attack(title: "1025 channels", code: .format, says: "channels must be in 1 ... 1024", kind: .convVAE) {
    ($0["ARCH"].raw[12], $0["ARCH"].raw[13]) = (1, 4)
  },
  Attack(
    title: "a picture of a million numbers", code: .format, says: "it would read 1048576 numbers",
    kind: .convVAE
  ) {
    ($0["ARCH"].raw[4], $0["ARCH"].raw[6]) = (64, 64)
    ($0["ARCH"].raw[12], $0["ARCH"].raw[13]) = (0, 4)
  },
  Attack(
    title: "a picture of 33792 numbers", code: .format, says: "numbers in the picture of a layer",
    kind: .convVAE
  ) {
    ($0["ARCH"].raw[4], $0["ARCH"].raw[6]) = (64, 64)
    $0["ARCH"].raw[12] = 33
  },
  Attack(
    title: "other pictures than the tensors'", code: .format, says: "the architecture", kind: .convVAE
  ) {
    $0["ARCH"].raw[12] = 5
  },
  // encoder.0 of a conv-vae: shift, zero, 4 x 16 weights, 4 biases; decoder.2: its layers before have 2 x 3 and
  // 3 x 8 numbers.
  Attack(
    title: "a convolution's weight of -128", code: .format, says: "\"encoder.0.weight\": value 1 must be",
    kind: .convVAE
  ) {
    $0["IENC"].raw[3] = 0x80
  },
  Attack(
    title: "a convolution's sum beyond 32 bits", code: .format, says: "a sum could reach", kind: .convVAE
  ) {
    for plane in 0..<4 { $0["IENC"].raw[2 + 64 + 4 * plane] = plane == 3 ? 0x7f : 0xff }
  },
  Attack(title: "nine hidden layers", code: .format, says: "9 hidden layers are too many") {
    $0["ARCH"].raw[3] = 9
  },
  Attack(title: "hidden layers in a pca", code: .format, says: "too many for a pca", kind: .pca) {
    $0["ARCH"].raw[3] = 1
  },
  Attack(title: "no width", code: .format, says: "image width must be in 1 ... 64, not 0") {
    $0["ARCH"].raw[4] = 0
  },
  Attack(title: "a width of 65539", code: .format, says: "image width must be in 1 ... 64, not 259") {
    $0["ARCH"].raw[5] = 1
  },
  Attack(title: "three channels", code: .format, says: "channels must be in 1 ... 1, not 3") {
    $0["ARCH"].raw[8] = 3
  },
  Attack(title: "no latents", code: .format, says: "latent size must be in 1 ... 1024, not 0") {
    $0["ARCH"].raw[10] = 0
  },
  Attack(title: "65535 latents", code: .format, says: "latent size must be in 1 ... 1024, not 65535") {
    ($0["ARCH"].raw[10], $0["ARCH"].raw[11]) = (255, 255)
  },
  Attack(title: "a hidden width of 0", code: .format, says: "hidden width must be in 1 ... 4096, not 0") {
    $0["ARCH"].raw[12] = 0
  },
  Attack(
    title: "other sizes than the tensors'", code: .format,
    says: "FE32 declares 204 raw bytes, the architecture"
  ) {
    $0["ARCH"].raw[10] = 3
  },
  Attack(title: "the largest architecture over small tensors", code: .format, says: "FE32 declares") {
    $0["ARCH"].raw[3] = 8
    $0["ARCH"].raw.replaceSubrange(12..<16, with: [UInt8](repeating: [0x00, 0x10], times: 8))
  },
  Attack(title: "a name that is too long", code: .format, says: "a name of 65 bytes") {
    $0["ARCH"].raw[16] = 65
  },
  Attack(title: "a name that is no text", code: .format, says: "text is not UTF-8") {
    $0["ARCH"].raw[17] = 0xff
  },
  Attack(title: "a name with NUL", code: .format, says: "text is not UTF-8 without NUL") {
    $0["ARCH"].raw[18] = 0
  },
  Attack(title: "a provenance beyond the section", code: .format, says: "bytes expected") {
    $0["ARCH"].raw[17 + 9] = 255
  },
  Attack(title: "bytes after the provenance", code: .format, says: "1 bytes too many") {
    $0["ARCH"].raw.append(0)
  },

  // A float's words: 4 planes, the sign last; exponent 255 is the highest plane. encoder.1.weight has 12
  // values from byte 112, decoder.0.bias 3 from byte 24.
  Attack(
    title: "a NaN weight", code: .format, says: "FE32: tensor \"encoder.1.weight\": value 5 is not finite"
  ) {
    for plane in 0..<4 { $0["FE32"].raw[112 + 12 * plane + 5] = 0xff }
  },
  Attack(
    title: "an infinite bias", code: .format, says: "FD32: tensor \"decoder.0.bias\": value 2 is not finite"
  ) {
    for plane in 0..<4 { $0["FD32"].raw[24 + 3 * plane + 2] = plane == 3 ? 0xff : 0 }
  },
  Attack(
    title: "a NaN of 16 bits", code: .format, says: "FD16: tensor \"decoder.0.bias\": value 2 is not finite",
    storage: .float16
  ) {
    for plane in 0..<2 { $0["FD16"].raw[12 + 3 * plane + 2] = 0xff }
  },

  // decoder.0 has 6 weights, 3 outputs: shift at 0, weights at 1, biases at 7, multipliers at 19, scales at 31.
  Attack(title: "a shift of 0", code: .format, says: "\"decoder.0.shift\" must be in 1 ... 62, not 0") {
    $0["IDEC"].raw[0] = 0
  },
  Attack(title: "a shift of 63", code: .format, says: "\"decoder.0.shift\" must be in 1 ... 62, not 63") {
    $0["IDEC"].raw[0] = 63
  },
  Attack(
    title: "a weight of -128", code: .format, says: "\"decoder.0.weight\": value 2 must be in -127 ... 127"
  ) {
    $0["IDEC"].raw[3] = 0x80
  },
  Attack(title: "a negative multiplier", code: .format, says: "\"decoder.0.multiplier\": value 1 is negative")
  {
    $0["IDEC"].raw[19 + 9 + 1] = 0x80
  },
  Attack(
    title: "a scale that is not finite", code: .format, says: "\"decoder.0.scale\": value 0 is not finite"
  ) {
    for plane in 0..<4 { $0["IDEC"].raw[31 + 3 * plane] = 0xff }
  },
  Attack(title: "a sum beyond 32 bits", code: .format, says: "layer \"decoder.0\": integer layer, output 0") {
    for plane in 0..<4 { $0["IDEC"].raw[7 + 3 * plane] = plane == 3 ? 0x7f : 0xff }
  },

  // CODC: counts, 2 scales at 2, then for each quality 2 steps at 10 and tables from 14: lowest, count, values.
  Attack(title: "no qualities", code: .format, says: "1 to 16 qualities, not 0") { $0["CODC"].raw[0] = 0 },
  Attack(title: "17 qualities", code: .format, says: "1 to 16 qualities, not 17") { $0["CODC"].raw[0] = 17 },
  Attack(title: "a quality too many", code: .format, says: "bytes expected, 0 follow") {
    $0["CODC"].raw[0] = 4
  },
  Attack(title: "a quality too few", code: .format, says: "bytes too many") { $0["CODC"].raw[0] = 2 },
  Attack(title: "a default quality that is none", code: .format, says: "default 4") { $0["CODC"].raw[1] = 4 },
  Attack(title: "a scale of 0", code: .format, says: "a latent's scale must be positive") {
    for i in 2..<6 { $0["CODC"].raw[i] = 0 }
  },
  Attack(title: "a NaN scale", code: .format, says: "a latent's scale must be positive") {
    for i in 2..<6 { $0["CODC"].raw[i] = 0xff }
  },
  Attack(title: "a step of 0", code: .format, says: "a quantiser step must be in 1 ... 16383, not 0") {
    ($0["CODC"].raw[10], $0["CODC"].raw[11]) = (0, 0)
  },
  Attack(title: "a table of 65535 symbols", code: .format, says: "2 to 4096 symbols, not 65535") {
    ($0["CODC"].raw[16], $0["CODC"].raw[17]) = (255, 255)
  },
  Attack(title: "a table of no symbols", code: .format, says: "2 to 4096 symbols, not 0") {
    ($0["CODC"].raw[16], $0["CODC"].raw[17]) = (0, 0)
  },
  Attack(title: "a frequency of 0", code: .format, says: "quality 1, latent 0: a frequency of 0") {
    ($0["CODC"].raw[18], $0["CODC"].raw[19]) = (0, 0)
  },
  Attack(title: "frequencies that sum to 4097", code: .format, says: "frequencies must sum to 4096, not 4097")
  {
    $0["CODC"].raw[18] = 2
  },
  Attack(
    title: "values beyond the latents' range", code: .format, says: "symbols from -32768 is out of range"
  ) {
    ($0["CODC"].raw[14], $0["CODC"].raw[15]) = (0x00, 0x80)
  },

  // SCAN, which the sample does not have: number of layers, u16 inputs, 129 probabilities from byte 3, and from byte
  // 261 a layer of 66 weights: shift, weights, bias, multiplier, scale.
  scanAttack("a scan network without codec", "a scan network") {
    $0.sections.removeAll { ["IENC", "IDEC", "CODC"].contains($0.tag) }
  },
  scanAttack("an empty scan section", "SCAN") { $0["SCAN"].raw = [] },
  scanAttack("a scan network of no layers", "a scan network") { $0["SCAN"].raw[0] = 0 },
  scanAttack("a scan network of six layers", "a scan network") { $0["SCAN"].raw[0] = 6 },
  scanAttack("a scan network of 255 layers", "a scan network") { $0["SCAN"].raw[0] = 255 },
  scanAttack("a scan network of no inputs", "a scan network") { $0["SCAN"].raw[1] = 0 },
  scanAttack("a scan network of 1025 inputs", "a scan network") {
    ($0["SCAN"].raw[1], $0["SCAN"].raw[2]) = (1, 4)
  },
  scanAttack("a scan network of more inputs than weights", "bytes expected, 79 follow") {
    $0["SCAN"].raw[1] = 67
  },
  scanAttack("a scan network that is cut", "bytes expected, 78 follow") { $0["SCAN"].raw.removeLast() },
  scanAttack("bytes after a scan network", "bytes expected, 80 follow") { $0["SCAN"].raw.append(0) },
  scanAttack("a probability of 0", "must rise, from 1 on") {
    ($0["SCAN"].raw[3], $0["SCAN"].raw[4]) = (0, 0)
  },
  scanAttack("probabilities that fall", "must rise, from 1 on") {
    ($0["SCAN"].raw[3 + 2 * 64], $0["SCAN"].raw[4 + 2 * 64]) = (1, 0)
  },
  scanAttack("a scan network with a shift of 0", "\"scan.0.shift\" must be in 1 ... 62, not 0") {
    $0["SCAN"].raw[261] = 0
  },
  scanAttack("a scan network with a weight of -128", "\"scan.0.weight\": value 1 must be in -127 ... 127") {
    $0["SCAN"].raw[263] = 0x80
  },
  scanAttack("a scan network with a sum beyond 32 bits", "a sum could reach") {
    $0["SCAN"].raw.replaceSubrange(328..<332, with: [0xFF, 0xFF, 0xFF, 0x7F])
  },
  scanAttack("a scan network with a negative multiplier", "\"scan.0.multiplier\": value 0 is negative") {
    $0["SCAN"].raw[335] = 0x80
  },
  scanAttack("a scan network with a NaN scale", "\"scan.0.scale\": value 0 is not finite") {
    $0["SCAN"].raw.replaceSubrange(336..<340, with: [0xFF, 0xFF, 0xFF, 0xFF])
  },
  scanAttack("a scan network of 2^63 bytes", "declares 9223372036854775808") {
    $0["SCAN"].declaredRaw = 1 << 63
    $0["SCAN"].declaredStored = 1 << 63
  },
  scanAttack("a scan section before the codec", "out of order") {
    $0.sections.swapAt($0.sections.count - 1, $0.sections.count - 2)
  },

  // PRED, which the sample does not have either: number of layers, u16 inputs and outputs, two planes of 4096 bytes of the
  // table from byte 5, and from byte 8197 a layer of 232 x 31: shift, weights, biases from 15390, multipliers, scales.
  predictorAttack("an empty predictor", "PRED") { $0["PRED"].raw = [] },
  predictorAttack("a predictor of no layers", "1 to 5 layers expected, not of 0") { $0["PRED"].raw[0] = 0 },
  predictorAttack("a predictor of six layers", "1 to 5 layers expected, not of 6") { $0["PRED"].raw[0] = 6 },
  predictorAttack("a predictor of 231 inputs", "232 inputs and at most 262144 weights expected, not of 231") {
    $0["PRED"].raw[1] = 231
  },
  predictorAttack("a predictor of 30 outputs", "31 outputs expected, not of 30") { $0["PRED"].raw[3] = 30 },
  predictorAttack("a predictor of no hidden units", "1 to 1024 units expected, not of 0") {
    $0["PRED"].raw.replaceSubrange(0..<5, with: [2, 232, 0, 0, 0, 31, 0])
  },
  predictorAttack("a predictor of 1025 hidden units", "1 to 1024 units expected, not of 1025") {
    $0["PRED"].raw.replaceSubrange(0..<5, with: [2, 232, 0, 1, 4, 31, 0])
  },
  predictorAttack("a predictor of too many weights", "at most 262144 weights expected, not of 232 and 269312")
  {
    $0["PRED"].raw.replaceSubrange(0..<5, with: [2, 232, 0, 0, 4, 31, 0])
  },
  predictorAttack("a predictor whose table is cut", "PRED") { $0["PRED"].raw.removeLast(8000) },
  predictorAttack("a predictor that is cut", "a predictor of 7565 more bytes expected, 7564 follow") {
    $0["PRED"].raw.removeLast()
  },
  predictorAttack("bytes after a predictor", "a predictor of 7565 more bytes expected, 7566 follow") {
    $0["PRED"].raw.append(0)
  },
  predictorAttack("a predictor with a shift of 0", "\"predictor.0.shift\" must be in 1 ... 62, not 0") {
    $0["PRED"].raw[8197] = 0
  },
  predictorAttack("a predictor with a shift of 63", "\"predictor.0.shift\" must be in 1 ... 62, not 63") {
    $0["PRED"].raw[8197] = 63
  },
  predictorAttack(
    "a predictor with a weight of -128", "\"predictor.0.weight\": value 1 must be in -127 ... 127"
  ) {
    $0["PRED"].raw[8199] = 0x80
  },
  predictorAttack("a predictor with a sum beyond 32 bits", "a sum could reach") {
    for plane in 0..<4 { $0["PRED"].raw[15390 + 31 * plane + 3] = plane == 3 ? 0x7F : 0xFF }
  },
  predictorAttack("a predictor with a negative multiplier", "\"predictor.0.multiplier\": value 2 is negative")
  {
    $0["PRED"].raw[15390 + 124 + 93 + 2] = 0x80
  },
  predictorAttack("a predictor with a NaN scale", "\"predictor.0.scale\": value 0 is not finite") {
    for plane in 0..<4 { $0["PRED"].raw[15390 + 248 + 31 * plane] = 0xFF }
  },
  predictorAttack("a predictor of 2^63 bytes", "9223372036854775808") {
    $0["PRED"].declaredRaw = 1 << 63
    $0["PRED"].declaredStored = 1 << 63
  },
  predictorAttack("a predictor before the codec", "out of order") {
    $0.sections.swapAt($0.sections.count - 1, $0.sections.count - 2)
  },
  predictorAttack("two predictors", "PRED") { $0.sections.append($0["PRED"]) },
  predictorAttack(
    "a predictor that has a codec", "a predictor has section PRED, perhaps SCAN, and none of an autoencoder"
  ) {
    $0["ARCH"].raw = predictorArchitecture
  },
  predictorAttack("a kind of predictor without predictor", "a predictor has section PRED") {
    $0.sections.removeAll { $0.tag != "ARCH" }
    $0["ARCH"].raw = predictorArchitecture
  },
  predictorAttack("a predictor of a size", "a predictor has no size") {
    $0.sections.removeAll { $0.tag != "ARCH" && $0.tag != "PRED" }
    $0["ARCH"].raw = predictorArchitecture
    $0["ARCH"].raw[4] = 28
  },
]

/// The section ARCH of a model that is a predictor alone.
private let predictorArchitecture: [UInt8] = [7] + [UInt8](repeating: 0, count: 11) + [1, 0x70, 0, 0]

/// The raw bytes of a sound section PRED: one layer.
private func predictorSection() -> [UInt8] {
  var raw: [UInt8] = [1, 232, 0, 31, 0] + [UInt8](repeating: 0, count: 8192) + [10]
  for index in 0..<232 * 31 { raw.append(UInt8(truncatingIfNeeded: index % 7 - 3)) }
  raw += [UInt8](repeating: 0, count: 124)
  return raw + [UInt8](repeating: 1, count: 31) + [UInt8](repeating: 0, count: 93 + 124)
}

/// A lie about a predictor of pixels, which the file is given first.
private func predictorAttack(
  _ title: String, _ says: String, _ change: @escaping @Sendable (inout RawWeightFile) -> Void
) -> Attack {
  Attack(title: title, code: .format, says: says) { file in
    file.sections.append(RawWeightFile.Section(tag: "PRED", raw: predictorSection(), deflated: true))
    change(&file)
  }
}

/// The raw bytes of a sound section SCAN: one layer of 66 weights.
private func scanSection() -> [UInt8] {
  var raw: [UInt8] = [1, 66, 0]
  for index in 0..<129 { raw += [UInt8(truncatingIfNeeded: 1 + 500 * index), UInt8((1 + 500 * index) >> 8)] }
  raw += [10] + (0..<66).map { UInt8($0) }
  return raw + [0, 0, 0, 0] + [1, 0, 0, 0] + [0, 0, 0, 0]
}

/// A lie about a scan network, which the file is given first.
private func scanAttack(
  _ title: String, _ says: String, _ change: @escaping @Sendable (inout RawWeightFile) -> Void
) -> Attack {
  Attack(title: title, code: .format, says: says) { file in
    file.sections.append(RawWeightFile.Section(tag: "SCAN", raw: scanSection()))
    change(&file)
  }
}

extension [UInt8] {
  fileprivate init(repeating pattern: [UInt8], times: Int) {
    self = (0..<times).flatMap { _ in pattern }
  }
}

@Test("a file that lies is refused with words for its lie", arguments: attacks)
private func attack(attack: Attack) throws {
  let model = try SampleModel.make(
    kind: attack.kind, hidden: attack.kind == .pca ? [] : [4, 3], storage: attack.storage)
  var file = try RawWeightFile(model, attack.storage)
  #expect(sameModel(model, try readWeights(try file.bytes())))
  attack.change(&file)
  let bytes = try file.bytes()
  let error = weightFileError { () throws(AEError) in _ = try readWeights(bytes) }
  #expect(error?.code == attack.code, "\(error?.message ?? "it was read")")
  #expect(error?.message.contains(attack.says) == true, "\(error?.message ?? "it was read")")
  #expect(error?.message.hasPrefix("weights file: ") == true)
}

@Test("a sound scan network is read, kept, and part of the hash")
func soundScanNetwork() throws {
  let model = try SampleModel.make(kind: .elu, storage: .int8, floats: false)
  var file = try RawWeightFile(model, .int8)
  file.sections.append(RawWeightFile.Section(tag: "SCAN", raw: scanSection()))
  let read = try readWeights(try file.bytes())
  #expect(read.scanModel?.inputCount == 66)
  #expect(try WeightFile.hash(read) != WeightFile.hash(model))
  let written = try RawWeightFile(read, .int8)
  #expect(written["SCAN"].raw == scanSection())
  let alone = try WeightFile.write(read, storage: .int8, decoderOnly: true)
  let decoder = try readWeights(alone.array)
  #expect(try WeightFile.hash(decoder) == WeightFile.hash(read) && decoder.scanModel != nil)
  #expect(try WeightFile.summary(alone.base, alone.count, name: "weights file").hash == WeightFile.hash(read))
}

@Test("a sound predictor is read and kept; of an autoencoder it does not change the hash")
func soundPredictor() throws {
  let model = try SampleModel.make(kind: .elu, storage: .int8, floats: false)
  var file = try RawWeightFile(model, .int8)
  file.sections.append(RawWeightFile.Section(tag: "PRED", raw: predictorSection()))
  let read = try readWeights(try file.bytes())
  #expect(read.predictor?.shapes.map(\.inputs) == [232])
  // Codes do not depend on it; sets name it by a hash of its own.
  #expect(try WeightFile.hash(read) == WeightFile.hash(model))
  let own = try #require(read.predictor).sectionHash()
  #expect(try RawWeightFile(read, .int8)["PRED"].raw == predictorSection())
  let alone = try WeightFile.write(read, storage: .int8, decoderOnly: true)
  #expect(try readWeights(alone.array).predictor?.sectionHash() == own)
  let summary = try WeightFile.summary(alone.base, alone.count, name: "weights file")
  #expect(summary.predictorHash == own && summary.predictorWidths == [232, 31])

  file.sections.removeAll { $0.tag != "ARCH" && $0.tag != "PRED" }
  file["ARCH"].raw = predictorArchitecture
  let predictor = try readWeights(try file.bytes())
  #expect(predictor.architecture == .predictor && predictor.name == "p")
  #expect(try predictor.predictor?.sectionHash() == own)
  let bytes = try WeightFile.write(predictor, storage: .int8)
  #expect(
    try WeightFile.summary(bytes.base, bytes.count, name: "weights file").hash == WeightFile.hash(predictor))
}

@Test("attack files that are kept are refused, by readers of models and of summaries")
func keptAttackFiles() throws {
  let folder = treePath("Tests/attack/aew")
  let directory = try #require(opendir(folder))
  defer { closedir(directory) }
  var count = 0
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    guard name.hasSuffix(".aew") else { continue }
    count += 1
    let file = try File.read("\(folder)/\(name)")
    let error = weightFileError { () throws(AEError) in
      _ = try WeightFile.read(file.base, file.count, name: name)
    }
    #expect(error != nil, "\(name)")
    _ = weightFileError { () throws(AEError) in
      _ = try WeightFile.summary(file.base, file.count, name: name)
    }
  }
  #expect(count > 0)
}

@Test(
  "attack files are written anew",
  .enabled(if: getenv("AE_WRITE_TEST_FILES") != nil, "a writer, for AE_WRITE_TEST_FILES=1"))
func writeAttackFiles() throws {
  for attack in attacks {
    let model = try SampleModel.make(
      kind: attack.kind, hidden: attack.kind == .pca ? [] : [4, 3], storage: attack.storage)
    var file = try RawWeightFile(model, attack.storage)
    // The tables of activation functions are long: deflate what the attack leaves alone.
    for index in file.sections.indices where file.sections[index].raw.count > 1000 {
      file.sections[index].deflated = true
    }
    attack.change(&file)
    let name = String(attack.title.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" })
    let bytes = try file.bytes()
    try File.write(treePath("Tests/attack/aew/\(name).aew"), bytes, bytes.count, overwrite: true)
  }
}

@Test("20,000 random damages with right checksums never end the process, and what is read can be written")
func randomDamage() throws {
  var files: [RawWeightFile] = []
  for (kind, storage, hidden) in [
    (ModelKind.vae, WeightStorage.float32, []), (.vae, .float16, []), (.vae, .int8, [2]),
    (.convVAE, .float32, [2, 2]), (.convVAE, .int8, [1, 1, 2]),
  ] {
    files.append(
      try RawWeightFile(
        try SampleModel.make(kind: kind, latentCount: 1, hidden: hidden, storage: storage), storage))
  }
  for isNarrow in [false, true] {
    files.append(try RawWeightFile(try SampleModel.make(try SampleModel.custom(), isNarrow: isNarrow), .int8))
  }
  var random = RandomStream(seed: 5, stream: 0)
  var accepted = 0
  var refused = 0
  for round in 0..<20_000 {
    var file = files[round % files.count]
    for _ in 0...random.below(3) {
      let which = random.below(file.sections.count)
      switch random.below(12) {
      case 0: file.sections.remove(at: which)
      case 1: file.sections.insert(file.sections[which], at: random.below(file.sections.count))
      case 2: file.sections[which].declaredRaw = UInt64(random.next()) << UInt64(random.below(33))
      case 3: file.sections[which].declaredStored = UInt64(random.next()) << UInt64(random.below(33))
      case 4: file.sections[which].raw.removeLast(random.below(file.sections[which].raw.count + 1))
      case 5: file.sections[which].raw += [UInt8](repeating: 0, count: random.below(9))
      case 6: file.sections[which].encoding = UInt32(random.below(3))
      default:
        // Mostly where the numbers are, at the front; tables of activation functions are long and free.
        guard !file.sections[which].raw.isEmpty else { continue }
        let reach =
          random.below(2) == 0 ? min(40, file.sections[which].raw.count) : file.sections[which].raw.count
        let at = random.below(reach)
        let special: [UInt8] = [0, 1, 0x7f, 0x80, 0xff]
        file.sections[which].raw[at] =
          random.below(2) == 0 ? special[random.below(5)] : UInt8(truncatingIfNeeded: random.next())
      }
      if file.sections.isEmpty { break }
      if random.below(16) == 0 { file.sections[random.below(file.sections.count)].deflated.toggle() }
    }
    let bytes = try file.bytes()
    let copy = try Buffer<UInt8>(bytes)
    do {
      let model = try WeightFile.read(copy.base, copy.count, name: "weights file")
      accepted += 1
      // Deflating is what takes the time: do it now and then.
      guard accepted % 16 == 0 else { continue }
      let again = try WeightFile.write(model, storage: model.storage).array
      #expect(sameModel(model, try readWeights(again)))
    } catch let error as AEError {
      refused += 1
      #expect(error.code != .internal && !error.message.isEmpty)
    }
  }
  // Both outcomes must be common, or the damage tests nothing.
  #expect(accepted > 1000 && refused > 1000, "\(accepted) were read, \(refused) refused")
}

@Test("memory that is refused is an error while a file is read, not the end")
func memoryRefused() throws {
  // 8 million weights that deflate to almost nothing; the child may have less memory than they take.
  let architecture = try Architecture(
    kind: .elu, width: 4, height: 4, latentCount: 2, hidden: [2048, 2048], output: .identity)
  let model = try Autoencoder(
    architecture: architecture, name: "zeros", storage: .float16,
    encoder: try DenseNetwork(shapes: architecture.encoderShapes),
    decoder: try DenseNetwork(shapes: architecture.decoderShapes))
  let file = try WeightFile.write(model, storage: .float16)
  let fork = unsafeBitCast(dlsym(nil, "fork"), to: (@convention(c) () -> pid_t).self)
  let child = fork()
  if child == 0 {
    var pages: UInt = 0
    // The size of the process in pages is the first number of /proc/self/statm.
    if let text = try? File.read("/proc/self/statm").array {
      for digit in text { if digit < 48 { break } else { pages = pages * 10 + UInt(digit - 48) } }
    }
    let most = rlim_t(pages * 4096 + (64 << 20))
    var limit = rlimit(rlim_cur: most, rlim_max: most)
    setrlimit(__rlimit_resource_t(9), &limit)
    // What earlier tests freed may serve for the first; in the end there is nothing left.
    var kept: [Autoencoder] = []
    let error = weightFileError { () throws(AEError) in
      for _ in 0..<100 { kept.append(try WeightFile.read(file.base, file.count, name: "weights file")) }
    }
    _exit(error?.code == .memory ? 7 : 8)
  }
  var status: Int32 = -1
  while waitpid(child, &status, 0) < 0 && errno == EINTR {}
  #expect(status == 7 << 8)
}

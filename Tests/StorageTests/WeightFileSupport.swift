// Models made up from a seed, and a second, independent writer of the outer format: the tests damage files
// at will and then make their checksums right again, so that the damage gets past them.

import Bytes
import Compute
import Core
import Glibc
import Latent
import Model
import Network
import Storage

/// The error that `body` throws, or nil.
func weightFileError(_ body: () throws(AEError) -> Void) -> AEError? {
  do {
    try body()
    return nil
  } catch {
    return error
  }
}

/// A folder of the source tree.
func treePath(_ path: String, file: String = #filePath) -> String {
  // .../Tests/StorageTests/WeightFileSupport.swift
  let parts = file.split(separator: "/")
  return "/" + parts.dropLast(3).joined(separator: "/") + "/" + path
}

enum SampleModel {
  static func make(
    kind: ModelKind, width: Int = 3, height: Int = 2, latentCount: Int = 2, hidden: [Int] = [4, 3],
    storage: WeightStorage = .float32, encoder: Bool = true, floats: Bool = true, integers: Bool = true,
    seed: UInt64 = 1, shift: Int? = nil, isNarrow: Bool = false,
    weight: ((LayerShape, Int, inout RandomStream) -> Int)? = nil
  ) throws(AEError) -> Autoencoder {
    try make(
      try Architecture(
        kind: kind, width: width, height: height, latentCount: latentCount, hidden: hidden, output: .identity),
      storage: storage, encoder: encoder, floats: floats, integers: integers, seed: seed, shift: shift,
      isNarrow: isNarrow, weight: weight)
  }

  /// Lists with every operation: RGB of 6 x 5 pixels, 3 latents.
  static func custom(isVariational: Bool = false) throws(AEError) -> Architecture {
    let encoder = try NodeList(
      text: "convolution(channels=4,kernel=3,padding=1,activation=relu);"
        + "convolution(channels=4,kernel=3,padding=1);add(0,1,activation=leaky_relu:0.2);"
        + "max_pool(kernel=2,stride=2);mean_pool(2,kernel=2,stride=2);concatenate(3,4);activation(activation=gelu);"
        + "convolution(channels=2,kernel=2,stride=2,padding=1,activation=silu);upsample(factor=2);channels_first();"
        + "dense(outputs=\(isVariational ? 6 : 3));reshape(height=1,width=1,channels=\(isVariational ? 6 : 3))",
      input: FeatureShape(height: 5, width: 6, channels: 3))
    let decoder = try NodeList(
      text: "reshape(height=1,width=3,channels=1);dense(height=3,width=3,channels=2,activation=tanh);"
        + "convolution(0,channels=2,kernel=1,activation=elu);dense(height=3,width=3,channels=2,activation=gelu_tanh);"
        + "concatenate(1,3);transposed_convolution(channels=3,kernel=4,stride=2,padding=1,activation=sigmoid);"
        + "mean_pool(whole=true);dense(outputs=90);channels_last(height=5,width=6,channels=3)",
      input: FeatureShape(vector: 3))
    return try Architecture(
      kind: .custom, width: 6, height: 5, channels: 3, latentCount: 3, output: .identity,
      custom: CustomNetwork(encoder: encoder.nodes, decoder: decoder.nodes, isVariational: isVariational))
  }

  /// - Parameter weight: gives the integer weights of a layer in place of drawn ones.
  static func make(
    _ architecture: Architecture, storage: WeightStorage = .float32, encoder: Bool = true,
    floats: Bool = true, integers: Bool = true, seed: UInt64 = 1, shift: Int? = nil, isNarrow: Bool = false,
    weight: ((LayerShape, Int, inout RandomStream) -> Int)? = nil
  ) throws(AEError) -> Autoencoder {
    var random = RandomStream(seed: seed, stream: 0)
    return try Autoencoder(
      architecture: architecture, name: "sample é", provenance: "drawn from seed \(seed)", storage: storage,
      encoder: floats && encoder ? try network(architecture.encoderShapes, storage, &random) : nil,
      decoder: floats ? try network(architecture.decoderShapes, storage, &random) : nil,
      integerEncoder: integers && encoder
        ? try IntegerNetwork(
          layers: try layers(architecture.encoderShapes, isDecoder: false, shift, isNarrow, weight, &random))
        : nil,
      integerDecoder: integers
        ? try IntegerNetwork(
          layers: try layers(architecture.decoderShapes, isDecoder: true, shift, isNarrow, weight, &random))
        : nil,
      codec: integers ? try codec(architecture.latentCount, &random) : nil)
  }

  private static func network(_ shapes: [LayerShape], _ storage: WeightStorage, _ random: inout RandomStream)
    throws(AEError) -> DenseNetwork
  {
    let network = try DenseNetwork(shapes: shapes)
    for layer in network.layers {
      for tensor in [layer.weights, layer.bias] {
        // Multiples of 1/64 below 8 are floats of 16 bits, too.
        for i in 0..<tensor.count {
          let value = storage == .float16 ? Float(random.below(1024) - 512) / 64 : random.normal()
          tensor.base[i] = value
        }
      }
    }
    return network
  }

  private static func layers(
    _ shapes: [LayerShape], isDecoder: Bool, _ shift: Int?, _ isNarrow: Bool,
    _ weight: ((LayerShape, Int, inout RandomStream) -> Int)?, _ random: inout RandomStream
  ) throws(AEError) -> [IntegerLayer] {
    let form = try IntegerForm(shapes, startsInWords: isDecoder)
    var layers: [IntegerLayer] = []
    for (index, shape) in shapes.enumerated() {
      guard shape.hasWeights else {
        let table = try Buffer<UInt8>(count: IntegerLayer.tableCount(ofWeightless: shape))
        for i in 0..<table.count { table.base[i] = UInt8(truncatingIfNeeded: i >> 4 ^ i) }
        layers.append(
          table.count == IntegerLayer.tableCount
            ? try IntegerLayer(
              weightless: shape,
              multipliers: (Int32(random.below(1 << 30)), Int32(random.below(1 << 30))), shift: 26,
              table: table, zeros: (UInt8(random.below(256)), UInt8(random.below(256))))
            : try IntegerLayer(weightless: shape, table: table.count > 0 ? table : nil))
        continue
      }
      let weights = try Buffer<Int8>(count: shape.weightCount)
      let largest = isNarrow ? 63 : 127
      for i in 0..<weights.count {
        weights.base[i] = Int8(weight?(shape, i, &random) ?? random.below(2 * largest + 1) - largest)
      }
      let bias = try Buffer<Int32>(count: shape.channels)
      let multipliers = try Buffer<Int32>(count: shape.channels)
      let scales = try Buffer<Float>(count: shape.channels)
      for i in 0..<shape.channels {
        bias.base[i] = Int32(random.below(20001) - 10000)
        multipliers.base[i] = Int32(random.below(1 << 30))
        scales.base[i] = random.normal() / 1000
      }
      var table: Buffer<UInt8>?
      if isDecoder || index != form.end {
        let values = try Buffer<UInt8>(count: 4096)
        for i in 0..<4096 { values.base[i] = UInt8(i >> 4) }
        table = values
      }
      layers.append(
        try IntegerLayer(
          shape: shape, weights: weights, bias: bias, multipliers: multipliers,
          shift: shift ?? 1 + random.below(62), table: table,
          zero: shape.isConvolution && !form.readsWords[index] ? UInt8(random.below(256)) : 0,
          sumScales: scales, largestInput: form.readsWords[index] ? 16383 : 255, isNarrow: isNarrow))
    }
    return layers
  }

  private static func codec(_ latentCount: Int, _ random: inout RandomStream) throws(AEError) -> Codec {
    var rates: [CodeRate] = []
    for quality in 1...3 {
      var tables: [CodeTable] = []
      for _ in 0..<latentCount {
        let symbols = 3 + random.below(5)
        var frequencies = [UInt16](repeating: 1, count: symbols)
        frequencies[1] = UInt16(4096 - (symbols - 1))
        tables.append(try CodeTable(lowest: -(symbols - 2) / 2, frequencies: frequencies))
      }
      rates.append(
        try CodeRate(steps: [UInt16](repeating: UInt16(400 / quality), count: latentCount), tables: tables))
    }
    return try Codec(
      latentScales: (0..<latentCount).map { 1 + Float($0) / 7 }, rates: rates, defaultQuality: 2)
  }
}

/// Whether two models hold the same numbers, bit for bit. Storage and extra sections do not count.
func sameModel(_ a: Autoencoder, _ b: Autoencoder) -> Bool {
  func same<T: BitwiseCopyable>(_ a: Buffer<T>, _ b: Buffer<T>) -> Bool {
    a.count == b.count && memcmp(a.base, b.base, a.count * MemoryLayout<T>.stride) == 0
  }
  func same(_ a: DenseNetwork?, _ b: DenseNetwork?) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return a.layers.count == b.layers.count
      && zip(a.layers, b.layers).allSatisfy {
        $0.shape == $1.shape && same($0.weights, $1.weights) && same($0.bias, $1.bias)
      }
  }
  func same(_ a: [IntegerLayer]?, _ b: [IntegerLayer]?) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return a.count == b.count
      && zip(a, b).allSatisfy {
        $0.shape.with(.identity) == $1.shape.with(.identity) && $0.shift == $1.shift && $0.zero == $1.zero
          && $0.secondZero == $1.secondZero && $0.isNarrow == $1.isNarrow
          && same($0.weights, $1.weights)
          && same($0.bias, $1.bias) && same($0.multipliers, $1.multipliers)
          && same($0.sumScales, $1.sumScales)
          && ($0.table == nil) == ($1.table == nil) && ($0.table == nil || same($0.table!, $1.table!))
      }
  }
  func same(_ a: Codec?, _ b: Codec?) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return a.latentScales == b.latentScales && a.defaultQuality == b.defaultQuality
      && a.rates.count == b.rates.count
      && zip(a.rates, b.rates).allSatisfy {
        $0.steps == $1.steps
          && zip($0.tables, $1.tables).allSatisfy {
            $0.lowest == $1.lowest && $0.frequencies == $1.frequencies
          }
      }
  }
  let (x, y) = (a.architecture, b.architecture)
  return x.kind == y.kind && x.width == y.width && x.height == y.height && x.channels == y.channels
    && x.latentCount == y.latentCount && x.hidden == y.hidden && x.output == y.output
    && x.custom == y.custom && a.name == b.name
    && a.provenance == b.provenance && same(a.encoder, b.encoder) && same(a.decoder, b.decoder)
    && same(try? a.integerEncoder?.layers(), try? b.integerEncoder?.layers())
    && same(try? a.integerDecoder?.layers(), try? b.integerDecoder?.layers()) && same(a.codec, b.codec)
}

/// A weight file taken apart, to be changed and put together again.
struct RawWeightFile {
  struct Section {
    var tag: String
    var raw: [UInt8]
    /// Overrides for the table's line.
    var declaredRaw: UInt64?
    var declaredStored: UInt64?
    var encoding: UInt32?
    var reserved: UInt32 = 0
    var deflated = false
    var checksum: UInt32?
  }

  var major: UInt16
  var minor: UInt16 = 0
  var flags: UInt32 = 0
  var declaredCount: UInt64?
  var declaredSections: UInt32?
  var sections: [Section] = []
  var trailer: [UInt8] = []

  /// Takes apart what the library wrote.
  init(_ bytes: [UInt8]) throws(AEError) {
    func number(_ at: Int, _ width: Int) -> Int {
      (0..<width).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
    }
    major = UInt16(number(8, 2))
    minor = UInt16(number(10, 2))
    var offset = 32 + 32 * number(24, 4)
    for index in 0..<number(24, 4) {
      let line = 32 + 32 * index
      let tag = String(decoding: bytes[line..<line + 4], as: UTF8.self)
      let stored = Array(bytes[offset..<offset + number(line + 8, 8)])
      if number(line + 4, 4) == 2 {
        // Coded weights stay as they are.
        sections.append(
          Section(tag: tag, raw: stored, declaredRaw: UInt64(number(line + 16, 8)), encoding: 2))
        offset += stored.count
        continue
      }
      let raw =
        number(line + 4, 4) == 0
        ? stored
        : try Zlib.inflate(stored, stored.count, rawCount: number(line + 16, 8), name: "sample").array
      sections.append(Section(tag: tag, raw: raw))
      offset += stored.count
    }
  }

  init(_ model: Autoencoder, _ storage: WeightStorage) throws(AEError) {
    try self.init(try WeightFile.write(model, storage: storage).array)
  }

  subscript(tag: String) -> Section {
    get { sections.first { $0.tag == tag }! }
    set { sections[sections.firstIndex { $0.tag == tag }!] = newValue }
  }

  /// The file, with every checksum right unless a section says otherwise.
  func bytes() throws(AEError) -> [UInt8] {
    func little(_ value: UInt64, _ width: Int) -> [UInt8] {
      (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
    var table: [UInt8] = []
    var body: [UInt8] = []
    for section in sections {
      var stored = section.raw
      if section.deflated { stored = try Zlib.deflate(section.raw, section.raw.count).array }
      table += Array(section.tag.utf8.prefix(4))
      table += little(UInt64(section.encoding ?? (section.deflated ? 1 : 0)), 4)
      table += little(section.declaredStored ?? UInt64(stored.count), 8)
      table += little(section.declaredRaw ?? UInt64(section.raw.count), 8)
      table += little(UInt64(section.checksum ?? Checksum.crc32(stored, stored.count)), 4)
      table += little(UInt64(section.reserved), 4)
      body += stored
    }
    var header: [UInt8] = [0x89, 0x41, 0x45, 0x57, 0x0d, 0x0a, 0x1a, 0x0a]
    header += little(UInt64(major), 2) + little(UInt64(minor), 2) + little(UInt64(flags), 4)
    header += little(declaredCount ?? UInt64(32 + table.count + body.count + trailer.count), 8)
    header += little(UInt64(declaredSections ?? UInt32(sections.count)), 4)
    let covered = header + table
    return header + little(UInt64(Checksum.crc32(covered, covered.count)), 4) + table + body + trailer
  }
}

func readWeights(_ bytes: [UInt8]) throws(AEError) -> Autoencoder {
  // A copy of just that size, so that a tool that watches memory sees every byte read beyond it.
  let copy = try Buffer<UInt8>(bytes)
  return try WeightFile.read(copy.base, copy.count, name: "weights file")
}

// The inner half of a weight file: what the bytes of each section mean. One function writes a section and
// one beside it reads it; everything they need to know about sizes follows from the architecture.
// docs/format-aew.md is the specification.

import Bytes
import Compute
import Core
import Latent
import Lossless
import Model
import Network

/// Section ARCH: kind, sizes, name and provenance.
enum ArchitectureSection {
  /// The form of the layers: dense alone, or convolutions before them.
  private static func form(_ kind: ModelKind) -> UInt8 { kind == .convVAE ? 1 : 0 }
  /// The largest section: 8 hidden layers, 64 bytes of name, 4096 of provenance.
  static let rawCounts = 15...(12 + 16 + 1 + 64 + 2 + 4096)

  static func write(_ model: Autoencoder) throws(AEError) -> Buffer<UInt8> {
    let architecture = model.architecture
    let writer = ByteWriter()
    try writer.u8(architecture.kind.rawValue)
    try writer.u8(architecture.output.rawValue)
    try writer.u8(form(architecture.kind))
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
    return try writer.finish()
  }

  private static func text(_ text: String, _ what: StaticString, to writer: ByteWriter) throws(AEError) {
    let start = writer.count
    try writer.utf8(text)
    for index in start..<writer.count where writer.base[index] == 0 {
      throw AEError(.argument, "a model's \(what) must not hold the character NUL")
    }
  }

  static func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> (
    architecture: Architecture, name: String, provenance: String
  ) {
    var reader = ByteReader(raw.base, count: raw.count, name: sentence("\(name): section ARCH"))
    let kindNumber = try reader.u8()
    guard let kind = ModelKind(rawValue: kindNumber) else {
      throw reader.fail(.version, "a network of kind \(kindNumber) is not known to this version")
    }
    let outputNumber = try reader.u8()
    guard let output = Activation(rawValue: outputNumber) else {
      throw reader.fail(.version, "an output activation \(outputNumber) is not known to this version")
    }
    let form = try reader.u8()
    guard form == ArchitectureSection.form(kind) else {
      throw reader.fail(.version, "layers of form \(form) for a \(kind.name) are not known to this version")
    }
    let hiddenCount = Int(try reader.u8())
    guard hiddenCount <= (kind == .pca ? 0 : Architecture.maximumHiddenCount) else {
      throw reader.fail("\(hiddenCount) hidden layers are too many for a \(kind.name)")
    }
    let width = Int(try reader.u16())
    let height = Int(try reader.u16())
    let channels = Int(try reader.u16())
    let latentCount = Int(try reader.u16())
    var hidden: [Int] = []
    for _ in 0..<hiddenCount { hidden.append(Int(try reader.u16())) }
    let architecture: Architecture
    do {
      architecture = try Architecture(
        kind: kind, width: width, height: height, channels: channels, latentCount: latentCount,
        hidden: hidden, output: output)
    } catch {
      throw reader.fail(Message(error.message))
    }
    let nameCount = Int(try reader.u8())
    guard nameCount <= 64 else { throw reader.fail("a name of \(nameCount) bytes; 64 are allowed") }
    let modelName = try reader.string(nameCount)
    let provenanceCount = Int(try reader.u16())
    guard provenanceCount <= 4096 else {
      throw reader.fail("a provenance of \(provenanceCount) bytes; 4096 are allowed")
    }
    let provenance = try reader.string(provenanceCount)
    guard reader.remaining == 0 else { throw reader.fail("\(reader.remaining) bytes too many") }
    return (architecture, modelName, provenance)
  }
}

/// Values of more than a byte, plane by plane: first the lowest byte of every value, then the next. The
/// bytes of a plane are alike, and zlib finds that.
enum Planes {
  static func write(
    _ values: UnsafePointer<UInt32>, _ count: Int, width: Int, to out: UnsafeMutablePointer<UInt8>
  ) {
    for plane in 0..<width {
      let shift = UInt32(8 * plane)
      let row = out + plane * count
      for index in 0..<count { row[index] = UInt8(truncatingIfNeeded: values[index] >> shift) }
    }
  }

  static func read(
    _ bytes: UnsafePointer<UInt8>, _ count: Int, width: Int, into values: UnsafeMutablePointer<UInt32>
  ) {
    for index in 0..<count { values[index] = 0 }
    for plane in 0..<width {
      let shift = UInt32(8 * plane)
      let row = bytes + plane * count
      for index in 0..<count { values[index] |= UInt32(row[index]) << shift }
    }
  }
}

/// A float's bits with the sign moved behind the fraction, so that the highest byte is the exponent alone.
enum SignLast {
  static func word(of value: Float) -> UInt32 { value.bitPattern << 1 | value.bitPattern >> 31 }
  static func value(of word: UInt32) -> Float { Float(bitPattern: word >> 1 | word << 31) }
}

/// Sections FE32, FD32, FE16, FD16: the weights and biases of one half in floats.
struct FloatSection {
  /// "encoder" or "decoder", for tensor names.
  let half: StaticString
  let shapes: [LayerShape]
  /// Bytes of a value, 4 or 2.
  let width: Int

  /// Exact, since everything follows from the shapes.
  var rawCount: Int {
    var count = 0
    for shape in shapes { count += shape.parameterCount * width }
    return count
  }

  func write(_ network: DenseNetwork) throws(AEError) -> Buffer<UInt8> {
    let raw = try Buffer<UInt8>(count: rawCount)
    var offset = 0
    for (index, layer) in network.layers.enumerated() {
      for (what, tensor) in [("weight" as StaticString, layer.weights), ("bias", layer.bias)] {
        let words = try Buffer<UInt32>(count: tensor.count)
        for i in 0..<tensor.count {
          let value = tensor.base[i]
          guard value.isFinite else {
            throw AEError(.argument, "tensor \"\(half).\(index).\(what)\": value \(i) is not finite")
          }
          if width == 4 {
            words.base[i] = SignLast.word(of: value)
          } else if let bits = HalfPrecision.bits(of: value) {
            words.base[i] = UInt32(bits)
          } else {
            throw AEError(
              .kind,
              "tensor \"\(half).\(index).\(what)\": value \(i) is too large for float16; store the model as float32"
            )
          }
        }
        Planes.write(words.base, tensor.count, width: width, to: raw.base + offset)
        offset += tensor.count * width
      }
    }
    return raw
  }

  func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> DenseNetwork {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    let network = try DenseNetwork(shapes: shapes)
    for (index, layer) in network.layers.enumerated() {
      for (what, tensor) in [("weight" as StaticString, layer.weights), ("bias", layer.bias)] {
        let start = reader.offset
        let bytes = try reader.bytes(tensor.count * width)
        // The words take the floats' own memory: both have 32 bits.
        tensor.base.withMemoryRebound(to: UInt32.self, capacity: tensor.count) {
          Planes.read(bytes, tensor.count, width: width, into: $0)
          for i in 0..<tensor.count {
            let value =
              width == 4
              ? SignLast.value(of: $0[i]) : HalfPrecision.value(of: UInt16(truncatingIfNeeded: $0[i]))
            $0[i] = value.bitPattern
          }
        }
        for i in 0..<tensor.count where !tensor.base[i].isFinite {
          throw AEError(
            .format,
            "\(name): tensor \"\(half).\(index).\(what)\": value \(i) is not finite (byte \(start + i))")
        }
      }
    }
    return network
  }
}

/// Sections IENC and IDEC: one half in integers.
struct IntegerSection {
  let half: StaticString
  let shapes: [LayerShape]
  /// Whether the last layer gives words, as an encoder's does, and so has no table.
  let endsInWords: Bool
  /// The largest magnitude of the first layer's inputs.
  let largestInput: Int

  static func encoder(_ architecture: Architecture) -> IntegerSection {
    IntegerSection(half: "encoder", shapes: architecture.encoderShapes, endsInWords: true, largestInput: 255)
  }

  static func decoder(_ architecture: Architecture) -> IntegerSection {
    IntegerSection(
      half: "decoder", shapes: architecture.decoderShapes, endsInWords: false,
      largestInput: Codec.largestLatent)
  }

  private static let tableCount = 4096

  private func hasTable(_ index: Int) -> Bool { !(endsInWords && index == shapes.count - 1) }

  /// Exact, since everything follows from the shapes.
  var rawCount: Int {
    var count = 0
    for (index, shape) in shapes.enumerated() {
      count += shape.weightCount + 12 * shape.channels + (shape.isConvolution ? 2 : 1)
      if hasTable(index) { count += IntegerSection.tableCount }
    }
    return count
  }

  func write(_ layers: [IntegerLayer]) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    try writer.reserve(rawCount)
    for (index, layer) in layers.enumerated() {
      guard (layer.table != nil) == hasTable(index) else {
        throw AEError(
          .format,
          "integer layer \"\(half).\(index)\": an activation table \(hasTable(index) ? "is missing" : "is too much")"
        )
      }
      try writer.u8(UInt8(layer.shift))
      if layer.shape.isConvolution { try writer.u8(layer.zero) }
      let weightCount = layer.weights.count
      let start = try writer.zeros(weightCount)
      for i in 0..<weightCount { writer.base[start + i] = UInt8(bitPattern: layer.weights.base[i]) }
      let words = try Buffer<UInt32>(count: layer.bias.count)
      for i in 0..<words.count { words.base[i] = UInt32(bitPattern: layer.bias.base[i]) }
      try planes(words, to: writer)
      for i in 0..<words.count { words.base[i] = UInt32(bitPattern: layer.multipliers.base[i]) }
      try planes(words, to: writer)
      for i in 0..<words.count { words.base[i] = SignLast.word(of: layer.sumScales.base[i]) }
      try planes(words, to: writer)
      if let table = layer.table {
        var previous: UInt8 = 0
        for i in 0..<IntegerSection.tableCount {
          try writer.u8(table.base[i] &- previous)
          previous = table.base[i]
        }
      }
    }
    return try writer.finish()
  }

  private func planes(_ words: Buffer<UInt32>, to writer: ByteWriter) throws(AEError) {
    let start = try writer.zeros(4 * words.count)
    Planes.write(words.base, words.count, width: 4, to: writer.base + start)
  }

  func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> [IntegerLayer] {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    var layers: [IntegerLayer] = []
    for (index, shape) in shapes.enumerated() {
      let layerStart = reader.offset
      let shift = Int(try reader.u8())
      guard (1...62).contains(shift) else {
        throw AEError(
          .format,
          "\(name): tensor \"\(half).\(index).shift\" must be in 1 ... 62, not \(shift) (byte \(layerStart))")
      }
      let zero = shape.isConvolution ? try reader.u8() : 0
      let weightStart = reader.offset
      _ = try reader.bytes(shape.weightCount)
      let weights = try raw.part(weightStart, shape.weightCount, as: Int8.self)
      let bias = try Buffer<Int32>(count: shape.channels)
      try words(&reader, into: bias)
      let multiplierStart = reader.offset
      let multipliers = try Buffer<Int32>(count: shape.channels)
      try words(&reader, into: multipliers)
      for i in 0..<shape.channels where multipliers.base[i] < 0 {
        throw fault(name, index, "multiplier", i, "is negative", at: multiplierStart + i)
      }
      let scaleStart = reader.offset
      let scaleWords = try Buffer<Int32>(count: shape.channels)
      try words(&reader, into: scaleWords)
      let sumScales = try Buffer<Float>(count: shape.channels)
      for i in 0..<shape.channels {
        sumScales.base[i] = SignLast.value(of: UInt32(bitPattern: scaleWords.base[i]))
        guard sumScales.base[i].isFinite else {
          throw fault(name, index, "scale", i, "is not finite", at: scaleStart + i)
        }
      }
      var table: Buffer<UInt8>?
      if hasTable(index) {
        let deltas = try reader.bytes(IntegerSection.tableCount)
        let values = try Buffer<UInt8>(count: IntegerSection.tableCount)
        var value: UInt8 = 0
        for i in 0..<IntegerSection.tableCount {
          value = value &+ deltas[i]
          values.base[i] = value
        }
        table = values
      }
      do {
        layers.append(
          try IntegerLayer(
            shape: shape, weights: weights, bias: bias, multipliers: multipliers, shift: shift, table: table,
            zero: zero, sumScales: sumScales,
            largestInput: index == 0 ? largestInput : 255))
      } catch {
        for i in 0..<weights.count where weights.base[i] == -128 {
          throw fault(name, index, "weight", i, "must be in -127 ... 127, not -128", at: weightStart + i)
        }
        throw AEError(
          error.code, "\(name): layer \"\(half).\(index)\": \(error.message) (byte \(layerStart))")
      }
    }
    return layers
  }

  /// What is wrong with value `i` of a tensor.
  @inline(never)
  private func fault(
    _ name: String, _ index: Int, _ tensor: StaticString, _ i: Int, _ what: StaticString, at byte: Int
  ) -> AEError {
    AEError(.format, "\(name): tensor \"\(half).\(index).\(tensor)\": value \(i) \(what) (byte \(byte))")
  }

  @inline(never)
  private func words(_ reader: inout ByteReader, into values: Buffer<Int32>) throws(AEError) {
    let bytes = try reader.bytes(4 * values.count)
    values.base.withMemoryRebound(to: UInt32.self, capacity: values.count) {
      Planes.read(bytes, values.count, width: 4, into: $0)
    }
  }
}

/// Section CODC: latent scales, quantiser steps, frequency tables.
struct CodecSection {
  let latentCount: Int

  /// Tables have as many symbols as they need, so the size is bounded, not known. 2^24 bytes are two
  /// hundred times what 64 latents in 8 qualities take.
  var rawCounts: ClosedRange<Int> { (2 + 4 * latentCount + 10 * latentCount)...(1 << 24) }

  /// Of a codec as `write` writes it.
  func rawCount(_ codec: Codec) -> Int {
    var count = 2 + 4 * latentCount
    for rate in codec.rates {
      count += 2 * latentCount
      for table in rate.tables { count += 4 + 2 * table.frequencies.count }
    }
    return count
  }

  func write(_ codec: Codec) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    try writer.u8(UInt8(codec.rates.count))
    try writer.u8(UInt8(codec.defaultQuality))
    for scale in codec.latentScales { try writer.f32(scale) }
    for rate in codec.rates {
      for step in rate.steps { try writer.u16(step) }
      for table in rate.tables {
        try writer.u16(UInt16(bitPattern: Int16(table.lowest)))
        try writer.u16(UInt16(table.frequencies.count))
        for frequency in table.frequencies { try writer.u16(frequency) }
      }
    }
    guard writer.count <= rawCounts.upperBound else {
      throw AEError(
        .format, "the frequency tables make \(writer.count) bytes; \(rawCounts.upperBound) are allowed")
    }
    return try writer.finish()
  }

  func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> Codec {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    let rateCount = Int(try reader.u8())
    guard (1...16).contains(rateCount) else {
      throw reader.fail("a codec has 1 to 16 qualities, not \(rateCount)")
    }
    let defaultQuality = Int(try reader.u8())
    var scales: [Float] = []
    for _ in 0..<latentCount { scales.append(try reader.f32()) }
    var rates: [CodeRate] = []
    for quality in 1...rateCount {
      var steps: [UInt16] = []
      var tables: [CodeTable] = []
      for _ in 0..<latentCount { steps.append(try reader.u16()) }
      for latent in 0..<latentCount {
        try checkMemory()
        let lowest = Int(Int16(bitPattern: try reader.u16()))
        let count = Int(try reader.u16())
        guard (2...4096).contains(count) else {
          throw reader.fail(
            "quality \(quality), latent \(latent): a table has 2 to 4096 symbols, not \(count)")
        }
        var frequencies: [UInt16] = []
        frequencies.reserveCapacity(count)
        for _ in 0..<count { frequencies.append(try reader.u16()) }
        do {
          tables.append(try CodeTable(lowest: lowest, frequencies: frequencies))
        } catch {
          throw reader.fail(error.code, "quality \(quality), latent \(latent): \(error.message)")
        }
      }
      do {
        rates.append(try CodeRate(steps: steps, tables: tables))
      } catch {
        throw reader.fail(error.code, "quality \(quality): \(error.message)")
      }
    }
    guard reader.remaining == 0 else { throw reader.fail("\(reader.remaining) bytes too many") }
    do {
      return try Codec(latentScales: scales, rates: rates, defaultQuality: defaultQuality)
    } catch {
      throw reader.fail(error.code, Message(error.message))
    }
  }
}

/// Section SCAN: the network that predicts scans, and its table of probabilities.
enum ScanSection {
  static let rawCounts = 1...(1 << 18)

  private static func network(_ shapes: [LayerShape]) -> IntegerSection {
    IntegerSection(half: "scan", shapes: shapes, endsInWords: true, largestInput: 255)
  }

  static func rawCount(_ model: ScanModel) -> Int {
    1 + 2 * model.shapes.count + 2 * model.probabilities.count + network(model.shapes).rawCount
  }

  static func write(_ model: ScanModel) throws(AEError) -> Buffer<UInt8> {
    let shapes = model.shapes
    let writer = ByteWriter()
    try writer.u8(UInt8(shapes.count))
    for shape in shapes { try writer.u16(UInt16(shape.inputs)) }
    for probability in model.probabilities { try writer.u16(probability) }
    try writer.bytes(try network(shapes).write(try model.network.layers()))
    return try writer.finish()
  }

  static func read(_ raw: Buffer<UInt8>, name: String) throws(AEError) -> ScanModel {
    var reader = ByteReader(raw.base, count: raw.count, name: name)
    let layerCount = Int(try reader.u8())
    var shapes: [LayerShape] = []
    var isSound = (1...ScanModel.maximumHiddenCount + 1).contains(layerCount)
    if isSound {
      let bytes = try reader.bytes(2 * layerCount)
      func width(_ index: Int) -> Int {
        index < layerCount ? Int(bytes[2 * index]) | Int(bytes[2 * index + 1]) << 8 : 1
      }
      for index in 0..<layerCount {
        isSound = isSound && (1...ScanModel.maximumHiddenWidth).contains(width(index))
        shapes.append(LayerShape(inputs: width(index), outputs: width(index + 1), activation: .identity))
      }
      isSound = isSound && shapes.reduce(0) { $0 + $1.weightCount } <= ScanModel.maximumWeightCount
    }
    guard isSound else {
      throw reader.fail(
        "a scan network of 1 to 5 layers of 1 to \(ScanModel.maximumHiddenWidth) units and at most "
          + "\(ScanModel.maximumWeightCount) weights expected")
    }
    var probabilities = [UInt16](repeating: 0, count: ScanModel.tableCount)
    let table = try reader.bytes(2 * ScanModel.tableCount)
    for index in 0..<ScanModel.tableCount {
      probabilities[index] = UInt16(table[2 * index]) | UInt16(table[2 * index + 1]) << 8
    }
    let section = network(shapes)
    guard reader.remaining == section.rawCount else {
      throw reader.fail("a scan network of \(section.rawCount) bytes expected, \(reader.remaining) follow")
    }
    let rest = try Buffer(copying: raw.base + reader.offset, count: section.rawCount)
    let layers = try section.read(rest, name: name)
    let network = try IntegerEncoder(layers: layers)
    do { return try ScanModel(network: network, probabilities: probabilities) } catch { throw error.at(name) }
  }
}

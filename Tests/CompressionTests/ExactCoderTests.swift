// The exact coders by themselves: bits under probabilities, pixels under mixed contexts, scans under a network.

import Bytes
import CKernels
import Compute
import Core
import Model
import Scan
import Testing

@testable import Compression

/// SplitMix64: reproducible numbers.
private struct Numbers {
  var state: UInt64
  mutating func below(_ limit: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ (z >> 31)) % UInt64(limit))
  }
}

/// A network whose weights mean nothing: it must code exactly all the same.
private func anyScanModel() throws -> ScanModel {
  var numbers = Numbers(state: 5)
  var layers: [IntegerLayer] = []
  let widths = [ScanRaster.inputCount, 16, 1]
  for index in 0..<2 {
    let (inputs, outputs) = (widths[index], widths[index + 1])
    let weights = try Buffer<Int8>(count: inputs * outputs)
    for i in 0..<weights.count { weights[i] = Int8(numbers.below(61) - 30) }
    let multipliers = try Buffer<Int32>(count: outputs)
    let scales = try Buffer<Float>(count: outputs)
    for o in 0..<outputs {
      multipliers[o] = 1 << 20
      scales[o] = 1
    }
    var table: Buffer<UInt8>?
    if index == 0 {
      let values = try Buffer<UInt8>(count: 4096)
      for i in 0..<4096 { values[i] = UInt8(min(max(i - 2048, 0) / 4, 255)) }
      table = values
    }
    layers.append(
      try IntegerLayer(
        inputs: inputs, outputs: outputs, weights: weights, bias: try Buffer(count: outputs),
        multipliers: multipliers, shift: 24, table: table, sumScales: scales, largestInput: 255))
  }
  return try ScanModel(network: try IntegerEncoder(layers: layers), probabilities: ScanModel.logisticTable())
}

/// Images of many kinds: drawn from scans, with pixels changed, noise, blank, flat.
private func mixedImages(_ count: Int) throws -> [UInt8] {
  var numbers = Numbers(state: 3)
  var all: [UInt8] = []
  for index in 0..<count {
    var image = [UInt8](repeating: 0, count: 784)
    switch index % 6 {
    case 0...2:
      let side = 24 + index % 30
      let ink = try Buffer<UInt8>(count: side * side)
      for y in 0..<side {
        for x in 0..<side {
          let isBar = (x - side / 2).magnitude < side / 6 || (y - side / 3).magnitude < side / 9
          ink[y * side + x] = isBar ? 1 : 0
        }
      }
      let picture = try ScanPicture(
        Scan(side: side, top: 0, left: 0, height: side, width: side, row: 0, column: 0, ink: ink))
      let shift = index % 5
      for place in 0..<400 { image[(place / 20 + shift) * 28 + place % 20 + 4] = picture.pixels[place] }
      if index % 6 == 1 { image[(5 + shift) * 28 + 9] ^= 3 }
    case 3: for i in 0..<784 { image[i] = UInt8(numbers.below(256)) }
    case 4: break
    default: for i in 0..<784 { image[i] = 200 }
    }
    all += image
  }
  return all
}

@Suite struct ExactCoderTests {
  @Test func bitsComeBackUnderTheSameProbabilities() throws {
    var numbers = Numbers(state: 1)
    var bits: [(Int, Int)] = []
    for _ in 0..<20_000 {
      let probability = [1, 16, 3000, 32768, 65000, 65535][numbers.below(6)]
      bits.append((numbers.below(65536) < probability ? 1 : 0, probability))
    }
    let writer = ByteWriter()
    var encoder = BinaryCoder(writer: writer)
    for (bit, probability) in bits { _ = encoder.code(bit, probability) }
    try encoder.finish()
    var decoder = BinaryCoder(reading: writer.base, count: writer.count)
    for (bit, probability) in bits { #expect(decoder.code(0, probability) == bit) }
    #expect(decoder.isAtEnd)
  }

  @Test func aBitCostsWhatItsProbabilitySays() throws {
    let writer = ByteWriter()
    var encoder = BinaryCoder(writer: writer)
    for index in 0..<65_536 { _ = encoder.code(index % 16 == 0 ? 1 : 0, 4096) }
    try encoder.finish()
    // 65,536 draws of entropy H(1/16) = 0.3373 bits.
    #expect(abs(Double(writer.count) - 65_536 * 0.33729 / 8) < 30)
  }

  @Test func adaptiveNumbersComeBack() throws {
    var numbers = Numbers(state: 2)
    let values = (0..<3000).map { _ in numbers.below(numbers.below(3) == 0 ? 128 : 9) }
    let writer = ByteWriter()
    var encoder = BinaryCoder(writer: writer)
    var model = try AdaptiveBits(count: 128)
    for value in values { _ = model.codeNumber(value, bitCount: 7, 0, &encoder) }
    try encoder.finish()
    var decoder = BinaryCoder(reading: writer.base, count: writer.count)
    model = try AdaptiveBits(count: 128)
    for value in values { #expect(model.codeNumber(0, bitCount: 7, 0, &decoder) == value) }
  }

  @Test(arguments: [false, true])
  func everyPixelComesBack(withModel: Bool) throws {
    let images = try mixedImages(42)
    let coder = try ScanCoder(width: 28, height: 28, model: withModel ? try anyScanModel() : nil)
    let bytes = try images.withUnsafeBufferPointer {
      try coder.encode(originals: $0.baseAddress!, kept: $0.baseAddress!, count: 42)
    }
    let restored = try Buffer<UInt8>(count: images.count)
    #expect(try coder.decode(bytes.base, bytes.count, count: 42, into: restored.base) == nil)
    #expect(restored.array == images)
  }

  @Test func allPathsMakeTheSameBytes() throws {
    let images = try mixedImages(24)
    let coder = try ScanCoder(width: 28, height: 28, model: try anyScanModel())
    var first: [UInt8]?
    for path in 0..<Int32(CK_PATH_COUNT) where ck_path_available(path) != 0 {
      ck_path_select(path)
      defer { ck_path_select(-1) }
      let bytes = try images.withUnsafeBufferPointer {
        try coder.encode(originals: $0.baseAddress!, kept: $0.baseAddress!, count: 24).array
      }
      #expect(bytes == first ?? bytes)
      first = bytes
    }
  }

  @Test(arguments: [(1, 1), (3, 64), (64, 2), (17, 9)])
  func imagesOfOtherSizesComeBack(width: Int, height: Int) throws {
    var numbers = Numbers(state: 9)
    let images = (0..<5 * width * height).map { _ in UInt8(numbers.below(3) == 0 ? numbers.below(256) : 0) }
    let coder = try ScanCoder(width: width, height: height, model: try anyScanModel())
    let bytes = try images.withUnsafeBufferPointer {
      try coder.encode(originals: $0.baseAddress!, kept: $0.baseAddress!, count: 5)
    }
    let restored = try Buffer<UInt8>(count: images.count)
    #expect(try coder.decode(bytes.base, bytes.count, count: 5, into: restored.base) == nil)
    #expect(restored.array == images)
  }

  @Test func bytesTooManyOrTooFewAreTold() throws {
    let images = try mixedImages(6)
    let coder = try ScanCoder(width: 28, height: 28, model: try anyScanModel())
    let bytes = try images.withUnsafeBufferPointer {
      try coder.encode(originals: $0.baseAddress!, kept: $0.baseAddress!, count: 6)
    }
    let restored = try Buffer<UInt8>(count: images.count)
    let longer = try Buffer<UInt8>(count: bytes.count + 1)
    longer.base.update(from: bytes.base, count: bytes.count)
    #expect(try coder.decode(longer.base, longer.count, count: 6, into: restored.base) != nil)
    for cut in stride(from: 0, to: bytes.count, by: 7) {
      #expect(try coder.decode(bytes.base, cut, count: 6, into: restored.base) != nil, "\(cut)")
    }
  }

  @Test func anyBytesAreDecodedOrRefused() throws {
    let coder = try ScanCoder(width: 28, height: 28, model: try anyScanModel())
    var numbers = Numbers(state: 11)
    let restored = try Buffer<UInt8>(count: 8 * 784)
    for _ in 0..<60 {
      let bytes = try Buffer<UInt8>((0..<numbers.below(400)).map { _ in UInt8(numbers.below(256)) })
      _ = try coder.decode(bytes.base, bytes.count, count: 8, into: restored.base)
    }
  }
}

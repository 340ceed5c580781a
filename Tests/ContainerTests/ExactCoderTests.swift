// The exact coders: pixels under contexts that adapt, and scans under a network, through sets in memory.

import Bytes
import CKernels
import Compute
import Container
import Core
import Lossless
import Model
import Network
import Storage
import Testing

/// Images of `side` x `side` of many kinds: drawn from scans, with pixels changed, noise, blank, flat.
private func mixedImages(_ count: Int, side: Int = 32) throws -> ImageSet {
  var numbers = Numbers(state: 3)
  let all = try Buffer<UInt8>(count: count * side * side)
  for index in 0..<count {
    let image = all.base + index * side * side
    switch index % 6 {
    case 0...2 where side >= 28:
      let scanSide = 24 + index % 30
      let ink = try Buffer<UInt8>(count: scanSide * scanSide)
      for y in 0..<scanSide {
        for x in 0..<scanSide {
          let isBar =
            (x - scanSide / 2).magnitude < scanSide / 6 || (y - scanSide / 3).magnitude < scanSide / 9
          ink[y * scanSide + x] = isBar ? 1 : 0
        }
      }
      let picture = try ScanPicture(
        Scan(
          side: scanSide, top: 0, left: 0, height: scanSide, width: scanSide, row: 0, column: 0, ink: ink))
      let shift = index % 5
      for place in 0..<400 { image[(place / 20 + shift) * side + place % 20 + 4] = picture.pixels[place] }
      if index % 6 == 1 { image[(5 + shift) * side + 9] ^= 3 }
    case 3: for i in 0..<side * side { image[i] = UInt8(numbers.below(256)) }
    case 4: break
    default: for i in 0..<side * side { image[i] = 200 }
    }
  }
  return try ImageSet(
    width: side, height: side, count: count, pixels: all, labels: nil, names: nil, source: .unknown)
}

private func exactOptions(method: Method?, preview: Bool = false, maxError: Int = 0) -> CompressionOptions {
  var options = CompressionOptions()
  options.mode = maxError > 0 ? .nearLossless : .lossless
  options.maxError = maxError
  options.method = method
  options.keepsCodes = preview
  options.blockImages = 17
  return options
}

private func restored(_ bytes: Buffer<UInt8>, _ model: Autoencoder?) throws -> [UInt8] {
  let set = try CompressedSet(bytes, model: model, name: "set")
  let information = set.information
  let pixels = try Buffer<UInt8>(count: information.count * information.shape.byteCount)
  try set.read(first: 0, count: information.count, into: pixels.base)
  return pixels.array
}

@Suite struct ExactCoderTests {
  @Test(
    arguments: [(nil, false), (.contexts, false), (.contexts, true), (.scans, false), (.scans, true)]
      as [(Method?, Bool)])
  func everyPixelComesBack(method: Method?, preview: Bool) throws {
    let images = try mixedImages(42)
    let model = try Support.model(side: 32).with(scanModel: try Support.scanModel())
    let bytes = try compress(images, with: model, options: exactOptions(method: method, preview: preview))
    #expect(try restored(bytes, model) == images.pixels.array)
  }

  @Test func contextsThatAdaptNeedNoModel() throws {
    let images = try mixedImages(30)
    let bytes = try compress(images, with: nil, options: exactOptions(method: .contexts))
    #expect(try restored(bytes, nil) == images.pixels.array)
  }

  @Test func scansTakeFewerBytesThanPixels() throws {
    let images = try Support.drawings(12)
    let model = try Support.model(side: 28, latentCount: 3).with(
      scanModel: try Support.scanModel(isSensible: true))
    let sizes = try [Method.contexts, .scans].map {
      try compress(images, with: model, options: exactOptions(method: $0)).count
    }
    #expect(sizes[1] < sizes[0])
  }

  @Test func aModelWithoutScanNetworkIsRefusedForScans() throws {
    let images = try mixedImages(6)
    let model = try Support.model(side: 32)
    #expect(throws: AEError.self) { try compress(images, with: model, options: exactOptions(method: .scans)) }
    #expect(throws: AEError.self) { try compress(images, with: nil, options: exactOptions(method: .scans)) }
  }

  @Test(arguments: [1, 8, 32])
  func noPixelIsOffByMoreThanIsAllowed(maxError: Int) throws {
    let images = try mixedImages(24)
    let model = try Support.model(side: 32).with(scanModel: try Support.scanModel())
    let bytes = try compress(images, with: model, options: exactOptions(method: .scans, maxError: maxError))
    let again = try restored(bytes, model)
    var largest = 0
    for index in 0..<again.count {
      largest = max(largest, abs(Int(again[index]) - Int(images.pixels[index])))
    }
    #expect(largest <= maxError)
  }

  /// Predictors at the ends of what a weight file may hold, with as many layers as it may, or one.
  @Test(arguments: Support.PredictorNumbers.extremes.indices)
  func everyPixelComesBackWhateverThePredictor(index: Int) throws {
    let (name, numbers) = Support.PredictorNumbers.extremes[index]
    for hidden in [[], [16, 16, 16, 16]] {
      let model = try Autoencoder(predictor: try Support.predictor(hidden: hidden, numbers), name: "extreme")
      let weights = try WeightFile.write(model, storage: .int8)
      let again = try WeightFile.read(weights.base, weights.count, name: "extreme")
      #expect(try again.predictor?.sectionHash() == model.predictor?.sectionHash())
      for channels in [1, 3, 4] {
        for noise in [1, 256] {
          let shape = ImageShape(width: 7, height: 5, channels: channels)
          let set = try Support.ramps(2, shape, noise: noise)
          let coder = try MixtureCoder(shape, predictor: model.predictor)
          // Bytes are many where a predictor is wrong; a set would then store the pixels.
          let bytes = try #require(
            try coder.encode(set.pixels.base, count: 2, capacity: 64 * set.pixels.count, monitor: nil))
          let decoder = try MixtureCoder(shape, predictor: again.predictor)
          let pixels = try Buffer<UInt8>(count: set.pixels.count)
          let isSound = try decoder.decode(
            bytes.base, bytes.count, count: 2, range: 0..<2, into: pixels.base, monitor: nil)
          #expect(isSound && pixels.array == set.pixels.array, "\(name), \(hidden), \(channels), \(noise)")
          let packed = try compress(
            set, with: model, options: Support.options(mode: .lossless, method: .predicted))
          #expect(try restored(packed, again) == set.pixels.array)
        }
      }
    }
  }

  @Test func aPredictorNeedsTheRightInputsOutputsAndTable() throws {
    let right = try Support.predictor()
    let none = Support.error { () throws(AEError) in
      _ = try Predictor(network: right.network, table: try Buffer(count: Predictor.tableCount - 1))
    }
    #expect(none?.code == .format)
    #expect(none?.message == "a predictor's table of 4095 numbers; 4096 are expected")
    let layers = try right.network.layers()
    let short = Support.error { () throws(AEError) in
      _ = try Predictor(network: try IntegerNetwork(layers: [layers[0]]), table: right.table)
    }
    #expect(short?.message == "a predictor of 232 inputs and 8 outputs; 232 and 31 are expected")
  }

  @Test func allPathsMakeTheSameBytes() throws {
    let images = try mixedImages(12)
    let ramps = try Support.ramps(70, ImageShape(width: 14, height: 10, channels: 3), noise: 60)
    let greys = try Support.ramps(70, ImageShape(width: 14, height: 10), noise: 60)
    let plain = try Support.model(side: 32).with(scanModel: try Support.scanModel())
    let learned = try Autoencoder(
      predictor: try Support.predictor(hidden: [24, 17]), scanModel: try Support.scanModel(), name: "learned")
    let path = ck_path()
    defer {
      setThreadCount(0)
      _ = ck_path_select(path)
    }
    for (set, model, method, kind) in [
      (images, plain, .scans, .scans), (images, learned, .scans, .scans),
      (images, learned, .predicted, .predicted), (greys, learned, .predicted, .predicted),
      (ramps, learned, .predicted, .predicted), (images, nil, .contexts, .contexts),
      (greys, nil, .contexts, .contexts), (ramps, nil, .contexts, .contexts),
      (ramps, learned, nil, .predicted),
    ] as [(ImageSet, Autoencoder?, Method?, BlockKind)] {
      var first: [UInt8]?
      for path in 0..<Int32(CK_PATH_COUNT) where ck_path_available(path) != 0 {
        _ = ck_path_select(path)
        for threads in [1, 2] {
          setThreadCount(threads)
          let bytes = try compress(set, with: model, options: exactOptions(method: method))
          #expect(bytes.array == first ?? bytes.array)
          first = bytes.array
          #expect(try restored(bytes, model) == set.pixels.array)
        }
      }
      let information = try CompressedSet.peek(try Buffer(first!), name: "set")
      // Of the mixed images, which are few, deflate makes the least.
      let isSure = method != nil && set.width == 14
      #expect(!isSure || information.blockCounts[Int(kind.rawValue)] > 0)
    }
  }

  @Test(arguments: [8, 16])
  func imagesTooSmallForAScanComeBack(side: Int) throws {
    let images = try mixedImages(18, side: side)
    let model = try Support.model(side: side).with(scanModel: try Support.scanModel())
    let bytes = try compress(images, with: model, options: exactOptions(method: .scans))
    #expect(try restored(bytes, model) == images.pixels.array)
  }

  @Test func aScanNetworkComesBackFromAWeightFileAndCountsInTheHash() throws {
    let plain = try Support.model(side: 28, latentCount: 3)
    let model = try plain.with(scanModel: try Support.scanModel(isSensible: true))
    let bytes = try WeightFile.write(model, storage: .int8)
    let again = try WeightFile.read(bytes.base, bytes.count, name: "test")
    #expect(again.scanModel?.probabilities == ScanModel.logisticTable())
    #expect(try WeightFile.hash(again) == WeightFile.hash(model))
    #expect(try WeightFile.hash(model) != WeightFile.hash(plain))
    #expect(try WeightFile.write(again, storage: .int8).array == bytes.array)
    let images = try Support.drawings(12)
    let packed = try compress(images, with: model, options: exactOptions(method: .scans))
    #expect(try restored(packed, again) == images.pixels.array)
    #expect(throws: AEError.self) { try restored(packed, plain) }
  }
}

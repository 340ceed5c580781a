// Training the network that predicts bilevel scans: finds the scans behind a set of images, trains on their pixels, and
// quantises the network to integers.

import CKernels
import Compute
import Core
import Lossless
import Network
import Options
import Quantization

/// How a scan network is trained.
public struct ScanTrainingOptions: Sendable {
  /// nil: 96, 48.
  public var givenHidden: [Int]?
  public var stepCount = 20_000
  public var batchSize = 4096
  public var learningRate = 3e-3
  public var weightAverage = 0.998
  public var seed: UInt64 = 1

  public init() {}

  /// Widths of the hidden layers, 1 to 4 of them.
  public var hidden: [Int] {
    get { givenHidden ?? [96, 48] }
    set { givenHidden = newValue }
  }

  /// Every option of training a network for lossless coding.
  public static let table = OptionTable<ScanTrainingOptions>(
    "lossless training", defaults: ScanTrainingOptions(),
    [
      .integers(
        "hidden", 1...1024, automatic: "96,48",
        "Widths of the network's hidden layers, 1 to 4 of them, with at most 65536 weights in all.",
        { $0.givenHidden }, { $0.givenHidden = $1 }),
      .integer(
        "steps", 1...(1 << 32), "Steps of training, one batch each.", { $0.stepCount }, { $0.stepCount = $1 }),
      .integer(
        "batch_size", 1...65536, "Pixels of scans in a batch.", { $0.batchSize }, { $0.batchSize = $1 }),
      .number(
        "learning_rate", 1e-12...10, "The peak of the learning rate, which falls along a cosine.",
        { $0.learningRate }, { $0.learningRate = $1 }),
      .number(
        "weight_average", 0...0.999999,
        "Decay of the exponential moving average of the weights that the network gets; 0 for the last weights.",
        { $0.weightAverage }, { $0.weightAverage = $1 }),
      .integer(
        "seed", 0...UInt64.max, "Fixes the initial weights and the batches.",
        { Int(bitPattern: UInt($0.seed)) }, { $0.seed = UInt64(UInt(bitPattern: $1)) }),
    ])

  func validate() throws(AEError) {
    try ScanTrainingOptions.table.check(self)
    guard (1...ScanModel.maximumHiddenCount).contains(hidden.count) else {
      throw AEError(
        .argument,
        "a scan network has 1 to \(ScanModel.maximumHiddenCount) hidden layers, not \(hidden.count)")
    }
    var inputs = ScanRaster.inputCount
    var weightCount = 0
    for width in hidden + [1] {
      weightCount += inputs * width
      inputs = width
    }
    guard weightCount <= ScanModel.maximumWeightCount else {
      throw AEError(
        .argument,
        "a scan network has at most \(ScanModel.maximumWeightCount) weights, not \(weightCount)")
    }
  }
}

/// What is told while a scan network is made.
public enum ScanTrainingProgress {
  /// Images looked at, of so many.
  case searched(Int, of: Int)
  /// Steps done, of so many, and the mean bits for each pixel that the network was asked about, since the last
  /// report.
  case trained(Int, of: Int, bits: Double)
}

/// A scan network and its figures on images held out.
public struct ScanFit {
  public let model: ScanModel
  /// Images, and those of them that a scan was found for.
  public let imageCount: Int
  public let scanCount: Int
  /// Bits for each pixel asked about in scans held out, in floats and in integers.
  public let floatBits: Double
  public let integerBits: Double
  /// Pixels asked about, for each scan.
  public let askedPerScan: Double
}

/// Finds the scans of `count` images of bytes and trains a network on them.
///
/// The same images and options give the same network, bit for bit, on one kernel path, whatever the number of
/// threads.
/// - Parameter progress: false stops.
/// - Throws: `.stopped`; `.kind` if hardly any image has a scan; `.argument`; `.memory`.
public func fitScanModel(
  _ pixels: UnsafePointer<UInt8>, count: Int, width: Int, height: Int,
  options: ScanTrainingOptions = ScanTrainingOptions(),
  progress: (ScanTrainingProgress) -> Bool = { _ in true }
) throws(AEError) -> ScanFit {
  try options.validate()
  let scans = try findScans(pixels, count: count, width: width, height: height, progress)
  guard scans.count >= 50 else {
    throw AEError(
      .kind,
      "only \(scans.count) of \(count) images were drawn from a bilevel scan: too few to train a network for lossless coding on"
    )
  }
  let heldOut = max(scans.count / 50, 1)
  let samples = try ScanSamples(scans, 0..<scans.count - heldOut)
  let test = try ScanSamples(scans, scans.count - heldOut..<scans.count)

  let widths = [ScanRaster.inputCount] + options.hidden + [1]
  var shapes: [LayerShape] = []
  for index in 1..<widths.count {
    shapes.append(
      LayerShape(
        inputs: widths[index - 1], outputs: widths[index],
        activation: index == widths.count - 1 ? .identity : .relu))
  }
  let network = try TrainableNetwork(
    shapes: shapes, seed: options.seed, firstStream: 200, averaged: options.weightAverage > 0)
  let rows = options.batchSize
  try network.reserve(rows: rows)
  let batch = try ScanBatch(rows)
  var bits = 0.0
  var since = 0
  for step in 0..<options.stepCount {
    samples.draw(seed: options.seed, step: step, rows: rows, into: batch)
    try network.forward(batch.inputs.base, rows: rows)
    bits += ck_bernoulli(
      rows, network.lastOutput.base, batch.targets.base, 1 / Float(rows), network.lastDelta.base)
    since += rows
    let adam = AdamStep(
      number: step,
      learningRate: Schedule.cosine.rate(peak: options.learningRate, step: step, count: options.stepCount),
      averageDecay: options.weightAverage)
    try network.backward(batch.inputs.base, rows: rows, inputDelta: nil, update: adam)
    if (step + 1) % 200 == 0 || step + 1 == options.stepCount {
      guard bits.isFinite else { throw AEError(.diverged, "the scan network's loss is not finite") }
      guard
        progress(.trained(step + 1, of: options.stepCount, bits: bits / Double(since) * 1.4426950408889634))
      else { throw AEError(.stopped, "training of the scan network was stopped after step \(step + 1)") }
      bits = 0
      since = 0
    }
  }

  let trained = try network.network(shapes)
  let calibration = try ScanBatch(min(samples.count, 20_000))
  samples.draw(seed: options.seed, step: options.stepCount, rows: calibration.rows, into: calibration)
  let layers = try quantise(
    trained, input: calibration.inputs, integers: .bytes(calibration.bytes), rows: calibration.rows,
    inputScale: 1 / 255
  ) { _ in .words(units: [1 / Double(ScanModel.wordsPerNat)]) }
  let model = try ScanModel(
    network: try IntegerNetwork(layers: layers), probabilities: ScanModel.logisticTable())
  let costs = try test.bits(trained, model)
  return ScanFit(
    model: model, imageCount: count, scanCount: scans.count, floatBits: costs.float,
    integerBits: costs.integer,
    askedPerScan: Double(test.count) / Double(heldOut))
}

/// How many of `count` images of bytes were drawn from a bilevel scan.
public func countScans(_ pixels: UnsafePointer<UInt8>, count: Int, width: Int, height: Int) throws(AEError)
  -> Int
{
  try findScans(pixels, count: count, width: width, height: height) { _ in true }.count
}

/// The scans of a set's images, in their order; images without one are left out.
private func findScans(
  _ pixels: UnsafePointer<UInt8>, count: Int, width: Int, height: Int,
  _ progress: (ScanTrainingProgress) -> Bool
) throws(AEError) -> [Scan] {
  let perTask = 16
  // Some of a second's work: reports are where the search can be stopped.
  let perReport = 8 * perTask
  var scans: [Scan] = []
  var first = 0
  while first < count {
    let images = min(perReport, count - first)
    var found = [Scan?](repeating: nil, count: images)
    let taskCount = (images + perTask - 1) / perTask
    var failures = [AEError?](repeating: nil, count: taskCount)
    found.withUnsafeMutableBufferPointer { found in
      failures.withUnsafeMutableBufferPointer { failures in
        let (found, failures) = (found.baseAddress.unsafelyUnwrapped, failures.baseAddress.unsafelyUnwrapped)
        parallel(taskCount) { task in
          do throws(AEError) {
            let search = try ScanSearch(width: width, height: height)
            for image in task * perTask..<min((task + 1) * perTask, images) {
              found[image] = try search.find(pixels + (first + image) * width * height)
            }
          } catch { failures[task] = error }
        }
      }
    }
    for failure in failures { if let failure { throw failure } }
    for scan in found { if let scan { scans.append(scan) } }
    first += images
    guard progress(.searched(first, of: count)) else {
      throw AEError(.stopped, "the search for scans was stopped after \(first) of \(count) images")
    }
  }
  return scans
}

/// Rows for the network.
private struct ScanBatch {
  let rows: Int
  let bytes: Buffer<UInt8>
  let inputs: Buffer<Float>
  let targets: Buffer<Float>

  init(_ rows: Int) throws(AEError) {
    self.rows = rows
    bytes = try Buffer(count: rows * ScanRaster.inputCount)
    inputs = try Buffer(count: rows * ScanRaster.inputCount)
    targets = try Buffer(count: rows)
  }
}

/// Every pixel of some scans that the network is asked about: those whose neighbours are not all alike.
private final class ScanSamples {
  /// Where the pixel is: scan and place.
  private struct Sample {
    let scan: Int32
    let row: Int16
    let column: Int16
  }

  private let samples: Buffer<Sample>
  private let rasters: [ScanRaster]
  private let scans: [Scan]
  let count: Int

  init(_ all: [Scan], _ range: Range<Int>) throws(AEError) {
    var rasters: [ScanRaster] = []
    var scans: [Scan] = []
    for scan in all[range] {
      scans.append(scan)
      rasters.append(try ScanRaster(scan))
    }
    var count = 0
    func visit(_ body: (Int, Int, Int) -> Void) {
      for (index, raster) in rasters.enumerated() {
        for row in 0..<raster.height {
          for column in 0..<raster.width {
            let context = raster.context(row, column)
            if context != 0 && context != ScanRaster.allInk { body(index, row, column) }
          }
        }
      }
    }
    visit { _, _, _ in count += 1 }
    let samples = try Buffer<Sample>(count: count)
    var next = 0
    visit { index, row, column in
      samples.base[next] = Sample(
        scan: Int32(truncatingIfNeeded: index), row: Int16(truncatingIfNeeded: row),
        column: Int16(truncatingIfNeeded: column))
      next += 1
    }
    self.samples = samples
    self.rasters = rasters
    self.scans = scans
    self.count = count
  }

  private func fill(_ row: Int, with index: Int, _ batch: ScanBatch) {
    let sample = samples.base[index]
    let raster = rasters[Int(sample.scan)]
    let (y, x) = (Int(sample.row), Int(sample.column))
    let bytes = batch.bytes.base + row * ScanRaster.inputCount
    raster.inputs(y, x, raster.context(y, x), into: bytes)
    ck_from_u8(ScanRaster.inputCount, bytes, batch.inputs.base + row * ScanRaster.inputCount)
    batch.targets.base[row] = scans[Int(sample.scan)].ink.base[y * raster.width + x] == 0 ? 0 : 1
  }

  /// Fills a batch with pixels drawn at random.
  func draw(seed: UInt64, step: Int, rows: Int, into batch: ScanBatch) {
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        var stream = RandomStream(seed: seed, .batch, (1 << 40) + step * 65536 + row)
        let word = UInt64(stream.next()) << 32 | UInt64(stream.next())
        fill(row, with: Int(word % UInt64(count)), batch)
      }
    }
  }

  /// The mean bits that the pixels cost, by the network in floats and in integers.
  func bits(_ network: DenseNetwork, _ model: ScanModel) throws(AEError) -> (float: Double, integer: Double) {
    let chunk = 4096
    let batch = try ScanBatch(chunk)
    let logits = try Buffer<Float>(count: chunk)
    let words = try Buffer<Int16>(count: chunk)
    var float = 0.0
    var integer = 0.0
    var first = 0
    while first < count {
      let rows = min(chunk, count - first)
      for row in 0..<rows { fill(row, with: first + row, batch) }
      try network.run(batch.inputs.base, count: rows, into: logits.base)
      float += ck_bernoulli(rows, logits.base, batch.targets.base, 1, nil) * 1.4426950408889634
      try model.logits(batch.bytes.base, count: rows, into: words.base)
      for row in 0..<rows {
        let ink = Double(model.probability(words.base[row])) / 65536
        integer -= ExactMath.log(batch.targets.base[row] > 0 ? ink : 1 - ink) * 1.4426950408889634
      }
      first += rows
    }
    return (float / Double(max(count, 1)), integer / Double(max(count, 1)))
  }
}

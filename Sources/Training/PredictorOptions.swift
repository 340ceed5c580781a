// The options of training a predictor of pixels, and what it is trained on.

import Core
import Lossless
import Model
import Options
import Storage

/// Images of one shape to train a predictor on: `count` of them, [count, height, width, channels].
public struct PredictorTrainingSet {
  public let pixels: Buffer<UInt8>
  public let count: Int
  public let shape: ImageShape

  public init(_ pixels: Buffer<UInt8>, count: Int, shape: ImageShape) {
    self.pixels = pixels
    self.count = count
    self.shape = shape
  }

  /// Bytes of all images.
  var byteCount: Int { shape.byteCount * count }
}

/// The weights that a predictor's training starts from, where no predictor is given.
public enum InitialWeights: UInt8, Sendable, CaseIterable {
  /// Those of the universal predictor, unless hidden layers are given.
  case universal = 0
  case random = 1
}

/// How a predictor of pixels is trained.
public struct PredictorTrainingOptions: Sendable {
  /// nil: by the bytes of the images.
  public var givenHidden: [Int]?
  public var stepCount = 12_000
  public var batchSize = 4096
  public var learningRate = 3e-3
  public var weightAverage = 0.998
  public var augment = false
  public var initial = InitialWeights.universal
  public var givenName: String?
  public var seed: UInt64 = 1

  public init() {}

  /// Widths of the hidden layers, 1 to 4 of them, for images of so many bytes in all.
  public func hidden(byteCount: Int) -> [Int] {
    if let givenHidden { return givenHidden }
    return byteCount < 1 << 20 ? [64, 32, 32] : byteCount < 8 << 20 ? [128, 64, 64] : [192, 96, 64]
  }

  /// Every option of training a predictor.
  public static let table = OptionTable<PredictorTrainingOptions>(
    "predictor training", defaults: PredictorTrainingOptions(),
    [
      .integers(
        "hidden", 1...UInt64(Predictor.maximumHiddenWidth), automatic: "by the bytes of the images",
        "Widths of the predictor's hidden layers, 1 to 4 of them, with at most 262144 weights in all.",
        { $0.givenHidden }, { $0.givenHidden = $1 }),
      .integer(
        "steps", 1...(1 << 32), "Steps of training, one batch each.", { $0.stepCount }, { $0.stepCount = $1 }),
      .integer(
        "batch_size", 16...65536, "Pixels in a batch, 16 of an image.", { $0.batchSize },
        { $0.batchSize = $1 }),
      .number(
        "learning_rate", 1e-12...10, "The peak of the learning rate, which falls along a cosine.",
        { $0.learningRate }, { $0.learningRate = $1 }),
      .number(
        "weight_average", 0...0.999999,
        "Decay of the exponential moving average of the weights that the predictor gets; 0 for the last weights.",
        { $0.weightAverage }, { $0.weightAverage = $1 }),
      .flag(
        "augment",
        "Change images at random before training on them (mirrored, inverted, other contrasts, sizes, colours, levels): for a predictor of images that it has not seen the like of.",
        { $0.augment }, { $0.augment = $1 }),
      .choice(
        "initial", ["universal", "random"],
        "The weights to start from, where no predictor is given to start from: those of the universal predictor, unless hidden layers are given, or random ones.",
        { $0.initial }, { $0.initial = $1 }),
      .text(
        "name", largestByteCount: 64, automatic: "predictor", "The model's name.", { $0.givenName },
        { $0.givenName = $1 }),
      .integer(
        "seed", 0...UInt64.max, "Fixes the initial weights and the batches.",
        { Int(bitPattern: UInt($0.seed)) }, { $0.seed = UInt64(UInt(bitPattern: $1)) }),
    ])

  /// Where a predictor of these options comes from: the command, and what images it was trained on.
  public func provenance(on images: String, isStarted: Bool) -> String {
    let flags = PredictorTrainingOptions.table.flags(self, prefix: "exact-")
    let line = sentence("aez train --exact\(flags)")
    return sentence("\(line) on \(images)\(isStarted ? ", from the weights of another" : "")")
  }

  /// The name of a model that holds nothing else.
  public var name: String { givenName ?? "predictor" }

  /// The predictor to start from: the one given, or the universal one, or nil for random weights.
  /// - Throws: `.model` if the universal one is not found.
  public func start(given: Predictor?, _ library: ModelLibrary) throws(AEError) -> Predictor? {
    guard given == nil, givenHidden == nil, initial == .universal else { return given }
    return try library.shipped(ShippedModel.universal).predictor
  }

  /// Throws unless every option is in range and the hidden layers are some that a predictor may have.
  public func validate() throws(AEError) {
    try PredictorTrainingOptions.table.check(self)
    guard let givenHidden else { return }
    guard (1...Predictor.maximumHiddenCount).contains(givenHidden.count) else {
      throw AEError(
        .argument,
        "a predictor has 1 to \(Predictor.maximumHiddenCount) hidden layers, not \(givenHidden.count)")
    }
    var inputs = Predictor.inputCount
    var weightCount = 0
    for width in givenHidden + [Predictor.outputCount] {
      weightCount += inputs * width
      inputs = width
    }
    guard weightCount <= Predictor.maximumWeightCount else {
      throw AEError(
        .argument, "a predictor has at most \(Predictor.maximumWeightCount) weights, not \(weightCount)")
    }
  }
}

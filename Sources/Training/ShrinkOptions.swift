// The options of shrinking a model: how much picture quality its weights may cost, and how they are trained meanwhile.

import Core
import Model
import Network
import Options

/// How a model is shrunk.
public struct ShrinkOptions: Sendable {
  public var targetLoss = 0.1
  /// nil: searched for, by the target loss.
  public var density: Double?
  /// Bits of a weight: 2^bits - 1 values, and 0 is one of them.
  public var weightBitCount = 4
  public var stepCount = 20_000
  public var batchSize: Int?
  public var learningRate = 1e-3
  public var lambda: Double?
  public var deformation: Double?
  public var sampleCount = 20_000
  public var seed: UInt64 = 1
  public var givenName: String?

  public init() {}

  /// Every option of shrinking.
  public static let table = OptionTable<ShrinkOptions>(
    "shrinking", defaults: ShrinkOptions(),
    [
      .number(
        "target_loss", 0.001...20,
        "What may be lost, in dB: the mean difference of the PSNR at equal bytes, on images held out.",
        unit: "dB", { $0.targetLoss }, { $0.targetLoss = $1 }),
      .number(
        "density", 0.001...1, automatic: "the lowest that keeps to the target loss",
        "The share of weights that stay.", { $0.density }, { $0.density = $1 }),
      .integer(
        "weight_bits", 2...7, "Bits of each weight that stays: 4 are 15 values.",
        { $0.weightBitCount }, { $0.weightBitCount = $1 }),
      .integer(
        "steps", 1...(1 << 32), "Steps of training for each density that is tried.",
        { $0.stepCount }, { $0.stepCount = $1 }),
      .integer(
        "batch_size", 1...65536, automatic: "as the model was trained, else 100", "Images in a batch.",
        { $0.batchSize }, { $0.batchSize = $1 }),
      .number(
        "learning_rate", 1e-12...10, "The peak of the one-cycle learning rate.",
        { $0.learningRate }, { $0.learningRate = $1 }),
      .number(
        "rd_lambda", 0...1e6, automatic: "as the model was trained, else 0",
        "The Lagrangian of rate-distortion training.",
        { $0.lambda }, { $0.lambda = $1 }),
      .number(
        "deformation", 0...0.5, automatic: "as the model was trained, else 0",
        "The random deformation of images, as in training.",
        { $0.deformation }, { $0.deformation = $1 }),
      .integer(
        "samples", 100...1_000_000,
        "Images that the model draws, where none are given.", { $0.sampleCount },
        { $0.sampleCount = $1 }),
      .integer(
        "seed", 0...UInt64.max, "Fixes the batches and all noise.",
        { Int(bitPattern: UInt($0.seed)) }, { $0.seed = UInt64(UInt(bitPattern: $1)) }),
      .text(
        "name", largestByteCount: 64, automatic: "the model's", "The name of the model that comes of it.",
        { $0.givenName }, { $0.givenName = $1 }),
    ])

  /// Options of the training runs: those that the model was trained with, as far as its provenance tells, and these.
  func training(of model: Autoencoder) throws(AEError) -> TrainingOptions {
    var options = TrainingOptions()
    try options.take(provenance: model.provenance)
    options.architecture = model.architecture
    options.stepCount = stepCount
    options.batchSize = batchSize ?? options.batchSize
    options.learningRate = learningRate
    options.schedule = .oneCycle
    options.lambda = lambda ?? options.lambda
    options.deformation = deformation ?? options.deformation
    options.seed = seed
    // An average of weights that take few values takes others.
    options.weightAverage = 0
    options.validationFraction = 0
    options.importanceWarmupSteps = 0
    options.betaWarmupSteps = 0
    options.optimiser = .adam
    options.givenName = givenName ?? model.name
    try options.validate()
    return options
  }
}

extension TrainingOptions {
  /// Sets the options of a command line `aez train --flag value ...` at the start of a model's provenance. What is none, or
  /// of no option, is passed over: provenance is for people.
  package mutating func take(provenance: String) throws(AEError) {
    var words: [[UInt8]] = [[]]
    for byte in UTF8Text.bytes(provenance) {
      if byte == 32 { words.append([]) } else { words[words.count - 1].append(byte) }
    }
    guard words.count > 2, UTF8Text.string(words[0]) == "aez", UTF8Text.string(words[1]) == "train" else {
      return
    }
    for (index, word) in words.enumerated() where word.count > 2 && word[0] == 45 && word[1] == 45 {
      let flag = UTF8Text.string([UInt8](word[2...]))
      for row in TrainingOptions.table.rows where row.isNamed(flag) {
        let isSwitch = row.type == .flag
        guard isSwitch || index + 1 < words.count else { continue }
        do throws(AEError) {
          let value = isSwitch ? "true" : UTF8Text.string(words[index + 1])
          try TrainingOptions.table.set(sentence("\(row.key)"), value, in: &self)
        } catch {
          if error.code == .memory { throw error }
        }
      }
    }
  }
}

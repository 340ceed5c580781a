// Options of training by name. They are the engine's, so that tool, C and Python train the same models by the same
// names; each is a piece of a table of options and may be overridden option by option.

import Core
import Options

/// Named options of training.
public struct TrainingPreset: Sendable {
  public let name: StaticString
  public let summary: StaticString
  /// Keys and values, `key=value`, separated by blanks.
  public let options: StaticString

  /// Sets the preset's options; all others stay as they are.
  public func apply(to options: inout TrainingOptions) throws(AEError) {
    for pair in pairs { try TrainingOptions.table.set(pair.key, pair.value, in: &options) }
  }

  /// The keys and values that it sets.
  public var pairs: [(key: String, value: String)] {
    var result: [(key: String, value: String)] = []
    var key: [UInt8] = []
    var piece: [UInt8] = []
    for index in 0...options.utf8CodeUnitCount {
      let byte = index < options.utf8CodeUnitCount ? options.utf8Start[index] : 32
      switch byte {
      case 61:
        key = piece
        piece = []
      case 32:
        result.append((UTF8Text.string(key), UTF8Text.string(piece)))
        piece = []
      default: piece.append(byte)
      }
    }
    return result
  }

  /// The preset of a name.
  /// - Throws: `.argument`, with all names, if there is none.
  public static func named(_ name: String) throws(AEError) -> TrainingPreset {
    for preset in all where sentence("\(preset.name)") == name { return preset }
    var names = ""
    for preset in all {
      names = names.isEmpty ? sentence("\(preset.name)") : sentence("\(names), \(preset.name)")
    }
    throw AEError(.argument, "there is no preset \"\(name)\"; there are \(names)")
  }

  public static let all = [
    TrainingPreset(
      name: "study", summary: "the protocol of the study: what holds without a preset, said in full",
      options: "steps=50000 batch_size=100 learning_rate=0.001 schedule=constant"),
    TrainingPreset(
      name: "quick", summary: "a usable model in a minute",
      options: "kind=elu latent_size=8 steps=3000 batch_size=100 learning_rate=0.002 schedule=one-cycle"),
    TrainingPreset(
      name: "best-5", summary: "the lowest error with 5 numbers, in the study's 50,000 steps",
      options:
        "kind=elu latent_size=5 output_activation=sigmoid schedule=cosine weight_average=0.999 deformation=0.06"
    ),
    TrainingPreset(
      name: "best-30", summary: "a low error with 30 numbers and dense layers, which are fast",
      options:
        "kind=elu latent_size=30 steps=80000 loss=bernoulli schedule=cosine weight_average=0.999 deformation=0.05"
    ),
    TrainingPreset(
      name: "conv-30", summary: "the lowest error with 30 numbers, by convolutions",
      options:
        "kind=conv-vae latent_size=30 hidden=32,32,64,64,256 beta=0 steps=56000 batch_size=50 learning_rate=0.002 schedule=one-cycle gradient_clip=20 weight_average=0.999 deformation=0.05"
    ),
    TrainingPreset(
      name: "digits-low", summary: "for image sets of 5 to 10 bytes an image",
      options:
        "kind=elu latent_size=32 rd_lambda=0.12 output_activation=sigmoid steps=15000 learning_rate=0.002 schedule=cosine weight_average=0.999 deformation=0.05 gradient_clip=10"
    ),
    TrainingPreset(
      name: "digits-high", summary: "for image sets of 13 to 25 bytes an image",
      options:
        "kind=elu latent_size=64 rd_lambda=0.005 output_activation=sigmoid steps=40000 learning_rate=0.0015 schedule=cosine weight_average=0.999 deformation=0.05 gradient_clip=10"
    ),
    TrainingPreset(
      name: "vae-50", summary: "a tight bound on binarised digits, with 50 numbers and dense layers",
      options:
        "kind=vae latent_size=50 steps=50000 binarize=true importance_samples=3 schedule=cosine weight_average=0.999"
    ),
    TrainingPreset(
      name: "conv-vae-50", summary: "a tighter one, by convolutions",
      options:
        "kind=conv-vae latent_size=50 hidden=16,16,16,16,32,32,32,384 steps=96000 batch_size=50 binarize=true importance_samples=5 importance_warmup_steps=66000 learning_rate=0.003 schedule=one-cycle gradient_clip=20 weight_average=0.999"
    ),
    TrainingPreset(
      name: "best-vae-50", summary: "the tightest, by convolutions and Muon",
      options:
        "kind=conv-vae latent_size=50 hidden=16,16,16,16,32,32,32,384 steps=160000 batch_size=50 binarize=true importance_samples=32 importance_warmup_steps=148000 learning_rate=0.0025 schedule=one-cycle optimizer=muon gradient_clip=20 weight_average=0.999"
    ),
    TrainingPreset(
      name: "conv-vae-quick", summary: "a convolutional one in a minute",
      options:
        "kind=conv-vae hidden=12,24,128 steps=3000 binarize=true learning_rate=0.003 schedule=one-cycle"),
  ]
}

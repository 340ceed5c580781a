// The options of training and their presets, as flags.

import ArgumentParser
import Core
import Model
import Network
import Options
import Storage
import Training

/// The engine's options of training as flags.
package enum TrainingFlags: FlagTable {
  package static var table: OptionTable<TrainingOptions> { TrainingOptions.table }
  package static var omitted: [String] { [] }
  package static var letters: [String: Character] { ["latent_size": "l"] }
}

package typealias Recipe = TableFlags<TrainingFlags>

extension TableFlags where Table == TrainingFlags {
  /// Options for images of a shape: the preset's, and over them what the command line gives.
  package func options(_ shape: ImageShape, preset: TrainingPreset?) throws(AEError) -> TrainingOptions {
    var options = TrainingOptions()
    (options.width, options.height, options.channels) = (shape.width, shape.height, shape.channels)
    try preset?.apply(to: &options)
    try apply(to: &options)
    try options.validate()
    return options
  }
}

extension TrainingPreset: ExpressibleByArgument {
  public init?(argument: String) {
    guard let preset = TrainingPreset.all.first(where: { "\($0.name)" == argument }) else { return nil }
    self = preset
  }

  public static var allValueStrings: [String] { all.map { "\($0.name)" } }

  /// The flags that say the same.
  package var flags: [String] {
    pairs.map { key, value in
      let flag = "--" + key.replacing("_", with: "-")
      return value == "true" ? flag : "\(flag) \(value)"
    }
  }

  /// The presets with what they do, for help texts.
  package static var listing: String {
    all.map { preset in
      folded(["  \(preset.name):"] + "\(preset.summary)".split(separator: " ").map { String($0) }) + "\n"
        + folded(["    " + preset.flags[0]] + preset.flags.dropFirst())
    }.joined(separator: "\n")
  }

  /// Words in lines that the narrowest usual terminal does not break, all but the first indented.
  private static func folded(_ words: [String]) -> String {
    var lines: [String] = []
    var line = ""
    for word in words {
      if line.isEmpty {
        line = word
      } else if line.count + 1 + word.count <= 78 {
        line += " " + word
      } else {
        lines.append(line)
        line = "    " + word
      }
    }
    return (lines + [line]).joined(separator: "\n")
  }
}

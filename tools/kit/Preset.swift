// Recipes for training by name. A preset is a piece of a command line: what it says holds unless the command
// says otherwise.

import ArgumentParser

/// A named recipe.
package struct Preset: ExpressibleByArgument {
  package let name: String
  package let summary: String
  /// Options of `aez train`.
  package let options: String

  package static let all = [
    Preset(
      name: "study", summary: "the protocol of the study: what holds without a preset, said in full",
      options: "--steps 50000 --batch 100 --rate 0.001 --schedule constant"),
    Preset(
      name: "quick", summary: "a usable model in a minute",
      options: "--kind elu --latent 8 --steps 3000 --batch 100 --rate 0.002 --schedule one-cycle"),
    Preset(
      name: "best-5", summary: "the lowest error with 5 numbers, in the study's 50,000 steps",
      options: "--kind elu --latent 5 --output-activation sigmoid --schedule cosine --average 0.999 "
        + "--deform 0.06"),
    Preset(
      name: "best-30", summary: "a low error with 30 numbers and dense layers, which are fast",
      options: "--kind elu --latent 30 --steps 80000 --loss bernoulli --schedule cosine --average 0.999 "
        + "--deform 0.05"),
    Preset(
      name: "conv-30", summary: "the lowest error with 30 numbers, by convolutions",
      options: "--kind conv-vae --latent 30 --hidden 32,32,64,64,256 --beta 0 --steps 56000 --batch 50 "
        + "--rate 0.002 --schedule one-cycle --clip 20 --average 0.999 --deform 0.05"),
    Preset(
      name: "digits-low", summary: "for image sets of 5 to 10 bytes an image",
      options: "--kind elu --latent 32 --lambda 0.12 --output-activation sigmoid --steps 15000 --rate 0.002 "
        + "--schedule cosine --average 0.999 --deform 0.05 --clip 10"),
    Preset(
      name: "digits-high", summary: "for image sets of 13 to 25 bytes an image",
      options:
        "--kind elu --latent 64 --lambda 0.005 --output-activation sigmoid --steps 40000 --rate 0.0015 "
        + "--schedule cosine --average 0.999 --deform 0.05 --clip 10"),
    Preset(
      name: "vae-50", summary: "a tight bound on binarised digits, with 50 numbers and dense layers",
      options: "--kind vae --latent 50 --steps 50000 --binarize --importance-samples 3 --schedule cosine "
        + "--average 0.999"),
    Preset(
      name: "conv-vae-50", summary: "a tighter one, by convolutions",
      options: "--kind conv-vae --latent 50 --hidden 16,16,16,16,32,32,32,384 --steps 96000 --batch 50 "
        + "--binarize --importance-samples 5 --importance-warmup 66000 --rate 0.003 --schedule one-cycle "
        + "--clip 20 --average 0.999"),
    Preset(
      name: "best-vae-50", summary: "the tightest, by convolutions and Muon",
      options: "--kind conv-vae --latent 50 --hidden 16,16,16,16,32,32,32,384 --steps 160000 --batch 50 "
        + "--binarize --importance-samples 32 --importance-warmup 148000 --rate 0.0025 --schedule one-cycle "
        + "--optimizer muon --clip 20 --average 0.999"),
    Preset(
      name: "conv-vae-quick", summary: "a convolutional one in a minute",
      options: "--kind conv-vae --hidden 12,24,128 --steps 3000 --binarize --rate 0.003 --schedule one-cycle"),
  ]

  private init(name: String, summary: String, options: String) {
    self.name = name
    self.summary = summary
    self.options = options
  }

  package init?(argument: String) {
    guard let preset = Preset.all.first(where: { $0.name == argument }) else { return nil }
    self = preset
  }

  package static var allValueStrings: [String] { all.map(\.name) }

  /// The options that the preset sets.
  package func recipe() throws -> Recipe { try Recipe.parse(words) }
  package var words: [String] { options.split(separator: " ").map { String($0) } }

  /// The presets with what they do, for help texts.
  package static var listing: String {
    all.map { preset in
      // Options and their values stay together.
      let options = preset.options.split(separator: " ").reduce(into: [] as [String]) { pieces, word in
        if word.hasPrefix("--") {
          pieces.append(String(word))
        } else {
          pieces[pieces.count - 1] += " \(word)"
        }
      }
      let words = preset.summary.split(separator: " ").map { String($0) }
      return folded(["  \(preset.name):"] + words) + "\n"
        + folded(["    " + options[0]] + options.dropFirst())
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

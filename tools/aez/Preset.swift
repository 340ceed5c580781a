// Recipes for training by name. A preset is a piece of a command line: what it says holds unless the command
// says otherwise.

import ArgumentParser

/// A named recipe.
struct Preset: ExpressibleByArgument {
  let name: String
  let summary: String
  /// Options of `aez train`.
  let options: String

  static let all = [
    Preset(
      name: "study", summary: "the protocol of the study: what holds without a preset, said in full",
      options: "--steps 50000 --batch 100 --rate 0.001 --schedule constant"),
    Preset(
      name: "quick", summary: "a usable model in a minute",
      options: "--kind elu --latent 8 --steps 3000 --batch 100 --rate 0.002 --schedule one-cycle"),
  ]

  private init(name: String, summary: String, options: String) {
    self.name = name
    self.summary = summary
    self.options = options
  }

  init?(argument: String) {
    guard let preset = Preset.all.first(where: { $0.name == argument }) else { return nil }
    self = preset
  }

  static var allValueStrings: [String] { all.map(\.name) }

  /// The options that the preset sets.
  func recipe() throws -> Recipe {
    try Recipe.parse(options.split(separator: " ").map { String($0) })
  }

  /// The presets with what they do, for help texts.
  static var listing: String {
    all.map { "\($0.name): \($0.summary) (\($0.options))" }.joined(separator: "\n")
  }
}

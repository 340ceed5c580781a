// aez sample: images drawn from a variational model's prior.

import ArgumentParser
import Core
import Storage
import ToolKit

struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draw new images from a variational model.",
    usage: "aez sample --model <file> -o <path> [<options>]",
    discussion: """
      Draws codes from a unit Gaussian and decodes them; a seed gives the same codes on every machine, and \
      more images begin with the same ones. Variational models are those of the kinds vae, conv-vae and residual-vae; the \
      project keeps one of digits as models/conv-vae.aew.

      EXAMPLES
        aez train mnist:train -o vae.aew --kind vae --latent 20 --binarize
        aez sample --model vae.aew --count 100 --seed 7 -o samples.png
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("A variational weight file (.aew); none is compiled in.", valueName: "file"))
  var model: String
  @Option(name: .shortAndLong, help: "How many images.") var count = 100
  @Option(help: "Fixes what is drawn.") var seed: UInt64 = 1
  @OptionGroup var output: ImageOutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    guard (1...ImageSet.maximumCount).contains(count) else {
      throw ValidationError("--count must be in 1 ... \(ImageSet.maximumCount), not \(count).")
    }
  }

  func run() throws {
    try output.check(inputs: [model])
    let model = try Models.open(model)
    try output.check(
      count: count, channels: model.architecture.channels, hasLabels: false, source: .unknown)
    guard model.architecture.isVariational else {
      throw AEError(
        .kind,
        "\(self.model): \"\(model.name)\" is of the kind \(model.architecture.kind.name), and samples are drawn from a "
          + "variational model: train one with --kind vae or --kind conv-vae")
    }
    let set = try model.images(count: count) { pixels throws(AEError) in
      try model.sample(count: count, seed: seed, into: pixels)
    }
    try output.write(set)
    var facts = Report()
    facts.add("output", .string(output.file.output))
    facts.add(images: set.count, set.shape)
    facts.add("seed", .string("\(seed)"), "seed")
    facts.add("model", .string(model.name), "model")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }
}

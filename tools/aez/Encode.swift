// aez encode: images to latent codes in a .npy file.

import ArgumentParser
import Core
import Storage
import ToolKit

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Encode images to latent codes.",
    usage: "aez encode <images> [--model <file>] -o <codes.npy> [<options>]",
    discussion: """
      Writes a .npy of float32, [images, latents]. A variational model gives the mean. The codes of a model \
      in float32 or float16 agree between machines to within rounding; those of an int8 model are the same \
      everywhere.

      EXAMPLE
        aez encode mnist:test --model elu.aew -o codes.npy
      """)

  @Argument(help: "The images.") var images: String
  @OptionGroup var model: ModelOptions
  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    guard output.isStandardOutput || Path.has(output.output, ".npy") else {
      throw ValidationError("Codes are written as .npy: end the name \(output.output) in that.")
    }
  }

  func run() throws {
    try output.check(inputs: [images, input.labels, model.model])
    let model = try model.load()
    let set = try input.load(images)
    try set.check(for: model, name: images)
    let latents = try Buffer<Float>(count: try elements(set.count, model.latentCount))
    try model.encode(set.pixels.base, count: set.count, into: latents.base)
    try output.write(try NPY.write(latents, shape: [set.count, model.latentCount]))
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add("images", .int(set.count), "images", grouped(set.count))
    facts.add("latents", .int(model.latentCount), "latents", "\(model.latentCount) each")
    facts.add("model", .string(model.name), "model")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }
}

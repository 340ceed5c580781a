// aez decode: latent codes from a .npy file to images.

import ArgumentParser
import Bytes
import Core
import Model
import Storage
import ToolKit

struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Decode latent codes to images.",
    usage: "aez decode <codes.npy> [--model <file>] -o <path> [<options>]",
    discussion: """
      Reads a .npy of floats, [images, latents], as `aez encode` writes it.

      EXAMPLE
        aez decode codes.npy --model elu.aew -o digits.png
      """)

  @Argument(help: "The codes: a .npy file, or - for standard input.") var codes: String
  @OptionGroup var model: ModelOptions
  @OptionGroup var output: ImageOutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws { try report.check(dataOnStandardOutput: output.isStandardOutput) }

  func run() throws {
    try output.check(inputs: [codes, model.model])
    let model = try model.load()
    let input = codes == "-" ? try Console.openInput() : try ByteInput(path: codes)
    let name = input.name
    let (shape, latents) = try NPY.readFloats(input)
    guard shape.count == 2, shape[1] == model.latentCount else {
      let came = shape.map { "\($0)" }.joined(separator: ", ")
      throw AEError(
        .shape,
        "\(name): codes of the model \"\(model.name)\" are [images, \(model.latentCount)], not [\(came)]")
    }
    let set = try model.images(count: shape[0]) { pixels throws(AEError) in
      try model.decode(latents.base, count: shape[0], into: pixels)
    }
    try output.write(set)
    var facts = Report()
    facts.add("output", .string(output.file.output))
    facts.add(images: set.count, width: set.width, height: set.height)
    facts.add("model", .string(model.name), "model")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }
}

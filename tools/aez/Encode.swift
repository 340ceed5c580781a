// aez encode: images to latent codes in a .npy file.

import ArgumentParser
import Bytes
import Core
import Model
import Network
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
    let stream = try input.stream(images, for: model.architecture)
    try Advice.checkShape(stream.shape, name: images)
    guard stream.shape == model.architecture.image else {
      throw Advice.wrongShape(images, stream.shape, model)
    }
    // Some megabytes of pixels and codes at a time.
    let step = min(max((8 << 20) / (stream.imageSize + 4 * model.latentCount), 1), max(stream.count, 1))
    let pixels = try Buffer<UInt8>(count: try elements(step, stream.imageSize))
    let latents = try Buffer<Float>(count: try elements(step, model.latentCount))
    Interrupt.listen()
    let progress = Progress(total: stream.count, isQuiet: report.quiet)
    try Interrupt.whileMaking("\(output.output) was complete") {
      let file = try OutputFile(
        output.isStandardOutput ? "/dev/stdout" : output.output, overwrite: output.force)
      let head = try Buffer(NPY.floatHead(shape: [stream.count, model.latentCount]))
      try file.append(head.base, head.count)
      var done = 0
      while done < stream.count {
        let count = min(step, stream.count - done)
        try stream.next(count, into: pixels.base)
        try model.encode(pixels.base, count: count, into: latents.base)
        let bytes = try NPY.floatBytes(latents.base, count: count * model.latentCount)
        try file.append(bytes.base, bytes.count)
        done += count
        progress.update(done, "\(done)/\(stream.count) images")
        if Interrupt.isRequested { throw AEError(.stopped, "") }
      }
      try file.finish()
    }
    progress.finish()
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add("images", .int(stream.count), "images", grouped(stream.count))
    facts.add("latents", .int(model.latentCount), "latents", "\(model.latentCount) each")
    facts.add("model", .string(model.name), "model")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }
}

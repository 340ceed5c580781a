// aez decode: latent codes from a .npy file to images.

import ArgumentParser
import Bytes
import Core
import Model
import Network
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
    let rows = try NPY.FloatRows(input)
    let sizes = rows.shape
    guard sizes.count == 2, sizes[1] == model.latentCount else {
      let came = sizes.map { "\($0)" }.joined(separator: ", ")
      throw AEError(
        .shape,
        "\(name): codes of the model \"\(model.name)\" are [images, \(model.latentCount)], not [\(came)]")
    }
    let count = sizes[0]
    try output.check(
      count: count, channels: model.architecture.channels, hasLabels: false, source: .unknown)
    let shape = model.architecture.image
    let imageSize = shape.byteCount
    Interrupt.listen()
    try Interrupt.whileMaking("\(output.file.output) was complete") {
      if let file = try output.open(shape, count: count) {
        // Some megabytes of pixels and codes at a time.
        let step = min(max((8 << 20) / (imageSize + 4 * model.latentCount), 1), max(count, 1))
        let latents = try Buffer<Float>(count: try elements(step, model.latentCount))
        let pixels = try Buffer<UInt8>(count: try elements(step, imageSize))
        let progress = Progress(total: count, isQuiet: report.quiet)
        var done = 0
        while done < count {
          let part = min(step, count - done)
          try rows.next(part * model.latentCount, into: latents.base)
          try model.decode(latents.base, count: part, into: pixels.base)
          try file.append(pixels.base, part * imageSize)
          done += part
          progress.update(done, "\(done)/\(count) images")
          if Interrupt.isRequested { throw AEError(.stopped, "") }
        }
        try rows.end()
        try file.finish()
        progress.finish()
      } else {
        let latents = try Buffer<Float>(count: try elements(count, model.latentCount))
        try rows.next(count * model.latentCount, into: latents.base)
        try rows.end()
        try output.write(
          try model.images(count: count) { pixels throws(AEError) in
            try model.decode(latents.base, count: count, into: pixels)
          })
      }
    }
    var facts = Report()
    facts.add("output", .string(output.file.output))
    facts.add(images: count, shape)
    facts.add("model", .string(model.name), "model")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }
}

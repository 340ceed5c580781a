// aez reconstruct: a picture of images over what a model makes of them.

import ArgumentParser
import Core
import Model
import Storage
import ToolKit
import Training

struct Reconstruct: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show images over what a model makes of them.",
    usage: "aez reconstruct <images> [--model <file>] -o <picture.png> [<options>]",
    discussion: """
      Writes one picture, .png, .pgm, .ppm or .pam: a row of images, and under each its reconstruction; more rows in \
      pairs if there are more images than columns.

      EXAMPLE
        aez reconstruct mnist:test --model elu.aew --count 20 -o reconstructions.png
      """)

  @Argument(help: "The images.") var images: String
  @OptionGroup var model: ModelOptions
  @OptionGroup var input: InputOptions
  @Option(name: .shortAndLong, help: "How many images, the first ones.") var count = 10
  @Option(help: "Images in a row; at most 20 unless told.") var columns: Int?
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    guard count >= 1 else { throw ValidationError("--count must be at least 1, not \(count).") }
    if let columns, columns < 1 { throw ValidationError("--columns must be at least 1, not \(columns).") }
    guard output.isStandardOutput || PictureKind(named: output.output) != nil else {
      throw ValidationError(
        "A picture is written as .png, .pgm, .ppm or .pam: end the name \(output.output) in one of these.")
    }
  }

  func run() throws {
    try output.check(inputs: [images, input.labels, model.model])
    let model = try model.load()
    let kind = PictureKind(named: output.output) ?? .png
    try kind.check(channels: max(model.architecture.channels, 1), of: output.output)
    var input = input
    input.limit = min(count, input.limit ?? count)
    let set = try input.load(images, for: model.architecture)
    try set.check(for: model, name: images)
    let latents = try Buffer<Float>(count: try elements(set.count, model.latentCount))
    try model.encode(set.pixels.base, count: set.count, into: latents.base)
    let rebuilt = try model.images(count: set.count) { pixels throws(AEError) in
      try model.decode(latents.base, count: set.count, into: pixels)
    }
    let columns = min(columns ?? 20, max(set.count, 1))
    let picture = try Grid.make(try pairs(set, rebuilt, columns: columns), columns: columns)
    try output.write(try kind.write(picture))
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add(images: set.count, set.shape)
    facts.add(
      mse: Evaluation.meanSquaredError(set.pixels.base, rebuilt.pixels.base, byteCount: set.pixels.count))
    facts.add("model", .string(model.name), "model")
    try report.show(facts, dataOnStandardOutput: output.isStandardOutput)
  }

  /// Rows of the first set, each followed by the row of the second; the last rows are filled with black.
  private func pairs(_ above: ImageSet, _ below: ImageSet, columns: Int) throws(AEError) -> ImageSet {
    let rows = (above.count + columns - 1) / columns
    let size = above.imageSize
    let pixels = try Buffer<UInt8>(count: try elements(2 * rows * columns, size))
    for index in 0..<above.count {
      let cell = (index / columns) * 2 * columns + index % columns
      (pixels.base + cell * size).update(from: above.pixels.base + index * size, count: size)
      (pixels.base + (cell + columns) * size).update(from: below.pixels.base + index * size, count: size)
    }
    return try ImageSet(
      width: above.width, height: above.height, channels: above.channels, count: 2 * rows * columns,
      pixels: pixels)
  }
}

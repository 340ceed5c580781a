// aez compress: images to an image set (.aez).

import ArgumentParser
import Compression
import Core
import Model
import Storage
import Training

struct Compress: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compress images to an image set (.aez).",
    usage: "aez compress <images> [--model <file>] -o <set.aez> [<options>]",
    discussion: """
      Keeps a few bytes for each image: its latent code. The set decodes to the same pixels on every machine. \
      It needs the model it was made with; --embed-model puts the decoder into the file. File names, their \
      order, and labels go along.

      EXAMPLES
        aez compress mnist:test -o digits.aez
        aez compress digits/ --model elu.aew --quality 3 --embed-model -o digits.aez
      """)

  @Argument(help: "The images.") var images: String
  @OptionGroup var model: ModelOptions
  @OptionGroup var input: InputOptions
  @Option(
    help:
      "From 1 (smallest) to as many as the model offers (best); `aez info` tells; the model's default unless told."
  )
  var quality: Int?
  @Flag(help: "Put the decoder into the file, which then needs no other.") var embedModel = false
  @Option(
    help: ArgumentHelp("Images in a block, 1 to 65536: what is decoded to read one.", valueName: "images"))
  var block = CompressionOptions().blockImages
  @OptionGroup var output: OutputOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try report.check(dataOnStandardOutput: output.isStandardOutput)
    if let quality, quality < 1 { throw ValidationError("--quality must be at least 1, not \(quality).") }
    guard (1...65536).contains(block) else {
      throw ValidationError("--block must be in 1 ... 65536, not \(block).")
    }
  }

  func run() throws {
    try output.check()
    let model = try model.load()
    let set = try input.load(images)
    try set.check(width: model.architecture.width, height: model.architecture.height, name: images)
    var options = CompressionOptions()
    options.quality = quality ?? 0
    options.embedModel = embedModel
    options.blockImages = block
    let bytes = try compress(set, with: model, options: options)
    try output.write(bytes)
    guard report.json || !(report.quiet || output.isStandardOutput) else { return }
    let packed = try CompressedSet(bytes, model: model, name: output.output)
    var facts = Report()
    facts.add("output", .string(output.output))
    facts.add(images: set.count, width: set.width, height: set.height)
    facts.add(size: packed.information.byteCount, of: set)
    facts.add("quality", .int(packed.information.quality), "quality")
    facts.add("kept_images", .int(packed.information.keptImageCount))
    if packed.information.keptImageCount > 0 {
      facts.add(
        line: "\(grouped(packed.information.keptImageCount)) whose code would not do them justice",
        title: "kept as pixels")
    }
    if set.count > 0 {
      facts.add(mse: try packed.meanSquaredError(to: set))
    }
    facts.add("model", .string(model.name), "model", "\(model.name)\(embedModel ? " (embedded)" : "")")
    facts.add("model_embedded", .bool(embedModel))
    try report.show(facts)
  }
}

extension Report {
  /// Adds the size of a compressed set: in all, per image, and as a share of the pixels' bytes.
  mutating func add(size byteCount: Int, of set: ImageSet) {
    let each = Double(byteCount) / Double(max(set.count, 1))
    let ratio = Double(set.pixels.count) / Double(max(byteCount, 1))
    add("bytes", .int(byteCount), "bytes", grouped(byteCount))
    add("bytes_per_image", .number(each), "an image", "\(each.fixed(2)) bytes")
    add("ratio", .number(ratio), "ratio", "\(ratio.fixed(1)) : 1")
  }
}

extension CompressedSet {
  /// Mean squared error, on the [0, 1] scale, of what the set gives back.
  func meanSquaredError(to set: ImageSet) throws(AEError) -> Double {
    let pixels = try Buffer<UInt8>(count: set.pixels.count)
    try read(first: 0, count: set.count, into: pixels.base)
    return Evaluation.meanSquaredError(set.pixels.base, pixels.base, byteCount: pixels.count)
  }
}

// aez info: what is in a weight file, an image set, or a file or folder of images.

import ArgumentParser
import Bytes
import Container
import Core
import Storage
import ToolKit

struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tell what is in a file.",
    usage: "aez info [<file>] [<options>]",
    discussion: """
      Takes weight files (.aew), image sets (.aez; their model is not needed) and images of every kind that \
      other commands read, and the names of models that come with libae. Without a file it tells of the default model, \
      which is compiled into aez.

      EXAMPLES
        aez info elu.aew
        aez info digits-low
        aez info digits.aez --json
        aez info digits/
      """)

  @Argument(
    help:
      "A weight file, the name of a model that comes with libae, an image set, or images; - is standard input."
  ) var file: String?
  @OptionGroup var input: InputOptions
  @OptionGroup var report: ReportOptions

  func run() throws {
    var facts = Report()
    facts.add("file", file.map { .string($0) } ?? .null)
    guard let file else {
      add(try BuiltInModels.summary(ShippedModel.standard), to: &facts)
      return try report.show(facts)
    }
    if let shipped = Models.shipped(file) {
      add(try BuiltInModels.summary(shipped), to: &facts)
      return try report.show(facts)
    }
    // A folder, or a name such as mnist:test, is images.
    let isMNIST = try input.mnistFiles(file) != nil
    if isMNIST || file != "-" && Path.kind(file) == .folder {
      add(try input.loadAndNote(file, .look), to: &facts)
      return try report.show(facts)
    }
    if file == "-", Console.isTerminal(Console.input) { throw InputOptions.terminalInput }
    let opened = file == "-" ? try Console.openInput() : try ByteInput(path: file)
    let format = try FileFormat.of(opened)
    switch format.kind {
    case .weights, .imageSet:
      guard !opened.isGzip else {
        throw AEError(.format, "\(opened.name): is \(format.what), gzipped: gunzip it first")
      }
      if format.kind == .imageSet, file != "-", let source = try File.source(file) {
        add(try CompressedSet.peek(source, name: file), to: &facts)
        break
      }
      if format.kind == .imageSet {
        add(try CompressedSet.peek(try CompressedSet.bytes(opened), name: opened.name), to: &facts)
      } else {
        let bytes = try WeightFile.bytes(opened)
        add(try WeightFile.summary(bytes.base, bytes.count, name: opened.name), to: &facts)
      }
    case .npy:
      let header = try NPY.peekHeader(opened)
      if header.elementType != .bytes, header.shape.count == 2, input.size == nil {
        _ = try NPY.readFloats(opened)
        try add(header, to: &facts)
      } else {
        add(try input.loadAndNote(file, opened: opened, .look), to: &facts)
      }
    default: add(try input.loadAndNote(file, opened: opened, .look), to: &facts)
    }
    try report.show(facts)
  }

  private func add(_ summary: WeightFileSummary, to facts: inout Report) {
    let architecture = summary.architecture
    facts.add(
      "type", .string("weights"), "type", "weights, version \(summary.majorVersion).\(summary.minorVersion)")
    facts.add("version", .string("\(summary.majorVersion).\(summary.minorVersion)"))
    facts.add("name", .string(summary.name), "name")
    facts.add("kind", .string("\(architecture.kind.name)"), "kind")
    facts.add("width", .int(architecture.width))
    facts.add("height", .int(architecture.height))
    facts.add("channels", .int(architecture.channels))
    facts.add("latents", .int(architecture.latentCount))
    facts.add("hidden", .array(architecture.hidden.map { .int($0) }))
    if architecture.kind != .predictor {
      var layers = ["\(architecture.pixelCount)"]
      let widths = architecture.encoder.shapes.filter { $0.hasWeights }
      for (width, shape) in zip(architecture.hidden, widths) {
        layers.append(shape.isConvolution ? "\(width)x\(shape.outputs / width)" : "\(width)")
      }
      layers.append("\(architecture.latentCount)")
      let (encoder, decoder) = (architecture.encoder, architecture.decoder)
      facts.add(
        line: architecture.custom == nil
          ? "\(architecture.image.text), \(layers.joined(separator: "-")) and back"
          : "\(architecture.image.text), an encoder of \(counted(encoder.nodes.count, "node")) to "
            + "\(architecture.latentCount) latents, a decoder of \(counted(decoder.nodes.count, "node"))",
        title: "network")
      if architecture.custom != nil {
        facts.add("encoder", .string(encoder.text))
        facts.add("decoder", .string(decoder.text))
      }
    }
    if !summary.predictorWidths.isEmpty {
      let widths = summary.predictorWidths
      facts.add("predictor_hidden", .array(widths.dropFirst().dropLast().map { .int($0) }))
      let weights = zip(widths, widths.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
      facts.add(
        "predictor_weights", .int(weights), "predictor",
        "\(widths.map { "\($0)" }.joined(separator: "-")), \(grouped(weights)) weights in integers")
      let section = summary.sections.first { $0.tag == "PRED" }
      facts.add(
        "predictor_bytes", .int(section?.storedByteCount ?? 0), "its bytes",
        grouped(section?.storedByteCount ?? 0))
      let hash = SHA256.hex(summary.predictorHash ?? [])
      facts.add("predictor_hash", .string(hash), "its hash", hash)
    }
    let isAutoencoder = architecture.kind != .predictor
    facts.add("output_activation", .string(architecture.output == .sigmoid ? "sigmoid" : "linear"))
    facts.add(
      "parameters", .int(architecture.parameterCount), isAutoencoder ? "parameters" : nil,
      grouped(architecture.parameterCount))
    facts.add("storage", .string("\(summary.storage.name)"), "storage")
    facts.add(
      "has_encoder", .bool(summary.hasEncoder), isAutoencoder ? "encoder" : nil,
      summary.hasEncoder ? "yes" : "no, a decoder alone")
    facts.add("is_variational", .bool(architecture.isVariational))
    facts.add(
      "qualities", .int(summary.qualityCount), isAutoencoder ? "qualities" : nil,
      summary.qualityCount > 0
        ? "1 to \(summary.qualityCount), \(summary.defaultQuality) unless told" : "none: it cannot compress")
    facts.add("default_quality", summary.qualityCount > 0 ? .int(summary.defaultQuality) : .null)
    let hash = summary.hash.map { SHA256.hex($0) }
    facts.add("hash", .optional(hash), hash == nil || !isAutoencoder ? nil : "hash")
    facts.add("bytes", .int(summary.byteCount), "bytes", grouped(summary.byteCount))
    facts.add(
      "sections",
      .array(
        summary.sections.map {
          .object([
            ("tag", .string($0.tag)), ("bytes", .int($0.storedByteCount)),
            ("raw_bytes", .int($0.rawByteCount)),
          ])
        }))
    facts.add(
      "provenance", .string(summary.provenance), summary.provenance.isEmpty ? nil : "made by")
  }

  private func add(_ information: CompressedSetInformation, to facts: inout Report) {
    facts.add("type", .string("image set"), "type")
    facts.add(images: information.count, information.shape)
    facts.add("mode", .string(information.mode.name), "mode", information.mode.phrase(information.maxError))
    facts.add("max_error", .int(information.maxError))
    let method = information.method.map { "\($0)" }
    facts.add("method", .optional(method), method == nil ? nil : "method")
    facts.add("latents", .int(information.latentCount), information.latentCount > 0 ? "latents" : nil)
    let scale = ShippedModel.scaleQuality(information.quality, hash: information.modelHash)
    facts.add(
      "quality", .int(information.quality), information.quality > 0 ? "quality" : nil,
      scale > 0 ? "\(scale) of \(ShippedModel.scaleCount)" : "\(information.quality)")
    facts.add("scale_quality", .int(scale))
    facts.add("bytes", .int(information.byteCount), "bytes", grouped(information.byteCount))
    let each = Double(information.byteCount) / Double(max(information.count, 1))
    facts.add("bytes_per_image", .number(each), "an image", "\(each.fixed(2)) bytes")
    facts.add(
      "blocks", .int(information.blockCount), "blocks",
      "\(information.blockCount) of \(information.blockImages) images")
    facts.add("block_images", .int(information.blockImages))
    facts.add("raw_images", .int(information.rawImageCount), "stored raw")
    facts.add(
      "source", .string(information.source.name), information.source == .unknown ? nil : "made from")
    facts.add("has_labels", .bool(information.hasLabels), "labels")
    facts.add("has_names", .bool(information.hasNames), "file names")
    facts.add("needs_model", .bool(information.needsModel))
    let isNamed = information.needsModel || information.quality > 0
    let isPredicted = information.needsPredictor
    let embedded = information.hasModel ? " (embedded)" : ""
    facts.add(
      "has_model", .bool(information.hasModel), isNamed || !isPredicted ? "model" : nil,
      isNamed ? "\(information.modelName)\(embedded)" : "none needed")
    facts.add(
      "predictor_name", .string(information.predictorName), isPredicted ? "predictor" : nil,
      "\(information.predictorName)\(isNamed ? "" : embedded)")
    facts.add(
      "predictor_hash", .string(SHA256.hex(information.predictorHash)), isPredicted ? "its hash" : nil)
    facts.add("model_name", .string(information.modelName))
    facts.add(
      "model_hash", .string(SHA256.hex(information.modelHash)), isNamed ? "model's hash" : nil)
  }

  private func add(_ header: NPY.Header, to facts: inout Report) throws {
    let shape = header.shape.map { "\($0)" }.joined(separator: ", ")
    facts.add(
      "type", .string("array"), "type", "array of floats, [\(shape)]: latent codes, or flattened images")
    facts.add("shape", .array(header.shape.map { .int($0) }))
    facts.add("element_bytes", .int(header.elementType.byteCount))
  }

  private func add(_ images: (set: ImageSet, note: GreyNote), to facts: inout Report) {
    let set = images.set
    facts.add("type", .string("images"), "type")
    facts.add("source", .string(set.source.name), "from")
    facts.add(images: set.count, set.shape)
    facts.add("has_labels", .bool(set.labels != nil), "labels")
    facts.add("has_names", .bool(set.names != nil), "file names")
    var sum = 0
    for index in 0..<set.pixels.count { sum += Int(set.pixels.base[index]) }
    let mean = Double(sum) / Double(max(set.pixels.count, 1))
    facts.add("mean_pixel", .number(mean), "mean pixel", "\(mean.fixed(2)) of 255")
    facts.add(grey: images.note)
  }
}

extension SourceKind {
  var name: String {
    switch self {
    case .unknown: return "unknown"
    case .idx: return "IDX file"
    case .npy: return "NPY file"
    case .pngFolder: return "folder of PNG files"
    case .pgmFolder: return "folder of PGM files"
    case .pngFile: return "PNG file"
    case .pgmFile: return "PGM file"
    case .ppmFolder: return "folder of PPM files"
    case .pamFolder: return "folder of PAM files"
    case .ppmFile: return "PPM file"
    case .pamFile: return "PAM file"
    }
  }
}

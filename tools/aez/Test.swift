// aez test: whether a weight file or an image set is whole.

import ArgumentParser
import Bytes
import Container
import Core
import Storage
import ToolKit

struct Test: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Verify a weight file or an image set.",
    usage: "aez test <file> [--model <file>] [<options>]",
    discussion: """
      Checks every checksum, and decodes every block of an image set, for which its model is found as \
      `aez decompress` finds it. Says what is damaged and which images are lost. The exit status is 0 if the \
      file is sound and 1 if it is not.

      EXAMPLE
        aez test digits.aez
      """)

  @Argument(help: "A weight file (.aew) or an image set (.aez); - is standard input.") var file: String
  @OptionGroup var model: SetModelOptions
  @OptionGroup var report: ReportOptions

  func run() throws {
    let (name, source) = try SetFile.open(file)
    var facts = Report()
    facts.add("file", .string(name))
    let start = try source.bytes(at: 0, count: min(source.byteCount, FileFormat.headCount))
    switch FileFormat.of(UnsafeBufferPointer(start: start.base, count: start.count)).kind {
    case .weights:
      let bytes = try source.bytes(at: 0, count: source.byteCount)
      _ = try WeightFile.read(bytes.base, bytes.count, name: name)
      let summary = try WeightFile.summary(bytes.base, bytes.count, name: name)
      facts.add("sound", .bool(true))
      facts.add("sections", .int(summary.sections.count))
      facts.add(line: "\(name): sound, \(counted(summary.sections.count, "section"))")
      try report.show(facts)
    case .imageSet: try verify(source, name, &facts)
    default: throw AEError(.format, "\(name): is neither a weight file (.aew) nor an image set (.aez)")
    }
  }

  private func verify(_ bytes: ByteSource, _ name: String, _ facts: inout Report) throws {
    let set = try Models.openSet(bytes, name: name, options: model, isCutAllowed: true)
    Interrupt.listen()
    let progress = Progress(total: set.information.count, isQuiet: report.quiet)
    let found = try Interrupt.whileMaking("\(name) was checked") {
      try set.verify(onProgress: progress.hook())
    }
    progress.finish()
    facts.add("sound", .bool(found.isSound))
    facts.add("images", .int(set.information.count))
    facts.add("blocks", .int(set.information.blockCount))
    facts.add("lost_images", .int(found.lostImageCount))
    facts.add(
      "damage",
      .array(
        found.damage.map {
          .object([
            ("part", .string($0.part.name)),
            ("first_image", $0.images.isEmpty ? .null : .int($0.images.lowerBound)),
            ("images", .int($0.images.count)), ("reason", .string($0.reason)),
          ])
        }))
    if found.isSound {
      facts.add(
        line: "\(name): sound, \(counted(set.information.count, "image")) in "
          + counted(set.information.blockCount, "block"))
    }
    for damage in found.damage {
      let images = damage.images
      facts.add(
        line: images.isEmpty
          ? damage.reason
          : "\(damage.reason); images \(images.lowerBound) to \(images.upperBound - 1) are lost")
    }
    try report.show(facts)
    if !found.isSound {
      throw AEError(
        .checksum,
        "\(name): \(counted(found.damageCount, "part")) damaged, \(counted(found.lostImageCount, "image")) lost"
      )
    }
  }
}

extension Damage.Part {
  var name: String {
    switch self {
    case .model: return "model"
    case .labels: return "labels"
    case .names: return "names"
    case .block(let number): return "block \(number)"
    case .end: return "end"
    }
  }
}

// Image sets of the first day, kept in Tests/golden: they decode to the same pixels for ever, and the same
// images still make the same files. With AE_WRITE_TEST_FILES set, a test writes files that are not there.

import Bytes
import Container
import Core
import Foundation
import Model
import Storage
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

func golden(_ name: String) throws -> Buffer<UInt8> {
  try File.read(root.appendingPathComponent("Tests/golden/\(name)").path)
}

/// A set that is kept as a file.
private struct Golden {
  let name: String
  let weights: String
  let set: ImageSet
  let options: CompressionOptions
  /// CRC-32 of all pixels, decoded.
  let pixels: UInt32
  /// Of the format. Only files of the newest are still written.
  var version = 3
  /// Whether a writer still makes the same file: one of version 3 that later kinds of block made smaller is not.
  var isMadeStill = true

  /// The models that the sets name, by the names of their files.
  static func models() throws -> [(name: String, model: Autoencoder)] {
    [
      ("walsh-4.aew", try Support.model(side: 4, latentCount: 3, reach: 4)),
      ("walsh-8.aew", try Support.model(kind: .vae)),
      (
        "scans-28.aew",
        try Support.model(side: 28, latentCount: 3, name: "scans").with(
          scanModel: try Support.scanModel(isSensible: true))
      ),
      ("predictor-8.aew", try Autoencoder(predictor: try Support.predictor(), name: "predictor-8")),
      (
        "predictor-scans.aew",
        try Autoencoder(
          predictor: try Support.predictor(), scanModel: try Support.scanModel(isSensible: true),
          name: "predictor-scans")
      ),
    ]
  }

  /// Images of 6 x 5 x 3 that a model has restored often enough to restore them well.
  static func pictures(of name: String) throws -> ImageSet {
    let file = try ContainerTests.golden(name)
    let model = try WeightFile.read(file.base, file.count, name: name)
    let count = 20
    let pixels = try Support.ramps(count, ImageShape(width: 6, height: 5, channels: 3), noise: 200).pixels
    let latents = try Buffer<Int16>(count: count * 3)
    for _ in 0..<4 {
      try #require(model.integerEncoder).encode(pixels.base, count: count, into: latents.base)
      try #require(model.integerDecoder).decode(latents.base, count: count, into: pixels.base)
    }
    return try ImageSet(width: 6, height: 5, channels: 3, count: count, pixels: pixels, source: .npy)
  }

  static func all() throws -> [Golden] {
    let noise = try Support.noise(12, side: 8)
    for index in 6 * 64..<12 * 64 { noise[index] = 255 }
    return [
      Golden(
        name: "tiny.aez", weights: "walsh-4.aew",
        set: try Support.set(3, side: 4, labelled: true, named: true, source: .pngFolder),
        options: Support.options(quality: 1), pixels: 0xE7C56969, version: 1),
      Golden(
        name: "coded.aez", weights: "walsh-8.aew", set: try Support.set(40, labelled: true, source: .idx),
        options: Support.options(quality: 3, block: 16), pixels: 0xF7983554, version: 1),
      Golden(
        name: "mixed.aez", weights: "walsh-8.aew",
        set: try Support.set(40, odd: [0, 7, 8, 39], named: true, source: .pgmFolder),
        options: Support.options(quality: 2, block: 20), pixels: 0x6B6E37C6, version: 1),
      Golden(
        name: "plain.aez", weights: "walsh-8.aew",
        set: try ImageSet(width: 8, height: 8, count: 12, pixels: noise),
        options: Support.options(block: 6), pixels: 0x3845B489, version: 1),
      Golden(
        name: "empty.aez", weights: "walsh-8.aew", set: try Support.set(0), options: Support.options(),
        pixels: 0, version: 1),
      Golden(
        name: "embedded.aez", weights: "walsh-8.aew", set: try Support.set(9, odd: [4], labelled: true),
        options: Support.options(quality: 1, embed: true, block: 4), pixels: 0x9F353567, version: 1),
      Golden(
        name: "exact.aez", weights: "walsh-8.aew",
        set: try Support.set(40, odd: [3, 4, 5], labelled: true, named: true, source: .pngFolder),
        options: Support.options(mode: .lossless, block: 16), pixels: 0xB5026596, version: 2),
      Golden(
        name: "exact-stored.aez", weights: "walsh-8.aew",
        set: try ImageSet(width: 8, height: 8, count: 12, pixels: noise),
        options: Support.options(mode: .lossless, block: 6), pixels: 0x3845B489, version: 2),
      Golden(
        name: "near-exact-3.aez", weights: "walsh-8.aew",
        set: try Support.set(40, odd: [3, 4, 5], source: .npy),
        options: Support.options(mode: .nearLossless, maxError: 3, block: 16), pixels: 0x8410F17D, version: 2),
      Golden(
        name: "near-exact-32.aez", weights: "walsh-8.aew", set: try Support.set(20, side: 16),
        options: Support.options(mode: .nearLossless, maxError: 32), pixels: 0x18F85FC1, version: 2),
      Golden(
        name: "exact-contexts.aez", weights: "walsh-8.aew",
        set: try Support.set(40, odd: [3, 4, 5], labelled: true, named: true, source: .pngFolder),
        options: Support.options(mode: .lossless, block: 16), pixels: 0xB5026596, version: 2),
      Golden(
        name: "exact-noise.aez", weights: "walsh-8.aew",
        set: try ImageSet(width: 8, height: 8, count: 12, pixels: noise),
        options: Support.options(mode: .lossless, block: 6), pixels: 0x3845B489, version: 2),
      Golden(
        name: "exact-preview.aez", weights: "walsh-8.aew", set: try Support.set(20, odd: [3], source: .idx),
        options: Support.options(mode: .lossless, quality: 1, preview: true, block: 16), pixels: 0x14389775,
        version: 2),
      Golden(
        name: "near-exact-contexts.aez", weights: "scans-28.aew", set: try Support.drawings(12),
        options: Support.options(mode: .nearLossless, maxError: 1, method: .contexts), pixels: 0x0279528C,
        version: 2),
      Golden(
        name: "exact-drawings-1.aez", weights: "scans-28.aew", set: try Support.drawings(12),
        options: Support.options(mode: .lossless, method: .contexts, block: 6), pixels: 0xB6B87BD5, version: 2
      ),
      Golden(
        name: "exact-scans.aez", weights: "scans-28.aew", set: try Support.drawings(8),
        options: Support.options(mode: .lossless), pixels: 0xB68BFE3C, version: 2),
      Golden(
        name: "near-exact-scans.aez", weights: "scans-28.aew", set: try Support.drawings(6),
        options: Support.options(mode: .nearLossless, maxError: 4, quality: 1, preview: true),
        pixels: 0xF7E260EE, version: 2),
      Golden(
        name: "v3-tiny.aez", weights: "walsh-4.aew",
        set: try Support.set(3, side: 4, labelled: true, named: true, source: .pngFolder),
        options: Support.options(quality: 1), pixels: 0xE7C56969),
      Golden(
        name: "v3-coded.aez", weights: "walsh-8.aew", set: try Support.set(40, labelled: true, source: .idx),
        options: Support.options(quality: 3, block: 16), pixels: 0xF7983554),
      Golden(
        name: "v3-mixed.aez", weights: "walsh-8.aew",
        set: try Support.set(40, odd: [0, 7, 8, 39], named: true, source: .pgmFolder),
        options: Support.options(quality: 2, block: 20), pixels: 0x6B6E37C6),
      Golden(
        name: "v3-plain.aez", weights: "walsh-8.aew",
        set: try ImageSet(width: 8, height: 8, count: 12, pixels: noise),
        options: Support.options(block: 6), pixels: 0x3845B489),
      Golden(
        name: "v3-empty.aez", weights: "walsh-8.aew", set: try Support.set(0), options: Support.options(),
        pixels: 0),
      Golden(
        name: "v3-embedded.aez", weights: "walsh-8.aew", set: try Support.set(9, odd: [4], labelled: true),
        options: Support.options(quality: 1, embed: true, block: 4), pixels: 0x9F353567),
      Golden(
        name: "v3-exact-contexts.aez", weights: "walsh-8.aew",
        set: try Support.set(40, odd: [3, 4, 5], labelled: true, named: true, source: .pngFolder),
        options: Support.options(mode: .lossless, block: 16), pixels: 0xB5026596, isMadeStill: false),
      Golden(
        name: "v3-exact-noise.aez", weights: "walsh-8.aew",
        set: try ImageSet(width: 8, height: 8, count: 12, pixels: noise),
        options: Support.options(mode: .lossless, block: 6), pixels: 0x3845B489),
      Golden(
        name: "v3-exact-preview.aez", weights: "walsh-8.aew",
        set: try Support.set(20, odd: [3], source: .idx),
        options: Support.options(mode: .lossless, quality: 1, preview: true, block: 16), pixels: 0x14389775,
        isMadeStill: false),
      Golden(
        name: "v3-near-exact-contexts.aez", weights: "scans-28.aew", set: try Support.drawings(12),
        options: Support.options(mode: .nearLossless, maxError: 1, method: .contexts), pixels: 0x0279528C,
        isMadeStill: false),
      Golden(
        name: "v3-exact-drawings-1.aez", weights: "scans-28.aew", set: try Support.drawings(12),
        options: Support.options(mode: .lossless, method: .contexts, block: 6), pixels: 0xB6B87BD5,
        isMadeStill: false),
      Golden(
        name: "v3-exact-scans.aez", weights: "scans-28.aew", set: try Support.drawings(8),
        options: Support.options(mode: .lossless), pixels: 0xB68BFE3C, isMadeStill: false),
      Golden(
        name: "v3-near-exact-scans.aez", weights: "scans-28.aew", set: try Support.drawings(6),
        options: Support.options(mode: .nearLossless, maxError: 4, quality: 1, preview: true),
        pixels: 0xF7E260EE, isMadeStill: false),
      Golden(
        name: "v3-colour-deflated.aez", weights: "walsh-8.aew",
        set: try Support.ramps(
          20, ImageShape(width: 16, height: 12, channels: 3), labelled: true, named: true, source: .pngFolder),
        options: Support.options(mode: .lossless, block: 8), pixels: 0xD6D0405E, isMadeStill: false),
      Golden(
        name: "v3-colour-stored.aez", weights: "walsh-8.aew",
        set: try Support.ramps(6, ImageShape(width: 5, height: 7, channels: 4), noise: 256),
        options: Support.options(mode: .lossless), pixels: 0x186D1E8C, isMadeStill: false),
      Golden(
        name: "v3-near-colour.aez", weights: "walsh-8.aew",
        set: try Support.ramps(7, ImageShape(width: 200, height: 9, channels: 3), source: .npy),
        options: Support.options(mode: .nearLossless, maxError: 5, block: 4), pixels: 0x642556F9,
        isMadeStill: false),
      Golden(
        name: "v3-wide-contexts.aez", weights: "walsh-8.aew",
        set: try Support.ramps(5, ImageShape(width: 256, height: 3), noise: 12),
        options: Support.options(mode: .lossless, method: .contexts), pixels: 0x5692A365, isMadeStill: false),
      Golden(
        name: "v3-contexts-grey.aez", weights: "walsh-8.aew", set: try Support.drawings(6),
        options: Support.options(mode: .lossless, method: .contexts, block: 4), pixels: 0xF7E260EE),
      Golden(
        name: "v3-contexts-rgb.aez", weights: "walsh-8.aew",
        set: try Support.ramps(
          9, ImageShape(width: 16, height: 12, channels: 3), noise: 5, labelled: true, named: true,
          source: .pngFolder),
        options: Support.options(mode: .lossless, block: 5), pixels: 0xB0BE1CD0),
      Golden(
        name: "v3-contexts-rgba.aez", weights: "walsh-8.aew",
        set: try Support.ramps(5, ImageShape(width: 9, height: 7, channels: 4), noise: 3),
        options: Support.options(mode: .lossless), pixels: 0x6F9D46FE),
      Golden(
        name: "v3-contexts-bilevel.aez", weights: "walsh-8.aew", set: try Support.bilevel(5),
        options: Support.options(mode: .lossless, method: .contexts), pixels: 0x87D9D3A0),
      Golden(
        name: "v3-contexts-preview.aez", weights: "walsh-8.aew",
        set: try Support.set(20, odd: [3], source: .idx),
        options: Support.options(mode: .lossless, quality: 1, preview: true, block: 16), pixels: 0x14389775),
      Golden(
        name: "v3-near-contexts-rgb.aez", weights: "walsh-8.aew",
        set: try Support.ramps(6, ImageShape(width: 16, height: 12, channels: 3), noise: 5, source: .npy),
        options: Support.options(mode: .nearLossless, maxError: 2), pixels: 0xB0981BE4),
      Golden(
        name: "v3-predicted-grey.aez", weights: "predictor-8.aew", set: try Support.drawings(6),
        options: Support.options(mode: .lossless, method: .predicted, block: 4), pixels: 0xF7E260EE),
      Golden(
        name: "v3-predicted-rgb.aez", weights: "predictor-8.aew",
        set: try Support.ramps(
          9, ImageShape(width: 16, height: 12, channels: 3), noise: 5, labelled: true, named: true,
          source: .pngFolder),
        options: Support.options(mode: .lossless, method: .predicted, block: 5), pixels: 0xB0BE1CD0),
      Golden(
        name: "v3-near-predicted-rgba.aez", weights: "predictor-8.aew",
        set: try Support.ramps(5, ImageShape(width: 9, height: 7, channels: 4), noise: 3),
        options: Support.options(mode: .nearLossless, maxError: 1, method: .predicted), pixels: 0x8BD16BBE),
      Golden(
        name: "v3-predicted-embedded.aez", weights: "predictor-8.aew",
        set: try Support.ramps(
          4, ImageShape(width: 8, height: 6, channels: 3), noise: 5, labelled: true, named: true),
        options: Support.options(mode: .lossless, method: .predicted, embed: true), pixels: 0x32623DB2),
      Golden(
        name: "v3-scans-contexts.aez", weights: "scans-28.aew", set: try Support.drawings(12),
        options: Support.options(mode: .lossless, method: .scans, block: 7), pixels: 0xB6B87BD5),
      Golden(
        name: "v3-scans-preview.aez", weights: "scans-28.aew", set: try Support.drawings(6),
        options: Support.options(mode: .lossless, method: .scans, quality: 1, preview: true),
        pixels: 0xF7E260EE),
      Golden(
        name: "v3-scans-predicted.aez", weights: "predictor-scans.aew", set: try Support.drawings(12),
        options: Support.options(mode: .lossless, method: .scans, block: 7), pixels: 0xB6B87BD5),
      Golden(
        name: "v3-near-scans-predicted.aez", weights: "predictor-scans.aew", set: try Support.drawings(6),
        options: Support.options(mode: .nearLossless, maxError: 2, method: .scans), pixels: 0xF021ACF0),
      // Codes of images in colour, by a list of nodes that has every operation, in both forms of integers.
      Golden(
        name: "v3-coded-rgb.aez", weights: "tiny-nodes.aew", set: try pictures(of: "tiny-nodes.aew"),
        options: Support.options(quality: 3, block: 8), pixels: 0xFDF44F6E),
      Golden(
        name: "v3-coded-rgb-form-2.aez", weights: "tiny-nodes-form-2.aew",
        set: try pictures(of: "tiny-nodes-form-2.aew"),
        options: Support.options(quality: 3, embed: true, block: 8), pixels: 0xFDB0CB87),
    ]
  }
}

@Suite(.serialized) struct GoldenTests {
  @Test(
    "Golden files that are not there are written",
    .enabled(
      if: ProcessInfo.processInfo.environment["AE_WRITE_TEST_FILES"] != nil,
      "a writer, for AE_WRITE_TEST_FILES=1"))
  func writeFiles() throws {
    for (name, model) in try Golden.models() {
      let path = root.appendingPathComponent("Tests/golden/\(name)").path
      if File.exists(path) { continue }
      let file = try WeightFile.write(model, storage: .int8, decoderOnly: false)
      try File.write(path, file.base, file.count, overwrite: false)
    }
    for golden in try Golden.all() {
      let path = root.appendingPathComponent("Tests/golden/\(golden.name)").path
      if File.exists(path) || golden.version < 3 { continue }
      let weights = try ContainerTests.golden(golden.weights)
      let model = try WeightFile.read(weights.base, weights.count, name: golden.weights)
      let file = try compress(golden.set, with: model, options: golden.options)
      try File.write(path, file.base, file.count, overwrite: false)
    }
  }

  @Test("Files of the first day decode to the same pixels, labels and names")
  func decode() throws {
    for golden in try Golden.all() {
      let weights = try ContainerTests.golden(golden.weights)
      let model = try WeightFile.read(weights.base, weights.count, name: golden.weights)
      let file = try ContainerTests.golden(golden.name)
      let open = try CompressedSet(file, model: golden.options.embedModel ? nil : model, name: golden.name)
      #expect(try open.verify().isSound)
      #expect(open.information.version == golden.version)
      let pixels = try Support.read(open)
      let crc = pixels.withUnsafeBufferPointer { pixels in
        pixels.isEmpty ? 0 : Checksum.crc32(pixels.baseAddress!, pixels.count)
      }
      #expect(crc == golden.pixels, "\(golden.name)")
      // And each image alone, wherever the others of its block end.
      let size = open.information.shape.byteCount
      let alone = try Buffer<UInt8>(count: size)
      for image in 0..<open.information.count {
        try open.read(first: image, count: 1, into: alone.base)
        #expect(
          alone.array[...] == pixels[image * size..<(image + 1) * size], "\(golden.name), image \(image)")
      }
      #expect(try open.labels()?.array == golden.set.labels)
      let names = try open.names()
      #expect(names.map { names in (0..<names.count).map { names[$0] } } == golden.set.names)
      #expect(open.information.source == golden.set.source)
    }
  }

  @Test("The same images make the same files as ever, in the newest version")
  func encode() throws {
    // How a weight file is packed may change, and with it the sets that have one embedded.
    for golden in try Golden.all()
    where !golden.options.embedModel && golden.version == 3 && golden.isMadeStill {
      let weights = try ContainerTests.golden(golden.weights)
      let model = try WeightFile.read(weights.base, weights.count, name: golden.weights)
      let file = try ContainerTests.golden(golden.name)
      let isSame = try compress(golden.set, with: model, options: golden.options).array == file.array
      #expect(isSame, "\(golden.name)")
    }
  }

  @Test("Between them the files have every kind of block, those of lossless coding in grey and in colour")
  func kinds() throws {
    var found: [[Int]] = [[], []]
    for golden in try Golden.all() {
      let information = try CompressedSet.peek(try ContainerTests.golden(golden.name), name: golden.name)
      for kind in BlockKind.allCases where information.blockCounts[Int(kind.rawValue)] > 0 {
        found[information.channels == 1 ? 0 : 1].append(Int(kind.rawValue))
      }
    }
    #expect(Set(found[0]) == Set(BlockKind.allCases.map { Int($0.rawValue) }))
    #expect(Set(found[1]) == [0, 1, 2, 6, 7])
  }

  @Test("Every file in the folder is tested")
  func completeness() throws {
    let present = try FileManager.default.contentsOfDirectory(
      atPath: root.appendingPathComponent("Tests/golden").path
    ).filter { $0.hasSuffix(".aez") }
    #expect(present.sorted() == (try Golden.all().map(\.name).sorted()))
  }

  @Test("The bytes that the format's page explains are those of the file")
  func workedExample() throws {
    let page = try String(contentsOf: root.appendingPathComponent("docs/format-aez.md"), encoding: .utf8)
    var bytes: [UInt8] = []
    var isInside = false
    for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("```") {
        isInside = line == "```hexdump"
        continue
      }
      guard isInside else { continue }
      // An offset, then bytes, then what they mean.
      let fields = line.split(separator: "|")[0].split(separator: " ")
      #expect(Int(fields[0], radix: 16) == bytes.count, "\(line)")
      for field in fields.dropFirst() { bytes.append(try #require(UInt8(field, radix: 16))) }
    }
    let file = try golden("v3-tiny.aez")
    #expect(bytes == file.array)
  }
}

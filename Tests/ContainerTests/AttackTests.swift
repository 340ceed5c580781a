// Files that were made to be refused, each for one reason. They lie in Tests/attack/aez for every reader of
// the format; here is how each of version 3 was made, and which error it must give (OldAttacks.swift has the others).
// With AE_WRITE_TEST_FILES set, a test
// writes them.

import Bytes
import Compute
import Container
import Core
import Entropy
import Foundation
import Latent
import Model
import Storage
import Testing

/// A file, how it fails, and whether already at opening.
private struct Attack {
  let name: String
  let code: AEError.Code
  let opens: Bool
  let bytes: [UInt8]
}

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("attack/aez")

/// The model that all of them name; golden files have it, too.
private func model() throws(AEError) -> Autoencoder { try Support.model(side: 4, latentCount: 3) }

private func attacks() throws -> [Attack] {
  let set = try Support.set(7, side: 4, labelled: true, named: true)
  let base = try compress(set, with: try model(), options: Support.options(quality: 1, block: 3)).array
  let layout = try #require(Layout(base))
  let index = try #require(layout.index)
  var list: [Attack] = []

  func cut(_ start: Int, _ end: Int) -> [UInt8] { Array(base[start..<end]) }
  // Sums of literals and slices take the compiler seconds.
  func bytes(_ parts: [UInt8]...) -> [UInt8] { parts.flatMap { $0 } }

  func add(
    _ name: String, _ code: AEError.Code, opens: Bool = false, repair: Bool = true,
    from bytes: [UInt8]? = nil,
    _ change: (inout [UInt8]) -> Void = { _ in }
  ) {
    var bytes = bytes ?? base
    change(&bytes)
    if repair { Layout.repair(&bytes) }
    list.append(Attack(name: "v3-" + name, code: code, opens: opens, bytes: bytes))
  }
  /// A byte of the header.
  func field(_ name: String, _ code: AEError.Code, _ offset: Int, _ value: UInt8, of bytes: [UInt8]? = nil) {
    add(name, code, from: bytes) { $0[offset] = value }
  }
  /// The base, or another set, with another header, but for its checksum; what follows stays.
  func header(_ name: String, _ code: AEError.Code, _ bytes: [UInt8], of other: [UInt8]? = nil) {
    let (base, layout) = other.map { ($0, Layout($0)!) } ?? (base, layout)
    let head = bytes + [0, 0, 0, 0]
    var whole = head + base[layout.headerSize...]
    Layout.put(Layout.crc(whole, 0..<bytes.count), &whole, bytes.count, 4)
    let moved = UInt64(layout.index!.head.lowerBound + head.count - layout.headerSize)
    Layout.put(moved, &whole, whole.count - 20, 8)
    Layout.put(Layout.crc(whole, whole.count - 20..<whole.count - 8), &whole, whole.count - 8, 4)
    add(name, code, repair: false, from: whole)
  }

  // Not this format, or not all of it.
  add("header-cut", .format, repair: false) { $0 = Array($0.prefix(20)) }
  add("header-alone", .format, repair: false) { $0 = Array($0.prefix(layout.headerSize)) }
  add("header-checksum", .checksum, repair: false) { $0[11] ^= 1 }
  add("byte-too-many", .format, repair: false) { $0.append(0) }
  add("byte-too-few", .format, repair: false) { $0.removeLast() }
  add("footer-cut", .format, repair: false) { $0.removeLast(20) }
  add("footer-alone", .format, repair: false) {
    $0 = Array($0.prefix(layout.headerSize)) + Array($0.suffix(20))
  }
  add("footer-twice", .format, repair: false) { $0 += Array($0.suffix(20)) }

  // Fields of the header: 8 version, 10 content, 11 source, 12 width, 13 height, 14 channels, 15 images in a block,
  // 16 quality, 17 latents, 18 hash, 50 size of the model's name.
  field("version-4", .version, 8, 4)
  field("content-unknown", .version, 10, 0x4C)
  field("mode-unknown", .version, 10, 0x0F)
  field("source-unknown", .version, 11, 200)
  field("width-0", .format, 12, 0)
  field("width-65", .format, 12, 65)
  field("height-0", .format, 13, 0)
  field("channels-3", .format, 14, 3)
  field("block-images-0", .format, 15, 0)
  field("quality-0", .format, 16, 0)
  field("quality-17", .format, 16, 17)
  field("latents-0", .format, 17, 0)
  field("name-of-model-65", .format, 50, 65)
  field("name-of-model-not-utf8", .format, 51, 0xFF)
  let before = Array(base[..<12])
  let after = Array(base[13..<layout.headerSize - 4])
  header("width-of-two-bytes", .format, bytes(before, [0x84, 0], after))
  header("width-of-six-bytes", .format, bytes(before, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], after))
  header("width-without-end", .format, bytes(before, [UInt8](repeating: 0xFF, count: 20), after))
  header(
    "block-images-65537", .format,
    bytes(cut(0, 15), Layout.varint(65537), cut(16, layout.headerSize - 4)))
  header(
    "latents-1025", .format, bytes(cut(0, 17), Layout.varint(1025), cut(18, layout.headerSize - 4)))
  // A lossy set with scans; a model for nothing; scans and codes without one.
  field("lossy-with-scans", .format, 10, 0x1C)
  header(
    "lossy-without-codes", .format,
    bytes(cut(0, 10), [0x04], cut(11, 16), cut(17, layout.headerSize - 4)))
  header("lossy-without-model", .format, bytes(cut(0, 10), [0x08], cut(11, 17)))
  header("scans-without-model", .format, bytes(cut(0, 10), [0x11], cut(11, 16)))
  header(
    "model-for-nothing", .format,
    bytes(cut(0, 10), [0x05], cut(11, 16), cut(17, layout.headerSize - 4)))
  header(
    "near-exact-error-0", .format,
    bytes(cut(0, 10), [0x0E], cut(11, 16), [0], cut(16, layout.headerSize - 4)))
  header(
    "near-exact-error-33", .format,
    bytes(cut(0, 10), [0x0E], cut(11, 16), [33], cut(16, layout.headerSize - 4)))

  // The footer: 20 bytes before the end where the index is, 12 before it how many images there are.
  func footer(_ name: String, _ code: AEError.Code, _ place: Int, _ size: Int, _ value: UInt64) {
    add(name, code) { Layout.put(value, &$0, base.count - place, size) }
  }
  add("footer-checksum", .checksum, repair: false) { $0[$0.count - 12] ^= 1 }
  footer("index-at-0", .format, 20, 8, 0)
  footer("index-in-header", .format, 20, 8, UInt64(layout.headerSize - 1))
  footer("index-in-block", .version, 20, 8, UInt64(layout.blocks[0].payload.lowerBound + 1))
  footer("index-at-footer", .format, 20, 8, UInt64(base.count - 20))
  footer("index-beyond-file", .format, 20, 8, UInt64(base.count + 1))
  footer("index-at-2-to-63", .format, 20, 8, 1 << 63)
  footer("index-at-minus-1", .format, 20, 8, .max)
  footer("count-0", .format, 12, 4, 0)
  footer("count-one-more", .format, 12, 4, 8)
  footer("count-all-ones", .format, 12, 4, 0xFFFF_FFFF)

  // The index: its entries, in order, are those of the heads.
  add("index-checksum", .checksum, repair: false) { $0[index.payload.lowerBound] ^= 0x20 }
  let entries = layout.chunks.filter { $0.kind != 15 }.map { Array(base[$0.head]) }
  func indexed(
    _ name: String, code: AEError.Code = .format, opens: Bool = false, _ entries: [[UInt8]], count: Int = 7
  ) {
    let front = Array(base[..<index.head.lowerBound])
    let end = Layout.end(entries.flatMap { $0 }, at: front.count, imageCount: count)
    add(name, code, opens: opens, repair: false, from: front + end)
  }
  let (first, second, third, labelHead, nameHead) = (
    entries[0], entries[1], entries[2], entries[3], entries[4]
  )
  indexed("index-empty", [])
  indexed("index-without-names", [first, second, third, labelHead])
  indexed("index-without-a-block", [first, third, labelHead, nameHead], count: 4)
  indexed("index-block-twice", [first, first, second, third, labelHead, nameHead], count: 10)
  indexed("index-labels-twice", [first, second, third, labelHead, labelHead, nameHead])
  indexed("index-names-before-labels", [first, second, third, nameHead, labelHead])
  indexed("index-block-after-labels", [first, second, labelHead, third, nameHead])
  indexed("index-cut", [first, second, third, labelHead, Array(nameHead.dropLast())])
  indexed("index-in-index", [first, second, third, labelHead, nameHead, [15]])
  indexed("index-byte-too-many", [first, second, third, labelHead, nameHead, [0]])
  func tag(_ chunk: Int, kind: Int? = nil, more: Int = 0, flag: Int = 0) -> [UInt8] {
    let chunk = layout.chunks[chunk]
    return Layout.varint((chunk.payload.count + more) << 5 | flag | (kind ?? chunk.kind))
  }
  indexed("index-kind-unknown", code: .version, [tag(0, kind: 12), second, third, labelHead, nameHead])
  indexed("index-kind-11", code: .version, [first, second, third, tag(3, kind: 11), nameHead])
  for kind in 12...14 {
    indexed(
      "index-block-of-kind-\(kind)", code: .version, [first, tag(1, kind: kind), third, labelHead, nameHead])
  }
  indexed("index-exact-in-lossy-set", code: .version, [tag(0, kind: 4), second, third, labelHead, nameHead])
  for kind in [5, 6, 7] {
    indexed(
      "index-lossless-of-kind-\(kind)-in-lossy-set", code: .version,
      [tag(0, kind: kind), second, third, labelHead, nameHead])
  }
  indexed("index-size-one-more", [tag(0, more: 1), second, third, labelHead, nameHead])
  indexed(
    "index-size-one-more-and-one-less", opens: true,
    [tag(0, more: 1), tag(1, more: -1), third, labelHead, nameHead])
  indexed("index-size-0", [[0], second, third, labelHead, nameHead])
  indexed("index-size-beyond-file", [Layout.varint(1 << 30), second, third, labelHead, nameHead])
  indexed("index-size-2-to-37", [Layout.varint(1 << 41), second, third, labelHead, nameHead])
  indexed(
    "index-size-of-seven-bytes",
    [[0xE0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], second, third, labelHead, nameHead])
  indexed(
    "index-size-with-a-zero-more",
    [[UInt8](first.dropLast()) + [first.last! | 0x80, 0], second, third, labelHead, nameHead])
  indexed("index-count-0", [tag(0, flag: 16) + [0], second, third, labelHead, nameHead], count: 4)
  indexed(
    "index-count-65537", [tag(0, flag: 16) + Layout.varint(65537), second, third, labelHead, nameHead],
    count: 65541)
  indexed("index-count-as-usual", [tag(0, flag: 16) + [3], second, third, labelHead, nameHead])
  indexed(
    "index-counts-longer-than-heads",
    [tag(0, flag: 16) + [2], tag(1, flag: 16) + [4], third, labelHead, nameHead])
  indexed(
    "index-count-unlike-block", opens: true, [first, second, tag(2, flag: 16) + [2], labelHead, nameHead],
    count: 8)
  indexed(
    "index-labels-with-count", code: .version, [first, second, third, tag(3, flag: 16) + [7], nameHead])
  indexed("index-names-of-2-to-28", [first, second, third, labelHead, tag(4) + Layout.varint(1 << 28)])
  indexed("index-names-beyond-limit", [first, second, third, labelHead, tag(4) + Layout.varint(1 << 28 + 1)])
  indexed("index-mixed-all-raw", [tag(0, kind: 3) + [3], second, third, labelHead, nameHead])
  indexed("index-mixed-none-raw", [tag(0, kind: 3) + [0], second, third, labelHead, nameHead])

  // Heads that disagree with the index: their checksums are right.
  func head(_ name: String, _ bytes: [UInt8]) { add(name, .format, opens: true, repair: false, from: bytes) }
  head("head-of-another-kind", Layout.replace(base, 0, kind: 2, indexed: false))
  let short = Array(base[layout.blocks[0].payload].dropLast())
  func shortened() -> [UInt8] {
    // One byte less in the block, and one more that belongs to no part.
    var bytes = Layout.replace(base, 0, payload: short, indexed: false)
    bytes.insert(0, at: layout.blocks[0].payload.upperBound - 1)
    Layout.put(UInt64(index.head.lowerBound), &bytes, bytes.count - 20, 8)
    Layout.put(Layout.crc(bytes, bytes.count - 20..<bytes.count - 8), &bytes, bytes.count - 8, 4)
    return bytes
  }
  head("head-of-another-size", shortened())

  // What belongs to another model, or to none.
  field("model-unknown", .model, 18, base[18] ^ 0xFF)
  field("width-unlike-model", .format, 12, 5)
  field("quality-unlike-model", .format, 16, 4)
  let weights = try WeightFile.write(
    try Support.model(side: 4, latentCount: 2), storage: .int8, decoderOnly: true
  ).array
  func embed(_ section: [UInt8]) -> [UInt8] {
    var front = Array(base[..<layout.headerSize])
    // Beside a hash that no model at hand has.
    front[19] ^= 0xFF
    Layout.put(Layout.crc(front, 0..<front.count - 4), &front, front.count - 4, 4)
    for chunk in layout.blocks { front += base[chunk.whole] }
    let head = Layout.varint(section.count << 5 | 8)
    var sum = [UInt8](repeating: 0, count: 4)
    Layout.put(Layout.crc(head + section, 0..<head.count + section.count), &sum, 0, 4)
    front += head + sum + section + base[layout.labels!.whole] + base[layout.names!.whole]
    let all = Array(entries[..<3]) + [head] + Array(entries[3...])
    return front + Layout.end(all.flatMap { $0 }, at: front.count, imageCount: 7)
  }
  add("embedded-other-model", .format, from: embed(weights))
  add("embedded-nothing", .format, from: embed([]))
  add("embedded-garbage", .format, from: embed([UInt8](repeating: 0xA5, count: 100)))

  // Blocks that open and cannot be decoded; their checksums are right.
  func block(
    _ name: String, _ code: AEError.Code = .format, from bytes: [UInt8]? = nil, block: Int = 0,
    kind: Int? = nil, extra: [UInt8]? = nil, _ change: (inout [UInt8]) -> Void
  ) throws {
    let source = bytes ?? base
    var part = Array(source[try #require(Layout(source)).blocks[block].payload])
    change(&part)
    add(
      name, code, opens: true, repair: false,
      from: Layout.replace(source, block, kind: kind, extra: extra, payload: part))
  }
  try block("codes-state-alone") { $0 = Array($0.prefix(3)) }
  try block("codes-cut") { $0.removeLast() }
  try block("codes-byte-too-many") { $0.append(0) }
  try block("codes-state-low") {
    $0[3] = 0; $0[2] &= 0x7F
  }
  try block("codes-state-high") { $0[3] = 0x80 }
  try block("codes-other-end") { $0[0] ^= 1 }
  try block("stored-too-short", kind: 2) { $0 = [UInt8](repeating: 7, count: 47) }
  try block("stored-too-long", kind: 2) { $0 = [UInt8](repeating: 7, count: 49) }
  try block("deflated-garbage", kind: 1) { $0 = [1, 2, 3] }
  let bomb = try Zlib.deflate([UInt8](repeating: 0, count: 1 << 22), 1 << 22).array
  try block("deflated-bomb", kind: 1) { $0 = bomb }

  let odd = try Support.set(24, side: 4, odd: [1, 2, 13])
  let mixed = try compress(odd, with: try model(), options: Support.options(quality: 1, block: 12)).array
  #expect(Layout(mixed)!.blocks[0].kind == 3)
  try block("mixed-head-cut", from: mixed) { $0 = Array($0.prefix(7)) }
  try block("mixed-keeps-unlike-head", from: mixed, extra: [3]) { _ in }
  try block("mixed-keeps-2-to-32", from: mixed) { Layout.put(0xFFFF_FFFF, &$0, 0, 4) }
  try block("mixed-deflated-2-to-32", from: mixed) { Layout.put(0xFFFF_FFFF, &$0, 4, 4) }
  try block("mixed-positions-unordered", from: mixed) { $0.swapAt(8, 10) }
  try block("mixed-position-beyond", from: mixed) { $0[10] = 12 }
  try block("mixed-pixels-damaged", from: mixed) { $0[14] ^= 0x40 }

  // An escape of what the table holds, and one of no value: coded by hand, one image, one latent of three.
  func escaped(_ values: [Int]) throws -> [UInt8] {
    let rate = try model().codec!.rates[0]
    var region = [UInt8](repeating: 0, count: 100)
    var tables: [SymbolTable] = []
    for table in rate.tables {
      tables.append(try SymbolTable(frequencies: table.frequencies, precisionBits: 12))
    }
    let range = region.withUnsafeMutableBufferPointer { region -> Range<Int> in
      var writer = RANSWriter(region.baseAddress!, capacity: region.count)
      var state = RANSState()
      for (latent, value) in values.enumerated().reversed() {
        state.encode(start: UInt32(value + 16383), frequency: 1, bits: LatentCoder.escapeBits, to: &writer)
        tables[latent].encode(0, state: &state, to: &writer)
      }
      state.flush(to: &writer)
      return writer.written
    }
    return Array(region[range])
  }
  let one = try compress(
    try Support.set(1, side: 4), with: try model(), options: Support.options(quality: 1)
  ).array
  let sound = try escaped([1000, -1000, 16383])
  let inTable = try escaped([1000, 0, 500])
  let noValue = try escaped([1000, 16384, 500])
  try block("escape-in-table", from: one, kind: 0) { $0 = inTable }
  try block("escape-of-no-value", from: one, kind: 0) { $0 = noValue }
  // The same by hand, but right: what is above fails for the reason that it should.
  let right = Layout.replace(one, 0, kind: 0, payload: sound)
  let open = try CompressedSet(try Buffer(right), model: try model(), name: "set")
  #expect(try open.verify().isSound)

  // Lossless: images of which half the pixels are blank, so few that contexts are the smallest.
  var numbers = Numbers(state: 4)
  let greys = try Buffer<UInt8>(count: 12 * 16)
  for index in 0..<greys.count { greys[index] = UInt8(numbers.below(2) * numbers.below(256)) }
  let few = try ImageSet(width: 4, height: 4, count: 12, pixels: greys)
  func exact(_ options: CompressionOptions) throws -> [UInt8] {
    let bytes = try compress(few, with: try model(), options: options).array
    #expect(Layout(bytes)!.blocks[0].kind == 6)
    return bytes
  }
  let bare = try exact(Support.options(mode: .lossless))
  let named = try exact(Support.options(mode: .lossless, quality: 1, preview: true))
  let namedBlock = Array(named[Layout(named)!.blocks[0].payload])
  let codes = Array(namedBlock.dropFirst(4).prefix(Layout.integer(namedBlock, 0, 4)))
  add("exact-set-of-another-model", .model, from: named) { $0[19] ^= 0xFF }
  add("scans-in-set-without", .version, from: Layout.replace(bare, 0, kind: 5))
  add("predicted-scans-in-set-without", .version, from: Layout.replace(bare, 0, kind: 11))
  add("predicted-without-predictor", .version, from: Layout.replace(bare, 0, kind: 7))
  add("coded-block-in-exact-set", .version, from: Layout.replace(named, 0, kind: 0))
  add("mixed-block-in-exact-set", .version, from: Layout.replace(named, 0, kind: 3, extra: [12, 1]))
  try block("exact-head-cut", from: bare) { $0 = Array($0.prefix(3)) }
  try block("exact-head-alone", from: bare) { $0 = Array($0.prefix(4)) }
  try block("exact-cut", from: bare) { $0.removeLast() }
  try block("exact-byte-too-many", from: bare) { $0.append(0) }
  try block("exact-codes-not-asked-for", from: bare) {
    $0.insert(contentsOf: codes, at: 4)
    $0[0] = UInt8(codes.count)
  }
  try block("exact-codes-missing", from: named) {
    $0.removeSubrange(4..<4 + codes.count)
    $0[0] = 0
  }
  try block("exact-codes-2-to-32", from: named) { Layout.put(0xFFFF_FFFF, &$0, 0, 4) }
  try block("exact-codes-one-byte-more", from: named) { $0[0] += 1 }

  // A predictor: its hash and name stand at the header's end, which in a lossless set without a model is at 16. Its blocks
  // are 4 bytes that count codes, and the pixels.
  let predicting = try Autoencoder(predictor: try Support.predictor(), name: "p")
  func predicted(_ set: ImageSet) throws -> [UInt8] {
    let bytes = try compress(
      set, with: predicting, options: Support.options(mode: .lossless, method: .predicted, block: 12)
    ).array
    #expect(Layout(bytes)!.blocks.map(\.kind) == [7])
    return bytes
  }
  let learned = try predicted(try Support.ramps(9, ImageShape(width: 16, height: 9), noise: 60))
  let learnedEnd = try #require(Layout(learned)).headerSize - 4
  #expect(learnedEnd == 16 + 32 + 1 + 1)
  let told = Array(learned[16..<learnedEnd])
  header(
    "lossy-with-predictor", .format, bytes(cut(0, 10), [0x2C], cut(11, layout.headerSize - 4), told))
  header("predictor-hash-cut", .format, Array(learned[..<32]), of: learned)
  header("predictor-without-name", .format, Array(learned[..<48]), of: learned)
  header("predictor-name-cut", .format, Array(learned[..<48]) + [200], of: learned)
  header(
    "predictor-name-65", .format, Array(learned[..<48]) + [65] + [UInt8](repeating: 0x61, count: 65),
    of: learned)
  header("predictor-name-not-utf8", .format, Array(learned[..<48]) + [1, 0xFF], of: learned)
  header(
    "predictor-not-told-of", .checksum, Array(learned[..<10]) + [learned[10] & 31] + learned[11..<learnedEnd],
    of: learned)
  header(
    "content-of-64", .version, Array(learned[..<10]) + [learned[10] | 64] + learned[11..<learnedEnd],
    of: learned)
  for (kind, bytes) in [("predicted", learned), ("contexts", bare)] {
    try block(kind + "-head-alone", from: bytes) { $0 = Array($0.prefix(4)) }
    try block(kind + "-one-byte-cut", from: bytes) { $0.removeLast() }
    try block(kind + "-half-cut", from: bytes) { $0.removeLast($0.count / 2) }
    try block(kind + "-one-byte-more", from: bytes) { $0.append(0) }
    try block(kind + "-with-codes", from: bytes) {
      $0.insert(7, at: 4)
      $0[0] = 1
    }
  }
  try block("predicted-read-by-contexts", from: learned, kind: 6) { _ in }
  try block("predicted-of-other-pixels", from: learned) {
    $0 = Array(bare[Layout(bare)!.blocks[0].payload])
  }
  add("predicted-set-with-scans-not-told-of", .version, from: Layout.replace(learned, 0, kind: 11))

  // Scans in a set without codes: 4 bytes that count codes, 4 that count the scans' bytes, these, the rest. Here are two
  // images of 28 x 28 that a scan draws and one that none does.
  let drawn = try Support.drawings(6)
  let three = try Buffer<UInt8>(count: 3 * 784)
  for (index, image) in [0, 5, 2].enumerated() {
    (three.base + index * 784).update(from: drawn.pixels.base + image * 784, count: 784)
  }
  let scanning = try Autoencoder(
    predictor: try Support.predictor(), scanModel: try Support.scanModel(isSensible: true), name: "s")
  let scans = try compress(
    try ImageSet(width: 28, height: 28, count: 3, pixels: three), with: scanning,
    options: Support.options(mode: .lossless, method: .scans, embed: true)
  ).array
  let scansBlock = try #require(Layout(scans)?.blocks.first)
  #expect(scansBlock.kind == 11)
  let scanSize = Layout.integer(scans, scansBlock.payload.lowerBound + 4, 4)
  #expect(scanSize > 0 && 8 + scanSize < scansBlock.payload.count)
  try block("scans-count-cut", from: scans) { $0 = Array($0.prefix(7)) }
  try block("scans-count-beyond-block", from: scans) { Layout.put(UInt64($0.count - 7), &$0, 4, 4) }
  try block("scans-count-2-to-32", from: scans) { Layout.put(0xFFFF_FFFF, &$0, 4, 4) }
  try block("scans-count-0", from: scans) { Layout.put(0, &$0, 4, 4) }
  try block("scans-count-one-less", from: scans) { Layout.put(UInt64(scanSize - 1), &$0, 4, 4) }
  try block("scans-count-one-more", from: scans) { Layout.put(UInt64(scanSize + 1), &$0, 4, 4) }
  try block("scans-without-rest", from: scans) { $0 = Array($0.prefix(8 + scanSize)) }
  try block("scans-rest-cut", from: scans) { $0.removeLast() }
  try block("scans-rest-one-byte-more", from: scans) { $0.append(0) }

  // Colour: 5 images of 4 x 4 pixels in 3 channels in a stored block, of which the header's bytes 12 to 15 tell.
  let ramps = try Support.ramps(5, ImageShape(width: 4, height: 4, channels: 3))
  let colour = Layout.replace(
    try compress(ramps, with: nil, options: Support.options(mode: .lossless, block: 5)).array, 0, kind: 2,
    payload: ramps.pixels.array)
  let colourSize = try #require(Layout(colour)).headerSize
  func shape(_ name: String, _ bytes: [UInt8]) {
    header("colour-" + name, .format, Array(colour[..<12]) + bytes, of: colour)
  }
  #expect(Array(colour[12..<colourSize - 4]) == [4, 4, 3, 5])
  shape("channels-0", [4, 4, 0, 5])
  shape("channels-2", [4, 4, 2, 5])
  shape("channels-5", [4, 4, 5, 5])
  shape("width-257", Layout.varint(257) + [4, 3, 5])
  shape("height-257", [4] + Layout.varint(257) + [3, 5])
  shape("one-row-too-many", Layout.varint(256) + Layout.varint(193) + [4, 5])
  shape("block-of-2-to-28-and-more", Layout.varint(256) + Layout.varint(256) + [3] + Layout.varint(1366))
  add("colour-by-contexts", .version, from: Layout.replace(colour, 0, kind: 4))
  add("colour-by-scans", .version, from: Layout.replace(colour, 0, kind: 11))
  add("colour-predicted-without-predictor", .version, from: Layout.replace(colour, 0, kind: 7))
  try block("colour-stored-as-grey", from: colour) { $0 = Array($0.prefix(5 * 16)) }

  // Labels and names.
  func part(_ name: String, _ number: Int, _ raw: [UInt8], extra: [UInt8] = [], opens: Bool = true) {
    add(
      name, .format, opens: opens, repair: false,
      from: Layout.replace(base, number, extra: extra, payload: raw))
  }
  part("labels-too-many", 3, [UInt8](repeating: 1, count: 8), opens: false)
  part("labels-too-few", 3, [UInt8](repeating: 1, count: 6))
  part("labels-garbage", 3, [1])
  func names(_ name: String, _ raw: [UInt8]) { part(name, 4, raw, extra: [UInt8(raw.count)]) }
  let rest: [UInt8] = [2, 0x61, 0x31, 0, 0, 0, 0, 0]
  part("names-raw-smaller", 4, [1, 0x61] + rest, extra: [9], opens: false)
  part("names-bomb", 4, [1, 0x61] + rest, extra: Layout.varint(1 << 27), opens: false)
  part("names-inflate-to-nothing", 4, [1, 0x61] + rest, extra: [11])
  names("names-too-few", [1, 0x61, 1, 0x62, 1, 0x63, 1, 0x64])
  names("names-too-many", [1, 0x61] + rest + [1, 0x62])
  names("names-cut", rest + [9, 0x61])
  names("names-folder-up", [2, 0x2E, 0x2E] + rest)
  names("names-slash", [3, 0x61, 0x2F, 0x62] + rest)
  names("names-nul", [2, 0x61, 0] + rest)
  names("names-not-utf8", [2, 0xC3, 0x28] + rest)
  names("names-no-successor", [1, 0x61, 0, 0, 0, 0, 0, 0])
  names("names-begin-with-successor", [0, 0, 0, 0, 0, 0, 0])
  return list
}

@Suite(.serialized) struct AttackTests {
  @Test(
    "The attack files are written anew",
    .enabled(
      if: ProcessInfo.processInfo.environment["AE_WRITE_TEST_FILES"] != nil,
      "a writer, for AE_WRITE_TEST_FILES=1"))
  func writeFiles() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix("v3-") {
      try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
    }
    for attack in try attacks() {
      try Data(attack.bytes).write(to: folder.appendingPathComponent(attack.name + ".aez"))
    }
  }

  @Test("Every attack file is as it was made, and is refused or named as damaged for its own reason")
  func attackFiles() throws {
    var list = try attacks()
    for attack in list {
      let file = try Data(contentsOf: folder.appendingPathComponent(attack.name + ".aez"))
      #expect(Array(file) == attack.bytes, "\(attack.name)")
    }
    for (name, code, opens) in OldAttacks.refused.map({ ($0.name, $0.code, false) })
      + OldAttacks.opened.map({ ($0, AEError.Code.format, true) })
    {
      let file = try Data(contentsOf: folder.appendingPathComponent(name + ".aez"))
      list.append(Attack(name: name, code: code, opens: opens, bytes: Array(file)))
    }
    let model = try model()
    let predictor = try Support.predictor()
    let present = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
      $0.hasSuffix(".aez")
    }
    #expect(present.sorted() == list.map { $0.name + ".aez" }.sorted())
    for attack in list {
      let bytes = try Buffer<UInt8>(attack.bytes)
      var set: CompressedSet? = nil
      let error = Support.error { () throws(AEError) in
        set = try CompressedSet(
          ByteSource(bytes), model: model, predictor: predictor, name: attack.name)
      }
      #expect((set != nil) == attack.opens, "\(attack.name): \(error?.message ?? "opens")")
      guard let set else {
        #expect(error?.code == attack.code, "\(attack.name): \(error?.message ?? "")")
        #expect(error?.message.hasPrefix(attack.name) == true)
        continue
      }
      #expect(try set.verify().damageCount >= 1, "\(attack.name)")
      let pixels = try Buffer<UInt8>(count: set.information.count * set.information.shape.byteCount)
      let late = Support.error { () throws(AEError) in
        _ = try set.labels()
        _ = try set.names()
        try set.read(first: 0, count: set.information.count, into: pixels.base)
      }
      #expect(late?.code == attack.code, "\(attack.name): \(late?.message ?? "reads")")
    }
  }
}

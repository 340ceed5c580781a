// Sets written as images come, read by ranges, and put together of blocks: the same bytes by whichever way.

import Bytes
import Compute
import Container
import Core
import Model
import Storage
import Synchronization
import Testing

/// A way to compress a hundred images or so, and what goes with them.
private struct Kind: CustomStringConvertible {
  let description: String
  let side: Int
  let options: CompressionOptions
  let hasNetwork: Bool
  var hasPredictor = false

  static let all: [Kind] = [
    Kind(description: "codes", side: 8, options: Support.options(embed: true, block: 50), hasNetwork: false),
    Kind(
      description: "contexts", side: 8, options: Support.options(mode: .lossless, block: 50),
      hasNetwork: false),
    Kind(
      description: "predicted", side: 8,
      options: Support.options(mode: .lossless, method: .predicted, embed: true, block: 50),
      hasNetwork: false,
      hasPredictor: true),
    Kind(
      description: "scans and codes", side: 32,
      options: Support.options(mode: .lossless, preview: true, embed: true, block: 50), hasNetwork: true),
    Kind(
      description: "near-lossless", side: 32,
      options: Support.options(mode: .nearLossless, maxError: 3, embed: true, block: 50), hasNetwork: true),
  ]

  func model() throws -> Autoencoder {
    let plain = try Support.model(side: side)
    let known = hasPredictor ? try plain.with(predictor: try Support.predictor()) : plain
    return hasNetwork ? try known.with(scanModel: try Support.scanModel()) : known
  }

  func images(_ count: Int) throws -> ImageSet {
    try Support.set(
      count, side: side, odd: [3, 40, 41, 77].filter { $0 < count }, labelled: true, named: true)
  }
}

/// Images `range` of a set, with their labels and names.
private func slice(_ set: ImageSet, _ range: Range<Int>) throws -> ImageSet {
  try ImageSet(
    width: set.width, height: set.height, count: range.count,
    pixels: try Buffer(
      copying: set.pixels.base + range.lowerBound * set.imageSize, count: range.count * set.imageSize),
    labels: set.labels.map { Array($0[range]) }, names: set.names.map { Array($0[range]) }, source: set.source
  )
}

/// What a writer gives.
private func written(_ body: (@escaping SetWriter.Sink) throws -> Void) throws -> [UInt8] {
  let file = ByteWriter()
  try body { bytes, count throws(AEError) in try file.bytes(bytes, count) }
  return try file.finish().array
}

private func open(_ bytes: [UInt8], _ model: Autoencoder?, name: String = "set") throws(AEError)
  -> CompressedSet
{
  try CompressedSet(try Buffer(bytes), model: model, name: name)
}

@Suite(.serialized) struct StreamTests {
  @Test(
    "Images that come one by one, or any number at a time, make the bytes of one call", arguments: Kind.all)
  fileprivate func steps(_ kind: Kind) throws {
    let set = try kind.images(130)
    let model = try kind.model()
    let whole = try compress(set, with: model, options: kind.options).array
    for step in [1, 7, 50, 64, 129] {
      let stream = try written { sink in
        let writer = try SetWriter(
          set.shape, source: set.source, model: model, options: kind.options, sink: sink)
        var first = 0
        while first < set.count {
          let part = try slice(set, first..<min(first + step, set.count))
          try writer.add(part.pixels.base, count: part.count, labels: part.labels!, names: part.names)
          first += part.count
        }
        try writer.finish()
        #expect(writer.byteCount == whole.count && writer.count == set.count)
      }
      #expect(stream == whole, "\(step) at a time")
    }
  }

  @Test(
    "Ten shards of a hundred images, concatenated, are the bytes of one run over all", arguments: Kind.all)
  fileprivate func shards(_ kind: Kind) throws {
    let set = try kind.images(kind.side > 8 ? 300 : 1000)
    let model = try kind.model()
    let whole = try compress(set, with: model, options: kind.options).array
    var shards: [CompressedSet] = []
    for first in stride(from: 0, to: set.count, by: 100) {
      shards.append(
        try open(
          try compress(try slice(set, first..<first + 100), with: model, options: kind.options).array, model,
          name: "shard \(first)"))
    }
    let joined = try written { sink in
      let writer = try SetWriter(like: shards, sink: sink)
      for shard in shards { try writer.add(blocksOf: shard) }
      try writer.finish()
    }
    #expect(joined == whole)
    // And taken apart again.
    let all = try open(joined, model)
    for (index, first) in stride(from: 0, to: set.count, by: 100).enumerated() where index % 4 == 1 {
      let part = try written { sink in
        let writer = try SetWriter(like: [all], sink: sink)
        try writer.add(blocksOf: all, images: first..<first + 100)
        try writer.finish()
      }
      #expect(
        part == (try compress(try slice(set, first..<first + 100), with: model, options: kind.options).array))
    }
    // Images that are added to the first ones.
    let appended = try written { sink in
      let writer = try SetWriter(like: [shards[0]], model: model, sink: sink)
      try writer.add(blocksOf: shards[0])
      let rest = try slice(set, 100..<set.count)
      try writer.add(rest.pixels.base, count: rest.count, labels: rest.labels!, names: rest.names)
      try writer.finish()
    }
    #expect(appended == whole)
  }

  @Test("Sets with blocks of any size become one, and every image of it is found")
  func unevenBlocks() throws {
    let model = try Support.model()
    let set = try Support.set(120, odd: [2, 60, 61, 119], labelled: true)
    var sets: [CompressedSet] = []
    for (first, end, block) in [(0, 33, 10), (33, 34, 1), (34, 90, 500), (90, 120, 7)] {
      sets.append(
        try open(
          try compress(try slice(set, first..<end), with: model, options: Support.options(block: block))
            .array,
          model, name: "part \(first)"))
    }
    let bytes = try written { sink in
      let writer = try SetWriter(like: sets, sink: sink)
      for set in sets { try writer.add(blocksOf: set) }
      try writer.finish()
    }
    let joined = try open(bytes, model)
    #expect(try joined.verify().isSound)
    #expect(joined.information.blockImages == 10 && joined.information.blockCount == 4 + 1 + 1 + 5)
    var expected: [UInt8] = []
    for set in sets { expected += try Support.read(set) }
    #expect(try Support.read(joined) == expected)
    #expect(try joined.labels()?.array == set.labels)
    let one = try Buffer<UInt8>(count: 64)
    for image in 0..<120 {
      try joined.read(first: image, count: 1, into: one.base)
      #expect(one.array[...] == expected[image * 64..<(image + 1) * 64])
      #expect(joined.images(around: image).contains(image))
    }
    #expect(joined.images(around: 33) == 33..<34 && joined.images(around: 34) == 34..<90)
  }

  @Test("Blocks of files of versions 1 and 2 are copied into new ones, which give the same images")
  func oldBlocks() throws {
    for (name, weights) in [
      ("coded.aez", "walsh-8.aew"), ("mixed.aez", "walsh-8.aew"), ("plain.aez", "walsh-8.aew"),
      ("exact-contexts.aez", "walsh-8.aew"), ("exact-preview.aez", "walsh-8.aew"),
      ("exact-scans.aez", "scans-28.aew"),
      ("near-exact-scans.aez", "scans-28.aew"), ("embedded.aez", "walsh-8.aew"), ("empty.aez", "walsh-8.aew"),
    ] {
      let weightBytes = try golden(weights)
      let model = try WeightFile.read(weightBytes.base, weightBytes.count, name: weights)
      let old = try CompressedSet(try golden(name), model: model, name: name)
      let bytes = try written { sink in
        let writer = try SetWriter(like: [old], sink: sink)
        try writer.add(blocksOf: old)
        try writer.finish()
      }
      let new = try open(bytes, model)
      #expect(new.information.version == 3 && old.information.version < 3)
      #expect(try Support.read(new) == Support.read(old), "\(name)")
      #expect(try new.verify().isSound)
      #expect(try new.labels()?.array == old.labels()?.array)
      #expect(new.information.blockCounts == old.information.blockCounts)
      #expect(bytes.count <= old.information.byteCount, "\(name)")
    }
  }

  @Test("Sets that cannot be one are refused, and the message names both")
  func unlike() throws {
    let model = try Support.model(name: "right")
    let other = try Support.model(latentCount: 5, name: "wrong")
    func make(
      _ options: CompressionOptions, _ model: Autoencoder?, side: Int = 8, labelled: Bool = false,
      name: String
    ) throws -> CompressedSet {
      try open(
        try compress(try Support.set(6, side: side, labelled: labelled), with: model, options: options).array,
        model,
        name: name)
    }
    let codes = try make(Support.options(), model, name: "a")
    let exact = try make(Support.options(mode: .lossless), nil, name: "e")
    for (set, code, message) in [
      (try make(Support.options(), other, name: "b"), .model, "b needs the model \"wrong\""),
      (
        try make(Support.options(quality: 1), model, name: "b"), .argument,
        "b and a cannot be one set: their quality is 1 and 2"
      ),
      (exact, .argument, "e and a cannot be one set: their mode is lossless and lossy"),
      (
        try make(Support.options(), model, labelled: true, name: "b"), .argument,
        "b has labels, and a has none"
      ),
      (
        try make(Support.options(), try Support.model(side: 16), side: 16, name: "b"), .argument,
        "b and a cannot be one set: their image size is 16 x 16 and 8 x 8"
      ),
    ] as [(CompressedSet, AEError.Code, String)] {
      let error = Support.error { () throws(AEError) in
        _ = try SetWriter(like: [codes, set]) { _, _ throws(AEError) in }
      }
      #expect(error?.code == code)
      #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
    }
    let near = try make(Support.options(mode: .nearLossless, maxError: 2), nil, name: "n")
    let nearer = try make(Support.options(mode: .nearLossless, maxError: 1), nil, name: "m")
    let error = Support.error { () throws(AEError) in
      _ = try SetWriter(like: [near, nearer]) { _, _ throws(AEError) in }
    }
    #expect(error?.message == "m and n cannot be one set: their largest error is 1 and 2")
    // A model that is not the set's, and one that is missing.
    let wrong = Support.error { () throws(AEError) in
      _ = try SetWriter(like: [codes], model: other) { _, _ throws(AEError) in }
    }
    #expect(wrong?.code == .model)
  }

  @Test("A range that does not fall on blocks is refused with the nearest places that do")
  func boundaries() throws {
    let set = try open(
      try compress(try Support.set(20), with: nil, options: Support.options(mode: .lossless, block: 8)).array,
      nil,
      name: "my set")
    for (range, message) in [
      (0..<9, "my set: no block begins at image 9; the nearest begin at images 8 and 16"),
      (3..<8, "my set: no block begins at image 3; the nearest begin at images 0 and 8"),
      (8..<17, "my set: no block begins at image 17; the nearest begin at images 16 and 20"),
    ] {
      let error = Support.error { () throws(AEError) in
        let writer = try SetWriter(like: [set]) { _, _ throws(AEError) in }
        try writer.add(blocksOf: set, images: range)
      }
      #expect(error?.code == .argument && error?.message == message, "\(error?.message ?? "")")
    }
  }

  @Test("A damaged block is not copied, and its images are named")
  func damagedBlock() throws {
    var bytes = try compress(
      try Support.set(20), with: nil, options: Support.options(mode: .lossless, block: 8)
    ).array
    bytes[try #require(Layout(bytes)).blocks[1].payload.lowerBound + 5] ^= 1
    let set = try open(bytes, nil, name: "my set")
    let error = Support.error { () throws(AEError) in
      let writer = try SetWriter(like: [set]) { _, _ throws(AEError) in }
      try writer.add(blocksOf: set)
    }
    #expect(error?.code == .checksum)
    #expect(error?.message.hasPrefix("my set: images 8 to 15 are lost: block 1 (bytes ") == true)
  }

  @Test("A set of a source that is read by ranges is opened by its ends, and an image costs its block")
  func ranges() throws {
    let model = try Support.model(side: 16)
    let images = try Support.set(2000, side: 16, odd: Array(0..<400), labelled: true)
    let bytes = try compress(images, with: model, options: Support.options(block: 100))
    let reads = Atomic<Int>(0)
    let readBytes = Atomic<Int>(0)
    try withExtendedLifetime(bytes) {
      let base = UInt(bitPattern: bytes.base)
      let source = ByteSource(byteCount: bytes.count) { offset, target, count throws(AEError) in
        reads.add(1, ordering: .relaxed)
        readBytes.add(count, ordering: .relaxed)
        target.update(from: UnsafePointer(bitPattern: base)! + offset, count: count)
      }
      let set = try CompressedSet(source, model: model, name: "set")
      #expect(bytes.count > 3 << 15)
      #expect(reads.load(ordering: .relaxed) == 2)
      #expect(readBytes.load(ordering: .relaxed) <= 1 << 16 + 256)
      let one = try Buffer<UInt8>(count: 256)
      try set.read(first: 250, count: 1, into: one.base)
      #expect(reads.load(ordering: .relaxed) == 3)
      #expect(one.array[...] == images.pixels.array[250 * 256..<251 * 256])
      #expect(try set.labels()?.array == images.labels)
      #expect(reads.load(ordering: .relaxed) == 4)
      let failing = ByteSource(byteCount: 1000) { _, _, _ throws(AEError) in throw AEError(.io, "gone") }
      let error = Support.error { () throws(AEError) in
        _ = try CompressedSet(failing, model: nil, name: "set")
      }
      #expect(error?.code == .io)
    }
  }

  @Test("A lossless set in which no image has a scan names no model and opens without one")
  func noScans() throws {
    let model = try Support.model(side: 32).with(scanModel: try Support.scanModel())
    let set = try Support.set(30, side: 32)
    let bytes = try compress(
      set, with: model, options: Support.options(mode: .lossless, embed: true, block: 10))
    let information = try CompressedSet.peek(bytes, name: "set")
    #expect(!information.needsModel && !information.hasModel && information.modelName.isEmpty)
    #expect(information.modelHash == [UInt8](repeating: 0, count: 32))
    #expect(try information.declaredModelHash == WeightFile.hash(model))
    #expect(information.method == .contexts && information.blockCounts == Support.counts([.contexts: 3]))
    #expect(try Support.read(CompressedSet(bytes, model: nil, name: "set")) == set.pixels.array)
    // It can be one with sets that need the model.
    let drawn = try MixedDrawings.set(20)
    let scans = try compress(drawn, with: model, options: Support.options(mode: .lossless, block: 10))
    let sets = [
      try CompressedSet(bytes, model: nil, name: "a"), try CompressedSet(scans, model: model, name: "b"),
    ]
    #expect(sets[1].information.needsModel)
    let joined = try written { sink in
      let writer = try SetWriter(like: sets, sink: sink)
      for set in sets { try writer.add(blocksOf: set) }
      try writer.finish()
    }
    #expect(try Support.read(open(joined, model)) == set.pixels.array + drawn.pixels.array)
  }

  @Test("Labels and names must come with all images or with none, and nothing comes after the end")
  func order() throws {
    let set = try Support.set(4, labelled: true, named: true)
    func writer() throws(AEError) -> SetWriter {
      try SetWriter(ImageShape(width: 8, height: 8), model: nil, options: Support.options(mode: .lossless)) {
        _, _ throws(AEError) in
      }
    }
    for (first, second) in [(true, false), (false, true)] {
      let error = Support.error { () throws(AEError) in
        let writer = try writer()
        try writer.add(set.pixels.base, count: 2, labels: first ? set.labels! : nil)
        try writer.add(set.pixels.base, count: 2, labels: second ? set.labels! : nil)
      }
      #expect(error?.code == .argument)
      #expect(error?.message == "labels must come with all images of a set or with none")
    }
    let late = Support.error { () throws(AEError) in
      let writer = try writer()
      try writer.finish()
      try writer.add(set.pixels.base, count: 1)
    }
    #expect(late?.code == .argument)
    let few = Support.error { () throws(AEError) in
      try writer().add(set.pixels.base, count: 4, names: ["a"])
    }
    #expect(few?.message == "1 names were given with 4 images")
    // What the sink throws comes out.
    let full = Support.error { () throws(AEError) in
      _ = try SetWriter(
        ImageShape(width: 8, height: 8), model: nil, options: Support.options(mode: .lossless)
      ) {
        _, _ throws(AEError) in throw AEError(.io, "full")
      }
    }
    #expect(full?.message == "full")
  }

  @Test("A set is written to a pipe and read from one, and what follows it there is refused")
  func pipes() throws {
    let set = try Support.set(700, labelled: true)
    let bytes = try compress(set, with: nil, options: Support.options(mode: .lossless, block: 64))
    let same = try CompressedSet.bytes(try ByteInput(bytes.base, bytes.count, name: "pipe"))
    #expect(same.array == bytes.array)
    let longer = try Buffer(bytes.array + [UInt8](repeating: 1, count: 100_000))
    let taken = try CompressedSet.bytes(try ByteInput(longer.base, longer.count, name: "pipe"))
    #expect(taken.count == bytes.count + 1)
    for count in [0, 8, 30, 500, bytes.count - 21, bytes.count - 1] {
      let cut = try Buffer(Array(bytes.array.prefix(count)))
      #expect(try CompressedSet.bytes(try ByteInput(cut.base, cut.count, name: "pipe")).count == count)
    }
  }
}

/// Images of 32 x 32 that scans draw.
private enum MixedDrawings {
  static func set(_ count: Int) throws -> ImageSet {
    let few = try Support.drawings(12)
    let pixels = try Buffer<UInt8>(count: count * 1024)
    for image in 0..<count {
      for row in 0..<28 {
        (pixels.base + image * 1024 + row * 32).update(
          from: few.pixels.base + image % 12 * 784 + row * 28, count: 28)
      }
    }
    return try ImageSet(width: 32, height: 32, count: count, pixels: pixels)
  }
}

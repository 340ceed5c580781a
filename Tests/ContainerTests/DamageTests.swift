// Image sets that were cut, changed or made to harm: each is refused, or its damage is named, or nothing is
// wrong with it; no pixel is wrong without a word.

import Bytes
import Compute
import Container
import Core
import Model
import Storage
import Testing

/// What a reader makes of some bytes.
private enum Outcome: Equatable {
  case refused(AEError.Code)
  /// It opens; blocks, labels or names may be damaged.
  case opened
}

/// Small files that between them have every kind of block and section.
private enum Files {
  static func model() throws(AEError) -> Autoencoder { try Support.model(side: 4, latentCount: 3) }

  static func coded() throws(AEError) -> [UInt8] {
    try compress(
      try Support.set(7, side: 4, labelled: true, named: true), with: try model(),
      options: Support.options(quality: 1, block: 3)
    ).array
  }

  static func mixed() throws(AEError) -> [UInt8] {
    try compress(
      try Support.set(24, side: 4, odd: [1, 2, 13], labelled: true), with: try model(),
      options: Support.options(quality: 1, block: 12)
    ).array
  }

  static func plain() throws(AEError) -> [UInt8] {
    let pixels = try Support.noise(12, side: 4)
    for index in 6 * 16..<12 * 16 { pixels[index] = 255 }
    let set = try ImageSet(width: 4, height: 4, count: 12, pixels: pixels)
    return try compress(set, with: try model(), options: Support.options(block: 6)).array
  }

  static func embedded() throws(AEError) -> [UInt8] {
    try compress(
      try Support.set(5, side: 4, named: true), with: try model(),
      options: Support.options(quality: 3, embed: true, block: 2)
    ).array
  }
}

/// Lossless sets of two blocks, and what they were made with: every method, grey and in colour.
private enum Lossless {
  static func files() throws -> [(name: String, bytes: [UInt8], model: Autoencoder, kind: BlockKind)] {
    let model = try Autoencoder(
      predictor: try Support.predictor(), scanModel: try Support.scanModel(isSensible: true), name: "p")
    let grey = try Support.ramps(4, ImageShape(width: 7, height: 5), noise: 9)
    let colour = try Support.ramps(4, ImageShape(width: 5, height: 4, channels: 3), noise: 9)
    var list: [(name: String, bytes: [UInt8], model: Autoencoder, kind: BlockKind)] = []
    for (name, set, method, kind) in [
      ("contexts", grey, .contexts, .contexts), ("colour by contexts", colour, .contexts, .contexts),
      ("predicted", grey, .predicted, .predicted), ("predicted colour", colour, .predicted, .predicted),
      ("scans", try drawings(), .scans, .scans),
    ] as [(String, ImageSet, Method, BlockKind)] {
      let bytes = try compress(
        set, with: model, options: Support.options(mode: .lossless, method: method, block: 2)
      ).array
      #expect(try #require(Layout(bytes)).blocks.map(\.kind) == [Int(kind.rawValue), Int(kind.rawValue)])
      list.append((name, bytes, model, kind))
    }
    return list
  }

  /// Each block has an image that a scan draws and one that none does.
  private static func drawings() throws -> ImageSet {
    let set = try Support.drawings(6)
    let pixels = try Buffer<UInt8>(count: 4 * 784)
    for (index, image) in [0, 5, 5, 1].enumerated() {
      (pixels.base + index * 784).update(from: set.pixels.base + image * 784, count: 784)
    }
    return try ImageSet(width: 28, height: 28, count: 4, pixels: pixels)
  }
}

/// Opens bytes and goes through everything in them; what it says must agree with what verification finds.
@discardableResult
private func exercise(_ bytes: [UInt8], _ model: Autoencoder?) throws -> Outcome {
  let open: CompressedSet
  do throws(AEError) {
    open = try CompressedSet(try Buffer(bytes), model: model, name: "set")
  } catch {
    return .refused(error.code)
  }
  let information = open.information
  guard information.count <= 4096 else { return .opened }
  let imageSize = information.shape.byteCount
  let pixels = try Buffer<UInt8>(count: information.count * imageSize)
  let latents = try Buffer<Float>(count: information.count * information.latentCount)
  let readError = Support.error { () throws(AEError) in
    try open.read(first: 0, count: information.count, into: pixels.base)
  }
  _ = Support.error { () throws(AEError) in
    try open.latents(first: 0, count: information.count, into: latents.base)
  }
  let verification = try open.verify()
  let blocksAreSound = !verification.damage.contains { if case .block = $0.part { true } else { false } }
  #expect(blocksAreSound == (readError == nil))
  let labelError = Support.error { () throws(AEError) in
    if let labels = try open.labels(), labels.count != information.count {
      throw AEError(.internal, "labels")
    }
  }
  #expect((labelError != nil) == verification.damage.contains { $0.part == .labels })
  let nameError = Support.error { () throws(AEError) in
    if let names = try open.names() {
      for index in 0..<names.count {
        let name = names[index]
        if name.isEmpty || name == "." || name == ".." || name.utf8.contains(0x2F) || name.utf8.contains(0) {
          throw AEError(.internal, "a name that leaves its folder")
        }
      }
    }
  }
  #expect((nameError != nil) == verification.damage.contains { $0.part == .names })
  #expect(labelError?.code != .internal && nameError?.code != .internal)
  return .opened
}

@Suite struct DamageTests {
  @Test("Every truncation and every byte too many is refused")
  func truncation() throws {
    let model = try Files.model()
    for file in [try Files.coded(), try Files.mixed(), try Files.plain(), try Files.embedded()] {
      for count in 0..<file.count {
        let outcome = try exercise(Array(file.prefix(count)), model)
        #expect(outcome == .refused(.format), "\(count) of \(file.count) bytes")
      }
      #expect(try exercise(file + [0], model) == .refused(.format))
      #expect(try exercise(file, model) == .opened)
    }
  }

  @Test("Every flipped bit is refused, or costs the block or section that it lies in and no other")
  func bitFlips() throws {
    let model = try Files.model()
    for (file, given) in [
      (try Files.coded(), model), (try Files.mixed(), model), (try Files.plain(), model),
      (try Files.embedded(), nil),
    ] as [([UInt8], Autoencoder?)] {
      let layout = try #require(Layout(file))
      let whole = try Support.read(try CompressedSet(try Buffer(file), model: model, name: "set"))
      let information = try CompressedSet.peek(try Buffer(file), name: "set")
      let imageSize = information.width * information.height
      for bit in 0..<8 * file.count {
        var bytes = file
        bytes[bit / 8] ^= 1 << (bit % 8)
        let open: CompressedSet
        do throws(AEError) {
          open = try CompressedSet(try Buffer(bytes), model: given, name: "set")
        } catch {
          // Header, index and footer are needed for everything, a model that is nowhere else for every pixel.
          let byte = bit / 8
          #expect(
            byte < layout.headerSize || byte >= layout.index!.head.lowerBound
              || layout.model?.whole.contains(byte) ?? false)
          continue
        }
        let damage = try open.verify().damage
        #expect(damage.count == 1)
        guard let damage = damage.first else { continue }
        let pixels = try Buffer<UInt8>(count: information.count * imageSize)
        let error = Support.error { () throws(AEError) in
          try open.read(first: 0, count: information.count, into: pixels.base)
        }
        switch damage.part {
        case .model: #expect(layout.model!.whole.contains(bit / 8) && error == nil)
        case .labels: #expect(layout.labels!.whole.contains(bit / 8) && error == nil)
        case .names: #expect(layout.names!.whole.contains(bit / 8) && error == nil)
        case .end: Issue.record("a flipped bit makes no file longer")
        case .block(let block):
          #expect(layout.blocks[block].whole.contains(bit / 8))
          let isInHead = layout.blocks[block].head.contains(bit / 8)
          #expect(error?.code == .checksum || isInHead && error?.code == .format)
          let first = block * information.blockImages
          #expect(damage.images == first..<min(first + information.blockImages, information.count))
          #expect(
            error?.message.contains(
              "images \(damage.images.lowerBound) to \(damage.images.upperBound - 1) are lost: block \(block)"
            )
              == true)
        }
        for image in 0..<information.count {
          let range = image * imageSize..<(image + 1) * imageSize
          let isRight = pixels.array[range].elementsEqual(whole[range])
          let isLost = damage.images.contains(image)
          #expect(isRight != isLost || isLost && whole[range].allSatisfy { $0 == 0 })
          let one = try Buffer<UInt8>(count: imageSize)
          let alone = Support.error { () throws(AEError) in
            try open.read(first: image, count: 1, into: one.base)
          }
          #expect((alone != nil) == isLost)
        }
      }
    }
  }

  @Test(
    "Lossless blocks that are damaged are named by their checksums, and images of others are what they were")
  func losslessBlocks() throws {
    for (name, file, model, _) in try Lossless.files() {
      let layout = try #require(Layout(file))
      let whole = try Support.read(try CompressedSet(try Buffer(file), model: model, name: "set"))
      let half = whole.count / 2
      for byte in layout.blocks[0].head.lowerBound..<layout.blocks[1].payload.upperBound {
        var bytes = file
        bytes[byte] ^= 1 << (byte % 8)
        let open = try CompressedSet(try Buffer(bytes), model: model, name: "set")
        let damage = try open.verify().damage
        let hit = layout.blocks[0].whole.contains(byte) ? 0 : 1
        #expect(damage.map(\.part) == [.block(hit)], "\(name), byte \(byte)")
        let isInHead = layout.blocks[hit].head.contains(byte)
        #expect(isInHead || damage[0].reason.contains("checksum"), "\(damage)")
        let pixels = try Buffer<UInt8>(count: whole.count)
        let error = Support.error { () throws(AEError) in try open.read(first: 0, count: 4, into: pixels.base)
        }
        #expect(error?.code == .checksum || isInHead && error?.code == .format)
        #expect(
          pixels.array[(1 - hit) * half..<(2 - hit) * half].elementsEqual(
            whole[(1 - hit) * half..<(2 - hit) * half]))
        #expect(pixels.array[hit * half..<(hit + 1) * half].allSatisfy { $0 == 0 })
      }
    }
  }

  @Test(
    "Lossless blocks whose checksums hold all the same give some pixels or are damaged, and harm no other block"
  )
  func forgedLosslessBlocks() throws {
    var random = RandomStream(seed: 21, stream: 26)
    for (name, file, model, kind) in try Lossless.files() {
      let layout = try #require(Layout(file))
      let whole = try Support.read(try CompressedSet(try Buffer(file), model: model, name: "set"))
      let half = whole.count / 2
      var damaged = 0
      let rounds = kind == .scans ? 150 : 300
      for round in 0..<rounds {
        let hit = round % 2
        var payload = Array(file[layout.blocks[hit].payload])
        for _ in 0...random.below(3) {
          let place = random.below(random.below(2) == 0 ? min(payload.count, 24) : payload.count)
          switch random.below(6) {
          case 0: payload.remove(at: place)
          case 1: payload.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
          case 2: payload.removeLast(min(payload.count - 1, random.below(payload.count)))
          case 3: payload[place] = [0, 1, 127, 128, 255][random.below(5)]
          default: payload[place] ^= 1 << UInt8(random.below(8))
          }
          if payload.isEmpty { payload = [0] }
        }
        let bytes = Layout.replace(file, hit, payload: payload)
        try exercise(bytes, model)
        let open = try CompressedSet(try Buffer(bytes), model: model, name: "set")
        let pixels = try Buffer<UInt8>(count: whole.count)
        let error = Support.error { () throws(AEError) in try open.read(first: 0, count: 4, into: pixels.base)
        }
        #expect(error == nil || error?.code == .format)
        if error != nil { damaged += 1 }
        #expect(
          pixels.array[(1 - hit) * half..<(2 - hit) * half].elementsEqual(
            whole[(1 - hit) * half..<(2 - hit) * half]), "\(name), round \(round)")
      }
      #expect(damaged > rounds / 4, "\(name): \(damaged) of \(rounds)")
    }
  }

  @Test("Files of versions 1 and 2 are refused if they are cut, and damage in them is named")
  func oldFiles() throws {
    for (name, weights) in [
      ("tiny.aez", "walsh-4.aew"), ("mixed.aez", "walsh-8.aew"), ("exact-contexts.aez", "walsh-8.aew"),
      ("exact-scans.aez", "scans-28.aew"), ("embedded.aez", ""),
    ] {
      let file = try golden(name).array
      let weights = weights.isEmpty ? nil : try golden(weights)
      let model = try weights.map { try WeightFile.read($0.base, $0.count, name: "model") }
      let layout = try #require(OldLayout(file))
      for count in 0..<file.count {
        #expect(
          try exercise(Array(file.prefix(count)), model) == .refused(.format), "\(name), \(count) bytes")
      }
      #expect(try exercise(file + [0], model) == .refused(.format))
      for byte in 0..<file.count {
        var bytes = file
        bytes[byte] ^= 1 << (byte % 8)
        let open: CompressedSet
        do throws(AEError) {
          open = try CompressedSet(try Buffer(bytes), model: model, name: "set")
        } catch {
          #expect(byte < layout.indexEnd || model == nil && layout.sections[0].contains(byte))
          continue
        }
        let damage = try open.verify().damage
        #expect(damage.count == 1, "\(name), byte \(byte)")
        if case .block(let block) = damage.first?.part { #expect(layout.blocks[block].contains(byte)) }
      }
      var bytes = file
      for byte in layout.indexEnd..<file.count where byte % 7 == 0 { bytes[byte] &+= 1 }
      OldLayout.repair(&bytes)
      try exercise(bytes, model)
    }
  }

  @Test(
    "What is left of a file that was cut can be salvaged: every block before the cut, whole or named as lost")
  func salvage() throws {
    let model = try Files.model()
    for file in [try Files.coded(), try Files.mixed(), try Files.plain()] {
      let layout = try #require(Layout(file))
      let whole = try Support.read(try CompressedSet(try Buffer(file), model: model, name: "set"))
      for count in layout.headerSize..<file.count {
        let open = try CompressedSet(
          ByteSource(try Buffer(Array(file.prefix(count)))), model: model, name: "set", isCutAllowed: true)
        let found = open.information.count
        let complete = layout.blocks.filter { $0.payload.upperBound <= count }.reduce(0) {
          $0 + $1.imageCount
        }
        #expect(found >= complete)
        let pixels = try Buffer<UInt8>(count: max(found, 1) * 16)
        var lost = 0
        try open.salvage(first: 0, count: found, into: pixels.base) { lost += $0.images.count }
        #expect(found - lost == complete)
        #expect(pixels.array.prefix(complete * 16).elementsEqual(whole.prefix(complete * 16)))
        let damage = try open.verify().damage
        #expect(damage.last?.part == .end)
        if let labels = try open.labels() { #expect(labels.count == found) }
      }
      // What follows the end costs nothing.
      let longer = try CompressedSet(
        ByteSource(try Buffer(file + [UInt8](repeating: 0, count: 700))), model: model, name: "set",
        isCutAllowed: true)
      #expect(try Support.read(longer) == whole)
      #expect(
        try longer.verify().damage.map(\.reason) == ["700 bytes follow the footer, where the file should end"]
      )
      // Nor does a damaged index, but for what it alone tells.
      var bytes = file
      bytes[layout.index!.payload.lowerBound] ^= 1
      let open = try CompressedSet(
        ByteSource(try Buffer(bytes)), model: model, name: "set", isCutAllowed: true)
      #expect(try Support.read(open) == whole)
    }
  }

  @Test("Damaged labels and names say so, and the pixels are there all the same")
  func damagedSections() throws {
    let model = try Files.model()
    var bytes = try Files.coded()
    let layout = try #require(Layout(bytes))
    let labelBytes = try #require(layout.labels).whole
    bytes[labelBytes.upperBound - 1] ^= 1
    bytes[try #require(layout.names).payload.lowerBound] ^= 1
    let open = try CompressedSet(try Buffer(bytes), model: model, name: "my set")
    #expect(try Support.read(open).count == 7 * 16)
    let labels = Support.error { () throws(AEError) in _ = try open.labels() }
    #expect(labels?.code == .checksum)
    #expect(
      labels?.message
        == "my set: the labels (bytes \(labelBytes.lowerBound) to \(labelBytes.upperBound)) "
        + "do not match their checksum")
    let names = Support.error { () throws(AEError) in _ = try open.names() }
    #expect(names?.code == .checksum)
    #expect(try open.verify().damage.map(\.part) == [.labels, .names])
  }

  @Test("A message names the first damaged blocks and counts the rest")
  func manyDamagedBlocks() throws {
    let model = try Files.model()
    let set = try Support.set(40, side: 4)
    var bytes = try compress(set, with: model, options: Support.options(block: 2)).array
    let layout = try #require(Layout(bytes))
    for block in [1, 3, 4, 7, 8, 9] { bytes[layout.blocks[block].payload.lowerBound] ^= 0x10 }
    let open = try CompressedSet(try Buffer(bytes), model: model, name: "set")
    let pixels = try Buffer<UInt8>(count: 40 * 16)
    let error = Support.error { () throws(AEError) in try open.read(first: 0, count: 40, into: pixels.base) }
    #expect(error?.message.contains("images 2 to 3 are lost: block 1 (bytes ") == true)
    #expect(error?.message.contains("images 14 to 15") == true)
    #expect(error?.message.hasSuffix("; and 2 further blocks") == true)
    let verification = try open.verify()
    #expect(verification.damageCount == 6 && verification.lostImageCount == 12)
  }

  @Test("A damaged embedded model does not matter beside the right one, and is reported")
  func damagedModel() throws {
    let model = try Files.model()
    var bytes = try Files.embedded()
    let layout = try #require(Layout(bytes))
    bytes[try #require(layout.model).payload.lowerBound + 40] ^= 4
    let open = try CompressedSet(try Buffer(bytes), model: model, name: "set")
    #expect(try Support.read(open).count == 5 * 16)
    #expect(try open.verify().damage.map(\.part) == [.model])
    let alone = Support.error { () throws(AEError) in
      _ = try CompressedSet(try Buffer(bytes), model: nil, name: "set")
    }
    #expect(alone?.code == .checksum)
    #expect(alone?.message.contains("the embedded model does not match its checksum") == true)
  }

  @Test(
    "Bytes changed at random, with checksums made right again, are refused or read, and never end the process"
  )
  func mutations() throws {
    let model = try Files.model()
    let other = try Support.model(side: 4, latentCount: 2)
    let files = [try Files.coded(), try Files.mixed(), try Files.plain(), try Files.embedded()]
    var random = RandomStream(seed: 20, stream: 26)
    var opened = 0
    for round in 0..<24_000 {
      var bytes = files[round % 4]
      let layout = Layout(bytes)!
      for _ in 0...random.below(4) {
        let position: Int
        switch random.below(12) {
        case 0: position = random.below(layout.headerSize)
        case 1: position = layout.index!.head.lowerBound + random.below(layout.index!.whole.count + 20)
        default:
          position = layout.headerSize + random.below(layout.index!.head.lowerBound - layout.headerSize)
        }
        guard position < bytes.count else { continue }
        switch random.below(16) {
        case 0: bytes[position] ^= 1 << UInt8(random.below(8))
        case 1: bytes[position] = UInt8(truncatingIfNeeded: random.next())
        case 2: bytes[position] = [0, 1, 127, 128, 255][random.below(5)]
        case 3: bytes.remove(at: position)
        case 4: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: position)
        case 5, 6, 7, 8, 9: bytes[position] &+= UInt8(1 + random.below(3))
        case 10, 11, 12: bytes[position] &-= 1
        default:
          let count = min(1 + random.below(8), bytes.count - position)
          for offset in 0..<count { bytes[position + offset] = random.below(2) == 0 ? 0 : 255 }
        }
      }
      // Some keep the checksums that they came with.
      if round % 16 != 0 { Layout.repair(&bytes) }
      let given = round % 3 == 0 ? nil : (round % 7 == 0 ? other : model)
      if try exercise(bytes, given) == .opened { opened += 1 }
    }
    // The mutants must get past the front door often enough to mean something.
    #expect(opened > 6000)
  }
}

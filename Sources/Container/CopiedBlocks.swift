// Copying blocks of other sets: concatenation, appending and splitting without decoding. The sets must agree in
// everything that decoding a block depends on.

import Bytes
import Core
import Storage

extension SetHeader {
  /// What a set is to have in common that blocks of all of these are copied to.
  /// - Throws: `.argument` or `.model` if they differ where they may not, naming two that do.
  static func joining(_ sets: [CompressedSet]) throws(AEError) -> SetHeader {
    guard let first = sets.first else { throw AEError(.argument, "no sets to make one of") }
    // A model that blocks need comes before one that new blocks would be made with.
    var naming: CompressedSet?
    for set in sets where set.file.header.namesModelForBlocks {
      if naming == nil || (set.file.needsModel && !(naming?.file.needsModel ?? true)) { naming = set }
    }
    let header = first.file.header.copy()
    header.usesScans = false
    if let naming {
      let named = naming.file.header
      (header.latentCount, header.modelHash, header.modelName) = (
        named.latentCount, named.modelHash, named.modelName
      )
      for set in sets where set.file.header.usesScans && set.file.header.modelHash == named.modelHash {
        header.usesScans = header.canHaveScans
      }
    } else {
      (header.latentCount, header.modelHash, header.modelName) = (0, [], "")
    }
    // Likewise, the first predictor that blocks need, or else that new ones would be coded with.
    var predicting: CompressedSet?
    for set in sets where set.file.header.namesPredictor {
      if predicting == nil || (set.file.needsPredictor && !(predicting?.file.needsPredictor ?? true)) {
        predicting = set
      }
    }
    (header.predictorHash, header.predictorName) = (
      predicting?.file.header.predictorHash ?? [], predicting?.file.header.predictorName ?? ""
    )
    var withImages: CompressedSet?
    for set in sets {
      try header.checkBlocks(of: set, beside: first.file.name)
      guard set.file.blocks.imageCount > 0 else { continue }
      guard let other = withImages else {
        withImages = set
        continue
      }
      let (a, b) = (set.information, other.information)
      guard a.hasLabels == b.hasLabels, a.hasNames == b.hasNames else {
        let what: StaticString = a.hasLabels != b.hasLabels ? "labels" : "names"
        let hasSome = a.hasLabels != b.hasLabels ? a.hasLabels : a.hasNames
        throw AEError(
          .argument,
          "\(set.file.name) has \(hasSome ? "" : "no ")\(what), and \(other.file.name) has \(hasSome ? "none" : "some")"
        )
      }
    }
    return header
  }

  /// A model is of use to blocks of this set: a set of version 2 may name one for nothing, and so may one of version 3 whose
  /// images no scan can be of.
  fileprivate var namesModelForBlocks: Bool { namesModel && (quality > 0 || (usesScans && canHaveScans)) }

  /// Throws unless blocks of a set mean in this one what they mean in theirs.
  func checkBlocks(of set: CompressedSet, beside name: String) throws(AEError) {
    let other = set.file.header
    func refuse(_ what: StaticString, _ a: String, _ b: String) -> AEError {
      AEError(
        .argument, "\(set.file.name) and \(name) cannot be one set: their \(what) is \(a) and \(b)")
    }
    guard shape == other.shape else { throw refuse("image size", other.shape.text, shape.text) }
    guard mode == other.mode else { throw refuse("mode", other.mode.text, mode.text) }
    guard maxError == other.maxError else {
      throw refuse("largest error", sentence("\(other.maxError)"), sentence("\(maxError)"))
    }
    guard quality == other.quality else {
      throw refuse("quality", sentence("\(other.quality)"), sentence("\(quality)"))
    }
    guard !set.file.needsModel || (namesModel && other.modelHash == modelHash) else {
      throw AEError(
        .model,
        "\(set.file.name) needs the model \"\(other.modelName)\", hash \(SHA256.hex(other.modelHash)), and the others "
          + (namesModel ? "\"\(modelName)\", hash \(SHA256.hex(modelHash))" : "none"))
    }
    guard !set.file.needsPredictor || other.predictorHash == predictorHash else {
      throw AEError(
        .model,
        "\(set.file.name) needs the predictor of the model \"\(other.predictorName)\", hash "
          + "\(SHA256.hex(other.predictorHash)), and the others "
          + (namesPredictor ? "that of \"\(predictorName)\", hash \(SHA256.hex(predictorHash))" : "none"))
    }
    guard latentCount == other.latentCount || !set.file.needsModel else {
      throw refuse("number of latents", sentence("\(other.latentCount)"), sentence("\(latentCount)"))
    }
  }
}

extension Mode {
  fileprivate var text: String {
    switch self {
    case .lossy: return "lossy"
    case .lossless: return "lossless"
    case .nearLossless: return "near-lossless"
    }
  }
}

extension CompressedSet {
  /// The images of whole blocks at the block boundaries nearest to `images`, both ends of which are image numbers.
  fileprivate func boundaries(around image: Int) -> (before: Int, after: Int) {
    let block = images(around: image)
    return block.lowerBound == image ? (image, image) : (block.lowerBound, block.upperBound)
  }
}

extension SetWriter {
  /// Copies blocks of another set, with their labels and names, without decoding them. Images that were added before
  /// and wait for their block to be full become a block of fewer.
  ///
  /// - Parameters:
  ///   - set: of the same size, channels, mode, largest error, quality and model.
  ///   - images: those of whole blocks; all if nil.
  /// - Throws: `.argument` if the range does not begin and end where blocks do, naming the nearest places, or for sets
  ///   that cannot be one; `.model` if they are of different models, naming both; `.checksum` or `.format` if a block,
  ///   labels or names are damaged, naming the images; `.io`; `.memory`; `.stopped`; and what the sink throws.
  public func add(blocksOf set: CompressedSet, images: Range<Int>? = nil) throws(AEError) {
    let file = set.file
    let range = images ?? 0..<file.blocks.imageCount
    guard range.lowerBound >= 0, range.upperBound <= file.blocks.imageCount else {
      throw AEError(
        .argument,
        "\(file.name): images \(range.lowerBound) to \(range.upperBound - 1) were asked for; it has \(file.blocks.imageCount)"
      )
    }
    for end in [range.lowerBound, range.upperBound] {
      let (before, after) = set.boundaries(around: end)
      guard before == after else {
        throw AEError(
          .argument,
          "\(file.name): no block begins at image \(end); the nearest begin at images \(before) and \(after)")
      }
    }
    try header.checkBlocks(of: set, beside: "the set that is written")
    guard !range.isEmpty else { return }
    let labels = try set.labels()
    let names = try set.names()
    try expect(range.count, hasLabels: labels != nil, hasNames: names != nil)
    try flush()
    if let labels { try addLabels(labels.base + range.lowerBound, count: range.count) }
    if let names { try addNames(names, range) }
    let start = count
    let total = max(expectedCount ?? 0, start + range.count)
    let monitor = onProgress.map { Monitor(done: start, total: total, hook: $0) }
    for block in file.blocks.block(of: range.lowerBound)...file.blocks.block(of: range.upperBound - 1) {
      try monitor.check()
      let images = file.blocks.images(block)
      let kind = file.blocks.kind(block)
      var failure: AEError?
      let fault = file.withBlock(block) { bytes, byteCount in
        var raw = 0
        if kind == .mixed {
          switch MixedBlock.parse(bytes, byteCount, count: images.count) {
          case .failure(let fault): return fault
          case .success(let mixed): raw = mixed.rawCount
          }
        }
        guard byteCount > 0 else { return .size }
        do throws(AEError) {
          try write(
            ChunkHead(kind, byteCount: byteCount, imageCount: images.count, rawImageCount: raw), bytes)
        } catch {
          failure = error
        }
        return nil
      }
      if let failure { throw failure }
      if let fault {
        throw AEError(
          fault == .memory ? .memory : fault == .checksum ? .checksum : .format,
          "\(file.name): images \(images.lowerBound) to \(images.upperBound - 1) are lost: "
            + "\(file.describe(block, fault))")
      }
      monitor.advance(images.count)
    }
  }
}

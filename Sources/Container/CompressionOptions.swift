// How to compress, and what a set is made of the options: the header that all of its blocks are coded by. Its own
// file because the writer, the bound and whoever offers options ask the same.

import Bytes
import Core
import Latent
import Lossless
import Model
import Network
import Storage

/// How to compress.
public struct CompressionOptions: Sendable {
  /// What to keep of the images.
  public var mode = Mode.lossy
  /// The most that a pixel may be off, 1 ... 32: for near-lossless sets alone.
  public var maxError = 0
  /// How pixels are coded in lossless and near-lossless sets; nil is by scans if the model predicts them, which is
  /// smallest. Not for lossy sets.
  public var method: Method?
  /// Whether lossless and near-lossless sets hold the images' codes, too: pictures at a glance, for a few bytes each.
  public var keepsCodes = false
  /// 1 (smallest) to the number of the model's qualities (best); 0 is the model's default.
  public var quality = 0
  /// Puts the decoder into the set, if a block needs it: then it needs no other file.
  public var embedModel = false
  /// Images in a block, 1 ... 65536; 0 is 500. A block is what is decoded to read one image, and what damage
  /// costs. See `largestBlockPixelCount`.
  public var blockImages = 0

  /// So that shards of round numbers of images are whole blocks.
  public static let defaultBlockImages = 500
  /// Pixels of a block of lossless or near-lossless images, at most: one image costs the decoding of all before it.
  /// Fewer images than were asked for are then in a block.
  public static let largestBlockPixelCount = 1 << 24
  /// Two passes give most of what there is.
  public static let defaultSearchPasses = 2

  /// How often every code is tried against its neighbours for a better picture or fewer bits, 0 ... 16.
  /// Has no effect with a model that does not say what a bit is worth.
  public var searchPasses = CompressionOptions.defaultSearchPasses

  public init() {}

  /// Checks the arguments and fills a header.
  /// - Throws: `.shape` if the images are not of the model's size; `.kind` if the model has no codec or is a
  ///   decoder alone; `.argument` for options that are out of range; `.memory`.
  func header(width: Int, height: Int, source: SourceKind, _ model: Autoencoder?) throws(AEError) -> SetHeader
  {
    let isLossy = mode == .lossy
    let errors = mode == .nearLossless ? 1...NearLossless.maximumError : 0...0
    guard errors.contains(maxError) else {
      throw AEError(
        .argument,
        errors.upperBound == 0
          ? "max_error \(maxError) is for near-exact sets alone"
          : "max_error must be in 1 ... \(NearLossless.maximumError), not \(maxError)")
    }
    guard method == nil || !isLossy else {
      throw AEError(.argument, "a method is for exact and near-exact sets alone")
    }
    guard (0...SetHeader.maximumBlockImages).contains(blockImages) else {
      throw AEError(
        .argument,
        "images in a block must be in 1 ... \(SetHeader.maximumBlockImages), not \(blockImages)")
    }
    guard (0...16).contains(searchPasses) else {
      throw AEError(.argument, "passes of the search must be in 0 ... 16, not \(searchPasses)")
    }
    let sides = 1...Architecture.maximumSide
    guard sides.contains(width), sides.contains(height) else {
      throw AEError(
        .argument, "images of \(width) x \(height): sides are 1 to \(Architecture.maximumSide)")
    }
    let header = SetHeader()
    header.width = width
    header.height = height
    header.source = source
    header.mode = mode
    header.maxError = maxError
    header.blockImages = blockImages == 0 ? CompressionOptions.defaultBlockImages : blockImages

    if !isLossy {
      header.blockImages = min(
        header.blockImages, CompressionOptions.largestBlockPixelCount / header.imageSize)
      // A model that is not for images of this size is of no use to them.
      let fits = model.map { $0.architecture.width == width && $0.architecture.height == height } ?? false
      let hasNetwork = fits && model?.scanModel != nil
      guard method != .scans || hasNetwork else {
        throw AEError(
          .kind, "scans need a model of \(width) x \(height) pixels with an exact layer")
      }
      header.usesScans = method != .contexts && hasNetwork && header.canHaveScans
      if !fits || (!header.usesScans && !keepsCodes) { return header }
    }
    guard let model else { throw AEError(.argument, "a set of codes needs a model") }
    guard let codec = model.codec else {
      throw AEError(.kind, "the model \"\(model.name)\" has no codec and cannot compress")
    }
    guard model.integerEncoder != nil else {
      throw AEError(.kind, "the model \"\(model.name)\" is a decoder alone and cannot compress")
    }
    let shape = model.architecture
    guard width == shape.width, height == shape.height else {
      throw AEError(
        .shape,
        "the images are \(width) x \(height) pixels, the model \"\(model.name)\" takes "
          + "\(shape.width) x \(shape.height)")
    }
    guard (0...codec.rates.count).contains(quality) else {
      throw AEError(.argument, "quality must be in 1 ... \(codec.rates.count), not \(quality)")
    }
    header.channels = shape.channels
    header.latentCount = shape.latentCount
    if isLossy || keepsCodes {
      header.quality = quality == 0 ? codec.defaultQuality : quality
    }
    header.modelHash = try WeightFile.hash(model)
    header.modelName = model.name
    return header
  }
}

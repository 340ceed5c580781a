// Options of compression, and the header that follows from them. Its own file because the writer, the bound and the
// option tables share it.

import Bytes
import Core
import Latent
import Lossless
import Model
import Network
import Options
import Storage

/// How to compress.
public struct CompressionOptions: Sendable {
  /// nil: near-lossless with `maxError`, else lossy.
  public var givenMode: Mode?
  /// The most that a pixel may be off, 1 ... 32: for near-lossless sets alone.
  public var maxError = 0
  /// How pixels are coded in lossless and near-lossless sets; nil is by scans if the model predicts them, which is
  /// smallest. Not for lossy sets.
  public var method: Method?
  /// Whether time or bytes matter more in writing lossless and near-lossless sets.
  public var priority = Priority.balanced
  /// Whether lossless and near-lossless sets hold the images' codes, too, as previews of a few bytes each.
  public var keepsCodes = false
  /// 1 (smallest) to the number of the model's qualities (best); 0 is the model's default.
  public var quality = 0
  /// Puts the decoder into the set, if a block needs it: then it needs no other file.
  public var embedModel = false
  /// Images in a block, 1 ... 65536; 0 is 500. A block is what is decoded to read one image, and what damage
  /// costs. See `largestBlockByteCount`.
  public var blockImages = 0

  /// So that shards of round numbers of images are whole blocks.
  public static let defaultBlockImages = 500
  /// Bytes of the pixels of a block of lossless or near-lossless images, at most: one image costs the decoding of all
  /// before it. Fewer images than were asked for are then in a block.
  public static let largestBlockByteCount = 1 << 24
  /// More passes gain little.
  public static let defaultSearchPasses = 2

  /// Passes of the code search, 0 ... 16. Without effect for a model without prices of bits.
  public var searchPasses = CompressionOptions.defaultSearchPasses

  /// Mean bytes of an image's blocks, at most: the best quality that takes no more is chosen by the first 10,000 images;
  /// 0 for a quality that is given. For lossy sets.
  public var bytesPerImage = 0.0
  /// Pixels; nil as the model has them.
  public var width: Int?
  public var height: Int?
  /// Bytes of a pixel: 1, 3 or 4; nil as the model has them.
  public var channels: Int?

  /// Whether lossless blocks may be coded with what a model has learned.
  var usesNetworks: Bool { method != .contexts && priority != .speed }

  public init() {}

  /// Every option of compression.
  public static let table = OptionTable<CompressionOptions>(
    "compression", defaults: CompressionOptions(),
    [
      .choice(
        "mode", ["lossy", "lossless", "near-lossless"], automatic: "near-lossless with max_error, else lossy",
        "What to keep: latent codes, every pixel, or every pixel to within max_error.",
        { $0.givenMode }, { $0.givenMode = $1 }),
      .integer(
        "quality", 1...16, automatic: "the model's default; without a model 8",
        "Of lossy sets: from 1, the smallest files, to as many as the model has; without a model from 1 to 14, over those that come with libae.",
        { $0.quality == 0 ? nil : $0.quality }, { $0.quality = $1 ?? 0 }),
      .number(
        "bytes_per_image", 0...65536,
        "Of lossy sets: take the best quality whose blocks need no more bytes an image, judged by the first ten thousand images, or 64 MB of them; 0: as quality says.",
        { $0.bytesPerImage }, { $0.bytesPerImage = $1 }),
      .integer(
        "max_error", 0...32, "Of near-lossless sets: grey levels that a pixel may be off, 1 to 32.",
        { $0.maxError }, { $0.maxError = $1 }),
      .choice(
        "method", ["auto", "contexts", "scans", "predicted"],
        "Of lossless and near-lossless sets: contexts is fast and needs no model, predicted takes the model's predictor of pixels or the universal one, scans takes the bilevel scans behind digits, predicted by the model; auto is the smallest that the model allows.",
        { MethodChoice(rawValue: $0.method?.rawValue ?? 0) ?? .auto },
        { $0.method = Method(rawValue: $1.rawValue) }),
      .choice(
        "priority", ["balanced", "speed", "size"],
        "Of lossless and near-lossless sets: what matters most, the time to write (speed: contexts alone) or bytes (size: every method is tried on all of every block).",
        { $0.priority }, { $0.priority = $1 }),
      .flag(
        "preview",
        "Of lossless and near-lossless sets: hold the images' codes, too, as previews.",
        { $0.keepsCodes }, { $0.keepsCodes = $1 }),
      .flag(
        "embed_model", "Put the decoder into the set, which then needs no other file.",
        { $0.embedModel }, { $0.embedModel = $1 }),
      .integer(
        "block_images", 1...65536, "Images in a block: what is decoded to read one, and what damage costs.",
        formerly: "block", { $0.blockImages == 0 ? defaultBlockImages : $0.blockImages },
        { $0.blockImages = $1 }),
      .integer(
        "search_passes", 0...16,
        "Of lossy sets: how often every code is tried against its neighbours for a better picture or fewer bits, where the model was trained with rd_lambda.",
        formerly: "search", { $0.searchPasses }, { $0.searchPasses = $1 }),
      .integer(
        "width", 1...UInt64(ImageShape.maximumSide), automatic: "the model's", "Pixels of an image's row.",
        isImplied: true, { $0.width },
        { $0.width = $1 }),
      .integer(
        "height", 1...UInt64(ImageShape.maximumSide), automatic: "the model's",
        "Pixels of an image's column.", isImplied: true,
        { $0.height },
        { $0.height = $1 }),
      .integer(
        "channels", 1...4, automatic: "the model's; without a model 1",
        "Bytes of a pixel: 1 for grey, 3 for red, green and blue, 4 with alpha. Codes are of the model's.",
        isImplied: true, allowed: [1, 3, 4], { $0.channels }, { $0.channels = $1 }),
    ])

  /// Checks the arguments and fills a header.
  /// - Throws: `.shape` if the images are to have codes and are not of the model's shape; `.kind` if the
  ///   model has no codec or is a decoder alone; `.argument` for options that are out of range; `.memory`.
  /// - Parameter predicting: the model whose predictor is used if `model` has none.
  func header(
    _ images: ImageShape, source: SourceKind, _ model: Autoencoder?, predicting: Autoencoder? = nil
  ) throws(AEError) -> SetHeader {
    let isLossy = mode == .lossy
    let errors = mode == .nearLossless ? 1...NearLossless.maximumError : 0...0
    guard errors.contains(maxError) else {
      throw AEError(
        .argument,
        errors.upperBound == 0
          ? "max_error \(maxError) is for near-lossless sets alone"
          : "max_error must be in 1 ... \(NearLossless.maximumError), not \(maxError)")
    }
    guard method == nil || !isLossy else {
      throw AEError(.argument, "a method is for lossless and near-lossless sets alone")
    }
    guard (0...SetHeader.maximumBlockImages).contains(blockImages) else {
      throw AEError(
        .argument,
        "images in a block must be in 1 ... \(SetHeader.maximumBlockImages), not \(blockImages)")
    }
    guard (0...16).contains(searchPasses) else {
      throw AEError(.argument, "passes of the search must be in 0 ... 16, not \(searchPasses)")
    }
    try images.validate()
    let header = SetHeader()
    header.shape = images
    header.source = source
    header.mode = mode
    header.maxError = maxError
    header.blockImages = blockImages == 0 ? CompressionOptions.defaultBlockImages : blockImages

    // As many as a reader takes; of what costs the decoding of all before it, fewer.
    header.blockImages = min(
      header.blockImages,
      isLossy ? header.mostBlockImages : CompressionOptions.largestBlockByteCount / header.imageSize)
    if !isLossy {
      // An autoencoder that is not for images of this size is of no use to them; a predictor is for all.
      let isPredictor = model?.architecture.kind == .predictor
      if let model, isPredictor, keepsCodes {
        throw AEError(
          .kind, "the model \"\(model.name)\" is a predictor, and previews are codes of an autoencoder")
      }
      let fits = model.map { $0.architecture.image == images } ?? false
      let hasNetwork = (fits || isPredictor) && model?.scanModel != nil
      guard method != .scans || hasNetwork else {
        throw AEError(
          .kind, "scans need a model of \(images.text) pixels with a network for lossless coding")
      }
      let isPredicted = usesNetworks
      header.usesScans = isPredicted && method != .predicted && hasNetwork && header.canHaveScans
      if isPredicted, let holder = model?.predictor != nil ? model : predicting,
        let predictor = holder.predictor
      {
        header.predictorHash = try predictor.sectionHash()
        header.predictorName = holder.name
      }
      guard method != .predicted || header.namesPredictor else {
        throw AEError(.kind, "there is no predictor of pixels, which the method predicted needs")
      }
      if isPredictor, let model {
        if header.usesScans {
          header.modelHash = try WeightFile.hash(model)
          header.modelName = model.name
        }
        return header
      }
      if !keepsCodes, !fits || !header.usesScans { return header }
    }
    guard let model else { throw AEError(.argument, "a set of codes needs a model") }
    guard let codec = model.codec else {
      throw AEError(.kind, "the model \"\(model.name)\" has no codec and cannot compress")
    }
    guard model.integerEncoder != nil else {
      throw AEError(.kind, "the model \"\(model.name)\" is a decoder alone and cannot compress")
    }
    let architecture = model.architecture
    guard architecture.image == images else {
      throw AEError(
        .shape,
        "the images are \(images.text) pixels, the model \"\(model.name)\" takes \(architecture.image.text)")
    }
    guard (0...codec.rates.count).contains(quality) else {
      throw AEError(.argument, "quality must be in 1 ... \(codec.rates.count), not \(quality)")
    }
    header.latentCount = architecture.latentCount
    if isLossy || keepsCodes {
      header.quality = quality == 0 ? codec.defaultQuality : quality
    }
    header.modelHash = try WeightFile.hash(model)
    header.modelName = model.name
    return header
  }
}

/// `Method?` as a row of the table has it.
private enum MethodChoice: UInt8 {
  case auto = 0
  case contexts = 1
  case scans = 2
  case predicted = 3
}

extension CompressionOptions {
  /// What to keep of the images.
  public var mode: Mode {
    get { givenMode ?? (maxError > 0 ? .nearLossless : .lossy) }
    set { givenMode = newValue }
  }
}

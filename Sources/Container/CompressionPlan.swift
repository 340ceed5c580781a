// What a set is compressed with: which model, at which of its qualities, for images of which size. One place for the
// tool, C and Python, so that the same images and options give the same bytes from all of them.

import Core
import Latent
import Model
import Network
import Options
import Storage

/// Options, model and quality, decided before the first image; a rate that is asked for decides the quality later.
public struct CompressionPlan: Sendable {
  public let options: CompressionOptions
  /// Nil for lossless and near-lossless sets that need none.
  public let model: Autoencoder?
  /// Whose predictor lossless blocks are coded with, if `model` has none.
  public let predicting: Autoencoder?
  /// Of each image.
  public let shape: ImageShape
  public var width: Int { shape.width }
  public var height: Int { shape.height }
  public var channels: Int { shape.channels }
  /// The quality on the scale over the models that come with libae; 0 with another model, or without codes.
  public let scaleQuality: Int

  /// The candidates if a rate is asked for (`CompressionOptions.bytesPerImage`).
  let rateChoices: [RateChoice]

  /// - Parameters:
  ///   - model: nil for those that come with libae.
  ///   - width: pixels, as `height`; nil as the options say, or else as the model has it, without one 28.
  ///   - channels: 1, 3 or 4; nil as the options say, or else as the model has them, without one 1.
  ///   - library: where the models are that come with libae.
  /// - Throws: `.argument` for options that are out of range or do not go together; `.model` if a model that comes with
  ///   libae is needed and not installed; `.shape` for codes of images that are not of the model's shape; `.kind` if
  ///   the model cannot do it.
  public init(
    _ given: CompressionOptions, model givenModel: Autoencoder?, width: Int? = nil, height: Int? = nil,
    channels: Int? = nil, library: ModelLibrary
  ) throws(AEError) {
    try CompressionOptions.table.check(given)
    var options = given
    // A predictor is for images of any size.
    let sized = givenModel?.architecture.kind == .predictor ? nil : givenModel
    if let givenModel, sized == nil, width ?? given.width == nil || height ?? given.height == nil {
      throw AEError(
        .argument,
        "the model \"\(givenModel.name)\" is a predictor, for images of any size: width and height must be told"
      )
    }
    let ofModel = sized?.architecture.image ?? ImageShape(width: 28, height: 28)
    shape = ImageShape(
      width: width ?? given.width ?? ofModel.width, height: height ?? given.height ?? ofModel.height,
      channels: channels ?? given.channels ?? ofModel.channels)
    // Before a model is looked for, which would be told missing.
    try shape.validate()
    let needsCodes = options.mode == .lossy || options.keepsCodes
    guard needsCodes || options.quality == 0 else {
      throw AEError(
        .argument, "quality is for codes: lossless and near-lossless sets have them only with a preview")
    }
    guard options.bytesPerImage == 0 || options.mode == .lossy else {
      throw AEError(.argument, "bytes_per_image is for lossy sets: others take what they take")
    }
    guard options.bytesPerImage == 0 || options.quality == 0 else {
      throw AEError(.argument, "quality and bytes_per_image exclude each other")
    }
    guard !options.keepsCodes || options.mode != .lossy else {
      throw AEError(.argument, "preview is for lossless and near-lossless sets")
    }
    var choices: [RateChoice] = []
    var model = givenModel
    var scale = 0
    if let givenModel {
      if options.bytesPerImage > 0 {
        for quality in 1...max(givenModel.codec?.rates.count ?? 1, 1) {
          choices.append(RateChoice(model: givenModel, quality: quality, scaleQuality: 0))
        }
      }
    } else if needsCodes {
      if options.bytesPerImage > 0 {
        for quality in 1...ShippedModel.scaleCount {
          let choice = try ShippedModel.onScale(quality)
          choices.append(
            RateChoice(
              model: try library.shipped(choice.model), quality: choice.quality, scaleQuality: quality))
        }
        model = choices[0].model
        options.quality = choices[0].quality
      } else {
        let choice = try ShippedModel.onScale(options.quality)
        scale = options.quality == 0 ? ShippedModel.defaultScaleQuality : options.quality
        model = try library.shipped(choice.model)
        options.quality = choice.quality
      }
    } else if options.usesNetworks, options.method != .predicted, shape == ImageShape(width: 28, height: 28) {
      model = try library.shipped(ShippedModel.exact)
    }
    predicting =
      options.mode != .lossy && options.usesNetworks && model?.predictor == nil
      ? try library.shipped(ShippedModel.universal) : nil
    self.options = options
    self.model = model
    scaleQuality = scale
    rateChoices = choices
    _ = try options.header(shape, source: .unknown, model, predicting: predicting)
  }

  /// The same at a quality that a rate led to.
  func choosing(_ choice: RateChoice) -> CompressionPlan {
    var options = options
    options.quality = choice.quality
    options.bytesPerImage = 0
    return CompressionPlan(options, choice.model, shape, choice.scaleQuality)
  }

  private init(
    _ options: CompressionOptions, _ model: Autoencoder?, _ shape: ImageShape, _ scaleQuality: Int
  ) {
    self.options = options
    self.model = model
    predicting = nil
    self.shape = shape
    self.scaleQuality = scaleQuality
    rateChoices = []
  }
}

/// Packs images as a plan says: see `compress`.
public func compress(
  _ pixels: Buffer<UInt8>, count: Int, source: SourceKind = .unknown, labels: Buffer<UInt8>? = nil,
  names: [String]? = nil, _ plan: CompressionPlan, onProgress: Monitor.Hook? = nil
) throws(AEError) -> Buffer<UInt8> {
  let settled = try RateControl.settle(plan, pixels.base, count: count, onProgress: onProgress)
  return try compress(
    pixels, settled.shape, count: count, source: source, labels: labels,
    names: names, with: settled.model, predicting: settled.predicting, options: settled.options,
    onProgress: onProgress)
}

/// A size that `compress` with the same plan never exceeds.
public func compressedBound(count: Int, hasLabels: Bool, _ plan: CompressionPlan) throws(AEError) -> Int {
  var most = 0
  for candidate in [plan] + plan.rateChoices.map({ plan.choosing($0) }) {
    most = max(
      most,
      try compressedBound(
        candidate.shape, count: count, hasLabels: hasLabels, with: candidate.model,
        predicting: candidate.predicting, options: candidate.options))
  }
  return most
}

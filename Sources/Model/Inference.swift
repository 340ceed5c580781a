// Encoding, decoding and sampling with a trained model: what ae_encode, ae_decode and vae_sample do.
// A model stored in floats runs in floats; one stored as int8 runs in integers, exactly.

import CKernels
import Compute
import Core
import Latent
import Lossless
import Network

extension Autoencoder {
  // MARK: Encoding

  /// Encodes `count` images of `inputCount` floats in [0, 1] into codes of `latentCount` floats; a
  /// variational model gives the mean.
  /// - Throws: `.kind` for a decoder alone, `.argument` for a pixel that is not finite.
  public func encode(_ images: UnsafePointer<Float>, count: Int, into latents: UnsafeMutablePointer<Float>)
    throws(AEError)
  {
    try encode(UnsafeRawPointer(images), CK_ROWS_FLOATS, count: count, into: latents)
  }

  /// Encodes bytes, where 255 stands for 1.
  public func encode(_ images: UnsafePointer<UInt8>, count: Int, into latents: UnsafeMutablePointer<Float>)
    throws(AEError)
  {
    try encode(UnsafeRawPointer(images), CK_ROWS_BYTES, count: count, into: latents)
  }

  /// The Gaussian posterior of each image: `mean` and `logVariance` get `count` rows of `latentCount`.
  /// - Throws: `.kind` unless the model is variational and has an encoder.
  public func posterior(
    _ images: UnsafePointer<Float>, count: Int, mean: UnsafeMutablePointer<Float>,
    logVariance: UnsafeMutablePointer<Float>
  ) throws(AEError) {
    try requireVariational("a posterior")
    try encodeInParts(
      UnsafeRawPointer(images), CK_ROWS_FLOATS, count: count, mean: mean, logVariance: logVariance)
  }

  /// The Gaussian posterior of images in bytes.
  public func posterior(
    _ images: UnsafePointer<UInt8>, count: Int, mean: UnsafeMutablePointer<Float>,
    logVariance: UnsafeMutablePointer<Float>
  ) throws(AEError) {
    try requireVariational("a posterior")
    try encodeInParts(
      UnsafeRawPointer(images), CK_ROWS_BYTES, count: count, mean: mean, logVariance: logVariance)
  }

  // MARK: Decoding

  /// Decodes `count` codes of `latentCount` finite floats into images of `inputCount` floats in [0, 1].
  public func decode(_ latents: UnsafePointer<Float>, count: Int, into images: UnsafeMutablePointer<Float>)
    throws(AEError)
  {
    if let decoder {
      return try decoder.run(latents, CK_ROWS_FLOATS, count: count, images, CK_ROWS_UNIT, "latents")
    }
    let bytes = try Buffer<UInt8>(count: min(count, DenseNetwork.chunkCount(inputCount)) * inputCount)
    try decodeIntegers(latents, count: count) { (first, rows, decoder, words) throws(AEError) in
      try decoder.decode(words, count: rows, into: bytes.base)
      ck_from_u8(rows * inputCount, bytes.base, images + first * inputCount)
    }
  }

  /// Decodes into bytes, rounded to nearest.
  public func decode(_ latents: UnsafePointer<Float>, count: Int, into images: UnsafeMutablePointer<UInt8>)
    throws(AEError)
  {
    if let decoder {
      return try decoder.run(latents, CK_ROWS_FLOATS, count: count, images, CK_ROWS_BYTES, "latents")
    }
    try decodeIntegers(latents, count: count) { (first, rows, decoder, words) throws(AEError) in
      try decoder.decode(words, count: rows, into: images + first * inputCount)
    }
  }

  // MARK: Sampling

  /// Draws `count` codes from the unit Gaussian, the same for a seed on every machine; image i's code
  /// depends on (seed, i) alone.
  public func prior(count: Int, seed: UInt64, into latents: UnsafeMutablePointer<Float>) throws(AEError) {
    try requireVariational("samples")
    drawPrior(first: 0, count: count, seed: seed, into: latents)
  }

  /// Draws codes as `prior` does and decodes them into floats.
  public func sample(count: Int, seed: UInt64, into images: UnsafeMutablePointer<Float>) throws(AEError) {
    try samples(count: count, seed: seed) { (first, rows, latents) throws(AEError) in
      try decode(latents, count: rows, into: images + first * inputCount)
    }
  }

  /// Draws codes as `prior` does and decodes them into bytes.
  public func sample(count: Int, seed: UInt64, into images: UnsafeMutablePointer<UInt8>) throws(AEError) {
    try samples(count: count, seed: seed) { (first, rows, latents) throws(AEError) in
      try decode(latents, count: rows, into: images + first * inputCount)
    }
  }

  // MARK: Pieces

  private func requireVariational(_ what: StaticString) throws(AEError) {
    guard architecture.isVariational else {
      throw AEError(
        .kind, "\(what) need a variational model; this one, \"\(name)\", is of kind \(architecture.kind.name)"
      )
    }
  }

  private func requireEncoder() throws(AEError) {
    guard architecture.kind != .predictor else {
      throw AEError(.kind, "model \"\(name)\" is a predictor: it has no latent codes")
    }
    guard hasEncoder else {
      throw AEError(.kind, "model \"\(name)\" is a decoder alone: it cannot encode")
    }
  }

  private func requireFinite(_ values: UnsafePointer<Float>, count: Int, width: Int, _ what: StaticString)
    throws(AEError)
  {
    let index = ck_first_not_finite(count * width, values)
    guard index == count * width else {
      throw AEError(
        .argument, "\(what) must be finite; value \(index % width) of row \(index / width) is not")
    }
  }

  /// Images in one of the forms of CKernels into codes.
  private func encode(
    _ images: UnsafeRawPointer, _ form: Int, count: Int, into latents: UnsafeMutablePointer<Float>
  ) throws(AEError) {
    if architecture.isVariational {
      try encodeInParts(images, form, count: count, mean: latents, logVariance: nil)
    } else {
      try runEncoder(images, form, count: count, into: latents)
    }
  }

  /// A variational encoder's outputs, chunk by chunk, taken apart.
  private func encodeInParts(
    _ images: UnsafeRawPointer, _ form: Int, count: Int, mean: UnsafeMutablePointer<Float>,
    logVariance: UnsafeMutablePointer<Float>?
  ) throws(AEError) {
    try requireEncoder()
    // What is refused is named by its row in the whole.
    if form == CK_ROWS_FLOATS { try requireFinite(floats(images), count: count, width: inputCount, "images") }
    let chunk = min(count, DenseNetwork.chunkCount(inputCount))
    let outputs = try Buffer<Float>(count: chunk * architecture.encoderOutputCount)
    var first = 0
    repeat {
      let rows = min(chunk, count - first)
      let offset = first * inputCount * (form == CK_ROWS_BYTES ? 1 : MemoryLayout<Float>.stride)
      try runEncoder(images + offset, form, count: rows, into: outputs.base)
      for row in 0..<rows {
        let source = outputs.base + row * architecture.encoderOutputCount
        let target = (first + row) * latentCount
        (mean + target).update(from: source, count: latentCount)
        if let logVariance { (logVariance + target).update(from: source + latentCount, count: latentCount) }
      }
      first += rows
    } while first < count
  }

  private func floats(_ images: UnsafeRawPointer) -> UnsafePointer<Float> {
    images.assumingMemoryBound(to: Float.self)
  }

  /// Images into rows of `encoderOutputCount` floats.
  private func runEncoder(
    _ images: UnsafeRawPointer, _ form: Int, count: Int, into outputs: UnsafeMutablePointer<Float>
  ) throws(AEError) {
    if let encoder {
      return try encoder.run(images, form, count: count, outputs, CK_ROWS_FLOATS, "images")
    }
    try requireEncoder()
    guard let integerEncoder else { return }
    if form == CK_ROWS_BYTES {
      return try integerEncoder.encode(
        images.assumingMemoryBound(to: UInt8.self), count: count, into: outputs)
    }
    let images = floats(images)
    try requireFinite(images, count: count, width: inputCount, "images")
    let chunk = min(count, DenseNetwork.chunkCount(inputCount))
    let bytes = try Buffer<UInt8>(count: chunk * inputCount)
    var first = 0
    while first < count {
      let rows = min(chunk, count - first)
      ck_to_u8(rows * inputCount, images + first * inputCount, bytes.base)
      try integerEncoder.encode(
        bytes.base, count: rows, into: outputs + first * architecture.encoderOutputCount)
      first += rows
    }
  }

  /// Turns codes into fixed point, chunk by chunk: `body` gets the first row, the rows, the decoder and
  /// the fixed-point codes.
  private func decodeIntegers(
    _ latents: UnsafePointer<Float>, count: Int,
    _ body: (Int, Int, IntegerNetwork, UnsafePointer<Int16>) throws(AEError) -> Void
  ) throws(AEError) {
    guard let integerDecoder, let codec else {
      throw AEError(.kind, "model \"\(name)\" has no decoder")
    }
    try requireFinite(latents, count: count, width: latentCount, "latents")
    let chunk = min(count, DenseNetwork.chunkCount(inputCount))
    let words = try Buffer<Int16>(count: chunk * latentCount)
    var first = 0
    while first < count {
      let rows = min(chunk, count - first)
      for row in 0..<rows {
        for j in 0..<latentCount {
          words.base[row * latentCount + j] = codec.fixedPoint(
            latents[(first + row) * latentCount + j], latent: j)
        }
      }
      try body(first, rows, integerDecoder, UnsafePointer(words.base))
      first += rows
    }
  }

  private func samples(
    count: Int, seed: UInt64, _ body: (Int, Int, UnsafePointer<Float>) throws(AEError) -> Void
  ) throws(AEError) {
    try requireVariational("samples")
    let chunk = min(count, DenseNetwork.chunkCount(inputCount))
    let latents = try Buffer<Float>(count: chunk * latentCount)
    var first = 0
    while first < count {
      let rows = min(chunk, count - first)
      drawPrior(first: first, count: rows, seed: seed, into: latents.base)
      try body(first, rows, UnsafePointer(latents.base))
      first += rows
    }
  }

  private func drawPrior(first: Int, count: Int, seed: UInt64, into latents: UnsafeMutablePointer<Float>) {
    for row in 0..<count {
      var stream = RandomStream(seed: seed, .prior, first + row)
      for j in 0..<latentCount { latents[row * latentCount + j] = stream.normal() }
    }
  }
}

extension Codec {
  /// A latent in fixed point: the nearest multiple of scale / 256, within the largest latent.
  @inlinable
  public func fixedPoint(_ latent: Float, latent index: Int) -> Int16 {
    let units = Double(latent) / Double(latentScales[index]) * Double(Codec.latentUnitsPerScale)
    return Int16(Int(saturating: units).clamped(to: -Codec.largestLatent...Codec.largestLatent))
  }

  /// The latent that a fixed-point number stands for.
  @inlinable
  public func latent(_ fixedPoint: Int16, latent index: Int) -> Float {
    Float(fixedPoint) / Float(Codec.latentUnitsPerScale) * latentScales[index]
  }
}

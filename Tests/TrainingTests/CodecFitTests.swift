// The integer form of a model: close to the floats it was fitted to, and its codes' tables fit for coding.

import Compute
import Core
import Foundation
import Latent
import Model
import Network
import Quantization
import Storage
import Testing
import Training

/// The codes, four numbers each, that the integer networks give, and the pixels that they make of these.
private func throughIntegers(
  _ encoder: IntegerNetwork, _ decoder: IntegerNetwork, _ pixels: Buffer<UInt8>, count: Int
) throws -> (latents: Buffer<Int16>, rebuilt: Buffer<UInt8>) {
  let words = try Buffer<Int16>(count: count * encoder.outputCount)
  try encoder.encode(pixels.base, count: count, into: words.base)
  let latents = try Buffer<Int16>(count: count * 4)
  for row in 0..<count {
    for j in 0..<4 { latents[row * 4 + j] = words[row * encoder.outputCount + j] }
  }
  let rebuilt = try Buffer<UInt8>(count: pixels.count)
  try decoder.decode(latents.base, count: count, into: rebuilt.base)
  return (latents, rebuilt)
}

private func expectClose(_ rebuilt: Buffer<UInt8>, _ model: Autoencoder, _ pixels: Buffer<UInt8>, count: Int)
  throws
{
  let floats = try Evaluation.reconstruction(model, pixels: pixels.base, count: count)
  let integers = Evaluation.psnr(
    mse: Evaluation.meanSquaredError(pixels.base, rebuilt.base, byteCount: pixels.count))
  #expect(integers > floats.psnr - 0.3, "\(integers) dB beside \(floats.psnr) dB")
}

@Test(
  "A fitted model's integer networks lose little against its floats",
  arguments: [
    ModelKind.pca, .linear, .sigmoid, .relu, .elu, .vae, .convVAE,
  ])
func integersStayClose(kind: ModelKind) throws {
  let pixels = try blobs(count: 1000)
  var options = try smallOptions(kind, steps: 1500)
  options.learningRate = 3e-3
  options.lambda = 0
  options.binarize = false
  options.gradientClip = 0
  options.deformation = 0
  let trainer = try Trainer(options: options)
  try trainer.fit(pixels.base, count: 1000)
  let model = try quantized(try trainer.model(), pixels: pixels.base, count: 1000)
  let codec = try #require(model.codec)
  let encoder = try #require(model.integerEncoder)
  let decoder = try #require(model.integerDecoder)

  let (latents, rebuilt) = try throughIntegers(encoder, decoder, pixels, count: 1000)
  try expectClose(rebuilt, model, pixels, count: 1000)

  // Qualities are ordered: finer steps, more symbols.
  for (coarse, fine) in zip(codec.rates, codec.rates.dropFirst()) {
    for j in 0..<4 {
      #expect(coarse.steps[j] >= fine.steps[j])
      #expect(coarse.tables[j].frequencies.count <= fine.tables[j].frequencies.count)
    }
  }

  // The int8 file decodes as the integer networks do.
  let file = try WeightFile.write(model, storage: .int8)
  let stored = try WeightFile.read(file.base, file.count, name: "test")
  let again = try Buffer<UInt8>(count: 1000 * 144)
  try #require(stored.integerDecoder).decode(latents.base, count: 1000, into: again.base)
  #expect(again.array == rebuilt.array)
  #expect(try WeightFile.hash(stored) == (try WeightFile.hash(model)))
}

/// The network with hidden activations that are `scale` times as large, and with layers of `shapes`.
private func scaled(_ network: DenseNetwork?, _ shapes: [LayerShape], by scale: Float) throws -> DenseNetwork
{
  let layers = try #require(network).layers
  return DenseNetwork(
    layers: try layers.enumerated().map { index, layer in
      let isLast = index == layers.count - 1
      let ofWeights = (isLast ? 1 : scale) / (index == 0 ? 1 : scale)
      let weights = try Buffer<Float>(count: layer.weights.count)
      let bias = try Buffer<Float>(count: layer.bias.count)
      for i in 0..<weights.count { weights[i] = layer.weights[i] * ofWeights }
      for i in 0..<bias.count { bias[i] = layer.bias[i] * (isLast ? 1 : scale) }
      return try DenseLayer(shape: shapes[index], weights: weights, bias: bias)
    })
}

@Test(
  "Integer networks stay close where activations are hundreds and more",
  arguments: [30, 300, 3000] as [Float])
func integersStayCloseToLargeActivations(scale: Float) throws {
  let pixels = try blobs(count: 1000)
  var options = try smallOptions(.relu, steps: 1500)
  options.learningRate = 3e-3
  options.gradientClip = 0
  options.deformation = 0
  let trainer = try Trainer(options: options)
  try trainer.fit(pixels.base, count: 1000)
  let relu = try trainer.model()
  // At such scales an ELU is a ReLU.
  let architecture = try Architecture(
    kind: .elu, width: relu.architecture.width, height: relu.architecture.height,
    latentCount: relu.latentCount,
    hidden: relu.architecture.hidden, output: relu.architecture.output)
  let model = try quantized(
    try Autoencoder(
      architecture: architecture, name: "large", provenance: "", storage: .float32,
      encoder: try scaled(relu.encoder, architecture.encoderShapes, by: scale),
      decoder: try scaled(relu.decoder, architecture.decoderShapes, by: scale)),
    pixels: pixels.base, count: 1000)
  let (_, rebuilt) = try throughIntegers(
    try #require(model.integerEncoder), try #require(model.integerDecoder), pixels, count: 1000)
  try expectClose(rebuilt, model, pixels, count: 1000)
}

@Test(
  "So do those of convolutions, where units below zero count beside hundreds, and where all are hundredths",
  arguments: [0.02, 100] as [Float])
func integersStayCloseToConvolutionsOfAnySize(scale: Float) throws {
  let pixels = try blobs(count: 1000)
  var options = try smallOptions(.convVAE, steps: 800)
  options.architecture.hidden = [6, 6, 6, 24]
  options.learningRate = 3e-3
  options.importanceSamples = 1
  options.gradientClip = 20
  let trainer = try Trainer(options: options)
  try trainer.fit(pixels.base, count: 1000)
  let small = try trainer.model()
  let sized = try Autoencoder(
    architecture: small.architecture, name: "sized", provenance: "", storage: .float32,
    encoder: try scaled(small.encoder, small.architecture.encoderShapes, by: scale),
    decoder: try scaled(small.decoder, small.architecture.decoderShapes, by: scale))
  let again = try Trainer(options: options, from: sized, hash: [])
  try again.fit(pixels.base, count: 1000)
  let model = try quantized(try again.model(), pixels: pixels.base, count: 1000)
  let (_, rebuilt) = try throughIntegers(
    try #require(model.integerEncoder), try #require(model.integerDecoder), pixels, count: 1000)
  try expectClose(rebuilt, model, pixels, count: 1000)
}

@Test("A codec is not fitted without images, and not to a model that has only integers")
func codecsNeedImagesAndFloats() throws {
  let pixels = try blobs(count: 50)
  let trainer = try Trainer(options: try smallOptions(.elu))
  try trainer.fit(pixels.base, count: 50)
  let model = try trainer.model()
  #expect(throws: AEError.self) { _ = try quantized(model, pixels: pixels.base, count: 0) }
  let file = try WeightFile.write(try quantized(model, pixels: pixels.base, count: 50), storage: .int8)
  let stored = try WeightFile.read(file.base, file.count, name: "test")
  let error = #expect(throws: AEError.self) { _ = try quantized(stored, pixels: pixels.base, count: 50) }
  #expect(error?.code == .kind)
}

/// Bits of the codes that an integer encoder gives, under the tables of the quality in the middle, per image.
private func bitsPerImage(_ model: Autoencoder, _ pixels: Buffer<UInt8>, count: Int) throws -> Double {
  let encoder = try #require(model.integerEncoder)
  let rate = try #require(model.codec).rates[3]
  let words = try Buffer<Int16>(count: count * encoder.outputCount)
  try encoder.encode(pixels.base, count: count, into: words.base)
  var bits = 0.0
  for index in 0..<words.count {
    let latent = index % encoder.outputCount
    let table = rate.tables[latent]
    let symbol = CodeRate.quantise(Int(words[index]), step: Int(rate.steps[latent])) - table.lowest + 1
    let isInTable = symbol >= 1 && symbol < table.frequencies.count
    bits += 12 - ExactMath.log(Double(table.frequencies[isInTable ? symbol : 0])) / ExactMath.log(2)
    if !isInTable { bits += 15 }
  }
  return bits / Double(count)
}

@Test("Where bits are dearer, codes take fewer, and latents that do not pay cost nothing")
func dearerBitsMakeSmallerCodes() throws {
  let pixels = try blobs(count: 1000)
  var sizes: [Double] = []
  for lambda in [0.002, 0.5, 1e4] {
    var options = try smallOptions(.elu, steps: 800)
    options.learningRate = 3e-3
    options.lambda = lambda
    options.noise = 0
    options.deformation = 0
    let trainer = try Trainer(options: options)
    try trainer.fit(pixels.base, count: 1000)
    let model = try quantized(try trainer.model(), pixels: pixels.base, count: 1000, options: rateTrained)
    #expect(model.codec?.bitPrices.count == model.codec?.rates.count)
    sizes.append(try bitsPerImage(model, pixels, count: 1000))
  }
  #expect(sizes[0] > sizes[1] && sizes[1] > sizes[2] && sizes[2] < 0.1, "\(sizes) bits")
}

@Test("The price of a bit is stored with an encoder, and a decoder alone goes without")
func bitPricesAreStored() throws {
  let pixels = try blobs(count: 100)
  let trainer = try Trainer(options: try smallOptions(.elu))
  try trainer.fit(pixels.base, count: 100)
  let model = try quantized(try trainer.model(), pixels: pixels.base, count: 100, options: rateTrained)
  let prices = try #require(model.codec).bitPrices
  #expect(prices.count == 7 && prices[0] > prices[6] && prices[6] > 0)
  for storage in [WeightStorage.float32, .int8] {
    let file = try WeightFile.write(model, storage: storage)
    #expect(try WeightFile.read(file.base, file.count, name: "test").codec?.bitPrices == prices)
  }
  let alone = try WeightFile.write(model, storage: .int8, decoderOnly: true)
  let decoder = try WeightFile.read(alone.base, alone.count, name: "test")
  #expect(decoder.codec?.bitPrices == [])
  #expect(try WeightFile.hash(decoder) == (try WeightFile.hash(model)))
  // As many as there are qualities, or the file is refused.
  let error = #expect(throws: AEError.self) {
    _ = try #require(model.codec).with(bitPrices: [1, 2])
  }
  #expect(error?.code == .format)
}

/// The most memory that the process has had, in bytes.
private func peakMemory() -> Int {
  var usage = rusage()
  // RUSAGE_SELF, which is not a number everywhere.
  getrusage(0, &usage)
  return Int(usage.ru_maxrss) * 1024
}

@Test(
  "Weights rounded with feedback err less on inputs that go together than each rounded to the nearest, of wide layers too",
  arguments: [(500, 40), (60, 14_000)])
func feedbackBeatsNearest(rows: Int, width: Int) throws {
  let scale = 0.05
  let inputs = try Buffer<UInt8>(count: rows * width)
  var stream = RandomStream(seed: 7, stream: 1)
  // A walk along the inputs: neighbours are nearly equal, as a picture's pixels are.
  for row in 0..<rows {
    var value = 128.0
    for i in 0..<width {
      value += 30 * (Double(stream.uniform()) - 0.5)
      inputs.base[row * width + i] = UInt8(min(max(value, 0), 255))
    }
  }
  let weights = try Buffer<Float>(count: width)
  for i in 0..<width { weights.base[i] = 2 * Float(stream.uniform()) - 1 }
  let rounded = try Buffer<Int8>(count: width)
  let nearest = try Buffer<Int8>(count: width)
  let before = peakMemory()
  let feedback = try ErrorFeedback(.bytes(inputs), rows: rows, width: width)
  feedback.round(weights.base, scale: scale, into: rounded.base)
  // The square of the width would be 1.6 GB, and more of it in floats.
  #expect(peakMemory() - before < 500_000_000)
  for i in 0..<width { nearest.base[i] = Int8((Double(weights.base[i]) / scale).rounded()) }

  /// The variance over rows of what rounding changed; a layer's bias takes the mean.
  func variance(_ whole: Buffer<Int8>) -> Double {
    var (sum, squares) = (0.0, 0.0)
    for row in 0..<rows {
      var change = 0.0
      for i in 0..<width {
        let lost = Double(weights.base[i]) - Double(whole.base[i]) * scale
        change += lost * Double(inputs.base[row * width + i])
      }
      sum += change
      squares += change * change
    }
    return squares / Double(rows) - sum / Double(rows) * sum / Double(rows)
  }
  #expect(variance(rounded) < 0.5 * variance(nearest))
  for i in 0..<width {
    #expect(abs(Double(rounded.base[i]) * scale - Double(weights.base[i])) < 3 * scale)
  }
}

@Test("So are those of convolutions, plain and transposed, whatever their stride", arguments: [0, 1, 2, 3])
func feedbackBeatsNearestInConvolutions(index: Int) throws {
  let architecture = try Architecture(
    kind: .convVAE, width: 11, height: 9, latentCount: 2, hidden: [6, 6, 8], output: .sigmoid)
  let shape =
    index < 2 ? architecture.encoderShapes[index] : architecture.decoderShapes[index]
  try #require(shape.isConvolution)
  let (rows, zero, scale) = (200, UInt8(90), 0.1)
  let inputs = try Buffer<UInt8>(count: rows * shape.inputs)
  let floats = try Buffer<Float>(count: inputs.count)
  var stream = RandomStream(seed: 7, stream: 1)
  for row in 0..<rows {
    var value = 128.0
    for i in 0..<shape.inputs {
      value = min(max(value + 30 * (Double(stream.uniform()) - 0.5), 0), 255)
      inputs.base[row * shape.inputs + i] = UInt8(value)
      floats.base[row * shape.inputs + i] = Float(UInt8(value)) - Float(zero)
    }
  }
  let weights = try Buffer<Float>(count: shape.weightCount)
  for i in 0..<weights.count { weights.base[i] = 2 * Float(stream.uniform()) - 1 }
  let feedback = try LayerFeedback(shape, .bytes(inputs), rows: rows, zero: zero)
  let rounded = try Buffer<Int8>(count: weights.count)
  for o in 0..<shape.channels {
    feedback.round(weights.base, output: o, scale: scale, largest: 127, into: rounded.base)
  }
  let nearest = try Buffer<Int8>(count: weights.count)
  for i in 0..<weights.count { nearest.base[i] = Int8((Double(weights.base[i]) / scale).rounded()) }

  /// The variance over all pixels of a channel of what rounding changed, summed over channels.
  func variance(_ whole: Buffer<Int8>) throws -> Double {
    let lost = try Buffer<Float>(count: weights.count)
    for i in 0..<lost.count { lost.base[i] = weights.base[i] - Float(Double(whole.base[i]) * scale) }
    let bias = try Buffer<Float>(count: shape.channels)
    let change = try Buffer<Float>(count: rows * shape.outputs)
    try shape.forward(
      floats.base, rows: rows, weights: lost.base, bias: bias.base, activation: .identity, into: change.base)
    var total = 0.0
    for channel in 0..<shape.channels {
      var (sum, squares, count) = (0.0, 0.0, 0.0)
      for i in stride(from: channel, to: change.count, by: shape.channels) {
        sum += Double(change.base[i])
        squares += Double(change.base[i] * change.base[i])
        count += 1
      }
      total += squares / count - sum / count * sum / count
    }
    return total
  }
  let (kept, plain) = (try variance(rounded), try variance(nearest))
  #expect(kept < 0.6 * plain, "\(kept) beside \(plain)")
  for i in 0..<weights.count {
    #expect(abs(Double(rounded.base[i]) * scale - Double(weights.base[i])) < 3 * scale)
  }
}

@Test("A fit whose integers fall far below the floats is told of, and a close one is not")
func poorFitsAreSeen() throws {
  let pixels = try blobs(count: 400)
  func fitted(seed: UInt64) throws -> Autoencoder {
    var options = try smallOptions(.elu, steps: 600)
    options.learningRate = 3e-3
    options.seed = seed
    let trainer = try Trainer(options: options)
    try trainer.fit(pixels.base, count: 400)
    return try quantized(try trainer.model(), pixels: pixels.base, count: 400)
  }
  let (model, other) = (try fitted(seed: 1), try fitted(seed: 2))
  let close = try FitQuality(of: model, pixels: pixels.base, count: 400)
  #expect(!close.isPoor && close.floats > 0 && close.integers < 1.1 * close.floats)
  // Another network's integers, which read these codes as something else.
  let mixed = try Autoencoder(
    architecture: model.architecture, name: model.name, storage: .float32, encoder: model.encoder,
    decoder: model.decoder, integerEncoder: model.integerEncoder, integerDecoder: other.integerDecoder,
    codec: model.codec)
  let poor = try FitQuality(of: mixed, pixels: pixels.base, count: 400)
  #expect(poor.isPoor && poor.floats == close.floats)
  #expect(poor.warning.hasPrefix("warning: the integer networks rebuild these images at "))
}

/// Options for models trained with `lambda`.
private var rateTrained: QuantizationOptions {
  var options = QuantizationOptions()
  options.isRateTrained = true
  return options
}

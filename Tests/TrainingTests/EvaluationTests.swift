// Bounds against what can be known: a decoder that ignores its latents has an exact likelihood.

import Compute
import Core
import Model
import Network
import Testing
import Training

@Test("The bounds of a model that ignores its latents are its exact likelihood, plus the KL for one sample")
func boundsOfAConstantDecoder() throws {
  let architecture = try Architecture(
    kind: .vae, width: 3, height: 2, latentCount: 2, hidden: [], output: .sigmoid)
  let encoder = try DenseNetwork(shapes: architecture.encoderShapes)
  let decoder = try DenseNetwork(shapes: architecture.decoderShapes)
  // Posterior N(0.5, e^0.5) in both latents whatever the image; pixels are ink with sigmoid(1).
  for j in 0..<2 {
    encoder.layers[0].bias[j] = 0.5
    encoder.layers[0].bias[2 + j] = 0.5
  }
  for i in 0..<6 { decoder.layers[0].bias[i] = 1 }
  let model = try Autoencoder(
    architecture: architecture, name: "constant", storage: .float32, encoder: encoder, decoder: decoder)
  let pixels = try Buffer<UInt8>([255, 255, 0, 255, 0, 255, 0, 0, 0, 0, 0, 255])
  let bounds = try Evaluation.bounds(model, pixels: pixels.base, count: 2, samples: 20_000, seed: 3)
  let ink = -ExactMath.log(1 / (1 + ExactMath.exp(-1)))
  let blank = ink + 1
  let exact = (5 * ink + 7 * blank) / 2
  let kl = 0.5 * (0.25 + ExactMath.exp(0.5) - 1 - 0.5)
  #expect(abs(bounds.evidence - (exact + 2 * kl)) < 1e-4)
  #expect(abs(bounds.importanceWeighted - exact) < 0.02)
  #expect(abs(bounds.latentKL[0] - kl) < 1e-6)
}

@Test("More samples tighten the bound, and the bound of one sample is above it")
func boundsTighten() throws {
  let pixels = try blobs(count: 200)
  var options = try smallOptions(.vae, steps: 400)
  options.learningRate = 3e-3
  let trainer = try Trainer(options: options)
  try trainer.fit(pixels.base, count: 200)
  let model = try trainer.model()
  let binary = try Evaluation.binarise(pixels.base, count: 200, size: 144, seed: 7)
  let few = try Evaluation.bounds(model, pixels: binary.base, count: 200, samples: 5, seed: 1)
  let many = try Evaluation.bounds(model, pixels: binary.base, count: 200, samples: 500, seed: 1)
  #expect(many.importanceWeighted < few.importanceWeighted)
  #expect(few.importanceWeighted < few.evidence)
}

@Test("Binarised pixels are ink as often as their value says, and the same for a seed")
func binarisingIsFair() throws {
  let count = 20_000
  let grey = try Buffer<UInt8>(count: count * 4)
  for image in 0..<count {
    for (i, value) in [UInt8(0), 51, 204, 255].enumerated() { grey[image * 4 + i] = value }
  }
  let drawn = try Evaluation.binarise(grey.base, count: count, size: 4, seed: 9)
  var ink = [0, 0, 0, 0]
  for image in 0..<count {
    for i in 0..<4 where drawn[image * 4 + i] == 255 { ink[i] += 1 }
  }
  #expect(ink[0] == 0 && ink[3] == count)
  #expect(abs(Double(ink[1]) / Double(count) - 0.2) < 0.015)
  #expect(abs(Double(ink[2]) / Double(count) - 0.8) < 0.015)
  #expect(
    try Evaluation.binarise(grey.base, count: 50, size: 4, seed: 9).array == Array(drawn.array.prefix(200)))
}

@Test("PSNR is 10 dB for each factor of ten in squared error")
func psnrIsLogarithmic() {
  #expect(abs(Evaluation.psnr(mse: 0.01) - 20) < 1e-12)
  #expect(Evaluation.psnr(mse: 0) == .infinity)
}

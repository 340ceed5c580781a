// The integer form of a model: close to the floats it was fitted to, and its codes' tables fit for coding.

import Compute
import Core
import Model
import Storage
import Testing
import Training

@Test(
  "A fitted model's integer networks lose little against its floats",
  arguments: [
    ModelKind.pca, .linear, .sigmoid, .relu, .elu, .vae,
  ])
func integersStayClose(kind: ModelKind) throws {
  let pixels = try blobs(count: 1000)
  var options = try smallOptions(kind, steps: 1500)
  options.learningRate = 3e-3
  options.binarize = false
  options.gradientClip = 0
  options.deformation = 0
  let trainer = try Trainer(options: options)
  try trainer.fit(pixels.base, count: 1000)
  let model = try fitCodec(try trainer.model(), pixels: pixels.base, count: 1000)
  let codec = try #require(model.codec)
  let encoder = try #require(model.integerEncoder)
  let decoder = try #require(model.integerDecoder)

  let words = try Buffer<Int16>(count: 1000 * encoder.outputCount)
  try encoder.encode(pixels.base, count: 1000, into: words.base)
  let latents = try Buffer<Int16>(count: 1000 * 4)
  for row in 0..<1000 {
    for j in 0..<4 { latents[row * 4 + j] = words[row * encoder.outputCount + j] }
  }
  let rebuilt = try Buffer<UInt8>(count: 1000 * 144)
  try decoder.decode(latents.base, count: 1000, into: rebuilt.base)
  let floats = try Evaluation.reconstruction(model, pixels: pixels.base, count: 1000)
  let integers = Evaluation.psnr(
    mse: Evaluation.meanSquaredError(pixels.base, rebuilt.base, byteCount: 1000 * 144))
  #expect(integers > floats.psnr - 0.15, "\(integers) dB beside \(floats.psnr) dB")

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

@Test("A codec is not fitted without images, and not to a model that has only integers")
func codecsNeedImagesAndFloats() throws {
  let pixels = try blobs(count: 50)
  let trainer = try Trainer(options: try smallOptions(.elu))
  try trainer.fit(pixels.base, count: 50)
  let model = try trainer.model()
  #expect(throws: AEError.self) { _ = try fitCodec(model, pixels: pixels.base, count: 0) }
  let file = try WeightFile.write(try fitCodec(model, pixels: pixels.base, count: 50), storage: .int8)
  let stored = try WeightFile.read(file.base, file.count, name: "test")
  let error = #expect(throws: AEError.self) { _ = try fitCodec(stored, pixels: pixels.base, count: 50) }
  #expect(error?.code == .kind)
}

// Running a model: chunk boundaries, what is refused, what a seed promises, and integers against a
// reference written from the format's page.

import Compute
import Core
import Latent
import Model
import Network
import Testing

/// A network of random weights small enough to check by hand.
func randomModel(
  _ kind: ModelKind = .elu, output: Activation = .sigmoid, side: Int = 6, latents: Int = 3
) throws -> Autoencoder {
  let architecture = try Architecture(
    kind: kind, width: side, height: side, latentCount: latents, hidden: [13, 9], output: output)
  var stream = RandomStream(seed: 8, .test)
  func network(_ shapes: [LayerShape]) throws -> DenseNetwork {
    let network = try DenseNetwork(shapes: shapes)
    for layer in network.layers {
      for i in 0..<layer.weights.count { layer.weights[i] = 0.5 * stream.normal() }
      for i in 0..<layer.bias.count { layer.bias[i] = 0.1 * stream.normal() }
    }
    return network
  }
  return try Autoencoder(
    architecture: architecture, name: "random", storage: .float32,
    encoder: try network(architecture.encoderShapes), decoder: try network(architecture.decoderShapes))
}

func randomImages(count: Int, size: Int) throws -> Buffer<UInt8> {
  let images = try Buffer<UInt8>(count: count * size)
  var stream = RandomStream(seed: 2, .test, 1)
  for i in 0..<images.count { images[i] = UInt8(stream.below(256)) }
  return images
}

@Test(
  "Many images at once give the codes that one at a time give", arguments: [1, 2, 1023, 1024, 1025, 2100])
func chunksDoNotShow(count: Int) throws {
  let model = try randomModel()
  let images = try randomImages(count: count, size: 36)
  let together = try Buffer<Float>(count: count * 3)
  try model.encode(images.base, count: count, into: together.base)
  let one = try Buffer<Float>(count: 3)
  for image in Set([0, count / 2, count - 1]) {
    try model.encode(images.base + image * 36, count: 1, into: one.base)
    for j in 0..<3 { #expect(abs(one[j] - together[image * 3 + j]) < 1e-5) }
  }
}

@Test("Bytes and floats of the same images give the same codes and pixels")
func bytesAndFloatsAgree() throws {
  let model = try randomModel()
  let images = try randomImages(count: 50, size: 36)
  let floats = try Buffer<Float>(count: 50 * 36)
  for i in 0..<floats.count { floats[i] = Float(images[i]) / 255 }
  let a = try Buffer<Float>(count: 150)
  let b = try Buffer<Float>(count: 150)
  try model.encode(images.base, count: 50, into: a.base)
  try model.encode(floats.base, count: 50, into: b.base)
  for i in 0..<150 { #expect(abs(a[i] - b[i]) < 1e-5) }
  let pixels = try Buffer<UInt8>(count: 50 * 36)
  let values = try Buffer<Float>(count: 50 * 36)
  try model.decode(a.base, count: 50, into: pixels.base)
  try model.decode(a.base, count: 50, into: values.base)
  for i in 0..<pixels.count { #expect(abs(Float(pixels[i]) - 255 * values[i]) <= 0.501) }
}

@Test("Decoded floats lie in [0, 1] even where the network's own output does not")
func outputsAreClamped() throws {
  let model = try randomModel(.relu, output: .identity)
  let codes = try Buffer<Float>(count: 300)
  var stream = RandomStream(seed: 1, .test, 2)
  for i in 0..<300 { codes[i] = 30 * stream.normal() }
  let values = try Buffer<Float>(count: 100 * 36)
  try model.decode(codes.base, count: 100, into: values.base)
  var atEdge = 0
  for value in values.array {
    #expect(value >= 0 && value <= 1)
    if value == 0 || value == 1 { atEdge += 1 }
  }
  #expect(atEdge > 0)
}

@Test(
  "A number that is not finite is refused with its row and place",
  arguments: [Float.nan, .infinity, -.infinity])
func notFiniteIsRefused(value: Float) throws {
  let model = try randomModel()
  let images = try Buffer<Float>(count: 5 * 36)
  images[3 * 36 + 7] = value
  let codes = try Buffer<Float>(count: 15)
  let error = #expect(throws: AEError.self) { try model.encode(images.base, count: 5, into: codes.base) }
  #expect(error?.code == .argument)
  #expect(error?.message == "images must be finite; value 7 of row 3 is not")
  codes[4] = value
  let decoding = #expect(throws: AEError.self) { try model.decode(codes.base, count: 5, into: images.base) }
  #expect(decoding?.message == "latents must be finite; value 1 of row 1 is not")
}

@Test("A decoder alone does not encode, and a plain network neither samples nor has a posterior")
func kindsAreKept() throws {
  let whole = try randomModel()
  let half = try Autoencoder(
    architecture: whole.architecture, name: "half", storage: .float32, encoder: nil, decoder: whole.decoder)
  let images = try Buffer<UInt8>(count: 36)
  let codes = try Buffer<Float>(count: 6)
  #expect(throws: AEError.self) { try half.encode(images.base, count: 1, into: codes.base) }
  try half.decode(codes.base, count: 1, into: images.base)
  for call in 0..<3 {
    let error = #expect(throws: AEError.self) {
      switch call {
      case 0: try whole.prior(count: 1, seed: 1, into: codes.base)
      case 1: try whole.sample(count: 1, seed: 1, into: images.base)
      default: try whole.posterior(images.base, count: 1, mean: codes.base, logVariance: codes.base + 3)
      }
    }
    #expect(error?.code == .kind)
  }
}

@Test("A variational model's code is its posterior's mean")
func codesAreMeans() throws {
  let model = try randomModel(.vae)
  let images = try randomImages(count: 9, size: 36)
  let codes = try Buffer<Float>(count: 27)
  let mean = try Buffer<Float>(count: 27)
  let logVariance = try Buffer<Float>(count: 27)
  try model.encode(images.base, count: 9, into: codes.base)
  try model.posterior(images.base, count: 9, mean: mean.base, logVariance: logVariance.base)
  #expect(codes.array == mean.array)
  #expect(mean.array != logVariance.array)
}

@Test("A longer draw from the prior begins with a shorter one, and pinned values stay")
func priorsArePrefixes() throws {
  let model = try randomModel(.vae)
  let short = try Buffer<Float>(count: 30)
  let long = try Buffer<Float>(count: 6000)
  try model.prior(count: 10, seed: 42, into: short.base)
  try model.prior(count: 2000, seed: 42, into: long.base)
  #expect(short.array == Array(long.array.prefix(30)))
  var sum = 0.0
  var squares = 0.0
  for value in long.array {
    sum += Double(value)
    squares += Double(value) * Double(value)
  }
  #expect(abs(sum / 6000) < 0.05)
  #expect(abs(squares / 6000 - 1) < 0.06)
  let images = try Buffer<UInt8>(count: 10 * 36)
  let again = try Buffer<UInt8>(count: 10 * 36)
  try model.sample(count: 10, seed: 42, into: images.base)
  try model.decode(short.base, count: 10, into: again.base)
  #expect(images.array == again.array)
}

@Test("No images at all are no error, and nothing is written")
func zeroImagesWriteNothing() throws {
  let model = try randomModel(.vae)
  let pixels = try Buffer<UInt8>(count: model.inputCount)
  let codes = try Buffer<Float>(count: model.latentCount)
  for index in 0..<pixels.count { pixels[index] = 77 }
  for index in 0..<codes.count { codes[index] = 77 }
  try model.encode(pixels.base, count: 0, into: codes.base)
  #expect(codes.array.allSatisfy { $0 == 77 })
  try model.decode(codes.base, count: 0, into: pixels.base)
  try model.sample(count: 0, seed: 1, into: pixels.base)
  #expect(pixels.array.allSatisfy { $0 == 77 })
}

@Test("Architectures out of range are refused by name")
func badArchitecturesAreRefused() {
  func refused(_ make: () throws -> Architecture) -> String {
    var message = ""
    do {
      _ = try make()
    } catch let error as AEError {
      message = error.message
    } catch {}
    return message
  }
  #expect(
    refused { try Architecture(kind: .elu, width: 257, latentCount: 5, output: .identity) }
      == "image width must be in 1 ... 256, not 257")
  #expect(
    refused { try Architecture(kind: .elu, latentCount: 0, output: .identity) }
      == "latent size must be in 1 ... 4096, not 0")
  #expect(
    refused { try Architecture(kind: .elu, latentCount: 5, hidden: [5, 5000], output: .identity) }
      == "hidden width must be in 1 ... 4096, not 5000")
  #expect(
    refused { try Architecture(kind: .elu, latentCount: 5, output: .relu) }
      == "the output activation must be linear or sigmoid")
  #expect(
    refused { try Architecture(kind: .pca, width: 3, height: 3, latentCount: 10, output: .identity) }
      == "latent size of a pca must be in 1 ... 9, not 10")
}

@Test(
  "Weights that are finite and too large give .diverged from every call, and none an infinity",
  arguments: [ModelKind.elu, .vae])
func hugeWeightsOverflow(kind: ModelKind) throws {
  let model = try randomModel(kind, output: .identity)
  for network in [model.encoder!, model.decoder!] {
    for layer in network.layers {
      for i in 0..<layer.weights.count { layer.weights[i] = i % 3 == 0 ? -3e38 : 3e38 }
    }
  }
  let bytes = try randomImages(count: 2, size: 36)
  let images = try Buffer<Float>((0..<72).map { Float(bytes[$0]) / 255 })
  let latents = try Buffer<Float>([1, 2, -1, 2, 0.5, 3])
  let others = try Buffer<Float>(count: 6)
  func overflows(_ call: () throws -> Void) {
    let error = #expect(throws: AEError.self) { try call() }
    #expect(error?.code == .diverged)
  }
  overflows { try model.encode(images.base, count: 2, into: others.base) }
  overflows { try model.encode(bytes.base, count: 2, into: others.base) }
  overflows { try model.decode(latents.base, count: 2, into: images.base) }
  overflows { try model.decode(latents.base, count: 2, into: bytes.base) }
  if kind == .vae {
    overflows {
      try model.posterior(images.base, count: 2, mean: latents.base, logVariance: others.base)
    }
    overflows { try model.posterior(bytes.base, count: 2, mean: latents.base, logVariance: others.base) }
    overflows { try model.sample(count: 2, seed: 1, into: images.base) }
    overflows { try model.sample(count: 2, seed: 1, into: bytes.base) }
  }
}

@Test("A scale that no float latent could be had with is refused")
func hugeScalesAreRefused() throws {
  let rate = try CodeRate(
    steps: [256], tables: [try CodeTable(lowest: 0, frequencies: [1, 4095])])
  #expect(throws: AEError.self) {
    _ = try Codec(latentScales: [0x1p122], rates: [rate], defaultQuality: 1)
  }
  let codec = try Codec(latentScales: [0x1p121], rates: [rate], defaultQuality: 1)
  #expect(codec.latent(16383, latent: 0).isFinite)
}

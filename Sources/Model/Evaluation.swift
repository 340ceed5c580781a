// How well a model reconstructs images: mean squared error and PSNR. Kept apart from training so that any model
// from any file can be measured.

import CKernels
import Compute
import Core
import Latent
import Lossless
import Network

public enum Evaluation {
  /// Peak signal-to-noise ratio in dB of a mean squared error on the [0, 1] scale; infinite for 0.
  public static func psnr(mse: Double) -> Double {
    mse > 0 ? -10 * ExactMath.log(mse) / 2.302585092994046 : .infinity
  }

  /// Images worked on at a time, where each is so many numbers.
  private static func chunkCount(_ size: Int) -> Int { min(1000, DenseNetwork.chunkCount(size)) }

  /// Mean squared error per pixel, [0, 1] scale, of images rebuilt from their codes (for a variational
  /// model, from the mean).
  ///
  /// In floats it is that of the network's own output, as the literature reports it; `decode` clamps to
  /// [0, 1] after that, which can only lessen it. A model stored as int8 has only its clamped pixels.
  ///
  /// - Parameter progress: told how many images are done; false stops.
  public static func reconstruction(
    _ model: Autoencoder, pixels: UnsafePointer<UInt8>, count: Int,
    progress: (Int) -> Bool = { _ in true }
  ) throws(AEError) -> (mse: Double, psnr: Double) {
    if let encoder = model.encoder, let decoder = model.decoder {
      return try reconstruction((encoder, decoder), pixels: pixels, count: count, progress: progress)
    }
    let size = model.inputCount
    let codes = try Buffer<Float>(count: min(count, chunkCount(size)) * model.latentCount)
    return try meanSquaredError(pixels, count: count, size: size, progress) {
      (source, rows, output) throws(AEError) in
      try model.encode(source, count: rows, into: codes.base)
      try model.decode(codes.base, count: rows, into: output)
    }
  }

  /// The same for networks that are not a model yet.
  package static func reconstruction(
    _ networks: (encoder: DenseNetwork, decoder: DenseNetwork), pixels: UnsafePointer<UInt8>, count: Int,
    progress: (Int) -> Bool = { _ in true }
  ) throws(AEError) -> (mse: Double, psnr: Double) {
    let size = networks.encoder.inputCount
    let rows = min(count, chunkCount(size))
    let floats = try Buffer<Float>(count: rows * size)
    let heads = try Buffer<Float>(count: rows * networks.encoder.outputCount)
    let codes = try Buffer<Float>(count: rows * networks.decoder.inputCount)
    return try meanSquaredError(pixels, count: count, size: size, progress) {
      (source, rows, output) throws(AEError) in
      ck_from_u8(rows * size, source, floats.base)
      try networks.encoder.run(floats.base, count: rows, into: heads.base)
      for row in 0..<rows {
        (codes.base + row * networks.decoder.inputCount).update(
          from: heads.base + row * networks.encoder.outputCount, count: networks.decoder.inputCount)
      }
      try networks.decoder.run(codes.base, count: rows, into: output)
    }
  }

  /// Mean squared error, [0, 1] scale, of pixels in integers: what an image set gives back.
  public static func meanSquaredError(
    _ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, byteCount: Int
  ) -> Double {
    Double(squaredError(a, b, count: byteCount)) / Double(max(byteCount, 1)) / 65025
  }

  private static func meanSquaredError(
    _ pixels: UnsafePointer<UInt8>, count: Int, size: Int, _ progress: (Int) -> Bool,
    _ reconstruct: (UnsafePointer<UInt8>, Int, UnsafeMutablePointer<Float>) throws(AEError) -> Void
  ) throws(AEError) -> (mse: Double, psnr: Double) {
    guard count > 0 else { throw AEError(.argument, "an evaluation needs at least one image") }
    let rows = min(count, chunkCount(size))
    let output = try Buffer<Float>(count: rows * size)
    let target = try Buffer<Float>(count: rows * size)
    var sum = 0.0
    var first = 0
    while first < count {
      let n = min(rows, count - first)
      try reconstruct(pixels + first * size, n, output.base)
      ck_from_u8(n * size, pixels + first * size, target.base)
      for row in 0..<n {
        sum += squaredError(output.base + row * size, target.base + row * size, count: size)
      }
      first += n
      guard progress(first) else { throw AEError(.stopped, "the evaluation was stopped") }
    }
    let mse = sum / Double(count * size)
    return (mse, psnr(mse: mse))
  }
}

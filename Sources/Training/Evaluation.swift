// How good a model is: reconstruction error, and for variational models the evidence bounds in nats. Kept
// apart from training so that any model from any file can be measured.

import CKernels
import Compute
import Core
import Model

public enum Evaluation {
  /// Peak signal-to-noise ratio in dB of a mean squared error on the [0, 1] scale; infinite for 0.
  public static func psnr(mse: Double) -> Double {
    mse > 0 ? -10 * ExactMath.log(mse) / 2.302585092994046 : .infinity
  }

  /// Images worked on at a time.
  private static let chunkCount = 1000

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
    let codes = try Buffer<Float>(count: min(count, chunkCount) * model.latentCount)
    return try meanSquaredError(pixels, count: count, size: size, progress) {
      (source, rows, output) throws(AEError) in
      try model.encode(source, count: rows, into: codes.base)
      try model.decode(codes.base, count: rows, into: output)
    }
  }

  /// The same for networks that are not a model yet.
  static func reconstruction(
    _ networks: (encoder: DenseNetwork, decoder: DenseNetwork), pixels: UnsafePointer<UInt8>, count: Int,
    progress: (Int) -> Bool = { _ in true }
  ) throws(AEError) -> (mse: Double, psnr: Double) {
    let rows = min(count, chunkCount)
    let size = networks.encoder.inputCount
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
    var sum = 0
    for i in 0..<byteCount {
      let difference = Int(a[i]) - Int(b[i])
      sum += difference * difference
    }
    return Double(sum) / Double(max(byteCount, 1)) / 65025
  }

  private static func meanSquaredError(
    _ pixels: UnsafePointer<UInt8>, count: Int, size: Int, _ progress: (Int) -> Bool,
    _ reconstruct: (UnsafePointer<UInt8>, Int, UnsafeMutablePointer<Float>) throws(AEError) -> Void
  ) throws(AEError) -> (mse: Double, psnr: Double) {
    guard count > 0 else { throw AEError(.argument, "an evaluation needs at least one image") }
    let rows = min(count, chunkCount)
    let output = try Buffer<Float>(count: rows * size)
    let target = try Buffer<Float>(count: rows * size)
    var sum = 0.0
    var first = 0
    while first < count {
      let n = min(rows, count - first)
      try reconstruct(pixels + first * size, n, output.base)
      ck_from_u8(n * size, pixels + first * size, target.base)
      for row in 0..<n {
        sum += ck_squared_error(size, output.base + row * size, target.base + row * size, 0, nil)
      }
      first += n
      guard progress(first) else { throw AEError(.stopped, "the evaluation was stopped") }
    }
    let mse = sum / Double(count * size)
    return (mse, psnr(mse: mse))
  }

  // MARK: Bounds

  /// Draws every pixel once as 0 or 255 with its value / 255 as probability; image i's draw depends on
  /// (seed, i) alone. This is the stochastic binarisation of Salakhutdinov and Murray (2008).
  public static func binarise(_ pixels: UnsafePointer<UInt8>, count: Int, size: Int, seed: UInt64)
    throws(AEError) -> Buffer<UInt8>
  {
    let result = try Buffer<UInt8>(count: count * size)
    let row = try Buffer<Float>(count: size)
    for image in 0..<count {
      BatchSource.binarise(pixels + image * size, count: size, seed: seed, image: image, into: row.base)
      for i in 0..<size { result.base[image * size + i] = row.base[i] > 0 ? 255 : 0 }
    }
    return result
  }

  /// Negative bounds on the log-likelihood, in nats per image: lower is better.
  public struct Bounds: Sendable {
    /// With one sample: reconstruction plus KL (Kingma and Welling 2014, equation 10), the KL in closed form.
    public let evidence: Double
    /// With all samples (Burda et al. 2016, equation 8).
    public let importanceWeighted: Double
    /// Mean KL divergence of each latent, nats: near 0 for a latent that is not used.
    public let latentKL: [Double]
  }

  /// The bounds of a variational model in floats, over images whose pixels are 0 or 255 (others count as
  /// probabilities).
  ///
  /// - Parameters:
  ///   - samples: draws for each image, 1 ... 100,000.
  ///   - progress: told how many images are done; false stops.
  /// - Throws: `.kind` unless the model is variational, in floats, with an encoder and a sigmoid output.
  public static func bounds(
    _ model: Autoencoder, pixels: UnsafePointer<UInt8>, count: Int, samples: Int, seed: UInt64,
    progress: (Int) -> Bool = { _ in true }
  ) throws(AEError) -> Bounds {
    guard model.architecture.kind.isVariational, model.architecture.output == .sigmoid,
      model.encoder != nil, let decoder = model.decoder
    else {
      throw AEError(
        .kind, "a bound needs a variational model with encoder, stored in floats, with a sigmoid output")
    }
    guard (1...100_000).contains(samples), count > 0 else {
      throw AEError(
        .argument, "a bound takes 1 to 100000 samples of at least one image, not \(samples) of \(count)")
    }
    let logits = try decoder.withoutOutputActivation()
    let d = model.latentCount
    let size = model.inputCount
    // Rows of a task: all samples of some images, or some samples of one.
    let images = max(1, min(count, 2000 / samples))
    let draws = min(samples, 2000)
    let mean = try Buffer<Float>(count: images * d)
    let logVariance = try Buffer<Float>(count: images * d)
    let target = try Buffer<Float>(count: images * size)
    let latents = try Buffer<Float>(count: images * draws * d)
    let outputs = try Buffer<Float>(count: images * draws * size)
    let logWeights = try Buffer<Double>(count: images * samples)
    let logLikelihoods = try Buffer<Double>(count: images * samples)
    var evidence = 0.0
    var weighted = 0.0
    var latentKL = [Double](repeating: 0, count: d)
    var first = 0
    while first < count {
      let n = min(images, count - first)
      try model.posterior(
        pixels + first * size, count: n, mean: mean.base, logVariance: logVariance.base)
      ck_from_u8(n * size, pixels + first * size, target.base)
      var done = 0
      while done < samples {
        let now = min(draws, samples - done)
        parallel(n * now) { task in
          let image = task / now
          let sample = done + task % now
          var stream = RandomStream(
            seed: seed, .evaluation, (first + image) &* 131072 &+ sample)
          var logRatio = 0.0
          let z = latents.base + task * d
          for j in 0..<d {
            let e = stream.normal()
            let m = mean.base[image * d + j]
            let lv = logVariance.base[image * d + j]
            z[j] = m + Float(ExactMath.exp(0.5 * Double(lv))) * e
            logRatio += 0.5 * (Double(e) * Double(e) - Double(z[j]) * Double(z[j]) + Double(lv))
          }
          logWeights.base[image * samples + sample] = logRatio
        }
        try logits.run(latents.base, count: n * now, into: outputs.base)
        parallel(n * now) { task in
          let image = task / now
          let index = image * samples + done + task % now
          let logLikelihood = -ck_bernoulli(
            size, outputs.base + task * size, target.base + image * size, 1, nil)
          logLikelihoods.base[index] = logLikelihood
          logWeights.base[index] += logLikelihood
        }
        done += now
      }
      for image in 0..<n {
        var largest = -Double.infinity
        var likelihood = 0.0
        for sample in 0..<samples {
          largest = max(largest, logWeights.base[image * samples + sample])
          likelihood += logLikelihoods.base[image * samples + sample]
        }
        var total = 0.0
        for sample in 0..<samples {
          total += ExactMath.exp(logWeights.base[image * samples + sample] - largest)
        }
        weighted -= largest + ExactMath.log(total) - ExactMath.log(Double(samples))
        evidence -= likelihood / Double(samples)
        for j in 0..<d {
          let m = Double(mean.base[image * d + j])
          let lv = Double(logVariance.base[image * d + j])
          let kl = 0.5 * (m * m + ExactMath.exp(lv) - 1 - lv)
          latentKL[j] += kl / Double(count)
          evidence += kl
        }
      }
      first += n
      guard progress(first) else { throw AEError(.stopped, "the evaluation was stopped") }
    }
    return Bounds(
      evidence: evidence / Double(count), importanceWeighted: weighted / Double(count), latentKL: latentKL)
  }
}

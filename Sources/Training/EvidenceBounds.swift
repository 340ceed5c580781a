// Evidence bounds of variational models, in nats, and the binarised images that they are stated on. Kept apart from
// the trainer so that any model from any file can be measured.

import CKernels
import Compute
import Core
import Model
import Network

extension Evaluation {
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
    guard model.architecture.isVariational, model.architecture.output == .sigmoid,
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

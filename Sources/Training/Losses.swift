// The losses and their gradients: squared error and cross-entropy, with the rate of rate-distortion training, with the KL
// term of a variational model, and the importance-weighted bound. Each is a forward and a backward pass over a batch.

import Bytes
import CKernels
import Compute
import Core
import Model
import Network
import Storage

extension Trainer {
  /// Forward, loss and backward, on the images in `work.target`; with an update, parameters make that step as
  /// their gradients arise, provided that the loss is finite.
  func computeGradients(_ work: TrainingWorkspace, rows: Int, update: AdamStep?) throws(AEError) -> StepResult
  {
    var input = UnsafePointer(work.target.base)
    if options.noise > 0 {
      batches.addNoise(
        step: stepsDone, rows: rows, deviation: options.noise, to: input, into: work.noisy.base)
      input = UnsafePointer(work.noisy.base)
    }
    try encoder.forward(input, rows: rows)
    let result =
      architecture.isVariational
      ? try variationalPass(work, rows: rows, update: update)
      : try plainPass(work, rows: rows, update: update)
    if result.loss.isFinite { try encoder.backward(input, rows: rows, inputDelta: nil, update: update) }
    return result
  }

  /// Decoder and loss of an autoencoder whose code goes straight through; leaves the gradient by the
  /// code in the encoder.
  private func plainPass(_ work: TrainingWorkspace, rows: Int, update: AdamStep?) throws(AEError)
    -> StepResult
  {
    let codes = density == nil ? encoder.lastOutput.base : work.latents.base
    density?.addNoise(
      to: encoder.lastOutput.base, rows: rows, seed: options.seed, step: stepsDone, into: codes)
    try decoder.forward(codes, rows: rows)
    let pixels = batches.pixelCount
    let isMean = options.loss == .mse && density == nil
    let scale = isMean ? 1 / Float(rows * pixels) : 1 / Float(rows)
    reconstructionLoss(
      target: work.target.base, rows: rows, scale: { _ in scale }, rowLoss: work.rowLoss.base,
      rowSquares: work.rowSquares.base)
    var loss = sum(work.rowLoss, rows)
    if let density {
      loss +=
        options.lambda
        * density.price(
          codes, rows: rows, weight: options.lambda / Double(rows), delta: work.latentDelta.base,
          latentBits: work.rowKL.base)
    }
    let result = StepResult(
      loss: isMean ? loss / Double(rows * pixels) : loss / Double(rows),
      mse: sum(work.rowSquares, rows) / Double(rows * pixels))
    guard result.loss.isFinite else { return result }
    let codeDelta = encoder.lastDelta.base
    try decoder.backward(codes, rows: rows, inputDelta: codeDelta, update: update)
    if let density {
      for i in 0..<rows * architecture.latentCount { codeDelta[i] += work.latentDelta.base[i] }
      update?.apply(to: density.parameter, from: 0, count: density.parameter.count)
    }
    return result
  }

  /// The loss of each row, the squared error of each row, and in the decoder's last delta the gradient of
  /// the sum of rows' losses, each times `scale(row)`, by the values before the output activation.
  private func reconstructionLoss(
    target: UnsafePointer<Float>, rows: Int, scale: (Int) -> Float, rowLoss: UnsafeMutablePointer<Double>,
    rowSquares: UnsafeMutablePointer<Double>
  ) {
    let pixels = batches.pixelCount
    let output = decoder.lastOutput.base
    let delta = decoder.lastDelta.base
    let isSigmoid = architecture.output == .sigmoid
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        let y = output + row * pixels
        let dy = delta + row * pixels
        let x = target + row * pixels
        switch options.loss {
        case .bernoulli:
          rowLoss[row] = ck_bernoulli(pixels, y, x, 1, dy)
          // The gradient by a logit is sigmoid - target, so its squares are the squared error.
          rowSquares[row] = ck_sum_of_squares(pixels, dy)
          let factor = scale(row)
          for i in 0..<pixels { dy[i] *= factor }
        case .mse:
          if isSigmoid { ck_activate(sigmoidKernel, pixels, y) }
          rowLoss[row] = ck_squared_error(pixels, y, x, scale(row), dy)
          rowSquares[row] = rowLoss[row]
          if isSigmoid { ck_activation_gradient(sigmoidKernel, pixels, y, dy) }
        }
      }
    }
  }

  private func sum(_ values: Buffer<Double>, _ count: Int) -> Double {
    var total = 0.0
    for index in 0..<count { total += values.base[index] }
    return total
  }

  /// The weight of the KL term at this step.
  private var klWeight: Double {
    options.betaWarmupSteps > 0
      ? options.beta * min(1, Double(stepsDone + 1) / Double(options.betaWarmupSteps)) : options.beta
  }

  /// Draws latents z = mean + exp(logVariance / 2) epsilon for every row and sample, and leaves the deviations
  /// exp(logVariance / 2) and each row's divergence from the unit Gaussian.
  private func drawLatents(_ work: TrainingWorkspace, rows: Int, samples: Int) {
    let d = architecture.latentCount
    let heads = encoder.lastOutput.base
    let step = stepsDone
    let seed = options.seed
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        let mean = heads + row * 2 * d
        let deviation = work.deviations.base + row * d
        for j in 0..<d { deviation[j] = 0.5 * mean[d + j] }
        ck_exp(d, deviation, deviation)
        // Kingma and Welling (2014), appendix B.
        var kl = 0.0
        for j in 0..<d {
          kl += 0.5 * Double(mean[j] * mean[j] + deviation[j] * deviation[j] - 1 - mean[d + j])
        }
        work.rowKL.base[row] = kl
        var stream = RandomStream(seed: seed, .posterior, step &* 65536 &+ row)
        for sample in 0..<samples {
          let epsilon = work.epsilon.base + (row * samples + sample) * d
          let z = work.latents.base + (row * samples + sample) * d
          for j in 0..<d {
            let e = stream.normal()
            epsilon[j] = e
            z[j] = mean[j] + deviation[j] * e
          }
        }
      }
    }
  }

  private func variationalPass(_ work: TrainingWorkspace, rows: Int, update: AdamStep?) throws(AEError)
    -> StepResult
  {
    let samples = stepsDone < options.importanceWarmupSteps ? 1 : options.importanceSamples
    let d = architecture.latentCount
    let pixels = batches.pixelCount
    let heads = encoder.lastOutput.base
    let headDelta = encoder.lastDelta.base
    drawLatents(work, rows: rows, samples: samples)
    try decoder.forward(work.latents.base, rows: rows * samples)
    if samples > 1 { return try importanceWeightedPass(work, rows: rows, update: update) }

    // Kingma and Welling (2014), equation 10.
    let scale = 1 / Float(rows)
    reconstructionLoss(
      target: work.target.base, rows: rows, scale: { _ in scale }, rowLoss: work.rowLoss.base,
      rowSquares: work.rowSquares.base)
    let weight = klWeight
    let loss = sum(work.rowLoss, rows) + weight * sum(work.rowKL, rows)
    let result = StepResult(
      loss: loss / Double(rows), mse: sum(work.rowSquares, rows) / Double(rows * pixels))
    guard result.loss.isFinite else { return result }
    try decoder.backward(
      work.latents.base, rows: rows, inputDelta: work.latentDelta.base, update: update)
    let klScale = Float(weight) / Float(rows)
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        let mean = heads + row * 2 * d
        let meanDelta = headDelta + row * 2 * d
        let dz = work.latentDelta.base + row * d
        let epsilon = work.epsilon.base + row * d
        let deviations = work.deviations.base + row * d
        for j in 0..<d {
          let deviation = deviations[j]
          meanDelta[j] = dz[j] + klScale * mean[j]
          meanDelta[d + j] = 0.5 * (dz[j] * epsilon[j] * deviation + klScale * (deviation * deviation - 1))
        }
      }
    }
    return result
  }

  /// The importance-weighted bound (Burda et al. 2016, equation 8). In the decoder's gradient each sample counts by
  /// its normalised weight (equation 13); in the encoder's, which goes through the samples alone, by the weight's
  /// square (Tucker et al. 2019, equation 8). That has the same mean and less noise, and does not fade as samples
  /// are added (Rainforth et al. 2018). With a KL weight of beta, w (1 - beta + beta w) takes the place of w^2.
  private func importanceWeightedPass(_ work: TrainingWorkspace, rows: Int, update: AdamStep?) throws(AEError)
    -> StepResult
  {
    let samples = options.importanceSamples
    let d = architecture.latentCount
    let pixels = batches.pixelCount
    let heads = encoder.lastOutput.base
    let headDelta = encoder.lastDelta.base
    guard let targets = work.targets else {
      throw AEError(.internal, "no room for the targets of importance samples")
    }
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        for sample in 0..<samples {
          (targets.base + (row * samples + sample) * pixels).update(
            from: work.target.base + row * pixels, count: pixels)
        }
      }
    }
    reconstructionLoss(
      target: targets.base, rows: rows * samples, scale: { _ in 1 }, rowLoss: work.rowLoss.base,
      rowSquares: work.rowSquares.base)
    let weight = klWeight
    let weights = work.rowLoss
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        // log w = log p(x|z) + beta (log p(z) - log q(z|x)); the constants of the Gaussians cancel.
        let mean = heads + row * 2 * d
        var largest = -Double.infinity
        for sample in 0..<samples {
          let index = row * samples + sample
          var logRatio = 0.0
          for j in 0..<d {
            let z = Double(work.latents.base[index * d + j])
            let e = Double(work.epsilon.base[index * d + j])
            logRatio += 0.5 * (e * e - z * z + Double(mean[d + j]))
          }
          weights.base[index] = -weights.base[index] + weight * logRatio
          largest = max(largest, weights.base[index])
        }
        var total = 0.0
        for sample in 0..<samples { total += ExactMath.exp(weights.base[row * samples + sample] - largest) }
        work.rowKL.base[row] =
          -(largest + (total > 0 ? ExactMath.log(total) : 0) - ExactMath.log(Double(samples)))
        for sample in 0..<samples {
          let index = row * samples + sample
          let share = ExactMath.exp(weights.base[index] - largest) / total
          weights.base[index] = share
          let delta = decoder.lastDelta.base + index * pixels
          let factor = Float(share) / Float(rows)
          for i in 0..<pixels { delta[i] *= factor }
        }
      }
    }
    let result = StepResult(
      loss: sum(work.rowKL, rows) / Double(rows),
      mse: sum(work.rowSquares, rows * samples) / Double(rows * samples * pixels))
    guard result.loss.isFinite else { return result }
    try decoder.backward(
      work.latents.base, rows: rows * samples, inputDelta: work.latentDelta.base, update: update)
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        let deviations = work.deviations.base + row * d
        let delta = headDelta + row * 2 * d
        for j in 0..<d {
          let deviation = Double(deviations[j])
          var meanGradient = 0.0
          var deviationGradient = 0.0
          for sample in 0..<samples {
            let index = row * samples + sample
            let share = weights.base[index]
            let epsilon = Double(work.epsilon.base[index * d + j])
            // -d(log w)/dz, the density of q held.
            let path =
              Double(work.latentDelta.base[index * d + j])
              + share * weight / Double(rows)
              * (Double(work.latents.base[index * d + j]) - epsilon / deviation)
            let counted = (1 - weight + weight * share) * path
            meanGradient += counted
            deviationGradient += counted * epsilon
          }
          delta[j] = Float(meanGradient)
          // d/d(logVariance) = deviation / 2 d/d(deviation).
          delta[d + j] = Float(0.5 * deviation * deviationGradient)
        }
      }
    }
    return result
  }
}

/// The sigmoid, as the kernels number it.
private let sigmoidKernel = Activation.sigmoid.kernel

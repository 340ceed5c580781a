// The memory of a training step: everything between encoder and decoder, in two blocks that are kept from step to step.

import Core
import Network

/// Buffers between encoder and decoder, for so many rows and samples: parts of two.
final class TrainingWorkspace {
  let rows: Int
  let target: Buffer<Float>
  let noisy: Buffer<Float>
  let deformed: Buffer<UInt8>
  /// Draws from the unit Gaussian and the latents made of them, or of noise, [rows * samples, latents].
  let epsilon: Buffer<Float>
  let latents: Buffer<Float>
  let deviations: Buffer<Float>
  let latentDelta: Buffer<Float>
  /// Target rows repeated for every sample, if there is more than one.
  let targets: Buffer<Float>?
  let rowLoss: Buffer<Double>
  let rowSquares: Buffer<Double>
  let rowKL: Buffer<Double>
  let taskSums: Buffer<Double>
  private let floats: Buffer<Float>
  private let doubles: Buffer<Double>

  init(_ options: TrainingOptions, rows: Int, pixels: Int) throws(AEError) {
    let samples = options.importanceSamples
    let isVariational = options.architecture.isVariational
    let latentCount = options.architecture.latentCount
    let drawn = isVariational || options.lambda > 0 ? rows * samples * latentCount : 0
    let repeated = samples > 1 ? rows * samples * pixels : 0
    // Parts begin on boundaries of 16 numbers.
    floats = try Buffer(count: 2 * rows * pixels + 4 * rows * samples * latentCount + repeated + 8 * 16)
    doubles = try Buffer(count: 5 * (rows * samples + 16) + latentCount)
    deformed = try Buffer(count: options.deformation > 0 ? rows * pixels : 0)
    var nextFloat = floats.base
    var nextDouble = doubles.base
    func numbers(_ count: Int) -> Buffer<Float> {
      defer { nextFloat += (count + 15) / 16 * 16 }
      return Buffer(borrowing: nextFloat, count: count)
    }
    func sums(_ count: Int) -> Buffer<Double> {
      defer { nextDouble += count }
      return Buffer(borrowing: nextDouble, count: count)
    }
    self.rows = rows
    target = numbers(rows * pixels)
    noisy = numbers(options.noise > 0 ? rows * pixels : 0)
    epsilon = numbers(drawn)
    latents = numbers(drawn)
    deviations = numbers(isVariational ? rows * latentCount : 0)
    latentDelta = numbers(rows * samples * latentCount)
    targets = samples > 1 ? numbers(repeated) : nil
    rowLoss = sums(rows * samples)
    rowSquares = sums(rows * samples)
    // Where bits count, one sum a latent.
    rowKL = sums(max(rows, options.lambda > 0 ? latentCount : 0))
    taskSums = sums(2 * (rows * samples / rowsPerTask + 1))
  }
}

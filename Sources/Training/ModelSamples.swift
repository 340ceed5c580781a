// Images that a model draws itself: what it is trained on where its own images are not at hand.

import CKernels
import Compute
import Core
import Latent
import Model
import Network

/// `count` images in bytes of codes drawn at random: of a variational model from the unit Gaussian, else latent by latent by
/// the frequency tables of the codec's best quality, as if latents were independent.
/// - Throws: `.kind` for a model that is neither variational nor has a codec; `.memory`.
package func samples(of model: Autoencoder, count: Int, seed: UInt64) throws(AEError) -> Buffer<UInt8> {
  let d = model.latentCount
  guard let size = count.times(model.inputCount) else { throw AEError(.memory, "that many samples") }
  let pixels = try Buffer<UInt8>(count: size)
  let rows = min(count, 256)
  let latents = try Buffer<Float>(count: rows * d)
  let images = try Buffer<Float>(count: rows * model.inputCount)
  let rate = model.architecture.isVariational ? nil : model.codec?.rates.last
  guard model.architecture.isVariational || rate != nil else {
    throw AEError(
      .kind,
      "the model \"\(model.name)\" has no codec, whose tables images could be drawn by: images are needed")
  }
  var first = 0
  while first < count {
    let taken = min(rows, count - first)
    for row in 0..<taken {
      var stream = RandomStream(seed: seed, .modelSamples, first + row)
      for latent in 0..<d {
        guard let rate, let codec = model.codec else {
          latents.base[row * d + latent] = stream.normal()
          continue
        }
        let value = rate.latent(rate.tables[latent].value(at: Int(stream.uniform() * 4096)), of: latent)
        latents.base[row * d + latent] =
          Float(value) * codec.latentScales[latent] / Float(Codec.latentUnitsPerScale)
      }
    }
    try model.decode(latents.base, count: taken, into: images.base)
    ck_to_u8(taken * model.inputCount, images.base, pixels.base + first * model.inputCount)
    first += taken
  }
  return pixels
}

extension CodeTable {
  /// The value whose part of 4096 holds `place`; of the escape, the lowest.
  fileprivate func value(at place: Int) -> Int {
    var left = place
    for (symbol, frequency) in frequencies.enumerated() {
      left -= Int(frequency)
      if left < 0 { return lowest + max(symbol - 1, 0) }
    }
    return lowest + frequencies.count - 2
  }
}

// Images that a model draws itself: what it is trained on where its own images are not at hand.

import Compute
import Core
import Latent
import Model
import Network

/// `count` images in bytes of codes drawn at random: of a variational model from the unit Gaussian, else latent by latent by
/// the frequency tables of the codec's best quality, as if latents were independent.
/// - Throws: `.kind` for a model that is neither variational nor has a codec; `.memory`.
package func samples(of model: Autoencoder, count: Int, seed: UInt64) throws(AEError) -> Buffer<UInt8> {
  guard let size = count.times(model.inputCount) else { throw AEError(.memory, "that many samples") }
  let pixels = try Buffer<UInt8>(count: size)
  guard !model.architecture.isVariational else {
    try model.sample(count: count, seed: seed, into: pixels.base)
    return pixels
  }
  guard let codec = model.codec, let rate = codec.rates.last else {
    throw AEError(
      .kind,
      "the model \"\(model.name)\" has no codec, whose tables images could be drawn by: images are needed")
  }
  let d = model.latentCount
  let latents = try Buffer<Float>(count: count * d)
  for row in 0..<count {
    var stream = RandomStream(seed: seed, .modelSamples, row)
    for latent in 0..<d {
      let value = rate.latent(rate.tables[latent].value(at: Int(stream.uniform() * 4096)), of: latent)
      latents.base[row * d + latent] =
        Float(value) * codec.latentScales[latent] / Float(Codec.latentUnitsPerScale)
    }
  }
  try model.decode(latents.base, count: count, into: pixels.base)
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

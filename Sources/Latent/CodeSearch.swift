// Rate-distortion optimised quantisation: the encoder's code is a first guess, and a neighbouring code may give a lower
// squared error or take fewer bits. Every trial runs through the integer decoder, so the choice is the same on every
// machine. A reader does not need to know whether codes were searched.

import Compute
import Core
import Network

/// Searches codes of one quality for a lower squared error + price * bits, one latent at a time (rate-distortion
/// optimised quantisation without a trellis: Ortega and Ramchandran 1998).
public final class CodeSearch: Sendable {
  /// Costs are in fractions of a bit: so many make one bit.
  private static let unitsPerBit = 256
  /// A neighbour that costs this many bits more is not tried.
  private static let largestRise = 8 * unitsPerBit

  private let decoder: IntegerNetwork
  private let rate: CodeRate
  private let price: Int
  /// In units, of every symbol of the first latent, of the second, and so on.
  private let costs: [Int32]
  /// Where a latent's costs begin.
  private let offsets: [Int]

  /// - Parameters:
  ///   - price: the squared error, summed over an image's bytes, that a bit is worth.
  ///   - escapeBits: what a value outside its table costs beside the escape.
  public init(decoder: IntegerNetwork, rate: CodeRate, price: Int, escapeBits: Int) {
    self.decoder = decoder
    self.rate = rate
    self.price = price
    var costs: [Int32] = []
    var offsets: [Int] = []
    for table in rate.tables {
      var bits = Double(CodeTable.precisionBits + escapeBits)
      offsets.append(costs.count)
      for frequency in table.frequencies {
        let cost = bits - ExactMath.log(Double(frequency)) / 0.6931471805599453
        costs.append(Int32(truncatingIfNeeded: Int(saturating: cost * Double(CodeSearch.unitsPerBit))))
        bits = Double(CodeTable.precisionBits)
      }
    }
    self.costs = costs
    self.offsets = offsets
  }

  @inline(never)
  private func cost(_ value: Int, latent: Int) -> Int {
    let table = rate.tables[latent]
    let symbol = value &- table.lowest &+ 1
    return Int(costs[offsets[latent] &+ (symbol >= 1 && symbol < table.frequencies.count ? symbol : 0)])
  }

  /// Improves codes in place.
  ///
  /// - Parameters:
  ///   - codes: [count, latents].
  ///   - pixels: [count, pixels] bytes of the images they stand for.
  ///   - passes: how often every latent is tried.
  ///   - monitor: may stop it.
  public func refine(
    _ codes: UnsafeMutablePointer<Int16>, pixels: UnsafePointer<UInt8>, count: Int, passes: Int,
    monitor: Monitor? = nil
  ) throws(AEError) {
    let d = rate.steps.count
    let size = decoder.outputCount
    let latents = try Buffer<Int16>(count: count * d)
    let trials = try Buffer<Int16>(count: count * d)
    let pictures = try Buffer<UInt8>(count: count * size)
    // Per image the squared error so far; per trial its image and how many more units its code costs.
    let errors = try Buffer<Int>(count: count)
    let tried = try Buffer<(image: Int, rise: Int)>(count: count)
    for index in 0..<count &* d { latents.base[index] = rate.latent(Int(codes[index]), of: index % d) }
    try decoder.decode(latents.base, count: count, into: pictures.base)
    for image in 0..<count {
      errors.base[image] = squaredError(pictures.base + image &* size, pixels + image &* size, count: size)
    }
    // Every latent one step down, then one step up.
    for turn in 0..<2 &* d &* passes {
      try monitor.check()
      let latent = (turn >> 1) % d
      let move = (turn & 1) &* 2 &- 1
      let largest = Codec.largestLatent / Int(rate.steps[latent])
      // The images for which the neighbour is worth a try, side by side.
      var trialCount = 0
      for image in 0..<count {
        let value = Int(codes[image &* d &+ latent])
        let rise = cost(value &+ move, latent: latent) &- cost(value, latent: latent)
        guard rise <= CodeSearch.largestRise, (-largest...largest).contains(value &+ move) else { continue }
        let trial = trials.base + trialCount &* d
        trial.update(from: latents.base + image &* d, count: d)
        trial[latent] = rate.latent(value &+ move, of: latent)
        tried.base[trialCount] = (image, rise)
        trialCount &+= 1
      }
      try decoder.decode(trials.base, count: trialCount, into: pictures.base)
      for index in 0..<trialCount {
        let (image, rise) = tried.base[index]
        let error = squaredError(pictures.base + index &* size, pixels + image &* size, count: size)
        if CodeSearch.unitsPerBit &* (error &- errors.base[image]) &+ price &* rise < 0 {
          errors.base[image] = error
          codes[image &* d &+ latent] &+= Int16(truncatingIfNeeded: move)
          latents.base[image &* d &+ latent] = trials.base[index &* d &+ latent]
        }
      }
    }
  }
}

// From latents to symbols: a scale for each latent and, for each quality, a quantiser step and a frequency table for
// each latent. Quantization fits them, weight files hold them, LatentCoder codes with them.

import Core

/// How often each quantised value of one latent occurs, in parts of 4096.
///
/// Symbol 0 is the escape, for values outside `lowest ... lowest + frequencies.count - 2`; symbol s > 0
/// stands for the value `lowest + s - 1`. Every frequency is at least 1 and they sum to 4096.
public struct CodeTable: Sendable {
  /// log2 of the sum of the frequencies.
  public static let precisionBits = 12

  public let lowest: Int
  public let frequencies: [UInt16]

  /// - Throws: `.format` unless there are 2 ... 4096 frequencies, none 0, that sum to 4096, and all values
  ///   lie in -16383 ... 16383.
  public init(lowest: Int, frequencies: [UInt16]) throws(AEError) {
    guard (2...4096).contains(frequencies.count), lowest >= -16383,
      lowest + frequencies.count - 2 <= 16383
    else {
      throw AEError(
        .format, "a frequency table of \(frequencies.count) symbols from \(lowest) is out of range")
    }
    var sum = 0
    for frequency in frequencies {
      guard frequency > 0 else { throw AEError(.format, "a frequency of 0 in a frequency table") }
      sum += Int(frequency)
    }
    guard sum == 1 << CodeTable.precisionBits else {
      throw AEError(.format, "frequencies must sum to 4096, not \(sum)")
    }
    self.lowest = lowest
    self.frequencies = frequencies
  }
}

/// One quality: how coarsely each latent is quantised, and how its symbols are distributed.
public struct CodeRate: Sendable {
  /// Per latent, in units of 1/256 of its scale, 1 ... 16383.
  public let steps: [UInt16]
  /// Per latent.
  public let tables: [CodeTable]

  public init(steps: [UInt16], tables: [CodeTable]) throws(AEError) {
    guard steps.count == tables.count else {
      throw AEError(.format, "\(steps.count) quantiser steps, but \(tables.count) frequency tables")
    }
    for step in steps where step < 1 || step > 16383 {
      throw AEError(.format, "a quantiser step must be in 1 ... 16383, not \(step)")
    }
    self.steps = steps
    self.tables = tables
  }

  /// The fixed-point latent that a code stands for: code times step, moved into -16383 ... 16383.
  @inlinable
  public func latent(_ code: Int, of latent: Int) -> Int16 {
    Int16(
      truncatingIfNeeded: (code * Int(steps[latent])).clamped(to: -Codec.largestLatent...Codec.largestLatent))
  }

  /// The nearest multiple of `step`, halves away from zero, as a count of steps.
  @inlinable
  public static func quantise(_ latent: Int, step: Int) -> Int {
    latent >= 0 ? (2 * latent + step) / (2 * step) : -((-2 * latent + step) / (2 * step))
  }
}

/// Everything between latents and symbols.
public struct Codec: Sendable {
  /// Fixed-point latents count in units of scale / 256.
  public static let latentUnitsPerScale = 256
  /// The largest magnitude of a fixed-point latent.
  public static let largestLatent = 16383

  /// Per latent: its standard deviation over the training images, positive and below 2^122.
  public let latentScales: [Float]
  /// From quality 1 (smallest files) upwards; at least one, at most 16.
  public let rates: [CodeRate]
  /// The quality used unless told, 1 ... rates.count.
  public let defaultQuality: Int
  /// Per quality, the Lagrangian of code search: the squared error, summed over an image's pixels as bytes, that a bit
  /// is worth; empty if that is not known. Decoding does not depend on it.
  public private(set) var bitPrices: [UInt32] = []

  /// Per quality, what it costs and gives on the images that the codec was fitted to; empty if that is not known.
  public private(set) var figures: [QualityFigure] = []

  public init(latentScales: [Float], rates: [CodeRate], defaultQuality: Int) throws(AEError) {
    guard (1...16).contains(rates.count), (1...rates.count).contains(defaultQuality) else {
      throw AEError(.format, "a codec has 1 to 16 qualities, not \(rates.count), default \(defaultQuality)")
    }
    // So that the largest latent is finite, too.
    let most = Float.greatestFiniteMagnitude / Float(Codec.largestLatent / Codec.latentUnitsPerScale + 1)
    for scale in latentScales where !(scale > 0 && scale <= most) {
      throw AEError(.format, "a latent's scale must be positive and below 2^122")
    }
    for rate in rates where rate.steps.count != latentScales.count {
      throw AEError(.format, "a quality has \(rate.steps.count) latents, the codec \(latentScales.count)")
    }
    self.latentScales = latentScales
    self.rates = rates
    self.defaultQuality = defaultQuality
  }

  /// The same with prices of a bit, one for every quality, or none.
  public func with(bitPrices: [UInt32]) throws(AEError) -> Codec {
    guard bitPrices.isEmpty || bitPrices.count == rates.count else {
      throw AEError(.format, "\(rates.count) qualities, but \(bitPrices.count) prices of a bit")
    }
    var codec = self
    codec.bitPrices = bitPrices
    return codec
  }

  /// The same with figures, one for every quality, or none.
  public func with(figures: [QualityFigure]) throws(AEError) -> Codec {
    guard figures.isEmpty || figures.count == rates.count else {
      throw AEError(.format, "\(rates.count) qualities, but \(figures.count) figures of one")
    }
    var codec = self
    codec.figures = figures
    return codec
  }
}

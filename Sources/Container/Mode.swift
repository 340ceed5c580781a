// The modes of an image set, the methods of lossless coding, and the quantiser of near-lossless sets.

/// What an image set keeps, numbered as in files and in ae.h.
public enum Mode: UInt8, Sendable, CaseIterable {
  /// Latent codes: a picture close to the image.
  case lossy = 0
  /// Every pixel.
  case lossless = 1
  /// Every pixel to within the set's largest error.
  case nearLossless = 2
}

/// How the pixels of lossless and near-lossless blocks are coded, numbered as in ae.h.
public enum Method: UInt8, Sendable, CaseIterable {
  /// Context mixing: fast, needs no model.
  case contexts = 1
  /// The bilevel scans that the images were drawn from, predicted by a model: smallest for digits such as MNIST's.
  case scans = 2
  /// A learned predictor of pixels: the model's, or else the universal one that comes with libae.
  case predicted = 3
}

/// What matters in writing a lossless or near-lossless set, numbered as in the option's row.
public enum Priority: UInt8, Sendable, CaseIterable {
  /// The smallest method, judged by a few images of each block.
  case balanced = 0
  /// Time: contexts alone.
  case speed = 1
  /// Bytes: whatever is allowed is tried on all of a block.
  case size = 2
}

/// Grey levels so far apart that every value is near one: multiples of 2E + 1, the last one cut to 255.
///
/// Black stays black, and with E = 1, 2, 7, 8 or 25 full ink stays full ink.
enum NearLossless {
  /// The largest error a set may allow.
  static let maximumError = 32

  /// The level nearest to a value, at most `maxError` away.
  @inline(__always)
  static func level(of value: UInt8, maxError: Int) -> UInt8 {
    let step = 2 * maxError + 1
    return UInt8(truncatingIfNeeded: min((Int(value) + maxError) / step * step, 255))
  }
}

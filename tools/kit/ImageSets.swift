// Image sets in memory as both programs need them: parts of another, samples of a model, and the error of a set that was
// read back.

import Container
import Core
import Model
import Storage

extension ImageSet {
  /// The images of a range, with their labels and names.
  package func slice(_ range: Range<Int>) throws(AEError) -> ImageSet {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw AEError(.argument, "images \(range.lowerBound) to \(range.upperBound) of \(count) do not exist")
    }
    let copy = try Buffer<UInt8>(
      copying: pixels.base + range.lowerBound * imageSize, count: range.count * imageSize)
    return try ImageSet(
      width: width, height: height, channels: channels, count: range.count, pixels: copy,
      labels: labels.map { Array($0[range]) },
      names: names.map { Array($0[range]) }, source: source)
  }

  package func prefix(_ count: Int) throws(AEError) -> ImageSet { try slice(0..<min(count, self.count)) }
}

extension Autoencoder {
  /// A set of images of the model's size whose pixels `fill` writes.
  package func images(
    count: Int, _ fill: (UnsafeMutablePointer<UInt8>) throws(AEError) -> Void
  ) throws(AEError) -> ImageSet {
    let pixels = try Buffer<UInt8>(count: try elements(count, inputCount))
    try fill(pixels.base)
    return try ImageSet(
      width: architecture.width, height: architecture.height, channels: architecture.channels, count: count,
      pixels: pixels)
  }
}

extension CompressedSet {
  /// Mean squared error, on the [0, 1] scale, of what the set gives back.
  package func meanSquaredError(to set: ImageSet) throws(AEError) -> Double {
    let pixels = try Buffer<UInt8>(count: set.pixels.count)
    try read(first: 0, count: set.count, into: pixels.base)
    return Evaluation.meanSquaredError(set.pixels.base, pixels.base, byteCount: pixels.count)
  }
}

/// `count` times `each`, or an error where that cannot be counted.
package func elements(_ count: Int, _ each: Int) throws(AEError) -> Int {
  guard let product = count.times(each) else {
    throw AEError(.memory, "\(count) times \(each) numbers are too many")
  }
  return product
}

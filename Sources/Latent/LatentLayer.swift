// Lossy coding at one quality, as a container uses it: images to codes and codes to reconstructions, through the integer
// networks, the quantiser and, where the codec has prices of bits, the code search.

import Compute
import Core
import Network

/// Images to codes and codes to reconstructions, for one model at one quality.
package final class LatentLayer: Sendable {
  private let encoder: IntegerNetwork?
  package let decoder: IntegerNetwork
  package let coder: LatentCoder
  /// The code search, if the codec has prices of bits.
  private let search: CodeSearch?
  private let searchPasses: Int

  /// - Parameters:
  ///   - encoder: nil for a decoder alone, which reads codes and writes none.
  ///   - quality: 1 ... the number of the codec's rates.
  ///   - searchPasses: how often codes are searched, where the codec has prices of bits; 0 for never.
  /// - Throws: `.argument` if the codec does not have the quality, `.memory`.
  package init(
    codec: Codec, encoder: IntegerNetwork?, decoder: IntegerNetwork, quality: Int, searchPasses: Int
  ) throws(AEError) {
    self.encoder = encoder
    self.decoder = decoder
    coder = try LatentCoder(codec: codec, quality: quality)
    self.searchPasses = searchPasses
    search =
      searchPasses > 0 && !codec.bitPrices.isEmpty
      ? CodeSearch(
        decoder: decoder, rate: coder.rate, price: Int(codec.bitPrices[quality - 1]),
        escapeBits: Int(LatentCoder.escapeBits)) : nil
  }

  /// - Throws: `.kind` in a decoder alone.
  package func sureEncoder() throws(AEError) -> IntegerNetwork {
    guard let encoder else { throw AEError(.kind, "a decoder alone cannot compress: it has no encoder") }
    return encoder
  }

  /// Images in a run of the networks: enough to keep the kernels busy, few enough for a call to stop soon and for little
  /// memory, however large a block is.
  /// - Parameter imageSize: bytes of an image.
  package static func imagesInRun(_ imageSize: Int) -> Int { min(512, max((1 << 24) / max(imageSize, 1), 1)) }

  /// Calls `body` with the first image and the number of images of every run of `count`.
  package static func inRuns(
    _ count: Int, imageSize: Int, _ monitor: Monitor?, _ body: (Int, Int) throws(AEError) -> Void
  ) throws(AEError) {
    let most = imagesInRun(imageSize)
    var first = 0
    while first < count {
      try monitor.check()
      let run = min(most, count - first)
      try body(first, run)
      first += run
    }
  }

  /// The codes of images, [count, latentCount].
  package func codes(of pixels: UnsafePointer<UInt8>, count: Int, _ monitor: Monitor?) throws(AEError)
    -> Buffer<Int16>
  {
    let encoder = try sureEncoder()
    let words = try Buffer<Int16>(
      count: min(count, LatentLayer.imagesInRun(encoder.inputCount)) * encoder.outputCount)
    let codes = try Buffer<Int16>(count: count * coder.latentCount)
    try LatentLayer.inRuns(count, imageSize: encoder.inputCount, monitor) { first, count throws(AEError) in
      try encoder.encode(pixels + first * encoder.inputCount, count: count, into: words.base)
      coder.quantise(
        words.base, stride: encoder.outputCount, count: count, into: codes.base + first * coder.latentCount)
    }
    return codes
  }

  /// Searches codes of images for better ones, where there is a search.
  /// - Parameter monitor: told of every image, also where there is nothing to search.
  package func improve(_ codes: Buffer<Int16>, pixels: UnsafePointer<UInt8>, count: Int, _ monitor: Monitor?)
    throws(AEError)
  {
    if let search {
      try LatentLayer.inRuns(count, imageSize: decoder.outputCount, monitor) {
        first, count throws(AEError) in
        try search.refine(
          codes.base + first * coder.latentCount, pixels: pixels + first * decoder.outputCount,
          count: count, passes: searchPasses, monitor: monitor)
        monitor.advance(count)
      }
      return
    }
    monitor.advance(count)
  }

  /// The pictures of images `range`, whose codes become latents in place.
  package func picture(
    _ codes: Buffer<Int16>, _ range: Range<Int>, into pixels: UnsafeMutablePointer<UInt8>, _ monitor: Monitor?
  ) throws(AEError) {
    try LatentLayer.inRuns(range.count, imageSize: decoder.outputCount, monitor) {
      first, count throws(AEError) in
      let codes = codes.base + (range.lowerBound + first) * coder.latentCount
      coder.dequantise(codes, count: count, into: codes)
      try decoder.decode(codes, count: count, into: pixels + first * decoder.outputCount)
    }
  }
}

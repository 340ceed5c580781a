// What channels mean: how few hold an image, how more hold the same, and how colours and transparency become grey. One
// place, so that a picture is the same image whatever file it comes in.

import Core

/// Conversions of images between numbers of channels, in whole numbers.
public enum Channels {
  /// An image of the fewest channels that hold all of its samples.
  ///
  /// Colours that are all grey take no channels of their own, and alpha that is opaque everywhere none.
  /// - Parameters:
  ///   - samples: [height, width, depth]: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
  public static func image(
    _ samples: Buffer<UInt8>, width: Int, height: Int, depth: Int, source: SourceKind
  ) throws(AEError) -> ImageSet {
    guard (1...4).contains(depth), let pixelCount = width.times(height),
      pixelCount.times(depth) == samples.count
    else { throw AEError(.internal, "\(samples.count) samples of \(width) x \(height) x \(depth)") }
    let channels = needed(samples.base, pixelCount, depth: depth)
    guard channels != depth else {
      return try ImageSet(
        width: width, height: height, channels: channels, count: 1, pixels: samples, source: source)
    }
    let pixels = try Buffer<UInt8>(count: pixelCount * channels)
    let hasAlpha = depth == 2 || depth == 4
    for pixel in 0..<pixelCount {
      let (from, to) = (samples.base + pixel * depth, pixels.base + pixel * channels)
      to[0] = from[0]
      if channels == 1 { continue }
      to[1] = from[depth >= 3 ? 1 : 0]
      to[2] = from[depth >= 3 ? 2 : 0]
      if channels == 4 { to[3] = hasAlpha ? from[depth - 1] : 255 }
    }
    var set = try ImageSet(
      width: width, height: height, channels: channels, count: 1, pixels: pixels, source: source)
    set.fileChannels = depth == 2 ? 4 : depth
    return set
  }

  private static func needed(_ samples: UnsafePointer<UInt8>, _ pixelCount: Int, depth: Int) -> Int {
    if depth == 2 || depth == 4 {
      for pixel in 0..<pixelCount where samples[pixel * depth + depth - 1] != 255 { return 4 }
    }
    if depth >= 3 {
      for pixel in 0..<pixelCount {
        let at = samples + pixel * depth
        if at[0] != at[1] || at[1] != at[2] { return 3 }
      }
    }
    return 1
  }

  /// The same pixels in as many channels or more: grey in R, G and B alike, opaque.
  public static func widen(
    _ from: UnsafePointer<UInt8>, _ channels: Int, to target: UnsafeMutablePointer<UInt8>,
    _ targetChannels: Int, pixelCount: Int
  ) {
    guard channels != targetChannels else { return target.update(from: from, count: pixelCount * channels) }
    for pixel in 0..<pixelCount {
      let (from, to) = (from + pixel * channels, target + pixel * targetChannels)
      to[0] = from[0]
      to[1] = from[channels >= 3 ? 1 : 0]
      to[2] = from[channels >= 3 ? 2 : 0]
      if targetChannels == 4 { to[3] = 255 }
    }
  }

  /// Grey of each pixel: the luma (299 R + 587 G + 114 B + 500) / 1000 of ITU-R BT.601, then laid over black, (grey alpha +
  /// 127) / 255, each rounded down.
  /// - Parameter channels: 1, 3 or 4.
  /// - Returns: what was lost by it.
  public static func makeGrey(
    _ from: UnsafePointer<UInt8>, _ channels: Int, to grey: UnsafeMutablePointer<UInt8>, pixelCount: Int
  ) -> GreyConversions {
    guard channels >= 3 else {
      grey.update(from: from, count: pixelCount)
      return []
    }
    var lost: GreyConversions = []
    for pixel in 0..<pixelCount {
      let at = from + pixel * channels
      let (red, green, blue) = (Int(at[0]), Int(at[1]), Int(at[2]))
      if red != green || green != blue { lost.insert(.colour) }
      var value = (299 * red + 587 * green + 114 * blue + 500) / 1000
      if channels == 4 {
        if at[3] != 255 { lost.insert(.transparency) }
        value = (value * Int(at[3]) + 127) / 255
      }
      grey[pixel] = UInt8(truncatingIfNeeded: value)
    }
    return lost
  }
}

extension ImageSet {
  /// The same images in grey; what that lost is added to `conversions`.
  public func grey() throws(AEError) -> ImageSet {
    guard channels > 1 else { return self }
    let grey = try Buffer<UInt8>(count: width * height * count)
    let lost = Channels.makeGrey(pixels.base, channels, to: grey.base, pixelCount: grey.count)
    var set = try ImageSet(
      width: width, height: height, count: count, pixels: grey, labels: labels, names: names, source: source)
    set.conversions = conversions.union(lost)
    return set
  }
}

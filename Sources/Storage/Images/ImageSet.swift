// Images of one size in memory, with what came with them: labels, file names, the kind of source. Every
// reader makes one of these and every writer takes one.

import Core

/// What an image set was read from, so that it can be written back as that. Numbered as in files.
public enum SourceKind: UInt8, Sendable {
  case unknown = 0
  case idx = 1
  case npy = 2
  case pngFolder = 3
  case pgmFolder = 4
  case pngFile = 5
  case pgmFile = 6
  case ppmFolder = 7
  case pamFolder = 8
  case ppmFile = 9
  case pamFile = 10
}

/// What images lost on their way to bytes, or to grey.
public struct GreyConversions: OptionSet, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Colours became their luma.
  public static let colour = GreyConversions(rawValue: 1)
  /// Transparency was laid over black.
  public static let transparency = GreyConversions(rawValue: 2)
  /// Levels that are none of 256 were rounded to one: of 16 bits, of a maxval that does not divide 255, of floats.
  public static let levels = GreyConversions(rawValue: 4)
}

/// `count` images of `width` x `height` pixels, row-major, image after image.
public struct ImageSet: Sendable {
  public let width: Int
  public let height: Int
  /// Bytes of a pixel: 1 (grey), 3 (RGB) or 4 (RGB and alpha, which colours are not multiplied by).
  public let channels: Int
  public let count: Int
  /// [count, height, width, channels]; of grey, 0 is the background of MNIST, 255 full ink.
  public let pixels: Buffer<UInt8>
  /// [count], or nil.
  public var labels: [UInt8]?
  /// File names without their folder, UTF-8, [count], or nil.
  public var names: [String]?
  public var source: SourceKind
  /// What the pixels are not any more.
  public var conversions: GreyConversions = []
  /// The channels that the file has, of which `channels` hold all that there is in them; 4 for grey and alpha.
  public var fileChannels: Int

  /// The largest number of images a set may have.
  public static let maximumCount = 1 << 28

  /// - Throws: `.argument` if a side is not in 1 ... 65535, `channels` not 1, 3 or 4, a count out of range, or the
  ///   buffer's size is off.
  public init(
    width: Int, height: Int, channels: Int = 1, count: Int, pixels: Buffer<UInt8>, labels: [UInt8]? = nil,
    names: [String]? = nil, source: SourceKind = .unknown
  ) throws(AEError) {
    let shape = ImageShape(width: width, height: height, channels: channels)
    guard (1...65535).contains(width), (1...65535).contains(height), ImageShape.hasChannels(channels),
      (0...ImageSet.maximumCount).contains(count)
    else { throw AEError(.argument, "\(count) images of \(shape.text) are out of range") }
    guard let size = shape.byteCount.times(count), pixels.count == size else {
      throw AEError(.argument, "\(count) images of \(shape.text) do not make \(pixels.count) bytes")
    }
    guard labels == nil || labels!.count == count, names == nil || names!.count == count else {
      throw AEError(.argument, "labels and names must be as many as images, \(count)")
    }
    self.width = width
    self.height = height
    self.channels = channels
    fileChannels = channels
    self.count = count
    self.pixels = pixels
    self.labels = labels
    self.names = names
    self.source = source
  }

  /// Bytes of one image.
  public var imageSize: Int { width * height * channels }

  public var shape: ImageShape { ImageShape(width: width, height: height, channels: channels) }
}

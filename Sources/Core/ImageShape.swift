// The shape of images of a set, and its limits, which stand here alone: readers, writers, options and the header of
// image sets ask for them.

/// The sides of an image in pixels, and its channels: 1 (grey), 3 (RGB) or 4 (RGB and alpha).
///
/// Any numbers can be put into one; `validate` says whether images may have this shape.
public struct ImageShape: Equatable, Sendable {
  public let width: Int
  public let height: Int
  public let channels: Int

  /// The longest side, in pixels.
  public static let maximumSide = 256
  /// The most bytes of an image: 256 x 256 in three channels.
  public static let maximumByteCount = 196_608

  public init(width: Int, height: Int, channels: Int = 1) {
    self.width = width
    self.height = height
    self.channels = channels
  }

  /// Bytes of one image; the largest number for a shape of more.
  public var byteCount: Int { width.times(height)?.times(channels) ?? .max }

  /// As in "32 x 32" and "32 x 32 x 3".
  public var text: String {
    channels == 1
      ? sentence("\(width) x \(height)") : sentence("\(width) x \(height) x \(channels)")
  }

  /// Whether a number of channels is one that images have.
  public static func hasChannels(_ count: Int) -> Bool { count == 1 || count == 3 || count == 4 }

  /// Whether images of a set may have this shape.
  public var isValid: Bool {
    width >= 1 && width <= ImageShape.maximumSide && height >= 1 && height <= ImageShape.maximumSide
      && ImageShape.hasChannels(channels) && byteCount <= ImageShape.maximumByteCount
  }

  /// Throws unless images of a set may have this shape.
  /// - Parameters:
  ///   - code: what the error is.
  ///   - place: what the message begins with, such as a file's name; nothing if empty.
  public func validate(_ code: AEError.Code = .argument, at place: String = "") throws(AEError) {
    guard !isValid else { return }
    let error: AEError
    if !ImageShape.hasChannels(channels) {
      error = AEError(code, "images of \(channels) channels: 1 (grey), 3 (RGB) or 4 (RGB and alpha) may be")
    } else {
      error = AEError(
        code,
        "images of \(text): sides are 1 to \(ImageShape.maximumSide) pixels, and width x height x channels is at most \(ImageShape.maximumByteCount)"
      )
    }
    throw place.utf8.isEmpty ? error : error.at(place)
  }
}

// Many images as one picture: what a PNG of a set shows.

import Core
import Storage

package enum Grid {
  /// The grey between images.
  package static let gapValue: UInt8 = 64

  /// The images in rows of `columns`, first to last, one pixel apart. What the last row lacks is black.
  /// - Parameter columns: 0 for about as many as rows.
  package static func make(_ set: ImageSet, columns: Int = 0) throws(AEError) -> ImageSet {
    guard set.count > 0 else { throw AEError(.argument, "there are no images to make a picture of") }
    if set.count == 1 { return set }
    let columns = min(columns > 0 ? columns : squareColumns(set.count), set.count)
    let rows = (set.count + columns - 1) / columns
    let (width, height) = (columns * (set.width + 1) - 1, rows * (set.height + 1) - 1)
    guard width <= 65535, height <= 65535 else {
      throw AEError(
        .argument,
        "\(set.count) images in \(columns) columns make \(width) x \(height) pixels; 65535 is the most")
    }
    let channels = set.channels
    guard let byteCount = (width * height).times(channels) else {
      throw AEError(.memory, "\(width) x \(height) pixels are too many")
    }
    let pixels = try Buffer<UInt8>(count: byteCount)
    pixels.base.update(repeating: gapValue, count: pixels.count)
    for cell in 0..<rows * columns {
      let corner = (cell / columns) * (set.height + 1) * width + (cell % columns) * (set.width + 1)
      for y in 0..<set.height {
        let row = pixels.base + (corner + y * width) * channels
        if cell < set.count {
          let from = set.pixels.base + cell * set.imageSize + y * set.width * channels
          row.update(from: from, count: set.width * channels)
        } else {
          row.update(repeating: 0, count: set.width * channels)
        }
      }
    }
    if channels == 4 { showGaps(pixels.base, width, set) }
    return try ImageSet(width: width, height: height, channels: channels, count: 1, pixels: pixels)
  }

  /// Makes what is between the images opaque, and what the last row lacks: their own alpha is theirs.
  private static func showGaps(_ pixels: UnsafeMutablePointer<UInt8>, _ width: Int, _ set: ImageSet) {
    let columns = (width + 1) / (set.width + 1)
    let rows = (set.count + columns - 1) / columns
    for y in 0..<rows * (set.height + 1) - 1 {
      for x in 0..<width {
        let cell = y / (set.height + 1) * columns + x / (set.width + 1)
        let isGap = y % (set.height + 1) == set.height || x % (set.width + 1) == set.width
        if isGap || cell >= set.count { pixels[(y * width + x) * 4 + 3] = 255 }
      }
    }
  }

  private static func squareColumns(_ count: Int) -> Int {
    var columns = 1
    while columns * columns < count { columns += 1 }
    return columns
  }
}

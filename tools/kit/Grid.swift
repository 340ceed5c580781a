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
    let pixels = try Buffer<UInt8>(count: width * height)
    pixels.base.update(repeating: gapValue, count: pixels.count)
    for cell in 0..<rows * columns {
      let corner =
        pixels.base + (cell / columns) * (set.height + 1) * width + (cell % columns) * (set.width + 1)
      for y in 0..<set.height {
        let row = corner + y * width
        if cell < set.count {
          row.update(from: set.pixels.base + cell * set.imageSize + y * set.width, count: set.width)
        } else {
          row.update(repeating: 0, count: set.width)
        }
      }
    }
    return try ImageSet(width: width, height: height, count: 1, pixels: pixels)
  }

  private static func squareColumns(_ count: Int) -> Int {
    var columns = 1
    while columns * columns < count { columns += 1 }
    return columns
  }
}

// A bilevel scan and its position: what an anti-aliased image is rendered from, and all that has to be coded of it but the
// few pixels that differ.

import Core

/// A scan's ink and its place in an image.
public final class Scan: @unchecked Sendable {
  /// The side of the square that is drawn on the box, in `Resampler.sides`.
  public let side: Int
  /// The ink's bounding box in that square.
  public let top: Int
  public let left: Int
  public let height: Int
  public let width: Int
  /// Where the box lies in the image, which it may overhang.
  public let row: Int
  public let column: Int
  /// [height, width] of 0 and 1.
  public let ink: Buffer<UInt8>

  public init(
    side: Int, top: Int, left: Int, height: Int, width: Int, row: Int, column: Int, ink: Buffer<UInt8>
  ) {
    precondition(
      Resampler.sides.contains(side) && top >= 0 && left >= 0 && height > 0 && width > 0
        && top + height <= side && left + width <= side && ink.count == height * width)
    self.side = side
    self.top = top
    self.left = left
    self.height = height
    self.width = width
    self.row = row
    self.column = column
    self.ink = ink
  }

  /// The margin that ink of `extent` has in a square of `side`.
  public static func margin(side: Int, extent: Int) -> Int { (side - extent) / 2 }

  /// The same scan with its box elsewhere.
  public func moved(row: Int, column: Int) -> Scan {
    Scan(side: side, top: top, left: left, height: height, width: width, row: row, column: column, ink: ink)
  }
}

/// The box as it is drawn from a scan.
public struct ScanPicture {
  /// [20, 20] pixels.
  public let pixels: Buffer<UInt8>
  /// 1 where a pixel could as well be its `Resampler.neighbour`.
  public let ties: Buffer<UInt8>

  public init(_ scan: Scan) throws(AEError) {
    let count = Resampler.boxSide * Resampler.boxSide
    pixels = try Buffer(count: count)
    ties = try Buffer(count: count)
    let areas = try Buffer<Int32>(count: count)
    let largest = Resampler.areas(scan, into: areas.base)
    for index in 0..<count {
      let (value, isTie) = Resampler.value(area: Int(areas.base[index]), largest: largest)
      pixels.base[index] = UInt8(truncatingIfNeeded: value)
      ties.base[index] = isTie ? 1 : 0
    }
  }

  /// Where a box of these pixels would have been put in an image: its centre of mass within the pixel below and
  /// right of the image's centre.
  public func placement(width: Int, height: Int) -> (row: Int, column: Int) {
    let side = Resampler.boxSide
    var mass = 0
    var rows = 0
    var columns = 0
    for row in 0..<side {
      for column in 0..<side {
        let value = Int(pixels.base[row * side + column])
        mass += value
        rows += value * (2 * row + 1)
        columns += value * (2 * column + 1)
      }
    }
    guard mass > 0 else { return (0, 0) }
    // floor(size / 2 + 1 - centre), of halves
    func place(_ size: Int, _ moment: Int) -> Int {
      let numerator = (2 * (size / 2) + 2) * mass - moment
      return numerator >= 0 ? numerator / (2 * mass) : -((2 * mass - 1 - numerator) / (2 * mass))
    }
    return (place(height, rows), place(width, columns))
  }
}

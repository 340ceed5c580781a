// A scan while it is coded pixel by pixel, in raster order, and the inputs of its predictor. Bits are packed, so that a
// neighbourhood is a few shifts.

import Core

/// A scan's bits with a blank margin around them, in memory that someone else keeps: plain values, for loops over
/// many scans.
struct ScanPlane: BitwiseCopyable {
  let side: Int
  let height: Int
  let width: Int
  fileprivate let stride: Int
  fileprivate let bytes: UnsafeMutablePointer<UInt8>

  fileprivate static let margin = 16
  fileprivate static let rowsAbove = 5

  @inline(__always)
  func setInk(_ row: Int, _ column: Int) {
    let bit = ScanPlane.margin &+ column
    bytes[(row &+ ScanPlane.rowsAbove) &* stride &+ bit >> 3] |= 1 << UInt8(truncatingIfNeeded: bit & 7)
  }

  /// The bits from column `column` on, so many rows up; at least 57 of them are right.
  @inline(__always)
  fileprivate func window(_ row: Int, up: Int, _ column: Int) -> UInt64 {
    let bit = ScanPlane.margin &+ column
    let at = bytes + ((row &+ ScanPlane.rowsAbove &- up) &* stride &+ bit >> 3)
    return UInt64(littleEndian: UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)) >> UInt64(bit & 7)
  }

  /// The neighbours of a pixel, one bit each: the highest row first from the lowest bit on, in it from left to
  /// right, and last those to the left.
  @inline(__always)
  func context(_ row: Int, _ column: Int) -> UInt64 {
    var context: UInt64 = 0
    for up in 0..<5 {
      context |= (window(row, up: 5 &- up, column &- 5) & 0x7FF) << UInt64(truncatingIfNeeded: 11 &* up)
    }
    return context | (window(row, up: 0, column &- 6) & 0x3F) << 55
  }

  /// In what circumstances a pixel has no ink around, below `blankCount`: how near the top it is, and whether
  /// there is ink further to the right.
  @inline(__always)
  func blank(_ row: Int, _ column: Int) -> Int {
    let right = (window(row, up: 1, column &+ 6) | window(row, up: 2, column &+ 6)) & 0x3FF
    return (row == 0 ? 0 : row < 5 ? 1 : 2) &* 2 &+ (right == 0 ? 0 : 1)
  }

  /// Writes a pixel's context and features as `inputCount` bytes: 255 for ink; distances in pixels; twice the
  /// side.
  @inline(__always)
  func inputs(_ row: Int, _ column: Int, _ context: UInt64, into target: UnsafeMutablePointer<UInt8>) {
    let raw = UnsafeMutableRawPointer(target)
    for index in 0..<8 {
      // Eight copies of eight bits, of which each keeps its own and makes it 0 or 255.
      let copies = (context >> UInt64(truncatingIfNeeded: 8 &* index) & 0xFF) &* 0x0101_0101_0101_0101
      let bits = copies & 0x8040_2010_0804_0201
      let ones = ((bits &+ 0x7F7F_7F7F_7F7F_7F7F) | bits) >> 7 & 0x0101_0101_0101_0101
      raw.storeBytes(of: (ones &* 255).littleEndian, toByteOffset: 8 &* index, as: UInt64.self)
    }
    let count = ScanRaster.neighbourCount
    target[count] = UInt8(truncatingIfNeeded: row)
    target[count + 1] = UInt8(truncatingIfNeeded: height &- 1 &- row)
    target[count + 2] = UInt8(truncatingIfNeeded: column)
    target[count + 3] = UInt8(truncatingIfNeeded: width &- 1 &- column)
    target[count + 4] = UInt8(truncatingIfNeeded: 2 &* side)
  }
}

/// A scan's bits, kept.
public final class ScanRaster {
  /// Neighbours in a context: five rows of eleven above, six to the left.
  public static let neighbourCount = 61
  /// The context of a pixel that has ink all around.
  public static let allInk: UInt64 = (1 << 61) - 1
  /// Further inputs of the predictor: distances to the four edges, and the side.
  public static let featureCount = 5
  /// Bytes that stand for a pixel's context and features.
  public static let inputCount = neighbourCount + featureCount
  /// Contexts without ink are told apart by so many circumstances.
  public static let blankCount = 6

  /// The bits; for as long as this lives.
  let plane: ScanPlane
  private let bytes: Buffer<UInt8>

  public init(side: Int, height: Int, width: Int) throws(AEError) {
    // A window is read as eight bytes.
    let stride = (ScanPlane.margin + width + ScanPlane.margin) / 8 + 9
    bytes = try Buffer(count: (height + ScanPlane.rowsAbove) * stride)
    plane = ScanPlane(side: side, height: height, width: width, stride: stride, bytes: bytes.base)
  }

  public convenience init(_ scan: Scan) throws(AEError) {
    try self.init(side: scan.side, height: scan.height, width: scan.width)
    for index in 0..<height * width where scan.ink.base[index] != 0 { setInk(index / width, index % width) }
  }

  public var side: Int { plane.side }
  public var height: Int { plane.height }
  public var width: Int { plane.width }

  public func setInk(_ row: Int, _ column: Int) { plane.setInk(row, column) }

  /// The neighbours of a pixel; see `ScanPlane`.
  public func context(_ row: Int, _ column: Int) -> UInt64 { plane.context(row, column) }

  /// The scan that was read, of the same measures as `scan`.
  public func scan(like scan: Scan) throws(AEError) -> Scan {
    let ink = try Buffer<UInt8>(count: height * width)
    for row in 0..<height {
      for column in 0..<width {
        ink.base[row * width + column] = UInt8(truncatingIfNeeded: plane.window(row, up: 0, column) & 1)
      }
    }
    return Scan(
      side: side, top: scan.top, left: scan.left, height: height, width: width, row: scan.row,
      column: scan.column, ink: ink)
  }

  /// Writes a pixel's context and features as `inputCount` bytes; see `ScanPlane`.
  public func inputs(_ row: Int, _ column: Int, _ context: UInt64, into target: UnsafeMutablePointer<UInt8>) {
    plane.inputs(row, column, context, into: target)
  }
}

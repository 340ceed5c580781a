// From an anti-aliased image back to the bilevel scan that it was rendered from. The scan's side is not known: every side is
// tried, and a wrong one soon meets a pixel that it cannot produce.

import CScan
import Core

/// Finds scans; each thread needs one of its own, which holds some megabytes.
public final class ScanSearch {
  private let width: Int
  private let height: Int
  private let workspace: Buffer<UInt8>
  private let bits: Buffer<UInt8>
  private let best: Buffer<UInt8>
  private let box: Buffer<UInt8>

  /// The beam width at first, and when that found no scan.
  private static let narrowBeam = 16
  private static let wideBeam = 32
  /// Pixels that may come out otherwise, in a scan that is the best there is.
  public static let largestMissCount = 6

  /// Larger scans of digits are hardly ever met, and take long to rule out.
  private static let largestSide = 84
  /// The sides of handwritten digits' scans first: once one is found, the others need not get far.
  private static let sidesByFrequency: [Int] = {
    var sides: [Int] = []
    for side in 34...62 { sides.append(side) }
    for side in Resampler.sides.lowerBound...largestSide where !(34...62).contains(side) {
      sides.append(side)
    }
    return sides
  }()

  /// - Parameters:
  ///   - width, height: pixels of an image.
  public init(width: Int, height: Int) throws(AEError) {
    self.width = width
    self.height = height
    let area = Resampler.sides.upperBound * Resampler.sides.upperBound
    workspace = try Buffer(count: ck_scan_workspace(Int32(ScanSearch.wideBeam)))
    bits = try Buffer(count: area)
    best = try Buffer(count: area)
    box = try Buffer(count: Resampler.boxSide * Resampler.boxSide)
  }

  /// One way an image may lie in its scan.
  private struct Attempt {
    var side = 0
    var isTall = true
    /// Where the ink begins in the box, across its longer side, and how much margin that leaves the scan.
    var start = 0
    var margin = 0
  }

  /// The ink's bounding box in the image, and its darkest value.
  private struct Extent {
    var top = 0
    var bottom = 0
    var left = 0
    var right = 0
    var darkest = 0
  }

  /// The scan of an image of `width * height` bytes, or nil if there is none that draws it, but for
  /// `largestMissCount` pixels at most.
  /// - Parameter monitor: may stop it, at every side that is tried.
  public func find(_ image: UnsafePointer<UInt8>, monitor: Monitor? = nil) throws(AEError) -> Scan? {
    let side = Resampler.boxSide
    var ink = Extent(top: height, bottom: 0, left: width, right: 0, darkest: 0)
    for row in 0..<height {
      for column in 0..<width where image[row * width + column] != 0 {
        ink.top = min(ink.top, row)
        ink.bottom = row + 1
        ink.left = min(ink.left, column)
        ink.right = max(ink.right, column + 1)
        ink.darkest = max(ink.darkest, Int(image[row * width + column]))
      }
    }
    let (tall, wide) = (ink.bottom - ink.top, ink.right - ink.left)
    guard ink.darkest >= 200, max(tall, wide) == side else { return nil }
    // One wrong hypothesis may exclude the right side: if no scan is exact, a few pixels may differ.
    var attempt = try find(image, ink, beam: ScanSearch.narrowBeam, misses: 0, monitor)
    if attempt == nil {
      attempt = try find(
        image, ink, beam: ScanSearch.wideBeam, misses: ScanSearch.largestMissCount, monitor)
    }
    guard let found = attempt else { return nil }
    return try scan(
      found, row: found.isTall ? ink.top : ink.top - found.start,
      column: found.isTall ? ink.left - found.start : ink.left)
  }

  /// The best of all ways, its scan in `best`.
  private func find(
    _ image: UnsafePointer<UInt8>, _ ink: Extent, beam: Int, misses: Int, _ monitor: Monitor?
  ) throws(AEError) -> Attempt? {
    let side = Resampler.boxSide
    var bestCost = Int.max
    var result: Attempt?
    for scanSide in ScanSearch.sidesByFrequency {
      try monitor.check()
      for isTall in [true, false] {
        let (tall, wide) = (ink.bottom - ink.top, ink.right - ink.left)
        let (long, short) = isTall ? (tall, wide) : (wide, tall)
        // A square is both: tall is enough.
        guard long == side, isTall || short < side else { continue }
        var lastStart = -1
        for margin in 0...scanSide / 2 {
          // Where the first and the last of the ink's columns come to lie, with either evenness of its width.
          let start = 100 * margin / (5 * scanSide)
          let end = (100 * (scanSide - margin - 1) + 98) / (5 * scanSide) + 1
          let shorterEnd = (100 * max(scanSide - margin - 2, 0) + 98) / (5 * scanSide) + 1
          guard start != lastStart, end - start == short || shorterEnd - start == short else { continue }
          lastStart = start
          let attempt = Attempt(side: scanSide, isTall: isTall, start: start, margin: margin)
          copyBox(
            image, row: isTall ? ink.top : ink.top - start, column: isTall ? ink.left - start : ink.left)
          let cost = search(attempt, ink.darkest, beam: beam, misses: misses, largestCost: bestCost)
          guard cost >= 0, cost < bestCost else { continue }
          bestCost = cost
          result = attempt
          best.base.update(from: bits.base, count: scanSide * scanSide)
        }
      }
    }
    return result
  }

  /// The box at a place of the image; what it overhangs is blank.
  private func copyBox(_ image: UnsafePointer<UInt8>, row: Int, column: Int) {
    let side = Resampler.boxSide
    for y in 0..<side {
      for x in 0..<side {
        let (fromRow, fromColumn) = (row + y, column + x)
        let isInside = (0..<height).contains(fromRow) && (0..<width).contains(fromColumn)
        box.base[y * side + x] = isInside ? image[fromRow * width + fromColumn] : 0
      }
    }
  }

  /// Tries one position. Returns the scan's roughness, or -1.
  private func search(
    _ attempt: Attempt, _ darkest: Int, beam: Int, misses: Int, largestCost: Int
  ) -> Int {
    let side = Resampler.boxSide
    // The darkest pixel is one that ink covers wholly.
    var largest: Int32 = 0
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: side) { sums in
      Resampler.rowSums(side: attempt.side, into: sums.baseAddress.unsafelyUnwrapped)
      for row in 0..<side {
        for column in 0..<side where Int(box.base[row * side + column]) == darkest {
          largest = max(largest, sums[row] &* sums[column])
        }
      }
    }
    guard largest > 0 else { return -1 }
    var task = ck_scan_task(
      box: box.base, side: Int32(attempt.side), top: attempt.isTall ? 0 : Int32(attempt.margin),
      left: attempt.isTall ? Int32(attempt.margin) : 0, largest: largest,
      misses: Int32(misses), beam: Int32(beam),
      largest_cost: Int32(truncatingIfNeeded: min(largestCost, 1 << 16)))
    var reached: Int32 = 0
    return Int(ck_scan_search(&task, workspace.base, bits.base, &reached))
  }

  /// The scan that `best` holds, cut to its ink.
  private func scan(_ attempt: Attempt, row: Int, column: Int) throws(AEError) -> Scan? {
    let side = attempt.side
    var (top, bottom, left, right) = (side, 0, side, 0)
    for y in 0..<side {
      for x in 0..<side where best.base[y * side + x] != 0 {
        top = min(top, y)
        bottom = y + 1
        left = min(left, x)
        right = max(right, x + 1)
      }
    }
    guard bottom > top else { return nil }
    let ink = try Buffer<UInt8>(count: (bottom - top) * (right - left))
    for y in top..<bottom {
      (ink.base + (y - top) * (right - left)).update(from: best.base + y * side + left, count: right - left)
    }
    return Scan(
      side: side, top: top, left: left, height: bottom - top, width: right - left, row: row, column: column,
      ink: ink)
  }
}

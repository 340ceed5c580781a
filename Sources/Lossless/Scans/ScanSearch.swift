// From an anti-aliased image back to the bilevel scan that it was rendered from. The scan's side is not known: one after the
// other is tried, and a wrong one soon meets a pixel that it cannot produce.

import CScan
import Core

/// Finds scans; each thread needs one of its own, which holds a megabyte.
public final class ScanSearch {
  private let width: Int
  private let height: Int
  private let workspace: Buffer<UInt8>
  /// The scan that was found last.
  private let bits: Buffer<UInt8>
  private let box: Buffer<UInt8>
  /// Where the darkest pixels of the box are.
  private let darkest: Buffer<UInt16>
  private var darkestCount = 0
  /// Which way of the image at hand the box holds; `start` -1: none.
  private var boxed = (isTall: true, start: -1)
  /// [sides, boxSide]: what a row of ink sums to in each row of the box.
  private let rowSums: Buffer<Int32>
  /// What was tried for an image, in vain.
  private let attempts: Buffer<Attempt>

  /// Pixels that may come out otherwise, in a scan that is the best there is.
  public static let largestMissCount = 6

  /// Larger scans of digits are hardly ever met, and take long to rule out.
  private static let largestSide = 84
  /// Scans that draw an image to the pixel are of one side, so the search ends with the first: the likeliest
  /// sides first, but for the one whose images larger scans draw as well.
  private static let sidesByFrequency: [(side: Int, slips: Bool)] = {
    var sides = [(side: Resampler.sides.lowerBound, slips: false)]
    func append(_ side: Int) {
      if side % Int(CK_SCAN_SLIP) == 0 { sides.append((side, true)) }
      sides.append((side, false))
    }
    for side in 34...62 { append(side) }
    for side in Resampler.sides.lowerBound + 1...largestSide where !(34...62).contains(side) { append(side) }
    return sides
  }()
  private static let largestAttemptCount = 1024

  /// How hard an attempt is pursued.
  private struct Effort {
    /// Hypotheses to keep, and rows of the scan to try under a pixel for each of them.
    let beam: Int
    let tries: Int
    let misses: Int

    /// Enough for nearly all scans, and soon done with wrong sides.
    static func hasty(side: Int) -> Effort { Effort(beam: 16, tries: side <= 62 ? 100 : 400, misses: 0) }
    static let patient = Effort(beam: 16, tries: 2500, misses: 0)
    /// One wrong hypothesis may exclude the right side: if no scan is exact, a few pixels may differ.
    static let lenient = Effort(beam: 32, tries: 1250, misses: ScanSearch.largestMissCount)

    static let widestBeam = 32
  }
  /// Of attempts in vain, those that got furthest are taken up again.
  private static let patientCount = 3
  private static let lenientCount = 2

  /// - Parameters:
  ///   - width, height: pixels of an image.
  public init(width: Int, height: Int) throws(AEError) {
    self.width = width
    self.height = height
    let boxSide = Resampler.boxSide
    workspace = try Buffer(count: ck_scan_workspace(Int32(Effort.widestBeam)))
    ck_scan_prepare(workspace.base, Int32(Effort.widestBeam))
    bits = try Buffer(count: Resampler.sides.upperBound * Resampler.sides.upperBound)
    box = try Buffer(count: boxSide * boxSide)
    darkest = try Buffer(count: boxSide * boxSide)
    rowSums = try Buffer(count: (ScanSearch.largestSide + 1) * boxSide)
    for side in Resampler.sides.lowerBound...ScanSearch.largestSide {
      Resampler.rowSums(side: side, into: rowSums.base + side * boxSide)
    }
    attempts = try Buffer(count: ScanSearch.largestAttemptCount)
  }

  /// One way an image may lie in its scan.
  private struct Attempt: BitwiseCopyable {
    var side = 0
    /// Whether it is drawn as scans of this side were whose edges slipped: see `CK_SCAN_SLIP`.
    var slips = false
    var isTall = true
    /// Where the ink begins in the box, across its longer side, and how much margin that leaves the scan.
    var start = 0
    var margin = 0
    /// The pixel of the box that it got to, and whether more tries might get it further.
    var reached = 0
    var isCut = false
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
  /// `largestMissCount` pixels at most; or some more, by a grey level, where edges slipped (`CK_SCAN_SLIP`), since
  /// `Resampler` knows nothing of that.
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
    boxed.start = -1
    guard let found = try attempt(image, ink, monitor) else { return nil }
    return try scan(
      found, row: found.isTall ? ink.top : ink.top - found.start,
      column: found.isTall ? ink.left - found.start : ink.left)
  }

  /// The first way that there is a scan for, left in `bits`.
  private func attempt(_ image: UnsafePointer<UInt8>, _ ink: Extent, _ monitor: Monitor?) throws(AEError)
    -> Attempt?
  {
    let side = Resampler.boxSide
    var count = 0
    for (scanSide, slips) in ScanSearch.sidesByFrequency {
      try monitor.check()
      for isTall in [true, false] {
        let (tall, wide) = (ink.bottom - ink.top, ink.right - ink.left)
        let (long, short) = isTall ? (tall, wide) : (wide, tall)
        // A square is both: tall is enough.
        guard long == side, isTall || short < side else { continue }
        var lastStart = -1
        // Other margins leave the ink another width.
        let margins = max((side - short) * scanSide / 40 - 2, 0)...(side - short + 2) * scanSide / 40 + 2
        for margin in margins where margin <= scanSide / 2 {
          // Where the first and the last of the ink's columns come to lie, with either evenness of its width.
          let start = 100 * margin / (5 * scanSide)
          let end = (100 * (scanSide - margin - 1) + 98) / (5 * scanSide) + 1
          let shorterEnd = (100 * max(scanSide - margin - 2, 0) + 98) / (5 * scanSide) + 1
          guard start != lastStart, end - start == short || shorterEnd - start == short else { continue }
          lastStart = start
          var attempt = Attempt(
            side: scanSide, slips: slips, isTall: isTall, start: start, margin: margin)
          let hasty = Effort.hasty(side: scanSide)
          if search(&attempt, image, ink, hasty) {
            // More tries may find a smoother scan, or lose the way among smoother hypotheses.
            if attempt.isCut, !search(&attempt, image, ink, .patient) {
              _ = search(&attempt, image, ink, hasty)
            }
            return attempt
          }
          guard count < attempts.count else { continue }
          attempts.base[count] = attempt
          count += 1
        }
      }
    }
    bringForward(ScanSearch.patientCount, of: count)
    for index in 0..<min(count, ScanSearch.patientCount) where attempts.base[index].isCut {
      try monitor.check()
      if search(&attempts.base[index], image, ink, .patient) { return attempts.base[index] }
    }
    bringForward(ScanSearch.lenientCount, of: min(count, ScanSearch.patientCount))
    for index in 0..<min(count, ScanSearch.lenientCount) {
      try monitor.check()
      if search(&attempts.base[index], image, ink, .lenient) { return attempts.base[index] }
    }
    return nil
  }

  /// Puts the `first` attempts that got furthest before all others, of equal ones the earlier.
  private func bringForward(_ first: Int, of count: Int) {
    for place in 0..<min(first, count) {
      var best = place
      for index in place..<count where attempts.base[index].reached > attempts.base[best].reached {
        best = index
      }
      let attempt = attempts.base[best]
      for index in stride(from: best, to: place, by: -1) { attempts.base[index] = attempts.base[index - 1] }
      attempts.base[place] = attempt
    }
  }

  /// The box at a place of the image, where what it overhangs is blank; and its darkest pixels.
  private func copyBox(_ image: UnsafePointer<UInt8>, row: Int, column: Int, _ value: Int) {
    let side = Resampler.boxSide
    darkestCount = 0
    for y in 0..<side {
      for x in 0..<side {
        let (fromRow, fromColumn) = (row + y, column + x)
        let isInside = (0..<height).contains(fromRow) && (0..<width).contains(fromColumn)
        let pixel = isInside ? image[fromRow * width + fromColumn] : 0
        box.base[y * side + x] = pixel
        if Int(pixel) == value {
          darkest.base[darkestCount] = UInt16(truncatingIfNeeded: y << 8 | x)
          darkestCount += 1
        }
      }
    }
  }

  /// Tries one way, and notes how far it got. Returns whether there is a scan.
  private func search(
    _ attempt: inout Attempt, _ image: UnsafePointer<UInt8>, _ ink: Extent, _ effort: Effort
  ) -> Bool {
    if boxed != (attempt.isTall, attempt.start) {
      copyBox(
        image, row: attempt.isTall ? ink.top : ink.top - attempt.start,
        column: attempt.isTall ? ink.left - attempt.start : ink.left, ink.darkest)
      boxed = (attempt.isTall, attempt.start)
    }
    // The darkest pixel is one that ink covers wholly.
    var largest: Int32 = 0
    let sums = rowSums.base + attempt.side * Resampler.boxSide
    let slipping = attempt.slips ? Resampler.boxSide / 5 : -1
    for index in 0..<darkestCount {
      let (row, column) = (Int(darkest.base[index] >> 8), Int(darkest.base[index] & 0xFF))
      let tall = sums[row] &- (row == slipping ? 1 : 0)
      let wide = sums[column] &- (column == slipping ? 1 : 0)
      largest = max(largest, tall &* wide)
    }
    guard largest > 0 else { return false }
    var task = ck_scan_task(
      box: box.base, side: Int32(attempt.side), slips: attempt.slips ? 1 : 0,
      top: attempt.isTall ? 0 : Int32(attempt.margin), left: attempt.isTall ? Int32(attempt.margin) : 0,
      largest: largest, misses: Int32(effort.misses), beam: Int32(effort.beam), tries: Int32(effort.tries),
      largest_cost: 1 << 16)
    var progress = ck_scan_progress()
    let cost = ck_scan_search(&task, workspace.base, bits.base, &progress)
    attempt.reached = Int(progress.reached)
    attempt.isCut = progress.is_cut != 0
    return cost >= 0
  }

  /// The scan that `bits` hold, cut to its ink.
  private func scan(_ attempt: Attempt, row: Int, column: Int) throws(AEError) -> Scan? {
    let side = attempt.side
    var (top, bottom, left, right) = (side, 0, side, 0)
    for y in 0..<side {
      for x in 0..<side where bits.base[y * side + x] != 0 {
        top = min(top, y)
        bottom = y + 1
        left = min(left, x)
        right = max(right, x + 1)
      }
    }
    guard bottom > top else { return nil }
    let ink = try Buffer<UInt8>(count: (bottom - top) * (right - left))
    for y in top..<bottom {
      (ink.base + (y - top) * (right - left)).update(from: bits.base + y * side + left, count: right - left)
    }
    return Scan(
      side: side, top: top, left: left, height: bottom - top, width: right - left, row: row, column: column,
      ink: ink)
  }
}

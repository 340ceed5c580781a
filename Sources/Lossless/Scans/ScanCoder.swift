// Lossless coding by scans: an image that was rendered from a bilevel scan is coded as that scan, which a network predicts
// pixel by pixel; other images are coded by context mixing. A block is one arithmetic code.

import Bytes
import Compute
import Core
import Entropy

/// An image that is coded by its scan.
private final class Scanned {
  let image: Int
  var scan: Scan
  /// Fills while the ink is coded.
  let raster: ScanRaster

  init(image: Int, _ scan: Scan) throws(AEError) {
    self.image = image
    self.scan = scan
    raster = try ScanRaster(side: scan.side, height: scan.height, width: scan.width)
  }
}

/// Where in a scan the coding of its ink is: plain values, since there are millions of pixels.
private struct Stroke: BitwiseCopyable {
  let plane: ScanPlane
  /// The pixel in hand; a decoder's is 0.
  var ink: UnsafePointer<UInt8>
  var row = 0
  var column = 0
  var context: UInt64 = 0

  init(_ scanned: Scanned) {
    plane = scanned.raster.plane
    ink = UnsafePointer(scanned.scan.ink.base)
  }

  @inline(__always)
  mutating func advance(_ bit: Int) {
    if bit != 0 { plane.setInk(row, column) }
    ink += 1
    column &+= 1
    if column == plane.width {
      column = 0
      row &+= 1
    }
  }
}

/// Where the probabilities of what stands beside the pixels are, among those that a block learns.
private enum Slot {
  static let isScan = 0
  static let fillsHeight = 1
  static let fillsWidth = 2
  static let isCentred = 3
  static let isPlaced = 4
  static let hasMiss = 5  // and 6
  static let allInk = 7
  static let blank = 8  // to 13
  static let tie = 14  // to 25
  static let side = 32
  static let shortfall = side + 128
  static let margin = shortfall + 128
  static let place = margin + 128
  static let missPlace = place + 128
  static let missValue = missPlace + 512
  static let count = missValue + 256
}

/// Codes blocks of images of one size. Immutable: any number of threads may use one.
package final class ScanCoder: Sendable {
  private let width: Int
  private let height: Int
  private let model: ScanModel?

  /// Corrections of an image, at most: more, and its pixels are coded instead.
  private static let largestMissCount = 40
  /// The lowest place that is coded.
  private static let firstPlace = -32
  /// Bits of ink in a block, at most: a bound on the work that heads can ask of a reader.
  package static let largestInkCount = 1 << 28

  /// - Parameter model: predicts scans; without it all images are coded by their pixels.
  package init(width: Int, height: Int, model: ScanModel?) throws(AEError) {
    if let model, model.inputCount != ScanRaster.inputCount {
      throw AEError(
        .format, "a scan network with \(model.inputCount) inputs; \(ScanRaster.inputCount) are expected")
    }
    self.width = width
    self.height = height
    self.model = ScanCoder.canFind(width: width, height: height) ? model : nil
  }

  /// Whether images of this size may have scans.
  package static func canFind(width: Int, height: Int) -> Bool {
    min(width, height) >= Resampler.boxSide && max(width, height) <= 64
  }

  /// What ends decoding early; the block's reader says which images are lost.
  @inline(never)
  private static func damage() -> AEError { AEError(.format, "damaged") }

  // MARK: Encoding

  /// A block of `count` images.
  ///
  /// - Parameters:
  ///   - originals: what scans are looked for in.
  ///   - kept: the pixels that are coded where there is no scan.
  ///   - monitor: told of every image where the time goes: at its search, or without one at its pixels.
  /// - Returns: the bytes, and whether an image has a scan: if none has, they are those of a coder without a model.
  package func encode(
    originals: UnsafePointer<UInt8>, kept: UnsafePointer<UInt8>, count: Int, monitor: Monitor?
  ) throws(AEError) -> (bytes: Buffer<UInt8>, hasScans: Bool) {
    let size = width * height
    var scanned = Chunks<Scanned>()
    let pixels = try Buffer(copying: kept, count: count * size)
    if model != nil {
      try find(originals, count: count, into: &scanned, monitor) { image in
        (pixels.base + image * size).update(from: originals + image * size, count: size)
      }
    }
    let writer = ByteWriter()
    var coder = BinaryCoder(writer: writer)
    let hasScans = scanned.count > 0
    // Their search has counted the images.
    let isCounting = model == nil
    _ = try code(
      &scanned, Places(pixels.base, size: size), count: count, wanted: 0..<count, hasScans ? model : nil,
      &coder,
      monitor, isCounting: isCounting, try Buffer(count: count), codesPixels: true)
    try coder.finish()
    return (try writer.finish(), hasScans)
  }

  /// Finds and codes the scans of a block of `count` images; other images are left to the caller.
  /// - Parameter monitor: told of every image at its search.
  /// - Returns: the bytes, and 1 for each image that they hold; nil if no image has a scan.
  package func encodeScans(
    _ originals: UnsafePointer<UInt8>, count: Int, monitor: Monitor?
  ) throws(AEError) -> (bytes: Buffer<UInt8>, isScanned: Buffer<UInt8>, scanCount: Int)? {
    var scanned = Chunks<Scanned>()
    let pixels = try Buffer(copying: originals, count: count * width * height)
    try find(originals, count: count, into: &scanned, monitor) { _ in }
    guard scanned.count > 0 else { return nil }
    let writer = ByteWriter()
    var coder = BinaryCoder(writer: writer)
    let isScanned = try Buffer<UInt8>(count: count)
    _ = try code(
      &scanned, Places(pixels.base, size: width * height), count: count, wanted: 0..<count, model, &coder,
      monitor, isCounting: false, isScanned, codesPixels: false)
    try coder.finish()
    return (try writer.finish(), isScanned, scanned.count)
  }

  /// Decodes the scans of images `range` of a block of `count` images.
  /// - Parameter pixels: range.count images; those with a scan are written.
  /// - Returns: 1 for each image of the block that has a scan; nil if the bytes are damaged.
  package func decodeScans(
    _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>, verifiesAll: Bool,
    into pixels: UnsafeMutablePointer<UInt8>, monitor: Monitor?
  ) throws(AEError) -> Buffer<UInt8>? {
    var scanned = Chunks<Scanned>()
    var coder = BinaryCoder(reading: bytes, count: byteCount)
    let isScanned = try Buffer<UInt8>(count: count)
    let isWhole: Bool
    do throws(AEError) {
      isWhole = try code(
        &scanned, try Places(pixels, size: width * height, range: range), count: count,
        wanted: verifiesAll ? 0..<count : range, model, &coder, monitor, isCounting: false, isScanned,
        codesPixels: false)
    } catch {
      guard error.code == .format else { throw error }
      return nil
    }
    return (isWhole ? coder.isAtEnd : !coder.isBeyondEnd) ? isScanned : nil
  }

  /// Looks for the scan of every image; `keep` is told which have one.
  private func find(
    _ originals: UnsafePointer<UInt8>, count: Int, into scanned: inout Chunks<Scanned>, _ monitor: Monitor?,
    keep: (Int) -> Void
  ) throws(AEError) {
    let size = width * height
    let search = try ScanSearch(width: width, height: height)
    var inkCount = 0
    for image in 0..<count {
      try monitor.check()
      monitor.advance(1)
      guard let scan = try search.find(originals + image * size, monitor: monitor),
        inkCount + scan.height * scan.width <= ScanCoder.largestInkCount
      else { continue }
      if try draws(scan, originals + image * size) {
        scanned.append(try Scanned(image: image, scan))
        inkCount += scan.height * scan.width
        keep(image)
      }
    }
  }

  /// Whether a scan draws the whole image but for a few pixels of its box.
  private func draws(_ scan: Scan, _ image: UnsafePointer<UInt8>) throws(AEError) -> Bool {
    let picture = try ScanPicture(scan)
    let drawn = try Buffer<UInt8>(count: width * height)
    draw(picture, scan, into: drawn.base)
    var misses = 0
    for index in 0..<width * height where drawn.base[index] != image[index] {
      guard let place = boxIndex(index, scan) else { return false }
      if picture.ties.base[place] == 0 || Int(image[index]) != Resampler.neighbour(Int(drawn.base[index])) {
        misses += 1
      }
    }
    return misses <= ScanCoder.largestMissCount
  }

  private func boxIndex(_ index: Int, _ scan: Scan) -> Int? {
    let row = index / width - scan.row
    let column = index % width - scan.column
    let side = Resampler.boxSide
    return (0..<side).contains(row) && (0..<side).contains(column) ? row * side + column : nil
  }

  private func imageIndex(_ place: Int, _ scan: Scan) -> Int? {
    let row = place / Resampler.boxSide + scan.row
    let column = place % Resampler.boxSide + scan.column
    return (0..<height).contains(row) && (0..<width).contains(column) ? row * width + column : nil
  }

  private func draw(_ picture: ScanPicture, _ scan: Scan, into image: UnsafeMutablePointer<UInt8>) {
    image.update(repeating: 0, count: width * height)
    for place in 0..<picture.pixels.count {
      if let index = imageIndex(place, scan) { image[index] = picture.pixels.base[place] }
    }
  }

  // MARK: Decoding

  /// Decodes images `range` of a block of `count` images.
  ///
  /// - Returns: false if the bytes are damaged.
  ///
  /// What follows the last of them is not looked at, unless all is to be verified.
  /// - Parameter pixels: range.count images, written.
  package func decode(
    _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>, verifiesAll: Bool,
    into pixels: UnsafeMutablePointer<UInt8>, monitor: Monitor?
  ) throws(AEError) -> Bool {
    var scanned = Chunks<Scanned>()
    var coder = BinaryCoder(reading: bytes, count: byteCount)
    let places = try Places(pixels, size: width * height, range: range)
    let isWhole: Bool
    do throws(AEError) {
      isWhole = try code(
        &scanned, places, count: count, wanted: verifiesAll ? 0..<count : range, model, &coder, monitor,
        isCounting: false, try Buffer(count: count), codesPixels: true)
    } catch {
      guard error.code == .format else { throw error }
      return false
    }
    return isWhole ? coder.isAtEnd : !coder.isBeyondEnd
  }

  /// Where images of a block are: those of a range in memory of the caller's, all others in that of one image.
  private struct Places {
    private let base: UnsafeMutablePointer<UInt8>
    private let size: Int
    private let range: Range<Int>
    private let other: Buffer<UInt8>?

    init(_ base: UnsafeMutablePointer<UInt8>, size: Int) {
      (self.base, self.size, range, other) = (base, size, 0..<Int.max, nil)
    }

    init(_ base: UnsafeMutablePointer<UInt8>, size: Int, range: Range<Int>) throws(AEError) {
      (self.base, self.size, self.range) = (base, size, range)
      other = try Buffer(count: size)
    }

    subscript(image: Int) -> UnsafeMutablePointer<UInt8> {
      guard range.contains(image) else { return other?.base ?? base }
      return base + (image - range.lowerBound) * size
    }
  }

  // MARK: Both

  /// Codes a block: heads, ink, corrections of the rendered images, other images. A decoder fills `scanned`, and
  /// stops once it has the images `wanted`.
  /// - Parameters:
  ///   - model: nil for a block in which no image has a scan.
  ///   - isCounting: whether the monitor is told of every image that is coded pixel by pixel.
  ///   - isScanned: zeros; becomes 1 for each image that is coded as a scan.
  ///   - codesPixels: whether the other images follow.
  /// - Returns: whether it came to the end of the block.
  private func code(
    _ scanned: inout Chunks<Scanned>, _ pixels: Places, count: Int, wanted: Range<Int>, _ model: ScanModel?,
    _ coder: inout BinaryCoder, _ monitor: Monitor?, isCounting: Bool, _ isScanned: Buffer<UInt8>,
    codesPixels: Bool
  ) throws(AEError) -> Bool {
    let learned = try AdaptiveBits(count: Slot.count)
    for index in 0..<scanned.count { isScanned.base[scanned[index].image] = 1 }
    if let model {
      var next = 0
      var inkCount = 0
      // A decoder's scans have no ink before it is read: one run of zeros stands for all of it.
      let noInk = try Buffer<UInt8>(
        count: coder.isReading ? ScanCoder.largestExtent * ScanCoder.largestExtent : 0)
      defer { withExtendedLifetime(noInk) {} }
      for image in 0..<count {
        let bit = learned.code(Int(isScanned.base[image]), Slot.isScan, &coder)
        guard bit != 0 else { continue }
        isScanned.base[image] = 1
        let known = coder.isReading ? nil : scanned[next].scan
        let measured = try codeHead(known, noInk, learned, &coder)
        inkCount += measured.height * measured.width
        guard inkCount <= ScanCoder.largestInkCount, !coder.isBeyondEnd else { throw ScanCoder.damage() }
        if coder.isReading { scanned.append(try Scanned(image: image, measured)) }
        next += 1
      }
      try codeInk(scanned, model, learned, &coder, monitor)
    }
    // Pixels come after all scans, in order: up to the last image wanted.
    var pixelEnd = wanted.upperBound
    while pixelEnd > wanted.lowerBound && isScanned.base[pixelEnd - 1] != 0 { pixelEnd -= 1 }
    let needsPixels = codesPixels && pixelEnd > wanted.lowerBound
    for index in 0..<scanned.count {
      let one = scanned[index]
      guard needsPixels || one.image < wanted.upperBound else { continue }
      try monitor.check()
      // A decoder needs a scan's ink as bytes once, while the scan is drawn.
      let scan = coder.isReading ? try one.raster.scan(like: one.scan) : one.scan
      try codeRest(scan, pixels[one.image], learned, &coder)
      guard !coder.isBeyondEnd else { throw ScanCoder.damage() }
    }
    guard codesPixels else { return wanted.upperBound == count }
    guard needsPixels else { return scanned.count == count && wanted.upperBound == count }
    let pixelCoder = try PixelCoder(width: width, height: height)
    for image in 0..<pixelEnd where isScanned.base[image] == 0 {
      try monitor.check()
      if isCounting { monitor.advance(1) }
      pixelCoder.code(pixels[image], &coder)
      guard !coder.isBeyondEnd else { throw ScanCoder.damage() }
    }
    for image in pixelEnd..<count where isScanned.base[image] == 0 { return false }
    return true
  }

  private static let largestExtent = Resampler.sides.upperBound

  /// Side, extent and margins. A decoder, which has no scan, gets one without ink.
  private func codeHead(
    _ scan: Scan?, _ noInk: Buffer<UInt8>, _ learned: AdaptiveBits, _ coder: inout BinaryCoder
  ) throws(AEError) -> Scan {
    let first = Resampler.sides.lowerBound
    let side =
      learned.codeNumber((scan?.side ?? first) - first, bitCount: 7, Slot.side, &coder) + first
    guard Resampler.sides.contains(side) else { throw ScanCoder.damage() }
    func extent(_ extent: Int, _ fills: Int) -> Int {
      if learned.code(extent == side ? 1 : 0, fills, &coder) != 0 { return side }
      return side - 1 - learned.codeNumber(side - 1 - extent, bitCount: 7, Slot.shortfall, &coder)
    }
    let height = extent(scan?.height ?? 0, Slot.fillsHeight)
    let width = extent(scan?.width ?? 0, Slot.fillsWidth)
    guard height > 0, width > 0 else { throw ScanCoder.damage() }
    func margin(_ margin: Int, _ extent: Int) -> Int {
      let usual = Scan.margin(side: side, extent: extent)
      if extent == side || learned.code(margin == usual ? 1 : 0, Slot.isCentred, &coder) != 0 { return usual }
      return learned.codeNumber(margin, bitCount: 7, Slot.margin, &coder)
    }
    let top = margin(scan?.top ?? 0, height)
    let left = margin(scan?.left ?? 0, width)
    guard top + height <= side, left + width <= side else { throw ScanCoder.damage() }
    if let scan { return scan }
    return Scan(
      side: side, top: top, left: left, height: height, width: width, row: 0, column: 0,
      ink: Buffer(borrowing: noInk.base, count: height * width))
  }

  /// The ink of all scans in step: pixel 0 of every scan, then pixel 1, so that the network takes many pixels at
  /// a time.
  private func codeInk(
    _ scanned: Chunks<Scanned>, _ model: ScanModel, _ learned: AdaptiveBits, _ coder: inout BinaryCoder,
    _ monitor: Monitor?
  ) throws(AEError) {
    var count = scanned.count
    let inputs = try Buffer<UInt8>(count: count * ScanRaster.inputCount)
    let words = try Buffer<Int16>(count: count)
    let strokes = try Buffer<Stroke>(count: count)
    for index in 0..<count { strokes.base[index] = Stroke(scanned[index]) }
    defer { withExtendedLifetime(scanned) {} }
    while true {
      try monitor.check()
      guard !coder.isBeyondEnd else { throw ScanCoder.damage() }
      var asked = 0
      var left = 0
      for index in 0..<count where strokes.base[index].row < strokes.base[index].plane.height {
        if left != index { strokes.base[left] = strokes.base[index] }
        let stroke = strokes.base + left
        left += 1
        let context = stroke.pointee.plane.context(stroke.pointee.row, stroke.pointee.column)
        stroke.pointee.context = context
        if context != 0 && context != ScanRaster.allInk {
          stroke.pointee.plane.inputs(
            stroke.pointee.row, stroke.pointee.column, context,
            into: inputs.base + asked * ScanRaster.inputCount)
          asked += 1
        }
      }
      count = left
      guard count > 0 else { return }
      if asked > 0 { try model.logits(inputs.base, count: asked, into: words.base) }
      var next = 0
      for index in 0..<count {
        let stroke = strokes.base + index
        let ink = Int(stroke.pointee.ink.pointee)
        let bit: Int
        switch stroke.pointee.context {
        case 0:
          let blank = stroke.pointee.plane.blank(stroke.pointee.row, stroke.pointee.column)
          bit = learned.code(ink, Slot.blank + blank, &coder)
        case ScanRaster.allInk: bit = learned.code(ink, Slot.allInk, &coder)
        default:
          bit = coder.code(ink, model.probability(words.base[next]))
          next += 1
        }
        stroke.pointee.advance(bit)
      }
    }
  }

  /// Where the box lies, how ties fell, and the pixels that come out otherwise. A decoder's `image` is drawn.
  private func codeRest(
    _ scan: Scan, _ image: UnsafeMutablePointer<UInt8>, _ learned: AdaptiveBits, _ coder: inout BinaryCoder
  ) throws(AEError) {
    let picture = try ScanPicture(scan)
    let usual = picture.placement(width: width, height: height)
    var placed = scan
    if learned.code(usual == (scan.row, scan.column) ? 1 : 0, Slot.isPlaced, &coder) != 0 {
      placed = scan.moved(row: usual.row, column: usual.column)
    } else {
      let row = learned.codeNumber(scan.row - ScanCoder.firstPlace, bitCount: 7, Slot.place, &coder)
      let column = learned.codeNumber(scan.column - ScanCoder.firstPlace, bitCount: 7, Slot.place, &coder)
      placed = scan.moved(row: row + ScanCoder.firstPlace, column: column + ScanCoder.firstPlace)
    }
    let original = coder.isReading ? nil : try Buffer<UInt8>(copying: image, count: width * height)
    draw(picture, placed, into: image)
    var before = 0
    for place in 0..<picture.ties.count where picture.ties.base[place] != 0 {
      guard let index = imageIndex(place, placed) else { continue }
      let value = Int(image[index])
      let other = Resampler.neighbour(value)
      let isOther = original.map { Int($0.base[index]) == other ? 1 : 0 } ?? 0
      let kind = value == 255 ? 0 : value < 128 ? 1 : 2
      if learned.code(isOther, Slot.tie + kind * 4 + before, &coder) != 0 {
        image[index] = UInt8(truncatingIfNeeded: other)
        if value == 255 { before |= 1 }
      } else if value == 255 {
        before |= 2
      }
    }
    var missCount = 0
    var from = 0
    while true {
      var place = from
      var value = 0
      var isMiss = false
      if let original {
        while place < picture.pixels.count {
          if let index = imageIndex(place, placed), original.base[index] != image[index] {
            value = Int(original.base[index])
            isMiss = true
            break
          }
          place += 1
        }
      }
      guard learned.code(isMiss ? 1 : 0, Slot.hasMiss + (missCount == 0 ? 0 : 1), &coder) != 0 else { break }
      place = learned.codeNumber(place, bitCount: 9, Slot.missPlace, &coder)
      value = learned.codeNumber(value, bitCount: 8, Slot.missValue, &coder)
      guard place < picture.pixels.count, let index = imageIndex(place, placed),
        missCount < ScanCoder.largestMissCount
      else { throw ScanCoder.damage() }
      image[index] = UInt8(truncatingIfNeeded: value)
      from = place + 1
      missCount += 1
    }
  }
}

// Scans: drawing them, finding them again from what was drawn, and the neighbourhoods that predictors see.

import Core
import Lossless
import Testing

/// A scan of a thick ring or bar whose edge is as rough as ink's, drawn by integer arithmetic.
private func drawnScan(side: Int, seed: Int) throws -> Scan {
  let (height, width) = seed % 2 == 0 ? (side, side * 2 / 3) : (side, side)
  let ink = try Buffer<UInt8>(count: height * width)
  for row in 0..<height {
    for column in 0..<width {
      // An ellipse that fills the box, with a hole, and a stroke through it.
      let y = (2 * row + 1 - height) * 1000 / height
      let x = (2 * column + 1 - width) * 1000 / width
      let radius = x * x + y * y
      let wobble = (row * 7 + seed * 13) % 5 * 20_000
      let isRing = radius <= 1_000_000 && radius >= 330_000 + wobble
      let isStroke = abs(x - y / 2) < 150 && abs(y) < 900
      ink[row * width + column] = isRing || (seed % 3 == 0 && isStroke) ? 1 : 0
    }
  }
  // The box must be tight.
  for column in 0..<width where (column - width / 2).magnitude < 3 {
    ink[column] = 1
    ink[(height - 1) * width + column] = 1
  }
  for row in 0..<height where (row - height / 2).magnitude < 3 {
    ink[row * width] = 1
    ink[row * width + width - 1] = 1
  }
  return Scan(
    side: side, top: 0, left: Scan.margin(side: side, extent: width), height: height, width: width, row: 4,
    column: 4, ink: ink)
}

/// The scan's box in a blank image of 28 x 28.
private func image(of scan: Scan) throws -> [UInt8] {
  let picture = try ScanPicture(scan)
  var image = [UInt8](repeating: 0, count: 784)
  for row in 0..<20 {
    for column in 0..<20 {
      image[(row + scan.row) * 28 + column + scan.column] = picture.pixels[row * 20 + column]
    }
  }
  return image
}

/// The same of a scan of 35 rows whose row and column 7 were drawn as if they began a little before pixel 4.
private func slippedImage(of scan: Scan) -> [UInt8] {
  func shares(_ y: Int) -> [(target: Int, weight: Int)] {
    let (start, unit) = (100 * y, 5 * 35)
    let (a, b) = (start / unit, (start + 98) / unit)
    if y == 7 { return [(3, 1), (4, 99_000)] }
    if a == b { return [(a, 100_000)] }
    return [(a, 1000 * (unit * (a + 1) - start)), (b, 1000 * (start + 99 - unit * b))]
  }
  var areas = [Int](repeating: 0, count: 400)
  for row in 0..<scan.height {
    for column in 0..<scan.width where scan.ink[row * scan.width + column] != 0 {
      for y in shares(scan.top + row) {
        for x in shares(scan.left + column) { areas[y.target * 20 + x.target] += y.weight * x.weight }
      }
    }
  }
  let largest = areas.max() ?? 1
  var image = [UInt8](repeating: 0, count: 784)
  for index in 0..<400 {
    image[(index / 20 + scan.row) * 28 + index % 20 + scan.column] =
      UInt8(128 + (255 * areas[index] - 128 * largest) / largest)
  }
  return image
}

@Suite struct ScanTests {
  @Test func aScanOfTwiceTheBoxGivesQuartersOfFullInk() throws {
    // Two by two scan pixels under each pixel, unsplit: 0, 64, 128, 191, 255, as MNIST's digits of that size.
    var values: Set<UInt8> = []
    let ink = try Buffer<UInt8>(count: 1600)
    for index in 0..<1600 { ink[index] = index % 40 == 0 || index % 7 < 3 || index / 40 % 3 == 0 ? 1 : 0 }
    let scan = Scan(side: 40, top: 0, left: 0, height: 40, width: 40, row: 0, column: 0, ink: ink)
    for value in try ScanPicture(scan).pixels.array { values.insert(value) }
    #expect(values.isSubset(of: [0, 64, 128, 191, 255]))
    #expect(values.contains(255))
  }

  @Test func aPixelThatAScanPixelsEdgeCutsIsALittleLighter() throws {
    // Thirds: the second row of the box gets 0.66 - 0.333 and 0.667 of its rows, 0.9933 of full ink.
    let ink = try Buffer<UInt8>(count: 900)
    for index in 0..<900 { ink[index] = 1 }
    let picture = try ScanPicture(
      Scan(side: 30, top: 0, left: 0, height: 30, width: 30, row: 0, column: 0, ink: ink))
    #expect(picture.pixels[0] == 255)
    #expect(picture.pixels[1] == 253)
    #expect(picture.pixels[20] == 253)
    #expect(picture.pixels[21] == 251)
  }

  @Test(arguments: [22, 27, 30, 36, 41, 45, 52, 60])
  func aScanIsFoundFromWhatItDraws(side: Int) throws {
    let search = try ScanSearch(width: 28, height: 28)
    for seed in 0..<3 {
      let drawn = try image(of: try drawnScan(side: side, seed: seed))
      let found = try #require(
        try drawn.withUnsafeBufferPointer { try search.find($0.baseAddress!) }, "side \(side), seed \(seed)")
      let again = try image(of: found)
      var off = 0
      for index in 0..<784 where again[index] != drawn[index] { off += 1 }
      #expect(off <= ScanSearch.largestMissCount, "side \(side), seed \(seed)")
    }
  }

  @Test func aScanWhoseEdgesSlippedIsFound() throws {
    let search = try ScanSearch(width: 28, height: 28)
    for seed in 0..<3 {
      let drawn = slippedImage(of: try drawnScan(side: 35, seed: seed))
      let found = try #require(
        try drawn.withUnsafeBufferPointer { try search.find($0.baseAddress!) }, "seed \(seed)")
      #expect(found.side == 35)
      let again = slippedImage(of: found)
      var off = 0
      for index in 0..<784 where again[index] != drawn[index] { off += 1 }
      #expect(off <= ScanSearch.largestMissCount, "seed \(seed)")
    }
  }

  @Test func imagesThatNoScanDrawsHaveNone() throws {
    let search = try ScanSearch(width: 28, height: 28)
    var noise = [UInt8](repeating: 0, count: 784)
    for index in 0..<784 { noise[index] = UInt8(truncatingIfNeeded: index &* 2_654_435_761 >> 11) }
    let blank = [UInt8](repeating: 0, count: 784)
    let inverted = try image(of: try drawnScan(side: 40, seed: 1)).map { 255 - $0 }
    for image in [noise, blank, inverted] {
      #expect(try image.withUnsafeBufferPointer { try search.find($0.baseAddress!) } == nil)
    }
  }

  @Test func aContextHoldsTheNeighboursThatAreThere() throws {
    let scan = try drawnScan(side: 41, seed: 1)
    let raster = try ScanRaster(scan)
    func ink(_ row: Int, _ column: Int) -> UInt64 {
      (0..<scan.height).contains(row) && (0..<scan.width).contains(column)
        ? UInt64(scan.ink[row * scan.width + column]) : 0
    }
    let bytes = try Buffer<UInt8>(count: ScanRaster.inputCount)
    for row in 0..<scan.height {
      for column in 0..<scan.width {
        var expected: UInt64 = 0
        var bit: UInt64 = 0
        for up in stride(from: 5, through: 1, by: -1) {
          for across in -5...5 {
            expected |= ink(row - up, column + across) << bit
            bit += 1
          }
        }
        for back in stride(from: 6, through: 1, by: -1) {
          expected |= ink(row, column - back) << bit
          bit += 1
        }
        let context = raster.context(row, column)
        #expect(context == expected, "\(row), \(column)")
        raster.inputs(row, column, context, into: bytes.base)
        for index in 0..<ScanRaster.neighbourCount {
          #expect(bytes[index] == (context >> UInt64(index) & 1 == 0 ? 0 : 255))
        }
        #expect(Int(bytes[61]) == row && Int(bytes[62]) == scan.height - 1 - row)
        #expect(Int(bytes[63]) == column && Int(bytes[64]) == scan.width - 1 - column && bytes[65] == 82)
      }
    }
  }

  @Test func aRasterGivesItsScanBack() throws {
    let scan = try drawnScan(side: 33, seed: 0)
    let again = try ScanRaster(scan).scan(like: scan)
    #expect(again.ink.array == scan.ink.array && again.left == scan.left && again.row == scan.row)
  }
}

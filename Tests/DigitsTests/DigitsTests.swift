// Drawn digits: the same bytes for a seed everywhere, each image on its own, parameters that tell the
// truth. How like MNIST they are is measured in NearestNeighbourTests.

import Bytes
import Compute
import Core
import Digits
import Storage
import Testing

/// The CRC-32 of a set's pixels.
func crc(_ set: ImageSet) -> UInt32 { Checksum.crc32(set.pixels.base, set.pixels.count) }

func crc(_ parameters: Buffer<Float>) -> UInt32 {
  Checksum.crc32(UnsafeRawPointer(parameters.base).assumingMemoryBound(to: UInt8.self), 4 * parameters.count)
}

/// The code of the error that `body` throws, or nil.
func code(_ body: () throws(AEError) -> Void) -> AEError.Code? {
  do {
    try body()
    return nil
  } catch {
    return error.code
  }
}

/// The centre of mass of one image, pixels counted from 0.
func centreOfMass(_ pixels: UnsafePointer<UInt8>, width: Int, height: Int) -> (x: Double, y: Double) {
  var mass = 0.0
  var x = 0.0
  var y = 0.0
  for row in 0..<height {
    for column in 0..<width {
      let grey = Double(pixels[row * width + column])
      mass += grey
      x += grey * Double(column)
      y += grey * Double(row)
    }
  }
  return (x / mass, y / mass)
}

@Test("the first hundred digits of seed 1 are the bytes they have always been")
func pinnedBytes() throws {
  let (set, parameters) = try PenDigits.draw(count: 100, seed: 1)
  #expect(crc(set) == 1_410_828_730)
  #expect(crc(parameters) == 609_437_559)
}

@Test("an image depends on seed and number alone: not on the count, the start or the threads")
func imagesStandAlone() throws {
  let before = threadCount
  let (long, longParameters) = try PenDigits.draw(count: 300, seed: 7)
  setThreadCount(1)
  let (short, shortParameters) = try PenDigits.draw(count: 70, seed: 7, first: 200)
  setThreadCount(before)
  let size = long.imageSize
  #expect(short.pixels.array == Array(long.pixels.array[200 * size..<270 * size]))
  let width = PenDigits.parameterCount
  #expect(shortParameters.array == Array(longParameters.array[200 * width..<270 * width]))
  #expect(short.labels == Array(long.labels![200..<270]))
  let alone = try PenDigits.parameters(image: 250, seed: 7)
  #expect(alone.values == Array(longParameters.array[250 * width..<251 * width]))
  #expect(try crc(PenDigits.draw(count: 70, seed: 8).set) != crc(PenDigits.draw(count: 70, seed: 7).set))
}

@Test("drawing the recorded parameters gives the recorded images again")
func parametersReproduceImages() throws {
  let (set, parameters) = try PenDigits.draw(count: 200, seed: 3)
  let again = try PenDigits.draw(parameters: parameters.base, count: 200)
  #expect(again.pixels.array == set.pixels.array)
  #expect(again.labels == set.labels)
  let one = try Buffer<UInt8>(count: set.imageSize)
  let row = PenParameters(row: parameters.base + 42 * PenDigits.parameterCount)
  try PenDigits.draw(row, into: one.base)
  #expect(one.array == Array(set.pixels.array[42 * set.imageSize..<43 * set.imageSize]))
}

@Test("every parameter lies in its variant's range, every range in the limits, and labels tell the digit")
func parametersLieInRange() throws {
  let count = 2000
  let (set, parameters) = try PenDigits.draw(count: count, seed: 11)
  var seen = [Int](repeating: 0, count: 10)
  for image in 0..<count {
    let row = PenParameters(row: parameters.base + image * PenDigits.parameterCount)
    let digit = Int(row[.digit])
    let variant = Int(row[.variant])
    #expect(Int(set.labels![image]) == digit)
    seen[digit] += 1
    for index in 0..<PenDigits.parameterCount {
      let parameter = PenParameter(index: index)!
      let spread = try PenDigits.spread(of: parameter, digit: digit, variant: variant)
      let value = row[parameter]
      #expect(value >= spread.lowest && value <= spread.highest, "\(parameter.name) \(value)")
      #expect(parameter.limits.contains(spread.lowest) && parameter.limits.contains(spread.highest))
    }
  }
  // 200 each, give or take five standard deviations.
  for digit in 0...9 { #expect((133...267).contains(seen[digit])) }
}

@Test("random parameters have the mean and the deviation that their ranges state")
func parametersAreSpreadAsStated() throws {
  var options = PenOptions()
  options.digit = 3
  options.variant = 0
  let count = 4000
  let (_, parameters) = try PenDigits.draw(count: count, seed: 5, options: options)
  for index in 2..<PenDigits.parameterCount {
    let parameter = PenParameter(index: index)!
    let spread = try PenDigits.spread(of: parameter, digit: 3, variant: 0)
    var sum = 0.0
    var squares = 0.0
    for image in 0..<count {
      let value = Double(parameters[image * PenDigits.parameterCount + index]) - Double(spread.mean)
      sum += value
      squares += value * value
    }
    let deviation = Double(spread.deviation)
    #expect(abs(sum / Double(count)) <= 0.08 * deviation + 1e-6, "\(parameter.name)")
    #expect(abs((squares / Double(count)).squareRoot() - deviation) <= 0.06 * deviation + 1e-6)
  }
}

@Test("ink has its centre of mass in the middle, moved by the shift, and its box is twenty pixels")
func inkIsCentred() throws {
  let (set, parameters) = try PenDigits.draw(count: 500, seed: 2)
  for image in 0..<set.count {
    let row = PenParameters(row: parameters.base + image * PenDigits.parameterCount)
    let pixels = set.pixels.base + image * set.imageSize
    let centre = centreOfMass(pixels, width: 28, height: 28)
    #expect(abs(centre.x - 14 - Double(row[.shiftX])) < 0.75)
    #expect(abs(centre.y - 14 - Double(row[.shiftY])) < 0.75)
    var rows = 0
    var columns = 0
    for i in 0..<28 {
      if (0..<28).contains(where: { pixels[28 * i + $0] > 50 }) { rows += 1 }
      if (0..<28).contains(where: { pixels[28 * $0 + i] > 50 }) { columns += 1 }
    }
    #expect((18...22).contains(max(rows, columns)), "\(rows) rows, \(columns) columns")
  }
}

@Test("grey levels are like MNIST's: mostly paper, a saturated core, a grey edge")
func greyLevels() throws {
  let (set, _) = try PenDigits.draw(count: 1000, seed: 4)
  var paper = 0
  var core = 0
  for pixel in set.pixels.array {
    if pixel == 0 { paper += 1 }
    if pixel >= 250 { core += 1 }
  }
  let total = Double(set.pixels.count)
  #expect((0.76...0.86).contains(Double(paper) / total))
  #expect((0.04...0.11).contains(Double(core) / total))
}

@Test("only the free parameters vary, and a free one has the value it has when all are free")
func freeParameters() throws {
  var options = PenOptions()
  options.digit = 7
  options.variant = 1
  let (_, all) = try PenDigits.draw(count: 50, seed: 9, options: options)
  options.free = [PenParameterSet(.slant), PenParameterSet(.thickness), PenParameterSet(.form(1))]
  let (set, some) = try PenDigits.draw(count: 50, seed: 9, options: options)
  let mean = try PenParameters(digit: 7, variant: 1)
  for image in 0..<50 {
    let full = PenParameters(row: all.base + image * PenDigits.parameterCount)
    let row = PenParameters(row: some.base + image * PenDigits.parameterCount)
    #expect(set.labels![image] == 7)
    for index in 0..<PenDigits.parameterCount {
      let parameter = PenParameter(index: index)!
      #expect(row[parameter] == (options.free.contains(parameter) ? full[parameter] : mean[parameter]))
    }
  }
  options.free = []
  let fixed = try PenDigits.draw(count: 3, seed: 9, options: options).set
  let size = fixed.imageSize
  #expect(fixed.pixels.array.prefix(size) == fixed.pixels.array.suffix(size))
}

@Test("a small change of a parameter is a small change of the image")
func imagesAreContinuous() throws {
  let a = try Buffer<UInt8>(count: 784)
  let b = try Buffer<UInt8>(count: 784)
  for digit in 0...9 {
    for variant in 0..<PenDigits.variantCount(digit: digit) {
      let mean = try PenParameters(digit: digit, variant: variant)
      try PenDigits.draw(mean, into: a.base)
      for index in 2..<PenDigits.parameterCount {
        let parameter = PenParameter(index: index)!
        let spread = try PenDigits.spread(of: parameter, digit: digit, variant: variant)
        var moved = mean
        moved[parameter] += spread.deviation / 100
        try PenDigits.draw(moved, into: b.base)
        for i in 0..<784 {
          #expect(abs(Int(a[i]) - Int(b[i])) <= 12, "\(parameter.name) of \(digit), variant \(variant)")
        }
      }
    }
  }
}

@Test("every knot that a design leaves out has no displacement, and every design has knots")
func designsAreRead() throws {
  for digit in 0...9 {
    let variants = PenDigits.variantCount(digit: digit)
    #expect(variants >= 2)
    for variant in 0..<variants {
      var knots = 0
      while knots < PenParameter.knotCount,
        try PenDigits.spread(of: .jitterX(knots), digit: digit, variant: variant).deviation > 0
      { knots += 1 }
      #expect(knots >= 4)
      #expect(try PenDigits.spread(of: .form(0), digit: digit, variant: variant).deviation > 0)
    }
  }
}

@Test(
  "other sizes show the same digits",
  arguments: [(14, 14), (20, 32), (56, 56), (64, 40), (280, 280)])
func otherSizes(width: Int, height: Int) throws {
  var options = PenOptions()
  options.width = width
  options.height = height
  let (set, parameters) = try PenDigits.draw(count: 40, seed: 6, options: options)
  #expect(set.width == width && set.height == height && set.pixels.count == 40 * width * height)
  let (usual, usualParameters) = try PenDigits.draw(count: 40, seed: 6)
  #expect(parameters.array == usualParameters.array)
  let scale = Double(min(width, height)) / 28
  for image in 0..<40 {
    let row = PenParameters(row: parameters.base + image * PenDigits.parameterCount)
    let pixels = set.pixels.base + image * width * height
    let centre = centreOfMass(pixels, width: width, height: height)
    #expect(abs(centre.x - Double(width) / 2 - Double(row[.shiftX]) * scale) < 0.75 * scale + 0.25)
    #expect(abs(centre.y - Double(height) / 2 - Double(row[.shiftY]) * scale) < 0.75 * scale + 0.25)
    // As much of the field is inked as at the usual size.
    var ink = 0
    for i in 0..<width * height { ink += Int(pixels[i]) }
    var usualInk = 0
    for i in 0..<784 { usualInk += Int(usual.pixels[image * 784 + i]) }
    let ratio = Double(ink) / (Double(usualInk) * scale * scale)
    #expect((0.8...1.3).contains(ratio), "\(ratio)")
  }
}

@Test("parameters, options and sizes out of range are refused by name")
func nonsenseIsRefused() throws {
  let pixels = try Buffer<UInt8>(count: 784)
  for bad in [Float.nan, .infinity, -.infinity, 1e30, -1e30] {
    for index in 0..<PenDigits.parameterCount {
      var parameters = try PenParameters(digit: 5)
      parameters[PenParameter(index: index)!] = bad
      #expect(code { () throws(AEError) in try PenDigits.draw(parameters, into: pixels.base) } == .argument)
    }
  }
  var half = try PenParameters(digit: 5)
  half[.digit] = 5.5
  #expect(code { () throws(AEError) in try PenDigits.draw(half, into: pixels.base) } == .argument)
  half[.digit] = 5
  half[.variant] = 9
  #expect(code { () throws(AEError) in try PenDigits.draw(half, into: pixels.base) } == .argument)

  do {
    var wild = try PenParameters(digit: 5)
    wild[.slant] = 1000
    try PenDigits.draw(wild, into: pixels.base)
    Issue.record("a slant of 1000 degrees was drawn")
  } catch {
    #expect(error.message.contains("slant") && error.message.contains("1000"))
  }

  var options = PenOptions()
  options.digit = 10
  #expect(
    code { () throws(AEError) in _ = try PenDigits.draw(count: 1, seed: 0, options: options) } == .argument)
  options.digit = 4
  options.variant = 50
  #expect(
    code { () throws(AEError) in _ = try PenDigits.draw(count: 1, seed: 0, options: options) } == .argument)
  options = PenOptions()
  options.width = 0
  #expect(
    code { () throws(AEError) in _ = try PenDigits.draw(count: 1, seed: 0, options: options) } == .argument)
  for count in [-1, Int.max] {
    #expect(code { () throws(AEError) in _ = try PenDigits.draw(count: count, seed: 0) } == .argument)
  }
  #expect(
    code { () throws(AEError) in _ = try PenDigits.draw(count: 2, seed: 0, first: .max) } == .argument)
  #expect(try PenDigits.draw(count: 0, seed: 0).set.count == 0)
}

@Test("the wildest parameters within the limits still give an image, and all of it is written")
func extremesAreDrawn() throws {
  var stream = RandomStream(seed: 12, stream: 0)
  let pixels = try Buffer<UInt8>(count: 28 * 28)
  let again = try Buffer<UInt8>(count: 28 * 28)
  var inked = 0
  for _ in 0..<3000 {
    let digit = stream.below(10)
    var parameters = try PenParameters(
      digit: digit, variant: stream.below(PenDigits.variantCount(digit: digit)))
    for index in 2..<PenDigits.parameterCount {
      let parameter = PenParameter(index: index)!
      switch stream.below(4) {
      case 0: parameters[parameter] = parameter.limits.lowerBound
      case 1: parameters[parameter] = parameter.limits.upperBound
      default: break
      }
    }
    try PenDigits.draw(parameters, into: pixels.base)
    for index in 0..<again.count { again[index] = 255 - pixels[index] }
    try PenDigits.draw(parameters, into: again.base)
    #expect(again.array == pixels.array, "\(parameters)")
    inked += pixels.array.contains { $0 > 0 } ? 1 : 0
  }
  #expect(inked > 1500)
}

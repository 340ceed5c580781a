// The designs: for every way of writing a digit, the knots that the pen passes through, how they move
// with the shape numbers, and how slant, width and the like are spread among writers. Pure data but
// for the reader of the two small notations, which keep a design to a line that can be edited by hand.
//
// Strokes: knots "x,y" in hundredths of a box of width and height 1, y downwards; "!" after a knot makes
// it a corner, which the curves do not round; "/" lifts the pen.
// Forms: "knot:dx,dy", the displacement of that knot, in hundredths, when the shape number is 1; knots
// are counted from 0 over all strokes.

import Core

/// One way of writing one digit.
struct Glyph: Sendable {
  let digit: Int
  let name: StaticString
  /// How often this variant is written, relative to the digit's others.
  let share: Float
  let knotX: [Float]
  let knotY: [Float]
  let isCorner: [Bool]
  let startsStroke: [Bool]
  /// [form][2 * knot + axis]
  let forms: [[Float]]
  let slant: (mean: Float, deviation: Float)
  let aspect: (mean: Float, deviation: Float)
  let thickness: Float
  /// Standard deviation of the shape numbers.
  let form: Float
  /// Standard deviation of the knots' displacements, box widths and heights.
  let jitter: Float

  var knotCount: Int { knotX.count }

  init(
    _ digit: Int, _ name: StaticString, share: Float, slant: (Float, Float), aspect: (Float, Float),
    thickness: Float, form: Float, jitter: Float, strokes: StaticString, forms: [StaticString]
  ) {
    self.digit = digit
    self.name = name
    self.share = share
    self.slant = slant
    self.aspect = aspect
    self.thickness = thickness
    self.form = form
    self.jitter = jitter

    var x: [Float] = []
    var y: [Float] = []
    var corner: [Bool] = []
    var start: [Bool] = []
    var reader = NotationReader(strokes)
    var starts = true
    while x.count < PenParameter.knotCount {
      if reader.skip(UInt8(ascii: "/")) { starts = true }
      guard let knotX = reader.hundredths(), reader.skip(UInt8(ascii: ",")),
        let knotY = reader.hundredths()
      else { break }
      x.append(knotX)
      y.append(knotY)
      corner.append(reader.skip(UInt8(ascii: "!")))
      start.append(starts)
      starts = false
    }
    knotX = x
    knotY = y
    isCorner = corner
    startsStroke = start

    var moves: [[Float]] = []
    for notation in forms {
      var move = [Float](repeating: 0, count: 2 * x.count)
      var reader = NotationReader(notation)
      while let knot = reader.number(), reader.skip(UInt8(ascii: ":")), let dx = reader.hundredths(),
        reader.skip(UInt8(ascii: ",")), let dy = reader.hundredths(), knot >= 0, knot < x.count
      {
        move[2 * knot] = dx
        move[2 * knot + 1] = dy
      }
      moves.append(move)
    }
    self.forms = moves
  }

  /// How the parameter of a column is spread in this variant.
  func spread(_ index: Int, variant: Int) -> PenSpread {
    switch index {
    case 0: .bell(Float(digit), 0)
    case 1: .bell(Float(variant), 0)
    case 2: .bell(slant.mean, slant.deviation, atLeast: -50, atMost: 50)
    case 3: .bell(0, 6)
    case 4: .bell(aspect.mean, aspect.deviation, atLeast: 0.15)
    case 5: .bell(thickness, 0.27 * thickness, atLeast: 0.4 * thickness)
    case 6: .bell(1, 0.12)
    case 7: .bell(0, 0.07)
    case 8: .uniform(253, 255)
    case 9: .bell(1.5, 0.05)
    case 10: .bell(19.4, 0)
    case 11, 12: .uniform(-0.5, 0.5)
    case 13: .bell(0, 0.08)
    case 14: .bell(0, 0.04)
    case 15: .bell(0, 0.04)
    case 16: .bell(0, 0.02)
    case 17...22: .bell(0, index - 17 < forms.count ? form : 0)
    default: .bell(0, (index - 23) / 2 < knotCount ? jitter : 0)
    }
  }
}

/// Reads the notations of this file.
private struct NotationReader {
  private let text: UnsafePointer<UInt8>
  private let count: Int
  private var offset = 0

  init(_ string: StaticString) {
    text = string.utf8Start
    count = string.utf8CodeUnitCount
  }

  private mutating func skipBlanks() {
    while offset < count && text[offset] == UInt8(ascii: " ") { offset += 1 }
  }

  mutating func skip(_ character: UInt8) -> Bool {
    skipBlanks()
    guard offset < count && text[offset] == character else { return false }
    offset += 1
    return true
  }

  mutating func number() -> Int? {
    skipBlanks()
    let isNegative = offset < count && text[offset] == UInt8(ascii: "-")
    var position = isNegative ? offset + 1 : offset
    var value = 0
    let first = position
    while position < count && position < first + 4, text[position] >= 48, text[position] <= 57 {
      value = 10 * value + Int(text[position] - 48)
      position += 1
    }
    guard position > first else { return nil }
    offset = position
    return isNegative ? -value : value
  }

  mutating func hundredths() -> Float? {
    guard let value = number() else { return nil }
    return Float(value) / 100
  }
}

enum Glyphs {
  /// The variants of a digit, in the order of their numbers.
  static let ofDigit: [[Glyph]] = (0...9).map { digit in all.filter { $0.digit == digit } }

  static func named(digit: Int, variant: Int) throws(AEError) -> Glyph {
    guard digit >= 0 && digit <= 9 else {
      throw AEError(.argument, "a digit is 0 to 9, not \(digit)")
    }
    let variants = ofDigit[digit]
    guard variant >= 0 && variant < variants.count else {
      throw AEError(
        .argument, "digit \(digit) has variants 0 to \(variants.count - 1), not \(variant)")
    }
    return variants[variant]
  }

  private static let all: [Glyph] = [
    Glyph(
      0, "closed", share: 104, slant: (10, 13), aspect: (0.82, 0.2), thickness: 2.8,
      form: 0.55, jitter: 0.027,
      strokes: "52,0 22,12 4,48 18,88 50,100 82,86 97,48 80,10 50,0",
      forms: [
        "0:6,8 8:-14,-2",
        "0:14,4 8:-4,16",
        "1:-8,6 7:10,6 3:6,0 5:-6,0",
        "1:-6,-6 5:6,6 3:8,-4 7:-8,4",
      ]),
    Glyph(
      0, "overshot", share: 35, slant: (13, 11), aspect: (0.82, 0.2), thickness: 2.65,
      form: 0.8, jitter: 0.028,
      strokes: "70,4 38,2 8,28 4,68 32,100 70,92 96,58 90,20 62,4 42,12",
      forms: ["0:14,8 9:-10,10", "2:-6,10 7:6,-6", "8:0,10 9:-4,16", "3:4,-10 6:-4,10"]),
    Glyph(
      1, "plain", share: 92, slant: (9, 13), aspect: (0.93, 0), thickness: 2.65,
      form: 0.55, jitter: 0.011,
      strokes: "50,0 50,33 50,67 50,100",
      forms: ["1:4,0 2:4,0", "3:5,0"]),
    Glyph(
      1, "flag", share: 2, slant: (6, 12), aspect: (0.94, 0.18), thickness: 2.5,
      form: 0.8, jitter: 0.016,
      strokes: "34,16 50,0! 50,50 50,100",
      forms: ["0:-10,4"]),
    Glyph(
      1, "flag and base", share: 5, slant: (13, 15), aspect: (0.74, 0.2), thickness: 2.15,
      form: 0.65, jitter: 0.028,
      strokes: "24,20 50,0! 50,50 50,100 / 14,100 86,100",
      forms: ["0:-8,4"]),
    Glyph(
      2, "open", share: 36, slant: (4, 17), aspect: (0.81, 0.27), thickness: 2.25,
      form: 1, jitter: 0.043,
      strokes: "6,24 32,2 68,6 82,28 62,58 32,82 2,98! 48,96 100,98",
      forms: [
        "0:4,12 1:-4,2",
        "4:-6,-6 5:-6,-4",
        "7:0,6 8:0,-12",
        "8:-22,0 7:-10,0",
        "0:-6,0 1:-8,0 2:-14,2 3:-16,0 4:-10,0",
        "6:4,-6 7:0,-2",
      ]),
    Glyph(
      2, "loop", share: 25, slant: (8, 15), aspect: (0.84, 0.18), thickness: 2.45,
      form: 0.75, jitter: 0.028,
      strokes: "8,20 34,1 70,6 80,30 58,62 26,92 6,86 18,72 48,84 74,96 100,88",
      forms: [
        "0:4,10 1:-4,2",
        "7:10,-6 6:-4,-4",
        "10:0,-14 9:0,-4",
        "10:-20,6 9:-6,0",
        "0:-6,0 1:-8,0 2:-10,2 3:-10,0 4:-6,0",
      ]),
    Glyph(
      2, "wide loop", share: 48, slant: (8, 15), aspect: (0.91, 0.29), thickness: 2.25,
      form: 1, jitter: 0.027,
      strokes: "16,22 40,0 70,14 66,44 40,80 14,97 0,82 14,64 44,72 72,86 100,80",
      forms: [
        "0:4,10 1:-4,2",
        "7:0,-8 6:-2,-4 8:0,-6",
        "10:0,14 9:0,8",
        "10:-18,0 9:-8,0",
        "0:-8,0 1:-4,0 2:8,0 3:8,0",
        "3:-4,-6 4:-8,-4",
      ]),
    Glyph(
      3, "round", share: 69, slant: (2, 15), aspect: (0.75, 0.16), thickness: 2.35,
      form: 0.55, jitter: 0.022,
      strokes: "6,14 40,0 80,10 78,32 38,46! 80,58 88,80 48,100 0,88",
      forms: [
        "0:4,8 8:6,-10",
        "4:14,0",
        "2:-6,0 3:-4,-4 4:0,-6 5:6,-4 6:8,0",
        "4:0,6 3:0,5 5:0,4",
        "0:-8,0 2:8,0 3:6,0 6:-8,0 5:-6,0",
        "8:-12,0 7:-4,0",
      ]),
    Glyph(
      3, "looped", share: 14, slant: (3, 17), aspect: (0.8, 0.12), thickness: 2.2,
      form: 0.8, jitter: 0.035,
      strokes: "6,14 40,0 78,8 76,32 46,48 36,42 56,50 86,64 84,88 40,100 0,88",
      forms: [
        "0:4,8 10:6,-10",
        "4:10,0 5:12,0 6:6,0",
        "2:-6,0 3:-4,-4 7:8,0 8:8,0",
        "4:0,6 5:0,6 6:0,6 3:0,4",
        "5:-8,4",
      ]),
    Glyph(
      3, "flat top", share: 22, slant: (3, 12), aspect: (0.72, 0.2), thickness: 2.3,
      form: 0.8, jitter: 0.027,
      strokes: "4,4 40,4 86,2! 62,22 38,40! 78,54 88,80 46,100 0,90",
      forms: ["0:0,-4 2:6,0", "4:10,0", "8:6,-8", "2:-12,0 1:-4,0", "4:0,-6 5:4,-6", "0:0,8"]),
    Glyph(
      4, "open", share: 78, slant: (6, 19), aspect: (0.76, 0.21), thickness: 2.3,
      form: 0.8, jitter: 0.027,
      strokes: "14,4 8,30 4,54! 40,52 96,46 / 84,0 76,48 70,100",
      forms: [
        "0:10,-2 2:-4,2",
        "4:12,-6",
        "0:4,14 1:2,8",
        "5:-10,0 6:-8,0 7:-6,0",
        "2:6,6 3:4,6 4:0,6",
        "7:-8,0 5:6,0",
      ]),
    Glyph(
      4, "closed", share: 15, slant: (0, 16), aspect: (0.76, 0.13), thickness: 2.3,
      form: 1, jitter: 0.027,
      strokes: "68,0 34,30 2,62! 44,62 98,60 / 68,0 66,50 64,100",
      forms: ["0:-4,0 5:4,0", "2:0,6 4:0,6", "5:8,0 6:6,0 7:4,0", "4:-12,0"]),
    Glyph(
      4, "one stroke", share: 25, slant: (3, 13), aspect: (0.8, 0.21), thickness: 2.45,
      form: 0.65, jitter: 0.027,
      strokes: "12,6 6,30 16,50 46,52 76,36 88,2! 80,40 68,100",
      forms: [
        "0:6,-6 1:0,-4",
        "5:0,12 6:0,4",
        "2:-6,6 3:0,6",
        "7:8,0",
        "0:4,14 1:4,8",
        "4:0,10 3:-4,2",
      ]),
    Glyph(
      5, "cornered", share: 65, slant: (9, 14), aspect: (0.85, 0.2), thickness: 2.15,
      form: 0.65, jitter: 0.035,
      strokes: "24,6 16,26 12,46! 48,38 82,58 70,88 36,100 0,90 / 24,6 58,4 98,0",
      forms: [
        "0:8,0 1:6,0 8:8,0",
        "3:0,6 2:0,6 4:0,4",
        "7:0,-10 6:4,-2",
        "10:-18,0 9:-8,0",
        "10:0,-8 8:0,4 0:0,4",
        "4:-10,0 5:-10,0 3:-4,0",
      ]),
    Glyph(
      5, "one stroke", share: 39, slant: (9, 14), aspect: (0.81, 0.26), thickness: 2.3,
      form: 0.8, jitter: 0.035,
      strokes: "96,2 60,4 26,10! 18,28 16,46! 50,40 80,60 68,88 34,100 0,88",
      forms: [
        "0:10,-4",
        "4:0,6 5:0,6 6:0,4",
        "9:0,-10 8:4,-2",
        "2:8,0 3:6,0",
        "0:-18,0 1:-8,0",
        "6:-10,0 7:-10,0 5:-4,0",
      ]),
    Glyph(
      5, "curved", share: 20, slant: (15, 17), aspect: (0.85, 0.2), thickness: 2.3,
      form: 0.8, jitter: 0.046,
      strokes: "88,4 52,2 26,16 26,34 52,46 76,62 72,86 40,100 4,90",
      forms: [
        "0:10,2",
        "2:-6,4 3:-6,4",
        "8:0,-8",
        "3:4,-6 4:4,-6 5:4,-4",
        "0:-14,0",
        "5:-8,0 6:-10,0",
      ]),
    Glyph(
      6, "curved stem", share: 38, slant: (0, 12), aspect: (0.74, 0.21), thickness: 2.25,
      form: 0.65, jitter: 0.027,
      strokes: "66,0 34,22 10,54 8,82 34,100 68,92 80,70 56,56 28,66 12,88",
      forms: [
        "0:14,2",
        "1:8,-2 2:6,-2",
        "7:0,-6 8:0,-6 6:4,-6",
        "9:4,-6",
        "5:10,0 6:12,0 7:6,0",
      ]),
    Glyph(
      6, "straight stem", share: 65, slant: (0, 10), aspect: (0.78, 0.17), thickness: 2.25,
      form: 0.8, jitter: 0.027,
      strokes: "48,0 24,32 6,66 16,96 48,100 82,88 86,68 58,64 22,90",
      forms: ["0:-10,0 1:-8,0", "6:4,-8 7:0,-8", "8:-6,0", "0:16,4", "8:8,-14 7:0,-4"]),
    Glyph(
      7, "plain", share: 57, slant: (-1, 14), aspect: (0.82, 0.16), thickness: 2.4,
      form: 0.8, jitter: 0.035,
      strokes: "2,14 42,8 94,2! 72,34 54,66 40,100",
      forms: [
        "0:4,6",
        "2:-6,6",
        "3:6,0 4:6,0",
        "5:-10,0 4:-4,0",
        "0:12,0",
        "1:0,-4 2:-4,6 3:4,0",
      ]),
    Glyph(
      7, "serif", share: 29, slant: (-1, 14), aspect: (0.82, 0.12), thickness: 2.4,
      form: 0.8, jitter: 0.027,
      strokes: "4,24 8,6! 46,6 92,3! 70,34 54,66 42,100",
      forms: ["0:0,8", "3:-6,6", "4:6,0 5:6,0", "6:-10,0 5:-4,0", "1:10,0 0:10,0"]),
    Glyph(
      7, "barred", share: 11, slant: (5, 12), aspect: (0.78, 0.2), thickness: 2.4,
      form: 0.65, jitter: 0.027,
      strokes: "2,10 42,7 92,4! 68,36 52,66 40,100 / 24,54 84,48",
      forms: ["6:-6,0 7:6,0", "3:6,0 4:6,0", "6:0,-6 7:0,-6", "0:8,4", "7:8,-4", "5:-8,0"]),
    Glyph(
      7, "round", share: 8, slant: (-1, 14), aspect: (0.82, 0.2), thickness: 2.4,
      form: 0.8, jitter: 0.046,
      strokes: "6,22 34,3 76,4 88,22 66,60 44,100",
      forms: ["0:0,10", "3:0,6 2:-4,2", "5:-8,0", "4:10,0"]),
    Glyph(
      8, "one stroke", share: 72, slant: (10, 13), aspect: (0.74, 0.13), thickness: 2.5,
      form: 0.65, jitter: 0.027,
      strokes: "88,10 52,0 18,14 28,38 62,58 74,84 40,100 10,86 28,60 62,38 88,10",
      forms: [
        "0:10,4 10:-6,8",
        "2:-10,0 3:-6,0 9:4,0 0:4,0 10:4,0",
        "5:10,0 4:4,0 7:-10,0 8:-4,0",
        "4:0,-7 8:0,-7 3:0,-7 9:0,-7 7:0,-2 5:0,-2",
        "0:16,-2 1:6,0 10:-8,10 9:-4,4",
        "5:-6,0 6:-7,0 7:-7,0 4:-4,0 8:-4,0",
      ]),
    Glyph(
      8, "two loops", share: 15, slant: (7, 16), aspect: (0.78, 0.13), thickness: 2.35,
      form: 0.65, jitter: 0.027,
      strokes: "52,46 22,36 20,10 52,0 82,12 78,36 52,46 20,60 14,86 50,100 86,86 82,60 52,46",
      forms: [
        "1:-5,0 2:-5,0 4:5,0 5:5,0",
        "7:5,0 8:5,0 10:-5,0 11:-5,0",
        "0:0,-6 6:0,-6 12:0,-6 1:0,-4 5:0,-4",
        "7:-5,0 8:-6,0 9:-4,0 10:-5,0 11:-4,0",
      ]),
    Glyph(
      8, "open", share: 32, slant: (7, 13), aspect: (0.7, 0.17), thickness: 2.2,
      form: 0.8, jitter: 0.027,
      strokes: "100,6 58,0 24,16 34,38 64,58 70,84 34,100 6,84 26,60 56,42 80,22",
      forms: [
        "0:8,6",
        "10:4,-12 9:0,-4",
        "2:-8,0 3:-6,0",
        "5:8,0 7:-8,0",
        "3:0,-6 4:0,-6 8:0,-6 9:0,-6",
        "0:-16,2 1:-8,0",
      ]),
    Glyph(
      9, "straight", share: 55, slant: (9, 19), aspect: (0.66, 0.11), thickness: 2.25,
      form: 0.65, jitter: 0.027,
      strokes: "86,10 48,0 8,20 10,40 44,44 80,16 90,2! 82,50 68,100",
      forms: [
        "0:0,6 6:0,6",
        "2:0,-3 3:0,-8 4:0,-10 5:0,-4",
        "8:-16,0 7:-8,0",
        "2:0,4 3:4,10 4:6,8",
        "0:-14,-4 1:-6,0",
        "1:-4,0 2:-8,0 3:-6,0",
      ]),
    Glyph(
      9, "curved", share: 30, slant: (3, 12), aspect: (0.7, 0.13), thickness: 2.1,
      form: 1, jitter: 0.035,
      strokes: "80,14 48,0 10,18 12,40 46,46 78,26 88,10 84,44 70,78 44,100",
      forms: [
        "8:0,6 9:-12,-2",
        "2:0,-3 3:0,-6 4:0,-8",
        "6:0,4",
        "9:-16,-6",
        "0:-12,-6 1:-6,0",
      ]),
    Glyph(
      9, "loop on a stem", share: 15, slant: (13, 17), aspect: (0.62, 0.12), thickness: 2.1,
      form: 0.65, jitter: 0.027,
      strokes: "88,6 58,0 20,8 6,26 26,38 64,28 88,6! 78,52 66,100",
      forms: ["0:-8,2", "3:0,4 4:0,5", "8:-16,0 7:-8,0", "6:4,-8 0:0,6", "2:-6,0 3:-6,0"]),
  ]
}

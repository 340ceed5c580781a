// The numbers that a pen digit is drawn from: their names, units and limits, and the values of one
// image. Apart from the drawing, because the parameters are data in their own right: they are recorded
// beside every image as the known coordinates of the manifold that the images lie on.

import Compute
import Core

/// One of the numbers that a digit is drawn from: a position in the row of parameters of an image.
public struct PenParameter: Sendable, Equatable {
  /// The column, 0 ..< `PenParameter.count`.
  public let index: Int

  init(_ index: Int) { self.index = index }

  /// The parameter of a column, or nil if there is none.
  public init?(index: Int) {
    guard index >= 0 && index < PenParameter.count else { return nil }
    self.index = index
  }

  /// How many shape numbers a variant has at most.
  public static let formCount = 6
  /// How many knots a variant has at most.
  public static let knotCount = 16
  /// How many parameters an image has.
  public static let count = 17 + formCount + 2 * knotCount

  /// The label, 0 ... 9.
  public static let digit = PenParameter(0)
  /// Which way of writing the digit, counted from 0.
  public static let variant = PenParameter(1)
  /// The lean of uprights to the right, degrees.
  public static let slant = PenParameter(2)
  /// The turn of the whole figure against the clock, degrees.
  public static let rotation = PenParameter(3)
  /// The width of the design's box over its height, before slant and rotation.
  public static let aspect = PenParameter(4)
  /// The width of the pen's trace, pixels of a 28 x 28 field.
  public static let thickness = PenParameter(5)
  /// How far curves swing out between knots: 0 draws straight lines, 1 near-circular arcs.
  public static let curvature = PenParameter(6)
  /// How pressure falls from the first point to the last: the width is 1 + taper times thickness at the
  /// start and 1 - taper times thickness at the end.
  public static let taper = PenParameter(7)
  /// The grey level of a fully covered pixel, 0 ... 255.
  public static let ink = PenParameter(8)
  /// The width of the grey edge, pixels of a 28 x 28 field.
  public static let edge = PenParameter(9)
  /// The longer side of the inked box, pixels of a 28 x 28 field.
  public static let size = PenParameter(10)
  /// The centre of mass, right of the middle, pixels of a 28 x 28 field.
  public static let shiftX = PenParameter(11)
  /// The centre of mass, below the middle, pixels of a 28 x 28 field.
  public static let shiftY = PenParameter(12)
  /// How much wider the top is than the bottom, a fraction of the width.
  public static let topWeight = PenParameter(13)
  /// How far the middle is pushed down, a fraction of the height.
  public static let waist = PenParameter(14)
  /// How far the middle is pushed right, a fraction of the width.
  public static let bow = PenParameter(15)
  /// How far the middle column is pushed down against the sides, a fraction of the height.
  public static let arch = PenParameter(16)

  /// A shape number of the variant (loop size, length of a bar, ...): how many times the displacements of
  /// its design are added. `number` counts from 0 and is taken modulo `formCount`.
  public static func form(_ number: Int) -> PenParameter { PenParameter(17 + wrapped(number, formCount)) }

  /// How far a knot is displaced to the right, box widths. `knot` counts from 0 over all strokes and is
  /// taken modulo `knotCount`.
  public static func jitterX(_ knot: Int) -> PenParameter {
    PenParameter(17 + formCount + 2 * wrapped(knot, knotCount))
  }

  /// How far a knot is displaced downwards, box heights. `knot` counts from 0 over all strokes and is
  /// taken modulo `knotCount`.
  public static func jitterY(_ knot: Int) -> PenParameter {
    PenParameter(18 + formCount + 2 * wrapped(knot, knotCount))
  }

  private static func wrapped(_ number: Int, _ count: Int) -> Int {
    let rest = number % count
    return rest < 0 ? rest + count : rest
  }

  /// The name, such as "slant" or "jitter x 3".
  public var name: StaticString { PenDigits.parameterNames[index] }

  /// The unit, such as "degree"; "1" for a pure number.
  public var unit: StaticString { PenDigits.parameterUnits[index] }

  /// The values that a caller may ask for. What is drawn at random keeps well within them.
  public var limits: ClosedRange<Float> {
    switch index {
    case 0: 0...9
    case 1: 0...15
    case 2: -75...75
    case 3: -180...180
    case 4: 0.05...10
    case 5: 0.1...14
    case 6: 0...3
    case 7: -1...1
    case 8: 0...255
    case 9: 0.1...4
    case 10: 2...28
    case 11, 12: -14...14
    case 13...16: -1...1
    case 17...22: -5...5
    default: -1...1
    }
  }
}

/// A set of parameters, one bit a column.
public struct PenParameterSet: OptionSet, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The set of one parameter.
  public init(_ parameter: PenParameter) { rawValue = 1 << UInt64(parameter.index) }

  /// Every parameter.
  public static let all = PenParameterSet(rawValue: (1 << UInt64(PenParameter.count)) - 1)
  /// The displacements of single knots.
  public static let jitter = PenParameterSet(
    rawValue: (1 << UInt64(PenParameter.count)) - (1 << UInt64(PenParameter.jitterX(0).index)))
  /// The shape numbers of the variants.
  public static let forms = PenParameterSet(
    rawValue: (1 << UInt64(PenParameter.jitterX(0).index)) - (1 << UInt64(PenParameter.form(0).index)))

  public func contains(_ parameter: PenParameter) -> Bool { rawValue >> UInt64(parameter.index) & 1 == 1 }
}

/// The parameters of one image.
public struct PenParameters: Sendable {
  /// `PenParameter.count` values, in the order of `PenDigits.parameterNames`.
  public private(set) var values: [Float]

  /// The mean figure of a digit's variant.
  /// - Throws: `.argument` if there is no such digit or variant.
  public init(digit: Int, variant: Int = 0) throws(AEError) {
    let glyph = try Glyphs.named(digit: digit, variant: variant)
    values = [Float](repeating: 0, count: PenParameter.count)
    for index in 0..<PenParameter.count { values[index] = glyph.spread(index, variant: variant).mean }
  }

  /// A recorded row of `PenParameter.count` values. They are checked when drawn, not here.
  public init(row: UnsafePointer<Float>) {
    values = Array(UnsafeBufferPointer(start: row, count: PenParameter.count))
  }

  public subscript(parameter: PenParameter) -> Float {
    get { values[parameter.index] }
    set { values[parameter.index] = newValue }
  }
}

/// How a parameter of one variant is drawn at random: around `mean`, never outside `lowest ... highest`.
public struct PenSpread: Sendable, Equatable {
  public let mean: Float
  /// The standard deviation, before values are moved into the range; 0 for what stays fixed.
  public let deviation: Float
  public let lowest: Float
  public let highest: Float
  /// Whether every value of the range is equally likely; a bell otherwise.
  public let isUniform: Bool

  /// A bounded bell: the sum of four uniform draws, which ends at sqrt(12) deviations, or before.
  static func bell(
    _ mean: Float, _ deviation: Float, atLeast floor: Float = -.infinity, atMost ceiling: Float = .infinity
  ) -> PenSpread {
    let reach = 3.4641018 * deviation
    return PenSpread(
      mean: mean, deviation: deviation, lowest: max(floor, mean - reach),
      highest: min(ceiling, mean + reach), isUniform: false)
  }

  static func uniform(_ lowest: Float, _ highest: Float) -> PenSpread {
    PenSpread(
      mean: (lowest + highest) / 2, deviation: (highest - lowest) / 3.4641016, lowest: lowest,
      highest: highest, isUniform: true)
  }

  /// A value for a block of four random words.
  func value(_ stream: inout RandomStream) -> Float {
    let a = stream.uniform()
    let b = stream.uniform()
    let c = stream.uniform()
    let d = stream.uniform()
    let value =
      isUniform ? lowest + a * (highest - lowest) : mean + (a + b + c + d - 2) * 1.7320508 * deviation
    return min(max(value, lowest), highest)
  }
}

extension PenDigits {
  /// How many numbers an image is drawn from.
  public static let parameterCount = PenParameter.count

  /// The names of the parameters, column by column.
  public static let parameterNames: [StaticString] = [
    "digit", "variant", "slant", "rotation", "aspect", "thickness", "curvature", "taper", "ink", "edge",
    "size", "shift x", "shift y", "top weight", "waist", "bow", "arch",
    "form 1", "form 2", "form 3", "form 4", "form 5", "form 6",
    "jitter x 1", "jitter y 1", "jitter x 2", "jitter y 2", "jitter x 3", "jitter y 3",
    "jitter x 4", "jitter y 4", "jitter x 5", "jitter y 5", "jitter x 6", "jitter y 6",
    "jitter x 7", "jitter y 7", "jitter x 8", "jitter y 8", "jitter x 9", "jitter y 9",
    "jitter x 10", "jitter y 10", "jitter x 11", "jitter y 11", "jitter x 12", "jitter y 12",
    "jitter x 13", "jitter y 13", "jitter x 14", "jitter y 14", "jitter x 15", "jitter y 15",
    "jitter x 16", "jitter y 16",
  ]

  /// The units of the parameters, column by column; "1" for a pure number, "pixel" for a twenty-eighth
  /// of the shorter side of the image.
  public static let parameterUnits: [StaticString] = [
    "1", "1", "degree", "degree", "1", "pixel", "1", "1", "grey level", "pixel",
    "pixel", "pixel", "pixel", "width", "height", "width", "height",
    "1", "1", "1", "1", "1", "1",
    "width", "height", "width", "height", "width", "height", "width", "height",
    "width", "height", "width", "height", "width", "height", "width", "height",
    "width", "height", "width", "height", "width", "height", "width", "height",
    "width", "height", "width", "height", "width", "height", "width", "height",
  ]
}

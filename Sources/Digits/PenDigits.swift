// Handwritten-looking digits drawn by pen strokes from known parameters: the data that needs no
// download, and whose manifold is known. This is the module's face: random parameters by seed, and
// images from parameters.

import Compute
import Core
import Storage

/// What is drawn at random, and how large.
public struct PenOptions: Sendable {
  /// Pixels, 1 ... 1024. The shorter side is the field that digits are scaled to.
  public var width = 28
  /// Pixels, 1 ... 1024.
  public var height = 28
  /// The one digit to draw, 0 ... 9; nil draws each equally often.
  public var digit: Int?
  /// The one variant to draw, which every digit drawn must have; nil draws them by their shares.
  public var variant: Int?
  /// The parameters that vary; the others stay at their means. Digit and variant are governed by the
  /// options of those names, whether in this set or not.
  public var free: PenParameterSet = .all

  public init() {}
}

/// Digits drawn by a pen.
///
/// Image `i` of a seed is a pure function of (seed, i, options), the same bytes on every machine and for
/// any number of threads; a parameter has the same value whether others are free or not.
public enum PenDigits {
  /// The longest side of an image, pixels.
  public static let maximumSide = 1024

  /// How many ways there are of writing a digit; 0 for what is no digit.
  public static func variantCount(digit: Int) -> Int {
    digit >= 0 && digit <= 9 ? Glyphs.ofDigit[digit].count : 0
  }

  /// The name of a way of writing a digit, such as "barred".
  /// - Throws: `.argument` if there is no such digit or variant.
  public static func variantName(digit: Int, variant: Int) throws(AEError) -> StaticString {
    try Glyphs.named(digit: digit, variant: variant).name
  }

  /// How a parameter is drawn at random for a digit's variant.
  /// - Throws: `.argument` if there is no such digit or variant.
  public static func spread(
    of parameter: PenParameter, digit: Int, variant: Int
  ) throws(AEError) -> PenSpread {
    try Glyphs.named(digit: digit, variant: variant).spread(parameter.index, variant: variant)
  }

  /// Draws images `first ..< first + count` of a seed.
  /// - Returns: the images with their labels, and their parameters, [count, `parameterCount`].
  /// - Throws: `.argument` for options or counts out of range, `.memory`.
  public static func draw(
    count: Int, seed: UInt64, first: Int = 0, options: PenOptions = PenOptions()
  ) throws(AEError) -> (set: ImageSet, parameters: Buffer<Float>) {
    try check(options)
    try check(count: count, width: options.width, height: options.height)
    guard first >= 0, first.plus(count) != nil else {
      throw AEError(.argument, "images \(first) and \(count) on are out of range")
    }
    let parameters = try Buffer<Float>(count: count * parameterCount)
    parallel(chunks(count)) { chunk in
      for image in images(chunk, count) {
        fill(
          parameters.base + image * parameterCount, image: first + image, seed: seed, options: options)
      }
    }
    let set = try render(
      parameters.base, count: count, width: options.width, height: options.height)
    return (set, parameters)
  }

  /// The parameters of image `image` of a seed.
  /// - Throws: `.argument` for options out of range or a negative image.
  public static func parameters(
    image: Int, seed: UInt64, options: PenOptions = PenOptions()
  ) throws(AEError) -> PenParameters {
    try check(options)
    guard image >= 0 else { throw AEError(.argument, "image \(image) is out of range") }
    let row = try Buffer<Float>(count: parameterCount)
    fill(row.base, image: image, seed: seed, options: options)
    return PenParameters(row: row.base)
  }

  /// Draws one image from explicit parameters over `pixels`, [height, width].
  /// - Throws: `.argument` if a parameter is not finite or outside its limits, or a side out of range.
  public static func draw(
    _ parameters: PenParameters, width: Int = 28, height: Int = 28,
    into pixels: UnsafeMutablePointer<UInt8>
  ) throws(AEError) {
    try check(count: 1, width: width, height: height)
    let row = try Buffer<Float>(parameters.values)
    let glyph = try checkedGlyph(row.base, image: 0)
    var pen = Pen(scale: Float(min(width, height)) / 28)
    pen.draw(row.base, glyph, width: width, height: height, into: pixels)
  }

  /// Draws `count` images from explicit parameters, [count, `parameterCount`]: what `draw(count:seed:)`
  /// returned gives its images again.
  /// - Throws: `.argument` if a parameter is not finite or outside its limits, or a side or the count is
  ///   out of range; `.memory`.
  public static func draw(
    parameters: UnsafePointer<Float>, count: Int, width: Int = 28, height: Int = 28
  ) throws(AEError) -> ImageSet {
    try check(count: count, width: width, height: height)
    for image in 0..<count { _ = try checkedGlyph(parameters + image * parameterCount, image: image) }
    return try render(parameters, count: count, width: width, height: height)
  }

  // MARK: Random parameters

  /// Images of a task. Fixed, though nothing depends on it.
  private static let chunkSize = 64

  private static func chunks(_ count: Int) -> Int { (count + chunkSize - 1) / chunkSize }

  private static func images(_ chunk: Int, _ count: Int) -> Range<Int> {
    chunk * chunkSize..<min(count, (chunk + 1) * chunkSize)
  }

  /// Sets this module's streams apart from others under the same seed.
  private static let streamBase: UInt64 = 0x5045_4E00_0000_0000

  /// Fills a row with the random parameters of an image. Options have been checked.
  private static func fill(
    _ row: UnsafeMutablePointer<Float>, image: Int, seed: UInt64, options: PenOptions
  ) {
    var stream = RandomStream(seed: seed, stream: streamBase ^ UInt64(image))
    // Every image uses the same words for the same parameter, so that fixing one leaves the rest alone.
    let randomDigit = stream.below(10)
    let share = stream.uniform()
    _ = stream.next()
    _ = stream.next()
    let digit = options.digit ?? randomDigit
    let glyphs = Glyphs.ofDigit[digit]
    let variant = options.variant ?? pick(glyphs, share)
    let glyph = glyphs[variant]
    for index in 0..<parameterCount {
      let spread = glyph.spread(index, variant: variant)
      if index < 2 {
        row[index] = spread.mean
        continue
      }
      let value = spread.value(&stream)
      row[index] = options.free.contains(PenParameter(index)) ? value : spread.mean
    }
  }

  /// The variant that a uniform draw falls on.
  private static func pick(_ glyphs: [Glyph], _ share: Float) -> Int {
    var total: Float = 0
    for glyph in glyphs { total += glyph.share }
    var sum: Float = 0
    for variant in 0..<glyphs.count {
      sum += glyphs[variant].share
      if share * total < sum { return variant }
    }
    return glyphs.count - 1
  }

  // MARK: Images

  /// Draws rows of parameters that lie within their limits.
  private static func render(
    _ parameters: UnsafePointer<Float>, count: Int, width: Int, height: Int
  ) throws(AEError) -> ImageSet {
    let size = width * height
    let pixels = try Buffer<UInt8>(count: count * size)
    parallel(chunks(count)) { chunk in
      var pen = Pen(scale: Float(min(width, height)) / 28)
      for image in images(chunk, count) {
        let row = parameters + image * parameterCount
        let glyph = Glyphs.ofDigit[Int(row[0])][Int(row[1])]
        pen.draw(row, glyph, width: width, height: height, into: pixels.base + image * size)
      }
    }
    var labels: [UInt8] = []
    labels.reserveCapacity(count)
    for image in 0..<count { labels.append(UInt8(parameters[image * parameterCount])) }
    return try ImageSet(width: width, height: height, count: count, pixels: pixels, labels: labels)
  }

  // MARK: Checks

  private static func check(_ options: PenOptions) throws(AEError) {
    if let digit = options.digit {
      _ = try Glyphs.named(digit: digit, variant: options.variant ?? 0)
    } else if let variant = options.variant {
      for digit in 0...9 { _ = try Glyphs.named(digit: digit, variant: variant) }
    }
  }

  private static func check(count: Int, width: Int, height: Int) throws(AEError) {
    guard (1...maximumSide).contains(width), (1...maximumSide).contains(height) else {
      throw AEError(.argument, "sides must be 1 to \(maximumSide) pixels, not \(width) x \(height)")
    }
    guard (0...ImageSet.maximumCount).contains(count) else {
      throw AEError(.argument, "the count must be 0 to \(ImageSet.maximumCount), not \(count)")
    }
  }

  /// The design that a row asks for, once every value of the row is found within its limits.
  private static func checkedGlyph(_ row: UnsafePointer<Float>, image: Int) throws(AEError) -> Glyph {
    for index in 0..<parameterCount {
      let parameter = PenParameter(index)
      let value = row[index]
      guard parameter.limits.contains(value) else {
        throw AEError(
          .argument,
          "parameter \"\(parameter.name)\" of image \(image) must lie in \(parameter.limits.lowerBound) to "
            + "\(parameter.limits.upperBound), not \(value)")
      }
    }
    guard row[0] == row[0].rounded(), row[1] == row[1].rounded() else {
      throw AEError(.argument, "digit and variant of image \(image) must be whole numbers")
    }
    return try Glyphs.named(digit: Int(row[0]), variant: Int(row[1]))
  }
}

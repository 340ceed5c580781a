// Images changed at random before a predictor is trained on them, so that it meets more kinds of images than its sets hold:
// other orientations, sizes, colours, contrasts and levels.

import Compute
import Core

/// Memory in which images are changed, and the image that came of the last change.
final class Augmentation {
  /// Two images: what a change reads and what it writes.
  private var image: Buffer<UInt8>
  private var other: Buffer<UInt8>
  private(set) var shape = ImageShape(width: 1, height: 1)

  var pixels: UnsafePointer<UInt8> { UnsafePointer(image.base) }

  init() throws(AEError) {
    image = try Buffer(count: ImageShape.maximumByteCount)
    other = try Buffer(count: ImageShape.maximumByteCount)
  }

  /// The largest side that comes of an image of this shape.
  static func largestSide(_ shape: ImageShape) -> Int {
    min(2 * max(shape.width, shape.height), ImageShape.maximumSide)
  }

  /// Draws an image of a set with `draw`, and further ones for a mosaic, and changes it.
  func make(
    _ shape: ImageShape, _ stream: inout RandomStream, draw: (inout RandomStream) -> UnsafePointer<UInt8>
  ) {
    self.shape = shape
    image.base.update(from: draw(&stream), count: shape.byteCount)
    // Some are left as they are: what they are like matters most.
    if stream.below(4) == 0 { return }
    if stream.below(8) == 0 { mosaic(&stream, draw: draw) }
    if stream.below(8) == 0 { crop(&stream) }
    switch stream.below(8) {
    case 0: halve(isMean: true)
    case 1: halve(isMean: false)
    case 2: double()
    default: break
    }
    if shape.channels > 1 { changeChannels(&stream) }
    turn(&stream)
    changeLevels(&stream)
  }

  /// The change's result becomes the image.
  private func take(_ shape: ImageShape) {
    swap(&image, &other)
    self.shape = shape
  }

  /// Four parts, of which three are other images'.
  private func mosaic(_ stream: inout RandomStream, draw: (inout RandomStream) -> UnsafePointer<UInt8>) {
    let (column, row) = (stream.below(shape.width + 1), stream.below(shape.height + 1))
    for part in 1..<4 {
      let source = draw(&stream)
      let rows = part & 2 == 0 ? 0..<row : row..<shape.height
      let columns = part & 1 == 0 ? 0..<column : column..<shape.width
      for y in rows {
        let at = (y * shape.width + columns.lowerBound) * shape.channels
        (image.base + at).update(from: source + at, count: columns.count * shape.channels)
      }
    }
  }

  /// A part of at least half of each side.
  private func crop(_ stream: inout RandomStream) {
    let width = shape.width - stream.below(shape.width / 2 + 1)
    let height = shape.height - stream.below(shape.height / 2 + 1)
    let (left, top) = (stream.below(shape.width - width + 1), stream.below(shape.height - height + 1))
    let bytes = width * shape.channels
    for y in 0..<height {
      let from = ((top + y) * shape.width + left) * shape.channels
      (other.base + y * bytes).update(from: image.base + from, count: bytes)
    }
    take(ImageShape(width: width, height: height, channels: shape.channels))
  }

  /// Half of each side, of means of 2 x 2 pixels or of every other pixel.
  private func halve(isMean: Bool) {
    guard shape.width >= 8, shape.height >= 8 else { return }
    let (width, height, channels) = (shape.width / 2, shape.height / 2, shape.channels)
    let stride = shape.width * channels
    for y in 0..<height {
      for x in 0..<width {
        let source = image.base + 2 * y * stride + 2 * x * channels
        let target = other.base + (y * width + x) * channels
        for c in 0..<channels {
          let sum =
            Int(source[c]) + Int(source[channels + c]) + Int(source[stride + c])
            + Int(source[stride + channels + c])
          target[c] = isMean ? UInt8((sum + 2) / 4) : source[c]
        }
      }
    }
    take(ImageShape(width: width, height: height, channels: channels))
  }

  /// Each pixel four times.
  private func double() {
    let larger = ImageShape(width: 2 * shape.width, height: 2 * shape.height, channels: shape.channels)
    guard larger.isValid else { return }
    let channels = shape.channels
    for y in 0..<larger.height {
      for x in 0..<larger.width {
        let source = image.base + (y / 2 * shape.width + x / 2) * channels
        let target = other.base + (y * larger.width + x) * channels
        for c in 0..<channels { target[c] = source[c] }
      }
    }
    take(larger)
  }

  /// Colours in another order, transparency left out, or one channel of all.
  private func changeChannels(_ stream: inout RandomStream) {
    let channels = shape.channels
    let count = shape.width * shape.height
    var order = (0, 1, 2)
    switch stream.below(12) {
    case 0: order = (0, 2, 1)
    case 1: order = (1, 0, 2)
    case 2: order = (1, 2, 0)
    case 3: order = (2, 0, 1)
    case 4: order = (2, 1, 0)
    default: break
    }
    let kept: Int
    switch stream.below(4) {
    case 0: kept = 1
    case 1: kept = 3
    default: kept = channels
    }
    // Of one channel, a colour or the mean of all.
    let isMean = kept == 1 && stream.below(2) == 0
    for pixel in 0..<count {
      let source = image.base + pixel * channels
      let target = other.base + pixel * kept
      let (a, b, c) = (source[order.0], source[order.1], source[order.2])
      target[0] = isMean ? UInt8((Int(a) + Int(b) + Int(c) + 1) / 3) : a
      guard kept > 1 else { continue }
      target[1] = b
      target[2] = c
      if kept == 4 { target[3] = source[3] }
    }
    take(ImageShape(width: shape.width, height: shape.height, channels: kept))
  }

  /// Mirrored and transposed.
  private func turn(_ stream: inout RandomStream) {
    let (width, height, channels) = (shape.width, shape.height, shape.channels)
    let (isMirrored, isUpsideDown) = (stream.below(2) == 0, stream.below(4) == 0)
    let isTransposed = stream.below(4) == 0
    guard isMirrored || isUpsideDown || isTransposed else { return }
    let turned =
      isTransposed
      ? ImageShape(width: height, height: width, channels: channels) : shape
    for y in 0..<height {
      for x in 0..<width {
        let source = image.base + (y * width + x) * channels
        let (toX, toY) = (isMirrored ? width - 1 - x : x, isUpsideDown ? height - 1 - y : y)
        let place = isTransposed ? toX * height + toY : toY * width + toX
        let target = other.base + place * channels
        for c in 0..<channels { target[c] = source[c] }
      }
    }
    take(turned)
  }

  /// Other values for all colours: contrasts, gamma, few levels, inverted. Transparency stays.
  private func changeLevels(_ stream: inout RandomStream) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { map in
      for value in 0..<256 { map[value] = UInt8(value) }
      var isChanged = true
      switch stream.below(8) {
      case 0:
        let contrast = 0.25 + 1.25 * stream.uniform()
        let offset = 128 * (stream.uniform() - 0.5)
        for value in 0..<256 {
          map[value] = UInt8(min(max(contrast * (Float(value) - 128) + 128 + offset, 0), 255).rounded())
        }
      case 1:
        // Between 1/2 and 2.
        let gamma = ExactMath.exp(0.6931471805599453 * (2 * Double(stream.uniform()) - 1))
        for value in 1..<256 {
          let light = ExactMath.exp(gamma * ExactMath.log(Double(value) / 255))
          map[value] = UInt8(min(max(255 * light, 0), 255).rounded())
        }
      case 2:
        let levels = stream.below(3)
        // Of two levels, anything may be the border.
        let border = 32 + stream.below(192)
        for value in 0..<256 {
          switch levels {
          case 0: map[value] = value < border ? 0 : 255
          case 1: map[value] = UInt8(value / 64 * 85)
          default: map[value] = UInt8(value / 16 * 17)
          }
        }
      default: isChanged = false
      }
      if stream.below(4) == 0 {
        for value in 0..<256 { map[value] = 255 - map[value] }
        isChanged = true
      }
      guard isChanged else { return }
      let channels = shape.channels
      let colours = min(channels, 3)
      for pixel in 0..<shape.width * shape.height {
        let target = image.base + pixel * channels
        for c in 0..<colours { target[c] = map[Int(target[c])] }
      }
    }
  }
}

// Short clips of a kicked ball, drawn from six parameters: a manifold of known dimension, to test estimates and
// autoencoders on. A clip is one image, its frames side by side.

import Compute
import Core
import Storage

/// Clips of a soft ball that is kicked and falls, downwards or up.
///
/// Clip `i` of a seed is a pure function of (seed, i), the same bytes on every machine and for any number of
/// threads. Its frames are `frameSide` pixels square, `frameCount` of them, in rows of `columnCount`.
public enum KickedBall {
  public static let frameSide = 12
  public static let frameCount = 6
  public static let columnCount = 3
  /// Pixels of a clip.
  public static let width = columnCount * frameSide
  public static let height = frameCount / columnCount * frameSide

  /// How many numbers a clip is drawn from.
  public static let parameterCount = 6
  public static let parameterNames: [StaticString] = [
    "start x", "start y", "kick x", "kick y", "fall", "radius",
  ]
  /// Pixels; per clip, from its first frame to its last; and per clip squared.
  public static let parameterUnits: [StaticString] = [
    "pixel", "pixel", "pixel per clip", "pixel per clip", "pixel per clip squared", "pixel",
  ]

  /// The range of each parameter, before paths that leave the field are rejected. A fall bends a path by an
  /// eighth of itself in the middle: up to five pixels, as much as a start or a kick moves it, so that it shows.
  private static let ranges: [ClosedRange<Float>] = [0...12, 0...12, -8...8, -24...24, -40...40, 1.5...3]
  /// How near the middle of the ball comes to the edge of the field, pixels.
  private static let margin: Float = 1.5
  /// The width of the grey edge, pixels: the smallest ball is white in the middle alone. The softer the ball, the
  /// more evenly pictures change with what they are drawn from, and the less a small move is all or nothing.
  private static let edge: Float = 3
  /// Sets this module's streams apart from others under the same seed.
  private static let streamBase: UInt64 = 0x4B49_434B_0000_0000

  /// Draws clips `first ..< first + count` of a seed.
  /// - Returns: the clips, and their parameters, [count, `parameterCount`].
  /// - Throws: `.argument` for counts out of range, `.memory`.
  public static func draw(
    count: Int, seed: UInt64, first: Int = 0
  ) throws(AEError) -> (set: ImageSet, parameters: Buffer<Float>) {
    guard (0...ImageSet.maximumCount).contains(count), first >= 0, first.plus(count) != nil else {
      throw AEError(.argument, "clips \(first) and \(count) on are out of range")
    }
    let parameters = try Buffer<Float>(count: count * parameterCount)
    let pixels = try Buffer<UInt8>(count: count * width * height)
    parallel((count + 63) / 64) { chunk in
      for clip in chunk * 64..<min(count, (chunk + 1) * 64) {
        let row = parameters.base + clip * parameterCount
        fill(row, clip: first + clip, seed: seed)
        draw(row, into: pixels.base + clip * width * height)
      }
    }
    let set = try ImageSet(width: width, height: height, count: count, pixels: pixels)
    return (set, parameters)
  }

  /// The middle of the ball in a frame, pixels from the field's upper left corner.
  private static func place(_ row: UnsafePointer<Float>, frame: Int) -> (x: Float, y: Float) {
    let time = Float(frame) / Float(frameCount - 1)
    return (row[0] + row[2] * time, row[1] + row[3] * time + 0.5 * row[4] * time * time)
  }

  /// Random parameters of a ball that stays in the field.
  private static func fill(_ row: UnsafeMutablePointer<Float>, clip: Int, seed: UInt64) {
    var stream = RandomStream(seed: seed, stream: streamBase ^ UInt64(clip))
    let inside = margin...Float(frameSide) - margin
    while true {
      for (index, range) in ranges.enumerated() {
        row[index] = range.lowerBound + stream.uniform() * (range.upperBound - range.lowerBound)
      }
      var stays = true
      for frame in 0..<frameCount {
        let (x, y) = place(row, frame: frame)
        if !inside.contains(x) || !inside.contains(y) { stays = false }
      }
      if stays { return }
    }
  }

  /// Draws one clip: a pixel's grey is how far its middle lies inside of the ball.
  private static func draw(_ row: UnsafePointer<Float>, into pixels: UnsafeMutablePointer<UInt8>) {
    for frame in 0..<frameCount {
      let (x, y) = place(row, frame: frame)
      let corner =
        pixels + frame / columnCount * frameSide * width + frame % columnCount * frameSide
      for line in 0..<frameSide {
        for column in 0..<frameSide {
          let (dx, dy) = (Float(column) + 0.5 - x, Float(line) + 0.5 - y)
          let inside = (row[5] - (dx * dx + dy * dy).squareRoot()) / edge + 0.5
          corner[line * width + column] = UInt8(min(max(inside, 0), 1) * 255 + 0.5)
        }
      }
    }
  }
}

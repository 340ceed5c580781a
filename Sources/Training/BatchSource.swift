// Where batches come from: which images, drawn how, binarised and noised how. Everything is a function of
// (seed, step), so a run that is cut and resumed sees the same batches.

import CKernels
import Compute
import Core

/// Draws batches out of a set of images in bytes.
struct BatchSource {
  let seed: UInt64
  let image: ImageShape

  /// Numbers of an image.
  var pixelCount: Int { image.byteCount }

  /// Fills `rows` rows of `target` with images drawn at random, with replacement, out of the first `count`.
  ///
  /// - Parameters:
  ///   - deformation: see `TrainingOptions.deformation`.
  ///   - deformed: room for `rows` images, used if there is a deformation.
  func draw(
    step: Int, rows: Int, from pixels: UnsafePointer<UInt8>, count: Int, deformation: Double,
    deformed: UnsafeMutablePointer<UInt8>, binarize: Bool, into target: UnsafeMutablePointer<Float>
  ) {
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        // A stream for each row, so that rows do not depend on each other.
        var stream = RandomStream(seed: seed, .batch, row, position: UInt64(step))
        var image = pixels + stream.below(count) * pixelCount
        if deformation > 0 {
          let room = deformed + row * pixelCount
          deform(image, strength: Float(deformation), index: step &* 65536 &+ row, into: room)
          image = UnsafePointer(room)
        }
        let y = target + row * pixelCount
        if binarize {
          BatchSource.binarise(image, count: pixelCount, seed: seed, image: step &* 65536 &+ row, into: y)
        } else {
          ck_from_u8(pixelCount, image, y)
        }
      }
    }
  }

  /// A random linear map about the image's middle: slant, rotation and size change, and the digit stays
  /// where it is. Sampled by cubic convolution (Keys 1981, a = -1/2), since bilinear sampling blurs edges
  /// that digits have.
  private func deform(
    _ image: UnsafePointer<UInt8>, strength: Float, index: Int, into result: UnsafeMutablePointer<UInt8>
  ) {
    var stream = RandomStream(seed: seed, .deformation, index)
    let a = 1 + strength * stream.normal()
    let b = strength * stream.normal()
    let c = strength * stream.normal()
    let d = 1 + strength * stream.normal()
    let (width, height, channels) = (self.image.width, self.image.height, self.image.channels)
    let middleX = 0.5 * Float(width - 1)
    let middleY = 0.5 * Float(height - 1)
    for y in 0..<height {
      let dy = Float(y) - middleY
      for x in 0..<width {
        let dx = Float(x) - middleX
        // Clamped to where every tap is outside, so that whole numbers are safe.
        let sourceX = min(max(a * dx + b * dy + middleX, -3), Float(width) + 2)
        let sourceY = min(max(c * dx + d * dy + middleY, -3), Float(height) + 2)
        let left = BatchSource.floor(sourceX)
        let top = BatchSource.floor(sourceY)
        // Most of what is drawn is blank: where all taps are 0, so is the result.
        if channels == 1, left > 0, top > 0, left + 2 < width, top + 2 < height,
          BatchSource.isBlank(image + (top - 1) * width + left - 1, stride: width)
        {
          result[y * width + x] = 0
          continue
        }
        let columns = BatchSource.cubicWeights(sourceX - Float(left))
        let rows = BatchSource.cubicWeights(sourceY - Float(top))
        for channel in 0..<channels {
          var sum: Float = 0
          for row in 0..<4 {
            let tapY = top - 1 + row
            guard tapY >= 0, tapY < height else { continue }
            let line = image + tapY * width * channels + channel
            var lineSum: Float = 0
            for column in 0..<4 {
              let tapX = left - 1 + column
              if tapX >= 0, tapX < width { lineSum += columns[column] * Float(line[tapX * channels]) }
            }
            sum += rows[row] * lineSum
          }
          result[(y * width + x) * channels + channel] = UInt8(min(max(sum + 0.5, 0), 255))
        }
      }
    }
  }

  /// The next whole number below, without a call of the library where the processor at hand has no instruction for it.
  @inline(__always)
  private static func floor(_ x: Float) -> Int {
    let whole = Int(x)
    return Float(whole) > x ? whole - 1 : whole
  }

  /// Whether four lines of four bytes are all 0.
  @inline(__always)
  private static func isBlank(_ bytes: UnsafePointer<UInt8>, stride: Int) -> Bool {
    var all: UInt32 = 0
    for line in 0..<4 {
      all |= UnsafeRawPointer(bytes + line * stride).loadUnaligned(as: UInt32.self)
    }
    return all == 0
  }

  /// The weights of the four taps around a point `t` past the second, t in [0, 1).
  private static func cubicWeights(_ t: Float) -> SIMD4<Float> {
    let t2 = t * t
    let t3 = t2 * t
    return SIMD4(
      -0.5 * t3 + t2 - 0.5 * t, 1.5 * t3 - 2.5 * t2 + 1, -1.5 * t3 + 2 * t2 + 0.5 * t, 0.5 * t3 - 0.5 * t2)
  }

  /// Draws each pixel as 0 or 1 with its value / 255 as probability.
  static func binarise(
    _ image: UnsafePointer<UInt8>, count: Int, seed: UInt64, image index: Int,
    into y: UnsafeMutablePointer<Float>
  ) {
    var stream = RandomStream(seed: seed, .binarisation, index)
    for i in 0..<count {
      switch image[i] {
      case 0: y[i] = 0
      case 255: y[i] = 1
      // (word * 255) >> 32 is uniform over 0 ... 254.
      case let value: y[i] = stream.below(255) < Int(value) ? 1 : 0
      }
    }
  }

  /// `noisy` = `clean` + Gaussian noise.
  func addNoise(
    step: Int, rows: Int, deviation: Double, to clean: UnsafePointer<Float>,
    into noisy: UnsafeMutablePointer<Float>
  ) {
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        var stream = RandomStream(seed: seed, .inputNoise, step &* 65536 &+ row)
        for i in row * pixelCount..<(row + 1) * pixelCount {
          noisy[i] = clean[i] + Float(deviation) * stream.normal()
        }
      }
    }
  }
}

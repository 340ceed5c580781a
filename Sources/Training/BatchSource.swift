// Where batches come from: which images, drawn how, binarised and noised how. Everything is a function of
// (seed, step), so a run that is cut and resumed sees the same batches.

import CKernels
import Compute
import Core

/// Draws batches out of a set of images in bytes.
struct BatchSource {
  let seed: UInt64
  let pixelCount: Int

  /// Fills `rows` rows of `target` with images drawn at random, with replacement, out of the first `count`.
  func draw(
    step: Int, rows: Int, from pixels: UnsafePointer<UInt8>, count: Int, binarize: Bool,
    into target: UnsafeMutablePointer<Float>
  ) {
    parallelRows(rows) { _, first, taskRows in
      for row in first..<first + taskRows {
        // A stream for each row, so that rows do not depend on each other.
        var stream = RandomStream(seed: seed, .batch, row, position: UInt64(step))
        let image = pixels + stream.below(count) * pixelCount
        let y = target + row * pixelCount
        if binarize {
          BatchSource.binarise(image, count: pixelCount, seed: seed, image: step &* 65536 &+ row, into: y)
        } else {
          ck_from_u8(pixelCount, image, y)
        }
      }
    }
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

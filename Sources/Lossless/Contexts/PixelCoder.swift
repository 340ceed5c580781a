// Lossless coding by context mixing: every pixel is a few binary decisions, each coded with a mixture of the adaptive
// probabilities of several contexts. It needs no weights, so it is the fallback of image sets, and the faster of the
// lossless methods.
//
// All in integers: docs/format-aez.md gives the arithmetic.

import Core
import Entropy

/// Codes images one after the other, adapting from each to the next. One for each block and direction.
package final class PixelCoder {
  /// One for each kind of decision: blank, full, which of the full values, and the eight bits.
  private static let weightSets = 11

  private let width: Int
  private let height: Int
  private let mixer: BitMixer
  /// Counters for pixels whose neighbours are all blank, by position.
  private let blanks: AdaptiveBits

  package init(width: Int, height: Int) throws(AEError) {
    self.width = width
    self.height = height
    blanks = try AdaptiveBits(count: 4)
    // Probabilities move by a twelfth of the way, however many bits they have coded.
    mixer = try BitMixer(
      inputCount: 6, slotCount: 1 << 16, setCount: PixelCoder.weightSets, divisors: 24...24)
  }

  /// The contexts of a pixel.
  private struct Contexts {
    var hashes: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0)
  }

  /// Codes an image: reads `pixels` when encoding, writes them when decoding.
  package func code(_ pixels: UnsafeMutablePointer<UInt8>, _ coder: inout BinaryCoder) {
    // The darkest values of the image so far, which recur: 252 ... 255.
    var lastFull = 0
    var fullBefore = 0
    for y in 0..<height {
      for x in 0..<width {
        let at = pixels + y * width + x
        let w = x > 0 ? Int(at[-1]) : 0
        let ww = x > 1 ? Int(at[-2]) : 0
        let n = y > 0 ? Int(at[-width]) : 0
        let nn = y > 1 ? Int(at[-2 * width]) : 0
        let nw = x > 0 && y > 0 ? Int(at[-width - 1]) : 0
        let ne = y > 0 && x + 1 < width ? Int(at[1 - width]) : 0
        if w | n | nw | ne | ww | nn == 0 {
          let further = y > 0 && x + 2 < width ? Int(at[2 - width]) : 0
          let context = (further == 0 ? 0 : 1) + (y < height / 4 ? 2 : 0)
          if blanks.code(at[0] == 0 ? 1 : 0, context, &coder) != 0 {
            at[0] = 0
            continue
          }
        }
        let q = level(w) | level(n) << 3
        let qq = q | level(nw) << 6 | level(ne) << 9
        var contexts = Contexts()
        contexts.hashes.0 = hash(1, w << 8 | n)
        contexts.hashes.1 = hash(2, qq | level(ww) << 12 | level(nn) << 15)
        contexts.hashes.2 = hash(3, q | (x * 8 / width) << 6 | (y * 8 / height) << 9 | level(ne) << 12)
        contexts.hashes.3 = hash(4, w << 16 | n << 8 | nw)
        contexts.hashes.4 = hash(5, lastFull << 8 | fullBefore << 4 | level(w) << 12)
        contexts.hashes.5 = hash(6, n << 16 | ne << 8 | nn)
        let value = codeValue(Int(at[0]), contexts, &coder)
        at[0] = UInt8(truncatingIfNeeded: value)
        if value >= 252 {
          fullBefore = lastFull
          lastFull = value - 251
        }
      }
    }
  }

  @inline(never)
  private func level(_ value: Int) -> Int {
    value == 0 ? 0 : value < 64 ? 1 : value < 192 ? 2 : value < 252 ? 3 : 4
  }

  @inline(never)
  private func hash(_ number: UInt32, _ value: Int) -> UInt32 {
    (UInt32(truncatingIfNeeded: value) &+ number) &* 0x9E37_79B1 ^ number &* 0x85EB_CA6B
  }

  /// Is it blank? Is it full, and which of the four? If neither, its bits.
  private func codeValue(_ value: Int, _ contexts: Contexts, _ coder: inout BinaryCoder) -> Int {
    // The pixel itself is not known to be blank.
    if ask(value == 0 ? 1 : 0, 0, 0, contexts, &coder) != 0 { return 0 }
    if ask(value >= 252 ? 1 : 0, 1, 1, contexts, &coder) != 0 {
      let high = ask((value - 252) >> 1 & 1, 2, 2, contexts, &coder)
      let low = ask(value & 1, 3 + high, 2, contexts, &coder)
      return 252 + 2 * high + low
    }
    var node = 1
    for bit in stride(from: 7, through: 0, by: -1) {
      node = node << 1 | ask(value >> bit & 1, 8 + node, 3 + (7 - bit), contexts, &coder)
    }
    return node & 255
  }

  /// Codes one decision and adapts.
  @inline(never)
  private func ask(_ bit: Int, _ node: Int, _ set: Int, _ contexts: Contexts, _ coder: inout BinaryCoder)
    -> Int
  {
    func slot(_ index: Int, _ hash: UInt32) {
      let mixed = (hash ^ UInt32(truncatingIfNeeded: node) &* 0x2C1B_3C6D) &* 0x297A_2D39
      mixer.contexts[index] = Int(mixed >> 16)
    }
    slot(0, contexts.hashes.0)
    slot(1, contexts.hashes.1)
    slot(2, contexts.hashes.2)
    slot(3, contexts.hashes.3)
    slot(4, contexts.hashes.4)
    slot(5, contexts.hashes.5)
    return mixer.code(bit, set, &coder)
  }
}

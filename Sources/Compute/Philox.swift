// Counter-based random numbers: every draw is a pure function of (seed, stream, position), so a run
// can be cut anywhere, resumed, or spread over threads and still see the same numbers.

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
public enum Philox {
  /// Four 32-bit words for a 128-bit counter under a 64-bit key.
  @inlinable
  public static func block(
    counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
  ) -> (UInt32, UInt32, UInt32, UInt32) {
    var (c0, c1, c2, c3) = counter
    var (k0, k1) = key
    for _ in 0..<10 {
      let p0 = UInt64(0xD251_1F53) &* UInt64(c0)
      let p1 = UInt64(0xCD9E_8D57) &* UInt64(c2)
      (c0, c1, c2, c3) = (
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c1 ^ k0, UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ c3 ^ k1, UInt32(truncatingIfNeeded: p0)
      )
      k0 = k0 &+ 0x9E37_79B9
      k1 = k1 &+ 0xBB67_AE85
    }
    return (c0, c1, c2, c3)
  }
}

/// A stream of random numbers fixed by a seed and a stream number; streams are independent.
///
/// Uniform and normal draws use only IEEE additions, multiplications, divisions and square roots, so
/// they are the same bits on every machine.
public struct RandomStream {
  @usableFromInline let key: (UInt32, UInt32)
  @usableFromInline let stream: UInt64
  @usableFromInline var position: UInt64
  @usableFromInline var words: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
  @usableFromInline var left = 0

  /// - Parameters:
  ///   - position: which block of four words to begin with; skipping is free.
  public init(seed: UInt64, stream: UInt64, position: UInt64 = 0) {
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    self.stream = stream
    self.position = position
  }

  /// The next 32 random bits.
  @inlinable
  public mutating func next() -> UInt32 {
    if left == 0 {
      words = Philox.block(
        counter: (
          UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32),
          UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32)
        ), key: key)
      position &+= 1
      left = 4
    }
    left -= 1
    switch left {
    case 3: return words.0
    case 2: return words.1
    case 1: return words.2
    default: return words.3
    }
  }

  /// A whole number in 0 ..< bound, each equally likely to within bound / 2^32. `bound` is in 1 ... 2^32.
  @inlinable
  public mutating func below(_ bound: Int) -> Int {
    Int(truncatingIfNeeded: (UInt64(next()) &* UInt64(truncatingIfNeeded: bound)) >> 32)
  }

  /// A float in [0, 1), a multiple of 2^-24.
  @inlinable
  public mutating func uniform() -> Float { Float(next() >> 8) * 0x1p-24 }

  /// A draw from the unit Gaussian: the polar method (Marsaglia and Bray 1964).
  ///
  /// How many words a draw uses is itself random, so a consumer that needs to skip gives each of its
  /// rows a stream of its own.
  @inline(never)
  public mutating func normal() -> Float {
    while true {
      let u = 2 * (Double(next() >> 8) + 0.5) * 0x1p-24 - 1
      let v = 2 * (Double(next() >> 8) + 0.5) * 0x1p-24 - 1
      let s = u * u + v * v
      if s < 1 && s > 0 {
        return Float(u * (-2 * ExactMath.log(s) / s).squareRoot())
      }
    }
  }
}

/// What a stream is for. Streams of different purposes never meet: the purpose is the stream number's
/// top 16 bits, and what it counts (images, layers, steps) the rest. Values are pinned, since a seed
/// stands for the same numbers only as long as they stay.
public enum StreamPurpose: UInt64, Sendable {
  case prior = 1
  case initialWeights = 2
  case batch = 3
  case binarisation = 4
  case inputNoise = 5
  case posterior = 6
  case evaluation = 7
  case digits = 8
  case test = 9
  case deformation = 10
  case codeNoise = 11
  case augmentation = 12
  case modelSamples = 13
}

extension RandomStream {
  /// The stream number `index` of a purpose, `index` below 2^48.
  @inlinable
  public init(seed: UInt64, _ purpose: StreamPurpose, _ index: Int = 0, position: UInt64 = 0) {
    self.init(
      seed: seed, stream: purpose.rawValue << 48 | UInt64(truncatingIfNeeded: index), position: position)
  }
}

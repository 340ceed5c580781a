// Activation functions: their numbers in files and kernels, their names in options. Everything above names a function by
// this type; CKernels computes it.

import CKernels
import Core

/// An activation function.
public enum Activation: Equatable, Sendable {
  case identity
  /// 1 / (1 + exp(-x))
  case sigmoid
  /// max(x, 0)
  case relu
  /// x where positive, exp(x) - 1 elsewhere (Clevert et al. 2016, alpha = 1)
  case elu
  /// x where positive, elsewhere x times so many thousandths, 1 ... 999.
  case leakyReLU(thousandths: UInt16)
  /// x sigmoid(x) (Elfwing et al. 2018)
  case silu
  /// x Phi(x), Phi the distribution function of the unit Gaussian (Hendrycks and Gimpel 2016)
  case gelu
  /// The same paper's approximation of it by tanh.
  case geluTanh
  case tanh

  /// The function of a number, as files and CKernels have it, and of a leaky ReLU's slope in thousandths, which is 0 for
  /// all others; nil if there is none.
  public init?(rawValue: UInt8, thousandths: UInt16 = 0) {
    guard (rawValue == 4) == (thousandths != 0), thousandths < 1000 else { return nil }
    switch rawValue {
    case 0: self = .identity
    case 1: self = .sigmoid
    case 2: self = .relu
    case 3: self = .elu
    case 4: self = .leakyReLU(thousandths: thousandths)
    case 5: self = .silu
    case 6: self = .gelu
    case 7: self = .geluTanh
    case 8: self = .tanh
    default: return nil
    }
  }

  public var rawValue: UInt8 {
    switch self {
    case .identity: return 0
    case .sigmoid: return 1
    case .relu: return 2
    case .elu: return 3
    case .leakyReLU: return 4
    case .silu: return 5
    case .gelu: return 6
    case .geluTanh: return 7
    case .tanh: return 8
    }
  }

  /// The slope of a leaky ReLU below 0 in thousandths; 0 for all others.
  public var thousandths: UInt16 {
    if case .leakyReLU(let thousandths) = self { return thousandths }
    return 0
  }

  /// As CKernels takes it.
  public var kernel: Int32 { Int32(rawValue) + 256 * Int32(thousandths) }

  /// Whether f'(x) follows from f(x), so that training need not keep x.
  public var isInvertible: Bool {
    switch self {
    case .silu, .gelu, .geluTanh: return false
    default: return true
    }
  }

  /// The name in texts; a leaky ReLU's slope comes after it.
  public var name: StaticString {
    switch self {
    case .identity: return "identity"
    case .sigmoid: return "sigmoid"
    case .relu: return "relu"
    case .elu: return "elu"
    case .leakyReLU: return "leaky_relu"
    case .silu: return "silu"
    case .gelu: return "gelu"
    case .geluTanh: return "gelu_tanh"
    case .tanh: return "tanh"
    }
  }

  /// f(x) by ExactMath, the same on every machine: what integer tables are made with.
  public func value(_ x: Double) -> Double {
    switch self {
    case .identity: return x
    case .sigmoid: return 1 / (1 + ExactMath.exp(-x))
    case .relu: return max(x, 0)
    case .elu: return x > 0 ? x : ExactMath.exp(x) - 1
    case .leakyReLU(let thousandths): return x > 0 ? x : x * Double(thousandths) / 1000
    case .silu: return x / (1 + ExactMath.exp(-x))
    case .gelu: return 0.5 * x * (1 + Activation.erf(x * 0.7071067811865476))
    case .geluTanh: return x / (1 + ExactMath.exp(-1.5957691216057308 * (x + 0.044715 * x * x * x)))
    case .tanh: return 2 / (1 + ExactMath.exp(-2 * x)) - 1
    }
  }

  /// The error function within 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26).
  private static func erf(_ x: Double) -> Double {
    let t = 1 / (1 + 0.3275911 * x.magnitude)
    let tail =
      ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    let value = 1 - tail * ExactMath.exp(-x * x)
    return x < 0 ? -value : value
  }
}

// Names on the command line for what the engine calls by case: kinds, losses, schedules, storages.

import ArgumentParser
import Compute
import Model
import Network
import Training

extension ModelKind: ExpressibleByArgument {
  public init?(argument: String) {
    guard let kind = ModelKind.allCases.first(where: { "\($0.name)" == argument }) else { return nil }
    self = kind
  }
  public static var allValueStrings: [String] { allCases.map { "\($0.name)" } }
}

extension WeightStorage: ExpressibleByArgument {
  static let all: [WeightStorage] = [.float32, .float16, .int8]

  public init?(argument: String) {
    guard let storage = WeightStorage.all.first(where: { "\($0.name)" == argument }) else { return nil }
    self = storage
  }
  public var defaultValueDescription: String { "\(name)" }
  public static var allValueStrings: [String] { all.map { "\($0.name)" } }
}

extension Loss: ExpressibleByArgument {
  public init?(argument: String) {
    switch argument {
    case "mse": self = .mse
    case "bernoulli": self = .bernoulli
    default: return nil
    }
  }
  public static var allValueStrings: [String] { ["mse", "bernoulli"] }
  package var name: String { Loss.allValueStrings[Int(rawValue)] }
}

extension Schedule: ExpressibleByArgument {
  public init?(argument: String) {
    switch argument {
    case "constant": self = .constant
    case "cosine": self = .cosine
    case "one-cycle": self = .oneCycle
    default: return nil
    }
  }
  public static var allValueStrings: [String] { ["constant", "cosine", "one-cycle"] }
  package var name: String { Schedule.allValueStrings[Int(rawValue)] }
}

extension Optimiser: ExpressibleByArgument {
  public init?(argument: String) {
    guard let index = Optimiser.allValueStrings.firstIndex(of: argument) else { return nil }
    self.init(rawValue: UInt8(index))
  }
  public static var allValueStrings: [String] { ["adam", "muon"] }
  public var defaultValueDescription: String { name }
  package var name: String { Optimiser.allValueStrings[Int(rawValue)] }
}

/// The activation of a network's last layer.
package enum OutputActivation: String, CaseIterable, ExpressibleByArgument {
  case linear, sigmoid

  package var activation: Activation { self == .linear ? .identity : .sigmoid }
}

/// Widths separated by commas, as in `500,500`; `none` for none.
package struct Widths: ExpressibleByArgument {
  package let values: [Int]

  package init?(argument: String) {
    if argument == "none" {
      values = []
      return
    }
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    let numbers = parts.compactMap { $0 }
    guard numbers.count == parts.count else { return nil }
    values = numbers
  }

  package static func text(_ values: [Int]) -> String {
    values.isEmpty ? "none" : values.map { "\($0)" }.joined(separator: ",")
  }
}

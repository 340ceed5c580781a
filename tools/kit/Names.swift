// Names on the command line of the engine's enumerations: kinds, losses, schedules, storages.

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

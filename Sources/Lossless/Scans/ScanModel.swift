// The network that predicts a bilevel scan pixel by pixel, in integers. It is trained in Training/ScanFit.swift; its
// inputs are made in ScanRaster.swift.

import CKernels
import Compute
import Core
import Network

/// An integer network from the bytes of a context to the logit of ink. Immutable.
public final class ScanModel: Sendable {
  /// Logits are in units of 1/1024 nat.
  public static let wordsPerNat = 1024
  /// The distance of logits between entries of the table of probabilities, and its entries: -16384 ... 16384.
  public static let tableStep = 256
  public static let tableCount = 129
  /// Hidden layers, and units of one, at most.
  public static let maximumHiddenCount = 4
  public static let maximumHiddenWidth = 1024
  /// Weights at most: a bound on a reader's work for a bit of ink, since the weight file may be malicious.
  public static let maximumWeightCount = 1 << 16

  public let network: IntegerNetwork
  /// The probability of ink in parts of 65536, for every `tableStep`th logit from -16384 on.
  public let probabilities: [UInt16]

  /// - Throws: `.format` unless the network has one output and `tableCount` probabilities rise within
  ///   1 ... 65535.
  @inline(never)
  public init(network: IntegerNetwork, probabilities: [UInt16]) throws(AEError) {
    var isSound = network.outputCount == 1 && probabilities.count == ScanModel.tableCount
    var previous: UInt16 = 1
    for probability in probabilities {
      isSound = isSound && probability >= previous
      previous = probability
    }
    guard isSound else {
      throw AEError(.format, "the probabilities of a scan network must rise, from 1 on")
    }
    self.network = network
    self.probabilities = probabilities
  }

  public var inputCount: Int { network.inputCount }
  /// Sizes of its layers; activations are in their tables.
  public var shapes: [LayerShape] { network.shapes }

  /// The logistic function as the table has it.
  public static func logisticTable() -> [UInt16] {
    var table: [UInt16] = []
    for index in 0..<tableCount {
      let nats = Double(index * tableStep - 16384) / Double(wordsPerNat)
      table.append(
        UInt16(Int(saturating: 65536 / (1 + ExactMath.exp(-nats))).clamped(to: 8...65528)))
    }
    return table
  }

  /// The probability of ink, in parts of 65536, of a logit.
  @inline(__always)
  public func probability(_ logit: Int16) -> Int {
    let position = (Int(logit) &+ 16384).clamped(to: 0...32767)
    let index = position / ScanModel.tableStep
    let low = Int(probabilities[index])
    let high = Int(probabilities[index &+ 1])
    return low &+ (high &- low) &* (position % ScanModel.tableStep) / ScanModel.tableStep
  }

  /// The logits of ink of `count` pixels, from `inputCount` bytes each; `probability` makes a probability of one.
  public func logits(
    _ inputs: UnsafePointer<UInt8>, count: Int, into logits: UnsafeMutablePointer<Int16>
  ) throws(AEError) {
    try network.encode(inputs, count: count, into: logits)
  }
}

// The learned predictor of pixels: an integer network from the bytes of a neighbourhood to the distribution of a value. It is
// trained in Training/PredictorFit.swift; neighbourhood and distribution are CPixels'.

import CKernels
import CPixels
import Compute
import Core
import Network

/// An integer network and the table that corrects its mixture. Immutable; for images of any size and channels.
public final class Predictor: Sendable {
  /// Inputs, bytes of a neighbourhood.
  public static let inputCount = Int(CP_FEATURES)
  /// Outputs: weights, means and inverse scales of the mixture's components, and the numbers of the corrections.
  public static let outputCount = Int(CP_OUTPUTS)
  /// What a unit of an output is in the network's words.
  public static let wordsPerUnit = 256
  /// [values, numbers] of the table of corrections, in 1/4096.
  public static let tableCount = Int(CP_TABLE)
  public static let tableUnit = 4096
  /// Hidden layers, and units of one, at most.
  public static let maximumHiddenCount = 4
  public static let maximumHiddenWidth = 1024
  /// Weights at most: a bound on a reader's work for a pixel, since the weight file may be malicious.
  public static let maximumWeightCount = 1 << 18

  public let network: IntegerNetwork
  public let table: Buffer<Int16>
  /// The 32 bytes that image sets name it by; made in Storage.
  public let hash = Lazy<Buffer<UInt8>>()

  /// - Throws: `.format` unless inputs, outputs and table have the sizes above.
  public init(network: IntegerNetwork, table: Buffer<Int16>) throws(AEError) {
    guard network.inputCount == Predictor.inputCount, network.outputCount == Predictor.outputCount else {
      throw AEError(
        .format,
        "a predictor of \(network.inputCount) inputs and \(network.outputCount) outputs; "
          + "\(Predictor.inputCount) and \(Predictor.outputCount) are expected")
    }
    guard table.count == Predictor.tableCount else {
      throw AEError(
        .format, "a predictor's table of \(table.count) numbers; \(Predictor.tableCount) are expected")
    }
    self.network = network
    self.table = table
  }

  /// Sizes of its layers; activations are in their tables.
  public var shapes: [LayerShape] { network.shapes }
}

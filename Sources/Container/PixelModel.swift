// The exact coders' place in a set: which efforts there are, and what a block asks of them.

import Core
import Lossless
import Model

/// Codes the pixels of blocks, every one of them or to within an error. Immutable: any number of threads may use
/// one.
final class PixelModel: Sendable {
  /// Efforts: mixing contexts, which needs no model, and the scans behind the images, which a model foretells.
  static let mixing = 1
  static let scanning = 2

  /// How many strengths there are with a model, numbered from 1 (fastest).
  static func effortCount(of model: Autoencoder?) -> Int { model?.scanModel == nil ? mixing : scanning }

  private let coder: ScanCoder

  /// - Parameters:
  ///   - model: what foretells scans; not looked at by an effort that needs none.
  ///   - effort: 1 ... `effortCount(of: model)`.
  /// - Throws: `.kind` if the model does not have it, `.memory`.
  init(width: Int, height: Int, model: Autoencoder?, effort: Int) throws(AEError) {
    guard effort <= PixelModel.effortCount(of: model) else {
      throw AEError(
        .kind, "effort \(effort) needs a model of \(width) x \(height) pixels with an exact layer")
    }
    coder = try ScanCoder(
      width: width, height: height, model: effort < PixelModel.scanning ? nil : model?.scanModel)
  }

  /// Codes `count` images.
  /// - Parameters:
  ///   - kept: count * imageSize bytes, each a level of `NearExact` where errors are allowed.
  ///   - originals: what the levels were made of.
  ///   - monitor: told of every image.
  func encode(
    _ kept: UnsafePointer<UInt8>, originals: UnsafePointer<UInt8>, count: Int, monitor: Monitor? = nil
  ) throws(AEError) -> Buffer<UInt8> {
    try coder.encode(originals: originals, kept: kept, count: count, monitor: monitor)
  }

  /// Decodes images `range` of `count` from exactly `byteCount` bytes; all of them if all is to be verified.
  /// - Returns: nil if all went well, or what is wrong.
  func decode(
    _ bytes: UnsafePointer<UInt8>, byteCount: Int, count: Int, range: Range<Int>, verifiesAll: Bool,
    into pixels: UnsafeMutablePointer<UInt8>, monitor: Monitor? = nil
  ) throws(AEError) -> BlockFault? {
    let isSound = try coder.decode(
      bytes, byteCount, count: count, range: range, verifiesAll: verifiesAll, into: pixels, monitor: monitor)
    return isSound ? nil : .pixels
  }
}

// Lossless coding pixel by pixel: each value is coded under a mixture of distributions, which a learned predictor gives, or
// without one simple predictors, and which adapts to the block. The loops are in CPixels; here is what drives them.

import CPixels
import Compute
import Core
import Network

/// Codes blocks of images of one size. Immutable: any number of threads may use one.
package final class MixtureCoder: Sendable {
  private let shape: cp_shape
  private let predictor: Predictor?
  private let tables = Lazy<FunctionTables>()

  /// Rows that go through the network at a time: their features stay in the second-level cache.
  private static let rowsAtATime = 512

  /// - Parameters:
  ///   - images: their shape.
  ///   - predictor: nil for contexts alone.
  package init(_ images: ImageShape, predictor: Predictor?) throws(AEError) {
    try images.validate()
    var shape = cp_shape()
    cp_shape_make(Int32(images.width), Int32(images.height), Int32(images.channels), &shape)
    self.shape = shape
    self.predictor = predictor
  }

  /// Bytes of an image.
  private var imageSize: Int { Int(shape.width) * Int(shape.height) * Int(shape.channels) }

  /// A block of `count` images as bytes, or nil if it would take `capacity` bytes or more.
  /// - Parameters:
  ///   - monitor: may stop it.
  ///   - isCounting: whether the monitor is told of the images, as their pixels are coded.
  package func encode(
    _ pixels: UnsafePointer<UInt8>, count: Int, capacity: Int, monitor: Monitor?, isCounting: Bool = true
  ) throws(AEError) -> Buffer<UInt8>? {
    let work = try MixtureBlock(
      shape, count: count, predictor, try tables.value { () throws(AEError) in try FunctionTables() })
    for image in 0..<count { cp_planes_load(&work.shape, pixels + image * imageSize, work.planes(image)) }
    let room = try Buffer<UInt8>(count: capacity)
    cp_block_write(work.block, room.base, room.count)
    guard try work.code(rowsAtATime: MixtureCoder.rowsAtATime, monitor, counts: isCounting) else {
      return nil
    }
    let byteCount = cp_block_finish(work.block)
    return byteCount == 0 ? nil : try Buffer(copying: room.base, count: byteCount)
  }

  /// Decodes images `range` of a block of `count` images into `pixels`; all are decoded on the way.
  /// - Returns: false if the bytes are damaged.
  package func decode(
    _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, count: Int, range: Range<Int>,
    into pixels: UnsafeMutablePointer<UInt8>, monitor: Monitor?
  ) throws(AEError) -> Bool {
    let work = try MixtureBlock(
      shape, count: count, predictor, try tables.value { () throws(AEError) in try FunctionTables() })
    cp_block_read(work.block, bytes, byteCount)
    guard try work.code(rowsAtATime: MixtureCoder.rowsAtATime, monitor, counts: false),
      cp_block_is_at_end(work.block) != 0
    else { return false }
    for image in range {
      cp_planes_store(&work.shape, work.planes(image), pixels + (image - range.lowerBound) * imageSize)
    }
    return true
  }
}

/// A block while it is coded, with its memory.
private final class MixtureBlock {
  var shape: cp_shape
  let block: OpaquePointer
  private let count: Int
  private let predictor: Predictor?
  private let memory: Buffer<UInt8>
  private let tables: FunctionTables
  private let functions: Buffer<cp_functions>

  init(_ shape: cp_shape, count: Int, _ predictor: Predictor?, _ tables: FunctionTables) throws(AEError) {
    self.shape = shape
    self.count = count
    self.predictor = predictor
    self.tables = tables
    memory = try Buffer(count: cp_block_size(&self.shape, count))
    functions = try Buffer(count: 1)
    functions.base[0] = tables.functions
    block = cp_block_begin(
      memory.base, &self.shape, count, functions.base, predictor.map { UnsafePointer($0.table.base) })
  }

  func planes(_ image: Int) -> UnsafeMutablePointer<UInt8> { cp_block_planes(block, image) }

  /// Codes all pixels.
  /// - Returns: false once there are no more bytes, or no more room for them.
  func code(rowsAtATime: Int, _ monitor: Monitor?, counts: Bool) throws(AEError) -> Bool {
    let features = try Buffer<UInt8>(count: predictor == nil ? 0 : rowsAtATime * Predictor.inputCount)
    let stepCount = Int(cp_block_step_count(block))
    var largestStep = 0
    for step in 0..<stepCount { largestStep = max(largestStep, cp_block_row_count(block, Int32(step))) }
    let words = try Buffer<Int16>(count: predictor == nil ? 0 : largestStep * Predictor.outputCount)
    var told = 0
    for step in 0..<stepCount {
      try monitor.check()
      let rowCount = cp_block_row_count(block, Int32(step))
      if let predictor {
        var first = 0
        while first < rowCount {
          let rows = min(rowsAtATime, rowCount - first)
          cp_block_features(block, Int32(step), first, rows, features.base)
          try predictor.network.encode(
            features.base, count: rows, into: words.base + first * Predictor.outputCount)
          first += rows
        }
      }
      if rowCount > 0 { cp_block_code(block, Int32(step), predictor.map { _ in UnsafePointer(words.base) }) }
      guard cp_block_is_over(block) == 0 else { return false }
      cp_block_end_step(block, Int32(step))
      if counts {
        let done = (step + 1) * count / stepCount
        monitor.advance(done - told)
        told = done
      }
    }
    return true
  }
}

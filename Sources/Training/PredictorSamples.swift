// Where a predictor's batches come from: which images, which pixels of them, and what is known before each. Everything is a
// function of (seed, step), so that the same options give the same predictor, whatever the number of threads.

import CKernels
import CPixels
import Compute
import Core
import Lossless

/// Rows for a predictor.
struct PredictorBatch {
  let rows: Int
  /// [rows, inputs], and the same as floats.
  let features: Buffer<UInt8>
  let inputs: Buffer<Float>
  /// [rows]: the value that the neighbourhood makes expected, and the one that is there.
  let bases: Buffer<UInt8>
  let values: Buffer<UInt8>

  init(_ rows: Int) throws(AEError) {
    self.rows = rows
    features = try Buffer(count: rows * Predictor.inputCount)
    inputs = try Buffer(count: rows * Predictor.inputCount)
    bases = try Buffer(count: rows)
    values = try Buffer(count: rows)
  }

  /// Zeros what the rows from `first` on know of the whole image. Trained on many kinds of images, a network takes it for a
  /// sign of which kind this is, and errs where it has not seen the kind.
  func hideGrid(_ first: Int, count: Int) {
    for row in first..<first + count {
      let at = row * Predictor.inputCount + Int(CP_GRID_FIRST)
      (features.base + at).update(repeating: 0, count: Int(CP_GRID_COUNT))
      (inputs.base + at).update(repeating: 0, count: Int(CP_GRID_COUNT))
    }
  }

  /// Writes rows from `first` on: pixels of a plane, in the order of their steps.
  func fill(
    _ first: Int, _ places: UnsafePointer<Int32>, count: Int, _ shape: inout cp_shape,
    _ planes: UnsafePointer<UInt8>, plane: Int, _ walk: inout cp_walk
  ) {
    let bytes = features.base + first * Predictor.inputCount
    cp_samples(
      &shape, planes, Int32(plane), &walk, count, places, bytes, bases.base + first, values.base + first)
    ck_from_u8(count * Predictor.inputCount, bytes, inputs.base + first * Predictor.inputCount)
  }
}

/// A set's images, those to train on and those to measure on.
private struct SplitSet {
  let set: PredictorTrainingSet
  let shape: cp_shape
  let trained: Buffer<Int32>
  let heldOut: Buffer<Int32>

  /// Every fiftieth image or so is held out, since images often come in an order; of very few images one, and of one
  /// image none: it is trained and measured on.
  init(_ set: PredictorTrainingSet, measuredBytes: Int) throws(AEError) {
    self.set = set
    var shape = cp_shape()
    cp_shape_make(Int32(set.shape.width), Int32(set.shape.height), Int32(set.shape.channels), &shape)
    self.shape = shape
    let fitting = max(measuredBytes / set.shape.byteCount, 1)
    let count =
      set.count == 1
      ? 1 : min(max(set.count / 50, min(4, set.count / 4), 1), max(fitting, min(4, set.count / 4)))
    let heldOut = try Buffer<Int32>(count: count)
    let trained = try Buffer<Int32>(count: set.count == 1 ? 1 : set.count - count)
    guard set.count > 1 else {
      self.heldOut = heldOut
      self.trained = trained
      return
    }
    var next = 0
    var kept = 0
    for image in 0..<set.count {
      if next < count, image == (2 * next + 1) * set.count / (2 * count) {
        heldOut.base[next] = Int32(image)
        next += 1
      } else {
        trained.base[kept] = Int32(image)
        kept += 1
      }
    }
    self.heldOut = heldOut
    self.trained = trained
  }

  func image(_ index: Int) -> UnsafePointer<UInt8> {
    UnsafePointer(set.pixels.base + index * set.shape.byteCount)
  }

  /// An image to train on.
  func draw(_ stream: inout RandomStream) -> UnsafePointer<UInt8> {
    image(Int(trained.base[stream.below(trained.count)]))
  }
}

/// Memory of a task that takes images apart.
private final class Workplace {
  private var shape: ImageShape?
  let planes: Buffer<UInt8>
  let augmentation: Augmentation?

  init(_ byteCount: Int, augments: Bool) throws(AEError) {
    planes = try Buffer(count: byteCount)
    augmentation = augments ? try Augmentation() : nil
  }

  /// Loads an image as planes, whose margins are zeros.
  func load(_ pixels: UnsafePointer<UInt8>, _ shape: ImageShape, _ layout: inout cp_shape) {
    if self.shape != shape {
      planes.base.update(repeating: 0, count: planes.count)
      self.shape = shape
    }
    cp_planes_load(&layout, pixels, planes.base)
  }
}

/// Draws pixels of several sets of images, and measures predictors on images held out.
///
/// Images are taken apart when their pixels are drawn, so memory is that of a batch, whatever the sets' sizes.
final class PredictorSamples {
  /// Pixels of an image in a batch: to know what was seen before them takes a walk over it, which they share.
  static let pixelsOfImage = 16
  /// Batches are filled in so many tasks, whatever the number of threads.
  static let taskCount = 32

  private let sets: [SplitSet]
  /// Sums of the sets' shares of batches, the last being 1.
  private let shares: [Float]
  private let workplaces: [Workplace]
  private let augments: Bool

  /// - Parameters:
  ///   - sets: at least one, with images.
  ///   - augments: whether images are changed at random before pixels are drawn from them.
  init(_ sets: [PredictorTrainingSet], augments: Bool) throws(AEError) {
    self.augments = augments
    var total = 0.0
    var largest = 0
    var split: [SplitSet] = []
    for set in sets {
      total += Double(set.byteCount).squareRoot()
      let part = try SplitSet(set, measuredBytes: (1 << 20) / sets.count)
      var room = part.shape
      if augments {
        let side = Int32(Augmentation.largestSide(set.shape))
        cp_shape_make(side, side, part.shape.channels, &room)
      }
      largest = max(largest, room.image)
      split.append(part)
    }
    var shares: [Float] = []
    var sum = 0.0
    for set in sets {
      sum += Double(set.byteCount).squareRoot()
      shares.append(Float(sum / total))
    }
    var workplaces: [Workplace] = []
    for _ in 0..<PredictorSamples.taskCount { workplaces.append(try Workplace(largest, augments: augments)) }
    self.sets = split
    self.shares = shares
    self.workplaces = workplaces
  }

  /// Images held out.
  var heldOutCount: Int {
    var count = 0
    for set in sets { count += set.heldOut.count }
    return count
  }

  /// Fills a batch with pixels drawn at random, those of an image together.
  func draw(seed: UInt64, step: Int, into batch: PredictorBatch) {
    let position = UInt64(truncatingIfNeeded: step) << 16
    let groupCount = (batch.rows + PredictorSamples.pixelsOfImage - 1) / PredictorSamples.pixelsOfImage
    parallel(PredictorSamples.taskCount) { task in
      let groups = PredictorSamples.range(task, of: groupCount)
      for group in groups {
        var stream = RandomStream(seed: seed, .batch, 2 << 40 + 1 + group, position: position)
        let first = group * PredictorSamples.pixelsOfImage
        let place = stream.uniform()
        var chosen = 0
        while chosen < sets.count - 1, place >= shares[chosen] { chosen += 1 }
        let rows = min(PredictorSamples.pixelsOfImage, batch.rows - first)
        fill(first, rows, sets[chosen], &stream, workplaces[task], batch)
        if augments { batch.hideGrid(first, count: rows) }
      }
    }
  }

  /// A task's share of `count` pieces of work.
  static func range(_ task: Int, of count: Int) -> Range<Int> {
    task * count / taskCount..<(task + 1) * count / taskCount
  }

  /// Rows of one image.
  private func fill(
    _ first: Int, _ count: Int, _ part: SplitSet, _ stream: inout RandomStream, _ workplace: Workplace,
    _ batch: PredictorBatch
  ) {
    var shape = part.set.shape
    var layout = part.shape
    let pixels: UnsafePointer<UInt8>
    if let augmentation = workplace.augmentation {
      augmentation.make(shape, &stream) { stream in part.draw(&stream) }
      pixels = augmentation.pixels
      shape = augmentation.shape
      cp_shape_make(Int32(shape.width), Int32(shape.height), Int32(shape.channels), &layout)
    } else {
      pixels = part.draw(&stream)
    }
    workplace.load(pixels, shape, &layout)
    let plane = stream.below(shape.channels)
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: PredictorSamples.pixelsOfImage) { places in
      // In the order of their steps.
      for at in 0..<count {
        let place = Int32(stream.below(shape.width * shape.height))
        let step = PredictorSamples.step(place, layout)
        var to = at
        while to > 0, PredictorSamples.step(places[to - 1], layout) > step {
          places[to] = places[to - 1]
          to -= 1
        }
        places[to] = place
      }
      var walk = cp_walk()
      batch.fill(
        first, UnsafePointer(places.baseAddress.unsafelyUnwrapped), count: count, &layout,
        workplace.planes.base,
        plane: plane, &walk)
    }
  }

  /// When a pixel is coded.
  private static func step(_ place: Int32, _ shape: cp_shape) -> Int32 {
    place % shape.width + Int32(CP_REACH) * (place / shape.width)
  }

  // MARK: Measuring

  /// Calls `body` with the number of rows of a batch for batches of all pixels held out, in turn.
  func visitHeldOut(_ body: (PredictorBatch, Int) throws(AEError) -> Void) throws(AEError) {
    let capacity = 8192
    let batch = try PredictorBatch(capacity)
    for part in sets {
      let shape = part.set.shape
      var layout = part.shape
      let area = shape.width * shape.height
      let places = try Buffer<Int32>(count: area)
      var next = 0
      for step in 0..<cp_step_count(&layout) {
        for y in 0..<Int32(shape.height) {
          let x = step - Int32(CP_REACH) * y
          guard x >= 0, x < Int32(shape.width) else { continue }
          places.base[next] = y * Int32(shape.width) + x
          next += 1
        }
      }
      let planeCount = part.heldOut.count * shape.channels
      let planesAtATime = min(max(capacity / area, 1), PredictorSamples.taskCount)
      var plane = 0
      while plane < planeCount {
        let count = min(planesAtATime, planeCount - plane)
        parallel(count) { index in
          let image = Int(part.heldOut.base[(plane + index) / shape.channels])
          var layout = layout
          workplaces[index].load(part.image(image), shape, &layout)
        }
        // A plane of more pixels than a batch comes in pieces.
        var walks = [cp_walk](repeating: cp_walk(), count: count)
        var first = 0
        while first < area {
          let rows = min(area - first, capacity)
          walks.withUnsafeMutableBufferPointer { walks in
            let walks = walks.baseAddress.unsafelyUnwrapped
            parallel(count) { index in
              var layout = layout
              batch.fill(
                index * rows, places.base + first, count: rows, &layout, workplaces[index].planes.base,
                plane: (plane + index) % shape.channels, &walks[index])
            }
          }
          try body(batch, count * rows)
          first += rows
        }
        plane += count
      }
    }
  }

  /// Values held out, and the bits of a value when each set's images held out are coded in one block.
  func coded(_ predictor: Predictor?) throws(AEError) -> Double {
    var bytes = 0
    var values = 0
    for part in sets {
      let size = part.set.shape.byteCount
      let count = part.heldOut.count
      let pixels = try Buffer<UInt8>(count: count * size)
      for index in 0..<count {
        (pixels.base + index * size).update(from: part.image(Int(part.heldOut.base[index])), count: size)
      }
      let coder = try MixtureCoder(part.set.shape, predictor: predictor)
      let capacity = 2 * pixels.count + 1024
      let block = try coder.encode(pixels.base, count: count, capacity: capacity, monitor: nil)
      bytes += block?.count ?? capacity
      values += pixels.count
    }
    return 8 * Double(bytes) / Double(max(values, 1))
  }
}

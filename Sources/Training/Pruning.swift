// Weights that are pruned and quantised while they are trained: what makes a model's file small. Magnitude pruning by a
// gradual schedule, and a few shared values for the weights that stay.

import CKernels
import Compute
import Core
import Network
import Quantization

/// How far pruning has come at a step.
package struct PruningStage {
  /// The share of weights that stay.
  package let density: Double
  /// Whether those are multiples of their channel's step.
  package let isQuantised: Bool
  /// Whether it is settled which weights stay, and what the steps are.
  package let isSettled: Bool
}

/// What a pruning run goes through: weights go along a cubic curve (Zhu and Gupta 2018, equation 1) in the first half, are
/// quantised from a quarter on, and from 70 % on only the values of those that stay move.
package struct PruningSchedule: Sendable {
  /// Shares of the weights that stay, at the beginning and at the end.
  let from: Double
  let to: Double
  let stepCount: Int

  package init(from: Double, to: Double, stepCount: Int) {
    (self.from, self.to, self.stepCount) = (from, to, stepCount)
  }

  /// Where it ends.
  var end: PruningStage { PruningStage(density: to, isQuantised: true, isSettled: true) }

  package func stage(_ step: Int) -> PruningStage {
    let share = Double(step) / Double(max(stepCount, 1))
    let left = max(1 - share / 0.5, 0)
    return PruningStage(
      density: to + (from - to) * left * left * left, isQuantised: share >= 0.25, isSettled: share >= 0.7)
  }
}

/// The weights of a run's layers, pruned and quantised after every step.
///
/// What a weight that stays loses to its nearest allowed value is kept and added again before the next one is found: the
/// straight-through estimator (Bengio et al. 2013). A weight that was pruned stays 0: letting it come back, as Guo et al.
/// (2016) do, was tried, and at few weights training became restless and ended worse.
package final class Pruning {
  /// The largest multiple of a channel's step: 7 for weights of 4 bits, which take 15 values.
  private let largestMultiple: Float
  /// Steps between two choices of the weights that stay, in long runs and in short ones.
  private static func interval(_ stepCount: Int) -> Int { max(1, min(100, stepCount / 50)) }

  private final class Layer {
    let shape: LayerShape
    let weights: Parameter
    let residual: Buffer<Float>
    /// 1 for weights that stay, else 0.
    let keep: Buffer<Float>
    /// Per channel; 0 before weights are quantised.
    var steps: [Float]
    /// Whether it is quantised at all.
    let isQuantised: Bool

    init(_ shape: LayerShape, _ weights: Parameter, isQuantised: Bool) throws(AEError) {
      self.shape = shape
      self.weights = weights
      self.isQuantised = isQuantised
      residual = try Buffer(count: weights.count)
      keep = try Buffer(count: weights.count)
      for i in 0..<keep.count { keep.base[i] = 1 }
      steps = [Float](repeating: 0, count: shape.channels)
    }
  }

  private let layers: [[Layer?]]
  private let schedule: PruningSchedule
  /// Whether weights were chosen at the density that is aimed at, and quantised.
  private var isAtEnd = false

  /// - Parameters:
  ///   - bitCount: of each weight that is quantised, 2 to 7.
  ///   - isQuantised: whether a network's layer is quantised, by network and node.
  init(
    _ networks: [TrainableNetwork], schedule: PruningSchedule, bitCount: Int, isQuantised: (Int, Int) -> Bool
  ) throws(AEError) {
    self.schedule = schedule
    largestMultiple = Float(1 << (bitCount - 1) - 1)
    var layers: [[Layer?]] = []
    for (half, network) in networks.enumerated() {
      var own: [Layer?] = []
      for (index, shape) in network.shapes.enumerated() {
        own.append(
          shape.hasWeights
            ? try Layer(shape, network.weights[index], isQuantised: isQuantised(half, index)) : nil)
      }
      layers.append(own)
    }
    self.layers = layers
  }

  private var all: [Layer] { layers.flatMap { $0.compactMap { $0 } } }

  /// Takes the weights to allowed ones, after step `step`.
  func project(after step: Int) {
    let stage = schedule.stage(step)
    if !stage.isSettled && step % Pruning.interval(schedule.stepCount) == 0 { choose(stage) }
    // A run of a few steps comes to its end at once.
    if step + 1 >= schedule.stepCount && !isAtEnd { choose(schedule.end) }
    for layer in all {
      let columns = layer.shape.columns
      let channels = layer.shape.channels
      let rows = layer.shape.rows
      parallelRows(rows) { _, first, count in
        for row in first..<first + count {
          var projection = ck_projection(
            weights: layer.weights.values.base + row * columns, residual: layer.residual.base + row * columns,
            keep: UnsafePointer(layer.keep.base + row * columns), step: layer.steps[row % channels],
            largest: largestMultiple)
          ck_project(columns, &projection)
        }
      }
    }
  }

  /// Which weights stay, and the steps of those.
  private func choose(_ stage: PruningStage) {
    isAtEnd = stage.density <= schedule.to && stage.isQuantised
    // A histogram of saliencies by the upper bits of floats, which are in the order of their values.
    var counts = [Int](repeating: 0, count: 1 << 15)
    var total = 0
    for layer in all {
      total += layer.weights.count
      for i in 0..<layer.weights.count { counts[Pruning.bin(layer, i)] += 1 }
    }
    var left = Int(Double(total) * stage.density)
    var lowest = counts.count
    while lowest > 0 && left > 0 {
      lowest -= 1
      left -= counts[lowest]
    }
    for layer in all {
      for i in 0..<layer.weights.count { layer.keep.base[i] = Pruning.bin(layer, i) >= lowest ? 1 : 0 }
      guard stage.isQuantised && layer.isQuantised else { continue }
      let channels = layer.shape.channels
      var steps = layer.steps
      steps.withUnsafeMutableBufferPointer { steps in
        nonisolated(unsafe) let steps = steps
        parallelRows(channels) { _, first, count in
          for channel in first..<first + count { steps[channel] = step(layer, channel) }
        }
      }
      layer.steps = steps
    }
  }

  /// The saliency of a weight, as the upper bits of its float: the loss that it costs to prune a weight is about w^2 times
  /// the Fisher information (Theis et al. 2018, equation 6), of which Adam's second moment is a mean. Magnitudes alone
  /// lose more.
  private static func bin(_ layer: Layer, _ i: Int) -> Int {
    let weight = layer.weights.values.base[i] + layer.residual.base[i]
    let saliency = weight * weight * (layer.weights.v.base[i] + 1e-20)
    return Int(saliency.bitPattern >> 16)
  }

  /// The step of a channel: the one of the least squared error of the weights that stay.
  private func step(_ layer: Layer, _ channel: Int) -> Float {
    let columns = layer.shape.columns
    var largest: Float = 0
    for row in Swift.stride(from: channel, to: layer.shape.rows, by: layer.shape.channels) {
      for i in row * columns..<(row + 1) * columns where layer.keep.base[i] != 0 {
        largest = max(largest, (layer.weights.values.base[i] + layer.residual.base[i]).magnitude)
      }
    }
    guard largest > 0 else { return layer.steps[channel] }
    var best = (error: Float.infinity, step: Float(0))
    // From the largest weight on its largest multiple down to a quarter of that; with few multiples the largest weights
    // are cut off sooner.
    var quarters = WeightGrid.quarters(atLeast: Double(largest / largestMultiple))
    for _ in 0..<(largestMultiple < 7 ? 17 : 9) {
      let step = Float(WeightGrid.step(quarters))
      var error: Float = 0
      for row in Swift.stride(from: channel, to: layer.shape.rows, by: layer.shape.channels) {
        for i in row * columns..<(row + 1) * columns where layer.keep.base[i] != 0 {
          let weight = layer.weights.values.base[i] + layer.residual.base[i]
          let multiple = min(max((weight / step).rounded(), -largestMultiple), largestMultiple)
          error += (weight - multiple * step) * (weight - multiple * step)
        }
      }
      // The coarser step has the smaller multiples, which take fewer bits.
      if error < best.error * 0.98 { best = (error, step) }
      quarters -= 1
    }
    return best.step
  }

  /// The step of each channel of each layer, as quantisation needs them; nil where a layer is not quantised.
  package func steps(_ half: Int) -> [[Float]?] {
    layers[half].map { layer in
      guard let layer, layer.isQuantised else { return nil }
      return layer.steps
    }
  }
}

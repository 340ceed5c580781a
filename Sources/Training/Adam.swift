// The optimiser over all parameters of a run: gradient norm, Adam, the running average of weights. Its
// work is cut into fixed runs of numbers, so that threads share it and results stay the same.

import CKernels
import Compute
import Core

/// Adam (Kingma and Ba 2015) with the authors' constants.
struct Adam {
  static let beta1 = 0.9
  static let beta2 = 0.999
  static let epsilon = 1e-8
  /// Numbers in a task.
  private static let runCount = 16384

  private struct Run {
    let parameter: Int
    let offset: Int
    let count: Int
  }

  let parameters: [Parameter]
  private let runs: [Run]

  init(_ parameters: [Parameter]) {
    self.parameters = parameters
    var runs: [Run] = []
    for (index, parameter) in parameters.enumerated() {
      for offset in stride(from: 0, to: parameter.count, by: Adam.runCount) {
        runs.append(
          Run(parameter: index, offset: offset, count: min(Adam.runCount, parameter.count - offset)))
      }
    }
    self.runs = runs
  }

  /// The norm of the whole gradient.
  func gradientNorm() throws(AEError) -> Double {
    let sums = try Buffer<Double>(count: runs.count)
    parallel(runs.count) { index in
      let run = runs[index]
      sums.base[index] = ck_sum_of_squares(run.count, parameters[run.parameter].gradient.base + run.offset)
    }
    var total = 0.0
    for index in 0..<runs.count { total += sums.base[index] }
    return total.squareRoot()
  }

  /// Multiplies the whole gradient.
  func scaleGradient(by factor: Float) {
    parallel(runs.count) { index in
      let run = runs[index]
      let gradient = parameters[run.parameter].gradient.base + run.offset
      for i in 0..<run.count { gradient[i] *= factor }
    }
  }

  /// One step.
  ///
  /// - Parameters:
  ///   - step: the number of this step, the first being 0.
  ///   - averageDecay: decay of the running average; ignored if none is kept.
  func update(step: Int, learningRate: Double, averageDecay: Double) {
    let correction1 = Float(1 - ExactMath.power(Adam.beta1, step + 1))
    let correction2 = Float(1 - ExactMath.power(Adam.beta2, step + 1))
    // Early on the average is over what there is, not over the start.
    let decay = Float(min(averageDecay, Double(step + 1) / Double(step + 10)))
    parallel(runs.count) { index in
      let run = runs[index]
      let parameter = parameters[run.parameter]
      ck_adam(
        run.count, parameter.values.base + run.offset, parameter.m.base + run.offset,
        parameter.v.base + run.offset, parameter.gradient.base + run.offset, Float(learningRate),
        Float(Adam.beta1), Float(Adam.beta2), Float(Adam.epsilon), correction1, correction2)
      if let average = parameter.average {
        ck_average(run.count, average.base + run.offset, parameter.values.base + run.offset, decay)
      }
    }
  }
}

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

  /// Makes a step with the gradients that the parameters hold, but for those that Muon moves.
  func update(_ step: AdamStep) {
    parallel(runs.count) { index in
      let run = runs[index]
      if parameters[run.parameter].isMuons { return }
      step.apply(to: parameters[run.parameter], from: run.offset, count: run.count)
    }
  }
}

/// The constants of one step.
struct AdamStep {
  private let constants: ck_adam_step

  /// - Parameters:
  ///   - number: the number of this step, the first being 0.
  ///   - averageDecay: decay of the running average; ignored if none is kept.
  ///   - beta2: decay of the second moments.
  init(number: Int, learningRate: Double, averageDecay: Double, beta2: Double = Adam.beta2) {
    constants = ck_adam_step(
      weights: nil, m: nil, v: nil, average: nil, rate: Float(learningRate), beta1: Float(Adam.beta1),
      beta2: Float(beta2), epsilon: Float(Adam.epsilon),
      correction1: Float(1 - ExactMath.power(Adam.beta1, number + 1)),
      correction2: Float(1 - ExactMath.power(beta2, number + 1)),
      // Early on the average is over what there is, not over the start.
      average_decay: Float(min(averageDecay, Double(number + 1) / Double(number + 10))))
  }

  var learningRate: Float { constants.rate }
  var averageDecay: Float { constants.average_decay }

  /// The step on the numbers of a parameter from `offset` on.
  func on(_ parameter: Parameter, from offset: Int) -> ck_adam_step {
    var step = constants
    step.weights = parameter.values.base + offset
    step.m = parameter.m.base + offset
    step.v = parameter.v.base + offset
    if let average = parameter.average { step.average = average.base + offset }
    return step
  }

  /// Makes the step on `count` numbers of a parameter with the gradient it holds.
  func apply(to parameter: Parameter, from offset: Int, count: Int) {
    var step = on(parameter, from: offset)
    ck_adam(count, parameter.gradient.base + offset, &step)
  }
}

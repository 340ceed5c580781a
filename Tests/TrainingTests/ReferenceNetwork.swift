// The readable reference: a forward pass and the losses in double precision, loops only. Gradients of the
// trainer are checked against finite differences of this.

import CKernels
import Compute
import Core
import Network
import Training

struct ReferenceNetwork {
  var shapes: [LayerShape]
  var weights: [[Double]]
  var biases: [[Double]]

  init(_ network: TrainableNetwork) {
    shapes = network.shapes
    weights = []
    biases = []
    for (index, parameter) in network.parameters.enumerated() {
      let values = parameter.values.array.map(Double.init)
      if index % 2 == 0 { weights.append(values) } else { biases.append(values) }
    }
  }

  static func activate(_ activation: Activation, _ x: Double) -> Double {
    switch activation {
    case .identity: return x
    case .relu: return x > 0 ? x : 0
    case .elu: return x > 0 ? x : ExactMath.exp(x) - 1
    case .sigmoid: return 1 / (1 + ExactMath.exp(-x))
    }
  }

  func run(_ input: [Double]) -> [Double] {
    var x = input
    for (index, shape) in shapes.enumerated() {
      var y = (0..<shape.outputs).map { biases[index][$0 % shape.channels] }
      if shape.isConvolution {
        Self.convolve(shape.geometry, weights[index], x, into: &y)
      } else {
        for o in 0..<shape.outputs {
          for i in 0..<shape.inputs { y[o] += weights[index][o * shape.inputs + i] * x[i] }
        }
      }
      x = y.map { Self.activate(shape.activation, $0) }
    }
    return x
  }

  /// Adds what a convolution, or its transpose, makes of a picture.
  private static func convolve(
    _ g: ck_convolution, _ weights: [Double], _ x: [Double], into y: inout [Double]
  ) {
    let (fineWidth, fineHeight, kernel) = (Int(g.fine_width), Int(g.fine_height), Int(g.kernel))
    let (fineChannels, coarseChannels) = (Int(g.fine_channels), Int(g.coarse_channels))
    for coarse in 0..<Int(g.coarse_height * g.coarse_width) {
      for window in 0..<kernel * kernel {
        let row = coarse / Int(g.coarse_width) * Int(g.stride) - Int(g.padding) + window / kernel
        let column = coarse % Int(g.coarse_width) * Int(g.stride) - Int(g.padding) + window % kernel
        guard (0..<fineHeight).contains(row), (0..<fineWidth).contains(column) else { continue }
        for f in 0..<fineChannels {
          for o in 0..<coarseChannels {
            let there = (row * fineWidth + column) * fineChannels + f
            let here = coarse * coarseChannels + o
            let under = window * fineChannels + f
            if g.transposed != 0 {
              y[there] += weights[under * coarseChannels + o] * x[here]
            } else {
              y[here] += weights[o * kernel * kernel * fineChannels + under] * x[there]
            }
          }
        }
      }
    }
  }

  /// Parameter `p` as the trainer numbers them: weights and bias of each layer in turn.
  subscript(parameter p: Int, index: Int) -> Double {
    get { p % 2 == 0 ? weights[p / 2][index] : biases[p / 2][index] }
    set { if p % 2 == 0 { weights[p / 2][index] = newValue } else { biases[p / 2][index] = newValue } }
  }
}

/// The bits of a noisy code under a mixture of three logistic densities: eight times their middles, logarithms of
/// scales and logarithms of weights.
func bits(_ code: Double, density: [Double]) -> Double {
  var mass = 0.0
  var weights = 0.0
  for k in 0..<3 {
    func share(_ at: Double) -> Double {
      1 / (1 + ExactMath.exp(-(at - 8 * density[k]) / ExactMath.exp(8 * density[3 + k])))
    }
    let weight = ExactMath.exp(8 * density[6 + k])
    mass += weight * (share(code + 0.5) - share(code - 0.5))
    weights += weight
  }
  return -ExactMath.log(mass / weights + 0x1p-27) / ExactMath.log(2)
}

/// The loss of a batch, straight from the papers.
///
/// With `drawing`, of several importance samples: the sum whose gradient by the encoder's weights is what training
/// takes for that of the loss (Tucker et al. 2019, equation 8, with the KL term's weight in it). Shares and densities
/// of q are those of the encoder `drawing`, so that only the way through the samples is left to differentiate.
func referenceLoss(
  _ encoder: ReferenceNetwork, _ decoder: ReferenceNetwork, _ options: TrainingOptions, images: [Float],
  rows: Int, step: Int = 0, density: [Double] = [], drawing: ReferenceNetwork? = nil
) -> Double {
  let architecture = options.architecture
  let pixels = architecture.pixelCount
  let d = architecture.latentCount
  func reconstruction(_ z: [Double], _ x: [Double]) -> Double {
    let logits = decoder.run(z)
    var sum = 0.0
    for i in 0..<pixels {
      let y = ReferenceNetwork.activate(architecture.output, logits[i])
      switch options.loss {
      case .mse: sum += (y - x[i]) * (y - x[i])
      case .bernoulli: sum -= x[i] * ExactMath.log(y) + (1 - x[i]) * ExactMath.log(1 - y)
      }
    }
    return sum
  }
  var total = 0.0
  for row in 0..<rows {
    let x = images[row * pixels..<(row + 1) * pixels].map(Double.init)
    var code = encoder.run(x)
    guard architecture.kind.isVariational else {
      if options.lambda > 0 {
        var stream = RandomStream(seed: options.seed, .codeNoise, step * 65536 + row)
        for j in 0..<d {
          code[j] += Double(stream.uniform()) - 0.5
          total += options.lambda * bits(code[j], density: Array(density[9 * j..<9 * (j + 1)]))
        }
      }
      total += reconstruction(code, x)
      continue
    }
    var stream = RandomStream(seed: options.seed, .posterior, step * 65536 + row)
    var logWeights: [Double] = []
    var drawnLogWeights: [Double] = []
    let drawn = drawing?.run(x) ?? code
    for _ in 0..<options.importanceSamples {
      var z: [Double] = []
      var drawnZ: [Double] = []
      var logRatio = 0.0
      var drawnLogRatio = 0.0
      for j in 0..<d {
        let e = Double(stream.normal())
        let drawnDeviation = ExactMath.exp(0.5 * drawn[d + j])
        z.append(code[j] + ExactMath.exp(0.5 * code[d + j]) * e)
        drawnZ.append(drawn[j] + drawnDeviation * e)
        let normed = (z[j] - drawn[j]) / drawnDeviation
        logRatio += -0.5 * z[j] * z[j] + 0.5 * normed * normed + 0.5 * drawn[d + j]
        drawnLogRatio += -0.5 * drawnZ[j] * drawnZ[j] + 0.5 * e * e + 0.5 * drawn[d + j]
      }
      logWeights.append(-reconstruction(z, x) + options.beta * logRatio)
      if drawing != nil {
        drawnLogWeights.append(-reconstruction(drawnZ, x) + options.beta * drawnLogRatio)
      }
      if options.importanceSamples == 1 {
        var kl = 0.0
        for j in 0..<d {
          kl += 0.5 * (code[j] * code[j] + ExactMath.exp(code[d + j]) - 1 - code[d + j])
        }
        total += reconstruction(z, x) + options.beta * kl
      }
    }
    if drawing != nil {
      var sum = 0.0
      for w in drawnLogWeights { sum += ExactMath.exp(w - drawnLogWeights[0]) }
      for (w, drawnW) in zip(logWeights, drawnLogWeights) {
        let share = ExactMath.exp(drawnW - drawnLogWeights[0]) / sum
        total -= share * (1 - options.beta + options.beta * share) * w
      }
    } else if options.importanceSamples > 1 {
      var sum = 0.0
      for w in logWeights { sum += ExactMath.exp(w - logWeights[0]) }
      total -= logWeights[0] + ExactMath.log(sum / Double(logWeights.count))
    }
  }
  let isMean = options.loss == .mse && !architecture.kind.isVariational && options.lambda == 0
  if isMean { return total / Double(rows * pixels) }
  return total / Double(rows)
}

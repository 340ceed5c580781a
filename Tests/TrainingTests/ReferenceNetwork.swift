// The readable reference: a forward pass and the losses in double precision, loops only. Gradients of the
// trainer are checked against finite differences of this.

import CKernels
import Compute
import Core
import Foundation
import Network
import Training

struct ReferenceNetwork {
  var shapes: [LayerShape]
  /// Of every node; none where it has no weights.
  var weights: [[Double]]
  var biases: [[Double]]
  /// The nodes with weights.
  private let layers: [Int]

  init(_ network: TrainableNetwork) {
    shapes = network.shapes
    weights = shapes.map { _ in [] }
    biases = shapes.map { _ in [] }
    let layers = shapes.indices.filter { network.shapes[$0].hasWeights }
    self.layers = layers
    for (index, parameter) in network.parameters.enumerated() {
      let values = parameter.values.array.map(Double.init)
      if index % 2 == 0 { weights[layers[index / 2]] = values } else { biases[layers[index / 2]] = values }
    }
  }

  static func activate(_ activation: Activation, _ x: Double) -> Double {
    switch activation {
    case .identity: return x
    case .relu: return x > 0 ? x : 0
    case .elu: return x > 0 ? x : ExactMath.exp(x) - 1
    case .sigmoid: return 1 / (1 + ExactMath.exp(-x))
    case .leakyReLU(let thousandths): return x > 0 ? x : Double(thousandths) / 1000 * x
    case .silu: return x / (1 + ExactMath.exp(-x))
    case .gelu: return x / 2 * (1 + erf(x / 2.0.squareRoot()))
    case .geluTanh:
      return x / 2 * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .tanh: return Foundation.tanh(x)
    }
  }

  func run(_ input: [Double]) -> [Double] {
    var results: [[Double]] = []
    for (index, shape) in shapes.enumerated() {
      func rows(_ source: Int) -> [Double] { source < 0 ? input : results[source] }
      let x = rows(shape.source(of: index))
      let second = shape.hasTwoSources ? rows(shape.secondSource(of: index)) : []
      let y =
        shape.hasWeights ? layer(index, shape, x) : Self.weightless(shape, x, second)
      results.append(y.map { Self.activate(shape.activation, $0) })
    }
    return results[results.count - 1]
  }

  private func layer(_ index: Int, _ shape: LayerShape, _ x: [Double]) -> [Double] {
    var y = (0..<shape.outputs).map { biases[index][$0 % shape.channels] }
    if shape.isConvolution {
      Self.convolve(shape.geometry, weights[index], x, into: &y)
    } else {
      for o in 0..<shape.outputs {
        for i in 0..<shape.inputs { y[o] += weights[index][o * shape.inputs + i] * x[i] }
      }
    }
    return y
  }

  /// A node without weights, before its activation.
  private static func weightless(_ shape: LayerShape, _ x: [Double], _ second: [Double]) -> [Double] {
    let (place, g) = (shape.place, shape.geometry)
    let (pixels, channels) = (Int(place.pixels), Int(place.channels.0))
    let (fineWidth, coarseWidth) = (Int(g.fine_width), Int(g.coarse_width))
    switch place.operation {
    case Int32(CK_ADD): return zip(x, second).map { $0 + $1 }
    case Int32(CK_CONCATENATE):
      let others = Int(place.channels.1)
      var y: [Double] = []
      for pixel in 0..<pixels {
        y += x[pixel * channels..<(pixel + 1) * channels]
        y += second[pixel * others..<(pixel + 1) * others]
      }
      return y
    case Int32(CK_MEAN_POOL), Int32(CK_MAX_POOL):
      return pooled(g, isMax: place.operation == Int32(CK_MAX_POOL), x)
    case Int32(CK_UPSAMPLE):
      let (width, factor) = (Int(g.fine_channels), Int(g.stride))
      return (0..<shape.outputs).map { output in
        let (pixel, channel) = (output / width, output % width)
        let source = pixel / fineWidth / factor * coarseWidth + pixel % fineWidth / factor
        return x[source * width + channel]
      }
    case Int32(CK_CHANNELS_FIRST): return transposed(x, rows: pixels, columns: channels)
    case Int32(CK_CHANNELS_LAST): return transposed(x, rows: channels, columns: pixels)
    default: return x
    }
  }

  private static func pooled(_ g: ck_convolution, isMax: Bool, _ x: [Double]) -> [Double] {
    let (channels, wide) = (Int(g.coarse_channels), Int(g.fine_width))
    let (kernel, stride, padding) = (Int(g.kernel), Int(g.stride), Int(g.padding))
    var y: [Double] = []
    for row in 0..<Int(g.coarse_height) {
      for column in 0..<Int(g.coarse_width) {
        let (top, left) = (row * stride - padding, column * stride - padding)
        for channel in 0..<channels {
          var inside: [Double] = []
          for i in 0..<Int(g.fine_height) {
            for j in 0..<wide {
              let isIn = kernel < 0 || (i >= top && i < top + kernel && j >= left && j < left + kernel)
              if isIn { inside.append(x[(i * wide + j) * channels + channel]) }
            }
          }
          y.append(isMax ? inside.max()! : inside.reduce(0, +) / Double(inside.count))
        }
      }
    }
    return y
  }

  private static func transposed(_ x: [Double], rows: Int, columns: Int) -> [Double] {
    var y = x
    for row in 0..<rows {
      for column in 0..<columns { y[column * rows + row] = x[row * columns + column] }
    }
    return y
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
    get { p % 2 == 0 ? weights[layers[p / 2]][index] : biases[layers[p / 2]][index] }
    set {
      if p % 2 == 0 {
        weights[layers[p / 2]][index] = newValue
      } else {
        biases[layers[p / 2]][index] = newValue
      }
    }
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
    guard architecture.isVariational else {
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
  let isMean = options.loss == .mse && !architecture.isVariational && options.lambda == 0
  if isMean { return total / Double(rows * pixels) }
  return total / Double(rows)
}

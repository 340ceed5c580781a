// Every gradient of the trainer against finite differences of the double-precision reference.

import Compute
import Core
import Network
import Testing
import Training

struct GradientCase: Sendable, CustomTestStringConvertible {
  let kind: ModelKind
  let loss: Loss
  let output: Activation
  var samples = 1
  var beta = 1.0
  var lambda = 0.0
  /// Lists of a custom network on images of 5 x 4 in three channels and codes of 3.
  var lists: (encoder: String, decoder: String)?
  var testDescription: String {
    "\(kind) \(loss) \(output) samples \(samples) beta \(beta) lambda \(lambda) \(lists?.encoder ?? "") \(lists?.decoder ?? "")"
  }

  static func custom(_ encoder: String, _ decoder: String, output: Activation = .sigmoid) -> GradientCase {
    GradientCase(kind: .custom, loss: .mse, output: output, lists: (encoder, decoder))
  }

  func architecture() throws -> Architecture {
    guard let lists else {
      return try Architecture(
        kind: kind, width: 5, height: 4, latentCount: 3,
        hidden: kind == .convVAE || kind == .residualVAE ? [4, 4, 3, 7] : [11, 7], output: output)
    }
    let image = FeatureShape(height: 4, width: 5, channels: 3)
    return try Architecture(
      kind: .custom, width: 5, height: 4, channels: 3, latentCount: 3, output: output,
      custom: CustomNetwork(
        encoder: try NodeList(text: lists.encoder, input: image).nodes,
        decoder: try NodeList(text: lists.decoder, input: FeatureShape(vector: 3)).nodes,
        isVariational: false))
  }
}

@Test(
  "Gradients equal finite differences of a double-precision reference",
  arguments: [
    GradientCase(kind: .linear, loss: .mse, output: .identity),
    GradientCase(kind: .sigmoid, loss: .mse, output: .identity),
    GradientCase(kind: .relu, loss: .mse, output: .identity),
    GradientCase(kind: .elu, loss: .mse, output: .identity),
    GradientCase(kind: .elu, loss: .mse, output: .sigmoid),
    GradientCase(kind: .elu, loss: .bernoulli, output: .sigmoid),
    GradientCase(kind: .elu, loss: .mse, output: .sigmoid, lambda: 0.1),
    GradientCase(kind: .elu, loss: .bernoulli, output: .sigmoid, lambda: 0.5),
    GradientCase(kind: .vae, loss: .bernoulli, output: .sigmoid),
    GradientCase(kind: .vae, loss: .bernoulli, output: .sigmoid, beta: 0.3),
    GradientCase(kind: .vae, loss: .mse, output: .identity),
    GradientCase(kind: .vae, loss: .bernoulli, output: .sigmoid, samples: 3),
    GradientCase(kind: .vae, loss: .bernoulli, output: .sigmoid, samples: 4, beta: 0.5),
    GradientCase(kind: .convVAE, loss: .bernoulli, output: .sigmoid),
    GradientCase(kind: .convVAE, loss: .mse, output: .identity),
    GradientCase(kind: .convVAE, loss: .bernoulli, output: .sigmoid, samples: 3),
    GradientCase(kind: .residualVAE, loss: .bernoulli, output: .sigmoid),
    GradientCase(kind: .residualVAE, loss: .mse, output: .identity),
    // Every operation and activation, and every way in which nodes can be read.
    .custom(
      "convolution(channels=4,kernel=3,padding=1,activation=gelu);convolution(channels=4,kernel=3,padding=1);add(1,0,activation=silu);mean_pool(kernel=2,stride=1);dense(outputs=3)",
      "dense(height=2,width=3,channels=4,activation=leaky_relu:0.2);transposed_convolution(channels=3,kernel=4,stride=2,padding=1,height=4,width=5,activation=sigmoid)"
    ),
    .custom(
      "convolution(channels=3,kernel=5,stride=2,padding=2,activation=tanh);max_pool(kernel=2,stride=1,padding=1);activation(activation=gelu_tanh);convolution(input,channels=2,kernel=2);max_pool(1,kernel=1,stride=1);activation(1,activation=silu);concatenate(3,5);concatenate(6,4);concatenate(7,2);channels_first();dense(outputs=3)",
      "dense(outputs=12,activation=elu);reshape(height=2,width=2,channels=3);upsample(factor=3);convolution(channels=3,kernel=3,activation=gelu);mean_pool(whole=true);dense(0,outputs=3);add(4,5,activation=tanh);dense(outputs=60)",
      output: .identity),
    .custom(
      "add(input,input);reshape(height=1,width=1,channels=60);dense(outputs=6,activation=silu);add(2,2,activation=gelu);concatenate(3,2);dense(outputs=3)",
      "dense(outputs=60,activation=relu);channels_last(height=4,width=5,channels=3);convolution(channels=3,kernel=1);add(2,1);activation(activation=leaky_relu);convolution(channels=3,kernel=1,activation=sigmoid);channels_first()"
    ),
    .custom(
      "dense(outputs=5);activation(activation=sigmoid);activation(activation=tanh);dense(0,outputs=5,activation=gelu);add(2,3);dense(outputs=3)",
      "dense(outputs=7,activation=silu);dense(outputs=7,activation=silu);add(1,0);dense(outputs=60,activation=sigmoid)"
    ),
  ])
func gradientsEqualFiniteDifferences(_ testCase: GradientCase) throws {
  var options = TrainingOptions(architecture: try testCase.architecture())
  options.loss = testCase.loss
  options.importanceSamples = testCase.samples
  options.beta = testCase.beta
  options.lambda = testCase.lambda
  options.seed = 5
  let trainer = try Trainer(options: options)
  let rows = 19
  var stream = RandomStream(seed: 3, .test)
  let images = (0..<rows * options.architecture.pixelCount).map { _ in stream.uniform() }
  // Biases away from zero, where ReLU has its corner.
  for network in [trainer.encoder, trainer.decoder] {
    for parameter in network.parameters {
      for i in 0..<parameter.count { parameter.values[i] += 0.1 * stream.normal() }
    }
  }
  if let density = trainer.density {
    for i in 0..<density.parameter.count { density.parameter.values[i] += 0.05 * stream.normal() }
  }
  let loss = try trainer.gradients(images, rows: rows)
  let density = trainer.density?.parameter.values.array.map(Double.init) ?? []
  let encoder = ReferenceNetwork(trainer.encoder)
  let decoder = ReferenceNetwork(trainer.decoder)
  let reference = referenceLoss(encoder, decoder, options, images: images, rows: rows, density: density)
  #expect(abs(loss - reference) < 1e-5 * max(1, abs(reference)))

  var largest = 0.0
  for half in 0..<2 {
    let drawing = half == 0 && testCase.samples > 1 ? encoder : nil
    let parameters = (half == 0 ? trainer.encoder : trainer.decoder).parameters
    for (p, parameter) in parameters.enumerated() {
      for index in stride(from: 0, to: parameter.count, by: 1 + parameter.count / 12) {
        let h = 1e-5
        func moved(_ by: Double) -> Double {
          var e = encoder
          var d = decoder
          if half == 0 { e[parameter: p, index] += by } else { d[parameter: p, index] += by }
          return referenceLoss(
            e, d, options, images: images, rows: rows, density: density, drawing: drawing)
        }
        let expected = (moved(h) - moved(-h)) / (2 * h)
        let actual = Double(parameter.gradient[index])
        largest = max(largest, abs(expected))
        #expect(
          abs(actual - expected) < 2e-4 * max(abs(expected), 0.02 * max(1, reference)),
          "half \(half) parameter \(p) index \(index): \(actual), finite difference \(expected)")
      }
    }
  }
  #expect(largest > 1e-4)

  for index in density.indices {
    func moved(_ by: Double) -> Double {
      var moved = density
      moved[index] += by
      return referenceLoss(encoder, decoder, options, images: images, rows: rows, density: moved)
    }
    let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6
    let actual = Double(trainer.density?.parameter.gradient[index] ?? .nan)
    #expect(
      abs(actual - expected) < 2e-4 * max(abs(expected), 0.02 * max(1, reference)),
      "density \(index): \(actual), finite difference \(expected)")
  }
}

@Test("What importance samples give the encoder for a gradient has the mean of the bound's gradient")
func importanceGradientsHaveTheMeanOfTheBounds() throws {
  var options = TrainingOptions(
    architecture: try Architecture(
      kind: .vae, width: 3, height: 2, latentCount: 2, hidden: [3], output: .sigmoid))
  options.loss = .bernoulli
  options.importanceSamples = 2
  let trainer = try Trainer(options: options)
  let encoder = ReferenceNetwork(trainer.encoder)
  let decoder = ReferenceNetwork(trainer.decoder)
  let images: [Float] = [1, 0, 1, 1, 0, 0]
  for beta in [1.0, 0.5] {
    options.beta = beta
    for index in 0..<4 {  // The biases of two means and two logarithms of variances.
      func slope(_ step: Int, drawing: ReferenceNetwork?) -> Double {
        func moved(_ by: Double) -> Double {
          var moved = encoder
          moved[parameter: 3, index] += by
          return referenceLoss(
            moved, decoder, options, images: images, rows: 1, step: step, drawing: drawing)
        }
        return (moved(1e-4) - moved(-1e-4)) / 2e-4
      }
      var sum = 0.0
      var squares = 0.0
      var size = 0.0
      let draws = 2000
      for step in 0..<draws {
        let ofBound = slope(step, drawing: nil)
        let difference = slope(step, drawing: encoder) - ofBound
        sum += difference
        squares += difference * difference
        size += ofBound * ofBound
      }
      let error = (squares / Double(draws)).squareRoot() / Double(draws).squareRoot()
      #expect(abs(sum / Double(draws)) < 4 * error, "beta \(beta), head \(index)")
      #expect(error < 0.02 * max(1, (size / Double(draws)).squareRoot()))
    }
  }
}

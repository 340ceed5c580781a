// The options of training that make the model what it is, and their way into TrainingOptions. Apart from the
// command, because presets are made of them, too.

import ArgumentParser
import Bytes
import Core
import Model
import Network
import Storage
import Training

/// What to train and how, as far as the command line or a preset says.
package struct Recipe: ParsableArguments {
  @Option(help: "The kind of network (default: elu).")
  package var kind: ModelKind?

  @Option(
    name: .shortAndLong, help: "Numbers in a latent code, 1 to 1024 (default: 5, for variational kinds 20).")
  package var latent: Int?

  @Option(
    help: ArgumentHelp(
      "Widths of the encoder's hidden layers, which the decoder mirrors, or none (default: 500,500). Of a conv-vae "
        + "(32,64,256) all but the last are channels of convolutions: as many as before keep the picture's size, "
        + "any other number halves it.",
      valueName: "widths"))
  package var hidden: Widths?

  @Option(help: "Steps of training (default: 50000).")
  package var steps: Int?

  @Option(help: "Images in a batch (default: 100).")
  package var batch: Int?

  @Option(help: "Fixes the weights' start, the batches and all noise (default: 1).")
  package var seed: UInt64?

  @Option(help: "The peak of the learning rate (default: 0.001).")
  package var rate: Double?

  @Option(help: "The course of the learning rate (default: constant).")
  package var schedule: Schedule?

  @Option(
    help: "What makes steps of gradients: adam, or muon for convolutions' weights beside it (default: adam).")
  package var optimizer: Optimiser?

  @Option(help: "What is minimised (default: mse, for variational kinds bernoulli).")
  package var loss: Loss?

  @Option(help: "The last layer's activation (default: sigmoid for the loss bernoulli, else linear).")
  package var outputActivation: OutputActivation?

  @Option(help: "Weight of the KL term of variational kinds (default: 1).")
  package var beta: Double?

  @Option(help: "Steps over which that weight rises from 0 (default: 0).")
  package var betaWarmup: Int?

  @Option(help: "Draws of the latent for each image of a variational kind; above 1: an IWAE (default: 1).")
  package var importanceSamples: Int?

  @Option(help: "Steps at first that draw once, which is faster (default: 0).")
  package var importanceWarmup: Int?

  @Option(
    help: ArgumentHelp(
      "What a bit of code counts beside an image's summed loss, for models of image sets at a low or high rate; "
        + "0: bits do not count (default: 0).", valueName: "weight"))
  package var lambda: Double?

  @Option(help: "Standard deviation of Gaussian noise on the input, for denoising (default: 0).")
  package var noise: Double?

  @Option(
    help: ArgumentHelp(
      "Standard deviation of the entries of a random linear map that every image goes through: slants, turns "
        + "and sizes that the set does not hold (default: 0).", valueName: "deviation"))
  package var deform: Double?

  @Option(help: "The largest norm of the gradient; 0 for any (default: 0).")
  package var clip: Double?

  @Option(help: "Decay of the running average of weights that the model gets; 0 for none (default: 0).")
  package var average: Double?

  @Flag(help: "Draw every batch's pixels as 0 or 1 with their value as probability.")
  package var binarize = false

  @Option(help: "Share of the images held out for validation, the last ones, 0 to 0.5 (default: 0).")
  package var validation: Double?

  @Option(help: "The model's name, at most 64 bytes (default: the kind).")
  package var name: String?

  package init() {}

  /// Whether anything is said at all.
  package var isEmpty: Bool {
    let said: [Any?] = [
      kind, latent, hidden, steps, batch, seed, rate, schedule, optimizer, loss, outputActivation, beta,
      betaWarmup, importanceSamples, importanceWarmup, lambda, noise, deform, clip, average, validation, name,
    ]
    return said.allSatisfy { $0 == nil } && !binarize
  }

  /// Options for images of a size; what is not said here is as in `base`, or else the default.
  package func options(width: Int, height: Int, base: Recipe?) throws(AEError) -> TrainingOptions {
    let kind = kind ?? base?.kind ?? .elu
    let loss = loss ?? base?.loss ?? (kind.isVariational ? .bernoulli : .mse)
    let output = outputActivation ?? base?.outputActivation ?? (loss == .bernoulli ? .sigmoid : .linear)
    var options = TrainingOptions(
      architecture: try Architecture(
        kind: kind, width: width, height: height,
        latentCount: latent ?? base?.latent ?? (kind.isVariational ? 20 : 5),
        hidden: (hidden ?? base?.hidden)?.values, output: output.activation))
    options.loss = loss
    if let value = schedule ?? base?.schedule { options.schedule = value }
    if let value = optimizer ?? base?.optimizer { options.optimiser = value }
    if let value = batch ?? base?.batch { options.batchSize = value }
    if let value = steps ?? base?.steps { options.stepCount = value }
    if let value = seed ?? base?.seed { options.seed = value }
    if let value = rate ?? base?.rate { options.learningRate = value }
    if let value = beta ?? base?.beta { options.beta = value }
    if let value = betaWarmup ?? base?.betaWarmup { options.betaWarmupSteps = value }
    if let value = importanceSamples ?? base?.importanceSamples { options.importanceSamples = value }
    if let value = importanceWarmup ?? base?.importanceWarmup { options.importanceWarmupSteps = value }
    if let value = lambda ?? base?.lambda { options.lambda = value }
    if let value = noise ?? base?.noise { options.noise = value }
    if let value = deform ?? base?.deform { options.deformation = value }
    if let value = clip ?? base?.clip { options.gradientClip = value }
    if let value = average ?? base?.average { options.weightAverage = value }
    if let value = validation ?? base?.validation { options.validationFraction = value }
    if let value = name ?? base?.name { options.name = value }
    options.binarize = binarize || base?.binarize ?? false
    try options.validate()
    return options
  }
}

extension TrainingOptions {
  /// The command line that says all of this but the images: the same for the same model.
  package var commandLine: String {
    var words = ["aez train --kind \(architecture.kind.name) --latent \(architecture.latentCount)"]
    if architecture.kind != .pca {
      words += [
        "--hidden \(Widths.text(architecture.hidden)) --steps \(stepCount) --batch \(batchSize) --seed \(seed)",
        "--rate \(learningRate.significant(12)) --schedule \(schedule.name) --loss \(loss.name)",
        "--output-activation \(architecture.output == .sigmoid ? "sigmoid" : "linear")",
      ]
    }
    if architecture.kind.isVariational {
      words.append("--beta \(beta.significant(12)) --beta-warmup \(betaWarmupSteps)")
      words.append("--importance-samples \(importanceSamples)")
      if importanceWarmupSteps > 0 { words.append("--importance-warmup \(importanceWarmupSteps)") }
    }
    if optimiser != .adam { words.append("--optimizer \(optimiser.name)") }
    if lambda > 0 { words.append("--lambda \(lambda.significant(12))") }
    if noise > 0 { words.append("--noise \(noise.significant(12))") }
    if deformation > 0 { words.append("--deform \(deformation.significant(12))") }
    if gradientClip > 0 { words.append("--clip \(gradientClip.significant(12))") }
    if weightAverage > 0 { words.append("--average \(weightAverage.significant(12))") }
    if binarize { words.append("--binarize") }
    if validationFraction > 0 { words.append("--validation \(validationFraction.significant(12))") }
    return words.joined(separator: " ")
  }

  /// Where a model of this recipe and these images comes from: the same for the same model.
  package func provenance(on set: ImageSet) -> String {
    "\(commandLine) on \(set.count) images of \(set.width) x \(set.height), SHA-256 of their pixels "
      + SHA256.hex(SHA256.digest(set.pixels.base, set.pixels.count))
      + (start.map { ", from the weights of SHA-256 \(SHA256.hex($0))" } ?? "")
  }
}

extension Autoencoder {
  /// The part of a recipe that says what network this is.
  package var recipeWords: [String] {
    var words = ["--kind", "\(architecture.kind.name)", "--latent", "\(architecture.latentCount)"]
    if !name.isEmpty { words.append("--name=\(name)") }
    words += ["--hidden", Widths.text(architecture.hidden)]
    return words + ["--output-activation", architecture.output == .sigmoid ? "sigmoid" : "linear"]
  }
}

// How much of everything the study does: in full, in minutes, or, for its tests, in seconds. Which networks it
// compares, and every training run that its experiments look at.

import Core
import Model
import Training

/// The numbers of a study.
struct StudyPlan {
  enum Scale: String { case full, quick, tiny }

  let scale: Scale
  /// Digits to learn from and to measure on, at most.
  let trainCount: Int
  let testCount: Int
  let hidden: [Int]
  /// Steps of the networks that the study describes, plain and variational, of the map in the plane, and of each
  /// run of a sweep.
  let ownSteps: Int
  let ownVariationalSteps: Int
  /// Of the convolutional one, whose steps take longest, and the widths of its hidden layers.
  let convolutionalSteps: Int
  let convolutionalHidden: [Int]
  let mapSteps: Int
  let sweepSteps: Int
  let manifoldSteps: Int
  /// Where the linear network is looked at: the steps of the study's figure 2, and those of the curve of angles.
  let linearMarks: [Int]
  let angleMarks: [Int]
  let pcaDimensions: [Int]
  let eluDimensions: [Int]
  let vaeDimensions: [Int]
  let betas: [Double]
  let manifoldDimensions: [Int]
  let manifoldCount: Int
  let manifoldTestCount: Int
  /// Images in estimates of dimension.
  let estimateCount: Int
  /// Draws of the importance-weighted bound, and images it is measured on.
  let boundSamples: Int
  let boundCount: Int
  /// Images that classifiers learn from and are tested on.
  let classifierTrainCount: Int
  let classifierTestCount: Int
  /// Steps between points of a run's curve.
  let interval: Int

  static let full = StudyPlan(
    scale: .full, trainCount: 60_000, testCount: 10_000, hidden: [500, 500], ownSteps: 50_000,
    ownVariationalSteps: 20_000, convolutionalSteps: 3_000, convolutionalHidden: [12, 24, 128],
    mapSteps: 5_000,
    sweepSteps: 5_000, manifoldSteps: 5_000, linearMarks: [10_000, 30_000, 50_000],
    angleMarks: [100, 300, 1_000, 3_000, 10_000, 30_000, 50_000],
    pcaDimensions: [1, 2, 3, 4, 5, 6, 8, 12, 16, 20, 24, 32, 64, 128],
    eluDimensions: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128],
    vaeDimensions: [1, 2, 4, 5, 8, 16, 32, 64, 128], betas: [0.25, 0.5, 1, 2, 4],
    manifoldDimensions: [2, 3, 4, 5, 6, 7, 8, 10], manifoldCount: 20_000, manifoldTestCount: 4_000,
    estimateCount: 20_000, boundSamples: 200, boundCount: 2_000, classifierTrainCount: 60_000,
    classifierTestCount: 10_000, interval: 100)

  static let quick = StudyPlan(
    scale: .quick, trainCount: 60_000, testCount: 2_000, hidden: [500, 500], ownSteps: 1_500,
    ownVariationalSteps: 1_500, convolutionalSteps: 600, convolutionalHidden: [12, 24, 128], mapSteps: 2_500,
    sweepSteps: 600, manifoldSteps: 600, linearMarks: [300, 900, 1_500],
    angleMarks: [25, 75, 150, 300, 600, 900, 1_500],
    pcaDimensions: [1, 2, 4, 5, 8, 16, 20, 32, 64, 128], eluDimensions: [1, 2, 4, 8, 16, 32, 64, 128],
    vaeDimensions: [1, 2, 5, 16, 32, 128], betas: [0.25, 1, 4], manifoldDimensions: [2, 4, 5, 6, 7, 8],
    manifoldCount: 20_000, manifoldTestCount: 2_000, estimateCount: 10_000, boundSamples: 50, boundCount: 300,
    classifierTrainCount: 10_000, classifierTestCount: 1_000, interval: 25)

  static let tiny = StudyPlan(
    scale: .tiny, trainCount: 600, testCount: 200, hidden: [24], ownSteps: 30, ownVariationalSteps: 30,
    convolutionalSteps: 20, convolutionalHidden: [4, 8, 16],
    mapSteps: 30, sweepSteps: 20,
    manifoldSteps: 20, linearMarks: [10, 20, 30], angleMarks: [10, 20, 30],
    pcaDimensions: [1, 5, 16, 20, 32],
    eluDimensions: [1, 4, 16, 32], vaeDimensions: [1, 5, 16, 32], betas: [0.5, 1, 2],
    manifoldDimensions: [2, 6], manifoldCount: 400, manifoldTestCount: 100, estimateCount: 400,
    boundSamples: 5, boundCount: 20, classifierTrainCount: 400, classifierTestCount: 100, interval: 5)

  /// Where networks are compared with equally long codes, beside the study's own: a length of every sweep.
  var comparedDimension: Int { 16 }
  /// The length of code at which the weight of the KL term is varied: a length of the sweep of the VAE.
  var betaDimension: Int { 32 }
}

/// One of the networks that the study compares.
struct StudyNetwork {
  let kind: ModelKind
  let latentCount: Int
  /// How a chart and a table call it.
  let title: String
  /// Its colour on every chart.
  let colour: Int

  /// In the order of tables.
  static let all = [
    StudyNetwork(kind: .pca, latentCount: 5, title: "PCA", colour: 0),
    StudyNetwork(kind: .linear, latentCount: 5, title: "linear", colour: 1),
    StudyNetwork(kind: .sigmoid, latentCount: 5, title: "sigmoid", colour: 2),
    StudyNetwork(kind: .relu, latentCount: 5, title: "ReLU", colour: 3),
    StudyNetwork(kind: .elu, latentCount: 5, title: "ELU", colour: 4),
    StudyNetwork(kind: .vae, latentCount: 20, title: "VAE", colour: 5),
    StudyNetwork(kind: .convVAE, latentCount: 20, title: "conv VAE", colour: 6),
  ]

  static func of(_ kind: ModelKind) -> StudyNetwork? { all.first { $0.kind == kind } }

  var run: String { "\(kind.name)-\(latentCount)" }
}

/// A training run that experiments look at.
struct StudyRun {
  let name: String
  let options: TrainingOptions
  /// Steps after which the network is kept, too.
  var marks: [Int] = []

  /// What a run costs beside others, in thousandths of a second on the machine that this was written on.
  var cost: Int {
    let perStep =
      options.architecture.kind == .pca
      ? 0.1 : options.architecture.kind == .convVAE ? 25 : options.architecture.kind.isVariational ? 5 : 3
    return max(1, Int(perStep * Double(options.stepCount)))
  }
}

extension StudyPlan {
  /// A recipe of the study: its protocol, and for variational kinds pixels drawn as 0 or 1, so that bounds are
  /// bounds of something.
  private func options(_ kind: ModelKind, _ latentCount: Int, steps: Int, width: Int, height: Int)
    throws(AEError) -> TrainingOptions
  {
    var options = TrainingOptions(
      architecture: try Architecture(
        kind: kind, width: width, height: height, latentCount: latentCount,
        hidden: kind == .convVAE ? convolutionalHidden : hidden,
        output: kind.isVariational ? .sigmoid : .identity))
    options.stepCount = kind == .pca ? 1 : steps
    options.binarize = kind.isVariational
    return options
  }

  /// The networks that the study describes, by its protocol.
  func own(_ data: StudyData) throws(AEError) -> [StudyRun] {
    var runs: [StudyRun] = []
    for network in StudyNetwork.all {
      var options = try options(
        network.kind, network.latentCount, steps: ownSteps(of: network.kind),
        width: data.width, height: data.height)
      if network.kind == .convVAE {
        // Few steps are worth more at a high rate that comes and goes.
        options.schedule = .oneCycle
        options.learningRate = 0.003
      }
      runs.append(
        StudyRun(
          name: network.run, options: options,
          marks: network.kind == .linear ? Array(Set(linearMarks + angleMarks)).sorted() : []))
    }
    return runs
  }

  /// Steps of a network that the study describes.
  func ownSteps(of kind: ModelKind) -> Int {
    kind == .convVAE ? convolutionalSteps : kind.isVariational ? ownVariationalSteps : ownSteps
  }

  /// A VAE with a code of two numbers.
  func map(_ data: StudyData) throws(AEError) -> StudyRun {
    var options = try options(.vae, 2, steps: mapSteps, width: data.width, height: data.height)
    options.schedule = .cosine
    return StudyRun(name: "vae-map", options: options)
  }

  /// A shorter run with a falling learning rate, for curves over the length of the code.
  func sweep(_ kind: ModelKind, _ latentCount: Int, beta: Double = 1, _ data: StudyData) throws(AEError)
    -> StudyRun
  {
    var options = try options(kind, latentCount, steps: sweepSteps, width: data.width, height: data.height)
    if kind != .pca { options.schedule = .cosine }
    options.beta = beta
    let suffix = beta == 1 ? "" : "-beta-\(beta.significant(6))"
    return StudyRun(name: "sweep-\(kind.name)-\(latentCount)\(suffix)", options: options)
  }

  func sweeps(_ data: StudyData) throws(AEError) -> [StudyRun] {
    var runs: [StudyRun] = []
    for d in pcaDimensions { runs.append(try sweep(.pca, d, data)) }
    for d in eluDimensions { runs.append(try sweep(.elu, d, data)) }
    for d in vaeDimensions { runs.append(try sweep(.vae, d, data)) }
    return runs
  }

  func betaRuns(_ data: StudyData) throws(AEError) -> [StudyRun] {
    var runs: [StudyRun] = []
    for beta in betas { runs.append(try sweep(.vae, betaDimension, beta: beta, data)) }
    return runs
  }

  /// Autoencoders of images from a manifold of known dimension.
  func manifold(_ manifold: KnownManifold) throws(AEError) -> [StudyRun] {
    var runs: [StudyRun] = []
    for d in manifoldDimensions {
      var options = try options(
        .elu, d, steps: manifoldSteps, width: manifold.data.width, height: manifold.data.height)
      options.schedule = .cosine
      runs.append(StudyRun(name: "\(manifold.key)-\(d)", options: options))
    }
    return runs
  }
}

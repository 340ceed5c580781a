// The plan of a study: its size (in full, in minutes, or, for tests, in seconds), the networks that it compares, and every
// training run of its experiments.

import Core
import Network
import ToolKit
import Training

/// The numbers of a study.
struct StudyPlan {
  enum Scale: String { case full, quick, tiny }

  let scale: Scale
  /// Digits to learn from and to measure on, at most.
  let trainCount: Int
  let testCount: Int
  let hidden: [Int]
  /// Steps of the networks that the study describes: the plain ones, and the variational ones, of which those of
  /// the convolutional one take longest. Nil: these are trained as the presets vae-50 and conv-vae-50 say.
  let ownSteps: Int
  let variationalSteps: Int?
  let convolutionalSteps: Int?
  /// Steps of the preset conv-30. Nil: as many as it says.
  let bestSteps: Int?
  /// Of the map in the plane, and of each run of a sweep.
  let mapSteps: Int
  let sweepSteps: Int
  /// Of a sweep's convolutional networks, and the widths of their hidden layers.
  let convolutionalSweepSteps: Int
  let convolutionalHidden: [Int]
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
    variationalSteps: nil, convolutionalSteps: nil, bestSteps: nil, mapSteps: 5_000, sweepSteps: 5_000,
    convolutionalSweepSteps: 3_000, convolutionalHidden: [12, 24, 128], manifoldSteps: 5_000,
    linearMarks: [10_000, 30_000, 50_000],
    angleMarks: [100, 300, 1_000, 3_000, 10_000, 30_000, 50_000],
    pcaDimensions: [1, 2, 3, 4, 5, 6, 8, 12, 16, 20, 24, 32, 64, 128],
    eluDimensions: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128],
    vaeDimensions: [1, 2, 4, 5, 8, 16, 32, 64, 128], betas: [0.25, 0.5, 1, 2, 4],
    manifoldDimensions: [2, 3, 4, 5, 6, 7, 8, 10], manifoldCount: 20_000, manifoldTestCount: 4_000,
    estimateCount: 20_000, boundSamples: 200, boundCount: 2_000, classifierTrainCount: 60_000,
    classifierTestCount: 10_000, interval: 100)

  static let quick = StudyPlan(
    scale: .quick, trainCount: 60_000, testCount: 2_000, hidden: [500, 500], ownSteps: 1_500,
    variationalSteps: 1_500, convolutionalSteps: 600, bestSteps: 100, mapSteps: 2_500, sweepSteps: 600,
    convolutionalSweepSteps: 300, convolutionalHidden: [12, 24, 128], manifoldSteps: 600,
    linearMarks: [300, 900, 1_500],
    angleMarks: [25, 75, 150, 300, 600, 900, 1_500],
    pcaDimensions: [1, 2, 4, 5, 8, 16, 20, 32, 64, 128], eluDimensions: [1, 2, 4, 8, 16, 32, 64, 128],
    vaeDimensions: [1, 2, 5, 16, 32, 128], betas: [0.25, 1, 4], manifoldDimensions: [2, 4, 5, 6, 7, 8],
    manifoldCount: 20_000, manifoldTestCount: 2_000, estimateCount: 10_000, boundSamples: 50, boundCount: 300,
    classifierTrainCount: 10_000, classifierTestCount: 1_000, interval: 25)

  static let tiny = StudyPlan(
    scale: .tiny, trainCount: 400, testCount: 200, hidden: [24], ownSteps: 30, variationalSteps: 30,
    convolutionalSteps: 20, bestSteps: 2, mapSteps: 30, sweepSteps: 20, convolutionalSweepSteps: 10,
    convolutionalHidden: [4, 8, 16], manifoldSteps: 20, linearMarks: [10, 20, 30], angleMarks: [10, 20, 30],
    pcaDimensions: [1, 5, 16, 20, 32],
    eluDimensions: [1, 4, 16, 32], vaeDimensions: [1, 5, 16, 32], betas: [0.5, 1, 2],
    manifoldDimensions: [2, 6], manifoldCount: 400, manifoldTestCount: 100, estimateCount: 400,
    boundSamples: 5, boundCount: 20, classifierTrainCount: 400, classifierTestCount: 100, interval: 5)

  /// Where networks are compared with equally long codes, beside the study's own: a length of every sweep.
  var comparedDimension: Int { 16 }
  /// The length of code at which the weight of the KL term is varied: a length of the sweep of the VAE.
  var betaDimension: Int { 32 }
}

/// How a kind of network is called and drawn wherever it is compared with others.
struct StudyNetwork {
  /// In charts and tables.
  let title: String
  /// On every chart.
  let colour: Int

  static func of(_ kind: ModelKind) -> StudyNetwork {
    switch kind {
    case .pca: return StudyNetwork(title: "PCA", colour: 0)
    case .linear: return StudyNetwork(title: "linear", colour: 1)
    case .sigmoid: return StudyNetwork(title: "sigmoid", colour: 2)
    case .relu: return StudyNetwork(title: "ReLU", colour: 3)
    case .elu: return StudyNetwork(title: "ELU", colour: 4)
    case .vae: return StudyNetwork(title: "VAE", colour: 5)
    case .convVAE: return StudyNetwork(title: "conv VAE", colour: 6)
    case .predictor: return StudyNetwork(title: "predictor", colour: 7)
    case .residualVAE: return StudyNetwork(title: "residual VAE", colour: 8)
    case .custom: return StudyNetwork(title: "custom", colour: 9)
    }
  }
}

/// A training run that experiments look at.
struct StudyRun {
  var name: String
  let options: TrainingOptions
  /// Steps after which the network is kept, too.
  var marks: [Int] = []

  /// The preset of `aez train` that it follows, if any.
  var preset: String?

  var kind: ModelKind { options.architecture.kind }
  var latentCount: Int { options.architecture.latentCount }
  var network: StudyNetwork { StudyNetwork.of(kind) }

  /// Its steps in words: "20,000 steps of 100 images", and with the preset that says so.
  var stepsInWords: String {
    "\(grouped(options.stepCount)) steps of \(options.batchSize) images"
      + (preset.map { " (preset \($0))" } ?? "")
  }

  /// What a run costs beside others, in thousandths of a second on the machine that this was written on.
  var cost: Int {
    guard kind != .pca else { return 1 }
    func products(_ shapes: [LayerShape]) -> Double {
      shapes.reduce(0) { sum, shape in
        let places = Int(shape.geometry.coarse_width) * Int(shape.geometry.coarse_height)
        // A convolution's multiplications take longer than those of dense layers, and there is more beside them.
        return sum + Double(shape.weightCount) * (shape.isConvolution ? 8 * Double(places) : 1)
      }
    }
    let warmup = Double(min(options.importanceWarmupSteps, options.stepCount))
    let draws = warmup + Double(options.importanceSamples) * (Double(options.stepCount) - warmup)
    let perImage =
      products(options.architecture.encoderShapes) * Double(options.stepCount)
      + products(options.architecture.decoderShapes) * draws
    return max(1, Int(perImage / 43_000_000 * Double(options.batchSize)))
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

  /// Few steps of a convolutional network are worth more at a high rate that comes and goes.
  private static func hurry(_ options: inout TrainingOptions) {
    options.schedule = .oneCycle
    options.learningRate = 0.003
  }

  /// What a preset of `aez train` says for images like these.
  private func preset(_ name: String, steps: Int? = nil, _ data: StudyData) throws -> StudyRun {
    var options = TrainingOptions()
    (options.width, options.height) = (data.width, data.height)
    try TrainingPreset.named(name).apply(to: &options)
    if let steps { options.stepCount = steps }
    return StudyRun(
      name: "\(options.architecture.kind.name)-\(options.architecture.latentCount)", options: options,
      preset: name)
  }

  /// The networks that the study describes, in the order of tables: the plain ones by its protocol with 5 numbers,
  /// the variational ones by presets or in fewer steps with 20.
  func own(_ data: StudyData) throws -> [StudyRun] {
    var runs: [StudyRun] = []
    for kind in [ModelKind.pca, .linear, .sigmoid, .relu, .elu] {
      let options = try options(kind, 5, steps: ownSteps, width: data.width, height: data.height)
      runs.append(
        StudyRun(
          name: "\(kind.name)-5", options: options,
          marks: kind == .linear ? Array(Set(linearMarks + angleMarks)).sorted() : []))
    }
    for (kind, steps, name) in [
      (ModelKind.vae, variationalSteps, "vae-50"), (.convVAE, convolutionalSteps, "conv-vae-50"),
    ] {
      if let steps {
        var options = try options(kind, 20, steps: steps, width: data.width, height: data.height)
        if kind == .convVAE { StudyPlan.hurry(&options) }
        runs.append(StudyRun(name: "\(kind.name)-20", options: options))
      } else {
        runs.append(try preset(name, data))
      }
    }
    return runs
  }

  /// Thirty numbers: by the study's protocol, and by the best recipe there is.
  func thirty(_ data: StudyData) throws -> (plain: StudyRun, best: StudyRun) {
    let options = try options(.elu, 30, steps: ownSteps, width: data.width, height: data.height)
    var best = try preset("conv-30", steps: bestSteps, data)
    best.name = "conv-30"
    return (StudyRun(name: "elu-30", options: options), best)
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
    var options = try options(
      kind, latentCount, steps: kind == .convVAE ? convolutionalSweepSteps : sweepSteps, width: data.width,
      height: data.height)
    if kind == .convVAE { StudyPlan.hurry(&options) } else if kind != .pca { options.schedule = .cosine }
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

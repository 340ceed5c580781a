// Experiment 6: whether codes help to classify digits. Nearest neighbours and logistic regression on raw pixels, on
// principal components, and on each network's codes of equal length.

import Analysis
import CSystem
import Core
import Network
import Storage
import ToolKit
import Training

extension StudyExperiment {
  static let classification = StudyExperiment(
    key: "classification", title: "Do codes help to classify?",
    runs: { context in
      try own(context) { $0.latentCount == 5 }
        + on(context.digits.train, try features(context).compactMap { $0.run })
    },
    measure: { context, work in try measureClassification(context, work) },
    cost: { plan in plan.scale == .full ? 90_000 : plan.scale == .quick ? 15_000 : 200 })

  private struct Feature {
    let title: String
    let latents: Int
    let colour: Int
    /// Nil for raw pixels.
    let run: StudyRun?

    /// The codes of a network.
    init(_ run: StudyRun) {
      (title, latents, colour) = (run.network.title, run.latentCount, run.network.colour)
      self.run = run
    }

    /// All pixels of digits.
    init(pixelsOf digits: StudyData) {
      (title, latents, colour, run) = ("raw pixels", digits.size, 7, nil)
    }
  }

  /// The features that digits are classified by.
  private static func features(_ context: StudyContext) throws -> [Feature] {
    let (plan, digits) = (context.plan, context.digits)
    var result = [Feature(pixelsOf: digits)]
    // Of every network codes of 5 numbers, and longer ones of those of which the study asks how long they must be.
    for run in try plan.own(digits) where run.latentCount == 5 {
      result.append(Feature(run))
    }
    for kind in [ModelKind.vae, .convVAE] { result.append(Feature(try plan.sweep(kind, 5, digits))) }
    for kind in [ModelKind.pca, .elu, .vae, .convVAE] {
      result.append(Feature(try plan.sweep(kind, plan.comparedDimension, digits)))
    }
    return result
  }

  private static func measureClassification(_ context: StudyContext, _ work: StudyWork) throws -> [(
    key: String, value: JSON
  )] {
    let (plan, digits) = (context.plan, context.digits)
    var findings = Findings("classification", context.folder)
    let train = try digits.train.prefix(plan.classifierTrainCount)
    let test = try digits.test.prefix(plan.classifierTestCount)
    guard let labels = train.labels, let truth = test.labels else {
      throw AEError(.argument, "\(digits.name): has no labels to tell digits apart by")
    }
    let labelBuffer = try Buffer<UInt8>(labels)
    func accuracy(_ answers: [UInt8]) -> Double {
      Double(zip(answers, truth).count { $0 == $1 }) / Double(max(truth.count, 1))
    }
    var rows: [[String]] = []
    var facts: [JSON] = []
    var best: (nearest: Double, title: String) = (0, "")
    var raw = 0.0
    var results: [(feature: Feature, nearest: Double, logistic: Double)] = []
    for feature in try features(context) {
      try work.tell("classifying by \(feature.title)")
      let width = feature.latents
      let inputs: Buffer<Float>
      let queries: Buffer<Float>
      if let run = feature.run {
        let model = try work.trained(run, on: digits.train).model
        (inputs, queries) = (try model.codes(of: train), try model.codes(of: test))
      } else {
        (inputs, queries) = (try train.floats(train.count), try test.floats(test.count))
      }
      var start = cs_seconds()
      let neighbours = try Neighbours(
        of: queries.base, queryCount: test.count, among: inputs.base, pointCount: train.count, width: width,
        count: 5)
      let nearest = accuracy(neighbours.classes(labelBuffer.base))
      let nearestSeconds = cs_seconds() - start
      start = cs_seconds()
      let regression = try LogisticRegression(
        inputs.base, inputCount: width, labels: labelBuffer.base, classCount: 10, count: train.count,
        iterations: plan.scale == .full ? 300 : 100)
      let logistic = accuracy(try regression.classes(queries.base, count: test.count))
      let logisticSeconds = cs_seconds() - start
      if feature.run == nil {
        raw = nearest
      } else if nearest > best.nearest {
        best = (nearest, "\(feature.title) with \(width) numbers")
      }
      results.append((feature, nearest, logistic))
      rows.append([
        feature.title, "\(width)", (nearest * 100).fixed(2), nearestSeconds.fixed(2),
        (logistic * 100).fixed(2),
        logisticSeconds.fixed(2),
      ])
      facts.append(
        .object([
          ("features", .string(feature.title)), ("numbers", .int(width)),
          ("nearest_accuracy", .number(nearest)),
          ("nearest_seconds", .number(nearestSeconds)), ("logistic_accuracy", .number(logistic)),
          ("logistic_seconds", .number(logisticSeconds)),
        ]))
    }
    let note = plan.note(
      "\(grouped(train.count)) images to learn from, \(grouped(test.count)) test images of \(digits.name); codes of the "
        + "study's networks after \(grouped(plan.ownSteps)) steps, those of d = \(plan.comparedDimension) and the VAE's "
        + "after \(grouped(plan.sweepSteps)), the conv VAE's after \(grouped(plan.convolutionalSweepSteps))")
    try findings.add(
      BarChart(
        title: "Accuracy of five nearest neighbours and of logistic regression, by what they are given",
        unit: "test accuracy, %",
        from: 0, to: 100,
        bars: results.map { result in
          BarChart.Bar(
            name: "\(result.feature.title), \(result.feature.latents)", colour: result.feature.colour,
            values: [result.nearest * 100, result.logistic * 100])
        }, legend: ["5 nearest neighbours", "logistic regression"]),
      name: "accuracy",
      caption: "Test accuracy by what a classifier is given, and how many numbers that is.", run: note)
    findings.add(
      columns: [
        "given", "numbers", "5 nearest, %", "seconds", "logistic regression, %", "seconds",
      ], rows: rows,
      caption: "Seconds: to find the neighbours of all test images; to fit the regression and apply it.",
      run: note)
    findings.add("features", .array(facts))
    findings.sentence =
      "For nearest neighbours the best codes are those of \(best.title): \((best.nearest * 100).fixed(1)) %, where all "
      + "\(digits.size) pixels give \((raw * 100).fixed(1)) %."
    return findings.json(title: "Do codes help to classify?")
  }
}

// Experiment 1: a linear autoencoder beside principal components. The study's figure 2, the angles between the two
// subspaces, and how near the loss comes to its minimum.

import Analysis
import Core
import Model
import ToolKit
import Training

extension StudyExperiment {
  static let linear = StudyExperiment(
    key: "linear", title: "A linear autoencoder and PCA",
    runs: { context in try own(context) { $0.kind == .linear || $0.kind == .pca } },
    measure: { context, work in try measureLinear(context, work) })

  private static func measureLinear(_ context: StudyContext, _ work: StudyWork) throws -> [(
    key: String, value: JSON
  )] {
    let (plan, digits) = (context.plan, context.digits)
    let runs = try plan.own(digits)
    guard let linear = runs.first(where: { $0.options.architecture.kind == .linear }),
      let pca = runs.first(where: { $0.options.architecture.kind == .pca })
    else { throw AEError(.internal, "the study has no linear network") }
    let yardstick = try work.trained(pca, on: digits.train).model
    let trained = try work.trained(linear, on: digits.train)
    let d = yardstick.latentCount
    var findings = Findings("linear", context.folder)

    func testError(_ model: Autoencoder) throws(AEError) -> Double {
      try Evaluation.reconstruction(model, pixels: digits.test.pixels.base, count: digits.test.count).mse
    }
    let floor = try Evaluation.reconstruction(
      yardstick, pixels: digits.train.pixels.base, count: digits.train.count
    ).mse
    let testFloor = try testError(yardstick)

    // Figure 2: the same digits after more and more steps.
    let shown = try digits.test.examples()
    var strips = [Findings.Strip(label: "digits", note: "", images: shown)]
    var errors: [(step: Int, mse: Double)] = []
    for step in plan.linearMarks {
      let model = try work.snapshot(linear, step: step)
      let mse = try testError(model)
      errors.append((step, mse))
      strips.append(
        Findings.Strip(
          label: "\(grouped(step)) steps", note: "MSE \(mse.fixed(4))", images: try model.rebuilt(shown)))
    }
    strips.append(
      Findings.Strip(label: "PCA", note: "MSE \(testFloor.fixed(4))", images: try yardstick.rebuilt(shown)))
    let note = plan.note(
      "\(plan.layers(digits.size, "\(d)")) without non-linearity, \(grouped(linear.options.stepCount)) steps of 100 images, constant "
        + "learning rate 0.001; \(digits.name)")
    try findings.add(
      strips, name: "reconstructions",
      caption:
        "The study's figure 2: reconstructions from \(d) numbers, each over its error on all test images.",
      run: note)

    // The angles between what the decoder can draw and what the leading components span.
    let components = try span(of: yardstick)
    var series: [[(x: Double, y: Double)]] = Array(repeating: [], count: d)
    var largest = 90.0
    for step in plan.angleMarks {
      let learnt = try span(of: try work.snapshot(linear, step: step))
      let angles = try Subspaces.angles(
        components.basis.base, rankA: components.rank, learnt.basis.base, rankB: learnt.rank,
        width: yardstick.inputCount
      ).map { $0 * 180 / 3.141592653589793 }
      for (index, angle) in angles.enumerated() { series[index].append((Double(step), max(angle, 0.01))) }
      largest = angles.last ?? 90
    }
    let lines = series.enumerated().map { index, points in
      Chart.Series(
        name: index == d - 1 ? "largest" : index == 0 ? "smallest" : "", points: points,
        colour: index == d - 1 ? 4 : index == 0 ? 5 : [0, 1, 2, 3, 6, 7][(index - 1) % 6],
        style: index == 0 || index == d - 1 ? .line : .dashed,
        isNamed: index == 0 || index == d - 1)
    }
    try findings.add(
      Chart(
        title: "Principal angles between the linear autoencoder's subspace and that of PCA, over training",
        x: Chart.Axis(title: "steps of training", scale: .log),
        y: Chart.Axis(title: "principal angle, degrees", scale: .log), series: lines),
      name: "angles",
      caption:
        "The \(d) principal angles between the subspace that the decoder draws in and the one that the \(d) "
        + "leading principal components span. 0 is the same subspace.", run: note)

    try findings.add(
      Chart.errors(
        "Training error of the linear autoencoder over steps, above the floor that PCA sets",
        over: Chart.Axis(title: "steps of training", scale: .log), from: floor * 0.85,
        [
          Chart.Series(
            name: "linear", points: trained.curve.map { (Double($0.step), $0.mse) }, colour: 1)
        ],
        rules: [
          Chart.Rule(
            value: floor, text: "PCA's floor, \(floor.fixed(5)), for any linear map",
            isBelow: true)
        ]),
      name: "loss",
      caption: "Error of the training batches, means over \(plan.interval) steps, and the floor.",
      run: note)

    let last = errors.last?.mse ?? .nan
    findings.add("latents", .int(d))
    findings.add("pca_train_mse", .number(floor))
    findings.add("pca_test_mse", .number(testFloor))
    findings.add(
      "linear_test_mse",
      .array(errors.map { .object([("step", .int($0.step)), ("mse", .number($0.mse))]) }))
    findings.add("angle_steps", JSON(plan.angleMarks))
    findings.add("angles_degrees", .array(series.map { JSON($0.map(\.y)) }))
    let excess = (last / testFloor - 1) * 100
    let isFound = largest < 10
    findings.sentence =
      (isFound
        ? "The linear autoencoder finds the plane of PCA"
        : "The linear autoencoder is not in the plane of PCA yet")
      + ": its test error is \(excess.fixed(1)) % above PCA's, the largest principal angle \(largest.fixed(1))°."
    findings.remarks = [
      isFound
        ? "The study is right that it spans the same subspace. It does not rank it: any mixture of the \(d) directions "
          + "does as well, and at a constant learning rate the noise of the steps keeps it a little above the floor."
        : "More steps bring it nearer; only the subspace is determined, not a ranking of its \(d) directions."
    ]
    return findings.json(title: linearTitle)
  }

  private static let linearTitle = "A linear autoencoder and PCA"

  /// An orthonormal basis of what a decoder without non-linearity draws in, without its constant.
  private static func span(of model: Autoencoder) throws(AEError) -> (basis: Buffer<Double>, rank: Int) {
    guard let decoder = model.decoder else { throw AEError(.kind, "a decoder in floats is needed") }
    let d = model.latentCount
    // Row i is where the unit code i leads, less where none does: exact for a linear network but for rounding.
    let codes = try Buffer<Float>(count: (d + 1) * d)
    for i in 0..<d { codes.base[i * d + i] = 1 }
    let outputs = try Buffer<Float>(count: (d + 1) * model.inputCount)
    try decoder.run(codes.base, count: d + 1, into: outputs.base)
    let rows = try Buffer<Double>(count: d * model.inputCount)
    for i in 0..<d {
      for j in 0..<model.inputCount {
        rows.base[i * model.inputCount + j] =
          Double(outputs.base[i * model.inputCount + j]) - Double(outputs.base[d * model.inputCount + j])
      }
    }
    return try Subspaces.orthonormal(rows.base, count: d, width: model.inputCount)
  }
}

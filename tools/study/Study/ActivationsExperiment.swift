// Experiment 2: sigmoid, ReLU and ELU beside the linear network and PCA. The study's figure 3, and how fast each
// learns.

import Core
import Model
import ToolKit
import Training

extension StudyExperiment {
  static let activations = StudyExperiment(
    key: "activations", title: "Sigmoid, ReLU and ELU",
    runs: { context in try own(context) { !$0.kind.isVariational } },
    measure: { context, work in try measureActivations(context, work) })

  /// Errors above this are drawn at it: a linear network that trips would flatten all other curves.
  private static let shownError = 0.15

  private static func measureActivations(_ context: StudyContext, _ work: StudyWork) throws -> [(
    key: String, value: JSON
  )] {
    let (plan, digits) = (context.plan, context.digits)
    var findings = Findings("activations", context.folder)
    let shown = try digits.test.examples()
    var strips = [Findings.Strip(label: "digits", note: "", images: shown)]
    var rows: [[String]] = []
    var measured: [(run: StudyRun, mse: Double, seconds: Double)] = []
    var bySteps: [Chart.Series] = []
    var bySeconds: [Chart.Series] = []
    var latents = 0
    for run in try plan.own(digits) where !run.kind.isVariational {
      let network = run.network
      let trained = try work.trained(run, on: digits.train)
      let mse = try Evaluation.reconstruction(
        trained.model, pixels: digits.test.pixels.base, count: digits.test.count
      ).mse
      latents = run.latentCount
      measured.append((run, mse, trained.seconds))
      strips.append(
        Findings.Strip(
          label: network.title, note: "MSE \(mse.fixed(4))", images: try trained.model.rebuilt(shown)))
      rows.append([
        network.title, mse.fixed(5), decibels(mse).fixed(2),
        run.kind == .pca ? "exact" : trained.curve.last.map { $0.mse.fixed(5) } ?? "",
        run.kind == .pca ? "" : trained.seconds.fixed(0),
      ])
      guard run.kind != .pca else { continue }
      bySteps.append(
        Chart.Series(
          name: network.title, points: trained.curve.map { (Double($0.step), min($0.mse, shownError)) },
          colour: network.colour
        ))
      bySeconds.append(
        Chart.Series(
          name: network.title, points: trained.curve.map { ($0.seconds, min($0.mse, shownError)) },
          colour: network.colour))
    }
    let note = plan.note(
      "\(plan.layers(digits.size, "\(latents)")), \(grouped(plan.ownSteps)) steps of 100 images, Adam at a constant 0.001; \(digits.name)"
    )
    try findings.add(
      strips, name: "reconstructions",
      caption:
        "The study's figure 3: the same test digits from \(latents) numbers by every plain network, with the "
        + "error on all \(grouped(digits.test.count)) test images.", run: note)
    findings.add(
      columns: ["network", "test MSE", "PSNR, dB", "MSE of the last batches", "seconds of training"],
      rows: rows,
      caption: "Errors per pixel on the [0, 1] scale.", run: note)
    try findings.add(
      Chart.errors(
        "Training error over steps for linear, sigmoid, ReLU and ELU networks",
        over: Chart.Axis(title: "steps of training", scale: .log), bySteps),
      name: "steps",
      caption:
        "Error of the training batches, means over \(plan.interval) steps; above \(shownError) it is drawn at \(shownError).",
      run: note)
    try findings.add(
      Chart.errors(
        "Training error over seconds for linear, sigmoid, ReLU and ELU networks",
        over: Chart.Axis(title: "seconds of training", scale: .log), bySeconds),
      name: "seconds",
      caption: "The same by the clock of the machine it ran on, with whatever else that machine was doing.",
      run: note)
    findings.add(
      "networks",
      .array(
        measured.map {
          .object([
            ("kind", .string("\($0.run.kind.name)")), ("latents", .int($0.run.latentCount)),
            ("test_mse", .number($0.mse)), ("training_seconds", .number($0.seconds)),
          ])
        }))
    let ranked = measured.filter { $0.run.kind != .pca && $0.run.kind != .linear }.sorted {
      $0.mse < $1.mse
    }
    if let best = ranked.first, let worst = ranked.last,
      let pca = measured.first(where: { $0.run.kind == .pca })
    {
      findings.sentence =
        "\(best.run.network.title.prefix(1).uppercased() + best.run.network.title.dropFirst()) reconstructs best, \(worst.run.network.title) worst: test MSE \(best.mse.fixed(4)) and "
        + "\(worst.mse.fixed(4)), where PCA has \(pca.mse.fixed(4))."
      let gain = (1 - best.mse / pca.mse) * 100
      findings.remarks.append(
        gain > 0
          ? "With \(latents) numbers the best of them leaves \(gain.fixed(0)) % less error than PCA."
          : "With so few steps none of them is better than PCA yet.")
    }
    return findings.json(title: "Sigmoid, ReLU and ELU")
  }
}

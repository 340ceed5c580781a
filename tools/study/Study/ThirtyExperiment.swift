// The reconstruction error with thirty latents: the study's recipe and the best preset of this project, beside published
// results.

import Core
import Model
import ToolKit
import Training

extension StudyExperiment {
  static let thirty = StudyExperiment(
    key: "thirty", title: thirtyTitle,
    runs: { context in
      let (plain, best) = try context.plan.thirty(context.digits)
      return on(context.digits.train, [plain, best])
    },
    measure: { context, work in try measureThirty(context, work) })

  private static let thirtyTitle = "Thirty numbers, by the best recipe"

  /// Test errors of others' autoencoders of MNIST with thirty numbers.
  private static let references = [
    (name: "deep, 2006", source: "Hinton and Salakhutdinov 2006: 784-1000-500-250-30", mse: 0.00383),
    (
      name: "PyTorch", source: "784-500-500-30 in PyTorch, falling learning rate and augmentation",
      mse: 0.00343
    ),
  ]

  private static func measureThirty(_ context: StudyContext, _ work: StudyWork) throws -> [(
    key: String, value: JSON
  )] {
    let (plan, digits) = (context.plan, context.digits)
    var findings = Findings("thirty", context.folder)
    let shown = try digits.test.examples()
    var strips = [Findings.Strip(label: "digits", note: "", images: shown)]
    let (plain, best) = try plan.thirty(digits)
    var measured: [(run: StudyRun, name: String, mse: Double)] = []
    for (run, name) in [(plain, "study's recipe"), (best, "preset conv-30")] {
      let model = try work.trained(run, on: digits.train).model
      let mse = try Evaluation.reconstruction(
        model, pixels: digits.test.pixels.base, count: digits.test.count
      ).mse
      measured.append((run, name, mse))
      strips.append(
        Findings.Strip(label: name, note: "MSE \(mse.fixed(5))", images: try model.rebuilt(shown)))
    }
    let isMNIST = digits.name == "MNIST"
    // Others' errors are of MNIST: beside those of other images they would say what is not so.
    let comparable = isMNIST ? references : []
    let note = plan.note(
      "\(plain.network.title) by the study's protocol, \(plain.stepsInWords), and \(best.network.title), "
        + "\(best.stepsInWords); \(digits.name), \(grouped(digits.test.count)) test images")
    try findings.add(
      strips, name: "reconstructions", caption: "Test digits, and reconstructions from thirty numbers.",
      run: note)
    let bars =
      measured.map { BarChart.Bar(name: $0.name, colour: $0.run.network.colour, values: [$0.mse]) }
      + comparable.map { BarChart.Bar(name: $0.name, colour: 0, values: [$0.mse]) }
    try findings.add(
      BarChart(
        title: "Test error with thirty numbers by the study's recipe and by the preset conv-30"
          + (isMNIST ? ", and by others" : ""),
        unit: "test mean squared error per pixel; shorter is better", from: 0,
        to: (bars.flatMap(\.values).max() ?? 0) * 1.05, bars: bars, legend: [], decimals: 5),
      name: "error",
      caption: isMNIST
        ? "Grey: \(references.map(\.source).joined(separator: "; ")); both on MNIST."
        : "Both on the same test images.", run: note)
    findings.add(
      columns: ["recipe", "parameters", "steps", "test MSE", "PSNR, dB"],
      rows: measured.map {
        [
          $0.name, grouped($0.run.options.architecture.parameterCount), grouped($0.run.options.stepCount),
          $0.mse.fixed(5), decibels($0.mse).fixed(2),
        ]
      } + comparable.map { [$0.source, "", "", $0.mse.fixed(5), decibels($0.mse).fixed(2)] },
      caption: "What each leaves. The whole recipes are in results.json, as commands.", run: note)
    findings.add("latents", .int(best.latentCount))
    findings.add(
      "recipes",
      .array(
        measured.map {
          .object([
            ("run", .string($0.run.name)), ("recipe", .string($0.run.options.commandLine)),
            ("test_mse", .number($0.mse)),
          ])
        }))
    findings.add(
      "references",
      .array(references.map { .object([("source", .string($0.source)), ("test_mse", .number($0.mse))]) }))
    let (study, preset) = (measured[0].mse, measured[1].mse)
    findings.sentence =
      "With thirty numbers the preset conv-30 leaves a test error of \(preset.fixed(5)), the study's recipe "
      + "\(study.fixed(5))."
    if isMNIST, plan.scale == .full {
      let beaten = references.filter { preset < $0.mse }
      findings.remarks.append(
        beaten.count == references.count
          ? "Both of the others leave more: \(references.map { $0.mse.fixed(5) }.joined(separator: " and "))."
          : "It is below \(beaten.count) of the \(references.count) others.")
    } else {
      findings.remarks.append(
        isMNIST
          ? "So few steps of a recipe that wants many say little of it; the others are of long trainings."
          : "Others' errors are left out: they are of MNIST, and these of \(digits.name).")
    }
    return findings.json(title: thirtyTitle)
  }
}

// Experiments 3 and 4: what the variational networks find, the dense one and the convolutional one side by side.
// The study's figure 5, samples, walks along the latents, the plane of two latents, and what each latent is used for.

import Compute
import Core
import Glibc
import Model
import Storage
import ToolKit
import Training

extension StudyExperiment {
  static let variational = StudyExperiment(
    key: "variational", title: "Variational autoencoders",
    runs: { context in
      try own(context) { $0.kind.isVariational }
        + on(context.digits.train, [context.plan.map(context.digits)])
    },
    measure: { context, work in try measureVariational(context, work) },
    cost: { plan in plan.scale == .full ? 150_000 : plan.scale == .quick ? 8_000 : 200 })

  /// A latent counts as used above so many nats.
  static let usedNats = 0.01

  private static func measureVariational(_ context: StudyContext, _ work: StudyWork) throws -> [(
    key: String, value: JSON
  )] {
    let (plan, digits) = (context.plan, context.digits)
    var findings = Findings("variational", context.folder)
    let runs = try plan.own(digits).filter { $0.kind.isVariational }
    let note = plan.note(
      runs.map { "\($0.network.title) \($0.stepsInWords)" }.joined(separator: ", ")
        + "; pixels drawn as 0 or 1, Bernoulli loss, beta 1; \(digits.name)")
    let shown = try digits.test.examples()
    let boundSet = try digits.test.prefix(plan.boundCount)
    let drawn = try Evaluation.binarise(
      boundSet.pixels.base, count: boundSet.count, size: boundSet.imageSize, seed: 1)
    var strips = [Findings.Strip(label: "digits", note: "", images: shown)]
    var rows: [[String]] = []
    var usage: [Chart.Series] = []
    var measured: [JSON] = []
    var sentences: [String] = []
    var pictured: [(run: StudyRun, model: Autoencoder, nats: [Double])] = []
    for run in runs {
      let network = run.network
      let model = try work.trained(run, on: digits.train).model
      try work.tell("measuring \(network.title)")
      let mse = try Evaluation.reconstruction(
        model, pixels: digits.test.pixels.base, count: digits.test.count
      ).mse
      let bounds = try Evaluation.bounds(
        model, pixels: drawn.base, count: boundSet.count, samples: plan.boundSamples, seed: 1
      ) { _ in !Interrupt.isRequested }
      let used = bounds.latentKL.count { $0 > usedNats }
      strips.append(
        Findings.Strip(label: network.title, note: "MSE \(mse.fixed(4))", images: try model.rebuilt(shown)))
      rows.append([
        "\(network.title), d = \(run.latentCount)", grouped(model.architecture.parameterCount),
        mse.fixed(5),
        bounds.evidence.fixed(2), bounds.importanceWeighted.fixed(2), "\(used) of \(run.latentCount)",
      ])
      usage.append(
        Chart.Series(
          name: network.title,
          points: bounds.latentKL.sorted(by: >).enumerated().map { (Double($0 + 1), max($1, 1e-4)) },
          colour: network.colour))
      measured.append(
        .object([
          ("kind", .string("\(run.kind.name)")), ("latents", .int(run.latentCount)),
          ("parameters", .int(model.architecture.parameterCount)), ("test_mse", .number(mse)),
          ("evidence_bound_nats", .number(bounds.evidence)),
          ("importance_weighted_bound_nats", .number(bounds.importanceWeighted)),
          ("bound_samples", .int(plan.boundSamples)), ("bound_images", .int(boundSet.count)),
          ("latent_kl_nats", JSON(bounds.latentKL)), ("latents_used", .int(used)),
        ]))
      sentences.append(
        "the \(network.title) uses \(used) of its \(run.latentCount) latents and reaches "
          + "\(bounds.importanceWeighted.fixed(1)) nats")

      pictured.append((run, model, bounds.latentKL))
    }
    try findings.add(
      strips, name: "reconstructions",
      caption: "The study's figure 5: test digits, and reconstructions from the means of their codes.",
      run: note)
    findings.add(
      columns: [
        "network", "parameters", "test MSE", "evidence bound, nats", "importance-weighted, nats",
        "latents used",
      ],
      rows: rows,
      caption: "Bounds on \(grouped(boundSet.count)) test images drawn as 0 or 1, the second with "
        + "\(plan.boundSamples) samples; lower is better. A latent is used if its KL divergence is above \(usedNats) nats.",
      run: note)
    try findings.add(
      Chart(
        title: "What each latent carries, in nats, ranked",
        x: Chart.Axis(title: "latent, by rank"),
        y: Chart.Axis(title: "mean KL divergence, nats", scale: .log), series: usage,
        rules: [Chart.Rule(value: usedNats, text: "below this a latent is dead")], height: 320),
      name: "usage", caption: "Posterior use: how far each latent's posterior is from the prior, on average.",
      run: note)

    for (run, model, nats) in pictured {
      let network = run.network
      let slug = "\(run.kind.name)"
      let samples = try model.images(count: 100) { pixels throws(AEError) in
        try model.sample(count: 100, seed: 1, into: pixels)
      }
      try findings.add(
        samples, columns: 20, name: "\(slug)-samples",
        caption: "\(network.title): 100 codes drawn from the unit Gaussian, decoded; none was picked.",
        run: note)
      let order = nats.indices.sorted { nats[$0] > nats[$1] }
      try findings.add(
        try walks(model, from: shown, latents: order, nats: nats), name: "\(slug)-walks",
        caption:
          "\(network.title): from the code of one digit, each latent alone from -3 to 3, those that carry most "
          + "first. A latent that is not used changes nothing.", run: note)
      try findings.add(
        try paths(model, between: shown), name: "\(slug)-paths",
        caption: "\(network.title): straight lines between the codes of two digits.", run: note)
    }
    try addMap(to: &findings, context, work)
    findings.add("networks", .array(measured))
    let joined = sentences.joined(separator: "; ")
    findings.sentence = joined.prefix(1).uppercased() + joined.dropFirst() + "."
    return findings.json(title: "Variational autoencoders")
  }

  /// Walks along single latents, at most eight, from the code of a three.
  private static func walks(_ model: Autoencoder, from shown: ImageSet, latents: [Int], nats: [Double])
    throws(AEError) -> [Findings.Strip]
  {
    let d = model.latentCount
    let start = try shown.picked([min(3, shown.count - 1)])
    let code = try model.codes(of: start)
    var strips: [Findings.Strip] = []
    for latent in latents.prefix(8) {
      let codes = try Buffer<Float>(count: 13 * d)
      for step in 0..<13 {
        (codes.base + step * d).update(from: code.base, count: d)
        codes.base[step * d + latent] = Float(step - 6) / 2
      }
      strips.append(
        Findings.Strip(
          label: "latent \(latent + 1)", note: "\(nats[latent].fixed(2)) nats",
          images: try model.decoded(codes, count: 13)))
    }
    return strips
  }

  /// Straight lines between codes.
  private static func paths(_ model: Autoencoder, between shown: ImageSet) throws(AEError) -> [Findings.Strip]
  {
    let d = model.latentCount
    let codes = try model.codes(of: shown)
    var strips: [Findings.Strip] = []
    for (a, b) in [(1, 7), (3, 8), (4, 9), (0, 6)] where max(a, b) < shown.count {
      let line = try Buffer<Float>(count: 13 * d)
      for step in 0..<13 {
        let share = Float(step) / 12
        for j in 0..<d {
          line.base[step * d + j] = (1 - share) * codes.base[a * d + j] + share * codes.base[b * d + j]
        }
      }
      strips.append(
        Findings.Strip(label: "\(a) to \(b)", note: "", images: try model.decoded(line, count: 13)))
    }
    return strips
  }

  /// The plane of a VAE with two latents: what it draws everywhere, and where the test digits lie.
  private static func addMap(to findings: inout Findings, _ context: StudyContext, _ work: StudyWork) throws {
    let (plan, digits) = (context.plan, context.digits)
    let run = try plan.map(digits)
    let model = try work.trained(run, on: digits.train).model
    let note = plan.note("d = 2, \(grouped(run.options.stepCount)) steps, cosine schedule; \(digits.name)")
    let side = 20
    let codes = try Buffer<Float>(count: side * side * 2)
    for row in 0..<side {
      for column in 0..<side {
        codes.base[(row * side + column) * 2] = Float(StudyMap.quantile(column, of: side))
        codes.base[(row * side + column) * 2 + 1] = -Float(StudyMap.quantile(row, of: side))
      }
    }
    try findings.add(
      try model.decoded(codes, count: side * side), columns: side, name: "map",
      caption:
        "The plane of two latents as a map: codes at equal shares of the unit Gaussian in both directions.",
      run: note)
    let count = min(digits.test.count, 1_500)
    let set = try digits.test.prefix(count)
    let places = try model.codes(of: set)
    try findings.add(
      Chart(
        title: "Test digits in the plane of two latents, by class",
        x: Chart.Axis(title: "latent 1", from: -4, to: 4, ticks: [-4, -2, 0, 2, 4]),
        y: Chart.Axis(title: "latent 2", from: -4, to: 4, ticks: [-4, -2, 0, 2, 4]),
        series: [
          Chart.Series(
            name: "digits",
            points: (0..<count).map { index in
              (
                min(max(Double(places.base[2 * index]), -4), 4),
                min(max(Double(places.base[2 * index + 1]), -4), 4)
              )
            }, colour: 0, style: .digits, classes: set.labels, isNamed: false)
        ], height: 600, labelRoom: 20, isSquare: true),
      name: "scatter", caption: "Where \(grouped(count)) test digits lie in it, each drawn as what it is.",
      run: note)
    let mse = try Evaluation.reconstruction(model, pixels: digits.test.pixels.base, count: digits.test.count)
      .mse
    findings.add("map_test_mse", .number(mse))
  }
}

/// Places on the map of two latents.
enum StudyMap {
  /// The middle of part `index` of `count` equally likely parts of the unit Gaussian, by bisection.
  static func quantile(_ index: Int, of count: Int) -> Double {
    let share = (Double(index) + 0.5) / Double(count)
    var (low, high) = (-6.0, 6.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if 0.5 * erfc(-middle / 2.0.squareRoot()) < share { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}

// Experiment 5: the dimension of the manifold of digits, estimated by several methods, and the answer to the study's
// hypothesis that it is between 10 and 100.

import Analysis
import Core
import Glibc
import Model
import Network
import Storage
import ToolKit
import Training

extension StudyExperiment {
  static let dimensions = StudyExperiment(
    key: "dimensions", title: "How many dimensions do digits have?",
    runs: { context in
      on(
        context.digits.train, try context.plan.sweeps(context.digits) + context.plan.betaRuns(context.digits))
    },
    measure: { context, work in try measureDimensions(context, work) },
    cost: { plan in plan.scale == .full ? 60_000 : plan.scale == .quick ? 12_000 : 200 })

  /// One way to say how many dimensions there are.
  private struct Estimate {
    let method: String
    let value: Double
    /// Its bounds: two standard errors, or the lengths of code beside it that were tried.
    let low: Double
    let high: Double
  }

  private static func measureDimensions(_ context: StudyContext, _ work: StudyWork) throws -> [(
    key: String, value: JSON
  )] {
    let (plan, digits) = (context.plan, context.digits)
    var findings = Findings("dimensions", context.folder)
    let sweepNote = plan.note(
      "ELU and VAE \(grouped(plan.sweepSteps)) steps each, cosine schedule; PCA exact; \(digits.name), "
        + "\(grouped(digits.test.count)) test images")
    var estimates: [Estimate] = []

    // Test error against the length of the code.
    var series: [Chart.Series] = []
    var curves: [(key: String, value: JSON)] = []
    for (kind, lengths) in [
      (ModelKind.pca, plan.pcaDimensions), (.elu, plan.eluDimensions), (.vae, plan.vaeDimensions),
    ] {
      let network = StudyNetwork.of(kind)
      var points: [(x: Double, y: Double)] = []
      for d in lengths {
        let model = try work.trained(try plan.sweep(kind, d, digits), on: digits.train).model
        let mse = try Evaluation.reconstruction(
          model, pixels: digits.test.pixels.base, count: digits.test.count
        ).mse
        points.append((Double(d), mse))
      }
      series.append(Chart.Series(name: network.title, points: points, colour: network.colour))
      var facts: [(key: String, value: JSON)] = [
        ("d", JSON(lengths)), ("test_mse", JSON(points.map(\.y))),
      ]
      if let elbow = Elbow.find(points.map(\.x), points.map(\.y)), elbow.depth > 0 {
        let at = elbow.index
        estimates.append(
          Estimate(
            method: "elbow of \(network.title)'s test error", value: points[at].x,
            low: points[max(at - 1, 0)].x, high: points[min(at + 1, points.count - 1)].x))
        facts.append(("elbow", .int(lengths[at])))
      }
      curves.append(("\(kind.name)", .object(facts)))
    }
    try findings.add(
      Chart.errors(
        "Test error against the length of the code for PCA, ELU and VAE",
        over: Chart.Axis(
          title: "length of the code, d", scale: .log, ticks: [1, 2, 4, 8, 16, 32, 64, 128]),
        of: "test", series),
      name: "error", caption: "Test error against the length of the code. Each mark is a network of its own.",
      run: sweepNote)

    // The neighbourhoods of images, and of their codes.
    try work.tell("measuring neighbourhoods")
    let count = min(plan.estimateCount, digits.train.count)
    let images = try digits.train.prefix(count)
    let pixels = try images.floats(count)
    let neighbourCount = min(20, count - 2)
    var rows: [[String]] = []
    var scales: [(x: Double, y: Double)] = []
    var scaleErrors: [Double] = []
    var likelihoods: [(x: Double, y: Double)] = []
    var share = 1
    while share <= 16, count / share >= 200 {
      let neighbours = try Neighbours(
        of: pixels.base, queryCount: count / share, among: pixels.base, pointCount: count / share,
        width: digits.size, count: neighbourCount, isLeavingOut: true)
      let two = try IntrinsicDimension.twoNN(neighbours)
      let likelihood = try IntrinsicDimension.maximumLikelihood(neighbours, count: neighbourCount)
      scales.append((Double(count / share), two.dimension))
      scaleErrors.append(2 * two.standardError)
      likelihoods.append((Double(count / share), likelihood.dimension))
      if share == 1 {
        for (method, estimate) in [
          ("TwoNN of the images", two), ("maximum likelihood of the images", likelihood),
        ] {
          estimates.append(
            Estimate(
              method: method, value: estimate.dimension, low: estimate.dimension - 2 * estimate.standardError,
              high: estimate.dimension + 2 * estimate.standardError))
        }
        rows.append([
          "images", "\(digits.size)", two.dimension.fixed(1), likelihood.dimension.fixed(1),
        ])
      }
      share *= 2
    }
    var codeFacts: [JSON] = []
    for (kind, d) in [(ModelKind.pca, 32), (.elu, 16), (.elu, 32), (.vae, 16), (.vae, 32)] {
      let model = try work.trained(try plan.sweep(kind, d, digits), on: digits.train).model
      let codes = try model.codes(of: images)
      let neighbours = try Neighbours(
        of: codes.base, queryCount: count, among: codes.base, pointCount: count, width: d,
        count: neighbourCount,
        isLeavingOut: true)
      let two = try IntrinsicDimension.twoNN(neighbours)
      let likelihood = try IntrinsicDimension.maximumLikelihood(neighbours, count: neighbourCount)
      rows.append([
        "codes of \(StudyNetwork.of(kind).title)", "\(d)", two.dimension.fixed(1),
        likelihood.dimension.fixed(1),
      ])
      codeFacts.append(
        .object([
          ("kind", .string("\(kind.name)")), ("latents", .int(d)), ("two_nn", .number(two.dimension)),
          ("maximum_likelihood", .number(likelihood.dimension)),
        ]))
    }
    let estimateNote = plan.note("\(grouped(count)) training images of \(digits.name)")
    findings.add(
      columns: ["points", "numbers each", "TwoNN", "maximum likelihood, k = \(neighbourCount)"], rows: rows,
      caption: "Intrinsic dimension of the images and of their codes.", run: estimateNote)
    try findings.add(
      Chart(
        title: "Estimated dimension of the images against how many of them are looked at",
        x: Chart.Axis(title: "images looked at", scale: .log, ticks: scales.map(\.x)),
        y: Chart.Axis(title: "estimated dimension", from: 0),
        series: [
          Chart.Series(name: "TwoNN", points: scales.reversed(), colour: 4, errors: scaleErrors.reversed()),
          Chart.Series(name: "max. likelihood", points: likelihoods.reversed(), colour: 5),
        ], height: 320),
      name: "scale",
      caption:
        "The nearer the neighbours, the more dimensions are seen: with more images both estimates still move. "
        + "Bars are two standard errors.", run: estimateNote)

    // What beta makes of a VAE's latents.
    var active: [(x: Double, y: Double)] = []
    var errors: [(x: Double, y: Double)] = []
    for beta in plan.betas {
      let model = try work.trained(
        try plan.sweep(.vae, plan.betaDimension, beta: beta, digits), on: digits.train
      )
      .model
      let nats = try latentNats(model, digits.test)
      active.append((beta, Double(nats.count { $0 > usedNats })))
      errors.append(
        (
          beta,
          try Evaluation.reconstruction(model, pixels: digits.test.pixels.base, count: digits.test.count).mse
        ))
    }
    // What a code long enough to have latents to spare leaves in use.
    var usage: [(x: Double, y: Double)] = []
    for d in plan.vaeDimensions {
      let model = try work.trained(try plan.sweep(.vae, d, digits), on: digits.train).model
      let nats = try latentNats(model, digits.test)
      let used = nats.count { $0 > usedNats }
      usage.append((Double(d), Double(used)))
      if d == plan.vaeDimensions.last, used < d {
        estimates.append(
          Estimate(
            method: "latents of \(d) that the VAE uses at beta 1", value: Double(used),
            low: Double(nats.count { $0 > 0.5 }), high: Double(used)))
      }
    }
    try findings.add(
      Chart(
        title: "Latents that a VAE uses, of those that it has",
        x: Chart.Axis(
          title: "length of the code, d", scale: .log, ticks: [1, 2, 4, 8, 16, 32, 64, 128]),
        y: Chart.Axis(title: "latents in use", scale: .log, ticks: [1, 2, 4, 8, 16, 32, 64, 128]),
        series: [
          Chart.Series(name: "VAE", points: usage, colour: 5),
          Chart.Series(
            name: "all of them", points: usage.map { ($0.x, $0.x) }, colour: 0, style: .dashed),
        ], height: 320),
      name: "usage",
      caption:
        "A VAE leaves unused what does not pay: latents with a mean KL divergence above \(usedNats) nats.",
      run: sweepNote)
    let betaNote = plan.note(
      "VAE with d = \(plan.betaDimension), \(grouped(plan.sweepSteps)) steps each, cosine schedule; \(digits.name)"
    )
    try findings.add(
      Chart(
        title: "Latents in use against beta",
        x: Chart.Axis(title: "beta, the weight of the KL term", scale: .log, ticks: plan.betas),
        y: Chart.Axis(
          title: "latents in use of \(plan.betaDimension)", from: 0, to: Double(plan.betaDimension)),
        series: [Chart.Series(name: "VAE", points: active, colour: 5)], height: 300),
      name: "beta",
      caption: "A latent is in use if its mean KL divergence is above \(usedNats) nats on the test images.",
      run: betaNote)

    // The answer.
    findings.add(
      columns: ["way of asking", "dimensions", "from", "to"],
      rows: estimates.map { [$0.method, $0.value.fixed(1), $0.low.fixed(1), $0.high.fixed(1)] },
      caption:
        "Every estimate: two standard errors either way, for an elbow the lengths tried next to it, for the VAE's "
        + "latents those above half a nat.", run: sweepNote)
    let answer = self.answer(estimates)
    findings.sentence = answer
    findings.add("answer", .string(answer))
    findings.add("hypothesis", .object([("low", .int(10)), ("high", .int(100))]))
    findings.add(
      "estimates",
      .array(
        estimates.map {
          .object([
            ("method", .string($0.method)), ("dimension", .number($0.value)), ("low", .number($0.low)),
            ("high", .number($0.high)),
          ])
        }))
    findings.add("curves", .object(curves))
    findings.add("codes", .array(codeFacts))
    findings.add(
      "scale",
      .object([
        ("images", JSON(scales.map(\.x))), ("two_nn", JSON(scales.map(\.y))),
        ("maximum_likelihood", JSON(likelihoods.map(\.y))),
      ]))
    findings.add(
      "usage", .object([("d", JSON(plan.vaeDimensions)), ("latents_used", JSON(usage.map(\.y)))]))
    findings.add(
      "beta",
      .object([
        ("beta", JSON(plan.betas)), ("latents_used", JSON(active.map(\.y))),
        ("test_mse", JSON(errors.map(\.y))),
      ]))
    return findings.json(title: "How many dimensions do digits have?")
  }

  /// Whose hypothesis it is: not that of what runs here.
  private static let hypothesis = "\"An Exploration of Auto Encoders on MNIST\" guessed"

  /// The sentence that answers the hypothesis, from the estimates alone.
  private static func answer(_ estimates: [Estimate]) -> String {
    let sorted = estimates.map(\.value).sorted()
    guard let least = sorted.first, let most = sorted.last, let low = estimates.map(\.low).min(),
      let high = estimates.map(\.high).max()
    else { return "There is no estimate." }
    let middle =
      sorted.count % 2 == 1
      ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
    let inside = sorted.count { (10...100).contains($0) }
    let verdict: String
    if inside == sorted.count {
      verdict = "all \(sorted.count) estimates lie between 10 and 100, as \(hypothesis)"
    } else if inside == 0 {
      verdict = "none of \(sorted.count) estimates lies between 10 and 100, where \(hypothesis) it"
    } else {
      verdict = "\(inside) of \(sorted.count) estimates lie between 10 and 100, where \(hypothesis) it"
    }
    // As they are: rounded, an estimate of 9.6 would lie on the other side of the hypothesis' bound.
    return
      "About \(middle.fixed(0)) dimensions: estimates are from \(least.fixed(1)) to \(most.fixed(1)) by how one asks, "
      + "their bounds from \(low.fixed(1)) to \(high.fixed(1)); \(verdict)."
  }

  /// Mean KL divergence of each latent, nats, on a set's images as they are.
  static func latentNats(_ model: Autoencoder, _ set: ImageSet) throws(AEError) -> [Double] {
    let d = model.latentCount
    let mean = try Buffer<Float>(count: set.count * d)
    let logVariance = try Buffer<Float>(count: set.count * d)
    try model.posterior(set.pixels.base, count: set.count, mean: mean.base, logVariance: logVariance.base)
    var nats = [Double](repeating: 0, count: d)
    for index in 0..<set.count * d {
      let (m, lv) = (Double(mean.base[index]), Double(logVariance.base[index]))
      nats[index % d] += 0.5 * (m * m + exp(lv) - 1 - lv) / Double(set.count)
    }
    return nats
  }
}

// Experiment 7: manifolds of known dimension. Whether autoencoders and estimates find the six parameters that clips of a
// kicked ball, and pen-stroke digits, were drawn from, and whether codes predict those parameters.

import Analysis
import Core
import Model
import Storage
import ToolKit
import Training

extension StudyExperiment {
  static let ball = StudyExperiment(
    key: "ball", title: "A manifold whose dimension is known: a kicked ball",
    runs: { context in on(context.ball.data.train, try context.plan.manifold(context.ball)) },
    measure: { context, work in try measureManifold(context.ball, context, work) },
    cost: { plan in plan.scale == .full ? 15_000 : plan.scale == .quick ? 5_000 : 100 })

  static let pen = StudyExperiment(
    key: "pen", title: "The same with pen strokes",
    runs: { context in on(context.pen.data.train, try context.plan.manifold(context.pen)) },
    measure: { context, work in try measureManifold(context.pen, context, work) },
    cost: { plan in plan.scale == .full ? 15_000 : plan.scale == .quick ? 5_000 : 100 })

  private static func measureManifold(
    _ manifold: KnownManifold, _ context: StudyContext, _ work: StudyWork
  ) throws -> [(key: String, value: JSON)] {
    let plan = context.plan
    let data = manifold.data
    let dimension = manifold.dimension
    var findings = Findings(manifold.key, context.folder)
    let note = plan.note(
      "ELU, \(plan.layers(data.size, "d")), \(grouped(plan.manifoldSteps)) steps, cosine schedule; "
        + "\(grouped(data.train.count)) images to learn from, \(grouped(data.test.count)) to test on")

    // Error against the length of the code, and what each code says of the parameters.
    var points: [(x: Double, y: Double)] = []
    var linearScores: [(x: Double, y: Double)] = []
    var nearScores: [(x: Double, y: Double)] = []
    var atSix: (linear: [Double], near: [Double]) = ([], [])
    var strips: [Findings.Strip] = []
    let shown = try data.test.prefix(min(data.width > 30 ? 8 : 10, data.test.count))
    strips.append(Findings.Strip(label: manifold.key == "ball" ? "clips" : "digits", note: "", images: shown))
    for run in try plan.manifold(manifold) {
      let model = try work.trained(run, on: data.train).model
      let d = model.latentCount
      let mse = try Evaluation.reconstruction(
        model, pixels: data.test.pixels.base, count: data.test.count
      ).mse
      points.append((Double(d), mse))
      let codes = try model.codes(of: data.train)
      let queries = try model.codes(of: data.test)
      let regression = try LinearRegression(
        codes.base, inputCount: d, manifold.trainParameters.base, outputCount: dimension,
        count: data.train.count)
      let predicted = try regression.predictions(queries.base, count: data.test.count)
      let linear = LinearRegression.explained(
        predicted.base, of: manifold.testParameters.base, count: data.test.count, width: dimension)
      let neighbours = try Neighbours(
        of: queries.base, queryCount: data.test.count, among: codes.base, pointCount: data.train.count,
        width: d,
        count: min(10, data.train.count))
      let means = try neighbours.means(manifold.trainParameters.base, width: dimension)
      let near = LinearRegression.explained(
        means.base, of: manifold.testParameters.base, count: data.test.count, width: dimension)
      linearScores.append((Double(d), linear.reduce(0, +) / Double(dimension)))
      nearScores.append((Double(d), near.reduce(0, +) / Double(dimension)))
      if d == dimension { atSix = (linear, near) }
      if [2, 4, dimension, 8].contains(d) {
        strips.append(
          Findings.Strip(label: "d = \(d)", note: "MSE \(mse.fixed(5))", images: try model.rebuilt(shown)))
      }
    }
    try findings.add(
      strips, name: "reconstructions",
      caption: manifold.key == "ball"
        ? "Clips of \(data.name.dropFirst("clips of ".count)): six frames each, in two rows of three; below, reconstructions "
          + "from d numbers."
        : "Threes whose slant, aspect, thickness, size, waist and top weight vary, and reconstructions from d numbers.",
      run: note)
    try findings.add(
      Chart.errors(
        "Test error against the length of the code, images of \(dimension) parameters",
        over: Chart.Axis(
          title: "length of the code, d", from: 0, ticks: plan.manifoldDimensions.map { Double($0) }),
        of: "test", [Chart.Series(name: "ELU", points: points, colour: 4)],
        rules: [Chart.Rule(value: Double(dimension), text: "\(dimension) parameters", isVertical: true)],
        height: 340),
      name: "error", caption: "Test error against the length of the code.", run: note)

    // Estimates from distances.
    let count = min(plan.estimateCount, data.train.count)
    let neighbourCount = min(20, count - 2)
    let pixels = try data.train.floats(count)
    let neighbours = try Neighbours(
      of: pixels.base, queryCount: count, among: pixels.base, pointCount: count, width: data.size,
      count: neighbourCount, isLeavingOut: true)
    let two = try IntrinsicDimension.twoNN(neighbours)
    let likelihood = try IntrinsicDimension.maximumLikelihood(neighbours, count: neighbourCount)
    findings.add(
      columns: ["estimate from \(grouped(count)) images", "dimension", "standard error"],
      rows: [
        ["TwoNN", two.dimension.fixed(2), two.standardError.fixed(2)],
        [
          "maximum likelihood, k = \(neighbourCount)", likelihood.dimension.fixed(2),
          likelihood.standardError.fixed(2),
        ], ["known", "\(dimension)", ""],
      ], caption: "Intrinsic dimension of the images.", run: note)

    // What codes say of the parameters.
    try findings.add(
      Chart(
        title: "Share of the parameters' variance that codes predict, against the length of the code",
        x: Chart.Axis(
          title: "length of the code, d", from: 0, ticks: plan.manifoldDimensions.map { Double($0) }),
        y: Chart.Axis(title: "R², mean over the parameters", from: 0, to: 1),
        series: [
          Chart.Series(name: "10 nearest", points: nearScores, colour: 5),
          Chart.Series(name: "linear", points: linearScores, colour: 1),
        ],
        rules: [
          Chart.Rule(
            value: Double(dimension), text: "\(dimension) parameters", isVertical: true, isBelow: true)
        ],
        height: 340),
      name: "parameters",
      caption:
        "How much of the parameters a linear map of the code predicts, and the mean of the ten nearest codes.",
      run: note)
    if !atSix.linear.isEmpty {
      findings.add(
        columns: ["parameter"] + manifold.names,
        rows: [
          ["R², linear"] + atSix.linear.map { $0.fixed(3) },
          ["R², 10 nearest"] + atSix.near.map { $0.fixed(3) },
        ], caption: "The same for each parameter, from codes of \(dimension) numbers.", run: note)
    }
    findings.add("dimension", .int(dimension))
    findings.add("two_nn", .number(two.dimension))
    findings.add("two_nn_standard_error", .number(two.standardError))
    findings.add("maximum_likelihood", .number(likelihood.dimension))
    findings.add("parameters", .array(manifold.names.map { .string($0) }))
    findings.add("d", JSON(points.map { Int($0.x) }))
    findings.add("test_mse", JSON(points.map(\.y)))
    findings.add("r2_linear", JSON(linearScores.map(\.y)))
    findings.add("r2_nearest", JSON(nearScores.map(\.y)))
    findings.add("r2_linear_by_parameter", JSON(atSix.linear))
    findings.add("r2_nearest_by_parameter", JSON(atSix.near))

    let isWithin = abs(two.dimension - Double(dimension)) <= 1
    findings.sentence =
      "TwoNN sees \(two.dimension.fixed(1)) dimensions, maximum likelihood \(likelihood.dimension.fixed(1)), where there are "
      + "\(dimension)\(isWithin ? "" : ": not within one")."
    if let elbow = Elbow.find(points.map(\.x), points.map(\.y)), elbow.depth > 0 {
      let found = Int(points[elbow.index].x)
      findings.add("elbow", .int(found))
      findings.remarks.append(
        "The autoencoder's error bends at d = \(found)"
          + (found == dimension
            ? ": it finds them all."
            : found < dimension
              ? ": it has found \(found) of the \(dimension) after \(grouped(plan.manifoldSteps)) steps; what is left shows "
                + "least in the pixels."
              : ": the manifold is curved, and an encoder that must lay it flat is glad of more numbers than it has.")
      )
    } else {
      findings.remarks.append(
        "The autoencoder's error does not bend: it alone does not tell that there are \(dimension).")
    }
    if let near = nearScores.first(where: { $0.x == Double(dimension) }), !atSix.linear.isEmpty {
      let weakest = atSix.near.indices.min { atSix.near[$0] < atSix.near[$1] } ?? 0
      findings.remarks.append(
        "From codes of \(dimension) numbers the ten nearest predict \((near.y * 100).fixed(0)) % of the parameters' variance "
          + "on average, least of \(manifold.names[weakest]) (\((atSix.near[weakest] * 100).fixed(0)) %).")
    }
    return findings.json(
      title: manifold.key == "ball"
        ? "A manifold whose dimension is known: a kicked ball" : "The same with pen strokes")
  }
}

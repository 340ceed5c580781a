// Experiment 8: what a code costs in bytes and what picture it buys, for every network, beside other codecs.

import Container
import Core
import Latent
import Network
import Quantization
import Storage
import ToolKit
import Training

extension StudyExperiment {
  static let compression = StudyExperiment(
    key: "compression", title: "Bytes and pictures",
    runs: { context in
      try own(context) { _ in true } + on(context.digits.train, try longer(context))
    },
    measure: { context, work in try measureCompression(context, work) },
    cost: { plan in plan.scale == .full ? 120_000 : plan.scale == .quick ? 20_000 : 300 })

  /// Networks with longer codes than the study's.
  private static func longer(_ context: StudyContext) throws -> [StudyRun] {
    try [ModelKind.pca, .elu, .vae].map { try context.plan.sweep($0, 32, context.digits) }
  }

  private static func measureCompression(_ context: StudyContext, _ work: StudyWork) throws -> [(
    key: String, value: JSON
  )] {
    let (plan, digits) = (context.plan, context.digits)
    var findings = Findings("compression", context.folder)
    // Apart, so that no two lines of a chart share a colour.
    var (ownSeries, longerSeries): ([Chart.Series], [Chart.Series]) = ([], [])
    var facts: [JSON] = []
    var rows: [[String]] = []
    let (own, sweeps) = (try plan.own(digits), try longer(context))
    for (run, isSweep) in own.map({ ($0, false) }) + sweeps.map({ ($0, true) }) {
      let network = run.network
      try work.tell("compressing with \(run.name)")
      let trained = try work.trained(run, on: digits.train).model
      let model = try quantized(trained, pixels: digits.train.pixels.base, count: digits.train.count)
      guard let codec = model.codec else { continue }
      var points: [(x: Double, y: Double)] = []
      for quality in 1...codec.rates.count {
        var options = CompressionOptions()
        options.quality = quality
        let packed = try CompressedSet(
          try compress(digits.test, with: model, options: options), model: model, name: "image set")
        let mse = try packed.meanSquaredError(to: digits.test)
        points.append((Double(packed.information.byteCount) / Double(digits.test.count), decibels(mse)))
      }
      let d = run.latentCount
      let line = Chart.Series(name: "\(network.title) \(d)", points: points, colour: network.colour)
      if isSweep { longerSeries.append(line) } else { ownSeries.append(line) }
      facts.append(
        .object([
          ("run", .string(run.name)), ("kind", .string("\(run.kind.name)")), ("latents", .int(d)),
          ("bytes_per_image", JSON(points.map(\.x))), ("psnr_db", JSON(points.map(\.y))),
        ]))
      if let first = points.first, let last = points.last {
        rows.append([
          "\(network.title), d = \(d)\(isSweep ? ", sweep" : "")", first.x.fixed(2), first.y.fixed(2),
          last.x.fixed(2),
          last.y.fixed(2),
        ])
      }
    }
    // Measured on MNIST: beside other images they would say what is not so.
    let isMNIST = digits.name == "MNIST"
    let unused = [1, 2, 3, 6, 7].filter { colour in !longerSeries.contains { $0.colour == colour } }
    let peers = zip(isMNIST ? CodecCurves.all : [], unused).map { codec, colour in
      Chart.Series(
        name: codec.name,
        points: codec.points.filter { $0.decibels <= 34 }.map { ($0.bytesPerImage, $0.decibels) },
        colour: colour, style: .dashed)
    }
    let note = plan.note(
      "codecs fitted to the training images, \(grouped(digits.test.count)) test images of \(digits.name) as one set without "
        + "its model; the study's networks after \(grouped(plan.ownSteps)) steps, "
        + own.filter { $0.kind.isVariational }.map { "\($0.network.title) \($0.stepsInWords)" }
        .joined(separator: ", ") + ", those of d = 32 after \(grouped(plan.sweepSteps))")
    func rates(_ title: String, _ series: [Chart.Series]) -> Chart {
      Chart(
        title: title,
        x: Chart.Axis(title: "bytes per image", scale: .log, ticks: [2, 3, 5, 10, 20, 30, 50, 100, 200]),
        y: Chart.Axis(title: "PSNR, dB"), series: series, height: 440, labelRoom: 150)
    }
    try findings.add(
      rates("Picture quality against bytes per image for the study's networks", ownSeries), name: "rates",
      caption: "Every network of the study at all its qualities (marks).", run: note)
    try findings.add(
      rates(
        "Picture quality against bytes per image for codes of 32 numbers\(isMNIST ? " and for other codecs" : "")",
        longerSeries + peers), name: "codecs",
      caption: "Networks with codes of 32 numbers at all their qualities (marks)"
        + (isMNIST
          ? ", and, dashed, other codecs on one mosaic of the same images: \(CodecCurves.source)." : "."),
      run: note)
    findings.add(
      columns: ["network", "fewest bytes", "dB", "most bytes", "dB"], rows: rows,
      caption: "Bytes per image and PSNR at the lowest and the highest quality.", run: note)
    findings.add("networks", .array(facts))
    findings.add("other_codecs_source", .string(CodecCurves.source))
    findings.add(
      "other_codecs",
      .array(
        CodecCurves.all.map {
          .object([
            ("name", .string($0.name)), ("bytes_per_image", JSON($0.points.map(\.bytesPerImage))),
            ("psnr_db", JSON($0.points.map(\.decibels))),
          ])
        }))
    // Images of an untrained network are stored raw, which says nothing of its reconstructions.
    let best = (ownSeries + longerSeries).flatMap { one in one.points.map { (one.name, $0) } }.filter {
      $0.1.y.isFinite
    }
    .max { $0.1.y < $1.1.y }
    if let best {
      let rivals = CodecCurves.all.compactMap { codec -> (String, Double)? in
        CodecCurves.bytes(of: codec, at: best.1.y).map { (codec.name, $0) }
      }.min { $0.1 < $1.1 }
      findings.sentence =
        "The best picture of these networks, \(best.1.y.fixed(1)) dB by \(best.0), takes "
        + "\(best.1.x.fixed(1)) bytes"
      if isMNIST, let rival = rivals {
        findings.sentence += "; \(rival.0), the best of the other codecs there, takes \(rival.1.fixed(0))"
      }
      findings.sentence += "."
    }
    if !isMNIST {
      findings.remarks.append(
        "Other codecs are left out: they were measured on MNIST, and these networks on \(digits.name).")
    }
    return findings.json(title: "Bytes and pictures")
  }
}

extension CodecCurves {
  /// Bytes per image that a codec takes for so many decibels, linear between its two nearest points; nil outside.
  static func bytes(of codec: Codec, at decibels: Double) -> Double? {
    let points = codec.points.sorted { $0.decibels < $1.decibels }
    for (low, high) in zip(points, points.dropFirst())
    where (low.decibels...high.decibels).contains(decibels) {
      let share = (decibels - low.decibels) / max(high.decibels - low.decibels, 1e-9)
      return low.bytesPerImage + share * (high.bytesPerImage - low.bytesPerImage)
    }
    return nil
  }
}

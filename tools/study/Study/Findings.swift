// The findings of an experiment: a sentence, numbers for programs, and figures, whose pictures and charts become files in
// the study's folder.

import Core
import Model
import Storage
import ToolKit

/// The findings of one experiment.
struct Findings {
  let key: String
  let folder: StudyFolder
  /// What it found, for people; the page's heading of it.
  var sentence = ""
  /// Further sentences.
  var remarks: [String] = []
  private var numbers: [(key: String, value: JSON)] = []
  private var figures: [JSON] = []

  init(_ key: String, _ folder: StudyFolder) {
    self.key = key
    self.folder = folder
  }

  mutating func add(_ key: String, _ value: JSON) { numbers.append((key, value)) }

  mutating func add(_ chart: Chart, name: String, caption: String, run: String) throws(AEError) {
    let named = chart.series.enumerated().filter { $0.element.isNamed }.map { order, series in
      JSON.object([("name", .string(series.name)), ("colour", .int(series.colour)), ("mark", .int(order))])
    }
    try add(svg: chart.svg, title: chart.title, series: named, name: name, caption: caption, run: run)
  }

  mutating func add(_ chart: BarChart, name: String, caption: String, run: String) throws(AEError) {
    try add(svg: chart.svg, title: chart.title, series: [], name: name, caption: caption, run: run)
  }

  /// A chart, written as KEY-NAME.svg; `series` are those that it names.
  private mutating func add(
    svg: String, title: String, series: [JSON], name: String, caption: String, run: String
  ) throws(AEError) {
    let file = "\(key)-\(name).svg"
    try folder.write(Chart.file(svg), to: file)
    figures.append(
      .object([
        ("type", .string("chart")), ("file", .string(file)), ("alt", .string(title)),
        ("series", .array(series)), ("caption", .string(caption)), ("run", .string(run)),
      ]))
  }

  /// One row of images with what it is called and a number.
  struct Strip {
    let label: String
    let note: String
    let images: ImageSet
  }

  /// Rows of images, each written as KEY-NAME-N.png.
  mutating func add(_ strips: [Strip], name: String, caption: String, run: String) throws(AEError) {
    var rows: [JSON] = []
    for (index, strip) in strips.enumerated() {
      let file = "\(key)-\(name)-\(index + 1).png"
      let picture = try Grid.make(strip.images, columns: strip.images.count)
      try folder.write(try PNG.write(picture), to: file)
      rows.append(
        .object([
          ("label", .string(strip.label)), ("note", .string(strip.note)), ("file", .string(file)),
          ("width", .int(picture.width)), ("height", .int(picture.height)),
        ]))
    }
    figures.append(
      .object([
        ("type", .string("strips")), ("rows", .array(rows)), ("caption", .string(caption)),
        ("run", .string(run)),
      ]))
  }

  /// One picture of many images, written as KEY-NAME.png.
  mutating func add(_ images: ImageSet, columns: Int, name: String, caption: String, run: String)
    throws(AEError)
  {
    let file = "\(key)-\(name).png"
    let picture = try Grid.make(images, columns: columns)
    try folder.write(try PNG.write(picture), to: file)
    figures.append(
      .object([
        ("type", .string("picture")), ("file", .string(file)), ("width", .int(picture.width)),
        ("height", .int(picture.height)), ("caption", .string(caption)), ("run", .string(run)),
      ]))
  }

  mutating func add(columns: [String], rows: [[String]], caption: String, run: String) {
    figures.append(
      .object([
        ("type", .string("table")), ("columns", .array(columns.map { .string($0) })),
        ("rows", .array(rows.map { .array($0.map { .string($0) }) })), ("caption", .string(caption)),
        ("run", .string(run)),
      ]))
  }

  /// For results.json.
  func json(title: String) -> [(key: String, value: JSON)] {
    [
      ("title", .string(title)), ("finding", .string(sentence)),
      ("remarks", .array(remarks.map { .string($0) })),
    ] + numbers + [("figures", .array(figures))]
  }
}

extension StudyPlan {
  /// The layers of an encoder: "784-500-500-5".
  func layers(_ pixels: Int, _ code: String) -> String {
    ([pixels] + hidden).map { "\($0)" }.joined(separator: "-") + "-" + code
  }

  /// What stands under a figure: which run it is of.
  func note(_ detail: String) -> String {
    switch scale {
    case .full: return "Full run: \(detail)."
    case .quick: return "Quick run: \(detail)."
    case .tiny: return "Trial run, which says nothing: \(detail)."
    }
  }
}

extension Autoencoder {
  /// The reconstructions of a set's images from their codes (a variational model's means).
  func rebuilt(_ set: ImageSet) throws(AEError) -> ImageSet {
    let codes = try codes(of: set)
    return try decoded(codes, count: set.count)
  }

  /// Images of codes, [count, latentCount].
  func decoded(_ codes: Buffer<Float>, count: Int) throws(AEError) -> ImageSet {
    try images(count: count) { pixels throws(AEError) in
      try decode(codes.base, count: count, into: pixels)
    }
  }

  /// The codes of a set's images, [count, latentCount].
  func codes(of set: ImageSet) throws(AEError) -> Buffer<Float> {
    let codes = try Buffer<Float>(count: try elements(set.count, latentCount))
    try encode(set.pixels.base, count: set.count, into: codes.base)
    return codes
  }
}

extension ImageSet {
  /// The first image of each class, or the first `count` images where there are no labels.
  func examples(_ count: Int = 10) throws(AEError) -> ImageSet {
    guard let labels else { return try prefix(count) }
    var chosen: [Int] = []
    for label in 0..<UInt8(count) {
      if let index = labels.firstIndex(of: label) { chosen.append(index) }
    }
    return try picked(chosen)
  }

  func picked(_ indices: [Int]) throws(AEError) -> ImageSet {
    let buffer = try Buffer<UInt8>(count: indices.count * imageSize)
    for (place, index) in indices.enumerated() {
      (buffer.base + place * imageSize).update(from: pixels.base + index * imageSize, count: imageSize)
    }
    return try ImageSet(width: width, height: height, count: indices.count, pixels: buffer)
  }

  /// Pixels as floats in [0, 1], of the first `count` images.
  func floats(_ count: Int) throws(AEError) -> Buffer<Float> {
    let result = try Buffer<Float>(count: min(count, self.count) * imageSize)
    for i in 0..<result.count { result.base[i] = Float(pixels.base[i]) / 255 }
    return result
  }
}

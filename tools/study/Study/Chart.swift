// Charts as SVG text: axes with units, lines that are labelled where they end, colours that everyone can tell
// apart. Colours are variables, so that a page can be light or dark.

import Glibc
import ToolKit

/// A chart of lines, points or both.
struct Chart {
  enum Scale { case linear, log }

  struct Axis {
    let title: String
    var scale = Scale.linear
    /// Ends; those of the data, rounded out, unless told.
    var from: Double?
    var to: Double?
    /// Where it is numbered; round numbers unless told.
    var ticks: [Double]?
  }

  enum Style { case line, dashed, points, digits }

  struct Series {
    let name: String
    let points: [(x: Double, y: Double)]
    /// 0 ... 7, of the palette.
    let colour: Int
    var style = Style.line
    /// Half the length of an error bar at each point, on the scale of y.
    var errors: [Double]?
    /// What each point is, for `digits`.
    var classes: [UInt8]?
    /// Whether the name stands at the line's end.
    var isNamed = true
  }

  /// A line across the chart, with what it says.
  struct Rule {
    let value: Double
    let text: String
    var isVertical = false
    /// Whether the words stand below the line, or at the foot of a vertical one.
    var isBelow = false
  }

  /// What the chart shows, for those who cannot see it.
  let title: String
  let x: Axis
  let y: Axis
  var series: [Series]
  var rules: [Rule] = []
  var height = 380.0
  /// Room for the names at the lines' ends.
  var labelRoom = 130.0
  /// Whether a unit of x is as long as one of y.
  var isSquare = false

  private static let width = 720.0

  /// Mean squared errors per pixel, on a logarithmic scale, over what they depend on.
  /// - Parameters:
  ///   - of: which images the errors are of, as the axis says before "mean squared error per pixel".
  ///   - lowest: where the scale begins, if not below the least error.
  static func errors(
    _ title: String, over x: Axis, of images: String = "", from lowest: Double? = nil, _ series: [Series],
    rules: [Rule] = [], height: Double = 380
  ) -> Chart {
    Chart(
      title: title, x: x,
      y: Axis(
        title: images.isEmpty ? "mean squared error per pixel" : "\(images) mean squared error per pixel",
        scale: .log, from: lowest),
      series: series, rules: rules, height: height)
  }

  // MARK: Ranges

  private static func range(_ axis: Axis, _ values: [Double]) -> (from: Double, to: Double) {
    let usable = values.filter { $0.isFinite && (axis.scale == .linear || $0 > 0) }
    var (low, high) = (usable.min() ?? 0, usable.max() ?? 1)
    if axis.scale == .linear {
      if low == high { (low, high) = (low - 0.5, high + 0.5) }
      let step = niceStep(high - low)
      (low, high) = ((low / step).rounded(.down) * step, (high / step).rounded(.up) * step)
    } else if low == high {
      (low, high) = (low / 2, high * 2)
    } else {
      let room = pow(high / low, 0.03)
      (low, high) = (low / room, high * room)
    }
    return (axis.from ?? low, axis.to ?? high)
  }

  private static func niceStep(_ extent: Double) -> Double {
    let raw = extent / 5
    let power = pow(10, floor(log10(raw)))
    let share = raw / power
    return (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10) * power
  }

  /// Where an axis of that range is numbered.
  static func ticks(_ axis: Axis, _ range: (from: Double, to: Double)) -> [Double] {
    if let ticks = axis.ticks {
      let room = (range.to - range.from) / 1000
      return ticks.filter { $0 >= range.from - room && $0 <= range.to + room }
    }
    var result: [Double] = []
    func addRound() {
      let step = niceStep(range.to - range.from)
      var tick = (range.from / step).rounded(.up) * step
      while tick <= range.to + step * 1e-6 {
        result.append(abs(tick) < step * 1e-6 ? 0 : tick)
        tick += step
      }
    }
    switch axis.scale {
    case .linear: addRound()
    case .log:
      let decades = log10(range.to / range.from)
      let leads: [Double] = decades > 2.5 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 3, 5, 7]
      var power = pow(10, floor(log10(range.from)))
      while power <= range.to {
        for lead in leads where power * lead >= range.from && power * lead <= range.to {
          result.append(power * lead)
        }
        power *= 10
      }
      // A range within a decade may lie between those.
      if result.count < 3 {
        result = []
        addRound()
      }
    }
    return result
  }

  /// 50000 as "50,000", 0.003 as "0.003".
  static func number(_ value: Double) -> String {
    let magnitude = abs(value)
    if magnitude >= 1000, magnitude < 1e9, value == value.rounded() { return grouped(Int(value)) }
    return magnitude > 0 && magnitude < 1e-4 ? value.significant(2) : shortest(value)
  }

  private static func shortest(_ value: Double) -> String { value.significant(6) }

  // MARK: Text

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }

  static func text(
    _ x: Double, _ y: Double, _ text: String, anchor: String = "start", css: String = "", colour: Int? = nil,
    turn: Bool = false
  ) -> String {
    let fill = colour.map { " style=\"fill:var(--c\($0))\"" } ?? ""
    let turned = turn ? " transform=\"rotate(-90 \(x.fixed(1)) \(y.fixed(1)))\"" : ""
    return
      "<text x=\"\(x.fixed(1))\" y=\"\(y.fixed(1))\" text-anchor=\"\(anchor)\" class=\"\(css)\"\(fill)\(turned)>"
      + escaped(text) + "</text>\n"
  }

  /// What stands on the points of a series, a shape of its own for each of four.
  static func mark(_ shape: Int, _ x: Double, _ y: Double, _ colour: Int) -> String {
    let fill = "style=\"fill:var(--c\(colour))\""
    func path(_ d: String) -> String { "<path d=\"\(d)\" class=\"mark\" \(fill)/>\n" }
    let (a, b) = (x.fixed(1), y.fixed(1))
    switch shape % 4 {
    case 1: return path("M\((x - 3.6).fixed(1)) \((y - 3.6).fixed(1))h7.2v7.2h-7.2z")
    case 2: return path("M\(a) \((y - 5).fixed(1))l5 8.6h-10z")
    case 3: return path("M\(a) \((y - 5.2).fixed(1))l5.2 5.2l-5.2 5.2l-5.2 -5.2z")
    default: return "<circle cx=\"\(a)\" cy=\"\(b)\" r=\"4\" class=\"mark\" \(fill)/>\n"
    }
  }

  /// Of places along an axis those that come first in each eighth of it.
  private static func spread(_ places: [Double], from: Double, to: Double) -> [Int] {
    var taken: Set<Int> = []
    return places.indices.filter { taken.insert(Int((places[$0] - from) / (to - from) * 8)).inserted }
  }

  // MARK: Drawing

  /// A chart as a file of its own, with its style in it.
  static func file(_ svg: String) -> String {
    let body = svg
    guard let end = body.firstIndex(of: ">") else { return body }
    return String(body[...end]) + "\n<style>" + Chart.style + "</style>\n"
      + String(body[body.index(after: end)...])
  }

  /// A chart that `file` made, for a page that has the style.
  static func inlined(_ file: String) -> String {
    let parts = file.split(separator: "<style>", maxSplits: 1).map { String($0) }
    guard parts.count == 2 else { return file }
    let rest = parts[1].split(separator: "</style>", maxSplits: 1).map { String($0) }
    return parts[0] + (rest.last ?? "")
  }

  var svg: String {
    let (left, top, bottom) = (74.0, 14.0, 52.0)
    let right = Chart.width - labelRoom
    let floorY = height - bottom
    let rangeX = Chart.range(
      x, series.flatMap { $0.points.map(\.x) } + rules.filter(\.isVertical).map(\.value))
    let rangeY = Chart.range(
      y,
      series.flatMap { one in
        one.points.enumerated().flatMap { index, point in
          let error = one.errors?[index] ?? 0
          return [point.y - error, point.y + error]
        }
      } + rules.filter { !$0.isVertical }.map(\.value))
    func place(_ value: Double, _ axis: Axis, _ range: (from: Double, to: Double)) -> Double {
      switch axis.scale {
      case .linear: return (value - range.from) / (range.to - range.from)
      case .log: return log(max(value, 1e-300) / range.from) / log(range.to / range.from)
      }
    }
    let span = isSquare ? min(right - left, floorY - top) : right - left
    func px(_ value: Double) -> Double { left + span * place(value, x, rangeX) }
    func py(_ value: Double) -> Double {
      floorY - (isSquare ? span : floorY - top) * place(value, y, rangeY)
    }
    let end = left + span
    let topY = isSquare ? floorY - span : top
    var out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(Chart.width)) \(Int(height))\" class=\"chart\" "
      + "role=\"img\" aria-label=\"\(Chart.escaped(title))\">\n"
    out += "<title>\(Chart.escaped(title))</title>\n"
    for tick in Chart.ticks(y, rangeY) {
      let at = py(tick).fixed(1)
      out +=
        "<line x1=\"\(left.fixed(1))\" x2=\"\(end.fixed(1))\" y1=\"\(at)\" y2=\"\(at)\" class=\"grid\"/>\n"
      out += Chart.text(left - 8, py(tick) + 4, Chart.number(tick), anchor: "end", css: "tick")
    }
    for tick in Chart.ticks(x, rangeX) {
      let at = px(tick).fixed(1)
      out +=
        "<line x1=\"\(at)\" x2=\"\(at)\" y1=\"\(floorY.fixed(1))\" y2=\"\((floorY + 5).fixed(1))\" class=\"axis\"/>\n"
      out += Chart.text(px(tick), floorY + 19, Chart.number(tick), anchor: "middle", css: "tick")
    }
    out +=
      "<line x1=\"\(left.fixed(1))\" x2=\"\(end.fixed(1))\" y1=\"\(floorY.fixed(1))\" y2=\"\(floorY.fixed(1))\" class=\"axis\"/>\n"
    out += Chart.text((left + end) / 2, height - 10, x.title, anchor: "middle", css: "title")
    out += Chart.text(13, (topY + floorY) / 2, y.title, anchor: "middle", css: "title", turn: true)
    for rule in rules {
      if rule.isVertical {
        let at = px(rule.value)
        out +=
          "<line x1=\"\(at.fixed(1))\" x2=\"\(at.fixed(1))\" y1=\"\(topY.fixed(1))\" y2=\"\(floorY.fixed(1))\" class=\"rule\"/>\n"
        out += Chart.text(at + 6, rule.isBelow ? floorY - 10 : topY + 12, rule.text, css: "note")
      } else {
        let at = py(rule.value)
        out +=
          "<line x1=\"\(left.fixed(1))\" x2=\"\(end.fixed(1))\" y1=\"\(at.fixed(1))\" y2=\"\(at.fixed(1))\" class=\"rule\"/>\n"
        if rule.isBelow && at + 20 > floorY {  // The axis is there: above, and off the lines' beginnings.
          out += Chart.text(left + 0.2 * span, at - 12, rule.text, css: "note")
        } else {
          out += Chart.text(left + 8, rule.isBelow ? at + 16 : at - 6, rule.text, css: "note")
        }
      }
    }
    var labels: [(y: Double, text: String, colour: Int)] = []
    for (order, one) in series.enumerated() {
      let usable = one.points.enumerated().filter { _, point in
        point.x.isFinite && point.y.isFinite && (x.scale == .linear || point.x > 0)
          && (y.scale == .linear || point.y > 0)
      }
      switch one.style {
      case .digits:
        for (index, point) in usable {
          let digit = Int(one.classes?[index] ?? 0)
          out +=
            "<text x=\"\(px(point.x).fixed(1))\" y=\"\((py(point.y) + 3.5).fixed(1))\" class=\"d d\(digit)\">\(digit)</text>"
        }
        out += "\n"
      case .line, .dashed:
        let path = usable.enumerated().map { position, item in
          "\(position == 0 ? "M" : "L")\(px(item.element.x).fixed(1)) \(py(item.element.y).fixed(1))"
        }.joined()
        out +=
          "<path d=\"\(path)\" class=\"line\(one.style == .dashed ? " dashed" : "")\" "
          + "style=\"stroke:var(--c\(one.colour))\"/>\n"
        fallthrough
      case .points:
        for (index, point) in usable {
          if let error = one.errors?[index], error > 0 {
            let at = px(point.x).fixed(1)
            out +=
              "<line x1=\"\(at)\" x2=\"\(at)\" y1=\"\(py(point.y - error).fixed(1))\" y2=\"\(py(point.y + error).fixed(1))\" class=\"error\" style=\"stroke:var(--c\(one.colour))\"/>\n"
          }
        }
        // Marks tell lines apart where colours do not: on every point, or here and there on many.
        let places = usable.map { px($0.element.x) }
        for index in places.count <= 20
          ? Array(places.indices) : Chart.spread(places, from: left, to: end)
        {
          out += Chart.mark(order, places[index], py(usable[index].element.y), one.colour)
        }
      }
      if one.isNamed, let last = usable.last {
        labels.append((py(last.element.y) + 4, one.name, one.colour))
      }
    }
    // Names that would lie on each other move apart, and then up as far as the last needs.
    labels.sort { $0.y < $1.y }
    for index in 1..<max(labels.count, 1) where labels[index].y < labels[index - 1].y + 15 {
      labels[index].y = labels[index - 1].y + 15
    }
    if let last = labels.last, last.y > floorY + 4 {
      labels[labels.count - 1].y = floorY + 4
      for index in (0..<labels.count - 1).reversed() {
        labels[index].y = min(labels[index].y, labels[index + 1].y - 15)
      }
    }
    for label in labels {
      out += Chart.text(end + 10, label.y, label.text, css: "name", colour: label.colour)
    }
    return out + "</svg>\n"
  }

  /// Colours that stand out from the page, and from each other for readers of normal sight and for those whose sight
  /// lacks one of the three kinds of cones: the tests of the tool measure both. With them the lines' style.
  static let palette = """
    --c0:#50555f;--c1:#d76f00;--c2:#079f66;--c3:#2179fc;--c4:#c61e2e;--c5:#0e2bda;--c6:#74249b;--c7:#534c10;
    """
  static let darkPalette = """
    --c0:#737883;--c1:#e89b0f;--c2:#54ff93;--c3:#aabcff;--c4:#cc5239;--c5:#2a78dd;--c6:#e0d2d4;--c7:#cbff64;
    """
  static let style =
    "svg.chart{\(palette)--fg:#1c2127;--muted:#5a6472;--lines:#dfe3e8;--page:#fff;}"
    + "@media (prefers-color-scheme:dark){svg.chart{\(darkPalette)--fg:#e8eaed;--muted:#a0a8b4;--lines:#363c45;"
    + "--page:#14171b;background:#14171b}}" + rules

  /// The rules that do not say which colours there are.
  static let rules = """
    svg.chart{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
    .chart text{fill:var(--muted)}.chart .title{fill:var(--fg)}.chart .name{font-weight:600}
    .chart .note{fill:var(--fg);font-size:12px}
    .chart .grid{stroke:var(--lines);stroke-width:1}.chart .axis{stroke:var(--muted);stroke-width:1}
    .chart .rule{stroke:var(--fg);stroke-width:1.2;stroke-dasharray:2 4}
    .chart .line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
    .chart .dashed{stroke-dasharray:6 5}.chart .error{stroke-width:1.6}
    .chart .mark{stroke:var(--page);stroke-width:1.2}
    .chart .d{font-size:10px;text-anchor:middle;font-weight:600;opacity:.85}
    .chart .d0{fill:var(--c0)}.chart .d1{fill:var(--c1)}.chart .d2{fill:var(--c2)}.chart .d3{fill:var(--c3)}
    .chart .d4{fill:var(--c4)}.chart .d5{fill:var(--c5)}.chart .d6{fill:var(--c6)}.chart .d7{fill:var(--c7)}
    .chart .d8{fill:var(--fg)}.chart .d9{fill:#b5651d}
    """
}

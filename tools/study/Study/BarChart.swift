// Bars, alone or in pairs, one row for each thing compared, with their numbers beside them.

import ToolKit

/// Horizontal bars of one or two values for each of several things.
struct BarChart {
  struct Bar {
    let name: String
    let colour: Int
    /// At most two; the second is drawn lighter.
    let values: [Double]
  }

  let title: String
  let unit: String
  let from: Double
  let to: Double
  let bars: [Bar]
  /// What the values are; empty where a bar has one alone.
  let legend: [String]
  /// Of the numbers beside the bars.
  var decimals = 1

  var svg: String {
    let (left, right, top, pitch) = (150.0, 650.0, legend.isEmpty ? 8.0 : 34.0, 34.0)
    let bottom = top + pitch * Double(bars.count)
    let height = bottom + 48
    func px(_ value: Double) -> Double {
      left + (right - left) * min(max((value - from) / (to - from), 0), 1)
    }
    var out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 \(Int(height))\" class=\"chart\" role=\"img\" "
      + "aria-label=\"\(Chart.escaped(title))\">\n<title>\(Chart.escaped(title))</title>\n"
    for tick in Chart.ticks(Chart.Axis(title: unit), (from, to)) {
      let at = px(tick).fixed(1)
      out += "<line x1=\"\(at)\" x2=\"\(at)\" y1=\"\(top)\" y2=\"\(bottom.fixed(1))\" class=\"grid\"/>\n"
      out += Chart.text(px(tick), bottom + 18, Chart.number(tick), anchor: "middle", css: "tick")
    }
    out += Chart.text((left + right) / 2, height - 6, unit, anchor: "middle", css: "title")
    for (index, name) in legend.enumerated() {
      let x = left + Double(index) * 190
      out +=
        "<rect x=\"\(x)\" y=\"10\" width=\"14\" height=\"10\" style=\"fill:var(--fg);opacity:\(index == 0 ? "1" : ".45")\"/>\n"
      out += Chart.text(x + 20, 19, name, css: "note")
    }
    for (row, bar) in bars.enumerated() {
      let y = top + Double(row) * pitch + 4
      out += Chart.text(left - 10, y + 17, bar.name, anchor: "end", css: "name", colour: bar.colour)
      let thickness = bar.values.count == 1 ? 22.0 : 11
      for (index, value) in bar.values.enumerated() {
        let at = y + Double(index) * 13
        out +=
          "<rect x=\"\(left)\" y=\"\(at.fixed(1))\" width=\"\((px(value) - left).fixed(1))\" height=\"\(thickness)\" "
          + "style=\"fill:var(--c\(bar.colour));opacity:\(index == 0 ? "1" : ".45")\"/>\n"
        out += Chart.text(px(value) + 6, at + thickness / 2 + 4.5, value.fixed(decimals), css: "tick")
      }
    }
    out += "<line x1=\"\(left)\" x2=\"\(left)\" y1=\"\(top)\" y2=\"\(bottom.fixed(1))\" class=\"axis\"/>\n"
    return out + "</svg>\n"
  }
}

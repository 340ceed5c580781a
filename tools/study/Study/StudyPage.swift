// The page of a study: one HTML file with all pictures, charts and weights inside, made of results.json and the
// files beside it. It loads nothing and reads as well on paper.

import Core
import Storage
import ToolKit

struct StudyPage {
  let context: StudyContext
  let results: JSON

  func html() throws -> String {
    let experiments = results["experiments"].pairs
    let explorer = try Explorer(context).section()
    var body = try header()
    body += "<nav>"
    if explorer != nil { body += "<a href=\"#explorer\">Explore</a>" }
    for (key, value) in experiments {
      body += "<a href=\"#\(key)\">\(Chart.escaped(shortTitle(key, value["title"].string)))</a>"
    }
    body += "</nav>\n"
    if let explorer { body += explorer }
    for (number, experiment) in experiments.enumerated() {
      body += try section(number + 1, experiment.key, experiment.value)
    }
    body += """
      <footer><p>Made by <code>\(results["version"].string) study</code>, \(results["kernels"].string) kernels, \
      \(counted(results["threads"].int, "thread")). Every number is in <code>results.json</code>, every picture in a file \
      of its own beside this page.</p>
      <p>\(results["study"]["data"].string == "MNIST"
        ? "MNIST: LeCun, Cortes and Burges, 1998; CC BY-SA 3.0." : "The digits were drawn by <code>aez draw</code>.")</p>
      </footer>

      """
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark"><title>A study of autoencoders on \(dataName)</title>
      <link rel="icon" href="data:,"><style>\(StudyStyle.css)\(Chart.rules)</style></head><body><main>
      \(body)</main>\(explorer == nil ? "" : "<script>\(Explorer.script)</script>")</body></html>

      """
  }

  private var dataName: String { Chart.escaped(results["study"]["data"].string) }

  private func shortTitle(_ key: String, _ title: String) -> String {
    switch key {
    case "linear": return "Linear"
    case "activations": return "Activations"
    case "variational": return "Variational"
    case "dimensions": return "Dimensions"
    case "thirty": return "Thirty"
    case "classification": return "Classification"
    case "ball": return "Kicked ball"
    case "pen": return "Pen strokes"
    case "compression": return "Compression"
    default: return title
    }
  }

  private func header() throws -> String {
    let study = results["study"]
    let answer = results["experiments"]["dimensions"]["answer"].string
    var text = "<header><p class=\"eyebrow\">libae · \(runName)</p><h1>What autoencoders find in "
    text += study["data"].string == "MNIST" ? "handwritten digits" : "drawn digits"
    text +=
      "</h1><p class=\"lead\">\(grouped(study["train_images"].int)) images of \(dataName) to learn from, "
    text +=
      "\(grouped(study["test_images"].int)) to measure on, \(study["width"].int) × \(study["height"].int) pixels each.</p>"
    text +=
      "<p>The networks, and the question how many dimensions digits have, are those of the study <em>An Exploration of "
      + "Auto Encoders on MNIST</em>: where this page says <em>the study</em>, it means that one. All numbers here were "
      + "measured on \(dataName)\(study["data"].string == "MNIST" ? "" : ", not on MNIST").</p>"
    if !answer.isEmpty {
      text += "<div class=\"answer\"><h2>How many dimensions?</h2><p>\(prose(answer))</p></div>"
    }
    return text + "</header>\n"
  }

  private var runName: String {
    switch context.plan.scale {
    case .full: return "the full study"
    case .quick: return "the quick study, of minutes"
    case .tiny: return "a trial run, whose numbers say nothing"
    }
  }

  private func section(_ number: Int, _ key: String, _ json: JSON) throws(AEError) -> String {
    var text =
      "<section id=\"\(key)\"><p class=\"eyebrow\">\(number) · \(Chart.escaped(json["title"].string))</p>"
    text += "<h2>\(prose(json["finding"].string))</h2>\n"
    for remark in json["remarks"].items { text += "<p>\(prose(remark.string))</p>\n" }
    for figure in json["figures"].items { text += try self.figure(figure) }
    return text + "</section>\n"
  }

  private func figure(_ json: JSON) throws(AEError) -> String {
    let type = json["type"].string
    let caption =
      "<figcaption>\(prose(json["caption"].string)) <small>\(prose(json["run"].string))</small></figcaption>"
    var text = "<figure class=\"of-\(type)\">"
    switch type {
    case "chart":
      let file = try context.folder.read(json["file"].string)
      text += "<h3>\(Chart.escaped(json["alt"].string))</h3>"
      let svg = Chart.inlined(
        String(decoding: UnsafeBufferPointer(start: file.base, count: file.count), as: UTF8.self))
      text +=
        "<div class=\"scroll\">\(svg)</div><p class=\"swipe\">The chart goes on to the right.</p>"
        + key(json["series"].items)
    case "strips":
      text += "<div class=\"strips\">"
      for row in json["rows"].items {
        text += "<div class=\"label\">\(Chart.escaped(row["label"].string))"
        if !row["note"].string.isEmpty { text += "<small>\(Chart.escaped(row["note"].string))</small>" }
        text += "</div>" + (try image(row, alt: "\(row["label"].string) \(row["note"].string)"))
      }
      text += "</div>"
    case "picture":
      text += try image(json, alt: json["caption"].string)
    default:
      text += "<div class=\"scroll\"><table><thead><tr>"
      for column in json["columns"].items { text += "<th>\(Chart.escaped(column.string))</th>" }
      text += "</tr></thead><tbody>"
      for row in json["rows"].items {
        text += "<tr>"
        for cell in row.items { text += "<td>\(Chart.escaped(cell.string))</td>" }
        text += "</tr>"
      }
      text += "</tbody></table></div>"
    }
    return text + caption + "</figure>\n"
  }

  /// A sentence as HTML: what stands in it `so` is code.
  private func prose(_ text: String) -> String {
    let parts = Chart.escaped(text).split(separator: "`", omittingEmptySubsequences: false)
    // An odd one out is a backtick.
    guard parts.count % 2 == 1 else { return Chart.escaped(text) }
    return parts.enumerated().map { $0 % 2 == 1 ? "<code>\($1)</code>" : String($1) }.joined()
  }

  /// The names of a chart's series, for screens on which their ends are out of sight.
  private func key(_ series: [JSON]) -> String {
    guard series.count > 1 else { return "" }
    let names = series.map { one in
      "<span><svg class=\"chart\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">"
        + Chart.mark(one["mark"].int, 8, 8, one["colour"].int)
        + "</svg>\(Chart.escaped(one["name"].string))</span>"
    }
    return "<p class=\"key\">\(names.joined(separator: " "))</p>\n"
  }

  private func image(_ json: JSON, alt: String) throws(AEError) -> String {
    let file = try context.folder.read(json["file"].string)
    return
      "<img src=\"data:image/png;base64,\(Base64.text(file.base, file.count))\" width=\"\(json["width"].int)\" "
      + "height=\"\(json["height"].int)\" alt=\"\(Chart.escaped(alt))\">"
  }
}

/// Base64 (RFC 4648), as data in a page is written.
enum Base64 {
  private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func text(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> String {
    var result: [UInt8] = []
    result.reserveCapacity((count + 2) / 3 * 4)
    for first in stride(from: 0, to: count, by: 3) {
      var word = 0
      for offset in 0..<3 {
        word = word << 8 | (first + offset < count ? Int(bytes[first + offset]) : 0)
      }
      for place in 0..<4 {
        let isThere = first + place <= count
        result.append(isThere ? letters[word >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}

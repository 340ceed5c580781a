// The report of a command: the same facts as lines for people or as one JSON object.

import ArgumentParser
import Bytes
import Core
import Glibc

/// Facts in order, each with a key for programs and a line for people.
package struct Report {
  private var facts: [(key: String, value: JSON)] = []
  private var lines: [(title: String, text: String)] = []

  package init() {}

  /// Adds a fact. Without a title it is for programs alone.
  package mutating func add(_ key: String, _ json: JSON, _ title: String? = nil, _ text: String? = nil) {
    facts.append((key, json))
    guard let title else { return }
    if let text {
      lines.append((title, text))
      return
    }
    switch json {
    case .string(let value): lines.append((title, value))
    case .int(let value): lines.append((title, "\(value)"))
    case .bool(let value): lines.append((title, value ? "yes" : "no"))
    default: break
    }
  }

  /// Adds a line for people alone, such as one of a table whose rows are in an array for programs.
  package mutating func add(line text: String, title: String = "") { lines.append((title, text)) }

  /// Adds a count and shape of images.
  package mutating func add(images count: Int, _ shape: ImageShape) {
    add("images", .int(count), "images", "\(grouped(count)) of \(shape.text)")
    add("width", .int(shape.width))
    add("height", .int(shape.height))
    add("channels", .int(shape.channels))
  }

  /// Adds a count and size of grey images.
  package mutating func add(images count: Int, width: Int, height: Int) {
    add(images: count, ImageShape(width: width, height: height))
  }

  /// Adds a mean squared error, on the [0, 1] scale, and what it is in decibels.
  package mutating func add(mse: Double, prefix: String = "", title: String = "PSNR") {
    let psnr = decibels(mse)
    add("\(prefix)mse", .number(mse))
    add("\(prefix)psnr_db", .number(psnr), title, "\(psnr.fixed(2)) dB (MSE \(mse.fixed(5)))")
  }

  package var json: JSON { .object(facts) }

  package var text: String {
    let width = lines.map { $0.title.count }.max() ?? 0
    return lines.map { line in
      let space = String(repeating: " ", count: width - line.title.count)
      return oneLine(width == 0 ? line.text : "\(line.title)\(space)  \(line.text)")
    }.joined(separator: "\n")
  }
}

/// Peak signal-to-noise ratio, in dB, of a mean squared error on the [0, 1] scale.
package func decibels(_ mse: Double) -> Double { mse > 0 ? -10 * log10(mse) : .infinity }

/// How a command reports.
package struct ReportOptions: ParsableArguments {
  @Flag(help: "Report as one JSON object on standard output.")
  package var json = false

  @Flag(name: .shortAndLong, help: "No progress and no report; errors and --json still speak.")
  package var quiet = false

  package init() {}

  /// Prints a report, unless standard output carries the command's data.
  package func show(_ report: Report, dataOnStandardOutput: Bool = false) throws {
    if json {
      try Console.print(report.json.text)
    } else if !quiet && !dataOnStandardOutput {
      try Console.print(report.text)
    }
  }

  /// Checks that report and data do not both want standard output.
  package func check(dataOnStandardOutput: Bool) throws {
    if json && dataOnStandardOutput {
      throw ValidationError("--json and -o - both write to standard output: name a file with -o.")
    }
  }
}

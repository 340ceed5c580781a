// From a program's arguments to its exit status, and from errors to messages: shared by the tool and the study.

import ArgumentParser
import Core
import Glibc

/// The name and version that the tool tells, and the study's page names.
package let toolVersion = "aez 0.2.0"

/// A failure that takes more than a line to tell.
package struct ListedError: Error {
  package let message: String
  /// Whole lines of the tool's own; names in them are one line each.
  package let lines: [String]

  package init(_ message: String, _ lines: [String]) {
    self.message = message
    self.lines = lines
  }
}

extension ParsableCommand {
  /// Puts the process in order, runs the command that its arguments name, and ends the process if that fails.
  /// - Parameters:
  ///   - arguments: those of the process, unless told.
  ///   - check: looks at them before they are parsed.
  package static func runTool(
    _ arguments: [String] = Process.arguments, _ check: () throws -> Void = {}
  ) {
    Process.prepare()
    do {
      try check()
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch {
      leave(error)
    }
  }

  /// Says what was wrong and ends with the status that says so, too.
  private static func leave(_ error: any Error) -> Never {
    if let error = error as? AEError {
      Console.warn("aez: \(error.message)")
      Glibc.exit(1)
    }
    if let error = error as? ListedError {
      Console.warn("aez: \(error.message)", andLines: error.lines.reduce("") { $0 + "\n" + $1 })
      Glibc.exit(1)
    }
    let code = exitCode(for: error)
    let message = fullMessage(for: error)
    if code.isSuccess {
      // Help and version are output like any other.
      do throws(AEError) {
        if !message.isEmpty { try Console.print(message) }
      } catch {
        Console.warn("aez: \(error.message)")
        Glibc.exit(1)
      }
      Glibc.exit(0)
    }
    // What is wrong is one line, whatever it quotes; after it comes how the command is used.
    // Values to choose from come as a list of lines.
    let lines = self.message(for: error)
    let whole = "Error: " + lines
    let what = lines.split(separator: "\n  - ", omittingEmptySubsequences: false).enumerated().reduce("") {
      $0 + ($1.offset == 0 ? "" : $1.offset == 1 ? " " : ", ") + $1.element
    }
    if message.hasPrefix(whole) {
      Console.warn("aez: " + what, andLines: String(message.dropFirst(whole.count)))
    } else if !message.isEmpty {
      Console.warn("", andLines: message)
    }
    Glibc.exit(code.rawValue)
  }
}

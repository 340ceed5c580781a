// aez study: starts the study, which is a program of its own (tools/study), in the place of this one. What a research page
// needs is no part of the tool.

import ArgumentParser
import Bytes
import Core
import Glibc
import ToolKit

struct Study: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare all networks, and write a page of what was found.",
    usage: "aez study -o <folder> [<options>]")

  @Argument(parsing: .captureForPassthrough, help: "What aez-study is given.") var arguments: [String] = []

  /// The program's name.
  private static let program = "aez-study"

  /// Reached where `replacingProcess` saw no study in the arguments.
  func run() throws { throw Study.failure(ENOENT, Study.program) }

  /// If the arguments name the study, makes this process the program of it, with the arguments, the environment, the
  /// descriptors and the signals as they are.
  /// - Returns: why that failed; nil if the arguments name something else.
  static func replacingProcess() -> AEError? {
    let words = CommandLine.unsafeArgv
    let count = Int(CommandLine.argc)
    func isWord(_ index: Int, _ word: String) -> Bool {
      index < count && words[index].map { strcmp($0, word) == 0 } ?? false
    }
    if isWord(1, "study") { return replace((2..<count).map { words[$0] }) }
    if isWord(1, "help"), isWord(2, "study") {
      return FileName.withCString("--help") { replace([UnsafeMutablePointer(mutating: $0)]) }
    }
    return nil
  }

  /// Makes this process the first of the places' programs that is there.
  private static func replace(_ arguments: [UnsafeMutablePointer<CChar>?]) -> AEError {
    for path in places {
      let error = FileName.withCString(path) { path in
        let words = [UnsafeMutablePointer(mutating: path)] + arguments + [nil]
        _ = execv(path, words)
        return errno
      }
      // One that is there and cannot be run is told of: another might be of another version.
      if error != ENOENT && error != ENOTDIR { return failure(error, path) }
    }
    return failure(ENOENT, program)
  }

  /// Where the program is looked for: beside the tool, as a build puts it; where `make install` puts it; on PATH.
  private static var places: [String] {
    var places: [String] = []
    if let tool = FileName.withCString("/proc/self/exe", { realpath($0, nil) }) {
      let folder = Path.folder(FileName.text(tool))
      free(tool)
      places += ["\(folder)/\(program)", "\(folder)/../libexec/aez/\(program)"]
    }
    return places + Path.listed(Process.environment("PATH") ?? "").map { "\($0)/\(program)" }
  }

  private static func failure(_ error: Int32, _ path: String) -> AEError {
    guard error == ENOENT else {
      return AEError(.io, "cannot run \(path): \(String(cString: strerror(error)))")
    }
    return AEError(
      .io,
      "the study is a program of its own, \(program), which is neither beside aez nor in ../libexec/aez nor on PATH: "
        + "build it (make study, or swift build -c release --product \(program)), or install it (make install)"
    )
  }
}

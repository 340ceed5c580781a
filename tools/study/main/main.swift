// aez-study, which `aez study` starts: the study as a program, so that the tool carries nothing of it. To whoever types
// it is a command of the tool, and so it speaks as one.

import ArgumentParser
import Study
import ToolKit

/// The tool, as far as it is here.
struct Program: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aez", version: toolVersion, subcommands: [StudyCommand.self])
}

Program.runTool(["study"] + Process.arguments)

// What a process gets from whoever starts it, taken over in one place before anything else is done: arguments and
// environment, whose names are bytes.

import Bytes
import CSystem
import Glibc

enum Process {
  /// The arguments after the tool's name, as text that stands for their bytes.
  static var arguments: [String] {
    (1..<max(Int(CommandLine.argc), 1)).compactMap { index in
      CommandLine.unsafeArgv[index].map { FileName.text(UnsafePointer($0)) }
    }
  }

  /// A variable of the environment that is set and not empty, as text that stands for its bytes.
  static func environment(_ name: String) -> String? {
    guard let value = cs_environment(name) else { return nil }
    let text = FileName.text(value)
    return text.isEmpty ? nil : text
  }
}

// The tool's root: its name, its subcommands, and how errors become messages and exit statuses.

import ArgumentParser
import Bytes
import Core
import Glibc

@main
struct AEZ: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aez",
    abstract: "Learned compression for sets of small images.",
    discussion: """
      Images are IDX files (plain or gzipped), NumPy .npy files, folders of PNG or PGM files, single PNG \
      or PGM files, a folder with the four MNIST files and --split, mnist:train and mnist:test, or - for \
      standard input; what a file is follows from how it begins. Outputs are chosen by name: .idx or \
      -idx3-ubyte (.gz gzips either), .npy, .png or .pgm (one picture, a grid if there are many images), a \
      name with / at its end for a folder, or - for standard output with --as.

      Nothing is replaced without --force, and a file is whole or not there. The exit status is 0, 1 for a \
      failure, 64 for a mistake in the command.

      EXAMPLES
        aez fetch mnist
        aez compress mnist:test -o digits.aez
        aez decompress digits.aez -o digits.idx
        aez train mnist:train -o elu.aew --kind elu --latent 8
        aez eval mnist:test --model elu.aew
        aez reconstruct mnist:test --model elu.aew -o reconstructions.png
      """,
    version: version,
    subcommands: [
      Train.self, Eval.self, Encode.self, Decode.self, Compress.self, Decompress.self, Info.self, Test.self,
      Sample.self, Reconstruct.self, Draw.self, Fetch.self, Export.self, Study.self,
    ])

  static let version = "aez 0.2.0"

  static func main() {
    Process.prepare()
    do {
      var command = try parseAsRoot(Process.arguments)
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
    let what = self.message(for: error)
    let whole = "Error: " + what
    if message.hasPrefix(whole) {
      Console.warn("aez: " + what, andLines: String(message.dropFirst(whole.count)))
    } else if !message.isEmpty {
      Console.warn("", andLines: message)
    }
    Glibc.exit(code.rawValue)
  }
}

// The tool's root: its name, its subcommands, and what is said of a command that is none.

import ArgumentParser
import ToolKit

@main
struct AEZ: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aez",
    abstract: "Learned compression for sets of small images.",
    discussion: """
      Images are IDX files (plain or gzipped), NumPy .npy files, folders of PNG, PGM, PPM or PAM files, single \
      files of these kinds, a folder with the four MNIST files and --split, mnist:train and mnist:test, or - for \
      standard input; what a file is follows from how it begins. Outputs are chosen by name: .idx, \
      -idx3-ubyte or -idx4-ubyte (.gz gzips each), .npy, .png, .pgm, .ppm or .pam (one picture, a grid if there are \
      many images), a name with / at its end for a folder, or - for standard output with --as.

      Images are grey, RGB, or RGB with alpha. Lossless and near-lossless sets keep what they are, and a model is of \
      images as those that it was trained on. For a grey model colours become grey, for a model in colour grey becomes a \
      colour, as a line on standard error says.

      Nothing is replaced without --force, and a file is whole or not there. The exit status is 0, 1 for a \
      failure, 64 for a mistake in the command.

      EXAMPLES
        aez fetch mnist
        aez compress mnist:test -o digits.aez
        aez decompress digits.aez -o digits.idx
        aez train mnist:train -o elu.aew --kind elu --latent-size 8
        aez eval mnist:test --model elu.aew
        aez reconstruct mnist:test --model elu.aew -o reconstructions.png
      """,
    version: toolVersion,
    subcommands: [
      Train.self, Eval.self, Encode.self, Decode.self, Compress.self, Decompress.self, Concatenate.self,
      Append.self, SplitSet.self, Info.self, Test.self, Qualities.self, Sample.self, Reconstruct.self,
      Draw.self, Fetch.self, Export.self, Quantize.self, Shrink.self, Study.self, OptionTables.self,
    ])

  static func main() {
    // Before this process touches descriptors and signals: what takes its place gets them as they came.
    let study = Study.replacingProcess()
    runTool {
      if let study { throw study }
      try refuseUnknownCommand()
    }
  }

  /// Throws if the first argument is meant to be a command and is none, with the one that it is most like.
  private static func refuseUnknownCommand() throws {
    guard let word = Process.arguments.first else { return }
    if word == "fetch", Process.arguments.count > 1 {
      let wanted = Process.arguments[1]
      if !wanted.hasPrefix("-"), !["mnist", "help"].contains(wanted) {
        throw ValidationError("There is no '\(wanted)' to fetch: aez fetch mnist.")
      }
    }
    let commands = configuration.subcommands
    let isCommand = commands.contains { $0._commandName == word }
    guard !word.hasPrefix("-"), word != "help", !isCommand else { return }
    let names = commands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
    let nearest = names.map { (name: $0, distance: editDistance($0, word)) }.min { $0.distance < $1.distance }
    if word.count < 30, let nearest, nearest.distance <= max(1, word.count / 3) {
      throw ValidationError("There is no command '\(word)'. Did you mean '\(nearest.name)'?")
    }
    throw ValidationError("There is no command '\(word)'. Commands are \(names.joined(separator: ", ")).")
  }

  /// How many letters must be put in, left out, changed or swapped with the next to make one word of the other.
  private static func editDistance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.lowercased()), Array(b.lowercased()))
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var least = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, rows[i - 1][j - 1] + 1) }
        row.append(least)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}

// The four files of MNIST: their names, their sums, the folders where commands look for them, and what is in them.

import ArgumentParser
import Bytes
import Core
import Storage

/// The two parts of MNIST.
package enum Split: String, CaseIterable, ExpressibleByArgument {
  case train, test

  /// The names of its files, without `.gz`.
  package var files: (images: String, labels: String) {
    let prefix = self == .train ? "train" : "t10k"
    return ("\(prefix)-images-idx3-ubyte", "\(prefix)-labels-idx1-ubyte")
  }
}

package enum MNIST {
  /// The uncompressed files with their SHA-256.
  package static let sums: [(name: String, sha256: String)] = [
    ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
  ]

  /// The bytes of an uncompressed file.
  package static func byteCount(of name: String) -> Int {
    let count = name.utf8.first == 0x74 && name.utf8.dropFirst().first == 0x31 ? 10_000 : 60_000
    return name.utf8.contains(0x33) ? 16 + 784 * count : 8 + count
  }

  /// Where `aez fetch mnist` puts the files, if the environment names a folder.
  package static var cacheFolder: String? {
    if let cache = Process.environment("XDG_CACHE_HOME") { return cache + "/libae/mnist" }
    return Process.environment("HOME").map { $0 + "/.cache/libae/mnist" }
  }

  /// Whether a folder holds files of MNIST by their names.
  package static func isFolder(_ folder: String) -> Bool {
    sums.contains { file(folder, $0.name) != nil }
  }

  /// A file of that name in a folder, plain or gzipped; some who hand on the files write a point before `idx`,
  /// and some put each into a folder of its own name.
  package static func file(_ folder: String, _ name: String) -> String? {
    let pieces = name.split(separator: "-")
    let dotted = pieces.dropLast(2).joined(separator: "-") + "." + pieces.suffix(2).joined(separator: "-")
    let names = [name, name + ".gz", dotted, dotted + ".gz"]
    let candidates = names.map { "\(folder)/\($0)" } + names.map { "\(folder)/\($0)/\($0)" }
    return candidates.first { Path.kind($0) == .file }
  }

  /// The folder that `mnist:train` and `mnist:test` mean: AE_MNIST, else the cache.
  package static func folder() throws(AEError) -> String {
    if let folder = Process.environment("AE_MNIST") {
      guard isFolder(folder) else {
        throw AEError(.io, "\(folder): AE_MNIST names this folder, but it holds no MNIST files")
      }
      return folder
    }
    guard let folder = cacheFolder, isFolder(folder) else {
      throw AEError(
        .io, "MNIST is not here: run `aez fetch mnist`, or set AE_MNIST to the folder that holds it")
    }
    return folder
  }

  /// The files of a part in a folder.
  package static func files(of split: Split, in folder: String) throws(AEError) -> (
    images: String, labels: String
  ) {
    func file(_ name: String) throws(AEError) -> String {
      guard let file = MNIST.file(folder, name) else {
        throw AEError(.io, "\(folder): holds neither \(name) nor \(name).gz")
      }
      return file
    }
    return (try file(split.files.images), try file(split.files.labels))
  }

  /// All images of a part, with their labels, from where `folder` finds them.
  package static func load(_ split: Split) throws(AEError) -> ImageSet {
    let files = try files(of: split, in: try folder())
    let reader = try ImageReader(try ByteInput(path: files.images), size: nil, limit: nil)
    var set = try reader.all()
    set.labels = try LabelFile.read(files.labels, count: set.count)
    return set
  }
}

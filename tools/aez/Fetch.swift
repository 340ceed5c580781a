// aez fetch: data sets from the network, checked and kept where other commands find them.

import ArgumentParser
import Bytes
import Core
import Glibc
import Storage
import ToolKit

struct Fetch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetch a data set.", subcommands: [FetchMNIST.self])
}

struct FetchMNIST: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mnist",
    abstract: "Fetch the four files of MNIST, which are then mnist:train and mnist:test.",
    usage: "aez fetch mnist [<options>]",
    discussion: """
      Downloads with curl, goes on where an earlier attempt was cut off, and checks the SHA-256 of each \
      uncompressed file. Mirrors are tried in turn: those of --mirror, else those of AE_MNIST_MIRROR \
      (separated by white space), else two well-known ones. Files that are there and right are left alone.

      --sums names a file in the form of sha256sum with the sums of another set whose four files have the \
      same names; it goes to the folder of --into, not among MNIST's.

      EXAMPLES
        aez fetch mnist
        aez fetch mnist --mirror http://localhost:8000/mnist --into data/
      """)

  static let mirrors = [
    "https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist",
  ]

  /// The most bytes of a file of another set, packed or not.
  static let largestFile = 1 << 28

  @Option(help: ArgumentHelp("Where to fetch from; may be said again for more.", valueName: "url"))
  var mirror: [String] = []
  @Option(help: ArgumentHelp("Where to put the files; the cache unless told.", valueName: "folder"))
  var into: String?
  @Option(help: ArgumentHelp("SHA-256 sums of another set's uncompressed files.", valueName: "file"))
  var sums: String?
  @OptionGroup var report: ReportOptions

  func validate() throws {
    if sums != nil, into == nil {
      throw ValidationError("--sums is for another set than MNIST: say with --into where it goes.")
    }
  }

  func run() throws {
    let expected = try sums.map { path throws(AEError) in try SumsFile.read(path) } ?? MNIST.sums
    guard let folder = into.map({ Path.trimmed($0) }) ?? MNIST.cacheFolder else {
      throw AEError(.io, "there is no HOME to keep a cache in: say --into")
    }
    try Path.makeFolders(folder)
    var mirrors = mirror
    if mirrors.isEmpty, let listed = Process.environment("AE_MNIST_MIRROR") {
      mirrors = listed.split(whereSeparator: { $0.isWhitespace }).map { String($0) }
    }
    if mirrors.isEmpty { mirrors = FetchMNIST.mirrors }
    var facts = Report()
    facts.add("folder", .string(folder), "folder")
    var rows: [JSON] = []
    for file in expected {
      let limit = sums == nil ? MNIST.byteCount(of: file.name) : FetchMNIST.largestFile
      let download = Download(
        name: file.name, sha256: file.sha256, byteLimit: limit, folder: folder, isQuiet: report.quiet)
      let fetched = try download.run(mirrors: mirrors.map { Path.trimmed($0) })
      rows.append(
        .object([
          ("name", .string(file.name)), ("path", .string(fetched.path)), ("fetched", .bool(fetched.isNew)),
        ]))
      facts.add(line: fetched.isNew ? "fetched" : "was there", title: file.name)
    }
    facts.add("files", .array(rows))
    try report.show(facts)
  }
}

/// One file on its way from a mirror.
private struct Download {
  /// Of the uncompressed file.
  let name: String
  let sha256: String
  /// The most bytes that it may have, packed or not: what packs it can make it larger by very little.
  let byteLimit: Int
  let folder: String
  let isQuiet: Bool

  /// Room for the head and the tail of a gzip file, and for bytes that do not pack.
  private static let packing = 1 << 16

  private var target: String { "\(folder)/\(name).gz" }
  private var part: String { "\(folder)/\(name).gz.part" }

  /// Makes sure that the file is there and right.
  func run(mirrors: [String]) throws(AEError) -> (path: String, isNew: Bool) {
    if let path = MNIST.file(folder, name), try problem(path) == nil { return (path, false) }
    // An attempt that ended between the last byte and the name.
    if Path.kind(part) == .file, try problem(part) == nil {
      try keep()
      return (target, true)
    }
    var failures: [String] = []
    for mirror in mirrors {
      let url = "\(mirror)/\(name).gz"
      // Twice: what is there of an earlier attempt may be of another file, or of a server that cannot resume.
      for isResumed in Path.kind(part) == .file ? [true, false] : [false] {
        if !isResumed { Path.remove(part) }
        if let failure = try fetch(url, isResumed: isResumed) {
          failures.append("\(url): \(failure)")
          if failure.hasPrefix("it sends more") { Path.remove(part) }
        } else if let problem = try problem(part) {
          failures.append("\(url): \(problem)")
          Path.remove(part)
        } else {
          try keep()
          return (target, true)
        }
      }
    }
    throw AEError(.io, "\(name): could not be fetched: \(failures.joined(separator: "; "))")
  }

  /// Downloads into the partial file. Returns what went wrong, or nil.
  private func fetch(_ url: String, isResumed: Bool) throws(AEError) -> String? {
    var arguments = ["curl", "--fail", "--location", "--output", part, "--connect-timeout", "20"]
    // A server that falls silent is given up after a minute.
    arguments += ["--speed-limit", "1", "--speed-time", "60", "--proto", "=http,https,file"]
    if isResumed { arguments += ["--continue-at", "-"] }
    let isShown = !isQuiet && Console.isTerminal(Console.error)
    arguments += isShown ? ["--progress-bar"] : ["--silent"]
    arguments += ["--", url]
    if isShown { Console.warn(name) }
    Interrupt.listen()
    let status = try ChildProcess.run(arguments, fileSizeLimit: byteLimit + Download.packing)
    if Interrupt.isRequested { throw AEError(.stopped, "stopped; the next fetch goes on from here") }
    switch status {
    case 0: return nil
    case 6: return "the host cannot be found"
    case 7: return "cannot connect"
    case 18: return "the transfer was cut off"
    case 22: return "the server refused, or does not have it"
    case 23: throw AEError(.io, "\(part): cannot be written")
    case 28: return "the server did not answer in time"
    case 33: return "the server cannot resume"
    case 37: return "cannot be read"
    case 128 + SIGXFSZ: return "it sends more than \(grouped(byteLimit + Download.packing)) bytes"
    case 127: throw AEError(.io, "fetching needs curl, which is not installed")
    case 128...: throw AEError(.stopped, "stopped; the next fetch goes on from here")
    default: return "curl failed with status \(status)"
    }
  }

  /// What is wrong with a file's contents, or nil.
  private func problem(_ path: String) throws(AEError) -> String? {
    do throws(AEError) {
      let file = try File.read(path, limit: byteLimit + Download.packing)
      let isPacked = Zlib.isGzip(file.base, file.count)
      let plain = isPacked ? try Zlib.gunzip(file.base, file.count, limit: byteLimit, name: name) : file
      let sum = SHA256.hex(SHA256.digest(plain.base, plain.count))
      return sum == sha256 ? nil : "its SHA-256 is \(sum), \(sha256) expected"
    } catch {
      return error.message
    }
  }

  private func keep() throws(AEError) {
    try Path.rename(part, to: target)
  }
}

/// Sums in the form of sha256sum: 64 hexadecimal digits, white space, a name, a line each.
private enum SumsFile {
  static func read(_ path: String) throws(AEError) -> [(name: String, sha256: String)] {
    let file = try File.read(path, limit: 1 << 16)
    let text = String(decoding: UnsafeBufferPointer(start: file.base, count: file.count), as: UTF8.self)
    var sums: [(name: String, sha256: String)] = []
    for (number, line) in text.split(separator: "\n").enumerated() {
      let parts = line.split(whereSeparator: { $0 == " " || $0 == "*" }).map { String($0) }
      guard parts.count == 2, parts[0].utf8.count == 64, parts[0].allSatisfy(\.isHexDigit) else {
        throw AEError(.format, "\(path): line \(number + 1) is not a SHA-256 and a name")
      }
      sums.append((parts[1], parts[0].lowercased()))
    }
    let names = MNIST.sums.map(\.name)
    guard sums.map(\.name).sorted() == names.sorted() else {
      throw AEError(.format, "\(path): sums of \(names.joined(separator: ", ")) expected, each once")
    }
    return sums
  }
}

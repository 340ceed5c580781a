// The environment of the process, handled in one place before anything else: arguments and variables, which are bytes;
// standard descriptors, which may be closed; signals, which may be ignored.

import Bytes
import CSystem
import Core
import Glibc
import Synchronization

package enum Process {
  /// Puts descriptors and signals in order. To be called first: before a file is opened, or a thread begun.
  package static func prepare() {
    openStandardDescriptors()
    // A reader that has gone, and a limit on the size of files, are errors like a full disk.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    // Swift's runtime answers SIGQUIT with a report of a crash that is none. It leaves an ignored one alone.
    if !isIgnored(SIGQUIT) { signal(SIGQUIT, SIG_DFL) }
  }

  /// A standard descriptor that is closed would be given to the next file that is opened, and what is meant for a
  /// person would be written into that. /dev/null takes its place, open the wrong way round, so that reading and
  /// writing still fail as they do with a closed one.
  private static func openStandardDescriptors() {
    for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
      let opened = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY)
      // Without /dev/null there is no safe way on.
      if opened != descriptor { _exit(1) }
    }
  }

  /// Whether a signal is ignored, as nohup and shells without job control have it for their children.
  package static func isIgnored(_ signal: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(signal, nil, &action) == 0, action.sa_flags & Int32(SA_SIGINFO) == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  /// The arguments after the tool's name, as text that stands for their bytes.
  package static var arguments: [String] {
    (1..<max(Int(CommandLine.argc), 1)).compactMap { index in
      CommandLine.unsafeArgv[index].map { FileName.text(UnsafePointer($0)) }
    }
  }

  /// A variable of the environment that is set and not empty, as text that stands for its bytes.
  package static func environment(_ name: String) -> String? {
    guard let value = cs_environment(name) else { return nil }
    let text = FileName.text(value)
    return text.isEmpty ? nil : text
  }
}

/// Cancellation by signal: the first Ctrl-C asks the work to stop in a consistent state, and says so; the second ends the
/// process. SIGTERM and SIGHUP do the same.
package enum Interrupt {
  private static let flag = Atomic<Bool>(false)
  private static let isListening = Atomic<Bool>(false)
  /// Whether standard error is a terminal, where a progress line may have to go first.
  private static let clearsLine = Atomic<Bool>(false)

  /// Whether the user has asked to stop.
  package static var isRequested: Bool { flag.load(ordering: .relaxed) }

  /// Begins to listen to SIGINT, SIGTERM and SIGHUP, but for those that this process was told to ignore. Commands
  /// that have nothing to tidy up do not: there a signal ends the process at once.
  package static func listen() {
    // Touches what a handler uses before it can: what is made on first use must not be made in a signal.
    clearsLine.store(Console.isTerminal(Console.error), ordering: .relaxed)
    if isRequested || isListening.exchange(true, ordering: .relaxed) { return }
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in Interrupt.hear() }
    // The next one of its kind has its usual effect.
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | Int32(SA_RESTART)
    for signal in [SIGINT, SIGTERM, SIGHUP] where !Process.isIgnored(signal) {
      sigaction(signal, &action, nil)
    }
  }

  /// Runs in a signal handler: nothing but stores and a write.
  private static func hear() {
    let isFirst = !flag.exchange(true, ordering: .relaxed)
    guard isFirst else { return }
    let error = errno
    if clearsLine.load(ordering: .relaxed) { write("\r\u{1B}[K") }
    write("aez: stopping\n")
    errno = error
  }

  private static func write(_ text: StaticString) {
    _ = Glibc.write(Console.error, text.utf8Start, text.utf8CodeUnitCount)
  }

  /// Runs work whose output is all or nothing, and names the output in the message if it is stopped.
  package static func whileMaking<Result>(_ what: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as AEError where error.code == .stopped {
      throw AEError(.stopped, "stopped before \(what)")
    }
  }
}

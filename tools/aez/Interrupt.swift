// Ctrl-C as a request instead of an end: the first one asks the work to stop where it is whole, the second
// ends the process as ever.

import Glibc
import Synchronization

enum Interrupt {
  private static let flag = Atomic<Bool>(false)

  /// Whether the user has asked to stop.
  static var isRequested: Bool { flag.load(ordering: .relaxed) }

  /// Begins to listen to SIGINT and SIGTERM.
  static func listen() {
    // Touches the flag before a handler can: what is made on first use must not be made in a signal.
    flag.store(false, ordering: .relaxed)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in Interrupt.flag.store(true, ordering: .relaxed) }
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | Int32(SA_RESTART)
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
  }
}

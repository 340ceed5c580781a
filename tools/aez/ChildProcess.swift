// Running another program to its end, without a shell in between.

import Bytes
import Core
import Glibc
import ToolKit

enum ChildProcess {
  /// Runs a program found on PATH with this process's standard error, and waits for it.
  /// - Parameter fileSizeLimit: where in a file it may write: further on the system ends it by SIGXFSZ.
  /// - Returns: its exit status; 128 and the signal's number if a signal ended it.
  /// - Throws: `.io` if it cannot be started.
  static func run(_ arguments: [String], fileSizeLimit: Int) throws(AEError) -> Int32 {
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { FileName.withCString($0) { strdup($0) } }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    // Ignored signals are inherited; the child is to meet them as ever.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    sigaddset(&signals, SIGXFSZ)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    // The child inherits what holds for this process at that moment.
    var kept = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &kept)
    var limit = kept
    limit.rlim_cur = min(kept.rlim_cur, rlim_t(fileSizeLimit))
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    defer { setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &kept) }
    var child = pid_t()
    let error = posix_spawnp(&child, pointers[0]!, &actions, &attributes, pointers, environ)
    guard error == 0 else {
      throw AEError(.io, "cannot run \(arguments[0]): \(String(cString: strerror(error)))")
    }
    var status: Int32 = 0
    var isTold = false
    while true {
      let ended = waitpid(child, &status, WNOHANG)
      if ended == child || (ended < 0 && errno != EINTR) { break }
      // Ctrl-C reaches the child by itself, a signal to this process alone does not.
      if Interrupt.isRequested && !isTold {
        kill(child, SIGTERM)
        isTold = true
      }
      usleep(20_000)
    }
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }
}

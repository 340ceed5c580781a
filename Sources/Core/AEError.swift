// The one error type of the engine. Typed throws need a concrete type in embedded Swift, and the C
// interface needs a status, a sentence, and the system's own number where a system call failed: an error is
// just these three.

/// What went wrong, as a pinned status and a sentence for the person who reads it.
///
/// The message says what was expected, what came, and where: which argument, tensor or byte offset.
public struct AEError: Error, Sendable {
  /// The statuses of `ae.h`, value for value.
  public enum Code: Int32, Sendable {
    case argument = 1
    case memory = 2
    case io = 3
    case format = 4
    case checksum = 5
    case version = 6
    case kind = 7
    case shape = 8
    case model = 9
    case buffer = 10
    case stopped = 11
    case diverged = 12
    case `internal` = 13
  }

  public let code: Code
  public let message: String
  /// The errno of the system call that failed; 0 if none did.
  public let systemError: Int32

  /// What a literal means here.
  @inline(never)
  public init(_ code: Code, _ message: consuming Message) {
    self.code = code
    self.message = message.take()
    systemError = 0
  }

  @inline(never)
  public init(_ code: Code, text: String, systemError: Int32 = 0) {
    self.code = code
    message = text
    self.systemError = systemError
  }

  /// The same error with the place it was met put before it, as in `weights.aew: ...`.
  public func at(_ place: String) -> AEError {
    AEError(code, text: sentence("\(place): \(message)"), systemError: systemError)
  }
}

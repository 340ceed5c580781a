// The one error type of the engine. Typed throws need a concrete type in embedded Swift, and the C
// interface needs a status and a sentence: an error is just these two.

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

  /// What a literal means here.
  @inline(never)
  public init(_ code: Code, _ message: consuming Message) {
    self.code = code
    self.message = message.take()
  }

  @inline(never)
  public init(_ code: Code, text: String) {
    self.code = code
    message = text
  }

  /// The same error with the place it was met put before it, as in `weights.aew: ...`.
  public func at(_ place: String) -> AEError { AEError(code, "\(place): \(message)") }
}

// The sentences of errors. Every check in the engine has one, most with numbers in them, and the
// standard library's interpolation is expanded in place: some 2 KB each, half of libae.so in all. Here
// every piece is a call.

import CSystem

/// The text of a message, for where text and no error is wanted.
@inline(__always)
public func sentence(_ message: Message) -> String { message.text }

/// Text that a string literal with interpolations becomes where an error is made.
public struct Message: ExpressibleByStringInterpolation, Sendable {
  public let text: String

  @inline(never)
  public init(_ text: String) { self.text = text }

  @inline(never)
  public init(stringLiteral value: StaticString) { text = value.description }

  @inlinable
  public init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

  @inline(never)
  public static func + (left: Message, right: Message) -> Message { Message(left.text + right.text) }

  @inline(never)
  public static func += (left: inout Message, right: Message) { left = left + right }

  /// The pieces of a literal, in order.
  public struct StringInterpolation: StringInterpolationProtocol {
    @usableFromInline var text = ""

    @inlinable
    public init(literalCapacity: Int, interpolationCount: Int) {}

    @inline(never)
    public mutating func appendLiteral(_ literal: StaticString) { text += literal.description }

    @inline(never)
    public mutating func appendInterpolation(_ value: StaticString) { text += value.description }

    @inline(never)
    public mutating func appendInterpolation(_ value: String) { text += value }

    @inline(__always)
    public mutating func appendInterpolation(_ value: Message) { appendInterpolation(value.text) }

    @inline(never)
    public mutating func appendInterpolation(_ value: Int) { text += value.description }

    @inline(never)
    public mutating func appendInterpolation(_ value: UInt64) { text += value.description }

    @inline(never)
    public mutating func appendInterpolation(_ value: Double) {
      // Six digits by C: the shortest text that reads back the same takes 8 KB of tables and code.
      text += withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { digits in
        cs_number_text(value, digits.baseAddress.unsafelyUnwrapped, digits.count)
        return String(cString: digits.baseAddress.unsafelyUnwrapped)
      }
    }

    @inline(__always)
    public mutating func appendInterpolation(_ value: Float) { appendInterpolation(Double(value)) }

    @inline(__always)
    public mutating func appendInterpolation<Value: SignedInteger & FixedWidthInteger>(_ value: Value) {
      appendInterpolation(Int(truncatingIfNeeded: value))
    }

    @inline(__always)
    public mutating func appendInterpolation<Value: UnsignedInteger & FixedWidthInteger>(_ value: Value) {
      appendInterpolation(UInt64(truncatingIfNeeded: value))
    }
  }
}

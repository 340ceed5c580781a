// The sentences of errors. Every check in the engine has one, most with numbers in them, and the
// standard library's interpolation is expanded in place: some 2 KB each, half of libae.so in all. Here
// every piece is a call.

/// Text that a string literal with interpolations becomes where an error is made.
public struct Message: ExpressibleByStringInterpolation, Sendable {
  public let text: String

  @inline(never)
  public init(_ text: String) { self.text = text }

  @inline(never)
  public init(stringLiteral value: StaticString) { text = value.description }

  @inline(never)
  public init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

  @inline(never)
  public static func + (left: Message, right: Message) -> Message { Message(left.text + right.text) }

  /// The pieces of a literal, in order.
  public struct StringInterpolation: StringInterpolationProtocol {
    @usableFromInline var text = ""

    @inline(never)
    public init(literalCapacity: Int, interpolationCount: Int) {}

    @inline(never)
    public mutating func appendLiteral(_ literal: StaticString) { text += literal.description }

    @inline(never)
    public mutating func appendInterpolation(_ value: StaticString) { text += value.description }

    @inline(never)
    public mutating func appendInterpolation(_ value: String) { text += value }

    @inline(never)
    public mutating func appendInterpolation(_ value: Int) { text += value.description }

    @inline(never)
    public mutating func appendInterpolation(_ value: UInt64) { text += value.description }

    @inline(never)
    public mutating func appendInterpolation(_ value: Double) { text += value.description }

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

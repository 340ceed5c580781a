// The sentences of errors. Every check in the engine has one, most with numbers in them, and the
// standard library's interpolation is expanded in place: some 2 KB each, half of libae.so in all. Here
// every piece is a call that appends to a buffer of the thread, and a message under way is a mere range
// of that buffer.

import CSystem

/// Text that a string literal with interpolations becomes where an error is made.
///
/// It is to be taken once, at once and on the same thread, by `AEError` or `sentence`: it is a range of
/// the thread's buffer, which grows and shrinks like a stack.
public struct Message: ExpressibleByStringInterpolation {
  @usableFromInline let start: Int

  @usableFromInline
  init(start: Int) { self.start = start }

  /// A message that is a given text.
  @inline(never)
  public init(_ text: String) {
    start = cs_text_count()
    Message.append(text)
  }

  @inline(never)
  public init(stringLiteral value: StaticString) {
    start = cs_text_count()
    cs_text_append(value.utf8Start, value.utf8CodeUnitCount)
  }

  @inlinable
  public init(stringInterpolation: StringInterpolation) { start = stringInterpolation.start }

  /// Both, one after the other, as they lie in the buffer.
  @inlinable
  public static func + (left: Message, right: Message) -> Message { Message(start: left.start) }

  /// Takes the text out of the buffer.
  @inline(never)
  public consuming func take() -> String {
    let count = cs_text_count() - start
    guard count > 0 else { return "" }
    let text = UTF8Text.string(UnsafeBufferPointer(start: cs_text_bytes() + start, count: count))
    cs_text_cut(start)
    return text
  }

  @inline(never)
  fileprivate static func append(_ text: String) {
    _ = text.utf8.withContiguousStorageIfAvailable { cs_text_append($0.baseAddress, $0.count) }
  }

  /// The pieces of a literal, in order.
  public struct StringInterpolation: StringInterpolationProtocol {
    @usableFromInline let start: Int

    @inlinable
    public init(literalCapacity: Int, interpolationCount: Int) { start = cs_text_count() }

    @inlinable
    public func appendLiteral(_ literal: StaticString) {
      cs_text_append(literal.utf8Start, literal.utf8CodeUnitCount)
    }

    @inline(never)
    public func appendInterpolation(_ value: StaticString) {
      cs_text_append(value.utf8Start, value.utf8CodeUnitCount)
    }

    @inlinable
    public func appendInterpolation(_ value: String) { Message.appendText(value) }

    @inlinable
    public func appendInterpolation(_ value: Int) { cs_text_append_signed(Int64(value)) }

    @inlinable
    public func appendInterpolation(_ value: UInt64) { cs_text_append_unsigned(value) }

    @inlinable
    public func appendInterpolation(_ value: Double) { cs_text_append_number(value) }

    @inlinable
    public func appendInterpolation(_ value: Float) { cs_text_append_number(Double(value)) }

    @inlinable
    public func appendInterpolation<Value: SignedInteger & FixedWidthInteger>(_ value: Value) {
      cs_text_append_signed(Int64(truncatingIfNeeded: value))
    }

    @inlinable
    public func appendInterpolation<Value: UnsignedInteger & FixedWidthInteger>(_ value: Value) {
      cs_text_append_unsigned(UInt64(truncatingIfNeeded: value))
    }
  }

  @inline(never)
  @usableFromInline
  static func appendText(_ text: String) { append(text) }
}

/// The text of a message, for where text and no error is wanted.
@inlinable
public func sentence(_ message: Message) -> String { message.take() }

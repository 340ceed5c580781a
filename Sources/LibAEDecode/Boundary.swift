// The conventions of the C boundary, each in one place: how errors become statuses, how handles are
// made and checked, how counts and arrays from outside are tested before the engine sees them.
// The entry points beside this file convert, check and forward; the engine knows nothing of C.

import Bytes
import CAE
import CKernels
import CSystem
import Core

// MARK: Errors

/// Runs the body of an entry point and turns what it throws into a status and this thread's last error.
///
/// The body runs in the default floating-point environment, whatever the host has set: results that are promised
/// bit for bit must not depend on it. The host's is restored, flags included, and so is the context of an enclosing call,
/// if this one is made from a callback. All that the engine allocates in a call, its errors among them, is allocated
/// between the call's begin and its end, where a refused object comes from the reserve.
package func boundary(_ body: () throws(AEError) -> Void) -> ae_status {
  var call = cs_call()
  guard cs_call_begin(&call) != 0 else {
    cs_error_set_constant(cString("cannot allocate the memory that a call begins with"))
    cs_errno_set(0)
    return ae_status(AE_ERROR_MEMORY)
  }
  let environment = ck_float_enter()
  let outer = ck_context_enter(ck_context())
  let status = run(body)
  _ = ck_context_enter(outer)
  ck_float_leave(environment)
  cs_call_end(&call)
  return status
}

/// Its own function, so that nothing of it is left when the call ends.
@inline(never)
private func run(_ body: () throws(AEError) -> Void) -> ae_status {
  // No message is under way when a caller comes in; one that was never taken must not grow.
  cs_text_cut(0)
  do throws(AEError) {
    try body()
    return ae_status(AE_OK)
  } catch {
    return report(error)
  }
}

/// Calls the host back from inside a call: what it sets of its floating-point environment does not reach the engine.
package func callHost<Result>(_ callback: () -> Result) -> Result {
  let result = callback()
  _ = ck_float_enter()
  return result
}

/// Keeps an error as this thread's last one and gives its status.
///
/// Messages may quote names from files and paths: what controls or is not UTF-8 is spelled out, so that a message
/// is one line.
func report(_ error: AEError) -> ae_status {
  let text = UTF8Text.bytes(oneLine(error.message))
  text.withUnsafeBytes { bytes in
    cs_error_set(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
  }
  cs_errno_set(error.systemError)
  return error.code.rawValue
}

// MARK: Handles

/// The kinds of handles, spelled in ASCII for whoever meets one in a debugger.
package enum HandleKind: UInt64 {
  case model = 0x4C45_444F_4D5F_4541  // "AE_MODEL"
  case imageSet = 0x5445_5347_4D49_4541  // "AEIMGSET"
  case trainer = 0x4E49_4152_545F_4541  // "AE_TRAIN"
  case context = 0x5458_544E_435F_4541  // "AE_CNTXT"
  case options = 0x534E_4F49_5450_4F41  // "AOPTIONS"
  case writer = 0x5245_5449_5257_4541  // "AEWRITER"

  package var name: StaticString {
    switch self {
    case .model: return "ae_model"
    case .imageSet: return "ae_imageset"
    case .trainer: return "ae_trainer"
    case .context: return "ae_context"
    case .options: return "ae_options"
    case .writer: return "ae_writer"
    }
  }
}

/// Makes a handle that owns `object`.
///
/// It is made last in a call: an object of which parts are in the call's reserve gets no handle.
package func makeHandle<Object: AnyObject>(_ kind: HandleKind, _ object: Object) throws(AEError)
  -> OpaquePointer
{
  let owned = Unmanaged.passRetained(object)
  guard cs_call_is_short() == 0, let handle = cs_handle_make(kind.rawValue, owned.toOpaque()) else {
    owned.release()
    throw AEError(.memory, "cannot allocate the \(kind.name)")
  }
  return OpaquePointer(handle)
}

/// The object of a handle, or nil for whatever is none of that kind.
package func liveObject<Object: AnyObject>(_ handle: OpaquePointer?, _ kind: HandleKind, _ type: Object.Type)
  -> Object?
{
  guard let object = cs_handle_object(UnsafeRawPointer(handle), kind.rawValue) else { return nil }
  return Unmanaged<Object>.fromOpaque(object).takeUnretainedValue()
}

/// The object of a handle.
/// - Throws: `.argument` for NULL, for a handle of another kind and for one that has been freed.
package func object<Object: AnyObject>(_ handle: OpaquePointer?, _ kind: HandleKind, _ type: Object.Type)
  throws(AEError) -> Object
{
  if let object = liveObject(handle, kind, type) { return object }
  if handle == nil { throw AEError(.argument, "the \(kind.name) is NULL") }
  throw AEError(.argument, "the handle given as \(kind.name) is not one, or has been freed")
}

/// Releases a handle's object; NULL, stale handles and handles of another kind are ignored.
package func freeHandle<Object: AnyObject>(_ handle: OpaquePointer?, _ kind: HandleKind, _ type: Object.Type)
{
  guard let object = cs_handle_take(UnsafeMutableRawPointer(handle), kind.rawValue) else { return }
  Unmanaged<Object>.fromOpaque(object).release()
}

/// Stores a new handle through an out-pointer, which holds NULL if `make` throws.
@inline(never)
package func storeHandle(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ kind: HandleKind,
  in context: OpaquePointer? = nil, reading source: Span = Span(nil, 0, isWritten: false),
  make: () throws(AEError) -> OpaquePointer
) -> ae_status {
  boundary(context) { () throws(AEError) in
    guard let out else {
      throw AEError(.argument, "the pointer that takes the new \(kind.name) is NULL")
    }
    try Span(writes: out).apart(from: source, "what is read and the pointer that takes the handle")
    out.pointee = nil
    out.pointee = try make()
  }
}

// MARK: Counts and arrays

/// More bytes than any process can address today; a count above it is a mistake, and would be read.
private let largestByteCount = 1 << 47

/// The elements of an array of `count` rows, checked so that no later sum or product of them overflows.
///
/// Swift sees a size_t above PTRDIFF_MAX as a negative Int.
package func checkedCount(_ count: Int, of size: Int, stride: Int, _ name: StaticString) throws(AEError)
  -> Int
{
  guard count >= 0, let elements = count.times(size), let bytes = elements.times(stride),
    bytes <= largestByteCount
  else {
    throw AEError(
      .argument,
      "a count of \(UInt(bitPattern: count)) \(name) of \(size) values is more than memory can hold")
  }
  return elements
}

/// An array from outside: its first element and how many there are. Of none, the pointer may be NULL.
package struct Input<Element: BitwiseCopyable> {
  package let base: UnsafePointer<Element>
  package let elementCount: Int

  /// - Parameters:
  ///   - count: rows, as the caller gave it.
  ///   - size: elements of a row.
  /// - Throws: `.argument` for NULL, a count too large, or an array off its element's alignment.
  package init(_ base: UnsafePointer<Element>?, count: Int, of size: Int, _ name: StaticString)
    throws(AEError)
  {
    elementCount = try checkedCount(count, of: size, stride: MemoryLayout<Element>.stride, name)
    self.base = try checkedBase(base, count: elementCount, name)
  }
}

/// An array that a call fills.
package struct Output<Element: BitwiseCopyable> {
  package let base: UnsafeMutablePointer<Element>
  package let elementCount: Int

  package init(_ base: UnsafeMutablePointer<Element>?, count: Int, of size: Int, _ name: StaticString)
    throws(AEError)
  {
    elementCount = try checkedCount(count, of: size, stride: MemoryLayout<Element>.stride, name)
    self.base = UnsafeMutablePointer(
      mutating: try checkedBase(UnsafePointer(base), count: elementCount, name))
  }

  package var span: Span { Span(base, elementCount * MemoryLayout<Element>.stride, isWritten: true) }
}

extension Input {
  package var span: Span { Span(base, elementCount * MemoryLayout<Element>.stride, isWritten: false) }
}

/// Bytes of the caller's that a call reads or writes: an array, a struct, a number.
package struct Span {
  private let start: UInt
  private let end: UInt
  private let isWritten: Bool

  /// - Parameter byteCount: for NULL it does not matter.
  package init(_ base: UnsafeRawPointer?, _ byteCount: Int, isWritten: Bool) {
    start = UInt(bitPattern: base)
    let (end, isPastTheEnd) = start.addingReportingOverflow(
      base == nil ? 0 : UInt(bitPattern: byteCount))
    self.end = isPastTheEnd ? .max : end
    self.isWritten = isWritten
  }

  /// Something of a type that a call writes, or nothing.
  package init<Value: BitwiseCopyable>(writes pointer: UnsafeMutablePointer<Value>?) {
    self.init(pointer, MemoryLayout<Value>.size, isWritten: true)
  }

  /// Something of a type that a call reads, or nothing.
  package init<Value: BitwiseCopyable>(reads pointer: UnsafePointer<Value>?) {
    self.init(pointer, MemoryLayout<Value>.size, isWritten: false)
  }

  /// Refuses two of which one is written and that share bytes: what a call reads would change under it after it
  /// was checked, and what it has written would be overwritten.
  @inline(never)
  package func apart(from other: Span, _ names: StaticString) throws(AEError) {
    guard isWritten || other.isWritten else { return }
    guard start == end || other.start == other.end || end <= other.start || other.end <= start else {
      throw AEError(.argument, "\(names) overlap")
    }
  }
}

private func checkedBase<Element>(_ base: UnsafePointer<Element>?, count: Int, _ name: StaticString)
  throws(AEError) -> UnsafePointer<Element>
{
  // Nothing is read through this one: any aligned address but NULL will do.
  if count == 0 { return UnsafePointer(bitPattern: 64).unsafelyUnwrapped }
  guard let base else { throw AEError(.argument, "\(name) is NULL") }
  guard UInt(bitPattern: base) % UInt(MemoryLayout<Element>.alignment) == 0 else {
    throw AEError(.argument, "\(name) is not aligned to \(MemoryLayout<Element>.alignment) bytes")
  }
  guard !UInt(bitPattern: base).addingReportingOverflow(UInt(count * MemoryLayout<Element>.stride)).overflow
  else { throw AEError(.argument, "\(name) runs past the end of memory") }
  return base
}

// MARK: Calls that produce bytes

/// The pattern of every call that takes (out, capacity, size).
///
/// - Parameters:
///   - check: is given what will be written, `out` and `size`, and refuses what overlaps with it.
///   - bound: a capacity that is always enough, which costs little to tell; asked for when `out` is NULL or too
///     small.
///   - make: the bytes themselves.
package func produce(
  in context: OpaquePointer? = nil, _ out: UnsafeMutableRawPointer?, capacity: Int,
  size: UnsafeMutablePointer<Int>?,
  check: (Span, Span) throws(AEError) -> Void = { (_, _) throws(AEError) in },
  bound: () throws(AEError) -> Int, make: () throws(AEError) -> Buffer<UInt8>
) -> ae_status {
  boundary(context) { () throws(AEError) in
    guard let size else { throw AEError(.argument, "the pointer that takes the size is NULL") }
    // A capacity may be as good as infinite; more than the bound is never written.
    let capacityUsed = out == nil ? 0 : capacity < 0 ? try bound() : min(capacity, try bound())
    let target = Span(out, capacityUsed, isWritten: true)
    let sizeSpan = Span(writes: size)
    try sizeSpan.apart(from: target, "out and size")
    try check(target, sizeSpan)
    size.pointee = 0
    guard let out else {
      size.pointee = try bound()
      return
    }
    let bytes = try make()
    // A capacity above PTRDIFF_MAX is negative here, and as good as infinite.
    guard capacity < 0 || bytes.count <= capacity else {
      size.pointee = max(bytes.count, try bound())
      throw AEError(.buffer, "\(size.pointee) bytes are needed, the capacity is \(capacity)")
    }
    size.pointee = bytes.count
    out.copyMemory(from: bytes.base, byteCount: bytes.count)
  }
}

// MARK: Text

/// Text from outside: NUL-terminated UTF-8.
@inline(never)
package func text(_ pointer: UnsafePointer<CChar>?, _ name: StaticString, atMost longest: Int = 4096)
  throws(AEError) -> String
{
  guard let pointer else { throw AEError(.argument, "\(name) is NULL") }
  try checkLength(pointer, name, atMost: longest)
  guard let text = String(validatingCString: pointer) else {
    throw AEError(.argument, "\(name) is not UTF-8")
  }
  return text
}

/// The path of a file from outside: NUL-terminated bytes, no more than a message may quote.
@inline(never)
package func checkedPath(_ path: UnsafePointer<CChar>?) throws(AEError) -> UnsafePointer<CChar> {
  guard let path else { throw AEError(.argument, "path is NULL") }
  try checkLength(path, "path")
  return path
}

/// Text is a Swift object, whose memory cannot be refused, so it is not of any length.
package func checkLength(_ pointer: UnsafePointer<CChar>, _ name: StaticString, atMost longest: Int = 4096)
  throws(AEError)
{
  var count = 0
  while count <= longest && pointer[count] != 0 { count += 1 }
  guard count <= longest else { throw AEError(.argument, "\(name) has more than \(longest) bytes") }
}

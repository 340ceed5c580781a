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
/// bit for bit must not hang on it. The host's comes back, flags included.
func boundary(_ body: () throws(AEError) -> Void) -> ae_status {
  let environment = ck_float_enter()
  defer { ck_float_leave(environment) }
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
func callHost<Result>(_ callback: () -> Result) -> Result {
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

/// What a handle points at: a word that says which kind it is, and the engine's object.
///
/// The word costs nothing and turns the commonest mistakes of bindings without types, such as an image
/// set passed for a model, into an error. It lies in memory from the engine's allocator, so that a handle
/// can be refused.
private struct HandleRecord {
  var kind: HandleKind.RawValue
  var object: UnsafeMutableRawPointer
}

/// The kinds of handles, spelled in ASCII for whoever meets one in a debugger.
enum HandleKind: UInt64 {
  case model = 0x4C45_444F_4D5F_4541  // "AE_MODEL"
  case imageSet = 0x5445_5347_4D49_4541  // "AEIMGSET"
  case trainer = 0x4E49_4152_545F_4541  // "AE_TRAIN"

  var name: StaticString {
    switch self {
    case .model: return "ae_model"
    case .imageSet: return "ae_imageset"
    case .trainer: return "ae_trainer"
    }
  }
}

/// Makes a handle that owns `object`.
func makeHandle<Object: AnyObject>(_ kind: HandleKind, _ object: Object) throws(AEError) -> OpaquePointer {
  guard let memory = cs_allocate(MemoryLayout<HandleRecord>.size) else {
    throw AEError(.memory, "cannot allocate a handle")
  }
  memory.initializeMemory(
    as: HandleRecord.self,
    to: HandleRecord(kind: kind.rawValue, object: Unmanaged.passRetained(object).toOpaque()))
  return OpaquePointer(memory)
}

/// The object of a handle.
/// - Throws: `.argument` for NULL and for a handle of another kind.
func object<Object: AnyObject>(_ handle: OpaquePointer?, _ kind: HandleKind, _ type: Object.Type)
  throws(AEError) -> Object
{
  guard let handle else { throw AEError(.argument, "the \(kind.name) is NULL") }
  let record = UnsafePointer<HandleRecord>(handle)
  guard record.pointee.kind == kind.rawValue else {
    throw AEError(.argument, "the handle given as \(kind.name) is not one, or has been freed")
  }
  return Unmanaged<Object>.fromOpaque(record.pointee.object).takeUnretainedValue()
}

/// Gives a handle's object up; NULL and handles of another kind are left alone.
func freeHandle<Object: AnyObject>(_ handle: OpaquePointer?, _ kind: HandleKind, _ type: Object.Type) {
  guard let handle else { return }
  let record = UnsafeMutablePointer<HandleRecord>(handle)
  guard record.pointee.kind == kind.rawValue else { return }
  record.pointee.kind = 0
  Unmanaged<Object>.fromOpaque(record.pointee.object).release()
  cs_free(UnsafeMutableRawPointer(record))
}

/// Stores a new handle through an out-pointer, which holds NULL if `make` throws.
func storeHandle(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ kind: HandleKind, make: () throws(AEError) -> OpaquePointer
) -> ae_status {
  boundary { () throws(AEError) in
    guard let out else {
      throw AEError(.argument, "the pointer that takes the new \(kind.name) is NULL")
    }
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
func checkedCount(_ count: Int, of size: Int, stride: Int, _ name: StaticString) throws(AEError) -> Int {
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
struct Input<Element: BitwiseCopyable> {
  let base: UnsafePointer<Element>
  let elementCount: Int

  /// - Parameters:
  ///   - count: rows, as the caller gave it.
  ///   - size: elements of a row.
  /// - Throws: `.argument` for NULL, a count too large, or an array off its element's alignment.
  init(_ base: UnsafePointer<Element>?, count: Int, of size: Int, _ name: StaticString) throws(AEError) {
    elementCount = try checkedCount(count, of: size, stride: MemoryLayout<Element>.stride, name)
    self.base = try checkedBase(base, count: elementCount, name)
  }
}

/// An array that a call fills.
struct Output<Element: BitwiseCopyable> {
  let base: UnsafeMutablePointer<Element>
  let elementCount: Int

  init(_ base: UnsafeMutablePointer<Element>?, count: Int, of size: Int, _ name: StaticString)
    throws(AEError)
  {
    elementCount = try checkedCount(count, of: size, stride: MemoryLayout<Element>.stride, name)
    self.base = UnsafeMutablePointer(
      mutating: try checkedBase(UnsafePointer(base), count: elementCount, name))
  }

  /// Refuses an output that shares bytes with an input or another output: what the call reads would
  /// change under it, after it was checked.
  func apart<Other>(from other: UnsafePointer<Other>, count: Int, _ names: StaticString) throws(AEError) {
    let start = UInt(bitPattern: base)
    let end = start + UInt(elementCount * MemoryLayout<Element>.stride)
    let otherStart = UInt(bitPattern: other)
    let otherEnd = otherStart + UInt(count * MemoryLayout<Other>.stride)
    guard end <= otherStart || otherEnd <= start else { throw AEError(.argument, "\(names) overlap") }
  }

  func apart<Other>(from input: Input<Other>, _ names: StaticString) throws(AEError) {
    try apart(from: input.base, count: input.elementCount, names)
  }

  func apart<Other>(from output: Output<Other>, _ names: StaticString) throws(AEError) {
    try apart(from: UnsafePointer(output.base), count: output.elementCount, names)
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
///   - bound: a capacity that is always enough; asked for when `out` is NULL or too small.
///   - make: the bytes themselves.
func produce(
  _ out: UnsafeMutableRawPointer?, capacity: Int, size: UnsafeMutablePointer<Int>?,
  bound: () throws(AEError) -> Int, make: () throws(AEError) -> Buffer<UInt8>
) -> ae_status {
  boundary { () throws(AEError) in
    guard let size else { throw AEError(.argument, "the pointer that takes the size is NULL") }
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
func text(_ pointer: UnsafePointer<CChar>?, _ name: StaticString) throws(AEError) -> String {
  guard let pointer else { throw AEError(.argument, "\(name) is NULL") }
  guard let text = String(validatingCString: pointer) else {
    throw AEError(.argument, "\(name) is not UTF-8")
  }
  return text
}

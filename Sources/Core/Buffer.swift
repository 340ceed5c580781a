// Memory whose size depends on input. A Swift Array larger than memory ends the process; this asks
// an allocator that may refuse, and turns a refusal into an error.

import CKernels
import CSystem

/// A fixed run of `count` elements on a 64-byte boundary, zeroed at first, shared by reference.
///
/// The type does no bounds checks of its own on `base`; the subscript checks in every build.
public final class Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
  public let base: UnsafeMutablePointer<Element>
  public let count: Int
  private let isOwned: Bool
  /// Whose the memory is; nil for the system's.
  private let allocator: OpaquePointer?
  /// What the memory is a part of, for as long as this lives.
  private let whole: AnyObject?

  /// Allocates `count` zeroed elements, from the allocator of the context that the calling thread works in.
  /// - Throws: `.memory` if the size overflows or the allocator refuses; `.argument` if negative.
  public init(count: Int) throws(AEError) {
    allocator = ck_context_current().allocator
    base = try allocate(count, of: MemoryLayout<Element>.stride, from: allocator).bindMemory(
      to: Element.self, capacity: count)
    self.count = count
    isOwned = true
    whole = nil
  }

  /// A view of memory that belongs to someone else, is only read, and outlives every use of the buffer.
  public init(borrowing source: UnsafePointer<Element>, count: Int) {
    base = UnsafeMutablePointer(mutating: source)
    self.count = count
    isOwned = false
    allocator = nil
    whole = nil
  }

  private init(_ start: UnsafeMutablePointer<Element>, count: Int, of whole: AnyObject) {
    base = start
    self.count = count
    isOwned = false
    allocator = nil
    self.whole = whole
  }

  /// A copy of what `source` points at.
  public convenience init(copying source: UnsafePointer<Element>, count: Int) throws(AEError) {
    try self.init(count: count)
    // Of raw bytes: without a runtime, an element's update is a loop of single elements.
    UnsafeMutableRawPointer(base).copyMemory(from: source, byteCount: count * MemoryLayout<Element>.stride)
  }

  /// A copy of an array.
  public convenience init(_ elements: [Element]) throws(AEError) {
    try self.init(count: elements.count)
    for index in 0..<elements.count { base[index] = elements[index] }
  }

  deinit { if isOwned { release(base, count * MemoryLayout<Element>.stride, to: allocator) } }

  /// Elements `first ..< first + count`, which must be there, seen as others of the same size.
  ///
  /// Where they are a good share of memory that is not borrowed, the part keeps that alive instead of copying.
  public func part<Other>(_ first: Int, _ count: Int, as other: Other.Type) throws(AEError) -> Buffer<Other> {
    precondition(first >= 0 && count >= 0 && first <= self.count - count)
    precondition(MemoryLayout<Other>.stride == MemoryLayout<Element>.stride)
    let start = UnsafeMutableRawPointer(base + first).assumingMemoryBound(to: Other.self)
    guard isOwned || whole != nil, count >= self.count / 4 else {
      return try Buffer<Other>(copying: start, count: count)
    }
    return Buffer<Other>(start, count: count, of: self)
  }

  @inlinable
  public subscript(index: Int) -> Element {
    get {
      precondition(index >= 0 && index < count)
      return base[index]
    }
    set {
      precondition(index >= 0 && index < count)
      base[index] = newValue
    }
  }

  /// The elements as an array. Only for counts known to be small.
  public var array: [Element] { Array(UnsafeBufferPointer(start: base, count: count)) }
}

/// Throws if the call of the library that this is part of was refused memory and is to end: what loops ask that
/// make many small objects, which cannot be refused one by one, and no Buffer.
public func checkMemory() throws(AEError) {
  if cs_call_is_short() != 0 { throw AEError(.memory, "cannot allocate all that this takes") }
}

/// Zeroed memory for `count` elements of `stride` bytes.
@inline(never)
private func allocate(_ count: Int, of stride: Int, from allocator: OpaquePointer?) throws(AEError)
  -> UnsafeMutableRawPointer
{
  guard count >= 0 else { throw AEError(.argument, "a buffer of \(count) elements was asked for") }
  guard let byteCount = count.times(stride), let memory = zeroed(byteCount, from: allocator) else {
    throw AEError(.memory, "cannot allocate \(count) elements of \(stride) bytes")
  }
  return memory
}

private func zeroed(_ byteCount: Int, from allocator: OpaquePointer?) -> UnsafeMutableRawPointer? {
  guard let allocator else { return cs_allocate(byteCount) }
  // A call that is short of memory is to end, even if this allocator has some left.
  guard cs_call_is_short() == 0, let memory = ck_allocator_take(allocator, byteCount) else { return nil }
  memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
  return memory
}

/// Gives memory back to where it came from.
@inline(never)
private func release(_ memory: UnsafeMutableRawPointer, _ byteCount: Int, to allocator: OpaquePointer?) {
  guard let allocator else { return cs_free(memory) }
  ck_allocator_give(allocator, memory, byteCount)
}

// Random access to bytes: memory, a file, or what a closure reads by range, such as an object store. Files may be larger
// than memory.

import CSystem
import Core

/// A run of bytes of known length. Any number of threads may read one.
public final class ByteSource: Sendable {
  public let byteCount: Int
  /// The bytes, if they are in memory.
  public let memory: Buffer<UInt8>?
  private let descriptor: Int32
  private let read: Read?

  /// Fills memory with `count` bytes from byte `offset` on, a range that is always within the source's bytes. Called
  /// by any number of threads at a time.
  /// - Throws: why it cannot; `.io` by custom.
  public typealias Read =
    @Sendable (_ offset: Int, _ target: UnsafeMutablePointer<UInt8>, _ count: Int) throws(AEError) -> Void

  /// What a closure reads.
  /// - Parameter byteCount: how many bytes there are.
  public init(byteCount: Int, read: @escaping Read) {
    memory = nil
    self.byteCount = max(byteCount, 0)
    descriptor = -1
    self.read = read
  }

  public init(_ memory: Buffer<UInt8>) {
    self.memory = memory
    byteCount = memory.count
    descriptor = -1
    read = nil
  }

  /// A file that can be read at any place.
  /// - Parameters:
  ///   - descriptor: open to read; belongs to the source from now on, which closes it.
  ///   - byteCount: the length of the file.
  public init(descriptor: Int32, byteCount: Int) {
    memory = nil
    self.byteCount = byteCount
    self.descriptor = descriptor
    read = nil
  }

  deinit { if descriptor >= 0 { cs_close(descriptor) } }

  /// The bytes of a range: a view of memory, or read into memory of their own. It must not outlive the source.
  /// - Throws: `.io` if the range is not there or cannot be read, `.memory`.
  public func bytes(at offset: Int, count: Int) throws(AEError) -> Buffer<UInt8> {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
      throw AEError(.io, "\(count) bytes from byte \(offset) on were asked for; there are \(byteCount)")
    }
    if let memory { return Buffer(borrowing: memory.base + offset, count: count) }
    let piece = try Buffer<UInt8>(count: count)
    if let read {
      if count > 0 { try read(offset, piece.base, count) }
      return piece
    }
    let got = cs_read_at(descriptor, piece.base, count, Int64(offset))
    guard got == Int64(count) else {
      throw AEError(.io, "\(count) bytes from byte \(offset) on cannot be read")
    }
    return piece
  }
}

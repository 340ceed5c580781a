// Bytes that can be read at any place: memory, or a file that is read a piece at a time, so that what is
// larger than memory can be gone through.

import CSystem
import Core

/// A run of bytes of known length. Any number of threads may read one.
public final class ByteSource: Sendable {
  public let byteCount: Int
  /// The bytes, if they are in memory.
  public let memory: Buffer<UInt8>?
  private let descriptor: Int32

  public init(_ memory: Buffer<UInt8>) {
    self.memory = memory
    byteCount = memory.count
    descriptor = -1
  }

  /// A file that can be read at any place.
  /// - Parameters:
  ///   - descriptor: open to read; belongs to the source from now on, which closes it.
  ///   - byteCount: the length of the file.
  public init(descriptor: Int32, byteCount: Int) {
    memory = nil
    self.byteCount = byteCount
    self.descriptor = descriptor
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
    let got = cs_read_at(descriptor, piece.base, count, Int64(offset))
    guard got == Int64(count) else {
      throw AEError(.io, "\(count) bytes from byte \(offset) on cannot be read")
    }
    return piece
  }
}

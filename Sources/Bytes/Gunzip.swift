// Gunzipping piece by piece, for what is larger than memory. Whole files in memory are Zlib's business.

import CZlib
import Core

/// A gzip file's contents in order, all members joined.
public final class Gunzip {
  /// Memory that does not move: zlib keeps a pointer back to it.
  private let stream: UnsafeMutablePointer<z_stream>
  private let name: String
  private var isBetweenMembers = true
  private var taken = 0

  /// - Parameter name: what is read, for messages.
  public init(name: String) throws(AEError) {
    self.name = name
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw AEError(.memory, "\(name): zlib cannot begin to inflate")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// True if a file may end here.
  public var canEnd: Bool { isBetweenMembers }

  /// Inflates some bytes into some room, until one of the two is used up.
  /// - Returns: how many bytes were taken and how many were made.
  /// - Throws: `.format` if the bytes are damaged, `.memory`.
  public func inflate(
    _ input: UnsafePointer<UInt8>, _ inputCount: Int, into output: UnsafeMutablePointer<UInt8>,
    _ outputCount: Int
  ) throws(AEError) -> (taken: Int, made: Int) {
    stream.pointee.next_in = UnsafeMutablePointer(mutating: input)
    stream.pointee.avail_in = uInt(inputCount)
    stream.pointee.next_out = output
    stream.pointee.avail_out = uInt(outputCount)
    while stream.pointee.avail_in > 0 && stream.pointee.avail_out > 0 {
      isBetweenMembers = false
      let status = CZlib.inflate(stream, Z_NO_FLUSH)
      if status == Z_STREAM_END {
        isBetweenMembers = true
        guard inflateReset(stream) == Z_OK else { throw AEError(.internal, "\(name): zlib cannot go on") }
      } else if status == Z_MEM_ERROR {
        throw AEError(.memory, "\(name): zlib was refused memory to inflate")
      } else if status != Z_OK && status != Z_BUF_ERROR {
        throw AEError(
          .format,
          "\(name): the compressed bytes are damaged (byte \(taken + inputCount - Int(stream.pointee.avail_in)))"
        )
      }
    }
    let used = inputCount - Int(stream.pointee.avail_in)
    taken += used
    return (used, outputCount - Int(stream.pointee.avail_out))
  }
}

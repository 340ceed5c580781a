// The one gunzip: piece by piece, for what is larger than memory and for whole files alike, so that no two
// readers can differ in what they take.

import CZlib
import Core

/// A gzip file's contents in order, all members joined.
///
/// Zeros after the last member are padding, as they are to GNU gzip; any other bytes there are an error.
public final class Gunzip {
  private enum Place {
    case inMember, afterMember, inPadding
  }

  /// Memory that does not move: zlib keeps a pointer back to it.
  private let stream: UnsafeMutablePointer<z_stream>
  private let name: String
  private var place = Place.inMember
  /// Bytes taken in all, and since the last one was made.
  private var taken = 0
  private var idle = 0

  /// Padding, empty members and headers' texts make nothing. More than so much of them is no file but a
  /// source without end.
  public static let largestIdleCount = 16 << 20

  /// - Parameter name: what is read, for messages.
  public init(name: String) throws(AEError) {
    self.name = name
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 15 bits of window, 16 for gzip alone.
    guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw AEError(.memory, "\(name): zlib cannot begin to inflate")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Throws unless the file may end here.
  public func end() throws(AEError) {
    guard place != .inMember else {
      throw AEError(.format, "\(name): the compressed bytes are cut short (byte \(taken) of \(taken))")
    }
  }

  /// Inflates some bytes into some room, until one of the two is used up.
  /// - Returns: how many bytes were taken and how many were made.
  /// - Throws: `.format` if the bytes are damaged, `.memory`.
  public func inflate(
    _ input: UnsafePointer<UInt8>, _ inputCount: Int, into output: UnsafeMutablePointer<UInt8>,
    _ outputCount: Int
  ) throws(AEError) -> (taken: Int, made: Int) {
    let inputCount = min(inputCount, Gunzip.pieceCount)
    let outputCount = min(outputCount, Gunzip.pieceCount)
    stream.pointee.next_in = UnsafeMutablePointer(mutating: input)
    stream.pointee.avail_in = uInt(inputCount)
    stream.pointee.next_out = output
    stream.pointee.avail_out = uInt(outputCount)
    while stream.pointee.avail_in > 0 && stream.pointee.avail_out > 0 {
      let (inputLeft, outputLeft) = (stream.pointee.avail_in, stream.pointee.avail_out)
      switch place {
      case .inMember:
        try step(at: inputCount)
      case .afterMember:
        if stream.pointee.next_in.pointee == 0 {
          place = .inPadding
        } else if stream.pointee.next_in.pointee == 0x1f {
          guard inflateReset(stream) == Z_OK else { throw AEError(.internal, "\(name): zlib cannot go on") }
          place = .inMember
        } else {
          throw trailing(inputCount)
        }
      case .inPadding:
        while stream.pointee.avail_in > 0, stream.pointee.next_in.pointee == 0 {
          stream.pointee.next_in += 1
          stream.pointee.avail_in -= 1
        }
        guard stream.pointee.avail_in == 0 else { throw trailing(inputCount) }
      }
      idle = stream.pointee.avail_out < outputLeft ? 0 : idle + Int(inputLeft - stream.pointee.avail_in)
    }
    let used = inputCount - Int(stream.pointee.avail_in)
    let made = outputCount - Int(stream.pointee.avail_out)
    taken += used
    guard idle <= Gunzip.largestIdleCount else {
      throw AEError(
        .format, "\(name): \(Gunzip.largestIdleCount) compressed bytes in a row make nothing (byte \(taken))")
    }
    return (used, made)
  }

  private func step(at inputCount: Int) throws(AEError) {
    let status = CZlib.inflate(stream, Z_NO_FLUSH)
    switch status {
    case Z_STREAM_END: place = .afterMember
    case Z_OK, Z_BUF_ERROR: break
    case Z_MEM_ERROR: throw AEError(.memory, "\(name): zlib was refused memory to inflate")
    default:
      let reason = stream.pointee.msg == nil ? "invalid data" : UTF8Text.string(stream.pointee.msg)
      throw AEError(
        .format, "\(name): the compressed bytes are damaged: \(reason) (byte \(position(inputCount)))")
    }
  }

  private func trailing(_ inputCount: Int) -> AEError {
    AEError(
      .format,
      "\(name): something else follows the end of the compressed bytes (byte \(position(inputCount)))")
  }

  private func position(_ inputCount: Int) -> Int { taken + inputCount - Int(stream.pointee.avail_in) }

  private static let pieceCount = 1 << 30
}

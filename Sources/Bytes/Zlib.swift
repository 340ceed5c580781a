// The system zlib behind calls that cannot be fooled: what comes out is bounded before it is made, and
// memory that zlib is refused becomes an error. What is deflated, Deflate.swift deflates.

import CZlib
import Core

/// The zlib format (RFC 1950) and the gzip format (RFC 1952).
public enum Zlib {
  /// What the compressor looks for.
  public enum Strategy: Sendable {
    /// Repeated strings.
    case strings
    /// Runs of one byte alone: where bytes differ in how common they are and hardly repeat, as those of
    /// floats do, this is many times as fast, and smaller.
    case runs
  }

  /// Compressed bytes in the zlib format: the same ones on every machine, whatever its zlib.
  public static func deflate(
    _ p: UnsafePointer<UInt8>, _ count: Int, strategy: Strategy = .strings, monitor: Monitor? = nil
  ) throws(AEError) -> Buffer<UInt8> {
    try Deflater.zlib(p, count, strategy: strategy, monitor: monitor)
  }

  /// Compressed bytes as a gzip file of one member, without name or time: the same bytes give the same file,
  /// on every machine.
  public static func gzip(_ p: UnsafePointer<UInt8>, _ count: Int) throws(AEError) -> Buffer<UInt8> {
    try Deflater.gzip(p, count)
  }

  /// What `deflate` was given, from memory that holds one zlib stream and nothing after it.
  ///
  /// - Parameters:
  ///   - rawCount: the bytes that must come out: no more are ever made, and fewer are an error.
  ///   - name: what is read, for messages.
  /// - Throws: `.format` if the stream is damaged, cut short, followed by bytes, or makes another number of
  ///   bytes; `.memory`.
  @inline(never)
  public static func inflate(_ p: UnsafePointer<UInt8>, _ count: Int, rawCount: Int, name: String)
    throws(AEError) -> Buffer<UInt8>
  {
    try checkRatio(count, rawCount, name: name)
    let raw = try Buffer<UInt8>(count: rawCount)
    try inflate(
      p, count, rawCount: rawCount, part: 0..<rawCount, verifiesAll: true, into: raw.base, name: name)
    return raw
  }

  /// Bytes `part` of what `deflate` was given, as `inflate` finds them; beside them, a few pages of memory.
  ///
  /// - Parameters:
  ///   - part: of 0 ..< rawCount.
  ///   - verifiesAll: whether to go on to the stream's end behind the part, and check all that there is to.
  ///   - target: part.count bytes, written.
  public static func inflate(
    _ p: UnsafePointer<UInt8>, _ count: Int, rawCount: Int, part: Range<Int>, verifiesAll: Bool,
    into target: UnsafeMutablePointer<UInt8>, name: String
  ) throws(AEError) {
    try checkRatio(count, rawCount, name: name)
    let isWhole = verifiesAll || part.upperBound == rawCount
    let isAll = part == 0..<rawCount
    // What is passed over goes to one place, again and again.
    let passed = try Buffer<UInt8>(count: isAll ? 1 : min(1 << 15, rawCount) + 1)
    var stream = z_stream()
    var status = inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw AEError(.memory, "\(name): zlib cannot begin to inflate") }
    defer { inflateEnd(&stream) }
    var taken = 0
    var given = 0
    let end = isWhole ? rawCount : part.upperBound
    stream.next_in = UnsafeMutablePointer(mutating: p)
    while status == Z_OK && given <= rawCount && (isWhole || given < end) {
      let input = min(count - taken, pieceCount)
      let output: Int
      if part.contains(given) {
        output = min(part.upperBound - given, pieceCount)
        stream.next_out = target + (given - part.lowerBound)
      } else {
        // One byte of room after the end tells a stream that goes on from one that ends.
        let next = given < part.lowerBound ? part.lowerBound : given < rawCount ? rawCount : rawCount + 1
        output = min(next - given, passed.count)
        stream.next_out = passed.base
      }
      stream.avail_in = uInt(input)
      stream.avail_out = uInt(output)
      status = CZlib.inflate(&stream, Z_NO_FLUSH)
      taken += input - Int(stream.avail_in)
      given += output - Int(stream.avail_out)
    }
    guard given <= rawCount else {
      throw AEError(.format, "\(name): the compressed bytes make more than the \(rawCount) declared")
    }
    if !isWhole && given == end { return }
    try check(status, stream, name: name, taken: taken, count: count)
    guard given == rawCount else {
      throw AEError(.format, "\(name): the compressed bytes make \(given) bytes, \(rawCount) are declared")
    }
    guard taken == count else {
      throw AEError(.format, "\(name): \(count - taken) bytes follow the end of the compressed bytes")
    }
  }

  /// Sizes that cannot be are refused before memory is taken.
  private static func checkRatio(_ count: Int, _ rawCount: Int, name: String) throws(AEError) {
    guard rawCount >= 0, count >= 0, rawCount / largestRatio <= count else {
      throw AEError(.format, "\(name): \(count) compressed bytes cannot make \(rawCount)")
    }
  }

  /// The first bytes of what `deflate` was given: what says how much is to come, before any of that is made.
  ///
  /// - Parameter prefixCount: bytes asked for, few; fewer come if the stream makes no more.
  /// - Throws: `.format` if the stream is damaged or cut short before them; `.memory`.
  public static func inflatePrefix(
    _ p: UnsafePointer<UInt8>, _ count: Int, prefixCount: Int, name: String
  ) throws(AEError) -> Buffer<UInt8> {
    let prefix = try Buffer<UInt8>(count: prefixCount)
    var stream = z_stream()
    guard inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw AEError(.memory, "\(name): zlib cannot begin to inflate")
    }
    defer { inflateEnd(&stream) }
    let input = min(count, pieceCount)
    stream.next_in = UnsafeMutablePointer(mutating: p)
    stream.avail_in = uInt(input)
    stream.next_out = prefix.base
    stream.avail_out = uInt(prefixCount)
    let status = CZlib.inflate(&stream, Z_SYNC_FLUSH)
    if stream.avail_out == 0 { return prefix }
    try check(status, stream, name: name, taken: input - Int(stream.avail_in), count: count)
    return try Buffer(copying: prefix.base, count: prefixCount - Int(stream.avail_out))
  }

  /// What a gzip file holds, all its members joined.
  ///
  /// - Parameter limit: more bytes than this are refused.
  /// - Throws: `.format` if the file is damaged, cut short, followed by other bytes than zeros, or makes more
  ///   than `limit` bytes; `.memory`.
  public static func gunzip(_ p: UnsafePointer<UInt8>, _ count: Int, limit: Int, name: String)
    throws(AEError) -> Buffer<UInt8>
  {
    let gunzip = try Gunzip(name: name)
    let out = ByteWriter()
    let piece = try Buffer<UInt8>(count: 1 << 16)
    var taken = 0
    while taken < count {
      let step = try gunzip.inflate(p + taken, count - taken, into: piece.base, piece.count)
      taken += step.taken
      guard step.made <= limit - out.count else {
        throw AEError(.format, "\(name): the compressed bytes make more than \(limit) bytes")
      }
      try out.bytes(piece.base, step.made)
    }
    try gunzip.end()
    return try out.finish()
  }

  /// The most bytes that one byte of a deflate stream can make.
  public static let largestRatio = 1032

  /// Whether bytes begin as a gzip file does.
  public static func isGzip(_ p: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    count >= 2 && p[0] == 0x1f && p[1] == 0x8b
  }

  private static let pieceCount = 1 << 30

  /// Throws what any status but the end of the stream means.
  private static func check(_ status: Int32, _ stream: z_stream, name: String, taken: Int, count: Int)
    throws(AEError)
  {
    switch status {
    case Z_STREAM_END: return
    case Z_MEM_ERROR: throw AEError(.memory, "\(name): zlib was refused memory to inflate")
    case Z_BUF_ERROR, Z_OK:
      throw AEError(.format, "\(name): the compressed bytes are cut short (byte \(taken) of \(count))")
    default:
      let reason = stream.msg == nil ? "invalid data" : UTF8Text.string(stream.msg)
      throw AEError(
        .format, "\(name): the compressed bytes are damaged: \(reason) (byte \(taken) of \(count))")
    }
  }
}

// Whole files, in and out. Reading is bounded; writing leaves the old file or the new one, never half of
// one. Paths come as text in which any bytes have a form (FileName), or as C strings.

import CSystem
import Core

public enum File {
  /// The bytes of a file or pipe, to its end.
  ///
  /// - Parameter limit: a file with more bytes than this is refused.
  /// - Throws: `.io` if it is missing, a directory, unreadable, or longer than `limit`; `.memory`.
  public static func read(_ path: String, limit: Int = 1 << 32) throws(AEError) -> Buffer<UInt8> {
    let descriptor = FileName.withCString(path) { cs_open_to_read($0) }
    return try read(opened: descriptor, name: path, limit: limit)
  }

  /// The bytes of a regular file. Anything else of that name is refused and not waited for: names that were
  /// found in a folder or on a list of places may be those of a FIFO or a device.
  public static func readRegular(_ path: String, limit: Int = 1 << 32) throws(AEError) -> Buffer<UInt8> {
    let descriptor = try openRegular(path)
    defer { cs_close(descriptor) }
    return try readDescriptor(descriptor, name: path, limit: limit)
  }

  /// A descriptor of a regular file.
  /// - Throws: `.io` with what else it is, or why it cannot be opened.
  static func openRegular(_ path: String) throws(AEError) -> Int32 {
    var kind: Int32 = 0
    let descriptor = FileName.withCString(path) { cs_open_regular($0, &kind) }
    guard descriptor < 0 else { return descriptor }
    switch Int(kind) {
    case CS_KIND_FOLDER: throw AEError(.io, "\(path): is a folder, not a file")
    case CS_KIND_FIFO: throw AEError(.io, "\(path): is a FIFO (named pipe), not a file")
    case CS_KIND_SOCKET: throw AEError(.io, "\(path): is a socket, not a file")
    case CS_KIND_CHARACTER_DEVICE, CS_KIND_BLOCK_DEVICE:
      throw AEError(.io, "\(path): is a device, not a file")
    default: throw failure(-descriptor, doing: "open", name: path)
    }
  }

  /// `read` for a path that need not be UTF-8.
  public static func read(cPath: UnsafePointer<CChar>, limit: Int = 1 << 32) throws(AEError) -> Buffer<UInt8>
  {
    try read(opened: cs_open_to_read(cPath), name: FileName.text(cPath), limit: limit)
  }

  /// What is left to read from a descriptor, which stays open. `name` is for messages.
  public static func readDescriptor(_ descriptor: Int32, name: String, limit: Int = 1 << 32) throws(AEError)
    -> Buffer<UInt8>
  {
    let hint = cs_size_hint(descriptor)
    // A size that a directory or a device claims proves nothing; the first read tells.
    var room = try Buffer<UInt8>(count: hint >= 0 && hint <= Int64(limit) ? Int(hint) + 1 : 1 << 16)
    var count = 0
    while true {
      let got = cs_read(descriptor, room.base + count, room.count - count)
      guard got >= 0 else { throw failure(Int32(-got), doing: "read", name: name) }
      count += Int(got)
      guard count <= limit else { throw AEError(.io, "\(name): is longer than \(limit) bytes") }
      if count < room.count { break }
      let larger = try Buffer<UInt8>(count: min(max(2 * room.count, 1 << 16), limit + 1))
      larger.base.update(from: room.base, count: count)
      room = larger
    }
    return try room.part(0, count, as: UInt8.self)
  }

  /// Writes a whole file: beside the target first, synced, then renamed; on failure nothing is left behind.
  ///
  /// A device or pipe that exists is written to as it is; a link stays, and what it points at is replaced; a
  /// file that is replaced passes its permissions on.
  /// - Parameter overwrite: whether a file of that name may be replaced.
  /// - Throws: `.io` with the path and the system's reason.
  public static func write(_ path: String, _ p: UnsafePointer<UInt8>, _ count: Int, overwrite: Bool)
    throws(AEError)
  {
    var doing: UnsafePointer<CChar>?
    let error = FileName.withCString(path) { cs_file_write($0, p, count, overwrite ? 1 : 0, &doing) }
    try check(error, doing: doing, name: path)
  }

  /// `write` for a path that need not be UTF-8.
  public static func write(
    cPath: UnsafePointer<CChar>, _ p: UnsafePointer<UInt8>, _ count: Int, overwrite: Bool
  ) throws(AEError) {
    var doing: UnsafePointer<CChar>?
    let error = cs_file_write(cPath, p, count, overwrite ? 1 : 0, &doing)
    if error != 0 { try check(error, doing: doing, name: FileName.text(cPath)) }
  }

  /// Writes all bytes to a descriptor, which stays open. `name` is for messages.
  public static func writeDescriptor(
    _ descriptor: Int32, name: String, _ p: UnsafePointer<UInt8>, _ count: Int
  ) throws(AEError) {
    let error = cs_write(descriptor, p, count)
    if error != 0 { throw failure(error, doing: "write", name: name) }
  }

  /// A file to be read at any place, a piece at a time; nil for what has no length, such as a pipe.
  /// - Throws: `.io` if it is missing or unreadable.
  public static func source(_ path: String) throws(AEError) -> ByteSource? {
    try source(opened: FileName.withCString(path) { cs_open_to_read($0) }, name: path)
  }

  /// The same without a descriptor that stays open: the file is opened for every read, so that any number of sources
  /// may be at hand. What replaces the file in between is read in its place.
  public static func reopeningSource(_ path: String) throws(AEError) -> ByteSource? {
    guard let once = try source(path) else { return nil }
    return ByteSource(byteCount: once.byteCount) { offset, target, count throws(AEError) in
      guard let again = try source(path) else {
        throw AEError(.io, "\(path): cannot be read at any place any more")
      }
      let piece = try again.bytes(at: offset, count: count)
      target.update(from: piece.base, count: count)
    }
  }

  /// `source` for a path that need not be UTF-8.
  public static func source(cPath: UnsafePointer<CChar>) throws(AEError) -> ByteSource? {
    try source(opened: cs_open_to_read(cPath), name: FileName.text(cPath))
  }

  private static func source(opened descriptor: Int32, name: String) throws(AEError) -> ByteSource? {
    guard descriptor >= 0 else { throw failure(-descriptor, doing: "open", name: name) }
    // A directory's length means nothing, and reading it says what it is.
    var none: UInt8 = 0
    let size = cs_size_hint(descriptor)
    guard size > 0, cs_read_at(descriptor, &none, 1, 0) == 1 else {
      cs_close(descriptor)
      return nil
    }
    return ByteSource(descriptor: descriptor, byteCount: Int(size))
  }

  /// Whether the name is taken. Only for an early word to the user: `write` does its own, safe check.
  public static func exists(_ path: String) -> Bool { FileName.withCString(path) { cs_file_exists($0) } != 0 }

  private static func read(opened descriptor: Int32, name: String, limit: Int) throws(AEError)
    -> Buffer<UInt8>
  {
    guard descriptor >= 0 else { throw failure(-descriptor, doing: "open", name: name) }
    defer { cs_close(descriptor) }
    return try readDescriptor(descriptor, name: name, limit: limit)
  }

  fileprivate static func check(_ error: Int32, doing: UnsafePointer<CChar>?, name: String) throws(AEError) {
    guard error != 0 else { return }
    if cs_error_exists(error) != 0 {
      throw AEError(.io, text: sentence("\(name): exists already"), systemError: error)
    }
    throw failure(error, doing: doing == nil ? "write" : UTF8Text.string(doing.unsafelyUnwrapped), name: name)
  }

  static func failure(_ error: Int32, doing: String, name: String) -> AEError {
    let reason = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
      UTF8Text.string(cs_error_text(error, text.baseAddress.unsafelyUnwrapped, text.count))
    }
    return AEError(
      cs_error_is_memory(error) != 0 ? .memory : .io, text: sentence("\(name): cannot \(doing): \(reason)"),
      systemError: error)
  }
}

/// A file that is written piece by piece, with the promises of `File.write`: until `finish`, nothing has
/// happened to the file of that name, and without it nothing is left behind.
public final class OutputFile {
  private let name: String
  private var output: OpaquePointer?

  /// - Parameter overwrite: whether a file of that name may be replaced.
  /// - Throws: `.io` with the path and the system's reason.
  public init(_ path: String, overwrite: Bool) throws(AEError) {
    name = path
    var doing: UnsafePointer<CChar>?
    let error = FileName.withCString(path) { cs_output_open($0, overwrite ? 1 : 0, &output, &doing) }
    try File.check(error, doing: doing, name: name)
  }

  /// The same for a path that need not be UTF-8.
  public init(cPath: UnsafePointer<CChar>, overwrite: Bool) throws(AEError) {
    name = FileName.text(cPath)
    var doing: UnsafePointer<CChar>?
    let error = cs_output_open(cPath, overwrite ? 1 : 0, &output, &doing)
    try File.check(error, doing: doing, name: name)
  }

  deinit {
    var doing: UnsafePointer<CChar>?
    if let output { _ = cs_output_close(output, 0, &doing) }
  }

  /// False for a device or a pipe, whose first bytes cannot be written last.
  public var canBeginAgain: Bool { output != nil && cs_output_is_new(output) != 0 }

  public func append(_ p: UnsafePointer<UInt8>, _ count: Int) throws(AEError) {
    let error = cs_output_write(output, p, count)
    if error != 0 { throw File.failure(error, doing: "write", name: name) }
  }

  /// Goes to the start: what is appended next replaces what stands there.
  public func beginAgain() throws(AEError) {
    let error = cs_output_begin_again(output)
    if error != 0 { throw File.failure(error, doing: "write", name: name) }
  }

  /// Puts the file in its place.
  public func finish() throws(AEError) {
    var doing: UnsafePointer<CChar>?
    let ended = output
    output = nil
    try File.check(cs_output_close(ended, 1, &doing), doing: doing, name: name)
  }
}

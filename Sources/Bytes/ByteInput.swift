// A stream of bytes: a file, a pipe or memory, gunzipped if it is gzipped. Every reader of images and labels uses it,
// so that all accept the same inputs and none reads further than it must.

import CSystem
import Core

/// A source of bytes, read once from its start.
public final class ByteInput {
  /// What messages call it.
  public let name: String
  /// Bytes in all, if known in advance: not of pipes, nor of gzipped files.
  public let byteCount: Int?
  public let isGzip: Bool
  /// Bytes taken so far.
  public private(set) var offset = 0
  private let descriptor: Int32
  private let isOwned: Bool
  private var gunzip: Gunzip?
  /// Bytes as they lie in the file, read but not used: `start ..< end` of the room.
  private let room: Buffer<UInt8>
  private var start = 0
  private var end = 0
  private var isAtEnd = false
  /// Bytes that were looked at and not yet taken: `aheadStart ..< aheadEnd`.
  private let ahead: Buffer<UInt8>
  private var aheadStart = 0
  private var aheadEnd = 0

  /// The most bytes that `peek` can show.
  public static let largestPeek = 1 << 17

  /// A file or what else has such a name.
  /// - Throws: `.io` if it cannot be opened or read.
  /// - Parameter gunzips: false to take a gzipped file as the bytes it is.
  public convenience init(path: String, gunzips: Bool = true) throws(AEError) {
    let descriptor = FileName.withCString(path) { cs_open_to_read($0) }
    guard descriptor >= 0 else { throw File.failure(-descriptor, doing: "open", name: path) }
    try self.init(descriptor, isOwned: true, name: path, gunzips: gunzips)
  }

  /// The same for a path that need not be UTF-8, of a file that is taken as the bytes it is.
  public convenience init(cPath: UnsafePointer<CChar>) throws(AEError) {
    let descriptor = cs_open_to_read(cPath)
    let name = FileName.text(cPath)
    guard descriptor >= 0 else { throw File.failure(-descriptor, doing: "open", name: name) }
    try self.init(descriptor, isOwned: true, name: name, gunzips: false)
  }

  /// A regular file; anything else of that name is refused and not waited for.
  /// - Parameter gunzips: false to take a gzipped file as the bytes it is.
  /// - Throws: `.io` if it is something else, or cannot be opened or read.
  public convenience init(regular path: String, gunzips: Bool = true) throws(AEError) {
    try self.init(try File.openRegular(path), isOwned: true, name: path, gunzips: gunzips)
  }

  /// What is left to read from a descriptor, which stays open.
  public convenience init(descriptor: Int32, name: String, gunzips: Bool = true) throws(AEError) {
    try self.init(descriptor, isOwned: false, name: name, gunzips: gunzips)
  }

  /// Memory, which must outlive this.
  public init(_ memory: UnsafePointer<UInt8>, _ count: Int, name: String) throws(AEError) {
    self.name = name
    (descriptor, isOwned) = (-1, false)
    room = Buffer(borrowing: memory, count: count)
    (end, isAtEnd) = (count, true)
    ahead = try Buffer(count: ByteInput.largestPeek)
    isGzip = Zlib.isGzip(memory, count)
    byteCount = isGzip ? nil : count
    gunzip = isGzip ? try Gunzip(name: name) : nil
  }

  private init(_ descriptor: Int32, isOwned: Bool, name: String, gunzips: Bool) throws(AEError) {
    self.name = name
    (self.descriptor, self.isOwned) = (descriptor, isOwned)
    var isGzip = false
    var failure: AEError?
    let room: Buffer<UInt8>
    do throws(AEError) {
      room = try Buffer(count: 1 << 17)
      ahead = try Buffer(count: ByteInput.largestPeek)
    } catch {
      if isOwned { cs_close(descriptor) }
      throw error
    }
    self.room = room
    let size = cs_size_hint(descriptor)
    // Two bytes tell whether it is gzipped; a pipe may bring them one at a time.
    while end < 2, !isAtEnd, failure == nil {
      let got = cs_read_some(descriptor, room.base + end, room.count - end)
      if got < 0 { failure = File.failure(Int32(-got), doing: "read", name: name) }
      isAtEnd = got <= 0
      end += max(Int(got), 0)
    }
    do throws(AEError) {
      if let failure { throw failure }
      isGzip = gunzips && Zlib.isGzip(room.base, end)
      if isGzip { gunzip = try Gunzip(name: name) }
    } catch {
      // Without all of its parts an object does not run its deinit.
      if isOwned { cs_close(descriptor) }
      throw error
    }
    self.isGzip = isGzip
    byteCount = size > 0 && !isGzip ? Int(size) : nil
  }

  deinit { if isOwned { cs_close(descriptor) } }

  /// The next bytes without taking them, until the next call; fewer if there are no more.
  /// - Parameter count: at most `largestPeek`.
  public func peek(_ count: Int) throws(AEError) -> UnsafeBufferPointer<UInt8> {
    let count = min(max(count, 0), ahead.count)
    if aheadEnd - aheadStart < count {
      if aheadStart > 0 {
        ahead.base.update(from: ahead.base + aheadStart, count: aheadEnd - aheadStart)
        (aheadStart, aheadEnd) = (0, aheadEnd - aheadStart)
      }
      aheadEnd += try pull(into: ahead.base + aheadEnd, count - aheadEnd)
    }
    return UnsafeBufferPointer(start: ahead.base + aheadStart, count: min(count, aheadEnd - aheadStart))
  }

  /// Reads up to `count` bytes; fewer only at the end.
  public func read(into target: UnsafeMutablePointer<UInt8>, _ count: Int) throws(AEError) -> Int {
    let shown = min(count, aheadEnd - aheadStart)
    if shown > 0 {
      target.update(from: ahead.base + aheadStart, count: shown)
      aheadStart += shown
    }
    let done = shown + (try pull(into: target + shown, count - shown))
    offset += done
    return done
  }

  /// Reads up to `count` bytes into memory that grows with what comes, so that a declaration alone, true or
  /// not, costs nothing; fewer only at the end.
  public func bytes(atMost count: Int) throws(AEError) -> Buffer<UInt8> {
    // What a file's length promises is believed as far as memory goes: pages that are not touched cost nothing.
    let known = byteCount.map { min(count, $0 - offset) }
    var bytes = try Buffer<UInt8>(count: max(known ?? min(count, 1 << 16), 0))
    var done = 0
    while true {
      let got = try read(into: bytes.base + done, bytes.count - done)
      done += got
      guard done == bytes.count, done < count, try !peek(1).isEmpty else { break }
      let larger = try Buffer<UInt8>(count: min(2 * max(bytes.count, 1 << 15), count))
      larger.base.update(from: bytes.base, count: done)
      bytes = larger
    }
    return try bytes.part(0, done, as: UInt8.self)
  }

  /// Fills memory; fewer bytes only at the end.
  private func pull(into target: UnsafeMutablePointer<UInt8>, _ count: Int) throws(AEError) -> Int {
    var done = 0
    while done < count {
      if start == end {
        guard !isAtEnd else { break }
        // Plain bytes that are many need no stop on their way.
        let isDirect = gunzip == nil && count - done >= room.count
        let got =
          isDirect
          ? cs_read_some(descriptor, target + done, count - done)
          : cs_read_some(descriptor, room.base, room.count)
        guard got >= 0 else { throw File.failure(Int32(-got), doing: "read", name: name) }
        isAtEnd = got == 0
        if isDirect { done += Int(got) } else { (start, end) = (0, Int(got)) }
        continue
      }
      if let gunzip {
        let step = try gunzip.inflate(room.base + start, end - start, into: target + done, count - done)
        start += step.taken
        done += step.made
      } else {
        let step = min(count - done, end - start)
        (target + done).update(from: room.base + start, count: step)
        start += step
        done += step
      }
    }
    if done < count, let gunzip { try gunzip.end() }
    return done
  }
}

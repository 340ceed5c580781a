// Images one after the other, from files that need not fit into memory: IDX, plain or gzipped, and NPY of
// bytes. All else is read whole, and then given out in the same way.

import Bytes
import CSystem
import Core
import Storage

/// The images of a source in order.
final class ImageStream {
  let width: Int
  let height: Int
  let count: Int
  let source: SourceKind
  let labels: [UInt8]?
  let names: [String]?
  private let set: ImageSet?
  private let input: ByteInput?
  private let name: String
  private var done = 0
  /// False if only the first images of a longer source are wanted.
  private let isWhole: Bool

  var imageSize: Int { width * height }

  /// The images of a set in memory.
  init(_ set: ImageSet) {
    (width, height, count, source) = (set.width, set.height, set.count, set.source)
    (labels, names) = (set.labels, set.names)
    (self.set, input, name, isWhole) = (set, nil, "", true)
  }

  fileprivate init(_ input: ByteInput, _ header: StreamHeader, labels: [UInt8]?, limit: Int?) {
    (width, height, source) = (header.width, header.height, header.source)
    count = min(header.count, limit ?? header.count)
    self.labels = labels.map { Array($0.prefix(limit ?? header.count)) }
    (set, names, self.input, name) = (nil, nil, input, input.name)
    isWhole = count == header.count
  }

  /// The next `count` images, as bytes.
  func next(_ count: Int, into pixels: UnsafeMutablePointer<UInt8>) throws(AEError) {
    precondition(count >= 0 && count <= self.count - done)
    let byteCount = count * imageSize
    if let set {
      pixels.update(from: set.pixels.base + done * imageSize, count: byteCount)
    } else if let input {
      let got = try input.read(into: pixels, byteCount)
      guard got == byteCount else {
        throw AEError(
          .format,
          "\(name): the header declares \(self.count) images, and \(done + got / imageSize) follow")
      }
      if done + count == self.count && isWhole {
        var one: UInt8 = 0
        guard try input.read(into: &one, 1) == 0 else {
          throw AEError(.format, "\(name): bytes follow the \(self.count) images that the header declares")
        }
      }
    }
    done += count
  }
}

/// What the head of a file that can be streamed says.
private struct StreamHeader {
  let width: Int
  let height: Int
  let count: Int
  let source: SourceKind
  /// Bytes before the pixels.
  let byteCount: Int

  /// Nil if the bytes are of another kind, or if there is anything wrong with them.
  init?(_ input: ByteInput, size: ImageSize?) throws(AEError) {
    let head = try input.peek(ByteInput.peekSize)
    if IDX.matches(head.base, head.count) {
      guard let sizes = try? IDX.imageSizes(head.base, head.count, name: input.name) else { return nil }
      (count, height, width, source, byteCount) = (sizes[0], sizes[1], sizes[2], .idx, 16)
    } else if NPY.matches(head.base, head.count), size == nil {
      guard
        let header = try? NPY.header(head.base, head.count, name: input.name, isWhole: false),
        header.elementType == .bytes, header.shape.count == 3
      else { return nil }
      (count, height, width) = (header.shape[0], header.shape[1], header.shape[2])
      (source, byteCount) = (.npy, header.dataOffset)
    } else {
      return nil
    }
    guard (1...65535).contains(width), (1...65535).contains(height), count <= ImageSet.maximumCount,
      let pixels = (width * height).times(count)
    else { return nil }
    if let total = input.byteCount, total - byteCount != pixels { return nil }
  }
}

extension InputOptions {
  /// Begins to read what a path names.
  func stream(_ path: String) throws -> ImageStream {
    let files = try mnistFiles(path)
    guard files != nil || path == "-" || Path.kind(path) != .folder else {
      return ImageStream(try load(path))
    }
    try refuseUnusedSplit(path, files)
    if path == "-", Console.isTerminal(Console.input) { throw InputOptions.terminalInput }
    let input = try ByteInput(files?.images ?? path)
    if let header = try StreamHeader(input, size: size) {
      _ = try input.skip(header.byteCount)
      let labelPath = labels ?? files?.labels
      return ImageStream(
        input, header, labels: try labelPath.map { try LabelFile.read($0, count: header.count) }, limit: limit
      )
    }
    // What is no file of these kinds, or not a sound one, is read as ever.
    guard path == "-" else { return ImageStream(try load(path)) }
    var set = try ImageFile.read(try input.rest(limit: try input.restLimit()), name: input.name, size: size)
    if let labels { set.labels = try LabelFile.read(labels, count: set.count) }
    if let limit, limit < set.count { set = try set.prefix(limit) }
    return ImageStream(set)
  }
}

/// The bytes of a file or of standard input in order, gunzipped if they are gzipped.
private final class ByteInput {
  static let peekSize = 1 << 16

  let name: String
  /// Bytes in all; nil if that cannot be told.
  let byteCount: Int?
  private let descriptor: Int32
  private let isOwned: Bool
  private var gunzip: Gunzip?
  /// Bytes as they lie in the file, read but not used: `start ..< end` of the room.
  private let room: Buffer<UInt8>
  private var start = 0
  private var end = 0
  private var isAtEnd = false
  /// Bytes that were looked at and not yet taken.
  private var ahead: Buffer<UInt8>
  private var aheadStart = 0

  /// - Parameter path: - is standard input.
  init(_ path: String) throws(AEError) {
    if path == "-" {
      (name, descriptor, isOwned) = ("standard input", Console.input, false)
    } else {
      let opened = FileName.withCString(path) { cs_open_to_read($0) }
      guard opened >= 0 else {
        // The reader of whole files has the words for it.
        _ = try File.read(path)
        throw AEError(.io, "\(path): cannot open")
      }
      (name, descriptor, isOwned) = (path, opened, true)
    }
    room = try Buffer(count: 1 << 18)
    ahead = try Buffer(count: 0)
    let size = path == "-" ? -1 : cs_size_hint(descriptor)
    let got = cs_read(descriptor, room.base, room.count)
    end = max(Int(got), 0)
    isAtEnd = got < Int64(room.count)
    let isGzip = Zlib.isGzip(room.base, end)
    byteCount = size > 0 && !isGzip ? Int(size) : nil
    if isGzip { gunzip = try Gunzip(name: name) }
    if got < 0 {
      guard path != "-" else { throw AEError(.io, "\(path): cannot read") }
      _ = try File.read(path)
    }
  }

  deinit { if isOwned { cs_close(descriptor) } }

  /// The next bytes without taking them; fewer if there are no more.
  func peek(_ count: Int) throws(AEError) -> Buffer<UInt8> {
    precondition(aheadStart == ahead.count)
    let bytes = try Buffer<UInt8>(count: count)
    let got = try read(into: bytes.base, count)
    ahead = try Buffer(copying: bytes.base, count: got)
    aheadStart = 0
    return ahead
  }

  /// How many bytes may follow: of gzipped ones as many as their header declares, since nobody sees in the file how
  /// many they become.
  func restLimit() throws(AEError) -> Int {
    guard gunzip != nil else { return .max }
    if NPY.matches(ahead.base, ahead.count) {
      let header = try NPY.header(ahead.base, ahead.count, name: name, isWhole: false)
      return header.dataOffset + header.elementCount * header.elementType.byteCount
    }
    let sizes = try IDX.imageSizes(ahead.base, ahead.count, name: name)
    return 16 + sizes[0] * sizes[1] * sizes[2]
  }

  func skip(_ count: Int) throws(AEError) -> Int {
    let bytes = try Buffer<UInt8>(count: count)
    return try read(into: bytes.base, count)
  }

  /// All that is left, if it is no more than `limit`.
  func rest(limit: Int) throws(AEError) -> Buffer<UInt8> {
    let writer = ByteWriter()
    let piece = try Buffer<UInt8>(count: 1 << 16)
    while true {
      let got = try read(into: piece.base, piece.count)
      if got == 0 { return try writer.finish() }
      guard writer.count + got <= limit else {
        throw AEError(.format, "\(name): the compressed bytes make more than the \(limit) declared")
      }
      try writer.bytes(piece.base, got)
    }
  }

  /// Reads up to `count` bytes; fewer only at the end.
  func read(into target: UnsafeMutablePointer<UInt8>, _ count: Int) throws(AEError) -> Int {
    var done = min(count, ahead.count - aheadStart)
    if done > 0 {
      target.update(from: ahead.base + aheadStart, count: done)
      aheadStart += done
    }
    while done < count {
      if start == end {
        guard !isAtEnd else { break }
        let got = cs_read(descriptor, room.base, room.count)
        guard got >= 0 else { throw AEError(.io, "\(name): cannot read") }
        (start, end, isAtEnd) = (0, Int(got), got < Int64(room.count))
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
    if done < count, let gunzip, !gunzip.canEnd {
      throw AEError(.format, "\(name): the compressed bytes are cut short")
    }
    return done
  }
}

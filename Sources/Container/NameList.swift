// File names in an image set. Files in folders are mostly numbered, so a name that is the successor of the one before it
// is stored as one byte, which deflates well.

import Bytes
import Core

/// A list of file names, decoded: UTF-8, each free of anything that could lead out of a folder.
public final class NameList: Sendable {
  /// The longest name, in bytes of UTF-8; what file systems allow.
  public static let maximumNameSize = 255
  /// The most that all names of a set may take, in bytes, with one more for each.
  public static let maximumByteCount = 1 << 28
  /// Names from one indexed name to the next.
  private static let stride = 64

  public let count: Int
  /// Every name with its size, one byte, before it.
  private let bytes: Buffer<UInt8>
  /// Where every 64th name begins.
  private let offsets: Buffer<Int>

  /// Reads the list of `count` names that `raw` holds.
  /// - Throws: `.format` if a name is not allowed, or names end too early or too late; `.memory`.
  init(raw: UnsafePointer<UInt8>, rawCount: Int, count: Int, name: String) throws(AEError) {
    self.count = count
    // Twice through the same bytes: sizes first, so that what is asked for is what is needed.
    var measure = NameReader(raw: raw, rawCount: rawCount, name: name)
    var total = 0
    for index in 0..<count {
      total += 1 + (try measure.next(index))
      guard total <= NameList.maximumByteCount else {
        throw AEError(.format, "\(name): names of more than \(NameList.maximumByteCount) bytes")
      }
    }
    try measure.expectEnd(count)
    bytes = try Buffer(count: total)
    offsets = try Buffer(count: count / NameList.stride + 1)
    var reader = NameReader(raw: raw, rawCount: rawCount, name: name)
    var offset = 0
    for index in 0..<count {
      if index % NameList.stride == 0 { offsets.base[index / NameList.stride] = offset }
      let size = try reader.next(index)
      bytes.base[offset] = UInt8(truncatingIfNeeded: size)
      reader.copy(to: bytes.base + offset + 1, size: size)
      offset += 1 + size
    }
  }

  /// The bytes of a name, without a closing NUL; valid while the list lives.
  public func bytes(at index: Int) -> UnsafeBufferPointer<UInt8> {
    precondition(index >= 0 && index < count)
    var offset = offsets.base[index / NameList.stride]
    for _ in 0..<index % NameList.stride { offset += 1 + Int(bytes.base[offset]) }
    return UnsafeBufferPointer(start: UnsafePointer(bytes.base + offset + 1), count: Int(bytes.base[offset]))
  }

  public subscript(index: Int) -> String { UTF8Text.string(bytes(at: index)) }

  /// Turns a name into its successor: its last run of digits plus one, with as many digits unless all were
  /// nines. A name without digits, or too long for one more, has none and becomes empty.
  static func advance(_ name: inout [UInt8]) {
    var end = name.count
    while end > 0 && !isDigit(name[end - 1]) { end -= 1 }
    guard end > 0 else {
      name = []
      return
    }
    var index = end - 1
    while true {
      if name[index] < 0x39 {
        name[index] += 1
        return
      }
      name[index] = 0x30
      if index == 0 || !isDigit(name[index - 1]) { break }
      index -= 1
    }
    if name.count == maximumNameSize {
      name = []
    } else {
      name.insert(0x31, at: index)
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  /// What is wrong with a name, or nil: empty or too long, a folder of its own, or able to end a path's part.
  static func fault(of name: [UInt8]) -> StaticString? {
    if name.isEmpty { return "is empty" }
    if name.count > maximumNameSize { return "is longer than 255 bytes" }
    if name[0] == 0x2E && (name.count == 1 || (name.count == 2 && name[1] == 0x2E)) {
      return "is that of a folder, \".\" or \"..\""
    }
    for byte in name {
      if byte == 0x2F { return "holds a \"/\"" }
      if byte == 0 { return "holds a NUL" }
    }
    return nil
  }
}

/// Packs names, as they come, in the way that `NameList` reads them.
final class NamePacker {
  private let writer = ByteWriter()
  private var last: [UInt8] = []
  private var total = 0
  private var count = 0

  /// Adds names.
  /// - Throws: `.argument` if a name is not allowed, and then has added those before it; `.memory`.
  func append(_ names: [String]) throws(AEError) {
    for name in names {
      let bytes = UTF8Text.bytes(name)
      if let fault = NameList.fault(of: bytes) {
        throw AEError(.argument, "the name of image \(count) \(fault)")
      }
      try append(bytes)
    }
  }

  /// Adds names of a list.
  func append(_ list: NameList, _ images: Range<Int>) throws(AEError) {
    for image in images { try append(Array(list.bytes(at: image))) }
  }

  private func append(_ bytes: [UInt8]) throws(AEError) {
    guard total + 1 + bytes.count <= NameList.maximumByteCount else {
      throw AEError(
        .argument, "the names of the images have more than \(NameList.maximumByteCount) bytes")
    }
    total += 1 + bytes.count
    count += 1
    NameList.advance(&last)
    if !last.isEmpty && last == bytes {
      try writer.u8(0)
    } else {
      try writer.u8(UInt8(bytes.count))
      for byte in bytes { try writer.u8(byte) }
      last = bytes
    }
  }

  /// What was packed.
  func finish() throws(AEError) -> Buffer<UInt8> { try writer.finish() }
}

/// Walks through packed names.
private struct NameReader {
  private var reader: ByteReader
  private var current: [UInt8] = []

  init(raw: UnsafePointer<UInt8>, rawCount: Int, name: String) {
    reader = ByteReader(raw, count: rawCount, name: name)
    current.reserveCapacity(NameList.maximumNameSize)
  }

  /// Goes to the next name, checks it, and returns its size.
  mutating func next(_ index: Int) throws(AEError) -> Int {
    let size = Int(try reader.u8())
    if size == 0 {
      NameList.advance(&current)
      guard !current.isEmpty else {
        throw reader.fail("name \(index) continues a name that has no successor")
      }
    } else {
      let bytes = try reader.bytes(size)
      current.removeAll(keepingCapacity: true)
      for offset in 0..<size { current.append(bytes[offset]) }
      if let fault = NameList.fault(of: current) { throw reader.fail("name \(index) \(fault)") }
      guard current.withUnsafeBufferPointer({ UTF8Text.firstInvalid($0) }) == nil else {
        throw reader.fail("name \(index) is not UTF-8")
      }
    }
    return current.count
  }

  func copy(to target: UnsafeMutablePointer<UInt8>, size: Int) {
    for offset in 0..<size { target[offset] = current[offset] }
  }

  func expectEnd(_ count: Int) throws(AEError) {
    guard reader.remaining == 0 else {
      throw reader.fail("\(reader.remaining) bytes follow the last of \(count) names")
    }
  }
}

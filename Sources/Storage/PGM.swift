// PGM, the plainest picture format: a text header, then grey values as bytes, words or text. Here because
// any program can write it and any viewer shows it.

import Bytes
import Core

/// Reader and writer of portable grey maps: `P5` (binary) and `P2` (text), one image a file.
///
/// Values are scaled from 0 ... maxval (at most 65535) to bytes, `(510 v + maxval) / (2 maxval)` rounded
/// down: to the nearest, halves up. A value above maxval is an error, and so is anything but white space
/// after the image.
public enum PGM {
  /// True if the bytes begin as a PGM file.
  public static func matches(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Bool {
    byteCount >= 3 && bytes[0] == 0x50 && (bytes[1] == 0x32 || bytes[1] == 0x35)
      && (isSpace(bytes[2]) || bytes[2] == 0x23)
  }

  /// Reads the image of a whole file in memory.
  /// - Parameter name: what messages call the file.
  /// - Throws: `.format` for a file that is not one image as its header declares.
  public static func read(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String) throws(AEError)
    -> ImageSet
  {
    guard matches(bytes, byteCount) else {
      throw AEError(.format, "\(name): not a PGM file: it does not begin with P5 or P2 (byte 0)")
    }
    let isText = bytes[1] == 0x32
    var text = Text(bytes: bytes, count: byteCount, name: name)
    text.offset = 2
    let width = try text.number("width", 1...65535)
    let height = try text.number("height", 1...65535)
    let largest = try text.number("maxval", 1...65535)
    let pixelCount = width * height
    let following: Int
    let needed: Int
    if isText {
      following = byteCount - text.offset
      needed = 2 * pixelCount  // a space and a digit each
    } else {
      guard text.offset < byteCount, isSpace(bytes[text.offset]) else {
        throw text.fail("one white space expected after maxval")
      }
      text.offset += 1
      following = byteCount - text.offset
      needed = pixelCount * (largest > 255 ? 2 : 1)
    }
    guard isText ? following >= needed : following == needed else {
      throw text.fail(
        "\(width) x \(height) pixels make \(isText ? "at least " : "")\(needed) bytes, \(following) follow")
    }
    let pixels = try Buffer<UInt8>(count: pixelCount)
    for index in 0..<pixelCount {
      let value: Int
      if isText {
        value = try text.number("pixel \(index)", 0...largest)
      } else if largest > 255 {
        value = Int(bytes[text.offset]) << 8 | Int(bytes[text.offset + 1])
        text.offset += 2
      } else {
        value = Int(bytes[text.offset])
        text.offset += 1
      }
      guard value <= largest else {
        throw text.fail("pixel \(index) is \(value), above the maxval \(largest)")
      }
      pixels.base[index] = UInt8(truncatingIfNeeded: (510 * value + largest) / (2 * largest))
    }
    text.skipSpace()
    guard text.offset == byteCount else {
      throw text.fail("\(byteCount - text.offset) bytes after the image")
    }
    return try ImageSet(width: width, height: height, count: 1, pixels: pixels, source: .pgmFile)
  }

  /// One image of a set as a `P5` file of maxval 255.
  /// - Throws: `.argument` if there is no such image.
  public static func write(_ set: ImageSet, index: Int = 0) throws(AEError) -> Buffer<UInt8> {
    guard (0..<set.count).contains(index) else {
      throw AEError(.argument, "there is no image \(index) in a set of \(set.count)")
    }
    let header = Array("P5\n\(set.width) \(set.height)\n255\n".utf8)
    let file = try Buffer<UInt8>(count: header.count + set.imageSize)
    for (offset, byte) in header.enumerated() { file.base[offset] = byte }
    (file.base + header.count).update(from: set.pixels.base + index * set.imageSize, count: set.imageSize)
    return file
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  /// The text parts of a file: numbers between white space and comments.
  private struct Text {
    let bytes: UnsafePointer<UInt8>
    let count: Int
    let name: String
    var offset = 0

    func fail(_ message: String) -> AEError { AEError(.format, "\(name): \(message) (byte \(offset))") }

    /// Skips white space, and comments from `#` to the end of the line.
    mutating func skipSpace() {
      while offset < count {
        if bytes[offset] == 0x23 {
          while offset < count && bytes[offset] != 0x0A && bytes[offset] != 0x0D { offset += 1 }
        } else if PGM.isSpace(bytes[offset]) {
          offset += 1
        } else {
          return
        }
      }
    }

    /// A decimal number after at least one white space.
    mutating func number(_ what: @autoclosure () -> String, _ range: ClosedRange<Int>) throws(AEError) -> Int
    {
      let start = offset
      skipSpace()
      guard offset < count else { throw fail("\(what()) expected, but the file ends") }
      guard offset > start else { throw fail("white space expected before \(what())") }
      guard (0x30...0x39).contains(bytes[offset]) else { throw fail("\(what()) is not a number") }
      var value = 0
      while offset < count, (0x30...0x39).contains(bytes[offset]) {
        // Far above every range, and far from overflow, however many digits follow.
        value = min(value * 10 + Int(bytes[offset] - 0x30), 1 << 40)
        offset += 1
      }
      guard range.contains(value) else {
        let came = value == 1 << 40 ? "more" : "\(value)"
        throw fail("\(what()) must be in \(range.lowerBound) ... \(range.upperBound), not \(came)")
      }
      return value
    }
  }
}

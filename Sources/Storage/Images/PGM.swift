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
    let dataOffset: Int
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
    dataOffset = text.offset
    guard following >= needed else {
      throw text.fail(
        "\(width) x \(height) pixels make \(isText ? "at least " : "")\(needed) bytes, \(following) follow")
    }
    let pixels = try Buffer<UInt8>(count: pixelCount)
    var conversions: GreyConversions = []
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
      if 255 * value % largest != 0 { conversions.insert(.levels) }
      pixels.base[index] = UInt8(truncatingIfNeeded: (510 * value + largest) / (2 * largest))
    }
    let imageCount = text.imageCount(isText: isText)
    guard imageCount == 1 else {
      throw text.fail("holds \(imageCount) images, and one is expected: make a file of each")
    }
    guard text.offset == byteCount else {
      if isText { throw text.fail("\(byteCount - text.offset) bytes after the image") }
      throw AEError(
        .format, "\(name): \(width) x \(height) pixels make \(needed) bytes, more follow (byte \(dataOffset))"
      )
    }
    var set = try ImageSet(width: width, height: height, count: 1, pixels: pixels, source: .pgmFile)
    set.conversions = conversions
    return set
  }

  /// What a header says: the sides, and how many bytes the file may have at most.
  ///
  /// Pixels as text may be far apart, but not without end.
  public static func layout(_ head: UnsafeBufferPointer<UInt8>, name: String) throws(AEError)
    -> (width: Int, height: Int, byteCount: Int)
  {
    guard let base = head.baseAddress, matches(base, head.count) else {
      throw AEError(.format, "\(name): not a PGM file: it does not begin with P5 or P2 (byte 0)")
    }
    var text = Text(bytes: base, count: head.count, name: name)
    text.offset = 2
    let width = try text.number("width", 1...65535)
    let height = try text.number("height", 1...65535)
    let largest = try text.number("maxval", 1...65535)
    let each = base[1] == 0x32 ? 16 : largest > 255 ? 2 : 1
    return (width, height, text.offset + each * width * height + (1 << 24))
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

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

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

    /// How many images the file has, of which one has been read; what is no image is left.
    mutating func imageCount(isText: Bool) -> Int {
      var imageCount = 1
      while true {
        if isText || imageCount > 1 {
          skipSpace()
        } else {
          while offset < count, PGM.isSpace(bytes[offset]) { offset += 1 }
        }
        guard offset < count, PGM.matches(bytes + offset, count - offset) else { return imageCount }
        imageCount += 1
        let isText = bytes[offset + 1] == 0x32
        offset += 2
        guard let width = try? number("width", 1...65535), let height = try? number("height", 1...65535),
          let largest = try? number("maxval", 1...65535)
        else { return imageCount }
        if isText {
          while (try? number("pixel", 0...65535)) != nil {}
        } else {
          offset = min(offset + 1 + width * height * (largest > 255 ? 2 : 1), count)
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

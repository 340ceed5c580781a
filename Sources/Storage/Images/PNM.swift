// PGM, PPM and PAM, the plainest picture formats: a text header, then samples as bytes, words or text. Here because
// any program can write them and any viewer shows them.

import Bytes
import Core

/// Reader and writer of portable any-maps, one image a file: `P5` and `P2` (PGM, grey), `P6` and `P3` (PPM, RGB), `P7`
/// (PAM, grey or RGB, with or without alpha).
///
/// Samples are scaled from 0 ... maxval (at most 65535) to bytes, `(510 v + maxval) / (2 maxval)` rounded
/// down: to the nearest, halves up. A value above maxval is an error, and so is anything but white space
/// after the image. The image has the fewest channels that hold it (`Channels.image`).
public enum PNM {
  public enum Kind: Sendable {
    case pgm, ppm, pam

    /// As in "a PGM file".
    public var name: StaticString {
      switch self {
      case .pgm: return "PGM"
      case .ppm: return "PPM"
      case .pam: return "PAM"
      }
    }

    /// What a file of this kind is as the source of a set.
    public var fileSource: SourceKind {
      switch self {
      case .pgm: return .pgmFile
      case .ppm: return .ppmFile
      case .pam: return .pamFile
      }
    }

    /// Whether images of so many channels can be written as this.
    public func holds(channels: Int) -> Bool {
      switch self {
      case .pgm: return channels == 1
      case .ppm: return channels == 1 || channels == 3
      case .pam: return true
      }
    }
  }

  /// The kind of file that the bytes begin as; nil for none of these.
  public static func kind(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Kind? {
    guard byteCount >= 3, bytes[0] == 0x50 else { return nil }
    if bytes[1] == 0x37 { return bytes[2] == 0x0A ? .pam : nil }
    guard isSpace(bytes[2]) || bytes[2] == 0x23 else { return nil }
    switch bytes[1] {
    case 0x32, 0x35: return .pgm
    case 0x33, 0x36: return .ppm
    default: return nil
    }
  }

  /// Reads the image of a whole file in memory.
  /// - Parameter name: what messages call the file.
  /// - Throws: `.format` for a file that is not one image as its header declares.
  public static func read(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String) throws(AEError)
    -> ImageSet
  {
    var text = Text(bytes: bytes, count: byteCount, name: name)
    let header = try text.header()
    let (width, height, depth, largest) = (header.width, header.height, header.depth, header.largest)
    let sampleCount = width * height * depth
    let what =
      depth == 1
      ? sentence("\(width) x \(height) pixels") : sentence("\(width) x \(height) x \(depth) samples")
    let one: StaticString = depth == 1 ? "pixel" : "sample"
    let following = byteCount - text.offset
    let dataOffset = text.offset
    // As text, a space and a digit each.
    let needed = sampleCount * (header.isText || largest > 255 ? 2 : 1)
    guard following >= needed else {
      throw text.fail("\(what) make \(header.isText ? "at least " : "")\(needed) bytes, \(following) follow")
    }
    let samples = try Buffer<UInt8>(count: sampleCount)
    var conversions: GreyConversions = []
    for index in 0..<sampleCount {
      let value: Int
      if header.isText {
        value = try text.number(0...largest) { sentence("\(one) \(index)") }
      } else if largest > 255 {
        value = Int(bytes[text.offset]) << 8 | Int(bytes[text.offset + 1])
        text.offset += 2
      } else {
        value = Int(bytes[text.offset])
        text.offset += 1
      }
      guard value <= largest else {
        throw text.fail(sentence("\(one) \(index) is \(value), above the maxval \(largest)"))
      }
      if 255 * value % largest != 0 { conversions.insert(.levels) }
      samples.base[index] = UInt8(truncatingIfNeeded: (510 * value + largest) / (2 * largest))
    }
    let imageCount = text.imageCount(isText: header.isText)
    guard imageCount == 1 else {
      throw text.fail("holds \(imageCount) images, and one is expected: make a file of each")
    }
    guard text.offset == byteCount else {
      if header.isText { throw text.fail("\(byteCount - text.offset) bytes after the image") }
      throw AEError(.format, "\(name): \(what) make \(needed) bytes, more follow (byte \(dataOffset))")
    }
    var set = try Channels.image(
      samples, width: width, height: height, depth: depth, source: header.kind.fileSource)
    set.conversions = conversions
    return set
  }

  /// What a header says: the sides, and how many bytes the file may have at most.
  ///
  /// Samples as text may be far apart, but not without end.
  public static func layout(_ head: UnsafeBufferPointer<UInt8>, name: String) throws(AEError)
    -> (width: Int, height: Int, byteCount: Int)
  {
    guard let base = head.baseAddress else { throw notPNM(name) }
    var text = Text(bytes: base, count: head.count, name: name)
    let header = try text.header()
    let each = header.isText ? 16 : header.largest > 255 ? 2 : 1
    return (
      header.width, header.height,
      text.offset + each * header.width * header.height * header.depth + (1 << 24)
    )
  }

  /// One image of a set as a file of maxval 255: `P5`, `P6`, where grey is in R, G and B alike, or `P7`.
  /// - Throws: `.argument` if there is no such image, `.kind` if files of this kind do not hold its channels.
  public static func write(_ set: ImageSet, index: Int = 0, as kind: Kind = .pgm) throws(AEError)
    -> Buffer<UInt8>
  {
    guard (0..<set.count).contains(index) else {
      throw AEError(.argument, "there is no image \(index) in a set of \(set.count)")
    }
    guard kind.holds(channels: set.channels) else {
      throw AEError(.kind, "images of \(set.channels) channels cannot be written as \(kind.name)")
    }
    let depth = kind == .ppm ? 3 : set.channels
    let header: [UInt8]
    switch kind {
    case .pgm: header = Array("P5\n\(set.width) \(set.height)\n255\n".utf8)
    case .ppm: header = Array("P6\n\(set.width) \(set.height)\n255\n".utf8)
    case .pam:
      let type = depth == 1 ? "GRAYSCALE" : depth == 3 ? "RGB" : "RGB_ALPHA"
      header = Array(
        "P7\nWIDTH \(set.width)\nHEIGHT \(set.height)\nDEPTH \(depth)\nMAXVAL 255\nTUPLTYPE \(type)\nENDHDR\n"
          .utf8)
    }
    let pixelCount = set.width * set.height
    let file = try Buffer<UInt8>(count: header.count + pixelCount * depth)
    for (offset, byte) in header.enumerated() { file.base[offset] = byte }
    Channels.widen(
      set.pixels.base + index * set.imageSize, set.channels, to: file.base + header.count, depth,
      pixelCount: pixelCount)
    return file
  }

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private static func notPNM(_ name: String) -> AEError {
    AEError(
      .format, "\(name): not a PGM, PPM or PAM file: it does not begin with P2, P3, P5, P6 or P7 (byte 0)")
  }

  private struct Header {
    let kind: Kind
    let isText: Bool
    let width: Int
    let height: Int
    /// Samples of a pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    let depth: Int
    /// The maxval.
    let largest: Int
  }

  /// The text parts of a file: numbers between white space and comments, and the lines of PAM's header.
  private struct Text {
    let bytes: UnsafePointer<UInt8>
    let count: Int
    let name: String
    var offset = 0
    /// What ends at `count`.
    var whole: StaticString = "file"

    func fail(_ message: String) -> AEError { AEError(.format, "\(name): \(message) (byte \(offset))") }

    /// Skips white space, and comments from `#` to the end of the line.
    mutating func skipSpace() {
      while offset < count {
        if bytes[offset] == 0x23 {
          while offset < count && bytes[offset] != 0x0A && bytes[offset] != 0x0D { offset += 1 }
        } else if PNM.isSpace(bytes[offset]) {
          offset += 1
        } else {
          return
        }
      }
    }

    /// The header of an image that begins here. What follows it are the samples.
    mutating func header() throws(AEError) -> Header {
      guard let kind = PNM.kind(bytes + offset, count - offset) else { throw PNM.notPNM(name) }
      let digit = bytes[offset + 1]
      if kind == .pam { return try pamHeader() }
      offset += 2
      let width = try number(1...65535) { "width" }
      let height = try number(1...65535) { "height" }
      let largest = try number(1...65535) { "maxval" }
      let isText = digit == 0x32 || digit == 0x33
      if !isText {
        guard offset < count, PNM.isSpace(bytes[offset]) else {
          throw fail("one white space expected after maxval")
        }
        offset += 1
      }
      return Header(
        kind: kind, isText: isText, width: width, height: height, depth: kind == .ppm ? 3 : 1,
        largest: largest)
    }

    private mutating func pamHeader() throws(AEError) -> Header {
      offset += 3
      // Width, height, depth, maxval; none is 0.
      var numbers = (0, 0, 0, 0)
      var tupleDepth = 0
      var isBilevel = false
      while true {
        var end = offset
        while end < count, bytes[end] != 0x0A { end += 1 }
        guard end < count else { throw fail("ENDHDR expected, but the file ends") }
        var line = Text(bytes: bytes, count: end, name: name, offset: offset, whole: "line")
        offset = end + 1
        line.skipSpace()
        let word = line.word()
        if word.count == 0 { continue }
        let start = line.offset - word.count
        if equal(word, "ENDHDR") {
          try line.end("ENDHDR")
          break
        } else if equal(word, "WIDTH"), numbers.0 == 0 {
          numbers.0 = try line.lastNumber(1...65535, "WIDTH")
        } else if equal(word, "HEIGHT"), numbers.1 == 0 {
          numbers.1 = try line.lastNumber(1...65535, "HEIGHT")
        } else if equal(word, "DEPTH"), numbers.2 == 0 {
          numbers.2 = try line.lastNumber(1...4, "DEPTH")
        } else if equal(word, "MAXVAL"), numbers.3 == 0 {
          numbers.3 = try line.lastNumber(1...65535, "MAXVAL")
        } else if equal(word, "TUPLTYPE"), tupleDepth == 0 {
          line.skipSpace()
          let type = line.word()
          tupleDepth = tuple(type)
          isBilevel = type.count > 0 && bytes[type.start] == 0x42
          guard tupleDepth > 0 else {
            line.offset = type.start
            throw line.fail("TUPLTYPE must be GRAYSCALE, RGB or BLACKANDWHITE, or one of these with _ALPHA")
          }
          try line.end("TUPLTYPE")
        } else {
          line.offset = start
          throw line.fail(
            "WIDTH, HEIGHT, DEPTH, MAXVAL, at most one TUPLTYPE and ENDHDR expected in the header, each on a line"
          )
        }
      }
      let (width, height, depth, largest) = numbers
      guard width > 0, height > 0, depth > 0, largest > 0 else {
        throw fail("WIDTH, HEIGHT, DEPTH and MAXVAL expected before ENDHDR")
      }
      guard tupleDepth == 0 || tupleDepth == depth else {
        throw fail("the TUPLTYPE has \(tupleDepth) samples, and DEPTH is \(depth)")
      }
      guard !isBilevel || largest == 1 else {
        throw fail("MAXVAL must be 1 with BLACKANDWHITE, not \(largest)")
      }
      return Header(kind: .pam, isText: false, width: width, height: height, depth: depth, largest: largest)
    }

    /// The samples of a tuple type; 0 if it is none that is read.
    private func tuple(_ type: (start: Int, count: Int)) -> Int {
      if equal(type, "GRAYSCALE") || equal(type, "BLACKANDWHITE") { return 1 }
      if equal(type, "GRAYSCALE_ALPHA") || equal(type, "BLACKANDWHITE_ALPHA") { return 2 }
      if equal(type, "RGB") { return 3 }
      return equal(type, "RGB_ALPHA") ? 4 : 0
    }

    private func equal(_ part: (start: Int, count: Int), _ text: StaticString) -> Bool {
      guard part.count == text.utf8CodeUnitCount else { return false }
      for index in 0..<part.count where bytes[part.start + index] != text.utf8Start[index] { return false }
      return true
    }

    /// What stands here before white space.
    private mutating func word() -> (start: Int, count: Int) {
      let start = offset
      while offset < count, !PNM.isSpace(bytes[offset]) { offset += 1 }
      return (start, offset - start)
    }

    private mutating func lastNumber(_ range: ClosedRange<Int>, _ what: StaticString) throws(AEError) -> Int {
      let value = try number(range) { sentence("\(what)") }
      try end(what)
      return value
    }

    /// Throws unless white space is all that is left.
    private mutating func end(_ what: StaticString) throws(AEError) {
      skipSpace()
      guard offset == count else { throw fail(sentence("more than one word after \(what)")) }
    }

    /// How many images the file has, of which one has been read; what is no image is left.
    mutating func imageCount(isText: Bool) -> Int {
      var imageCount = 1
      while true {
        if isText || imageCount > 1 {
          skipSpace()
        } else {
          while offset < count, PNM.isSpace(bytes[offset]) { offset += 1 }
        }
        guard offset < count, PNM.kind(bytes + offset, count - offset) != nil else { return imageCount }
        imageCount += 1
        guard let next = try? header() else { return imageCount }
        if next.isText {
          while (try? number(0...65535) { "pixel" }) != nil {}
        } else {
          let size = next.width * next.height * next.depth * (next.largest > 255 ? 2 : 1)
          offset = min(offset + size, count)
        }
      }
    }

    /// A decimal number after at least one white space.
    mutating func number(_ range: ClosedRange<Int>, _ what: () -> String) throws(AEError) -> Int {
      let start = offset
      skipSpace()
      guard offset < count else { throw fail(sentence("\(what()) expected, but the \(whole) ends")) }
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

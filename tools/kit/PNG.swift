// PNG files to and from bytes. The conversion of 16 bits to bytes is defined here, and stated in the manual; decoding
// itself is libpng's.

import Bytes
import CPNG
import Core
import Storage

package enum PNG {
  private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  package static func matches(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    bytes.count >= signature.count && signature.indices.allSatisfy { bytes[$0] == signature[$0] }
  }

  /// The sides that a header declares; nil if it is no sound beginning of a PNG file.
  package static func sides(_ head: UnsafeBufferPointer<UInt8>) -> (width: Int, height: Int)? {
    guard matches(head), head.count >= 24 else { return nil }
    return (number(head, at: 16), number(head, at: 20))
  }

  /// The bytes of the one picture that an input holds, to its last chunk.
  ///
  /// - Throws: `.format` if it holds another picture, as animated ones do, or is larger than its sides and a
  ///   good deal of text explain.
  package static func bytes(_ input: ByteInput) throws(AEError) -> Buffer<UInt8> {
    let out = ByteWriter()
    // libpng has the words for what is no header, and for sides that are too large.
    guard let sides = sides(try input.peek(24)), let pixelCount = sides.width.times(sides.height),
      pixelCount <= Int(CPNG_LARGEST_PIXEL_COUNT)
    else { return try input.bytes(atMost: 1 << 12) }
    // 8 bytes a pixel, before they are deflated.
    let limit = 9 * pixelCount + (1 << 24)
    try out.bytes(try input.bytes(atMost: signature.count))
    while true {
      let head = try input.peek(12)
      guard head.count >= 8 else { break }
      let length = number(head, at: 0)
      guard length <= limit - out.count else {
        throw AEError(
          .format,
          "\(input.name): a chunk of \(length) bytes in a picture of \(sides.width) x \(sides.height)")
      }
      let type = Array(head[4..<8])
      if type == Array("acTL".utf8), head.count >= 12, number(head, at: 8) != 1 {
        throw AEError(
          .format,
          "\(input.name): is an animated PNG file of \(number(head, at: 8)) images, and one is expected: make a file of each"
        )
      }
      let chunk = try input.bytes(atMost: length + 12)
      try out.bytes(chunk)
      if chunk.count < length + 12 || type == Array("IEND".utf8) { break }
    }
    guard !matches(try input.peek(signature.count)) else {
      throw AEError(
        .format, "\(input.name): holds more than one image, and one is expected: make a file of each")
    }
    return try out.finish()
  }

  private static func number(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> Int {
    bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
  }

  /// Reads one picture as bytes: palettes as their colours, transparent colours as alpha, and in all the fewest channels
  /// that hold it (`Channels.image`).
  ///
  /// 16-bit samples v become (255 v + 32767) / 65535, rounded down: to nearest; the set says whether that changed one.
  /// Gamma and colour profiles are not looked at.
  package static func read(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String) throws(AEError)
    -> ImageSet
  {
    var image = cpng_image()
    var message = [CChar](repeating: 0, count: Int(CPNG_MESSAGE_SIZE))
    let status = cpng_read(bytes, byteCount, &image, &message)
    try check(status, message, at: name)
    defer { cpng_free(image.samples) }
    let (width, height, depth) = (Int(image.width), Int(image.height), Int(image.channels))
    guard let from = image.samples else { throw AEError(.internal, "\(name): no samples were read") }
    let samples = try Buffer<UInt8>(count: width * height * depth)
    var conversions: GreyConversions = []
    if image.depth == 16 {
      var isRounded = false
      for index in 0..<samples.count {
        let value = Int(from[2 * index]) << 8 | Int(from[2 * index + 1])
        if value % 257 != 0 { isRounded = true }
        samples.base[index] = UInt8((value * 255 + 32767) / 65535)
      }
      if isRounded { conversions.insert(.levels) }
    } else {
      samples.base.update(from: from, count: samples.count)
    }
    var set = try Channels.image(samples, width: width, height: height, depth: depth, source: .pngFile)
    set.conversions = conversions
    return set
  }

  /// One image of a set as a file of 8 bits: grey, RGB, or RGB and alpha. The same pixels give the same bytes.
  package static func write(_ set: ImageSet, index: Int = 0) throws(AEError) -> Buffer<UInt8> {
    guard (0..<set.count).contains(index) else {
      throw AEError(.argument, "there is no image \(index) in a set of \(set.count)")
    }
    var bytes: UnsafeMutablePointer<UInt8>?
    var byteCount = 0
    var message = [CChar](repeating: 0, count: Int(CPNG_MESSAGE_SIZE))
    let status = cpng_write(
      set.pixels.base + index * set.imageSize, UInt32(set.width), UInt32(set.height), Int32(set.channels),
      &bytes,
      &byteCount, &message)
    try check(status, message, at: "PNG")
    defer { cpng_free(bytes) }
    guard let bytes else { throw AEError(.internal, "PNG: no bytes were written") }
    return try Buffer(copying: bytes, count: byteCount)
  }

  private static func check(_ status: Int32, _ message: [CChar], at name: String) throws(AEError) {
    guard status != Int32(CPNG_OK) else { return }
    let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    throw AEError(status == Int32(CPNG_MEMORY) ? .memory : .format, "\(name): \(text)")
  }
}

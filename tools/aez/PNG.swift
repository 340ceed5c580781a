// PNG files to and from grey bytes. The rule by which colours, transparency and 16 bits become grey bytes is
// this file's, and stated in the manual; decoding itself is libpng's.

import CPNG
import Core
import Storage

enum PNG {
  static func matches(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Bool {
    byteCount >= 4 && bytes[0] == 0x89 && bytes[1] == 0x50 && bytes[2] == 0x4E && bytes[3] == 0x47
  }

  /// Reads one picture as grey bytes.
  ///
  /// 16-bit samples v become (255 v + 32767) / 65535, rounded down: to nearest. Colours become
  /// (299 R + 587 G + 114 B + 500) / 1000 (the luma of ITU-R BT.601). Transparency is laid over black:
  /// (grey alpha + 127) / 255. In this order, each in whole numbers. Gamma and colour profiles are not
  /// looked at.
  static func read(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String) throws(AEError) -> ImageSet
  {
    var image = cpng_image()
    var message = [CChar](repeating: 0, count: Int(CPNG_MESSAGE_SIZE))
    let status = cpng_read(bytes, byteCount, &image, &message)
    try check(status, message, at: name)
    defer { cpng_free(image.samples) }
    let (width, height, channels) = (Int(image.width), Int(image.height), Int(image.channels))
    let pixels = try Buffer<UInt8>(count: width * height)
    let stride = channels * Int(image.depth) / 8
    for index in 0..<pixels.count {
      let pixel = image.samples + index * stride
      func sample(_ channel: Int) -> Int {
        guard image.depth == 16 else { return Int(pixel[channel]) }
        return ((Int(pixel[2 * channel]) << 8 | Int(pixel[2 * channel + 1])) * 255 + 32767) / 65535
      }
      var grey = sample(0)
      if channels >= 3 { grey = (299 * grey + 587 * sample(1) + 114 * sample(2) + 500) / 1000 }
      if channels % 2 == 0 { grey = (grey * sample(channels - 1) + 127) / 255 }
      pixels.base[index] = UInt8(grey)
    }
    return try ImageSet(width: width, height: height, count: 1, pixels: pixels, source: .pngFile)
  }

  /// One image of a set as an 8-bit grey file. The same pixels give the same bytes.
  static func write(_ set: ImageSet, index: Int = 0) throws(AEError) -> Buffer<UInt8> {
    var bytes: UnsafeMutablePointer<UInt8>?
    var byteCount = 0
    var message = [CChar](repeating: 0, count: Int(CPNG_MESSAGE_SIZE))
    let status = cpng_write(
      set.pixels.base + index * set.imageSize, UInt32(set.width), UInt32(set.height), &bytes, &byteCount,
      &message)
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

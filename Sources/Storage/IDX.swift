// IDX, the format of the MNIST files: a big-endian header of type and sizes, then bytes. Images and
// labels, plain or gzipped, read and written here alone, so that the rules for bad headers stand once.

import Bytes
import Core

/// Readers and writers of IDX files: images (`idx3-ubyte`) and labels (`idx1-ubyte`).
///
/// The header is two zero bytes, the element type (8: unsigned bytes), the number of dimensions, and each
/// dimension as a big-endian 32-bit number; the elements follow, the last dimension fastest. Only unsigned
/// bytes are read. Bytes after the elements are an error, since they mean that the header is wrong.
public enum IDX {
  /// True if the bytes begin as an IDX file of images or labels, not gzipped.
  public static func matches(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Bool {
    byteCount >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 8 && (bytes[3] == 3 || bytes[3] == 1)
  }

  /// Reads images from a whole file in memory, plain or gzipped.
  /// - Parameter name: what messages call the file.
  /// - Throws: `.format` for a header that does not fit the bytes, `.memory` if the pixels do not fit.
  public static func read(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String) throws(AEError)
    -> ImageSet
  {
    let (plain, byteCount, owner) = try expanded(bytes, byteCount, dimensionCount: 3, name: name)
    return try withOwner(owner) { () throws(AEError) in
      var reader = ByteReader(plain, count: byteCount, name: name)
      let sizes = try header(&reader, dimensionCount: 3)
      let elementCount = try elements(sizes, reader)
      try complete(sizes, elementCount, following: reader.remaining, reader)
      let pixels = try Buffer<UInt8>(copying: try reader.bytes(elementCount), count: elementCount)
      return try ImageSet(
        width: sizes[2], height: sizes[1], count: sizes[0], pixels: pixels, source: .idx)
    }
  }

  /// Reads labels from a whole file in memory, plain or gzipped.
  /// - Throws: as `read`.
  public static func readLabels(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String)
    throws(AEError) -> [UInt8]
  {
    let (plain, byteCount, owner) = try expanded(bytes, byteCount, dimensionCount: 1, name: name)
    return try withOwner(owner) { () throws(AEError) in
      var reader = ByteReader(plain, count: byteCount, name: name)
      let sizes = try header(&reader, dimensionCount: 1)
      let elementCount = try elements(sizes, reader)
      try complete(sizes, elementCount, following: reader.remaining, reader)
      return try Buffer<UInt8>(copying: try reader.bytes(elementCount), count: elementCount).array
    }
  }

  /// The sizes that the header of a plain IDX file of images declares: count, height, width.
  /// - Throws: `.format` if it is not one.
  public static func imageSizes(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String)
    throws(AEError) -> [Int]
  {
    var reader = ByteReader(bytes, count: byteCount, name: name)
    return try header(&reader, dimensionCount: 3)
  }

  /// The header of a plain IDX file: what stands before the elements.
  /// - Parameter sizes: at most 3, each below 2^32.
  public static func head(sizes: [Int]) -> [UInt8] {
    var head: [UInt8] = [0, 0, 8, UInt8(sizes.count)]
    for size in sizes {
      for shift in [24, 16, 8, 0] { head.append(UInt8(truncatingIfNeeded: size >> shift)) }
    }
    return head
  }

  /// The images as a plain IDX file.
  public static func write(_ set: ImageSet) throws(AEError) -> Buffer<UInt8> {
    try write(set.pixels.base, sizes: [set.count, set.height, set.width])
  }

  /// Labels as a plain IDX file.
  public static func writeLabels(_ labels: [UInt8]) throws(AEError) -> Buffer<UInt8> {
    let buffer = try Buffer<UInt8>(labels)
    return try write(buffer.base, sizes: [labels.count])
  }

  private static func write(_ elements: UnsafePointer<UInt8>, sizes: [Int]) throws(AEError)
    -> Buffer<UInt8>
  {
    var elementCount = 1
    for size in sizes { elementCount *= size }
    let head = head(sizes: sizes)
    let headerCount = head.count
    let file = try Buffer<UInt8>(count: headerCount + elementCount)
    for (index, byte) in head.enumerated() { file.base[index] = byte }
    if elementCount > 0 { (file.base + headerCount).update(from: elements, count: elementCount) }
    return file
  }

  /// The sizes in a header, checked: sides in 1 ... 65535, counts in 0 ... `ImageSet.maximumCount`.
  private static func header(_ reader: inout ByteReader, dimensionCount: Int) throws(AEError) -> [Int] {
    guard reader.remaining >= 4 + 4 * dimensionCount else {
      throw reader.fail(
        .format, "an IDX header of \(4 + 4 * dimensionCount) bytes expected, \(reader.remaining) came")
    }
    let start = reader
    let magic = try reader.u32be()
    guard magic >> 16 == 0 else {
      throw start.fail(.format, "not an IDX file: it does not begin with two zeros")
    }
    guard (magic >> 8) & 255 == 8 else {
      throw start.fail(
        .format, "IDX elements of type \((magic >> 8) & 255); only unsigned bytes, type 8, are read")
    }
    guard magic & 255 == UInt32(dimensionCount) else {
      let came: StaticString =
        magic & 255 == 1 ? " (a file of labels)" : magic & 255 == 3 ? " (a file of images)" : ""
      throw start.fail(.format, "\(dimensionCount) dimensions expected, \(magic & 255) came\(came)")
    }
    var sizes: [Int] = []
    for dimension in 0..<dimensionCount {
      let before = reader
      let size = Int(try reader.u32be())
      let range = dimension == 0 ? 0...ImageSet.maximumCount : 1...65535
      guard range.contains(size) else {
        throw before.fail(
          .format,
          "dimension \(dimension) must be in \(range.lowerBound) ... \(range.upperBound), not \(size)")
      }
      sizes.append(size)
    }
    return sizes
  }

  private static func elements(_ sizes: [Int], _ reader: ByteReader) throws(AEError) -> Int {
    var product = 1
    for size in sizes {
      guard let next = product.times(size) else {
        throw reader.fail(.format, "the header declares more elements than can be counted")
      }
      product = next
    }
    return product
  }

  private static func complete(_ sizes: [Int], _ elementCount: Int, following: Int, _ reader: ByteReader)
    throws(AEError)
  {
    guard following == elementCount else {
      var shape = ""
      for (index, size) in sizes.enumerated() { shape += index == 0 ? "\(size)" : " x \(size)" }
      let declared = sizes.count == 1 ? "\(elementCount) bytes" : "\(shape) = \(elementCount) bytes"
      throw reader.fail(
        .format, "the header declares \(declared), \(following) follow")
    }
  }

  /// The plain bytes of a file that may be gzipped, and what owns them.
  ///
  /// The header is inflated first, so that the memory taken is bounded by what it declares, and that by
  /// what so many compressed bytes can hold at all.
  private static func expanded(
    _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, dimensionCount: Int, name: String
  ) throws(AEError) -> (UnsafePointer<UInt8>, Int, Buffer<UInt8>?) {
    guard Zlib.isGzip(bytes, byteCount) else { return (bytes, byteCount, nil) }
    let headerCount = 4 + 4 * dimensionCount
    let head = try Zlib.gunzipPrefix(bytes, byteCount, prefixCount: headerCount, name: name)
    var reader = ByteReader(head.base, count: head.count, name: name)
    let sizes = try header(&reader, dimensionCount: dimensionCount)
    let elementCount = try elements(sizes, reader)
    guard elementCount / Zlib.largestRatio <= byteCount else {
      throw reader.fail(
        .format, "the header declares \(elementCount) bytes, more than \(byteCount) gzipped bytes can hold")
    }
    let plain = try Zlib.gunzip(bytes, byteCount, limit: headerCount + elementCount, name: name)
    return (UnsafePointer(plain.base), plain.count, plain)
  }

  /// Calls `body` while `owner` is sure to live.
  private static func withOwner<Result>(
    _ owner: Buffer<UInt8>?, _ body: () throws(AEError) -> Result
  ) throws(AEError) -> Result {
    defer { withExtendedLifetime(owner) {} }
    return try body()
  }
}

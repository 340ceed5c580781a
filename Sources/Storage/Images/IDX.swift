// IDX, the format of the MNIST files: a big-endian header of type and sizes, then bytes. Images and
// labels, plain or gzipped, read and written here alone, so that the rules for bad headers stand once.

import Bytes
import Core

/// Readers and writers of IDX files: images (`idx3-ubyte`; `idx4-ubyte` of several channels) and labels
/// (`idx1-ubyte`).
///
/// The header is two zero bytes, the element type (8: unsigned bytes), the number of dimensions, and each
/// dimension as a big-endian 32-bit number; the elements follow, the last dimension fastest. Only unsigned
/// bytes are read. Bytes after the elements are an error, since they mean that the header is wrong.
public enum IDX {
  /// True if the bytes begin as an IDX file of any type and number of dimensions, not gzipped.
  public static func matches(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Bool {
    byteCount >= 4 && bytes[0] == 0 && bytes[1] == 0 && typeName(bytes[2]) != nil && bytes[3] >= 1
  }

  /// Reads images from a whole file in memory, plain or gzipped.
  /// - Parameter name: what messages call the file.
  /// - Throws: `.format` for a header that does not fit the bytes, `.memory` if the pixels do not fit.
  public static func read(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String) throws(AEError)
    -> ImageSet
  {
    try ImageReader(try layout(try ByteInput(bytes, byteCount, name: name))).all()
  }

  /// Reads labels from a whole file in memory, plain or gzipped.
  /// - Throws: as `read`.
  public static func readLabels(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String)
    throws(AEError) -> [UInt8]
  {
    try readLabels(try ByteInput(bytes, byteCount, name: name))
  }

  /// Reads labels, plain or gzipped.
  /// - Throws: as `read`.
  public static func readLabels(_ input: ByteInput) throws(AEError) -> [UInt8] {
    let (sizes, elements) = try header(input, isLabels: true)
    let labels = try elements.all(atMost: sizes[0])
    guard labels.count == sizes[0] else { throw elements.short(labels.count) }
    try elements.end()
    return labels.array
  }

  /// Reads the header of a file of images: `[count, height, width]`, or `[count, height, width, channels]`.
  static func layout(_ input: ByteInput) throws(AEError) -> ImageReader.Layout {
    let (sizes, elements) = try header(input, isLabels: false)
    return ImageReader.Layout(
      width: sizes[2], height: sizes[1], channels: sizes.count > 3 ? sizes[3] : 1, count: sizes[0],
      type: .bytes, source: .idx, elements: elements)
  }

  /// The header of a plain IDX file: what stands before the elements.
  /// - Parameter sizes: at most 4, each below 2^32.
  public static func head(sizes: [Int]) -> [UInt8] {
    var head: [UInt8] = [0, 0, 8, UInt8(sizes.count)]
    for size in sizes {
      for shift in [24, 16, 8, 0] { head.append(UInt8(truncatingIfNeeded: size >> shift)) }
    }
    return head
  }

  /// The images as a plain IDX file: of four dimensions if they have several channels.
  public static func write(_ set: ImageSet) throws(AEError) -> Buffer<UInt8> {
    try write(set.pixels.base, sizes: set.shape.sizes(count: set.count))
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

  /// What the third byte of a header says of the elements.
  private static func typeName(_ type: UInt8) -> StaticString? {
    switch type {
    case 0x08: return "unsigned bytes"
    case 0x09: return "signed bytes"
    case 0x0B: return "16-bit integers"
    case 0x0C: return "32-bit integers"
    case 0x0D: return "32-bit floats"
    case 0x0E: return "64-bit floats"
    default: return nil
    }
  }

  /// The sizes in a header, checked: sides in 1 ... 65535, channels 1, 3 or 4, counts in 0 ...
  /// `ImageSet.maximumCount`. What is left to read are the elements.
  private static func header(_ input: ByteInput, isLabels: Bool) throws(AEError)
    -> (sizes: [Int], elements: DeclaredElements)
  {
    let head = try Buffer<UInt8>(count: 4 + 4 * 4)
    var got = try input.read(into: head.base, 4)
    // A file of another kind is reported as that, however short.
    if got == 4 { try check(head, isLabels, ByteReader(head.base, count: got, name: input.name)) }
    let dimensionCount = isLabels ? 1 : got == 4 && head.base[3] == 4 ? 4 : 3
    let headerCount = 4 + 4 * dimensionCount
    if got == 4 { got += try input.read(into: head.base + 4, headerCount - 4) }
    var reader = ByteReader(head.base, count: got, name: input.name)
    guard got == headerCount else {
      throw reader.fail(.format, "an IDX header of \(headerCount) bytes expected, \(got) came")
    }
    _ = try reader.u32be()
    var sizes: [Int] = []
    var product: Int? = 1
    for dimension in 0..<dimensionCount {
      let before = reader
      let size = Int(try reader.u32be())
      if dimension == 3 {
        guard ImageShape.hasChannels(size) else { throw wrongChannels(size, sizes, before) }
      }
      let range = dimension == 0 ? 0...ImageSet.maximumCount : 1...65535
      guard range.contains(size) else {
        throw before.fail(
          .format,
          "dimension \(dimension) must be in \(range.lowerBound) ... \(range.upperBound), not \(size)")
      }
      sizes.append(size)
      product = product?.times(size)
    }
    guard let product else {
      throw reader.fail(.format, "the header declares more elements than can be counted")
    }
    var shape = ""
    for (index, size) in sizes.enumerated() { shape += index == 0 ? "\(size)" : " x \(size)" }
    let declared = sizes.count == 1 ? "\(product) bytes" : "\(shape) = \(product) bytes"
    return (
      sizes,
      try DeclaredElements(input, byteCount: product, declaration: "the header declares \(declared)")
    )
  }

  /// A fourth dimension that is no number of channels; some programs put them before the sides.
  private static func wrongChannels(_ size: Int, _ sizes: [Int], _ place: ByteReader) -> AEError {
    let isPlanar = sizes[1] > 1 && ImageShape.hasChannels(sizes[1])
    return place.fail(
      .format,
      "dimension 3 must be 1, 3 or 4, the channels of [count, height, width, channels], not \(size)"
        + (isPlanar
          ? ": these seem to be [count, channels, height, width]; numpy's a.transpose(0, 2, 3, 1) puts the channels last"
          : ""))
  }

  /// Throws unless the first four bytes are those of unsigned bytes of so many dimensions.
  private static func check(_ head: Buffer<UInt8>, _ isLabels: Bool, _ start: ByteReader) throws(AEError) {
    guard head.base[0] == 0, head.base[1] == 0 else {
      throw start.fail(.format, "not an IDX file: it does not begin with two zeros")
    }
    let (type, rank) = (head.base[2], Int(head.base[3]))
    guard type == 8 else {
      if let came = typeName(type) {
        throw start.fail(
          .format,
          "is an IDX file of \(came) (type \(Int(type))), and only unsigned bytes, type 8, are read: scale them to "
            + "0 ... 255 and write bytes")
      }
      throw start.fail(.format, "IDX elements of type \(Int(type)); only unsigned bytes, type 8, are read")
    }
    guard isLabels ? rank == 1 : rank == 3 || rank == 4 else {
      let came: StaticString
      switch (isLabels, rank) {
      case (false, 1): came = " (a file of labels)"
      case (true, 3), (true, 4): came = " (a file of images)"
      case (false, 2): came = " (one image, or flattened ones): write [count, height, width]"
      default: came = ""
      }
      let expected: StaticString = isLabels ? "1 dimensions" : "3 dimensions, or 4 with channels,"
      throw start.fail(.format, "\(expected) expected, \(rank) came\(came)")
    }
  }
}

extension ImageShape {
  /// The sizes of an array of images: `[count, height, width]`, and the channels if there are several.
  public func sizes(count: Int) -> [Int] {
    channels == 1 ? [count, height, width] : [count, height, width, channels]
  }
}

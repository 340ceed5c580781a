// NPY, numpy's file of one array: a header that is a Python literal, then the elements. Images come in it
// as bytes or floats, latents go in and out as float32; the header's grammar is parsed here alone.

import Bytes
import Core

/// Reader and writer of `.npy` files, format versions 1 to 3 (numpy's `numpy.lib.format`), C order.
public enum NPY {
  /// The element types that are read.
  public enum ElementType: Sendable {
    /// `|u1`
    case bytes
    /// `<f4`
    case float32
    /// `<f8`
    case float64

    public var byteCount: Int {
      switch self {
      case .bytes: return 1
      case .float32: return 4
      case .float64: return 8
      }
    }
  }

  /// What a header says.
  public struct Header: Sendable {
    public let elementType: ElementType
    /// At most 8 dimensions, none negative, whose product fits.
    public let shape: [Int]
    /// Where the elements begin.
    public let dataOffset: Int

    /// Elements in all.
    public var elementCount: Int {
      var product = 1
      for size in shape { product *= size }
      return product
    }
  }

  /// True if the bytes begin as an NPY file.
  public static func matches(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Bool {
    let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]
    guard byteCount >= magic.count else { return false }
    for (index, byte) in magic.enumerated() where bytes[index] != byte { return false }
    return true
  }

  /// Reads images.
  ///
  /// Shapes: `[count, height, width]`, unless it looks like one image of 3 or 4 channels, which is an error;
  /// `[count, height, width, channels]` of 1, 3 or 4 channels; and two dimensions, which are rows of flattened images or one image:
  /// - with `size` given, `[count, width * height]` or `[height, width]`;
  /// - without, one image if both sides are equal, else flattened square images if the second is a square
  ///   number above 1, else one image.
  ///
  /// Floats are multiplied by 255 and rounded to nearest, ties to even; what is then not in 0 ... 255 is an
  /// error.
  /// - Throws: `.format` for a bad file, `.shape` for a shape that is not images or not `size`.
  public static func read(
    _ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String, size: (width: Int, height: Int)? = nil
  ) throws(AEError) -> ImageSet {
    guard matches(bytes, byteCount) else { throw notNPY(name) }
    return try ImageReader(try layout(try ByteInput(bytes, byteCount, name: name), size: size)).all()
  }

  /// Reads the header of a file of images.
  static func layout(_ input: ByteInput, size: (width: Int, height: Int)?) throws(AEError)
    -> ImageReader.Layout
  {
    let (header, elements) = try header(input)
    let (count, shape) = try imageShape(header.shape, size: size, name: input.name)
    guard (1...65535).contains(shape.width), (1...65535).contains(shape.height),
      (0...ImageSet.maximumCount).contains(count)
    else { throw AEError(.shape, "\(input.name): \(count) images of \(shape.text) are out of range") }
    return ImageReader.Layout(
      width: shape.width, height: shape.height, channels: shape.channels, count: count,
      type: header.elementType, source: .npy, elements: elements)
  }

  /// Reads an array of floats, such as latents; `float64` is rounded to `float32`.
  /// - Throws: `.format` for a bad file, bytes as elements, or a value that is not finite.
  public static func readFloats(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int, name: String)
    throws(AEError) -> (shape: [Int], values: Buffer<Float>)
  {
    guard matches(bytes, byteCount) else { throw notNPY(name) }
    return try readFloats(try ByteInput(bytes, byteCount, name: name))
  }

  /// Reads an array of floats, plain or gzipped.
  /// - Throws: as above.
  public static func readFloats(_ input: ByteInput) throws(AEError) -> (shape: [Int], values: Buffer<Float>) {
    let (header, elements) = try header(input)
    guard header.elementType != .bytes else {
      throw AEError(.format, "\(input.name): floats (<f4 or <f8) expected, bytes (|u1) came")
    }
    let packed = try elements.all(atMost: elements.byteCount)
    guard packed.count == elements.byteCount else { throw elements.short(packed.count) }
    try elements.end()
    let values = try Buffer<Float>(count: header.elementCount)
    let source = UnsafePointer(packed.base)
    for index in 0..<values.count {
      let value =
        header.elementType == .float32
        ? float32(source + 4 * index) : Float(float64(source + 8 * index))
      guard value.isFinite else {
        throw AEError(
          .format,
          "\(input.name): element \(index) is not finite "
            + "(byte \(header.dataOffset + index * header.elementType.byteCount))")
      }
      values.base[index] = value
    }
    return (header.shape, values)
  }

  /// The images as an array of `|u1`: `[count, height, width]`, or `[count, height, width, channels]` if there are
  /// several channels.
  public static func write(_ set: ImageSet) throws(AEError) -> Buffer<UInt8> {
    let (file, offset) = try file("|u1", shape: set.shape.sizes(count: set.count), elementByteCount: 1)
    if set.pixels.count > 0 { (file.base + offset).update(from: set.pixels.base, count: set.pixels.count) }
    return file
  }

  /// Floats as an array of `<f4`.
  /// - Throws: `.argument` if the shape's product is not the number of values.
  public static func write(_ values: Buffer<Float>, shape: [Int]) throws(AEError) -> Buffer<UInt8> {
    var product: Int? = 1
    for size in shape { product = size < 0 ? nil : product?.times(size) }
    guard product == values.count else {
      throw AEError(.argument, "\(shapeText(shape)) does not make \(values.count) values")
    }
    let (file, offset) = try file("<f4", shape: shape, elementByteCount: 4)
    for index in 0..<values.count {
      let bits = values.base[index].bitPattern
      for byte in 0..<4 {
        file.base[offset + 4 * index + byte] = UInt8(truncatingIfNeeded: bits >> (8 * UInt32(byte)))
      }
    }
    return file
  }

  /// What stands before the elements of an array of `<f4`, which follow as `floatBytes` has them.
  public static func floatHead(shape: [Int]) -> [UInt8] { head("<f4", shape: shape) }

  /// Floats as the elements of `<f4`.
  public static func floatBytes(_ values: UnsafePointer<Float>, count: Int) throws(AEError) -> Buffer<UInt8> {
    let bytes = try Buffer<UInt8>(count: 4 * count)
    for index in 0..<count {
      UnsafeMutableRawPointer(bytes.base + 4 * index).storeBytes(
        of: values[index].bitPattern.littleEndian, as: UInt32.self)
    }
    return bytes
  }

  /// Rows of a two-dimensional array of floats, some at a time: what is larger than memory is read so.
  public final class FloatRows {
    public let shape: [Int]
    private let header: Header
    private let elements: DeclaredElements
    private var done = 0

    /// - Throws: `.format` for an array of bytes, or a file that is known to be too short or too long.
    public init(_ input: ByteInput) throws(AEError) {
      (header, elements) = try NPY.header(input)
      guard header.elementType != .bytes else {
        throw AEError(.format, "\(input.name): floats (<f4 or <f8) expected, bytes (|u1) came")
      }
      shape = header.shape
    }

    /// The next `count` floats.
    /// - Throws: `.format` if there are fewer, or one is not finite.
    public func next(_ count: Int, into values: UnsafeMutablePointer<Float>) throws(AEError) {
      let size = header.elementType.byteCount
      let packed = try Buffer<UInt8>(count: count * size)
      try elements.read(into: packed.base, packed.count)
      for index in 0..<count {
        let value =
          header.elementType == .float32
          ? NPY.float32(packed.base + 4 * index) : Float(NPY.float64(packed.base + 8 * index))
        guard value.isFinite else {
          throw AEError(
            .format,
            "\(elements.name): element \(done + index) is not finite "
              + "(byte \(header.dataOffset + (done + index) * size))")
        }
        values[index] = value
      }
      done += count
    }

    /// Throws if bytes follow the last element.
    public func end() throws(AEError) { try elements.end() }
  }

  /// Reads and checks a header. What is left to read are the elements.
  /// - Throws: `.version` for a version above 3, `.format` otherwise.
  public static func peekHeader(_ input: ByteInput) throws(AEError) -> Header {
    // Version 1 counts its header in two bytes, versions 2 and 3 in four; both end within this.
    let start = try input.peek(12)
    guard let base = start.baseAddress, matches(base, start.count) else { throw notNPY(input.name) }
    var reader = ByteReader(base, count: start.count, name: input.name)
    _ = try reader.bytes(6)
    let version = reader
    let major = try reader.u8()
    _ = try reader.u8()
    guard (1...3).contains(major) else {
      throw version.fail(.version, "NPY versions 1 to 3 are read, not \(major)")
    }
    let lengthField = reader
    let length = major == 1 ? Int(try reader.u16()) : Int(try reader.u32())
    let textOffset = reader.offset
    let head = try input.peek(textOffset + min(length, 65535))
    guard length <= 65535, textOffset + length <= head.count, let base = head.baseAddress else {
      throw lengthField.fail(
        .format,
        "a header of at most \(min(65535, head.count - textOffset)) bytes expected, \(length) declared")
    }
    var literal = Literal(bytes: base, offset: textOffset, end: textOffset + length, name: input.name)
    let (elementType, shape) = try literal.header()
    let dataOffset = textOffset + length
    var needed: Int? = elementType.byteCount
    for size in shape { needed = needed?.times(size) }
    guard needed != nil else {
      throw AEError(
        .format,
        "\(input.name): the shape \(shapeText(shape)) has more elements than can be counted (byte \(dataOffset))"
      )
    }
    return Header(elementType: elementType, shape: shape, dataOffset: dataOffset)
  }

  private static func header(_ input: ByteInput) throws(AEError) -> (Header, DeclaredElements) {
    let header = try peekHeader(input)
    let skipped = try Buffer<UInt8>(count: header.dataOffset)
    _ = try input.read(into: skipped.base, skipped.count)
    let byteCount = header.elementCount * header.elementType.byteCount
    return (
      header,
      try DeclaredElements(
        input, byteCount: byteCount,
        declaration: "the shape \(shapeText(header.shape)) makes \(byteCount) bytes")
    )
  }

  private static func notNPY(_ name: String) -> AEError {
    AEError(.format, "\(name): not an NPY file: it does not begin with \\x93NUMPY (byte 0)")
  }

  private static func imageShape(_ shape: [Int], size: (width: Int, height: Int)?, name: String)
    throws(AEError) -> (count: Int, ImageShape)
  {
    let expected =
      size.map {
        "[count, \($0.height), \($0.width)] expected, or [count, \($0.height), \($0.width), channels]"
      }
      ?? "[count, height, width] or [count, height, width, channels] expected"
    var advice = ", of 1, 3 or 4 channels"
    switch shape.count {
    case 3:
      if let size, size != (shape[2], shape[1]) { break }
      // Images three or four pixels wide are rare, colours of one image are not.
      if size == nil, shape[2] == 3 || shape[2] == 4, min(shape[0], shape[1]) > 4 * shape[2] {
        throw AEError(
          .shape,
          "\(name): an array of \(shapeText(shape)) may be one image in colour, or \(shape[0]) grey ones \(shape[2]) wide: "
            + "a[None] makes [1, \(shape[0]), \(shape[1]), \(shape[2])] of it, --size \(shape[2])x\(shape[1]) says that they are grey"
        )
      }
      return (shape[0], ImageShape(width: shape[2], height: shape[1]))
    case 2:
      if let size {
        if shape[1] == size.width * size.height {
          return (shape[0], ImageShape(width: size.width, height: size.height))
        }
        if shape[0] == size.height && shape[1] == size.width {
          return (1, ImageShape(width: size.width, height: size.height))
        }
        break
      }
      let side = Int(Double(shape[1]).squareRoot())
      if shape[0] != shape[1], side > 1, side <= 65535, side * side == shape[1] {
        return (shape[0], ImageShape(width: side, height: side))
      }
      return (1, ImageShape(width: shape[1], height: shape[0]))
    case 4:
      if ImageShape.hasChannels(shape[3]) {
        if let size, size != (shape[2], shape[1]) { break }
        return (shape[0], ImageShape(width: shape[2], height: shape[1], channels: shape[3]))
      }
      if ImageShape.hasChannels(shape[1]) {
        advice =
          ": these seem to be [count, channels, height, width]; a.transpose(0, 2, 3, 1) makes "
          + shapeText([shape[0], shape[2], shape[3], shape[1]])
      }
    default: break
    }
    throw AEError(.shape, "\(name): an array of \(shapeText(shape)), \(expected)\(advice)")
  }

  private static func shapeText(_ shape: [Int]) -> String {
    var text = "["
    for (index, size) in shape.enumerated() { text += index == 0 ? "\(size)" : ", \(size)" }
    return text + "]"
  }

  /// What stands before the elements of an array of bytes.
  public static func head(shape: [Int]) -> [UInt8] { head("|u1", shape: shape) }

  private static func head(_ type: StaticString, shape: [Int]) -> [UInt8] {
    var text = "{'descr': '\(type)', 'fortran_order': False, 'shape': ("
    for (index, size) in shape.enumerated() { text += index == 0 ? "\(size)" : ", \(size)" }
    text += shape.count == 1 ? ",), }" : "), }"
    // numpy aligns the elements to 64 bytes with spaces, and ends the header with a newline.
    var bytes = Array(text.utf8)
    while (10 + bytes.count + 1) % 64 != 0 { bytes.append(0x20) }
    bytes.append(0x0A)
    return [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, UInt8(bytes.count & 255), UInt8(bytes.count >> 8)]
      + bytes
  }

  /// A file with its header filled in, and where the elements go.
  private static func file(_ type: StaticString, shape: [Int], elementByteCount: Int) throws(AEError)
    -> (Buffer<UInt8>, Int)
  {
    let head = head(type, shape: shape)
    var byteCount = elementByteCount
    for size in shape { byteCount *= size }
    let file = try Buffer<UInt8>(count: head.count + byteCount)
    for (index, byte) in head.enumerated() { file.base[index] = byte }
    return (file, head.count)
  }

  static func float32(_ bytes: UnsafePointer<UInt8>) -> Float {
    var bits: UInt32 = 0
    for index in 0..<4 { bits |= UInt32(bytes[index]) << (8 * UInt32(index)) }
    return Float(bitPattern: bits)
  }

  static func float64(_ bytes: UnsafePointer<UInt8>) -> Double {
    var bits: UInt64 = 0
    for index in 0..<8 { bits |= UInt64(bytes[index]) << (8 * UInt64(index)) }
    return Double(bitPattern: bits)
  }

  /// The header's dictionary, as much of Python's grammar as numpy writes.
  private struct Literal {
    let bytes: UnsafePointer<UInt8>
    var offset: Int
    let end: Int
    let name: String

    func fail(_ message: String) -> AEError { AEError(.format, "\(name): \(message) (byte \(offset))") }

    mutating func header() throws(AEError) -> (ElementType, [Int]) {
      var elementType: ElementType?
      var shape: [Int]?
      var order: Bool?
      try expect(0x7B, "{")
      while !take(0x7D) {
        let keyOffset = offset
        let key = try string()
        try expect(0x3A, ":")
        if equal(key, "descr"), elementType == nil {
          elementType = try type()
        } else if equal(key, "fortran_order"), order == nil {
          order = try boolean()
          guard order == false else {
            throw fail("Fortran order; only C order is read, as numpy.ascontiguousarray makes it")
          }
        } else if equal(key, "shape"), shape == nil {
          shape = try tuple()
        } else {
          offset = keyOffset
          throw fail("descr, fortran_order and shape expected in the header, once each")
        }
        if !take(0x2C) {
          try expect(0x7D, "}")
          break
        }
      }
      skipSpace()
      guard offset == end else { throw fail("\(end - offset) bytes after the header's dictionary") }
      guard let elementType, let shape, order != nil else {
        throw fail("descr, fortran_order and shape expected in the header, once each")
      }
      return (elementType, shape)
    }

    private mutating func skipSpace() {
      while offset < end, bytes[offset] == 0x20 || (0x09...0x0D).contains(bytes[offset]) { offset += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
      skipSpace()
      guard offset < end, bytes[offset] == byte else { return false }
      offset += 1
      return true
    }

    private mutating func expect(_ byte: UInt8, _ what: StaticString) throws(AEError) {
      guard take(byte) else { throw fail("\(what) expected in the header") }
    }

    /// A string's bytes; numpy writes none with escapes.
    private mutating func string() throws(AEError) -> (start: Int, count: Int) {
      skipSpace()
      guard offset < end, bytes[offset] == 0x27 || bytes[offset] == 0x22 else {
        throw fail("a string expected in the header")
      }
      let quote = bytes[offset]
      let start = offset + 1
      var position = start
      while position < end, bytes[position] != quote { position += 1 }
      guard position < end else { throw fail("a string in the header does not end") }
      offset = position + 1
      return (start, position - start)
    }

    private func equal(_ part: (start: Int, count: Int), _ text: StaticString) -> Bool {
      guard part.count == text.utf8CodeUnitCount else { return false }
      for index in 0..<part.count where bytes[part.start + index] != text.utf8Start[index] { return false }
      return true
    }

    private mutating func type() throws(AEError) -> ElementType {
      skipSpace()
      let start = offset
      let part = try string()
      if equal(part, "|u1") { return .bytes }
      if equal(part, "<f4") { return .float32 }
      if equal(part, "<f8") { return .float64 }
      offset = start
      throw fail("elements of type |u1, <f4 or <f8 are read, no others\(came(part))")
    }

    /// What a type that is not read is, and what to do.
    private func came(_ part: (start: Int, count: Int)) -> String {
      guard part.count >= 2, part.count <= 16 else { return "" }
      var text = ""
      for index in 0..<part.count {
        let byte = bytes[part.start + index]
        guard (0x21...0x7E).contains(byte) else { return "" }
        text += UTF8Text.string([byte])
      }
      let last = bytes[part.start + part.count - 1]
      let size = (0x30...0x39).contains(last) ? Int(last - 0x30) : 0
      let isBig = bytes[part.start] == 0x3E
      switch bytes[part.start + 1] {
      case 0x75:
        return
          ": these are \(text), \(8 * size)-bit integers, a.astype(\"uint8\") makes bytes of 0 ... 255"
      case 0x69:
        return
          ": these are \(text), signed \(8 * size)-bit integers, a.astype(\"uint8\") makes bytes of 0 ... 255"
      case 0x66 where isBig:
        return ": these are \(text), big-endian floats, a.astype(\"<f4\") makes little-endian ones"
      case 0x66: return ": these are \(text), \(8 * size)-bit floats, a.astype(\"<f4\") makes those"
      case 0x62: return ": these are \(text), truth values, a.astype(\"uint8\") * 255 makes bytes"
      case 0x63: return ": these are \(text), complex numbers"
      case 0x4F: return ": these are \(text), Python objects, numpy.stack(list(a)) may make an array of them"
      case 0x53, 0x55, 0x56: return ": these are \(text), text or records"
      default: return ": these are \(text)"
      }
    }

    private mutating func boolean() throws(AEError) -> Bool {
      skipSpace()
      let start = offset
      while offset < end, isLetter(bytes[offset]) { offset += 1 }
      if equal((start, offset - start), "True") { return true }
      if equal((start, offset - start), "False") { return false }
      offset = start
      throw fail("True or False expected in the header")
    }

    private func isLetter(_ byte: UInt8) -> Bool {
      (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    private mutating func tuple() throws(AEError) -> [Int] {
      var sizes: [Int] = []
      try expect(0x28, "(")
      while !take(0x29) {
        guard sizes.count < 8 else { throw fail("more than 8 dimensions") }
        sizes.append(try size())
        if !take(0x2C) {
          try expect(0x29, ")")
          break
        }
      }
      return sizes
    }

    private mutating func size() throws(AEError) -> Int {
      skipSpace()
      guard offset < end, (0x30...0x39).contains(bytes[offset]) else {
        throw fail("a size of 0 or more expected in the shape")
      }
      var value = 0
      while offset < end, (0x30...0x39).contains(bytes[offset]) {
        guard let next = value.times(10)?.plus(Int(bytes[offset] - 0x30)) else {
          throw fail("a size in the shape does not fit 63 bits")
        }
        value = next
        offset += 1
      }
      // Python 2 wrote long integers so.
      if offset < end, bytes[offset] == 0x4C { offset += 1 }
      return value
    }
  }
}

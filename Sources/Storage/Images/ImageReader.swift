// Images in order from an IDX or NPY file. Whole sets are read through it, too, so that there is one reader for each
// format, and one place that compares headers with contents.

import Bytes
import Core

/// The images of an IDX or NPY file, in order.
public final class ImageReader {
  public let width: Int
  public let height: Int
  public let channels: Int
  /// Images that are to be read: those that the file declares, or the first of them.
  public let count: Int
  /// Images that the file declares.
  public let declaredCount: Int
  public let source: SourceKind
  /// What the images read so far lost on their way to bytes.
  public private(set) var conversions: GreyConversions = []

  private let elements: DeclaredElements
  private let type: NPY.ElementType
  /// False if only the first images of a longer file are wanted.
  private let isWhole: Bool
  /// Elements read so far.
  private var done = 0
  /// Where floats come in before they are bytes.
  private var scratch: Buffer<UInt8>?

  /// Bytes of one image.
  public var imageSize: Int { width * height * channels }

  /// What a header says of images.
  struct Layout {
    let width: Int
    let height: Int
    let channels: Int
    let count: Int
    let type: NPY.ElementType
    let source: SourceKind
    let elements: DeclaredElements
  }

  /// Reads the header.
  /// - Parameters:
  ///   - size: the size of flattened images of an NPY file.
  ///   - limit: the most images that are wanted; of a file that has more, the rest is not looked at.
  /// - Throws: `.format` or `.shape` for a header that is wrong, or that its file cannot keep.
  public convenience init(
    _ input: ByteInput, size: (width: Int, height: Int)? = nil, limit: Int? = nil
  ) throws(AEError) {
    let head = try input.peek(6)
    if let base = head.baseAddress, NPY.matches(base, head.count) {
      self.init(try NPY.layout(input, size: size), limit: limit)
    } else {
      self.init(try IDX.layout(input), limit: limit)
    }
  }

  init(_ layout: Layout, limit: Int? = nil) {
    (width, height, channels) = (layout.width, layout.height, layout.channels)
    (type, source) = (layout.type, layout.source)
    elements = layout.elements
    declaredCount = layout.count
    count = min(layout.count, limit ?? layout.count)
    isWhole = count == layout.count
  }

  /// The next `count` images, as bytes.
  /// - Throws: `.format` if the file has fewer or, after the last one, more than its header declares; or
  ///   for floats that are no pixels.
  public func next(_ count: Int, into pixels: UnsafeMutablePointer<UInt8>) throws(AEError) {
    guard count >= 0, count <= self.count - done / imageSize else {
      throw AEError(.argument, "\(count) images were asked for, \(self.count - done / imageSize) are left")
    }
    let pixelCount = count * imageSize
    if type == .bytes {
      try elements.read(into: pixels, pixelCount)
      done += pixelCount
    } else {
      try convert(pixelCount, into: pixels)
    }
    if done == self.count * imageSize, isWhole { try elements.end() }
  }

  /// All images.
  public func all() throws(AEError) -> ImageSet {
    let size = try pixelCount()
    let pixels: Buffer<UInt8>
    if type == .bytes {
      pixels = try elements.all(atMost: size)
      guard pixels.count == size else { throw elements.short(pixels.count) }
      done = size
      if isWhole { try elements.end() }
    } else {
      // Floats that a pipe promises are taken as they come.
      let packed = try elements.all(atMost: size * type.byteCount)
      guard packed.count == size * type.byteCount else { throw elements.short(packed.count) }
      pixels = try Buffer(count: size)
      try convert(packed.base, size, into: pixels.base)
      done = size
      if isWhole { try elements.end() }
    }
    var set = try ImageSet(
      width: width, height: height, channels: channels, count: count, pixels: pixels, source: source)
    set.conversions = conversions
    return set
  }

  private func pixelCount() throws(AEError) -> Int {
    let shape = ImageShape(width: width, height: height, channels: channels)
    guard let size = shape.byteCount.times(count), size.times(type.byteCount) != nil else {
      throw AEError(.memory, "\(count) images of \(shape.text) are too many")
    }
    return size
  }

  private func convert(_ pixelCount: Int, into pixels: UnsafeMutablePointer<UInt8>) throws(AEError) {
    let pieceCount = 1 << 14
    if scratch == nil { scratch = try Buffer(count: pieceCount * type.byteCount) }
    guard let scratch else { return }
    var first = 0
    while first < pixelCount {
      let step = min(pieceCount, pixelCount - first)
      try elements.read(into: scratch.base, step * type.byteCount)
      try convert(scratch.base, step, into: pixels + first)
      first += step
      done += step
    }
  }

  /// Floats of [0, 1] to bytes; `done` tells which they are.
  private func convert(_ floats: UnsafePointer<UInt8>, _ count: Int, into pixels: UnsafeMutablePointer<UInt8>)
    throws(AEError)
  {
    for index in 0..<count {
      let scaled =
        type == .float32
        ? Double(NPY.float32(floats + 4 * index) * 255) : NPY.float64(floats + 8 * index) * 255
      let rounded = scaled.rounded(.toNearestOrEven)
      guard rounded >= 0 && rounded <= 255 else {
        throw AEError(
          .format,
          "\(elements.name): element \(done + index) is not in [0, 1], as floats of images must be "
            + "(byte \(elements.dataOffset + (done + index) * type.byteCount))")
      }
      // A 255th, as arithmetic in single precision leaves it, is the byte it was.
      if abs(scaled - rounded) > 1.0 / 1024 { conversions.insert(.levels) }
      pixels[index] = UInt8(rounded)
    }
  }
}

/// What comes after a header: as many bytes as it declares, and then nothing.
struct DeclaredElements {
  let input: ByteInput
  let byteCount: Int
  /// As in "the header declares 3 bytes".
  let declaration: String
  /// Where the elements begin.
  let dataOffset: Int

  var name: String { input.name }

  /// - Throws: `.format` if it is known by now that the file has fewer or more bytes.
  init(_ input: ByteInput, byteCount: Int, declaration: String) throws(AEError) {
    self.input = input
    self.byteCount = byteCount
    self.declaration = declaration
    dataOffset = input.offset
    if let total = input.byteCount, total >= dataOffset {
      if total - dataOffset < byteCount { throw short(total - dataOffset) }
      if total - dataOffset > byteCount { throw long }
    }
  }

  func read(into target: UnsafeMutablePointer<UInt8>, _ count: Int) throws(AEError) {
    guard try input.read(into: target, count) == count else { throw short(input.offset - dataOffset) }
  }

  func all(atMost count: Int) throws(AEError) -> Buffer<UInt8> { try input.bytes(atMost: count) }

  /// Throws if bytes follow.
  func end() throws(AEError) {
    guard try input.peek(1).isEmpty else { throw long }
  }

  func short(_ following: Int) -> AEError {
    AEError(.format, "\(name): \(declaration), \(following) follow (byte \(dataOffset))")
  }

  private var long: AEError { AEError(.format, "\(name): \(declaration), more follow (byte \(dataOffset))") }
}

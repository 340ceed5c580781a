// Image sets: compressed, written as images come, and read image by image.

internal import CAE

/// An open image set (.aez): images of one size, read without decoding the others.
public final class ImageSet: @unchecked Sendable {
  /// What a set keeps of its images.
  public enum Mode: Sendable, Equatable {
    /// Codes of the model: reconstructions. `quality` is from 1 (smallest) on; nil for the default.
    case lossy(quality: Int? = nil)
    /// Every pixel.
    case lossless
    /// Every pixel to within `maxError`, 1 to 255 levels.
    case nearLossless(maxError: Int)
  }

  let handle: OpaquePointer
  private let information: ae_imageset_information

  private init(_ open: (UnsafeMutablePointer<OpaquePointer?>) -> ae_status) throws(AutoencoderError) {
    var opened: OpaquePointer?
    try check(open(&opened))
    guard let handle = opened else { throw AutoencoderError(.internal, "no set came") }
    var information = ae_imageset_information()
    information.struct_size = MemoryLayout<ae_imageset_information>.size
    let status = ae_imageset_info(handle, &information)
    self.handle = handle
    self.information = information
    try check(status)
  }

  /// Opens a file, of which blocks are read as they are asked for.
  /// - Parameter model: the one it was made with. With nil it is the embedded one, one that comes with libae, or one on the
  ///   environment's AE_MODEL_PATH.
  /// - Throws: `.model`, naming the model that is needed, if it is none of these.
  public convenience init(path: String, model: Autoencoder? = nil) throws(AutoencoderError) {
    try self.init { ae_imageset_open(shippedModels, path, model?.handle, $0) }
  }

  /// Opens the bytes of a set, which are copied.
  public convenience init(bytes: [UInt8], model: Autoencoder? = nil) throws(AutoencoderError) {
    try self.init { ae_imageset_open_memory(shippedModels, bytes, bytes.count, model?.handle, $0) }
  }

  deinit { ae_imageset_free(handle) }

  /// Images.
  public var count: Int { Int(information.count) }
  /// Pixels.
  public var width: Int { Int(information.width) }
  /// Pixels.
  public var height: Int { Int(information.height) }
  /// 1, 3 or 4.
  public var channels: Int { Int(information.channels) }
  /// Bytes of an image: width * height * channels.
  public var pixelCount: Int { width * height * channels }
  /// Numbers of a code; 0 if the set names no model.
  public var latentCount: Int { Int(information.latent_size) }
  /// The whole set.
  public var byteCount: Int { Int(information.byte_count) }
  public var modelName: String { text(information.model_name) }
  public var hasLabels: Bool { information.has_labels != 0 }

  /// Decodes an image: `pixelCount` bytes, row after row from the top.
  public subscript(index: Int) -> [UInt8] {
    get throws(AutoencoderError) { try images(index..<index + 1) }
  }

  /// Decodes images of a range within 0 ..< count, one after the other.
  public func images(_ range: Range<Int>) throws(AutoencoderError) -> [UInt8] {
    let first = try checked(range)
    return try filled(range.count * pixelCount) { ae_imageset_read(handle, first, range.count, $0) }
  }

  /// Labels of a range, a byte an image.
  public func labels(_ range: Range<Int>) throws(AutoencoderError) -> [UInt8] {
    let first = try checked(range)
    return try filled(range.count) { ae_imageset_labels(handle, first, range.count, $0) }
  }

  /// Codes of a range, `latentCount` numbers each, without decoding pixels.
  public func latents(_ range: Range<Int>) throws(AutoencoderError) -> [Float] {
    let first = try checked(range)
    return try filled(range.count * latentCount) { ae_imageset_latents(handle, first, range.count, $0) }
  }

  private func checked(_ range: Range<Int>) throws(AutoencoderError) -> UInt64 {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw AutoencoderError(.argument, "images \(range) of a set that has 0 ..< \(count)")
    }
    return UInt64(range.lowerBound)
  }

  /// Compresses images to the bytes of a set, the same as `aez compress` makes.
  /// - Parameters:
  ///   - images: any number, width * height * channels bytes each.
  ///   - labels: a byte for each, or nil.
  ///   - model: nil for those that come with libae.
  /// - Throws: `.shape` if a lossy set is to be of other images than the model's.
  public static func compress(
    _ images: [UInt8], width: Int, height: Int, channels: Int = 1, as mode: Mode = .lossy(),
    labels: [UInt8]? = nil, model: Autoencoder? = nil
  ) throws(AutoencoderError) -> [UInt8] {
    let writer = try ImageSetWriter(width: width, height: height, channels: channels, as: mode, model: model)
    try writer.add(images, labels: labels)
    return try writer.finish()
  }
}

/// Writes an image set as images come, to a file or to memory. Memory beside the result stays small. It is for one thread.
public final class ImageSetWriter {
  /// What is written where it goes to memory. A class of its own, since the C writer keeps a pointer to it.
  private final class Output { var bytes: [UInt8] = [] }

  private let output = Output()
  private let handle: OpaquePointer
  private let pixelCount: Int

  /// - Parameter path: the file, which is there, whole, after `finish`; nil for memory.
  public init(
    path: String? = nil, width: Int, height: Int, channels: Int = 1, as mode: ImageSet.Mode = .lossy(),
    model: Autoencoder? = nil
  ) throws(AutoencoderError) {
    var options: OpaquePointer?
    try check(ae_options_create(Int32(AE_OPTIONS_COMPRESSION), &options))
    defer { ae_options_free(options) }
    var values = [("width", width), ("height", height), ("channels", channels)]
    switch mode {
    case .lossy(let quality):
      try check(ae_options_set(options, "mode", "lossy"))
      if let quality { values.append(("quality", quality)) }
    case .lossless: try check(ae_options_set(options, "mode", "lossless"))
    case .nearLossless(let maxError):
      try check(ae_options_set(options, "mode", "near-lossless"))
      values.append(("max_error", maxError))
    }
    for (key, value) in values { try check(ae_options_set_integer(options, key, Int64(value))) }

    var writer: OpaquePointer?
    if let path {
      try check(ae_writer_create_file(shippedModels, model?.handle, options, path, &writer))
    } else {
      try check(
        ae_writer_create(
          shippedModels, model?.handle, options,
          { context, bytes, count in
            guard let context else { return 1 }
            let output = Unmanaged<Output>.fromOpaque(context).takeUnretainedValue()
            output.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
            return 0
          }, Unmanaged.passUnretained(output).toOpaque(), &writer))
    }
    guard let writer else { throw AutoencoderError(.internal, "no writer came") }
    handle = writer
    pixelCount = width * height * channels
  }

  deinit { ae_writer_free(handle) }

  /// Adds images, width * height * channels bytes each, with a label for each of all images of the set or of none.
  public func add(_ images: [UInt8], labels: [UInt8]? = nil) throws(AutoencoderError) {
    let count = try count(images.count, of: pixelCount, "images of the set")
    if let labels, labels.count != count {
      throw AutoencoderError(.argument, "\(labels.count) labels for \(count) images")
    }
    try check(ae_writer_add(handle, images, count, labels, nil))
  }

  /// Ends the set.
  /// - Returns: its bytes; none if it went to a file.
  @discardableResult
  public func finish() throws(AutoencoderError) -> [UInt8] {
    try check(ae_writer_finish(handle))
    return output.bytes
  }
}

// Autoencoders: ae.h for Swift programs, as a product that other packages depend on. Handles that free themselves, errors
// that are thrown, arrays instead of pointers; the rest is ae.h's, whose shapes, units and ranges hold here, too.
//
//   let model = try Autoencoder.shipped()
//   let latents = try model.encode(digits)                     // count * model.pixelCount bytes
//   let images = try model.decode(latents)
//   let packed = try ImageSet.compress(digits, width: 28, height: 28, as: .lossless)
//   let set = try ImageSet(bytes: packed)
//   let last = try set[set.count - 1]                          // decodes one block
//
// Models and sets are immutable; any number of threads may use one.

internal import CAE
import Foundation

/// What every failed call throws.
public struct AutoencoderError: Error, Sendable, CustomStringConvertible {
  /// The kind of fault; raw values are those of `ae_status`.
  public enum Code: Int32, Sendable {
    /// An argument that is out of range, or an array of a size that fits no count of images.
    case argument = 1
    /// Memory was refused.
    case memory
    /// A file cannot be opened, read, written or renamed; `systemError` says why.
    case io
    /// Not a file of this kind, or damaged in its structure.
    case format
    /// Damaged content.
    case checksum
    /// A file of a later version.
    case version
    /// The model cannot do that: no encoder, not variational, no codec.
    case kind
    /// Images or codes of another size than the model's.
    case shape
    /// The set was made with a model that was not found; the message names it.
    case model
    /// A buffer is too small.
    case buffer
    /// Stopped on demand.
    case stopped
    /// A result is not finite.
    case diverged
    /// A bug in libae: please report it.
    case `internal`
  }

  public let code: Code
  /// What was expected and what came, in a sentence.
  public let description: String
  /// The errno of the system call behind the fault, such as ENOENT; 0 if there was none.
  public let systemError: Int32

  init(_ code: Code, _ description: String, systemError: Int32 = 0) {
    self.code = code
    self.description = description
    self.systemError = systemError
  }
}

/// Throws what the last call on this thread said, if its status is not AE_OK.
func check(_ status: ae_status) throws(AutoencoderError) {
  guard status != 0 else { return }
  throw AutoencoderError(
    AutoencoderError.Code(rawValue: status) ?? .internal, String(cString: ae_last_error()),
    systemError: ae_last_errno())
}

/// How many images `byteCount` bytes or numbers are, of `each` for an image.
func count(_ total: Int, of each: Int, _ what: String) throws(AutoencoderError) -> Int {
  guard each > 0, total % each == 0 else {
    throw AutoencoderError(.shape, "\(what): \(total) values, which is no multiple of \(each)")
  }
  return total / each
}

/// An array of `count` elements that a call fills.
func filled<Element>(
  _ count: Int, _ fill: (UnsafeMutablePointer<Element>?) -> ae_status
) throws(AutoencoderError) -> [Element] {
  var status: ae_status = 0
  let result = [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
    status = fill(buffer.baseAddress)
    initialized = status == 0 ? count : 0
  }
  try check(status)
  return result
}

/// Text of a C array of characters that ends with a zero.
func text<Characters>(_ characters: Characters) -> String {
  withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// Where this package's models are: SwiftPM puts them beside the program. Nil, which stands for AE_MODEL_PATH and the places
/// of an installation, where they are not there.
nonisolated(unsafe) let shippedModels: OpaquePointer? = {
  let folder = Bundle.main.bundleURL.appendingPathComponent("libae_Autoencoders.resources/models").path
  guard FileManager.default.fileExists(atPath: folder) else { return nil }
  var context: OpaquePointer?
  let status = folder.withCString { path in
    var options = ae_context_options()
    options.struct_size = MemoryLayout<ae_context_options>.size
    options.model_path = path
    return ae_context_create(&options, &context)
  }
  return status == 0 ? context : nil
}()

/// A trained autoencoder, or the decoder of one.
public final class Autoencoder: @unchecked Sendable {
  let handle: OpaquePointer
  private let information: ae_model_information

  private init(_ open: (UnsafeMutablePointer<OpaquePointer?>) -> ae_status) throws(AutoencoderError) {
    var opened: OpaquePointer?
    try check(open(&opened))
    guard let handle = opened else { throw AutoencoderError(.internal, "no model came") }
    var information = ae_model_information()
    information.struct_size = MemoryLayout<ae_model_information>.size
    let status = ae_model_info(handle, &information)
    self.handle = handle
    self.information = information
    try check(status)
  }

  /// Opens a weight file (.aew).
  public convenience init(path: String) throws(AutoencoderError) {
    try self.init { ae_model_open(shippedModels, path, $0) }
  }

  /// Opens the bytes of a weight file.
  public convenience init(bytes: [UInt8]) throws(AutoencoderError) {
    try self.init { ae_model_open_memory(shippedModels, bytes, bytes.count, $0) }
  }

  /// Opens a model that comes with libae: `digits-high`, which nil stands for, `digits-low`, `exact`, `mnist-30` or
  /// `universal`.
  /// - Throws: `.model`, naming where it was looked for, if it is not found.
  public static func shipped(_ name: String? = nil) throws(AutoencoderError) -> Autoencoder {
    try Autoencoder { ae_model_default(shippedModels, name, $0) }
  }

  deinit { ae_model_free(handle) }

  public var name: String { text(information.name) }
  /// The hash that image sets name the model by, 64 hexadecimal digits; empty without a codec.
  public var hash: String { text(information.hash) }
  /// Pixels.
  public var width: Int { Int(information.width) }
  /// Pixels.
  public var height: Int { Int(information.height) }
  /// 1 (grey), 3 (RGB) or 4 (RGB and alpha).
  public var channels: Int { Int(information.channels) }
  /// Bytes of an image: width * height * channels.
  public var pixelCount: Int { width * height * channels }
  /// Numbers of a code.
  public var latentCount: Int { Int(information.latent_size) }
  /// Whether `encode` works; if not, it is a decoder alone.
  public var hasEncoder: Bool { information.has_encoder != 0 }
  /// Whether `sample` works.
  public var isVariational: Bool { information.is_variational != 0 }
  /// Qualities of image sets made with it, from 1 on; 0 without a codec.
  public var qualityCount: Int { Int(information.quality_count) }

  /// Encodes images.
  /// - Parameter images: any number, `pixelCount` bytes each, row after row from the top.
  /// - Returns: `latentCount` numbers for each; of a variational model the mean.
  public func encode(_ images: [UInt8]) throws(AutoencoderError) -> [Float] {
    let images = (images, count: try count(images.count, of: pixelCount, "images of \(name)"))
    return try filled(images.count * latentCount) {
      ae_encode_u8(shippedModels, handle, images.0, images.count, $0)
    }
  }

  /// Decodes codes.
  /// - Parameter latents: any number, `latentCount` finite numbers each.
  /// - Returns: `pixelCount` bytes for each.
  public func decode(_ latents: [Float]) throws(AutoencoderError) -> [UInt8] {
    let latents = (latents, count: try count(latents.count, of: latentCount, "codes of \(name)"))
    return try filled(latents.count * pixelCount) {
      ae_decode_u8(shippedModels, handle, latents.0, latents.count, $0)
    }
  }

  /// Draws images from a variational model; the same seed gives the same codes on every machine.
  public func sample(count: Int, seed: UInt64 = 0) throws(AutoencoderError) -> [UInt8] {
    guard count >= 0 else { throw AutoencoderError(.argument, "count must not be negative, it is \(count)") }
    return try filled(count * pixelCount) { ae_sample_u8(shippedModels, handle, count, seed, $0) }
  }

  /// Writes a weight file, whole or not at all.
  public func save(path: String, decoderOnly: Bool = false) throws(AutoencoderError) {
    try check(
      ae_model_save_file(handle, information.storage, decoderOnly ? UInt32(AE_SAVE_DECODER_ONLY) : 0, path))
  }
}

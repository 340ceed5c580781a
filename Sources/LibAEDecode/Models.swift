// ae.h, "Models": open, describe, free.

import Bytes
import CAE
import CSystem
import Core
import Latent
import Model
import Network
import Storage

/// The engine's model behind a handle.
@inline(never)
package func model(_ handle: OpaquePointer?) throws(AEError) -> Autoencoder {
  try object(handle, .model, Autoencoder.self)
}

/// Bytes in memory from outside, such as a weight file: NULL only if there are none.
package func bytes(_ data: UnsafeRawPointer?, _ byteCount: Int, _ name: StaticString) throws(AEError)
  -> Input<UInt8>
{
  try Input(data?.assumingMemoryBound(to: UInt8.self), count: byteCount, of: 1, name)
}

@implementation @_cdecl("ae_model_open")
public func ae_model_open(
  _ context: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ model: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(model, .model, in: context) { () throws(AEError) in
    let path = try checkedPath(path)
    let data = try WeightFile.bytes(try ByteInput(cPath: path))
    return try makeHandle(
      .model, try WeightFile.read(lazily: data, name: FileName.text(path)))
  }
}

@implementation @_cdecl("ae_model_open_memory")
public func ae_model_open_memory(
  _ context: OpaquePointer!, _ data: UnsafeRawPointer!, _ byte_count: Int,
  _ model: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(model, .model, in: context, reading: Span(data, byte_count, isWritten: false)) {
    () throws(AEError) in
    let data = try bytes(data, byte_count, "data")
    return try makeHandle(
      .model,
      try WeightFile.read(lazily: Buffer(borrowing: data.base, count: data.elementCount), name: "weights"))
  }
}

@implementation @_cdecl("ae_model_default")
public func ae_model_default(
  _ context: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ model: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(model, .model, in: context) { () throws(AEError) in
    let library = try contextBox(context).models()
    guard let name else { return try makeHandle(.model, try library.shipped(ShippedModel.standard)) }
    return try makeHandle(.model, try library.shipped(named: try text(name, "name")))
  }
}

@implementation @_cdecl("ae_model_free")
public func ae_model_free(_ model: OpaquePointer!) { freeHandle(model, .model, Autoencoder.self) }

@implementation @_cdecl("ae_model_info")
public func ae_model_info(
  _ model: OpaquePointer!, _ information: UnsafeMutablePointer<ae_model_information>!
) -> ae_status {
  boundary { () throws(AEError) in
    let source = try LibAEDecode.model(model)
    guard let information else { throw AEError(.argument, "information is NULL") }
    let architecture = source.architecture
    var result = ae_model_information()
    result.kind = Int32(architecture.kind.rawValue)
    result.storage = Int32(source.storage.rawValue)
    result.width = Int32(truncatingIfNeeded: architecture.width)
    result.height = Int32(truncatingIfNeeded: architecture.height)
    result.channels = Int32(truncatingIfNeeded: architecture.channels)
    result.latent_size = Int32(truncatingIfNeeded: architecture.latentCount)
    result.has_encoder = source.hasEncoder ? 1 : 0
    result.is_variational = architecture.isVariational ? 1 : 0
    result.has_codec = source.codec == nil ? 0 : 1
    result.quality_count = Int32(truncatingIfNeeded: source.codec?.rates.count ?? 0)
    result.parameter_count = UInt64(architecture.parameterCount)
    if source.codec != nil {
      storeText(SHA256.hex(try WeightFile.hash(source)), in: &result.hash)
    }
    storeText(source.name, in: &result.name)
    result.has_lossless = source.scanModel == nil ? 0 : 1
    result.default_quality = Int32(truncatingIfNeeded: source.codec?.defaultQuality ?? 0)
    result.has_predictor = source.predictor == nil ? 0 : 1
    try writeStruct(information, result)
  }
}

@implementation @_cdecl("ae_input_size")
public func ae_input_size(_ model: OpaquePointer!) -> Int {
  liveObject(model, .model, Autoencoder.self)?.inputCount ?? 0
}

@implementation @_cdecl("ae_latent_size")
public func ae_latent_size(_ model: OpaquePointer!) -> Int {
  liveObject(model, .model, Autoencoder.self)?.latentCount ?? 0
}

/// Fills a `char[65]` of a struct: cut to 64 bytes, never inside a character, NUL after it.
package func storeText<Field>(_ text: String, in field: inout Field) {
  withUnsafeMutableBytes(of: &field) { target in
    for index in target.indices { target[index] = 0 }
    let bytes = UTF8Text.bytes(text)
    var count = Swift.min(bytes.count, target.count - 1)
    while count < bytes.count, count > 0, bytes[count] & 0xC0 == 0x80 { count -= 1 }
    for index in 0..<count { target[index] = bytes[index] }
  }
}

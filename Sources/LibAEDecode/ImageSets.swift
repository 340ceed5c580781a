// ae.h, "Image sets": opened, described and read.

import Bytes
import CAE
import CSystem
import Container
import Core
import Model
import Storage

/// An open set and its context.
package final class SetBox: Sendable {
  package let set: CompressedSet
  package let context: ContextBox?

  package init(_ set: CompressedSet, _ context: ContextBox?) {
    self.set = set
    self.context = context
  }
}

package func setBox(_ handle: OpaquePointer?) throws(AEError) -> SetBox {
  try object(handle, .imageSet, SetBox.self)
}

// MARK: Opening

/// A handle of the set in `source`.
private func open(
  _ source: ByteSource, _ model: OpaquePointer?, _ context: OpaquePointer?, name: String
) throws(AEError) -> OpaquePointer {
  let box = try contextBox(context)
  let given = model == nil ? nil : try LibAEDecode.model(model)
  let set = try CompressedSet.open(source, model: given, name: name, library: try box.models())
  return try makeHandle(.imageSet, SetBox(set, box))
}

/// The bytes of a set's file: read as they are asked for where that can be.
package func setSource(_ path: UnsafePointer<CChar>) throws(AEError) -> ByteSource {
  if let source = try File.source(cPath: path) { return source }
  return ByteSource(try CompressedSet.bytes(try ByteInput(cPath: path)))
}

@implementation @_cdecl("ae_imageset_open")
public func ae_imageset_open(
  _ context: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ model: OpaquePointer!,
  _ set: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(set, .imageSet, in: context) { () throws(AEError) in
    let path = try checkedPath(path)
    return try open(try setSource(path), model, context, name: FileName.text(path))
  }
}

@implementation @_cdecl("ae_imageset_open_memory")
public func ae_imageset_open_memory(
  _ context: OpaquePointer!, _ data: UnsafeRawPointer!, _ byte_count: Int, _ model: OpaquePointer!,
  _ set: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(set, .imageSet, in: context, reading: Span(data, byte_count, isWritten: false)) {
    () throws(AEError) in
    let data = try bytes(data, byte_count, "data")
    let copy = try Buffer<UInt8>(copying: data.base, count: data.elementCount)
    return try open(ByteSource(copy), model, context, name: "image set")
  }
}

/// A host's callback and its context, which may be called from several threads.
private struct HostRead: @unchecked Sendable {
  let callback: ae_read_callback
  let context: UnsafeMutableRawPointer?
}

@implementation @_cdecl("ae_imageset_open_callback")
public func ae_imageset_open_callback(
  _ context: OpaquePointer!, _ read: ae_read_callback!, _ read_context: UnsafeMutableRawPointer!,
  _ byte_count: UInt64, _ model: OpaquePointer!, _ set: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(set, .imageSet, in: context) { () throws(AEError) in
    guard let read else { throw AEError(.argument, "read is NULL") }
    guard let count = Int(exactly: byte_count), count < 1 << 60 else {
      throw AEError(.argument, "a set of \(byte_count) bytes is more than can be addressed")
    }
    let host = HostRead(callback: read, context: read_context)
    let source = ByteSource(byteCount: count) { offset, target, count throws(AEError) in
      guard callHost({ host.callback(host.context, UInt64(offset), count, target) }) == 0 else {
        throw AEError(.io, "the callback could not read \(count) bytes from byte \(offset) on")
      }
    }
    return try open(source, model, context, name: "image set")
  }
}

@implementation @_cdecl("ae_imageset_free")
public func ae_imageset_free(_ set: OpaquePointer!) { freeHandle(set, .imageSet, SetBox.self) }

@implementation @_cdecl("ae_imageset_info")
public func ae_imageset_info(
  _ set: OpaquePointer!, _ information: UnsafeMutablePointer<ae_imageset_information>!
) -> ae_status {
  boundary { () throws(AEError) in
    let source = try setBox(set).set.information
    guard let information else { throw AEError(.argument, "information is NULL") }
    var result = ae_imageset_information()
    result.count = UInt64(clamping: source.count)
    result.width = Int32(truncatingIfNeeded: source.width)
    result.height = Int32(truncatingIfNeeded: source.height)
    result.channels = Int32(truncatingIfNeeded: source.channels)
    result.latent_size = Int32(truncatingIfNeeded: source.latentCount)
    result.quality = Int32(truncatingIfNeeded: source.quality)
    result.block_images = Int32(truncatingIfNeeded: source.blockImages)
    result.has_labels = source.hasLabels ? 1 : 0
    result.has_names = source.hasNames ? 1 : 0
    result.has_model = source.hasModel ? 1 : 0
    result.byte_count = UInt64(clamping: source.byteCount)
    // A set that needs no model but a predictor names the model whose that is.
    let isPredicted = !source.needsModel && source.needsPredictor
    storeText(SHA256.hex(isPredicted ? source.predictorHash : source.modelHash), in: &result.model_hash)
    storeText(isPredicted ? source.predictorName : source.modelName, in: &result.model_name)
    result.mode = Int32(source.mode.rawValue)
    result.max_error = Int32(truncatingIfNeeded: source.maxError)
    // Blocks that are deflated or stored need no more than contexts do.
    result.method = Int32(source.method?.rawValue ?? (source.mode == .lossy ? 0 : Method.contexts.rawValue))
    result.needs_model = source.needsModel || source.needsPredictor ? 1 : 0
    result.kept_count = source.mode == .lossy ? UInt64(clamping: source.rawImageCount) : 0
    result.scale_quality = Int32(
      truncatingIfNeeded: ShippedModel.scaleQuality(source.quality, hash: source.modelHash))
    result.needs_predictor = source.needsPredictor ? 1 : 0
    storeText(SHA256.hex(source.predictorHash), in: &result.predictor_hash)
    storeText(source.predictorName, in: &result.predictor_name)
    try writeStruct(information, result)
  }
}

// MARK: Reading

/// A range of a set's images and the array that a call fills for it.
private func read<Element: BitwiseCopyable>(
  _ handle: OpaquePointer?, _ first: UInt64, _ count: Int, _ output: UnsafeMutablePointer<Element>?,
  _ name: StaticString, size: (CompressedSetInformation) -> Int,
  _ body: (CompressedSet, Int, Output<Element>) throws(AEError) -> Void
) -> ae_status {
  boundary { () throws(AEError) in
    let box = try setBox(handle)
    let set = box.set
    let target = try Output(output, count: count, of: size(set.information), name)
    guard let first = Int(exactly: first) else {
      throw AEError(.argument, "image \(first) was asked for; the set has \(set.information.count)")
    }
    try box.context.run { () throws(AEError) in try body(set, first, target) }
  }
}

@implementation @_cdecl("ae_imageset_read")
public func ae_imageset_read(
  _ set: OpaquePointer!, _ first: UInt64, _ count: Int, _ images: UnsafeMutablePointer<UInt8>!
) -> ae_status {
  read(set, first, count, images, "images", size: { $0.shape.byteCount }) {
    (set, first, images) throws(AEError) in
    try set.read(first: first, count: count, into: images.base)
  }
}

@implementation @_cdecl("ae_imageset_salvage")
public func ae_imageset_salvage(
  _ set: OpaquePointer!, _ first: UInt64, _ count: Int, _ images: UnsafeMutablePointer<UInt8>!,
  _ lost: UnsafeMutablePointer<UInt8>!, _ lost_count: UnsafeMutablePointer<Int>!
) -> ae_status {
  read(set, first, count, images, "images", size: { images == nil ? 0 : $0.shape.byteCount }) {
    (set, first, target) throws(AEError) in
    let lostOutput = lost == nil ? nil : try Output(lost, count: count, of: 1, "lost")
    let countSpan = Span(writes: lost_count)
    if let lostOutput {
      try lostOutput.span.apart(from: target.span, "images and lost")
      try lostOutput.span.apart(from: countSpan, "lost and lost_count")
    }
    try target.span.apart(from: countSpan, "images and lost_count")
    let marks = lostOutput?.base
    marks?.update(repeating: 0, count: count)
    var total = 0
    try set.salvage(first: first, count: count, into: images == nil ? nil : target.base) { damage in
      marks.map { $0 + damage.images.lowerBound - first }?.update(repeating: 1, count: damage.images.count)
      total += damage.images.count
    }
    lost_count?.pointee = total
  }
}

@implementation @_cdecl("ae_imageset_latents")
public func ae_imageset_latents(
  _ set: OpaquePointer!, _ first: UInt64, _ count: Int, _ latents: UnsafeMutablePointer<Float>!
) -> ae_status {
  read(set, first, count, latents, "latents", size: { $0.latentCount }) {
    (set, first, latents) throws(AEError) in
    try set.latents(first: first, count: count, into: latents.base)
  }
}

@implementation @_cdecl("ae_imageset_labels")
public func ae_imageset_labels(
  _ set: OpaquePointer!, _ first: UInt64, _ count: Int, _ labels: UnsafeMutablePointer<UInt8>!
) -> ae_status {
  read(set, first, count, labels, "labels", size: { _ in 1 }) { (set, first, target) throws(AEError) in
    guard let labels = try set.labels() else { throw AEError(.kind, "the set has no labels") }
    guard first <= labels.count, count <= labels.count - first else {
      throw AEError(
        .argument, "labels of \(count) images from \(first) on were asked for; it has \(labels.count)")
    }
    target.base.update(from: labels.base + first, count: count)
  }
}

@implementation @_cdecl("ae_imageset_name")
public func ae_imageset_name(
  _ set: OpaquePointer!, _ index: UInt64, _ out: UnsafeMutablePointer<CChar>!, _ capacity: Int,
  _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  /// The name with its closing NUL.
  func name() throws(AEError) -> Buffer<UInt8> {
    guard let names = try setBox(set).set.names() else { throw AEError(.kind, "the set has no names") }
    guard let position = Int(exactly: index), position < names.count else {
      throw AEError(.argument, "the name of image \(index) was asked for; the set has \(names.count) images")
    }
    let bytes = names.bytes(at: position)
    let result = try Buffer<UInt8>(count: bytes.count + 1)
    if let base = bytes.baseAddress { result.base.update(from: base, count: bytes.count) }
    return result
  }
  return produce(
    out.map { UnsafeMutableRawPointer($0) }, capacity: capacity, size: size,
    bound: { () throws(AEError) in try name().count }, make: name)
}

// ae.h, "Image sets": compress to memory, open, describe, read any range.

import Bytes
import CAE
import CSystem
import Container
import Core
import Model
import Network
import Storage

private func imageSet(_ handle: OpaquePointer?) throws(AEError) -> CompressedSet {
  try object(handle, .imageSet, CompressedSet.self)
}

// MARK: Compressing

@implementation @_cdecl("ae_compress_options_init")
public func ae_compress_options_init(
  _ options: UnsafeMutablePointer<ae_compress_options>!, _ struct_size: Int
) -> ae_status {
  boundary { () throws(AEError) in
    guard let options else { throw AEError(.argument, "options is NULL") }
    // Every default is 0 or NULL.
    try writeStruct(options, ae_compress_options(), size: struct_size)
  }
}

/// What ae_compress and ae_compress_bound are to do, checked and as the engine takes it.
private struct CompressionOrder {
  let model: Autoencoder?
  let width: Int
  let height: Int
  let labels: UnsafePointer<UInt8>?
  let progress: ae_count_callback?
  let context: UnsafeMutableRawPointer?
  var options = CompressionOptions()

  init(_ handle: OpaquePointer?, _ pointer: UnsafePointer<ae_compress_options>?) throws(AEError) {
    var given = ae_compress_options()
    if let pointer {
      try readStruct(pointer, over: &given)
    }
    try CompressionOrder.checkFlag(given.embed_model, "embed_model")
    try CompressionOrder.checkFlag(given.preview, "preview")
    guard let mode = UInt8(exactly: given.layer).flatMap({ Mode(rawValue: $0) }) else {
      throw AEError(.argument, "layer must be in 0 ... 2, not \(given.layer)")
    }
    options.mode = mode
    options.maxError = Int(given.max_error)
    guard (0...9).contains(given.effort), given.effort == 0 || mode != .lossy else {
      throw AEError(
        .argument,
        mode == .lossy
          ? "effort \(given.effort) is for exact and near-exact sets alone"
          : "effort must be in 1 ... 9, not \(given.effort)")
    }
    guard given.effort <= 2 else {
      throw AEError(.kind, "effort \(given.effort): no model has more than 2")
    }
    options.method = Method(rawValue: UInt8(given.effort))
    options.keepsCodes = given.preview != 0
    options.quality = Int(given.quality)
    options.embedModel = given.embed_model == 1
    options.blockImages = Int(given.block_images)
    labels = given.labels
    progress = given.progress
    context = given.context
    let hasSize = given.width != 0 || given.height != 0
    model = handle == nil && mode != .lossy && hasSize ? nil : try LibAE.model(handle)
    width = hasSize ? Int(given.width) : model?.architecture.width ?? 0
    height = hasSize ? Int(given.height) : model?.architecture.height ?? 0
    // The size is a factor of counts below, so it is checked before the engine does.
    guard (1...Architecture.maximumSide).contains(width), (1...Architecture.maximumSide).contains(height)
    else {
      throw AEError(
        .argument,
        "images of \(width) x \(height): sides must be in 1 ... \(Architecture.maximumSide)")
    }
  }

  private static func checkFlag(_ value: Int32, _ name: StaticString) throws(AEError) {
    guard value == 0 || value == 1 else { throw AEError(.argument, "\(name) must be 0 or 1, not \(value)") }
  }

  func bound(_ count: Int) throws(AEError) -> Int {
    guard count >= 0, count <= ImageSet.maximumCount else {
      throw AEError(
        .argument, "a set has at most \(ImageSet.maximumCount) images, not \(UInt(bitPattern: count))")
    }
    return try compressedBound(
      width: width, height: height, count: count, hasLabels: labels != nil, with: model, options: options)
  }

  func make(_ images: UnsafePointer<UInt8>?, count: Int) throws(AEError) -> Buffer<UInt8> {
    let source = try Input(images, count: count, of: width * height, "images")
    // The engine keeps nothing of a set that it compresses.
    var hook: Monitor.Hook?
    if let progress {
      let context = context
      hook = { done, total in
        callHost { progress(context, UInt64(clamping: done), UInt64(clamping: total)) == 0 }
      }
    }
    return try compress(
      Buffer(borrowing: source.base, count: source.elementCount), width: width, height: height, count: count,
      labels: labels.map { Buffer(borrowing: $0, count: count) }, with: model, options: options,
      onProgress: hook)
  }
}

@implementation @_cdecl("ae_compress_bound")
public func ae_compress_bound(
  _ model: OpaquePointer!, _ count: Int, _ options: UnsafePointer<ae_compress_options>!,
  _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  boundary { () throws(AEError) in
    guard let size else { throw AEError(.argument, "the pointer that takes the size is NULL") }
    try Span(writes: size).apart(from: Span(reads: options), "options and size")
    size.pointee = 0
    size.pointee = try CompressionOrder(model, options).bound(count)
  }
}

@implementation @_cdecl("ae_compress")
public func ae_compress(
  _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ options: UnsafePointer<ae_compress_options>!, _ out: UnsafeMutableRawPointer!, _ capacity: Int,
  _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  produce(
    out, capacity: capacity, size: size,
    check: { (out, size) throws(AEError) in
      let order = try CompressionOrder(model, options)
      let source = try Input(images, count: count, of: order.width * order.height, "images").span
      let labels = Span(order.labels, count, isWritten: false)
      let options = Span(reads: options)
      try out.apart(from: source, "images and out")
      try out.apart(from: labels, "labels and out")
      try out.apart(from: options, "options and out")
      try size.apart(from: source, "images and size")
      try size.apart(from: labels, "labels and size")
      try size.apart(from: options, "options and size")
    },
    bound: { () throws(AEError) in
      let order = try CompressionOrder(model, options)
      _ = try Input(images, count: count, of: order.width * order.height, "images")
      return try order.bound(count)
    },
    make: { () throws(AEError) in try CompressionOrder(model, options).make(images, count: count) })
}

@implementation @_cdecl("ae_compress_file")
public func ae_compress_file(
  _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ options: UnsafePointer<ae_compress_options>!, _ path: UnsafePointer<CChar>!
) -> ae_status {
  boundary { () throws(AEError) in
    let path = try checkedPath(path)
    let file = try CompressionOrder(model, options).make(images, count: count)
    try File.write(cPath: path, file.base, file.count, overwrite: true)
  }
}

// MARK: Opening

/// The model given with a set, or nil for NULL.
private func optionalModel(_ handle: OpaquePointer?) throws(AEError) -> Autoencoder? {
  handle == nil ? nil : try model(handle)
}

@implementation @_cdecl("ae_imageset_open")
public func ae_imageset_open(
  _ path: UnsafePointer<CChar>!, _ model: OpaquePointer!, _ set: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(set, .imageSet) { () throws(AEError) in
    let path = try checkedPath(path)
    let model = try optionalModel(model)
    // What has no length, such as a pipe, is read to its end.
    var file = try File.source(cPath: path)
    if file == nil { file = ByteSource(try CompressedSet.bytes(try ByteInput(cPath: path))) }
    guard let file else { throw AEError(.internal, "no bytes to open") }
    return try makeHandle(
      .imageSet, try CompressedSet(file, model: model, name: FileName.text(path)))
  }
}

@implementation @_cdecl("ae_imageset_open_memory")
public func ae_imageset_open_memory(
  _ data: UnsafeRawPointer!, _ byte_count: Int, _ model: OpaquePointer!,
  _ set: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(set, .imageSet, reading: Span(data, byte_count, isWritten: false)) { () throws(AEError) in
    let model = try optionalModel(model)
    let data = try bytes(data, byte_count, "data")
    let copy = try Buffer<UInt8>(copying: data.base, count: data.elementCount)
    return try makeHandle(.imageSet, try CompressedSet(copy, model: model, name: "image set"))
  }
}

@implementation @_cdecl("ae_imageset_free")
public func ae_imageset_free(_ set: OpaquePointer!) { freeHandle(set, .imageSet, CompressedSet.self) }

@implementation @_cdecl("ae_imageset_info")
public func ae_imageset_info(
  _ set: OpaquePointer!, _ information: UnsafeMutablePointer<ae_imageset_information>!
) -> ae_status {
  boundary { () throws(AEError) in
    let source = try imageSet(set).information
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
    storeText(SHA256.hex(source.modelHash), in: &result.model_hash)
    storeText(source.modelName, in: &result.model_name)
    result.layer = Int32(source.mode.rawValue)
    result.max_error = Int32(truncatingIfNeeded: source.maxError)
    result.effort = Int32(source.method?.rawValue ?? 0)
    result.needs_model = source.needsModel ? 1 : 0
    result.kept_count = source.mode == .lossy ? UInt64(clamping: source.rawImageCount) : 0
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
    let set = try imageSet(handle)
    let target = try Output(output, count: count, of: size(set.information), name)
    guard let first = Int(exactly: first) else {
      throw AEError(.argument, "image \(first) was asked for; the set has \(set.information.count)")
    }
    try body(set, first, target)
  }
}

@implementation @_cdecl("ae_imageset_read")
public func ae_imageset_read(
  _ set: OpaquePointer!, _ first: UInt64, _ count: Int, _ images: UnsafeMutablePointer<UInt8>!
) -> ae_status {
  read(set, first, count, images, "images", size: { $0.width * $0.height * $0.channels }) {
    (set, first, images) throws(AEError) in
    try set.read(first: first, count: count, into: images.base)
  }
}

@implementation @_cdecl("ae_imageset_salvage")
public func ae_imageset_salvage(
  _ set: OpaquePointer!, _ first: UInt64, _ count: Int, _ images: UnsafeMutablePointer<UInt8>!,
  _ lost: UnsafeMutablePointer<UInt8>!, _ lost_count: UnsafeMutablePointer<Int>!
) -> ae_status {
  read(set, first, count, images, "images", size: { images == nil ? 0 : $0.width * $0.height }) {
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
    guard let names = try imageSet(set).names() else { throw AEError(.kind, "the set has no names") }
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

// ae.h, "Image sets": compression at once, writers, and copies of blocks.

import Bytes
import CAE
import CSystem
import Container
import Core
import LibAEDecode
import Lossless
import Model
import Storage

// MARK: At once

/// The checked arguments of ae_compress and ae_compress_bound.
private func plan(
  _ context: OpaquePointer?, _ model: OpaquePointer?, _ options: OpaquePointer?
) throws(AEError) -> CompressionPlan {
  try CompressionPlan(
    try compressionOptions(options), model: model == nil ? nil : try LibAEDecode.model(model),
    library: try contextBox(context).models())
}

private func bound(_ plan: CompressionPlan, _ count: Int) throws(AEError) -> Int {
  guard count >= 0, count <= ImageSet.maximumCount else {
    throw AEError(
      .argument, "a set has at most \(ImageSet.maximumCount) images, not \(UInt(bitPattern: count))")
  }
  return try compressedBound(count: count, hasLabels: true, plan)
}

@implementation @_cdecl("ae_compress_bound")
public func ae_compress_bound(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ count: Int, _ options: OpaquePointer!,
  _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  boundary(context) { () throws(AEError) in
    guard let size else { throw AEError(.argument, "the pointer that takes the size is NULL") }
    size.pointee = 0
    size.pointee = try bound(try plan(context, model, options), count)
  }
}

@implementation @_cdecl("ae_compress")
public func ae_compress(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ labels: UnsafePointer<UInt8>!, _ options: OpaquePointer!, _ out: UnsafeMutableRawPointer!,
  _ capacity: Int,
  _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  produce(
    in: context, out, capacity: capacity, size: size,
    check: { (out, size) throws(AEError) in
      let plan = try plan(context, model, options)
      let source = try Input(images, count: count, of: plan.shape.byteCount, "images").span
      let labels = Span(labels, count, isWritten: false)
      try out.apart(from: source, "images and out")
      try out.apart(from: labels, "labels and out")
      try size.apart(from: source, "images and size")
      try size.apart(from: labels, "labels and size")
    },
    bound: { () throws(AEError) in try bound(try plan(context, model, options), count) },
    make: { () throws(AEError) in
      let plan = try plan(context, model, options)
      let source = try Input(images, count: count, of: plan.shape.byteCount, "images")
      return try compress(
        Buffer(borrowing: source.base, count: source.elementCount), count: count,
        labels: labels.map { Buffer(borrowing: $0, count: count) }, plan)
    })
}

// MARK: Writers

/// A writer, its sink and its context.
private final class WriterBox {
  enum Kind {
    case planned(PlannedWriter)
    case copying(SetWriter)
  }

  let kind: Kind
  let context: ContextBox?
  let file: OutputFile?
  let imageSize: Int
  /// The error after which the writer cannot be used: part of its set may be missing.
  private var failure: AEError?

  init(_ kind: Kind, _ context: ContextBox?, _ file: OutputFile?, imageSize: Int) {
    self.kind = kind
    self.context = context
    self.file = file
    self.imageSize = imageSize
  }

  /// Runs `body` in the writer's context. Arguments are refused before anything is written; after any other error part of
  /// the set may be missing, and the writer cannot be used.
  func use(_ body: () throws(AEError) -> Void) throws(AEError) {
    if let failure { throw failure.at("the writer has failed before") }
    do throws(AEError) {
      try context.run(body)
    } catch {
      switch error.code {
      case .argument, .model, .kind, .shape: break
      default: failure = error
      }
      throw error
    }
  }

  func finish() throws(AEError) {
    try use { () throws(AEError) in
      switch kind {
      case .planned(let writer): try writer.finish()
      case .copying(let writer): try writer.finish()
      }
      try file?.finish()
    }
  }
}

private func writerBox(_ handle: OpaquePointer?) throws(AEError) -> WriterBox {
  try object(handle, .writer, WriterBox.self)
}

/// A sink that hands bytes to a callback of the host's.
private func sink(_ write: ae_write_callback?, _ context: UnsafeMutableRawPointer?) throws(AEError)
  -> SetWriter.Sink
{
  guard let write else { throw AEError(.argument, "write is NULL") }
  return { bytes, count throws(AEError) in
    guard callHost({ write(context, bytes, count) }) == 0 else {
      throw AEError(.io, "the callback did not take \(count) bytes of the set")
    }
  }
}

private func sink(_ file: OutputFile) -> SetWriter.Sink {
  { bytes, count throws(AEError) in try file.append(bytes, count) }
}

@implementation @_cdecl("ae_writer_create")
public func ae_writer_create(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ options: OpaquePointer!, _ write: ae_write_callback!,
  _ write_context: UnsafeMutableRawPointer!, _ writer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(writer, .writer, in: context) { () throws(AEError) in
    let plan = try plan(context, model, options)
    let planned = try PlannedWriter(plan, sink: try sink(write, write_context))
    return try makeHandle(
      .writer,
      WriterBox(.planned(planned), try contextBox(context), nil, imageSize: plan.shape.byteCount))
  }
}

@implementation @_cdecl("ae_writer_create_file")
public func ae_writer_create_file(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ options: OpaquePointer!,
  _ path: UnsafePointer<CChar>!,
  _ writer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(writer, .writer, in: context) { () throws(AEError) in
    let path = try checkedPath(path)
    let plan = try plan(context, model, options)
    let file = try OutputFile(cPath: path, overwrite: true)
    let planned = try PlannedWriter(plan, sink: sink(file))
    return try makeHandle(
      .writer,
      WriterBox(.planned(planned), try contextBox(context), file, imageSize: plan.shape.byteCount))
  }
}

@implementation @_cdecl("ae_writer_create_like")
public func ae_writer_create_like(
  _ context: OpaquePointer!, _ set: OpaquePointer!, _ write: ae_write_callback!,
  _ write_context: UnsafeMutableRawPointer!, _ writer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(writer, .writer, in: context) { () throws(AEError) in
    let set = try setBox(set).set
    let copying = try SetWriter(like: [set], sink: try sink(write, write_context))
    return try makeHandle(
      .writer,
      WriterBox(
        .copying(copying), try contextBox(context), nil,
        imageSize: set.information.shape.byteCount))
  }
}

@implementation @_cdecl("ae_writer_append_file")
public func ae_writer_append_file(
  _ context: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ model: OpaquePointer!,
  _ writer: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(writer, .writer, in: context) { () throws(AEError) in
    let path = try checkedPath(path)
    let box = try contextBox(context)
    let given = model == nil ? nil : try LibAEDecode.model(model)
    let name = FileName.text(path)
    var set = try CompressedSet(blocksOf: try setSource(path), name: name)
    let library = try box.models()
    let encoder = try CompressedSet.encoder(of: set.information, name: name, given: given, library: library)
    // A decoder that is embedded is enough for scans.
    if encoder == nil, set.information.hasModel {
      set = try CompressedSet.open(try setSource(path), model: nil, name: name, library: library)
    }
    let file = try OutputFile(cPath: path, overwrite: true)
    let predictor = try CompressedSet.predictor(
      of: set.information, name: name, given: given, library: library)
    let copying = try SetWriter(like: [set], model: encoder, predictor: predictor, sink: sink(file))
    try copying.add(blocksOf: set)
    return try makeHandle(
      .writer,
      WriterBox(.copying(copying), box, file, imageSize: set.information.shape.byteCount))
  }
}

@implementation @_cdecl("ae_writer_set_progress")
public func ae_writer_set_progress(
  _ writer: OpaquePointer!, _ progress: ae_count_callback!, _ progress_context: UnsafeMutableRawPointer!
) -> ae_status {
  boundary { () throws(AEError) in
    let box = try writerBox(writer)
    var hook: Monitor.Hook?
    if let progress {
      // The number of images is not known yet.
      hook = { done, _ in callHost { progress(progress_context, UInt64(clamping: done), 0) == 0 } }
    }
    switch box.kind {
    case .planned(let writer): writer.onProgress = hook
    case .copying(let writer): writer.onProgress = hook
    }
  }
}

@implementation @_cdecl("ae_writer_add")
public func ae_writer_add(
  _ writer: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int, _ labels: UnsafePointer<UInt8>!,
  _ names: UnsafePointer<UnsafePointer<CChar>?>!
) -> ae_status {
  boundary { () throws(AEError) in
    let box = try writerBox(writer)
    let source = try Input(images, count: count, of: box.imageSize, "images")
    var list: [String]?
    if let names {
      var given: [String] = []
      for index in 0..<count {
        guard let name = names[index] else { throw AEError(.argument, "name \(index) is NULL") }
        do throws(AEError) {
          given.append(try text(name, "it"))
        } catch {
          throw AEError(.argument, "name \(index): \(error.message)")
        }
      }
      list = given
    }
    try box.use { () throws(AEError) in
      switch box.kind {
      case .planned(let writer): try writer.add(source.base, count: count, labels: labels, names: list)
      case .copying(let writer): try writer.add(source.base, count: count, labels: labels, names: list)
      }
    }
  }
}

@implementation @_cdecl("ae_writer_add_set")
public func ae_writer_add_set(
  _ writer: OpaquePointer!, _ set: OpaquePointer!, _ first: UInt64, _ count: UInt64
) -> ae_status {
  boundary { () throws(AEError) in
    let box = try writerBox(writer)
    let set = try setBox(set).set
    let range = try range(first, count, of: set)
    try box.use { () throws(AEError) in
      switch box.kind {
      case .planned(let writer): try writer.add(blocksOf: set, images: range)
      case .copying(let writer): try writer.add(blocksOf: set, images: range)
      }
    }
  }
}

/// Images of a set that a caller names by the first and their number.
private func range(_ first: UInt64, _ count: UInt64, of set: CompressedSet) throws(AEError) -> Range<Int> {
  let total = UInt64(clamping: set.information.count)
  guard first <= total, count <= total - first else {
    throw AEError(.argument, "\(count) images from image \(first) on were asked for; the set has \(total)")
  }
  return Int(first)..<Int(first + count)
}

@implementation @_cdecl("ae_writer_finish")
public func ae_writer_finish(_ writer: OpaquePointer!) -> ae_status {
  boundary { () throws(AEError) in
    try writerBox(writer).finish()
  }
}

@implementation @_cdecl("ae_writer_free")
public func ae_writer_free(_ writer: OpaquePointer!) { freeHandle(writer, .writer, WriterBox.self) }

// MARK: Copies of blocks

/// The set in a file, for its blocks alone: a model that they need is named, and not looked for. There may be more
/// sets than a process may have files open.
private func blocks(_ path: String) throws(AEError) -> CompressedSet {
  if let source = try File.reopeningSource(path) { return try CompressedSet(blocksOf: source, name: path) }
  let file = try CompressedSet.bytes(try ByteInput(path: path, gunzips: false))
  return try CompressedSet(blocksOf: ByteSource(file), name: path)
}

@implementation @_cdecl("ae_concatenate_files")
public func ae_concatenate_files(
  _ context: OpaquePointer!, _ paths: UnsafePointer<UnsafePointer<CChar>?>!, _ path_count: Int,
  _ out_path: UnsafePointer<CChar>!
) -> ae_status {
  boundary(context) { () throws(AEError) in
    let target = try checkedPath(out_path)
    guard let paths, path_count > 0, path_count <= 1 << 24 else {
      throw AEError(.argument, "paths is NULL, or their count, \(path_count), is not in 1 ... 16777216")
    }
    var sets: [CompressedSet] = []
    for index in 0..<path_count {
      try checkMemory()
      sets.append(try blocks(FileName.text(try checkedPath(paths[index]))))
    }
    let file = try OutputFile(cPath: target, overwrite: true)
    try concatenate(sets, sink: sink(file))
    try file.finish()
  }
}

@implementation @_cdecl("ae_split_file")
public func ae_split_file(
  _ context: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ first: UInt64, _ count: UInt64,
  _ out_path: UnsafePointer<CChar>!
) -> ae_status {
  boundary(context) { () throws(AEError) in
    let target = try checkedPath(out_path)
    let set = try blocks(FileName.text(try checkedPath(path)))
    let range = try range(first, count, of: set)
    let file = try OutputFile(cPath: target, overwrite: true)
    let writer = try SetWriter(like: [set], sink: sink(file))
    try writer.add(blocksOf: set, images: range)
    try writer.finish()
    try file.finish()
  }
}

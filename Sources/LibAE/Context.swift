// ae.h, "Contexts": what threads and memory a call works with, and the boundary of calls that are given one.

import CAE
import CSystem
import Core

/// `boundary` for an entry point that takes a context, in which its body runs; NULL is the process's defaults.
func boundary(_ context: OpaquePointer?, _ body: () throws(AEError) -> Void) -> ae_status {
  boundary { () throws(AEError) in
    guard context != nil else { return try body() }
    try object(context, .context, Context.self).run(body)
  }
}

@implementation @_cdecl("ae_context_options_init")
public func ae_context_options_init(
  _ options: UnsafeMutablePointer<ae_context_options>!, _ struct_size: Int
) -> ae_status {
  boundary { () throws(AEError) in
    guard let options else { throw AEError(.argument, "options is NULL") }
    // Every default is 0 or NULL.
    try writeStruct(options, ae_context_options(), size: struct_size)
  }
}

@implementation @_cdecl("ae_context_create")
public func ae_context_create(
  _ options: UnsafePointer<ae_context_options>!, _ context: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(context, .context, reading: Span(reads: options)) { () throws(AEError) in
    var given = ae_context_options()
    if let options { try readStruct(options, over: &given) }
    var allocator: Context.Allocator?
    if let allocate = given.allocate, let free = given.free {
      allocator = Context.Allocator(allocate: allocate, free: free, host: given.allocator)
    } else if given.allocate != nil || given.free != nil {
      throw AEError(.argument, "allocate and free must be both given, or both NULL")
    }
    return try makeHandle(
      .context,
      try Context(
        threads: Int(given.threads), allocator: allocator, modelFolders: try folders(given.model_path)))
  }
}

@implementation @_cdecl("ae_context_free")
public func ae_context_free(_ context: OpaquePointer!) { freeHandle(context, .context, Context.self) }

/// The folders of a path of folders, ':' between them; empty ones are left out.
private func folders(_ path: UnsafePointer<CChar>?) throws(AEError) -> [[CChar]] {
  guard let path else { return [] }
  try checkLength(path, "model_path")
  var folders: [[CChar]] = []
  var folder: [CChar] = []
  var index = 0
  while true {
    let byte = path[index]
    if byte != 0 && byte != CChar(UInt8(ascii: ":")) {
      folder.append(byte)
    } else if !folder.isEmpty {
      folders.append(folder + [0])
      folder = []
    }
    if byte == 0 { return folders }
    index += 1
  }
}

// ae.h, "Contexts": threads, memory and model path of calls, and the boundary of calls that take a context.

import Bytes
import CAE
import CSystem
import Core
import Storage

/// The object of an ae_context: the context of calls, and the models that they find.
package final class ContextBox: Sendable {
  package let context: Context
  package let library: ModelLibrary

  init(_ context: Context, places: [String]) throws(AEError) {
    self.context = context
    // What the library keeps is the context's.
    library = try context.run { () throws(AEError) in ModelLibrary(places: places) }
  }
}

private let processLibrary = Lazy<ModelLibrary>()

/// The context of a handle; nil for NULL.
@inline(never)
package func contextBox(_ handle: OpaquePointer?) throws(AEError) -> ContextBox? {
  handle == nil ? nil : try object(handle, .context, ContextBox.self)
}

extension ContextBox? {
  /// Runs `body` as the context says.
  package func run<Result>(_ body: () throws(AEError) -> Result) throws(AEError) -> Result {
    guard let self else { return try body() }
    return try self.context.run(body)
  }

  /// The models that calls find.
  package func models() throws(AEError) -> ModelLibrary {
    if let self { return self.library }
    return try processLibrary.value { () throws(AEError) in ModelLibrary() }
  }
}

/// `boundary` for an entry point that takes a context, in which its body runs; NULL is the process's defaults.
package func boundary(_ context: OpaquePointer?, _ body: () throws(AEError) -> Void) -> ae_status {
  boundary { () throws(AEError) in
    guard context != nil else { return try body() }
    try object(context, .context, ContextBox.self).context.run(body)
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
    var places: [String] = []
    if let path = given.model_path {
      try checkLength(path, "model_path")
      places = ModelLibrary.listed(FileName.text(path))
    }
    let context = try Context(threads: Int(given.threads), allocator: allocator)
    return try makeHandle(.context, try ContextBox(context, places: places))
  }
}

@implementation @_cdecl("ae_context_free")
public func ae_context_free(_ context: OpaquePointer!) { freeHandle(context, .context, ContextBox.self) }

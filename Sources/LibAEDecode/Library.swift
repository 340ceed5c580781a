// ae.h, "Version", "Errors" and "Threads": what concerns the library as a whole.

import Bytes
import CAE
import CKernels
import CSystem
import Compute
import Core

@implementation @_cdecl("ae_version")
public func ae_version() -> UInt32 {
  UInt32(AE_VERSION_MAJOR * 1_000_000 + AE_VERSION_MINOR * 1000 + AE_VERSION_PATCH)
}

@implementation @_cdecl("ae_abi_version")
public func ae_abi_version() -> UInt32 { UInt32(AE_ABI_VERSION) }

#if hasFeature(Embedded)
  private let buildMode: StaticString = "embedded Swift"
#else
  private let buildMode: StaticString = "ordinary Swift"
#endif

/// Made at first use and kept: callers hold on to the pointer.
private final class BuildInfo: Sendable {
  nonisolated(unsafe) let text: UnsafePointer<CChar>

  init() throws(AEError) {
    let bytes = UTF8Text.bytes(
      sentence(
        "libae \(AE_VERSION_MAJOR).\(AE_VERSION_MINOR).\(AE_VERSION_PATCH), \(kernelPathName) kernels, "
          + "aew 1, aez 1 to 3, \(buildMode)"))
    guard let memory = cs_allocate(bytes.count + 1) else { throw AEError(.memory, "cannot allocate a text") }
    bytes.withUnsafeBytes { source in
      if let base = source.baseAddress { memory.copyMemory(from: base, byteCount: source.count) }
    }
    text = UnsafePointer(memory.assumingMemoryBound(to: CChar.self))
  }

  deinit { cs_free(UnsafeMutableRawPointer(mutating: text)) }
}

private let buildInfo = Lazy<BuildInfo>()

@implementation @_cdecl("ae_build_info")
public func ae_build_info() -> UnsafePointer<CChar>! {
  var text = cString("libae")
  _ = boundary { () throws(AEError) in
    text = try buildInfo.value { () throws(AEError) in try BuildInfo() }.text
  }
  return text
}

@implementation @_cdecl("ae_status_string")
public func ae_status_string(_ status: ae_status) -> UnsafePointer<CChar>! {
  if status == AE_OK { return cString("AE_OK") }
  switch AEError.Code(rawValue: status) {
  case .argument: return cString("AE_ERROR_ARGUMENT")
  case .memory: return cString("AE_ERROR_MEMORY")
  case .io: return cString("AE_ERROR_IO")
  case .format: return cString("AE_ERROR_FORMAT")
  case .checksum: return cString("AE_ERROR_CHECKSUM")
  case .version: return cString("AE_ERROR_VERSION")
  case .kind: return cString("AE_ERROR_KIND")
  case .shape: return cString("AE_ERROR_SHAPE")
  case .model: return cString("AE_ERROR_MODEL")
  case .buffer: return cString("AE_ERROR_BUFFER")
  case .stopped: return cString("AE_ERROR_STOPPED")
  case .diverged: return cString("AE_ERROR_DIVERGED")
  case .internal: return cString("AE_ERROR_INTERNAL")
  case nil: return cString("an unknown ae_status")
  }
}

@implementation @_cdecl("ae_last_error")
public func ae_last_error() -> UnsafePointer<CChar>! { cs_error_get() }

@implementation @_cdecl("ae_last_errno")
public func ae_last_errno() -> Int32 { cs_errno_get() }

@implementation @_cdecl("ae_set_threads")
public func ae_set_threads(_ threads: Int32) -> ae_status {
  boundary { () throws(AEError) in
    guard (0...256).contains(threads) else {
      throw AEError(
        .argument, "threads must be in 1 ... 256, or 0 for the machine's processors, not \(threads)")
    }
    setThreadCount(Int(threads))
  }
}

@implementation @_cdecl("ae_release_memory")
public func ae_release_memory() {
  ck_scratch_trim()
  cs_reserve_trim()
}

@implementation @_cdecl("ae_threads")
public func ae_threads() -> Int32 { ck_process_thread_count() }

/// A literal as C sees it: literals lie in the library's read-only data, with a closing NUL.
package func cString(_ literal: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}

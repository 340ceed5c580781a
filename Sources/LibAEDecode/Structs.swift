// Structs that cross the boundary and may grow at their end: read from callers and filled for them by the length
// that the caller gives. It is its own file because the lengths that are accepted are a promise: those of the first
// version with this soname and of every one since.

import CAE
import Core

/// A struct of ae.h that begins with struct_size.
///
/// A new field goes to the end, at or after the size that the struct had: in what was padding, an earlier caller
/// leaves whatever lay there.
package protocol GrowingStruct {
  /// Its name in ae.h, for messages.
  static var structName: StaticString { get }
  /// Bytes it had in version 0.2.0. Tests/abi holds callers of that version against it.
  static var firstSize: Int { get }
}

extension ae_model_information: GrowingStruct {
  package static var structName: StaticString { "ae_model_information" }
  package static var firstSize: Int { 200 }
}

extension ae_imageset_information: GrowingStruct {
  package static var structName: StaticString { "ae_imageset_information" }
  package static var firstSize: Int { 232 }
}

extension ae_training_progress: GrowingStruct {
  package static var structName: StaticString { "ae_training_progress" }
  package static var firstSize: Int { 72 }
}

extension ae_context_options: GrowingStruct {
  package static var structName: StaticString { "ae_context_options" }
  package static var firstSize: Int { 48 }
}

extension ae_option_information: GrowingStruct {
  package static var structName: StaticString { "ae_option_information" }
  package static var firstSize: Int { 80 }
}

extension ae_preset_information: GrowingStruct {
  package static var structName: StaticString { "ae_preset_information" }
  package static var firstSize: Int { 32 }
}

extension ae_tensor: GrowingStruct {
  package static var structName: StaticString { "ae_tensor" }
  package static var firstSize: Int { 32 }
}

extension ae_quality_information: GrowingStruct {
  package static var structName: StaticString { "ae_quality_information" }
  package static var firstSize: Int { 96 }
}

extension ae_predictor_report: GrowingStruct {
  package static var structName: StaticString { "ae_predictor_report" }
  package static var firstSize: Int { 48 }
}

extension ae_shrink_report: GrowingStruct {
  package static var structName: StaticString { "ae_shrink_report" }
  package static var firstSize: Int { 32 }
}

extension ae_trainer_callbacks: GrowingStruct {
  package static var structName: StaticString { "ae_trainer_callbacks" }
  package static var firstSize: Int { 48 }
}

/// The largest struct_size taken for one: anything above is a mistake, and would be read.
private let largestStructSize = 4096

/// Copies a struct from outside over `value`, which holds the defaults.
///
/// A caller built with an earlier header sends a shorter struct, and what it does not know keeps its default.
/// One built with a later header may send a longer one: what this library does not know must be zero, or the
/// caller asks for something that it cannot have.
package func readStruct<Struct: GrowingStruct & BitwiseCopyable>(
  _ source: UnsafePointer<Struct>, over value: inout Struct
)
  throws(AEError)
{
  let raw = UnsafeRawPointer(source)
  let known = MemoryLayout<Struct>.size
  let size = try checkedSize(raw.loadUnaligned(as: Int.self), of: Struct.self)
  for index in known..<max(known, size) where raw.load(fromByteOffset: index, as: UInt8.self) != 0 {
    throw AEError(
      .version,
      "\(Struct.structName) sets byte \(index), of a field that this version does not know (it has \(known) bytes)"
    )
  }
  withUnsafeMutableBytes(of: &value) { $0.baseAddress!.copyMemory(from: raw, byteCount: min(size, known)) }
}

/// Fills a struct of the caller's, whose struct_size says how long it is, from `value`; fields of later
/// versions are zeroed.
package func writeStruct<Struct: GrowingStruct & BitwiseCopyable>(
  _ target: UnsafeMutablePointer<Struct>, _ value: Struct
)
  throws(AEError)
{
  try writeStruct(target, value, size: UnsafeRawPointer(target).loadUnaligned(as: Int.self))
}

/// `writeStruct` for a struct whose size comes beside it, as in the `_init` calls.
package func writeStruct<Struct: GrowingStruct & BitwiseCopyable>(
  _ target: UnsafeMutablePointer<Struct>, _ value: Struct, size: Int
) throws(AEError) {
  let raw = UnsafeMutableRawPointer(target)
  let known = MemoryLayout<Struct>.size
  let size = try checkedSize(size, of: Struct.self)
  var value = value
  withUnsafeMutableBytes(of: &value) {
    raw.copyMemory(from: $0.baseAddress!, byteCount: min(size, known))
  }
  for index in known..<max(known, size) { raw.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
  raw.storeBytes(of: size, as: Int.self)
}

/// Refuses a struct that `writeStruct` would refuse, before there is anything to write.
package func checkStruct<Struct: GrowingStruct & BitwiseCopyable>(_ target: UnsafeMutablePointer<Struct>)
  throws(AEError)
{
  _ = try checkedSize(UnsafeRawPointer(target).loadUnaligned(as: Int.self), of: Struct.self)
}

private func checkedSize<Struct: GrowingStruct & BitwiseCopyable>(_ size: Int, of type: Struct.Type)
  throws(AEError) -> Int
{
  guard size >= Struct.firstSize, size <= largestStructSize else {
    throw AEError(
      .version,
      "\(Struct.structName) has a struct_size of \(UInt(bitPattern: size)), at least \(Struct.firstSize) bytes expected"
    )
  }
  return size
}

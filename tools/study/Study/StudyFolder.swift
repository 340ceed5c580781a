// The folder of a study: finished results are kept there by name, written atomically, and reused by the next run of the
// same study.

import Bytes
import Core
import Glibc
import Model
import Storage
import ToolKit

/// The results of a study on disk.
struct StudyFolder {
  let path: String

  /// The file that identifies the study of a folder.
  private static let head = "study.json"
  private var kept: String { path + "/kept" }

  /// Takes the folder for a study of such a description, which a study that is in it must have, too.
  init(_ path: String, description: JSON) throws {
    self.path = Path.trimmed(path)
    let head = "\(self.path)/\(StudyFolder.head)"
    switch Path.kind(self.path) {
    case .missing: break
    case .folder:
      let names = try Path.list(self.path)
      if names.contains(StudyFolder.head) {
        let there = try File.read(head)
        guard there.array == Array((description.text + "\n").utf8) else {
          throw AEError(
            .argument, "\(self.path): holds a study of other options or images; name another folder")
        }
      } else if !names.isEmpty {
        throw AEError(.io, "\(self.path): holds other files; a study wants a folder of its own")
      }
    default: throw AEError(.io, "\(self.path): exists already, and is no folder")
    }
    try Path.makeFolders(kept)
    try write(description.text + "\n", to: StudyFolder.head)
  }

  func write(_ text: String, to name: String) throws(AEError) {
    let bytes = Array(text.utf8)
    try File.write("\(path)/\(name)", bytes, bytes.count, overwrite: true)
  }

  func write(_ bytes: Buffer<UInt8>, to name: String) throws(AEError) {
    try File.write("\(path)/\(name)", bytes.base, bytes.count, overwrite: true)
  }

  func read(_ name: String) throws(AEError) -> Buffer<UInt8> { try File.readRegular("\(path)/\(name)") }

  // MARK: What is kept

  func has(_ name: String) -> Bool { Path.kind("\(kept)/\(name)") == .file }

  func keep(_ json: JSON, as name: String) throws(AEError) {
    try write(json.text + "\n", to: "kept/\(name).json")
  }

  /// What was kept under a name; nil if nothing was.
  func json(_ name: String) throws(AEError) -> JSON? {
    guard has("\(name).json") else { return nil }
    let bytes = try read("kept/\(name).json")
    return try JSON(
      parsing: UnsafeBufferPointer(start: bytes.base, count: bytes.count), name: "\(kept)/\(name).json")
  }

  func keep(_ model: Autoencoder, as name: String) throws(AEError) {
    try write(try WeightFile.write(model, storage: model.storage), to: "kept/\(name).aew")
  }

  func model(_ name: String) throws(AEError) -> Autoencoder {
    let file = try read("kept/\(name).aew")
    return try WeightFile.read(file.base, file.count, name: "\(kept)/\(name).aew")
  }

  func keep(checkpoint bytes: Buffer<UInt8>, as name: String) throws(AEError) {
    try write(bytes, to: "kept/\(name).checkpoint")
  }

  func checkpoint(_ name: String) throws(AEError) -> Buffer<UInt8>? {
    has("\(name).checkpoint") ? try read("kept/\(name).checkpoint") : nil
  }

  /// Takes away what was kept of a run under way.
  func dropCheckpoint(of name: String) {
    for file in ["\(name).checkpoint", "\(name).partial.json"] { Path.remove("\(kept)/\(file)") }
  }
}

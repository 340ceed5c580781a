// Files of labels: read beside images, and written beside them.

import Bytes
import Core
import Storage

/// Files of labels on their own.
package enum LabelFile {
  package static func write(_ labels: [UInt8], to path: String, overwrite: Bool) throws(AEError) {
    let plain = try IDX.writeLabels(labels)
    let file = Path.has(path, ".gz") ? try Zlib.gzip(plain.base, plain.count) : plain
    try File.write(path, file.base, file.count, overwrite: overwrite)
  }

  /// - Parameter path: - is standard input.
  package static func read(_ path: String, count: Int) throws(AEError) -> [UInt8] {
    try read(path == "-" ? Console.openInput() : ByteInput(path: path), count: count)
  }

  /// The labels of a file that must be a regular one.
  package static func read(regular path: String, count: Int) throws(AEError) -> [UInt8] {
    try read(ByteInput(regular: path), count: count)
  }

  private static func read(_ input: ByteInput, count: Int) throws(AEError) -> [UInt8] {
    let format = try FileFormat.of(input)
    guard format.kind == .idx else {
      switch format.kind {
      case .empty, .unknown: throw AEError(.format, "\(input.name): is no file of labels (idx1-ubyte)")
      default: throw AEError(.format, "\(input.name): is \(format.what), not a file of labels (idx1-ubyte)")
      }
    }
    let labels = try IDX.readLabels(input)
    guard labels.count == count else {
      throw AEError(.shape, "\(input.name): \(labels.count) labels for \(counted(count, "image"))")
    }
    return labels
  }
}

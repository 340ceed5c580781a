// What a file is by its first bytes, for the commands that take files of every kind.

import Bytes
import Core
import Storage

enum FileKind {
  case weights, imageSet, images

  static func of(_ file: Buffer<UInt8>) -> FileKind {
    if begins(file, [0x89, 0x41, 0x45, 0x57]) { return .weights }
    if begins(file, [0x89, 0x41, 0x45, 0x5A]) { return .imageSet }
    return .images
  }

  private static func begins(_ file: Buffer<UInt8>, _ magic: [UInt8]) -> Bool {
    file.count >= magic.count && magic.indices.allSatisfy { file.base[$0] == magic[$0] }
  }
}

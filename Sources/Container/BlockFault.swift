// What can be wrong with a block, as a number that threads leave in a byte and a reason for a person. Its own file
// because whoever reads blocks, in whatever version, says it in these words.

/// What can be wrong with a block.
enum BlockFault: UInt8, Sendable {
  case checksum = 1
  case size = 2
  case codes = 3
  case pixels = 4
  case positions = 5
  case memory = 6
  case missing = 7
  case unreadable = 8
  /// None of the block's: its reader was asked to stop.
  case stopped = 9
  case head = 10
  case model = 11

  var reason: StaticString {
    switch self {
    case .checksum: return "its bytes do not match its checksum"
    case .size: return "its size does not fit its images"
    case .codes: return "its codes end too early or too late, or are none"
    case .pixels: return "its pixels are damaged"
    case .positions: return "its list of images stored raw is out of order"
    case .memory: return "there is no memory to decode it"
    case .missing: return "the file ends before it does"
    case .unreadable: return "it cannot be read from the file"
    case .stopped: return "reading was stopped"
    case .model: return "the model that decodes it was not given"
    case .head: return "its head disagrees with the index"
    }
  }
}

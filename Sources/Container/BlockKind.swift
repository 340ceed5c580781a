// What a block's bytes may be. Its own file because the format's page, the index and every reader count by it.

/// What a block's bytes are, numbered as in files of version 3.
public enum BlockKind: UInt8, Sendable, CaseIterable {
  /// The codes of all images.
  case coded = 0
  /// The pixels of all images, in zlib format.
  case deflated = 1
  /// The pixels of all images.
  case stored = 2
  /// The codes of most images, and the pixels of those that the model reconstructs too poorly.
  case mixed = 3
  /// All pixels by context mixing, with or without the images' codes.
  case contexts = 4
  /// All pixels by the scans they were drawn from, which a model predicts, with or without the images' codes.
  case scans = 5

  /// Whether sets like this one may have such blocks.
  func belongs(to header: SetHeader) -> Bool {
    switch self {
    case .deflated, .stored: return true
    case .coded, .mixed: return header.mode == .lossy
    case .contexts: return header.mode != .lossy
    case .scans: return header.mode != .lossy && header.usesScans && header.canHaveScans
    }
  }

  /// Whether a reader needs the set's model for such a block.
  func needsModel(_ header: SetHeader) -> Bool {
    switch self {
    case .deflated, .stored: return false
    case .coded, .mixed, .scans: return true
    case .contexts: return header.quality > 0
    }
  }
}

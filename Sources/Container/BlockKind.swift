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
  /// As files of version 2 have them, which are copied, and no longer written: all pixels by context mixing.
  case firstContexts = 4
  /// Likewise: all pixels by the scans they were drawn from, or by context mixing.
  case firstScans = 5
  /// All pixels by mixtures that simple predictors give and contexts adapt, with or without the images' codes.
  case contexts = 6
  /// The same, but a learned predictor gives the mixtures.
  case predicted = 7
  /// Images by the scans they were drawn from, which a model predicts; the others as in `predicted`, or `contexts` in a
  /// set without a predictor.
  case scans = 11

  /// More than the largest number.
  static let count = 12

  /// Whether sets like this one may have such blocks.
  func belongs(to header: SetHeader) -> Bool {
    switch self {
    case .deflated, .stored: return true
    case .coded, .mixed: return header.mode == .lossy
    case .firstContexts: return header.mode != .lossy && header.channels == 1
    case .contexts: return header.mode != .lossy
    case .predicted: return header.mode != .lossy && header.namesPredictor
    case .firstScans, .scans: return header.mode != .lossy && header.usesScans && header.canHaveScans
    }
  }

  /// Whether a reader needs the set's model for such a block.
  func needsModel(_ header: SetHeader) -> Bool {
    switch self {
    case .deflated, .stored: return false
    case .coded, .mixed, .firstScans, .scans: return true
    case .firstContexts, .contexts, .predicted: return header.quality > 0
    }
  }

  /// Whether a reader needs the set's predictor for such a block.
  func needsPredictor(_ header: SetHeader) -> Bool {
    switch self {
    case .predicted: return true
    case .scans: return header.namesPredictor
    default: return false
    }
  }
}

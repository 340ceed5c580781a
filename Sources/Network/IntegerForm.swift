// Which nodes of a list work on words, and which version of the weight file holds a list: what the file's integer sections
// and their proof of bounds go by.

import CKernels
import Compute
import Core

/// What nodes of a list give in integers.
public struct IntegerForm: Sendable {
  /// Whether each node reads words: the code, perhaps moved.
  public let readsWords: [Bool]
  /// The layer whose numbers are the list's, perhaps moved.
  public let end: Int

  /// Of layers one after the other that read bytes.
  public init(chain count: Int) {
    readsWords = [Bool](repeating: false, count: count)
    end = count - 1
  }

  /// - Parameter startsInWords: whether the list's input is a code, as a decoder's is.
  /// - Throws: `.kind` for a list that has no integer form.
  public init(_ shapes: [LayerShape], startsInWords: Bool) throws(AEError) {
    /// Of the numbers that nodes give.
    var areWords: [Bool] = []
    var readsWords: [Bool] = []
    for (index, shape) in shapes.enumerated() {
      func isWords(_ source: Int) -> Bool { source < 0 ? startsInWords : areWords[source] }
      let reads =
        isWords(shape.source(of: index)) || shape.hasTwoSources && isWords(shape.secondSource(of: index))
      guard !reads || shape.hasWeights || shape.isMove else {
        throw AEError(
          .kind,
          "node \(index) reads the code itself: only layers and moves can, for a network to have an integer form"
        )
      }
      readsWords.append(reads)
      areWords.append(reads && shape.isMove)
    }
    var end = shapes.count - 1
    while end >= 0, !shapes[end].hasWeights {
      guard shapes[end].isMove else {
        throw AEError(.kind, "the last node but moves must be a layer for a network to have an integer form")
      }
      end = shapes[end].source(of: end)
    }
    guard end >= 0 else {
      throw AEError(.kind, "a network without a layer has no integer form")
    }
    self.readsWords = readsWords
    self.end = end
  }
}

extension Architecture {
  /// Whether files of version 1 can hold it: grey images of at most 64 x 64 pixels, and the kinds and sizes of their time.
  public var isFormer: Bool {
    guard kind != .predictor else { return true }
    guard kind.rawValue <= ModelKind.convVAE.rawValue, channels == 1,
      max(width, height) <= Architecture.formerLongestSide, latentCount <= Architecture.formerLatentCount
    else { return false }
    return !encoder.nodes.contains { $0.shape.count > Architecture.formerMapCount }
  }
}

// The kinds of the study, and the residual network, as lists of nodes: what a kind and its sizes stand for.

import Compute

enum Presets {
  static func encoder(_ architecture: Architecture) -> [Node] {
    let (kind, hidden) = (architecture.kind, architecture.hidden)
    var nodes: [Node] = []
    var map = architecture.imageMap
    for index in 0...hidden.count {
      let isLast = index == hidden.count
      let next = isLast ? architecture.encoderOutputCount : hidden[index]
      let activation = isLast ? Activation.identity : kind.hiddenActivation
      let here = nodes.count - 1
      guard kind.isConvolutional && index + 1 < hidden.count else {
        map = FeatureShape(vector: next)
        nodes.append(Node(.dense, from: here, activation: activation, shape: map))
        continue
      }
      if halves(hidden, index) {
        map = FeatureShape(height: (map.height + 1) / 2, width: (map.width + 1) / 2, channels: next)
        nodes.append(
          Node(.convolution, from: here, activation: activation, kernel: 4, stride: 2, padding: 1, shape: map)
        )
      } else {
        nodes.append(
          Node(.convolution, from: here, activation: activation, kernel: 3, stride: 1, padding: 1, shape: map)
        )
        if kind == .residualVAE { nodes.append(Node(.add, from: here + 1, and: here, shape: map)) }
      }
    }
    return nodes
  }

  /// The encoder's layers backwards.
  static func decoder(_ architecture: Architecture) -> [Node] {
    let (kind, hidden) = (architecture.kind, architecture.hidden)
    // What each layer of the encoder reads.
    var maps = [architecture.imageMap]
    for index in 0..<hidden.count {
      let before = maps[index]
      if kind.isConvolutional && index + 1 < hidden.count {
        maps.append(
          halves(hidden, index)
            ? FeatureShape(
              height: (before.height + 1) / 2, width: (before.width + 1) / 2, channels: hidden[index])
            : before)
      } else {
        maps.append(FeatureShape(vector: hidden[index]))
      }
    }
    var nodes: [Node] = []
    for index in stride(from: hidden.count, through: 0, by: -1) {
      let activation = index == 0 ? architecture.output : kind.hiddenActivation
      let (here, map) = (nodes.count - 1, maps[index])
      guard kind.isConvolutional && index + 1 < hidden.count else {
        nodes.append(Node(.dense, from: here, activation: activation, shape: map))
        continue
      }
      let isHalved = halves(hidden, index)
      nodes.append(
        Node(
          .transposedConvolution, from: here, activation: activation, kernel: isHalved ? 4 : 3,
          stride: isHalved ? 2 : 1, padding: 1, shape: map))
      if !isHalved && kind == .residualVAE { nodes.append(Node(.add, from: here + 1, and: here, shape: map)) }
    }
    return nodes
  }

  /// Whether a convolution halves the map, as one does that has other channels than the one before it.
  private static func halves(_ hidden: [Int], _ index: Int) -> Bool {
    index == 0 || hidden[index - 1] != hidden[index]
  }
}

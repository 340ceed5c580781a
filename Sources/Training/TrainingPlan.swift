// Where a network in training keeps what its nodes give and the gradients by it: places in one arena, of numbers of a row.
// Outputs are kept from the forward to the backward pass; a gradient's place is used again once it has gone on.

import CKernels
import Compute
import Core
import Network

/// The places of a list's numbers in training.
struct TrainingPlan {
  /// Offsets of each node's numbers, its gradient, and what stands before an activation whose gradient needs it.
  private(set) var outputs: [Int] = []
  private(set) var deltas: [Int] = []
  private(set) var preactivations: [Int] = []
  /// Offsets of two gradients of the largest source, for those that are added to others; none if there are no such.
  private(set) var parts: [Int] = []
  let largestPart: Int
  /// Whether the gradient that arrives at a node is by what stands before its activation: where one layer alone reads it,
  /// which multiplies by the activation's slope as it stores; and of the last node, where the loss does.
  let isFused: [Bool]
  /// Numbers of a row in all.
  private(set) var count = 0

  init(_ shapes: [LayerShape]) {
    var readers = [Int](repeating: 0, count: shapes.count)
    var lastReader = [Int](repeating: -1, count: shapes.count)
    var isReadByLayer = [Bool](repeating: true, count: shapes.count)
    var inputReaders = 0
    var largest = 0
    for (index, shape) in shapes.enumerated() {
      largest = max(largest, shape.inputs, shape.secondInputs)
      var sources = [shape.source(of: index)]
      if shape.hasTwoSources { sources.append(shape.secondSource(of: index)) }
      for source in sources {
        guard source >= 0 else {
          inputReaders += 1
          continue
        }
        readers[source] += 1
        lastReader[source] = index
        if !shape.hasWeights { isReadByLayer[source] = false }
      }
    }
    var isFused: [Bool] = []
    for (index, shape) in shapes.enumerated() {
      let isLast = index == shapes.count - 1
      isFused.append(
        isLast && readers[index] == 0
          || readers[index] == 1 && isReadByLayer[index] && shape.activation.isInvertible
            && shape.place.operation != Int32(CK_ACTIVATE)
      )
    }
    self.isFused = isFused
    for shape in shapes {
      outputs.append(count)
      count += shape.outputs
    }
    for shape in shapes {
      preactivations.append(count)
      if !shape.activation.isInvertible { count += shape.outputs }
    }
    // Backwards, a gradient is alive from its last reader to its own node.
    deltas = [Int](repeating: 0, count: shapes.count)
    var alive: [Int] = []
    var most = 0
    for step in stride(from: shapes.count - 1, through: 0, by: -1) {
      var born: [Int] = []
      if step == shapes.count - 1 { born.append(step) }
      for node in 0..<step where lastReader[node] == step { born.append(node) }
      // One that no one reads is zeros when its turn comes.
      if lastReader[step] < 0 && step != shapes.count - 1 { born.append(step) }
      for node in born {
        var at = 0
        var moved = true
        while moved {
          moved = false
          for other in alive
          where at < deltas[other] + shapes[other].outputs && deltas[other] < at + shapes[node].outputs {
            at = deltas[other] + shapes[other].outputs
            moved = true
          }
        }
        deltas[node] = at
        alive.append(node)
        most = max(most, at + shapes[node].outputs)
      }
      alive.removeAll { $0 == step }
    }
    for index in 0..<shapes.count { deltas[index] += count }
    count += most
    largestPart = largest
    if readers.contains(where: { $0 > 1 }) || inputReaders > 1 {
      parts = [count, count + largest]
      count += 2 * largest
    }
  }
}

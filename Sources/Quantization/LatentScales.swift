// The scales of latents: what 256 units of a code's fixed point are worth. A dense layer has one for each of its numbers; those
// that a convolution gives or reads share one for each channel, because its weights and multipliers do.

import CKernels
import Compute
import Core
import Latent
import Network

/// The scales of an encoder's numbers.
package struct LatentScales {
  /// In the order of the code.
  let values: [Float]
  /// In the order in which the encoder's last layer gives them: moves may follow it.
  let ofLastLayer: [Float]

  /// - Parameter deviations: what the numbers of the last layer vary by, in its order.
  init(_ deviations: [Float], encoder: [LayerShape], decoder: [LayerShape]) {
    var last = encoder.count - 1
    while !encoder[last].hasWeights { last = encoder[last].source(of: last) }
    // Which number of the last layer each number of the code is.
    var origin = deviations.indices.map { Float($0) }
    for index in (last + 1)..<encoder.count { origin = LatentScales.moved(origin, encoder[index]) }
    var scales = origin.map { deviations[Int($0)] }
    let channels = encoder[last].isConvolution ? encoder[last].channels : deviations.count
    let given = origin.map { Int($0) % channels }
    let read = LatentScales.groups(decoder)
    // Scales only grow, and in all but curious networks at once to what both sides share.
    for _ in 0..<4 {
      scales = LatentScales.shared(scales, given)
      for groups in read { scales = LatentScales.shared(scales, groups) }
    }
    if LatentScales.shared(scales, given) != scales {
      scales = [Float](repeating: scales.max() ?? 1, count: scales.count)
    }
    values = scales
    var ofLastLayer = deviations
    for (index, number) in origin.enumerated() { ofLastLayer[Int(number)] = scales[index] }
    self.ofLastLayer = ofLastLayer
  }

  /// A row of numbers as a move leaves them.
  private static func moved(_ row: [Float], _ shape: LayerShape) -> [Float] {
    var node = shape.kernelNode(.identity)
    var result = [Float](repeating: 0, count: row.count)
    ck_node_forward(&node, 1, row, nil, &result)
    return result
  }

  /// The largest of each group for all of it; numbers beyond the groups stay.
  private static func shared(_ scales: [Float], _ groups: [Int]) -> [Float] {
    var largest = [Float](repeating: 0, count: groups.count)
    for (index, group) in groups.enumerated() { largest[group] = max(largest[group], scales[index]) }
    var result = scales
    for (index, group) in groups.enumerated() { result[index] = largest[group] }
    return result
  }

  /// For each layer of a decoder that reads the code, perhaps moved: the groups of numbers that share a scale.
  private static func groups(_ shapes: [LayerShape]) -> [[Int]] {
    var result: [[Int]] = []
    forEachReader(shapes, shapes[0].inputs) { index, origin in
      guard let channels = sourceChannels(shapes[index]) else { return }
      var groups = [Int](repeating: 0, count: origin.count)
      for (place, number) in origin.enumerated() { groups[Int(number)] = place % channels }
      result.append(groups)
    }
    return result
  }

  /// The channels that a convolution reads; nil for a dense layer.
  private static func sourceChannels(_ shape: LayerShape) -> Int? {
    guard shape.isConvolution else { return nil }
    return Int(shape.isTransposed ? shape.geometry.coarse_channels : shape.geometry.fine_channels)
  }

  /// Calls `body` for every layer that reads the code, perhaps moved, with the code's number that each of its inputs is.
  private static func forEachReader(_ shapes: [LayerShape], _ count: Int, _ body: (Int, [Float]) -> Void) {
    let own = (0..<count).map { Float($0) }
    var origins = [[Float]?](repeating: nil, count: shapes.count)
    for (index, shape) in shapes.enumerated() {
      let source = shape.source(of: index)
      guard let origin = source < 0 ? own : origins[source] else { continue }
      if shape.isMove {
        origins[index] = moved(origin, shape)
      } else if shape.hasWeights {
        body(index, origin)
      }
    }
  }

  /// By node of a decoder, whether it is a layer that reads the code, perhaps moved.
  package static func readsCode(_ shapes: [LayerShape]) -> [Bool] {
    var result = [Bool](repeating: false, count: shapes.count)
    forEachReader(shapes, shapes[0].inputs) { index, _ in result[index] = true }
    return result
  }

  /// The decoder for latents in fixed point: their units are folded into the weights of the layers that read them.
  static func folded(_ decoder: DenseNetwork, _ scales: [Float]) throws(AEError) -> DenseNetwork {
    try scaled(decoder, scales.map { $0 / Float(Codec.latentUnitsPerScale) })
  }

  /// The decoder with the weights of the layers that read the code times the factor of the number that they are for.
  static func scaled(_ decoder: DenseNetwork, _ factors: [Float]) throws(AEError) -> DenseNetwork {
    var layers = decoder.layers
    var failure: AEError?
    forEachReader(decoder.shapes, factors.count) { index, origin in
      do throws(AEError) {
        let layer = decoder.layers[index]
        let period = sourceChannels(layer.shape) ?? layer.shape.inputs
        let weights = try Buffer<Float>(count: layer.weights.count)
        for i in 0..<weights.count {
          let number = Int(origin[i % layer.shape.columns % period])
          weights.base[i] = layer.weights.base[i] * factors[number]
        }
        layers[index] = try DenseLayer(shape: layer.shape, weights: weights, bias: layer.bias)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return DenseNetwork(layers: layers)
  }
}

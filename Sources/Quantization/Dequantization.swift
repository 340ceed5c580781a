// From a model in integers back to floats: what training starts from where only the integers were kept.

import Compute
import Core
import Latent
import Model
import Network

/// The model with networks in floats: its own, or, of a model stored as int8, what its integers stand for.
///
/// Such floats are as good as the integers and not better: weights are multiples of their channel's scale.
/// - Throws: `.kind` for a model without integer networks or without encoder, and for one with nodes that hold tables
///   and no weights, whose scales are not in the file.
public func dequantised(_ model: Autoencoder) throws(AEError) -> Autoencoder {
  if model.encoder != nil && model.decoder != nil { return model }
  guard let encoder = model.integerEncoder, let decoder = model.integerDecoder, let codec = model.codec else {
    throw AEError(.kind, "the model \"\(model.name)\" has no encoder: floats are made of a whole model")
  }
  let (read, given) = (model.architecture.encoderShapes, model.architecture.decoderShapes)
  let folded = try floats(try decoder.layers(), given, inputScale: 1)
  return try Autoencoder(
    architecture: model.architecture, name: model.name, provenance: model.provenance, storage: .float32,
    encoder: try floats(try encoder.layers(), read, inputScale: 1 / 255),
    decoder: try LatentScales.scaled(
      folded, codec.latentScales.map { Float(Codec.latentUnitsPerScale) / $0 }),
    integerEncoder: encoder, integerDecoder: decoder, codec: codec, scanModel: model.scanModel,
    predictor: model.predictor)
}

private func floats(_ layers: [IntegerLayer], _ shapes: [LayerShape], inputScale: Double) throws(AEError)
  -> DenseNetwork
{
  /// What a unit of a node's bytes is worth, and the byte that stands for 0.
  var units: [(scale: Double, zero: Int)] = []
  var result: [DenseLayer] = []
  for (index, layer) in layers.enumerated() {
    let shape = shapes[index]
    let source = shape.source(of: index)
    let input = source < 0 ? (inputScale, 0) : units[source]
    guard shape.hasWeights else {
      guard layer.table == nil, !shape.hasTwoSources else {
        throw AEError(
          .kind,
          "node \(index) holds a table and no weights: such a model is kept in floats to be trained further")
      }
      result.append(try DenseLayer(shape: shape))
      units.append(input)
      continue
    }
    let channels = shape.channels
    let weights = try Buffer<Float>(count: shape.weightCount)
    let bias = try Buffer<Float>(count: channels)
    var sums = [Int](repeating: 0, count: channels)
    for i in 0..<weights.count {
      let channel = i / shape.columns % channels
      let unit = Double(layer.sumScales.base[channel])
      weights.base[i] = Float(Double(layer.weights.base[i]) * unit / input.0)
      sums[channel] += Int(layer.weights.base[i])
    }
    for channel in 0..<channels {
      // A convolution counts from the zero point itself.
      let moved = shape.isConvolution ? 0 : input.1 * sums[channel]
      bias.base[channel] = Float(
        Double(layer.sumScales.base[channel]) * Double(Int(layer.bias.base[channel]) + moved))
    }
    result.append(try DenseLayer(shape: shape, weights: weights, bias: bias))
    units.append(outputUnit(layer, shape))
  }
  return DenseNetwork(layers: result)
}

/// What a unit of a layer's bytes is worth, by its table: the least squares of the activation of what the table's entries
/// stand for. Entries at both ends are clamped and do not count.
private func outputUnit(_ layer: IntegerLayer, _ shape: LayerShape) -> (scale: Double, zero: Int) {
  guard let table = layer.table else { return (1, 0) }
  var largest = 0
  for channel in 0..<shape.channels where layer.multipliers.base[channel] > layer.multipliers.base[largest] {
    largest = channel
  }
  let ratio = Double(layer.multipliers.base[largest]) / Double(1 << layer.shift)
  guard ratio > 0 else { return (1.0 / 255, 0) }
  // What a pre-activation's unit is worth.
  let unit = Double(layer.sumScales.base[largest]) / ratio
  let zero = shape.activation == .sigmoid ? 0 : Int(table.base[2048])
  var (products, squares) = (0.0, 0.0)
  for index in 0..<table.count where table.base[index] > 0 && table.base[index] < 255 {
    let value = shape.activation.value(Double(index - 2048) * unit)
    products += value * value
    squares += value * (Double(table.base[index]) - Double(zero))
  }
  return (squares > 0 ? products / squares : 1.0 / 255, zero)
}

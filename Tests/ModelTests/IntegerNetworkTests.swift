// The integer networks against arithmetic written out from docs/format-aew.md: equal to the integer, on
// extreme weights too, and refused where a sum could leave int32.

import Compute
import Core
import Latent
import Network
import Testing

private func layer(
  inputs: Int, outputs: Int, seed: UInt64, words: Bool = false, largestInput: Int = 255, weight: Int8? = nil,
  shift: Int = 20
) throws -> IntegerLayer {
  var stream = RandomStream(seed: seed, .test, 3)
  let weights = try Buffer<Int8>(count: inputs * outputs)
  for i in 0..<weights.count { weights[i] = weight ?? Int8(stream.below(255) - 127) }
  let bias = try Buffer<Int32>(count: outputs)
  let multipliers = try Buffer<Int32>(count: outputs)
  let scales = try Buffer<Float>(count: outputs)
  for o in 0..<outputs {
    bias[o] = Int32(stream.below(20001) - 10000)
    multipliers[o] = Int32(stream.below(60000))
    scales[o] = 0.01
  }
  var table: Buffer<UInt8>? = nil
  if !words {
    table = try Buffer<UInt8>(count: 4096)
    for i in 0..<4096 { table![i] = UInt8(truncatingIfNeeded: i / 16 ^ i) }
  }
  return try IntegerLayer(
    inputs: inputs, outputs: outputs, weights: weights, bias: bias, multipliers: multipliers, shift: shift,
    table: table, sumScales: scales, largestInput: largestInput)
}

private func reference(_ layer: IntegerLayer, _ x: [Int]) -> [Int] {
  (0..<layer.outputs).map { o in
    var sum = Int(layer.bias[o])
    for i in 0..<layer.inputs { sum += Int(layer.weights[o * layer.inputs + i]) * x[i] }
    let t = (sum * Int(layer.multipliers[o]) + (1 << (layer.shift - 1))) >> layer.shift
    if let table = layer.table { return Int(table[min(max(t, -2048), 2047) + 2048]) }
    return min(max(t, -16383), 16383)
  }
}

@Test(
  "Encoder and decoder equal their definition to the integer, whatever the sizes",
  arguments: [
    (1, 1, 1), (3, 5, 2), (17, 33, 4), (64, 64, 8), (100, 7, 3), (784, 65, 5),
  ])
func integersEqualTheirDefinition(pixels: Int, hidden: Int, latents: Int) throws {
  let encoder = try IntegerNetwork(layers: [
    try layer(inputs: pixels, outputs: hidden, seed: 1),
    try layer(inputs: hidden, outputs: latents, seed: 2, words: true),
  ])
  let decoder = try IntegerNetwork(layers: [
    try layer(inputs: latents, outputs: hidden, seed: 3, largestInput: 16383, shift: 26),
    try layer(inputs: hidden, outputs: pixels, seed: 4),
  ])
  let count = 37
  let images = try randomImages(count: count, size: pixels)
  let words = try Buffer<Int16>(count: count * latents)
  let floats = try Buffer<Float>(count: count * latents)
  let rebuilt = try Buffer<UInt8>(count: count * pixels)
  try encoder.encode(images.base, count: count, into: words.base)
  try encoder.encode(images.base, count: count, into: floats.base)
  try decoder.decode(words.base, count: count, into: rebuilt.base)
  for image in 0..<count {
    let x = (0..<pixels).map { Int(images[image * pixels + $0]) }
    let h = reference((try encoder.layers())[0], x)
    let z = reference((try encoder.layers())[1], h)
    #expect((0..<latents).map { Int(words[image * latents + $0]) } == z)
    for j in 0..<latents {
      var sum = Int((try encoder.layers())[1].bias[j])
      for i in 0..<hidden { sum += Int((try encoder.layers())[1].weights[j * hidden + i]) * h[i] }
      #expect(floats[image * latents + j] == Float(sum) * 0.01)
    }
    let y = reference((try decoder.layers())[1], reference((try decoder.layers())[0], z))
    #expect((0..<pixels).map { Int(rebuilt[image * pixels + $0]) } == y)
  }
}

@Test("Extreme weights on extreme pixels do not saturate on the way", arguments: [Int8(127), -127])
func extremesDoNotSaturate(weight: Int8) throws {
  let one = try layer(inputs: 784, outputs: 8, seed: 1, words: true, weight: weight, shift: 30)
  let encoder = try IntegerNetwork(layers: [one])
  let images = try Buffer<UInt8>(count: 784)
  for i in 0..<784 { images[i] = 255 }
  let words = try Buffer<Int16>(count: 8)
  try encoder.encode(images.base, count: 1, into: words.base)
  #expect(words.array.map { Int($0) } == reference(one, [Int](repeating: 255, count: 784)))
}

@Test("Layers whose sums could leave int32, or whose parts do not fit, are refused")
func badLayersAreRefused() throws {
  let weights = try Buffer<Int8>(count: 4)
  let bias = try Buffer<Int32>(count: 2)
  let multipliers = try Buffer<Int32>(count: 2)
  let scales = try Buffer<Float>(count: 2)
  func make(
    shift: Int = 10, weights: Buffer<Int8>? = nil, table: Buffer<UInt8>? = nil
  ) throws -> IntegerLayer {
    try IntegerLayer(
      inputs: 2, outputs: 2, weights: weights ?? (try Buffer<Int8>(count: 4)), bias: bias,
      multipliers: multipliers, shift: shift, table: table, sumScales: scales, largestInput: 16383)
  }
  _ = try make(weights: weights)
  #expect(throws: AEError.self) { _ = try make(shift: 0) }
  #expect(throws: AEError.self) { _ = try make(shift: 63) }
  #expect(throws: AEError.self) { _ = try make(weights: try Buffer<Int8>(count: 3)) }
  #expect(throws: AEError.self) { _ = try make(table: try Buffer<UInt8>(count: 100)) }
  multipliers[1] = -1
  #expect(throws: AEError.self) { _ = try make() }
  multipliers[1] = 1
  bias[0] = Int32.max
  weights[0] = 1
  #expect(throws: AEError.self) { _ = try make(weights: weights) }
  bias[0] = 0
  scales[1] = .nan
  #expect(throws: AEError.self) { _ = try make() }
}

@Test("Quantising rounds to the nearest step, halves away from zero, the same on both sides")
func quantisingIsSymmetric() {
  for step in [1, 2, 3, 7, 100, 16383] {
    for value in [-16383, -500, -151, -150, -50, -3, -1, 0, 1, 2, 49, 50, 51, 149, 150, 16383] {
      let q = CodeRate.quantise(value, step: step)
      #expect(abs(q * step - value) * 2 <= step)
      #expect(CodeRate.quantise(-value, step: step) == -q)
    }
  }
}

@Test("An integer encoder whose scales make its floats overflow says so")
func hugeScalesOverflow() throws {
  let layer = try layer(inputs: 6, outputs: 3, seed: 1, words: true)
  layer.sumScales[1] = 3e38
  let encoder = try IntegerNetwork(layers: [layer])
  let pixels = try randomImages(count: 2, size: 6)
  let outputs = try Buffer<Float>(count: 6)
  let error = #expect(throws: AEError.self) {
    try encoder.encode(pixels.base, count: 2, into: outputs.base)
  }
  #expect(error?.code == .diverged)
}

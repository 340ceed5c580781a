// Networks and images for tests of the exact layer, made by whole numbers alone: what golden files are made of has
// to be the same for ever.

import Compute
import Core
import Lossless
import Network
import Storage

/// SplitMix64: reproducible numbers.
struct Numbers {
  var state: UInt64
  mutating func below(_ limit: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ (z >> 31)) % UInt64(limit))
  }
}

extension Support {
  /// A network of 16 hidden units. Its weights mean nothing: it must code exactly all the same. A sensible one
  /// expects, by six of its units, that ink goes on as beside and above.
  static func scanModel(isSensible: Bool = false) throws(AEError) -> ScanModel {
    var numbers = Numbers(state: 5)
    var layers: [IntegerLayer] = []
    let widths = [ScanRaster.inputCount, 16, 1]
    for index in 0..<2 {
      let (inputs, outputs) = (widths[index], widths[index + 1])
      let weights = try Buffer<Int8>(count: inputs * outputs)
      for i in 0..<weights.count { weights[i] = Int8(numbers.below(61) - 30) }
      let bias = try Buffer<Int32>(count: outputs)
      let multipliers = try Buffer<Int32>(count: outputs)
      let scales = try Buffer<Float>(count: outputs)
      for o in 0..<outputs {
        multipliers[o] = 1 << 20
        scales[o] = 1
      }
      var table: Buffer<UInt8>?
      if index == 0 {
        let values = try Buffer<UInt8>(count: 4096)
        for i in 0..<4096 { values[i] = UInt8(min(max(i - 2048, 0) / 4, 255)) }
        table = values
      }
      if isSensible {
        // Above, to the left, above to the left and to the right, two above, two to the left.
        for (unit, (neighbour, weight)) in [(49, 94), (60, 94), (48, -50), (50, 20), (38, -10), (59, -10)]
          .enumerated()
        {
          if index == 0 {
            for input in 0..<inputs { weights[unit * inputs + input] = input == neighbour ? 64 : 0 }
          } else {
            weights[unit] = Int8(weight)
          }
        }
        if index == 1 {
          for unit in 6..<16 { weights[unit] /= 15 }
          bias[0] = -69 * 255
          multipliers[0] = 1 << 21
        }
      }
      layers.append(
        try IntegerLayer(
          inputs: inputs, outputs: outputs, weights: weights, bias: bias, multipliers: multipliers, shift: 24,
          table: table, sumScales: scales, largestInput: 255))
    }
    return try ScanModel(
      network: try IntegerNetwork(layers: layers), probabilities: ScanModel.logisticTable())
  }

  /// Images of 28 x 28 as of digits: rings drawn from scans, where they usually lie and elsewhere, with ties that fell
  /// either way and a pixel changed; and every sixth one a ramp that no scan draws.
  static func drawings(_ count: Int) throws(AEError) -> ImageSet {
    let pixels = try Buffer<UInt8>(count: count * 784)
    for index in 0..<count {
      let image = pixels.base + index * 784
      if index % 6 == 5 {
        for i in 0..<784 { image[i] = UInt8(i % 28 < 4 || i % 28 > 23 ? 0 : 9 * (i / 28)) }
        continue
      }
      let side = 26 + 5 * index
      let (height, width) = index % 2 == 0 ? (side, side * 2 / 3) : (side * 3 / 4, side)
      let ink = try Buffer<UInt8>(count: height * width)
      for row in 0..<height {
        for column in 0..<width {
          // An ellipse that fills the box, with a hole of uneven edge.
          let y = (2 * row + 1 - height) * 1000 / height
          let x = (2 * column + 1 - width) * 1000 / width
          let isInk = y * y + x * x <= 1_000_000 && y * y + x * x >= 330_000 + (row * 7 + index) % 5 * 20_000
          ink[row * width + column] = isInk || (column - width / 2).magnitude < 2 ? 1 : 0
        }
      }
      for column in 0..<width { ink[height / 2 * width + column] = 1 }
      let scan = Scan(
        side: side, top: Scan.margin(side: side, extent: height),
        left: Scan.margin(side: side, extent: width),
        height: height, width: width, row: 0, column: 0, ink: ink)
      let picture = try ScanPicture(scan)
      let usual = picture.placement(width: 28, height: 28)
      let (top, left) = index % 3 == 2 ? (5, 6) : usual
      for place in 0..<400 {
        var value = Int(picture.pixels[place])
        if picture.ties[place] != 0 && place % 3 == 0 { value = Resampler.neighbour(value) }
        image[(place / 20 + top) * 28 + place % 20 + left] = UInt8(value)
      }
      if index % 4 == 1 { image[(10 + top) * 28 + 7 + left] ^= 3 }
    }
    return try ImageSet(width: 28, height: 28, count: count, pixels: pixels)
  }
}

// Image sets written and read: round trips, random access, fallbacks, names and labels, models, and the
// independence of bytes from threads and kernels.

import Bytes
import CKernels
import Compute
import Container
import Core
import Latent
import Model
import Network
import Storage
import Testing

/// What a coded image must decode to, by the definition: encoder, quantiser, decoder, one image at a time.
private func expected(_ set: ImageSet, _ model: Autoencoder, quality: Int) throws(AEError) -> [UInt8] {
  let rate = model.codec!.rates[quality - 1]
  let words = try Buffer<Int16>(count: model.integerEncoder!.outputCount)
  let latents = try Buffer<Int16>(count: model.latentCount)
  let picture = try Buffer<UInt8>(count: set.imageSize)
  var result: [UInt8] = []
  for image in 0..<set.count {
    try model.integerEncoder!.encode(set.pixels.base + image * set.imageSize, count: 1, into: words.base)
    for latent in 0..<model.latentCount {
      let step = Int(rate.steps[latent])
      let code = (Double(words[latent]) / Double(step)).rounded(.toNearestOrAwayFromZero)
      latents[latent] = Int16((Int(code) * step).clamped(to: -16383...16383))
    }
    try model.integerDecoder!.decode(latents.base, count: 1, into: picture.base)
    result += picture.array
  }
  return result
}

@Suite(.serialized) struct ImageSetTests {
  @Test(
    "Coded images decode to what encoder, quantiser and decoder make of them one by one, at all qualities")
  func definition() throws {
    for kind in [ModelKind.linear, .vae] {
      let model = try Support.model(kind: kind)
      let set = try Support.set(70)
      var sizes: [Int] = []
      for quality in 1...3 {
        let file = try compress(set, with: model, options: Support.options(quality: quality, block: 16))
        let open = try CompressedSet(file, model: model, name: "set")
        #expect(open.information.blockCounts == Support.counts([.coded: 5]))
        #expect(open.information.quality == quality)
        #expect(try Support.read(open) == expected(set, model, quality: quality))
        #expect(try open.verify().isSound)
        sizes.append(open.information.blockByteCount)
      }
      #expect(sizes[0] < sizes[1] && sizes[1] < sizes[2])
    }
  }

  @Test("Quality 0 is the model's default")
  func defaultQuality() throws {
    let model = try Support.model()
    let set = try Support.set(20)
    let open = try CompressedSet(try compress(set, with: model), model: model, name: "set")
    #expect(open.information.quality == 2)
  }

  @Test("Any range of any set reads as the same part of the whole, whatever the size of its blocks")
  func randomAccess() throws {
    let model = try Support.model()
    for count in [0, 1, 2, 7, 33] {
      // Noise at these places makes coded, mixed, deflated and stored blocks.
      let odd = [0, 3, 4, 5, 6, 12, 13, 14, 15, 32].filter { $0 < count }
      let set = try Support.set(count, odd: odd)
      var whole: [UInt8]? = nil
      for block in [1, 2, 3, 4, 5, 16, 33, 65536] {
        let file = try compress(set, with: model, options: Support.options(quality: 3, block: block))
        let open = try CompressedSet(file, model: model, name: "set")
        #expect(open.information.count == count)
        #expect(try open.verify().isSound)
        let pixels = try Support.read(open)
        if let whole, block < 16 { #expect(pixels.count == whole.count) }
        whole = pixels
        for first in 0...count {
          for length in 0...min(count - first, 9) {
            let part = try Buffer<UInt8>(count: length * 64)
            try open.read(first: first, count: length, into: part.base)
            #expect(part.array == Array(pixels[first * 64..<(first + length) * 64]))
          }
        }
        for image in odd {
          let isExact = pixels[image * 64..<(image + 1) * 64].elementsEqual(
            set.pixels.array[image * 64..<(image + 1) * 64])
          #expect(isExact)
        }
      }
    }
  }

  @Test("Images that the model does badly on come back exactly, and the others stay codes")
  func fallback() throws {
    let model = try Support.model(side: 16)
    let set = try Support.set(200, side: 16, odd: [17, 18, 150])
    let file = try compress(set, with: model, options: Support.options(block: 64))
    let open = try CompressedSet(file, model: model, name: "set")
    #expect(open.information.blockCounts == Support.counts([.coded: 2, .mixed: 2]))
    #expect(open.information.rawImageCount == 3)
    let pixels = try Support.read(open)
    for image in [17, 18, 150] {
      let isExact = pixels[image * 256..<(image + 1) * 256].elementsEqual(
        set.pixels.array[image * 256..<(image + 1) * 256])
      #expect(isExact)
    }
    #expect(file.count < set.pixels.count / 20)
  }

  @Test("A lower quality keeps no more images as pixels")
  func fallbackAtAllQualities() throws {
    let model = try Support.model(side: 16)
    let set = try Support.set(100, side: 16, odd: [5, 6, 77])
    for quality in 1...3 {
      let file = try compress(set, with: model, options: Support.options(quality: quality))
      let open = try CompressedSet(file, model: model, name: "set")
      #expect(open.information.rawImageCount == 3)
    }
  }

  @Test("Noise is stored and flat images are deflated: no set grows by more than its headers")
  func neverGrows() throws {
    let model = try Support.model(side: 16)
    let noise = try Support.noise(90, side: 16)
    let flat = try Buffer<UInt8>(count: 90 * 256)
    for (pixels, kind) in [(noise, BlockKind.stored), (flat, .deflated)] {
      let set = try ImageSet(width: 16, height: 16, count: 90, pixels: pixels)
      let file = try compress(set, with: model, options: Support.options(block: 64))
      let open = try CompressedSet(file, model: model, name: "set")
      #expect(open.information.blockCounts == Support.counts([kind: 2]))
      #expect(try Support.read(open) == pixels.array)
      #expect(file.count <= pixels.count + 136 + 5 + 4 + 2 * 9)
    }
  }

  @Test("Inverted images come back recognisable")
  func inverted() throws {
    // The model knows bright patterns on grey only around its own amplitudes; these leave its table.
    let model = try Support.model(side: 16, seed: 3)
    let set = try Support.set(64, side: 16)
    for index in 0..<set.pixels.count { set.pixels[index] = 255 - set.pixels[index] }
    let open = try CompressedSet(try compress(set, with: model), model: model, name: "set")
    let pixels = try Support.read(open)
    for image in 0..<64 {
      var error = 0.0
      var energy = 0.0
      let mean = (0..<256).reduce(0.0) { $0 + Double(set.pixels[image * 256 + $1]) } / 256
      for pixel in image * 256..<(image + 1) * 256 {
        let value = Double(set.pixels[pixel])
        error += (value - Double(pixels[pixel])) * (value - Double(pixels[pixel]))
        energy += (value - mean) * (value - mean)
      }
      #expect(error < energy)
    }
  }

  @Test("Values outside their table are escaped and come back")
  func escapes() throws {
    let model = try Support.model(reach: 1)
    let set = try Support.set(50)
    let file = try compress(set, with: model, options: Support.options(quality: 3))
    let open = try CompressedSet(file, model: model, name: "set")
    #expect(open.information.blockCounts[0] == 1)
    #expect(try Support.read(open) == expected(set, model, quality: 3))
  }

  @Test("Bytes do not depend on threads or kernels")
  func independence() throws {
    let model = try Support.model(side: 16)
    let set = try Support.set(333, side: 16, odd: [5, 200, 201], labelled: true, named: true)
    let options = Support.options(quality: 2, embed: true, block: 50)
    let reference = try compress(set, with: model, options: options).array
    let pixels = try Support.read(try CompressedSet(try Buffer(reference), model: nil, name: "set"))
    let path = ck_path()
    defer {
      setThreadCount(0)
      _ = ck_path_select(path)
    }
    for other in 0..<Int32(CK_PATH_COUNT) where ck_path_available(other) != 0 {
      #expect(ck_path_select(other) != 0)
      for threads in [1, 2, 5] {
        setThreadCount(threads)
        let file = try compress(set, with: model, options: options)
        #expect(file.array == reference)
        #expect(try Support.read(try CompressedSet(file, model: nil, name: "set")) == pixels)
      }
    }
  }

  @Test("The bound is always enough, and near for what cannot be compressed")
  func bound() throws {
    let model = try Support.model()
    for (count, odd, block) in [(0, [], 1), (1, [0], 1), (40, [], 7), (40, Array(0..<40), 7)]
      as [(Int, [Int], Int)]
    {
      for embed in [false, true] {
        let set = try Support.set(count, odd: odd, labelled: true)
        let options = Support.options(embed: embed, block: block)
        let size = try compress(set, with: model, options: options).count
        let bound = try compressedBound(
          set.shape, count: count, hasLabels: true, with: model, options: options)
        #expect(size <= bound)
        // Where no block needs the model, it is not embedded.
        let left = embed ? try WeightFile.bound(model, storage: .int8, decoderOnly: true) : 0
        if odd.count == count { #expect(bound - size < 200 + left) }
      }
    }
  }

  @Test("Latents are the codes times their steps, scaled; images stored raw have none")
  func latents() throws {
    let model = try Support.model()
    let set = try Support.set(40, odd: [9, 10, 30])
    let open = try CompressedSet(
      try compress(set, with: model, options: Support.options(quality: 3, block: 20)), model: model,
      name: "set")
    #expect(open.information.blockCounts == Support.counts([.mixed: 2]))
    let latents = try Buffer<Float>(count: 19 * 6)
    try open.latents(first: 11, count: 19, into: latents.base)
    let words = try Buffer<Int16>(count: 40 * 6)
    try model.integerEncoder!.encode(set.pixels.base, count: 40, into: words.base)
    for image in 11..<30 {
      for latent in 0..<6 {
        let fixed = CodeRate.quantise(Int(words[image * 6 + latent]), step: 12) * 12
        #expect(latents[(image - 11) * 6 + latent] == Float(fixed) / 256 * (16 + Float(latent)))
      }
    }
    let error = Support.error { () throws(AEError) in
      try open.latents(first: 0, count: 19, into: latents.base)
    }
    #expect(error?.code == .kind)
    #expect(error?.message.contains("images 9 to 10 are stored raw") == true)
  }

  @Test("Labels, names and the kind of source come back")
  func extras() throws {
    let model = try Support.model()
    for source in [SourceKind.unknown, .idx, .npy, .pngFolder, .pgmFolder, .pngFile, .pgmFile] {
      let set = try Support.set(30, labelled: true, named: true, source: source)
      let open = try CompressedSet(try compress(set, with: model), model: model, name: "set")
      #expect(open.information.source == source)
      #expect(open.information.hasLabels && open.information.hasNames && !open.information.hasModel)
      #expect(try open.labels()?.array == set.labels)
      let names = try #require(try open.names())
      #expect((0..<30).map { names[$0] } == set.names)
    }
    let bare = try CompressedSet(try compress(try Support.set(3), with: model), model: model, name: "set")
    #expect(try bare.labels() == nil)
    #expect(try bare.names() == nil)
  }

  @Test("Names of every shape come back, and numbered ones cost next to nothing")
  func names() throws {
    let model = try Support.model()
    let long = String(repeating: "x", count: 254) + "9"
    let lists: [[String]] = [
      ["a"], ["9", "10", "11", "99", "100"], ["a9z", "a10z", "a10z", "b"],
      [".x", "...", "a b", "\u{e9}\u{4e00}"],
      [long, long, "8", "9"], ["09", "10", "0", "00"], (0..<5000).map { "img_\($0 + 10000).png" },
    ]
    for list in lists {
      let pixels = try Support.images(list.count)
      let set = try ImageSet(width: 8, height: 8, count: list.count, pixels: pixels, names: list)
      let file = try compress(set, with: model)
      let open = try CompressedSet(file, model: model, name: "set")
      let names = try #require(try open.names())
      #expect((0..<list.count).map { names[$0] } == list)
      if list.count == 5000 {
        #expect(open.information.byteCount - open.information.blockByteCount < 136 + 5 + 4 + 90 + 60)
      }
    }
  }

  @Test("Names that could leave their folder are refused")
  func badNames() throws {
    let model = try Support.model()
    for name in ["", ".", "..", "a/b", "/", "a\0", String(repeating: "y", count: 256)] {
      let set = try ImageSet(width: 8, height: 8, count: 1, pixels: try Support.images(1), names: [name])
      let error = Support.error { () throws(AEError) in _ = try compress(set, with: model) }
      #expect(error?.code == .argument)
      #expect(error?.message.contains("the name of image 0") == true)
    }
  }

  @Test("The same bytes come out of two calls, and nothing of the model's name is lost")
  func repeatable() throws {
    let model = try Support.model(name: "Ziffern \u{e4}\u{f6} 1")
    let set = try Support.set(50, odd: [3])
    #expect(try compress(set, with: model).array == compress(set, with: model).array)
    let information = try CompressedSet.peek(try compress(set, with: model), name: "set")
    #expect(information.modelName == "Ziffern \u{e4}\u{f6} 1")
    #expect(try information.modelHash == WeightFile.hash(model))
  }

  @Test("A set with its decoder embedded needs no other file, and reads the same")
  func embedded() throws {
    let model = try Support.model()
    let set = try Support.set(50, odd: [3])
    let file = try compress(set, with: model, options: Support.options(embed: true))
    let alone = try CompressedSet(file, model: nil, name: "set")
    #expect(alone.information.hasModel)
    let pixels = try Support.read(alone)
    #expect(try pixels == Support.read(CompressedSet(file, model: model, name: "set")))
    let other = try Support.model(latentCount: 5, name: "other")
    #expect(try pixels == Support.read(CompressedSet(file, model: other, name: "set")))
    let bare = try compress(set, with: model)
    #expect(try pixels == Support.read(CompressedSet(bare, model: model, name: "set")))
  }

  @Test("Without the right model a set says which one it needs")
  func wrongModel() throws {
    let model = try Support.model(name: "right")
    let other = try Support.model(latentCount: 5, name: "wrong")
    let file = try compress(try Support.set(5), with: model)
    let needed = SHA256.hex(Array(try WeightFile.hash(model).prefix(8)))
    let given = SHA256.hex(Array(try WeightFile.hash(other).prefix(8)))
    let none = Support.error { () throws(AEError) in _ = try CompressedSet(file, model: nil, name: "my set") }
    #expect(none?.code == .model)
    #expect(none?.message == "my set: needs the model \"right\", hash \(needed), and none was given")
    let wrong = Support.error { () throws(AEError) in
      _ = try CompressedSet(file, model: other, name: "my set")
    }
    #expect(wrong?.code == .model)
    #expect(
      wrong?.message == "my set: needs the model \"right\", hash \(needed); given is \"wrong\", hash \(given)"
    )
    #expect(try CompressedSet.peek(file, name: "my set").count == 5)
  }

  @Test("The decoder alone reads what the whole model wrote, and refuses to write")
  func decoderAlone() throws {
    let model = try Support.model()
    let weights = try WeightFile.write(model, storage: .int8, decoderOnly: true)
    let decoder = try WeightFile.read(weights.base, weights.count, name: "decoder")
    let set = try Support.set(9)
    let file = try compress(set, with: model)
    #expect(
      try Support.read(CompressedSet(file, model: decoder, name: "set"))
        == Support.read(CompressedSet(file, model: model, name: "set")))
    #expect(Support.error { () throws(AEError) in _ = try compress(set, with: decoder) }?.code == .kind)
  }

  @Test("Arguments out of range are refused with their range")
  func arguments() throws {
    let model = try Support.model()
    let set = try Support.set(9)
    for options in [
      Support.options(quality: 4), Support.options(quality: -1), Support.options(block: 65537),
      Support.options(block: -5),
    ] {
      #expect(
        Support.error { () throws(AEError) in _ = try compress(set, with: model, options: options) }?.code
          == .argument)
    }
    let large = try Support.set(2, side: 16)
    #expect(Support.error { () throws(AEError) in _ = try compress(large, with: model) }?.code == .shape)
    let open = try CompressedSet(try compress(set, with: model), model: model, name: "set")
    let pixels = try Buffer<UInt8>(count: 10 * 64)
    for (first, count) in [(-1, 1), (0, 10), (10, 0), (9, 1), (0, -1), (Int.max, Int.max), (1, Int.max)] {
      #expect(
        Support.error { () throws(AEError) in try open.read(first: first, count: count, into: pixels.base) }?
          .code == .argument)
    }
    try open.read(first: 9, count: 0, into: pixels.base)
  }

  @Test("A set without images is a set")
  func empty() throws {
    let model = try Support.model()
    let set = try Support.set(0, labelled: true, named: true)
    let open = try CompressedSet(try compress(set, with: model), model: model, name: "set")
    #expect(open.information.count == 0 && open.information.blockCount == 0)
    #expect(try open.labels()?.count == 0)
    #expect(try open.names()?.count == 0)
    #expect(try open.verify().isSound)
  }
}

/// A model with a price for bits.
private func priced(_ model: Autoencoder, _ prices: [UInt32]) throws -> Autoencoder {
  let codec = try #require(model.codec)
  return try Autoencoder(
    architecture: model.architecture, name: model.name, storage: model.storage, encoder: nil, decoder: nil,
    integerEncoder: model.integerEncoder, integerDecoder: model.integerDecoder,
    codec: try codec.with(bitPrices: prices))
}

extension ImageSetTests {
  @Test("Searched codes make a lower sum of squared error and price of bits, whatever the price")
  func searchedCodesAreBetter() throws {
    let set = try Support.set(120)
    for price in [UInt32(1), 40, 1000] {
      let model = try priced(try Support.model(), [price, price, price])
      var sums: [Int] = []
      for passes in 0...2 {
        var options = Support.options(quality: 2, block: 40)
        options.searchPasses = passes
        let open = try CompressedSet(
          try compress(set, with: model, options: options), model: model, name: "set")
        let pixels = try Support.read(open)
        var error = 0
        for index in 0..<pixels.count {
          let difference = Int(pixels[index]) - Int(set.pixels[index])
          error += difference * difference
        }
        sums.append(error + Int(price) * 8 * open.information.blockByteCount)
      }
      // A block's bytes are whole, and its bits are not.
      #expect(sums[1] < sums[0] && sums[2] <= sums[1] + 3 * 8 * Int(price), "price \(price): \(sums)")
    }
  }

  @Test("Searched codes are the same bytes for 1 and 2 threads and on every kernel path")
  func searchIsTheSameEverywhere() throws {
    let set = try Support.set(90)
    let model = try priced(try Support.model(), [30, 20, 10])
    let options = Support.options(quality: 1, block: 16)
    let before = ck_path()
    defer {
      _ = ck_path_select(before)
      setThreadCount(0)
    }
    let reference = try compress(set, with: model, options: options).array
    for path in 0..<Int32(CK_PATH_COUNT) where ck_path_available(path) != 0 {
      #expect(ck_path_select(path) != 0)
      for threads in [1, 2] {
        setThreadCount(threads)
        #expect(try compress(set, with: model, options: options).array == reference)
      }
    }
  }

  @Test("Without a price of bits codes are what the encoder gives, and passes beyond 16 are refused")
  func searchNeedsAPrice() throws {
    let set = try Support.set(20)
    let model = try Support.model()
    var options = Support.options(quality: 2, block: 16)
    let plain = try compress(set, with: model, options: options).array
    options.searchPasses = 0
    #expect(try compress(set, with: model, options: options).array == plain)
    options.searchPasses = 17
    let error = #expect(throws: AEError.self) { _ = try compress(set, with: model, options: options) }
    #expect(error?.code == .argument)
  }
}

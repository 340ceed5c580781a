// Long work that is watched and stopped: in every layer, writing and reading, in the middle of a block.

import Compute
import Container
import Core
import Model
import Storage
import Testing

/// What a hook was told.
private final class Log {
  var calls: [(done: Int, total: Int)] = []
  var seconds = 0.0
}

/// A way to write a set, and the set.
private struct Way: CustomStringConvertible {
  let description: String
  let mode: Mode
  var maxError = 0
  var method: Method?
  var preview = false
  var search = 0

  static let all = [
    Way(description: "codes", mode: .lossy),
    Way(description: "searched codes", mode: .lossy, search: 2),
    Way(description: "contexts", mode: .lossless, method: .contexts),
    Way(description: "predicted", mode: .lossless, method: .predicted),
    Way(description: "whatever is smallest", mode: .lossless),
    Way(description: "scans", mode: .lossless, method: .scans),
    Way(description: "scans and codes", mode: .lossless, method: .scans, preview: true),
    Way(description: "near-exact", mode: .nearLossless, maxError: 4, method: .scans),
  ]

  func options(block: Int) -> CompressionOptions {
    var options = Support.options(
      mode: mode, maxError: maxError, method: method, preview: preview, block: block)
    options.searchPasses = search
    return options
  }
}

/// A model with networks for lossless coding and a price of bits, so that codes are searched.
private func model() throws -> Autoencoder {
  let plain = try Support.model(side: 32)
  return try Autoencoder(
    architecture: plain.architecture, name: plain.name, provenance: "tests", storage: .int8, encoder: nil,
    decoder: nil, integerEncoder: plain.integerEncoder, integerDecoder: plain.integerDecoder,
    codec: try plain.codec?.with(bitPrices: [600, 300, 100])
  ).with(scanModel: try Support.scanModel()).with(predictor: try Support.predictor())
}

/// Images of 32 x 32, five of six drawn from scans of all sides.
private func drawings(_ count: Int) throws -> ImageSet {
  let few = try Support.drawings(12)
  let pixels = try Buffer<UInt8>(count: count * 1024)
  for image in 0..<count {
    for row in 0..<28 {
      (pixels.base + image * 1024 + row * 32).update(
        from: few.pixels.base + image % 12 * 784 + row * 28, count: 28)
    }
  }
  return try ImageSet(width: 32, height: 32, count: count, pixels: pixels)
}

@Suite(.serialized) struct MonitorTests {
  @Test(arguments: Way.all)
  fileprivate func aHookChangesNoByteAndHearsOfProgress(_ way: Way) throws {
    let images = try Support.set(96, side: 32, odd: [3, 40])
    let model = try model()
    let options = way.options(block: 16)
    let log = Log()
    let watched = try compress(images, with: model, options: options) { done, total in
      log.calls.append((done, total))
      return true
    }
    #expect(watched.array == (try compress(images, with: model, options: options)).array)
    #expect(!log.calls.isEmpty)
    #expect(log.calls.allSatisfy { $0.total == 96 && (0...96).contains($0.done) })
    #expect(zip(log.calls, log.calls.dropFirst()).allSatisfy { $0.done <= $1.done })

    let set = try CompressedSet(watched, model: model, name: "set")
    let pixels = try Buffer<UInt8>(count: 96 * 32 * 32)
    try set.read(first: 0, count: 96, into: pixels.base) { _, _ in true }
    #expect(pixels.array == (try Support.read(set)))
    #expect(try set.verify { _, _ in true }.isSound)
  }

  @Test(arguments: Way.all)
  fileprivate func whatIsStoppedSaysSo(_ way: Way) throws {
    let images = try Support.set(64, side: 32)
    let model = try model()
    // One block alone is made by the calling thread, several by all.
    for block in [16, 64] {
      let options = way.options(block: block)
      let writing = Support.error { () throws(AEError) in
        _ = try compress(images, with: model, options: options) { _, _ in false }
      }
      #expect(writing?.code == .stopped)
      let set = try CompressedSet(
        try compress(images, with: model, options: options), model: model, name: "set")
      let pixels = try Buffer<UInt8>(count: 64 * 32 * 32)
      let reading = Support.error { () throws(AEError) in
        try set.read(first: 0, count: 64, into: pixels.base) { _, _ in false }
      }
      #expect(reading?.code == .stopped)
      let salvaging = Support.error { () throws(AEError) in
        try set.salvage(first: 0, count: 64, into: nil, onProgress: { _, _ in false }) { _ in
          Issue.record("being stopped is no damage")
        }
      }
      #expect(salvaging?.code == .stopped)
      let verifying = Support.error { () throws(AEError) in _ = try set.verify { _, _ in false } }
      #expect(verifying?.code == .stopped)
    }
  }

  /// Some seconds' work in one block, and in two of which the calling thread may get the small one.
  @Test(arguments: [65536, 1200])
  func aStopTakesEffectWithinAFractionOfASecond(block: Int) throws {
    let images = try drawings(1201)
    let model = try model()
    let log = Log()
    let error = Support.error { () throws(AEError) in
      _ = try compress(
        images, with: model, options: Support.options(mode: .lossless, method: .scans, block: block)
      ) { done, total in
        log.calls.append((done, total))
        if log.calls.count == 4 { log.seconds = monotonicSeconds() }
        return log.calls.count < 4
      }
    }
    #expect(error?.code == .stopped)
    #expect(log.calls.count == 4)
    #expect(monotonicSeconds() - log.seconds < 0.5)
    #expect((log.calls.last?.done ?? 0) < 1201)
  }
}

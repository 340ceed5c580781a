// Frequency tables for searched codes. The search depends on the tables and the tables on the search, so they alternate.

import Compute
import Core
import Network

/// Codes are searched in runs of so many images, in all of small sets and in some of large ones.
private let searchedRun = 100

/// Which images of a set are searched when tables are counted.
package struct SearchedImages {
  private let interval: Int

  /// Some 4000 images, or fewer where a search takes longer than one of 64 latents with the study's dense layers: each
  /// latent is tried twice, and each trial is decoded.
  package init(of rows: Int, decoder: IntegerNetwork) {
    var products = 0
    for shape in decoder.shapes { products += shape.productCount }
    let budget = 400_000_000_000
    let most = (budget / max(2 * decoder.inputCount * products, 1)).clamped(to: searchedRun...4000)
    interval = max(rows / most, 1)
  }

  package func contains(_ row: Int) -> Bool { row / searchedRun % interval == 0 }
}

/// The rate with tables counted on searched codes: two rounds of search and count. A search prefers cheap symbols, which
/// become cheaper in the tables that are counted on its codes.
///
/// - Parameter codes: [rows, latents] codes of the images `pixels`, which are searched in place.
package func searched(
  _ rate: CodeRate, decoder: IntegerNetwork, price: Int, _ codes: Buffer<Int16>,
  pixels: UnsafePointer<UInt8>, rows: Int
) throws(AEError) -> CodeRate {
  var rate = rate
  let latentCount = rate.steps.count
  let images = SearchedImages(of: rows, decoder: decoder)
  for _ in 0..<2 {
    let search = CodeSearch(
      decoder: decoder, rate: rate, price: price, escapeBits: Int(LatentCoder.escapeBits))
    let runCount = (rows + searchedRun - 1) / searchedRun
    let failures = try Buffer<UInt8>(count: runCount)
    parallel(runCount) { run in
      let first = run * searchedRun
      guard images.contains(first) else { return }
      do throws(AEError) {
        try search.refine(
          codes.base + first * latentCount, pixels: pixels + first * decoder.outputCount,
          count: min(searchedRun, rows - first), passes: 1)
      } catch {
        failures.base[run] = 1
      }
    }
    for run in 0..<runCount where failures.base[run] != 0 {
      throw AEError(.memory, "cannot allocate rows for the search of codes")
    }
    rate = try CodeRate(
      steps: rate.steps,
      tables: codeTables(codes, rows: rows, steps: rate.steps) { images.contains($0) })
  }
  return rate
}

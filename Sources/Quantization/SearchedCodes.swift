// Tables for codes that are searched, and what a bit is worth to the search: the part of fitting a codec that
// models trained at a price for bits have beyond all others.

import Compute
import Core
import Latent
import Network

/// The squared error, summed over an image's bytes, that a bit of code is worth where every latent's quantiser
/// adds `addition` to the mean squared error of a pixel: D = gain s^2 / 12 and R = -log2 s + c, as of a fine
/// quantiser.
func bitPrice(addition: Double, pixelCount: Int) -> Int {
  Int(saturating: 2 * 0.6931471805599453 * addition * Double(pixelCount) * 65025)
    .clamped(to: 1...Int(Int32.max))
}

/// Codes are searched in runs of so many images, in all of small sets and in some 4000 images of large ones.
private let searchedRun = 100

private func isSearched(_ row: Int, of rows: Int) -> Bool {
  row / searchedRun % max(rows / 4000, 1) == 0
}

/// The rate with tables of the codes that a search chooses with its tables, and once more with those: a search
/// leans to what is cheap, and so the tables do, too.
///
/// - Parameter codes: [rows, latents] codes of the images `pixels`, which are searched in place.
func searched(
  _ rate: CodeRate, decoder: IntegerDecoder, price: Int, _ codes: Buffer<Int16>,
  pixels: UnsafePointer<UInt8>, rows: Int
) throws(AEError) -> CodeRate {
  var rate = rate
  let latentCount = rate.steps.count
  for _ in 0..<2 {
    let search = CodeSearch(
      decoder: decoder, rate: rate, price: price,
      escapeBits: Int(LatentCoder.escapeBits))
    let runCount = (rows + searchedRun - 1) / searchedRun
    let failures = try Buffer<UInt8>(count: runCount)
    parallel(runCount) { run in
      let first = run * searchedRun
      guard isSearched(first, of: rows) else { return }
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
      tables: codeTables(codes, rows: rows, steps: rate.steps) { isSearched($0, of: rows) })
  }
  return rate
}

// Frequency tables, counted: from codes of many images to the tables that code them.

import Core

/// The tables of all latents, counted on `rows` rows of codes. Rows that `isCounted` leaves out have a weight of 0.001, for
/// the sake of rare symbols.
package func codeTables(
  _ codes: Buffer<Int16>, rows: Int, steps: [UInt16], counts isCounted: (Int) -> Bool
) throws(AEError) -> [CodeTable] {
  let largestSymbols = 1024
  let width = steps.count
  var tables: [CodeTable] = []
  for latent in 0..<width {
    try checkMemory()
    var lowest = Int.max
    var highest = Int.min
    for row in 0..<rows {
      let value = Int(codes.base[row &* width &+ latent])
      lowest = min(lowest, value)
      highest = max(highest, value)
    }
    // A margin around the values seen; values outside are escaped.
    let margin = (highest &- lowest) / 16 &+ 1
    let limit = Codec.largestLatent / Int(steps[latent])
    lowest = max(lowest &- margin, -limit, -largestSymbols / 2)
    highest = min(highest &+ margin, limit, largestSymbols / 2 - 2)
    if highest < lowest { (lowest, highest) = (0, 0) }
    var counts = [Double](repeating: 0, count: highest - lowest + 2)
    for row in 0..<rows {
      let value = Int(codes.base[row &* width &+ latent])
      counts[value < lowest || value > highest ? 0 : value &- lowest &+ 1] +=
        isCounted(row) ? 1 : 0.001
    }
    tables.append(try CodeTable(lowest: lowest, counts: counts))
  }
  return tables
}

extension CodeTable {
  /// The table nearest to counts, escape first: every frequency at least 1, summing to 4096.
  package init(lowest: Int, counts: [Double]) throws(AEError) {
    let total = 1 << CodeTable.precisionBits
    var sum = 0.0
    for count in counts { sum += count }
    // One in every slot first; the rest in proportion, and the remainder to the largest.
    let free = Double(total - counts.count)
    var frequencies: [UInt16] = []
    var used = 0
    var largest = 0
    for (index, count) in counts.enumerated() {
      let frequency = 1 + (sum > 0 ? Int((count / sum * free).rounded(.down)) : 0)
      frequencies.append(UInt16(frequency))
      used += frequency
      if count > counts[largest] { largest = index }
    }
    frequencies[largest] += UInt16(total - used)
    try self.init(lowest: lowest, frequencies: frequencies)
  }
}

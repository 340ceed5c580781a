// Where the parts of small files of versions 1 and 2 lie, which no writer makes any more: what lets tests change such
// files.

/// The same of a file of version 1 or 2.
struct OldLayout {
  let headerSize: Int
  let entryCount: Int
  var indexOffset: Int { headerSize }
  var indexEnd: Int { headerSize + 9 * entryCount + 4 }
  let sections: [Range<Int>]
  let blocks: [Range<Int>]

  /// Nil if the bytes are too few for header and index; parts that do not fit are left out, and all after them.
  init?(_ bytes: [UInt8]) {
    guard bytes.count > 136 else { return nil }
    headerSize = 132 + Int(bytes[23]) + 4
    let count = Layout.integer(bytes, 32, 8)
    let blockImages = Layout.integer(bytes, 24, 4)
    guard count >= 0, count < 1 << 20, blockImages > 0 else { return nil }
    entryCount = (count + blockImages - 1) / blockImages
    var offset = headerSize + 9 * entryCount + 4
    guard offset <= bytes.count else { return nil }
    var sections: [Range<Int>] = []
    for section in 0..<3 {
      let size = Layout.integer(bytes, 72 + 20 * section, 8)
      guard size >= 0, size <= bytes.count - offset else { break }
      sections.append(offset..<offset + size)
      offset += size
    }
    var blocks: [Range<Int>] = []
    for entry in 0..<entryCount where sections.count == 3 {
      let size = Layout.integer(bytes, headerSize + 9 * entry + 1, 4)
      guard size <= bytes.count - offset else { break }
      blocks.append(offset..<offset + size)
      offset += size
    }
    self.sections = sections
    self.blocks = blocks
  }

  /// Makes every checksum match what the file now holds, as far as its parts can be found.
  static func repair(_ bytes: inout [UInt8]) {
    if let layout = OldLayout(bytes) {
      for (entry, block) in layout.blocks.enumerated() {
        Layout.put(Layout.crc(bytes, block), &bytes, layout.headerSize + 9 * entry + 5, 4)
      }
      Layout.put(Layout.crc(bytes, layout.indexOffset..<layout.indexEnd - 4), &bytes, layout.indexEnd - 4, 4)
      for (index, section) in layout.sections.enumerated() where section.count > 0 {
        Layout.put(Layout.crc(bytes, section), &bytes, 72 + 20 * index + 16, 4)
      }
    }
    guard bytes.count > 136 else { return }
    let checked = 132 + Int(bytes[23])
    guard checked + 4 <= bytes.count else { return }
    Layout.put(Layout.crc(bytes, 0..<checked), &bytes, checked, 4)
  }
}

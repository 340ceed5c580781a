// Names as text and back, and texts as one line: every byte comes back, and nothing that a terminal obeys is left.

import Bytes
import Testing

@Test("a name of any bytes becomes text and comes back as it was")
func namesComeBack() {
  func text(_ name: [UInt8]) -> String { name.withUnsafeBufferPointer { FileName.text($0) } }
  var state: UInt64 = 1
  var names: [[UInt8]] = [
    [], [0xE9], [0xF4, 0x8F, 0xBE, 0x80], [0xF4, 0x8F, 0xBF, 0xBF, 0x61], [0xF4, 0x8F, 0xBE],
  ]
  for length in 1...400 {
    names.append(
      (0..<length).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // Leads of the escapes often, so that parts of them occur.
        let choices: [UInt8] = [0xF4, 0x8F, 0xBE, 0xBF, 0x80, UInt8(truncatingIfNeeded: state >> 50) | 1]
        return choices[Int(state >> 33) % choices.count]
      })
  }
  var texts: Set<String> = []
  for name in names {
    let text = text(name)
    #expect(FileName.bytes(text) == name)
    #expect(FileName.withCString(text) { String(cString: $0).isEmpty } == name.isEmpty)
    texts.insert(text)
  }
  #expect(texts.count == names.count)
  #expect(text(Array("naïve 数字".utf8)) == "naïve 数字")
  #expect(FileName.utf8(text([0xE9])) == nil)
  #expect(FileName.utf8(text(Array("\u{10FFFF}".utf8))) == "\u{10FFFF}")
}

@Test("a text becomes one line that shows what a terminal would obey")
func oneLineIsHarmless() {
  #expect(oneLine("plain, naïve, 数字 \\ 👩") == "plain, naïve, 数字 \\ 👩")
  #expect(oneLine("a\nb\t\u{1B}[0m\u{7F}") == "a\\x0Ab\\x09\\x1B[0m\\x7F")
  #expect(oneLine("\u{85}\u{9B}\u{2028}\u{202E}\u{E0041}") == "\\u{85}\\u{9B}\\u{2028}\\u{202E}\\u{E0041}")
  #expect(oneLine([0x61, 0xE9].withUnsafeBufferPointer { FileName.text($0) }) == "a\\xE9")
  for value in UInt32(0)...0x2FFFF {
    guard let scalar = Unicode.Scalar(value) else { continue }
    let kind = scalar.properties.generalCategory
    let isShown = oneLine(String(scalar)) == String(scalar)
    let isHarmful = [.control, .format, .lineSeparator, .paragraphSeparator].contains(kind)
    if isHarmful == isShown { Issue.record("U+\(String(value, radix: 16)) \(kind)") }
  }
}

// Standard output and standard error as the tool uses them: every write is checked, so that a full disk or a
// closed pipe becomes an exit status, and terminals are told from files.

import Bytes
import Core
import Glibc

package enum Console {
  package static let input: Int32 = 0
  package static let output: Int32 = 1
  package static let error: Int32 = 2

  package static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// Standard input as bytes that come in order.
  /// - Parameter gunzips: false to take what is gzipped as the bytes it is.
  package static func openInput(gunzips: Bool = true) throws(AEError) -> ByteInput {
    try ByteInput(descriptor: input, name: "standard input", gunzips: gunzips)
  }

  /// Writes text to standard output.
  package static func print(_ text: String) throws(AEError) {
    let bytes = Array((text + "\n").utf8)
    try File.writeDescriptor(output, name: "standard output", bytes, bytes.count)
  }

  /// Writes a message to standard error; a failure to do so is ignored. A message is
  /// one line, whatever names it quotes; `lines` that follow it are the tool's own.
  package static func warn(_ message: String, andLines lines: String = "") {
    draw(oneLine(message) + lines + "\n")
  }

  /// Writes to standard error as it is: what a terminal is to obey.
  package static func draw(_ text: String) {
    let bytes = Array(text.utf8)
    try? File.writeDescriptor(error, name: "standard error", bytes, bytes.count)
  }

  /// Writes a file's bytes to standard output, unless that is a terminal.
  package static func write(_ bytes: Buffer<UInt8>) throws {
    try refuseTerminal()
    try File.writeDescriptor(output, name: "standard output", bytes.base, bytes.count)
  }

  /// Throws if standard output is a terminal, which binary data would garble.
  package static func refuseTerminal() throws {
    if isTerminal(output) { throw terminalRefusal }
  }

  package static let terminalRefusal = AEError(
    .argument, "binary data is not written to a terminal: redirect it, or name a file with -o")

  /// Columns of the terminal on standard error.
  package static var columnCount: Int {
    var size = winsize()
    guard ioctl(error, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}

extension Double {
  /// With so many digits after the point: `fixed(2)` of 1.005 is "1.00".
  package func fixed(_ digits: Int) -> String { formatted("%.\(digits)f") }

  /// With so many significant digits: `significant(4)` of 0.0239012 is "0.0239".
  package func significant(_ digits: Int) -> String { formatted("%.\(digits)g") }

  private func formatted(_ format: String) -> String {
    guard isFinite else { return isNaN ? "nan" : self < 0 ? "-inf" : "inf" }
    var text = [CChar](repeating: 0, count: 400)
    let count = withVaList([self]) { vsnprintf(&text, text.count, format, $0) }
    return String(decoding: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// With commas between thousands: "60,000".
package func grouped(_ number: Int) -> String {
  var digits = Array(String(number))
  var position = digits.count - 3
  while position > (number < 0 ? 1 : 0) {
    digits.insert(",", at: position)
    position -= 3
  }
  return String(digits)
}

/// "1 image", "2 images".
package func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

extension String {
  /// As a word that a shell takes for just this text: what a line cannot show is spelled out in $'...'.
  package var shellQuoted: String {
    if oneLine(self) != self {
      let escaped = FileName.bytes(self).map { byte in
        if byte == 0x27 || byte == 0x5C { return "\\" + String(UnicodeScalar(byte)) }
        if (0x20...0x7E).contains(byte) { return String(UnicodeScalar(byte)) }
        return "\\x" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
      }
      return "$'" + escaped.joined() + "'"
    }
    let isPlain =
      !isEmpty
      && utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
          || byte >= 0x80 || "-_./:,=+@%".utf8.contains(byte)
      }
    return isPlain
      ? self : "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}

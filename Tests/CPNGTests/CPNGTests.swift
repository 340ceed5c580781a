// The PNG reader and writer of the tool: pictures come back, and no mutation of a file breaks the reader.

import CPNG
import Testing

/// A picture of `width` x `height` x `channels` bytes, some of them far apart.
private func picture(_ width: Int, _ height: Int, _ channels: Int = 1) -> [UInt8] {
  (0..<width * height * channels).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 7 &+ $0 / 3) }
}

private func write(_ samples: [UInt8], _ width: Int, _ height: Int, _ channels: Int = 1) -> [UInt8] {
  var bytes: UnsafeMutablePointer<UInt8>?
  var count = 0
  var message = [CChar](repeating: 0, count: Int(CPNG_MESSAGE_SIZE))
  guard
    cpng_write(
      samples, UInt32(width), UInt32(height), Int32(channels), &bytes, &count, &message) == CPNG_OK
  else { return [] }
  defer { cpng_free(bytes) }
  return Array(UnsafeBufferPointer(start: bytes, count: count))
}

/// Reads a file from memory of just its size. Returns the samples, or the message.
private func read(_ file: [UInt8]) -> (samples: [UInt8]?, message: String) {
  let exact = UnsafeMutablePointer<UInt8>.allocate(capacity: max(file.count, 1))
  defer { exact.deallocate() }
  for (index, byte) in file.enumerated() { exact[index] = byte }
  var image = cpng_image()
  var message = [CChar](repeating: 0, count: Int(CPNG_MESSAGE_SIZE))
  let status = cpng_read(exact, file.count, &image, &message)
  let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  guard status == CPNG_OK else { return (nil, text) }
  defer { cpng_free(image.samples) }
  let count = Int(image.width) * Int(image.height) * Int(image.channels) * Int(image.depth) / 8
  return (Array(UnsafeBufferPointer(start: image.samples, count: count)), text)
}

@Test("a picture comes back from PNG, the same bytes every time", arguments: [(1, 1), (28, 28), (3, 700)])
func pngRoundTrip(width: Int, height: Int) {
  for channels in 1...4 {
    let samples = picture(width, height, channels)
    let file = write(samples, width, height, channels)
    #expect(file == write(samples, width, height, channels))
    #expect(read(file).samples == samples)
  }
  #expect(write(picture(width, height), width, height, 5) == [])
}

@Test("every truncation of a PNG file but of its last bytes is refused")
func pngTruncation() {
  let file = write(picture(9, 7), 9, 7)
  for count in 0..<file.count {
    let (samples, message) = read(Array(file.prefix(count)))
    #expect(samples == nil, "\(count)")
    #expect(message.hasSuffix(")"), "\(message)")
  }
}

@Test("no mutation of a PNG file breaks the reader")
func pngFuzz() {
  let seeds = [
    write(picture(5, 4), 5, 4), write(picture(40, 3), 40, 3), write(picture(5, 4, 3), 5, 4, 3),
    write(picture(6, 2, 4), 6, 2, 4),
  ]
  var state: UInt64 = 20_240_601
  func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(truncatingIfNeeded: (state >> 33) % UInt64(bound))
  }
  var (accepted, refused) = (0, 0)
  for round in 0..<20_000 {
    var file = seeds[round % seeds.count]
    for _ in 0...below(3) {
      let position = below(file.count)
      switch below(4) {
      case 0: file[position] ^= 1 << UInt8(below(8))
      case 1: file[position] = [0, 1, 0x7F, 0x80, 0xFF][below(5)]
      case 2: file.insert(UInt8(below(256)), at: position)
      default: file.removeSubrange(position..<min(file.count, position + 1 + below(8)))
      }
      if file.isEmpty { file = [0] }
    }
    // With the header's checksum made right, so that its fields are looked at.
    if file.count >= 33, round % 2 == 0 {
      var crc: UInt32 = 0xFFFF_FFFF
      for byte in file[12..<29] {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
      }
      for index in 0..<4 { file[29 + index] = UInt8(truncatingIfNeeded: ~crc >> UInt32(24 - 8 * index)) }
    }
    let (samples, message) = read(file)
    if samples == nil {
      refused += 1
      #expect(!message.isEmpty)
    } else {
      accepted += 1
    }
  }
  #expect(refused > 10_000 && accepted > 100)
}

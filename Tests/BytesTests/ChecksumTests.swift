// Published test vectors for the two sums.

import Bytes
import Core
import Testing

@Test("CRC-32 gives the published check value, in one piece or in two")
func crc32CheckValue() {
  let digits = Array("123456789".utf8)
  #expect(Checksum.crc32(digits, 9) == 0xCBF4_3926)
  let head = Checksum.crc32(digits, 4)
  #expect(
    digits.withUnsafeBufferPointer { Checksum.crc32($0.baseAddress! + 4, 5, from: head) } == 0xCBF4_3926)
  #expect(Checksum.crc32(digits, 0) == 0)
}

@Test(
  "SHA-256 gives the sums of FIPS 180-4's examples",
  arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
func sha256Examples(text: String, sum: String) {
  let bytes = Array(text.utf8)
  #expect(SHA256.hex(SHA256.digest(bytes, bytes.count)) == sum)
}

@Test("SHA-256 of a million letters, fed in uneven pieces, is the published sum")
func sha256Million() {
  let letters = [UInt8](repeating: 0x61, count: 1000)
  var sum = SHA256()
  var left = 1_000_000
  var piece = 1
  while left > 0 {
    let count = min(left, piece)
    sum.update(letters, count)
    left -= count
    piece = piece * 7 % 997 + 1
  }
  #expect(SHA256.hex(sum.finish()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
}

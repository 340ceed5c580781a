// What a reader of images takes, what it makes of it, and the words with which it refuses the rest.

import Bytes
import Core
import Storage
import Testing

/// The error that `body` throws, or nil.
private func failure(_ body: () throws(AEError) -> Void) -> AEError? {
  do throws(AEError) {
    try body()
    return nil
  } catch {
    return error
  }
}

private func message(_ body: () throws(AEError) -> Void) -> String { failure(body)?.message ?? "no error" }

private func idxHeader(_ sizes: [UInt32], type: UInt8 = 8) -> [UInt8] {
  var bytes: [UInt8] = [0, 0, type, UInt8(sizes.count)]
  for size in sizes {
    for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: size >> shift)) }
  }
  return bytes
}

private func npy(_ dictionary: String, _ data: [UInt8] = [], version: UInt8 = 1) -> [UInt8] {
  let header = Array((dictionary + "\n").utf8)
  var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [version, 0]
  bytes += [UInt8(header.count & 255), UInt8(header.count >> 8)]
  if version > 1 { bytes += [0, 0] }
  return bytes + header + data
}

private func npy(_ type: String, _ shape: String, _ data: [UInt8]) -> [UInt8] {
  npy("{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }", data)
}

private func littleEndian(_ values: [Float]) -> [UInt8] {
  values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) } }
}

private func littleEndian(_ values: [Double]) -> [UInt8] {
  values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64($0))) } }
}

/// Three images of 2 x 2.
private func sampleSet() throws -> ImageSet {
  try ImageSet(
    width: 2, height: 2, count: 3,
    pixels: try Buffer<UInt8>([0, 1, 2, 3, 40, 50, 60, 70, 252, 253, 254, 255]))
}

// MARK: IDX

@Test("an IDX file comes back byte for byte, plain or gzipped")
func idxRoundTrip() throws {
  let file = try IDX.write(try sampleSet())
  #expect(Array(file.array.prefix(16)) == idxHeader([3, 2, 2]))
  let packed = try Zlib.gzip(file.base, file.count)
  for bytes in [file, packed] {
    let set = try IDX.read(bytes.base, bytes.count, name: "sample")
    #expect(set.width == 2 && set.height == 2 && set.count == 3 && set.source == .idx)
    #expect(try IDX.write(set).array == file.array)
  }
}

@Test("labels of IDX come back, plain or gzipped, and may be none")
func idxLabels() throws {
  for labels: [UInt8] in [[], [7], [0, 9, 255]] {
    let file = try IDX.writeLabels(labels)
    let packed = try Zlib.gzip(file.base, file.count)
    #expect(try IDX.readLabels(file.base, file.count, name: "sample") == labels)
    #expect(try IDX.readLabels(packed.base, packed.count, name: "sample") == labels)
  }
}

@Test("an IDX file of no images is a set of no images")
func idxEmpty() throws {
  let bytes = idxHeader([0, 28, 28])
  #expect(try IDX.read(bytes, bytes.count, name: "empty").count == 0)
}

@Test("IDX headers that cannot be are refused with what is wrong and where")
func idxRefuses() {
  let cases: [([UInt8], String)] = [
    ([], "an IDX header of 16 bytes expected, 0 came (byte 0)"),
    (
      idxHeader([1, 2]),
      "3 dimensions, or 4 with channels, expected, 2 came (one image, or flattened ones): write [count, height, width] (byte 0)"
    ),
    (Array(idxHeader([1, 2, 3]).prefix(15)), "an IDX header of 16 bytes expected, 15 came (byte 0)"),
    ([1] + idxHeader([1, 2, 2]), "not an IDX file: it does not begin with two zeros (byte 0)"),
    (
      idxHeader([1, 2, 2], type: 13),
      "is an IDX file of 32-bit floats (type 13), and only unsigned bytes, type 8, are read: scale them to 0 ... 255 "
        + "and write bytes (byte 0)"
    ),
    (
      idxHeader([1]) + [0, 0, 0, 0, 0, 0, 0, 0],
      "3 dimensions, or 4 with channels, expected, 1 came (a file of labels) (byte 0)"
    ),
    (
      idxHeader([1, 2, 2, 2]),
      "dimension 3 must be 1, 3 or 4, the channels of [count, height, width, channels], not 2 (byte 16)"
    ),
    (
      idxHeader([9, 3, 32, 32]),
      "dimension 3 must be 1, 3 or 4, the channels of [count, height, width, channels], not 32: these seem to be "
        + "[count, channels, height, width]; numpy's a.transpose(0, 2, 3, 1) puts the channels last (byte 16)"
    ),
    (Array(idxHeader([1, 2, 3, 4]).prefix(19)), "an IDX header of 20 bytes expected, 19 came (byte 0)"),
    (
      idxHeader([1, 2, 3, 4, 5]),
      "3 dimensions, or 4 with channels, expected, 5 came (byte 0)"
    ),
    (
      idxHeader([2, 1, 1, 3]) + [1, 2, 3, 4, 5],
      "the header declares 2 x 1 x 1 x 3 = 6 bytes, 5 follow (byte 20)"
    ),
    (
      idxHeader([1, 2, 2], type: 7), "IDX elements of type 7; only unsigned bytes, type 8, are read (byte 0)"
    ),
    (idxHeader([1, 0, 2]), "dimension 1 must be in 1 ... 65535, not 0 (byte 8)"),
    (idxHeader([1, 2, 65536]), "dimension 2 must be in 1 ... 65535, not 65536 (byte 12)"),
    (idxHeader([0xFFFF_FFFF, 2, 2]), "dimension 0 must be in 0 ... 268435456, not 4294967295 (byte 4)"),
    (
      idxHeader([1 << 28, 65535, 65535]),
      "the header declares 268435456 x 65535 x 65535 = 1152886320503193600 bytes, 0 follow (byte 16)"
    ),
    (idxHeader([1, 2, 2]) + [1, 2, 3], "the header declares 1 x 2 x 2 = 4 bytes, 3 follow (byte 16)"),
    (
      idxHeader([1, 2, 2]) + [1, 2, 3, 4, 5], "the header declares 1 x 2 x 2 = 4 bytes, more follow (byte 16)"
    ),
  ]
  for (bytes, expected) in cases {
    #expect(
      message { () throws(AEError) in _ = try IDX.read(bytes, bytes.count, name: "x") } == "x: " + expected)
  }
  let images = idxHeader([1, 1, 1]) + [0]
  #expect(
    message { () throws(AEError) in _ = try IDX.readLabels(images, images.count, name: "x") }
      == "x: 1 dimensions expected, 3 came (a file of images) (byte 0)")
}

@Test("a gzipped IDX file is bounded by its header, and its header by its size")
func idxBombs() throws {
  // 64 MB of zeros behind a header of one small image.
  let zeros = try Buffer<UInt8>(count: 1 << 26)
  for (index, byte) in idxHeader([1, 2, 2]).enumerated() { zeros.base[index] = byte }
  let bomb = try Zlib.gzip(zeros.base, zeros.count)
  #expect(
    message { () throws(AEError) in _ = try IDX.read(bomb.base, bomb.count, name: "x") }
      == "x: the header declares 1 x 2 x 2 = 4 bytes, more follow (byte 16)")

  let absurd = idxHeader([1 << 28, 65535, 65535])
  let packed = try Zlib.gzip(absurd, absurd.count)
  #expect(
    message { () throws(AEError) in _ = try IDX.read(packed.base, packed.count, name: "x") }
      == "x: the header declares 268435456 x 65535 x 65535 = 1152886320503193600 bytes, 0 follow (byte 16)"
  )

  let file = try IDX.write(try sampleSet())
  let whole = try Zlib.gzip(file.base, file.count)
  for count in 2..<whole.count {
    #expect(failure { () throws(AEError) in _ = try IDX.read(whole.base, count, name: "x") }?.code == .format)
  }
}

// MARK: NPY

@Test("images come back from NPY")
func npyRoundTrip() throws {
  let set = try sampleSet()
  let file = try NPY.write(set)
  #expect(file.count % 64 == 12)
  let back = try NPY.read(file.base, file.count, name: "sample")
  #expect(back.width == 2 && back.height == 2 && back.count == 3 && back.source == .npy)
  #expect(back.pixels.array == set.pixels.array)
}

@Test("headers of versions 1 to 3 are read, in any order and spacing")
func npyHeaders() throws {
  for version: UInt8 in 1...3 {
    for text in [
      "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3), }",
      "{\"shape\":(1,2,3),\"descr\":\"|u1\",\"fortran_order\":False}        ",
      " { 'fortran_order' : False , 'shape' : ( 1 , 2 , 3 , ) , 'descr' : '|u1' , } ",
    ] {
      let bytes = npy(text, [1, 2, 3, 4, 5, 6], version: version)
      let set = try NPY.read(bytes, bytes.count, name: "x")
      #expect(set.count == 1 && set.height == 2 && set.width == 3)
      #expect(set.pixels.array == [1, 2, 3, 4, 5, 6])
    }
  }
}

@Test("floats in [0, 1] are rounded to the nearest byte, ties to even, others are refused")
func npyFloats() throws {
  let values: [Double] = [0, 1, 0.5 / 255, 1.5 / 255, 2.5 / 255, 100.4 / 255, -0.4 / 255, 255.4 / 255]
  let expected: [UInt8] = [0, 255, 0, 2, 2, 100, 0, 255]
  let doubles = npy("<f8", "(1, 2, 4)", littleEndian(values))
  #expect(try NPY.read(doubles, doubles.count, name: "x").pixels.array == expected)
  let floats = npy("<f4", "(1, 2, 4)", littleEndian(values.map { Float($0) }))
  #expect(try NPY.read(floats, floats.count, name: "x").pixels.array == expected)
  for bad: Float in [.nan, .infinity, -.infinity, 1.01, -0.01, 255] {
    let bytes = npy("<f4", "(1, 1, 2)", littleEndian([0, bad]))
    let offset = bytes.count - 4
    #expect(
      message { () throws(AEError) in _ = try NPY.read(bytes, bytes.count, name: "x") }
        == "x: element 1 is not in [0, 1], as floats of images must be (byte \(offset))")
  }
}

@Test("two dimensions are flattened images or one image by the stated rule")
func npyShapes() throws {
  func shape(_ text: String, _ count: Int, size: (width: Int, height: Int)? = nil) throws(AEError) -> [Int] {
    let bytes = npy("|u1", text, [UInt8](repeating: 0, count: count))
    let set = try NPY.read(bytes, bytes.count, name: "x", size: size)
    return [set.count, set.height, set.width]
  }
  #expect(try shape("(3, 16)", 48) == [3, 4, 4])
  #expect(try shape("(16, 16)", 256) == [1, 16, 16])
  #expect(try shape("(3, 8)", 24) == [1, 3, 8])
  #expect(try shape("(3, 8)", 24, size: (width: 4, height: 2)) == [3, 2, 4])
  #expect(try shape("(3, 8)", 24, size: (width: 8, height: 3)) == [1, 3, 8])
  #expect(try shape("(16, 16)", 256, size: (width: 4, height: 4)) == [16, 4, 4])
  #expect(try shape("(0, 784)", 0) == [0, 28, 28])
  #expect(try shape("(2, 3, 4)", 24) == [2, 3, 4])
  for (text, count, size) in [
    ("(8,)", 8, nil), ("()", 1, nil), ("(1, 2, 2, 2)", 8, nil), ("(1, 3, 2, 2)", 12, nil),
    ("(3, 8)", 24, (width: 3, height: 3)),
    ("(2, 3, 4)", 24, (width: 3, height: 4)), ("(5, 0, 3)", 0, nil), ("(0, 3, 70000)", 0, nil),
  ] as [(String, Int, (width: Int, height: Int)?)] {
    #expect(
      failure { () throws(AEError) in _ = try shape(text, count, size: size) }?.code == .shape, "\(text)")
  }
}

@Test("latents come back as floats with their shape; doubles are rounded")
func npyLatents() throws {
  let values = try Buffer<Float>([0, -1.5, 3.25, 1e-20, -7, 1e30])
  let file = try NPY.write(values, shape: [3, 2])
  let (shape, back) = try NPY.readFloats(file.base, file.count, name: "x")
  #expect(shape == [3, 2])
  #expect(back.array == values.array)
  let doubles = npy("<f8", "(2,)", littleEndian([0.1, -2.0]))
  #expect(try NPY.readFloats(doubles, doubles.count, name: "x").values.array == [0.1, -2])
  for bad in [Double.nan, .infinity, 1e300] {
    let bytes = npy("<f8", "(2,)", littleEndian([0, bad]))
    #expect(
      message { () throws(AEError) in _ = try NPY.readFloats(bytes, bytes.count, name: "x") }
        == "x: element 1 is not finite (byte \(bytes.count - 8))")
  }
  let pixels = npy("|u1", "(2,)", [1, 2])
  #expect(
    message { () throws(AEError) in _ = try NPY.readFloats(pixels, pixels.count, name: "x") }
      == "x: floats (<f4 or <f8) expected, bytes (|u1) came")
  #expect(failure { () throws(AEError) in _ = try NPY.write(values, shape: [3, 3]) }?.code == .argument)
  #expect(failure { () throws(AEError) in _ = try NPY.write(values, shape: [-3, -2]) }?.code == .argument)
  #expect(
    failure { () throws(AEError) in _ = try NPY.write(values, shape: [.max, .max, 6]) }?.code == .argument)
}

@Test("NPY headers that cannot be are refused with what is wrong and where")
func npyRefuses() {
  let start = "{'descr': '|u1', 'fortran_order': False, "
  let all = start + "'shape': (1, 2, 2), }"
  let cases: [([UInt8], String)] = [
    ([], "not an NPY file: it does not begin with \\x93NUMPY (byte 0)"),
    (Array(npy(all).prefix(6)), "1 bytes expected, 0 follow (byte 6)"),
    (npy(all, version: 4), "NPY versions 1 to 3 are read, not 4 (byte 6)"),
    (
      [0x93] + Array("NUMPY".utf8) + [1, 0, 255, 255],
      "a header of at most 0 bytes expected, 65535 declared (byte 8)"
    ),
    (
      [0x93] + Array("NUMPY".utf8) + [2, 0, 255, 255, 255, 255, 0],
      "a header of at most 1 bytes expected, 4294967295 declared (byte 8)"
    ),
    (npy(all, [1, 2, 3]), "the shape [1, 2, 2] makes 4 bytes, 3 follow (byte 73)"),
    (npy(all, [1, 2, 3, 4, 5]), "the shape [1, 2, 2] makes 4 bytes, more follow (byte 73)"),
    (
      npy("|i1", "(1,)", [0]),
      "elements of type |u1, <f4 or <f8 are read, no others: "
        + "these are |i1, signed 8-bit integers, a.astype(\"uint8\") makes bytes of 0 ... 255 (byte 20)"
    ),
    (
      npy("|O", "(1,)", [0]),
      "elements of type |u1, <f4 or <f8 are read, no others: "
        + "these are |O, Python objects, numpy.stack(list(a)) may make an array of them (byte 20)"
    ),
    (
      npy(">f4", "(1,)", [0, 0, 0, 0]),
      "elements of type |u1, <f4 or <f8 are read, no others: "
        + "these are >f4, big-endian floats, a.astype(\"<f4\") makes little-endian ones (byte 20)"
    ),
    (npy("|u1", "(-1, 2, 2)", []), "a size of 0 or more expected in the shape (byte 61)"),
    (npy("|u1", "(9223372036854775808,)", []), "a size in the shape does not fit 63 bits (byte 79)"),
    (
      npy("|u1", "(9223372036854775807, 2, 2)", []),
      "the shape [9223372036854775807, 2, 2] has more elements than can be counted (byte 91)"
    ),
    (
      npy("<f8", "(4611686018427387904,)", []),
      "the shape [4611686018427387904] has more elements than can be counted (byte 86)"
    ),
    (npy("|u1", "(1, 1, 1, 1, 1, 1, 1, 1, 1)", [0]), "more than 8 dimensions (byte 85)"),
    (npy("|u1", "(1 2)", []), ") expected in the header (byte 63)"),
    (npy("|u1", "1", []), "( expected in the header (byte 60)"),
    (
      npy("{'descr': '|u1', 'fortran_order': True, 'shape': (1,)}", [0]),
      "Fortran order; only C order is read, as numpy.ascontiguousarray makes it (byte 48)"
    ),
    (
      npy("{'descr': '|u1', 'fortran_order': Maybe, 'shape': (1,)}"),
      "True or False expected in the header (byte 44)"
    ),
    (npy(start + "}"), "descr, fortran_order and shape expected in the header, once each (byte 53)"),
    (
      npy(start + "'descr': '|u1'}"),
      "descr, fortran_order and shape expected in the header, once each (byte 51)"
    ),
    (npy("{'extra': 1}"), "descr, fortran_order and shape expected in the header, once each (byte 11)"),
    (npy("{'descr"), "a string in the header does not end (byte 11)"),
    (npy(""), "{ expected in the header (byte 11)"),
    (npy(all + " x"), "2 bytes after the header's dictionary (byte 73)"),
  ]
  for (bytes, expected) in cases {
    #expect(
      message { () throws(AEError) in _ = try NPY.read(bytes, bytes.count, name: "x") } == "x: " + expected)
  }
}

// MARK: PGM

private func pgm(_ text: String, _ data: [UInt8] = []) throws(AEError) -> ImageSet {
  let bytes = Array(text.utf8) + data
  return try PNM.read(bytes, bytes.count, name: "x")
}

@Test("an image comes back from PGM")
func pgmRoundTrip() throws {
  let set = try sampleSet()
  let file = try PNM.write(set, index: 1)
  #expect(file.array == Array("P5\n2 2\n255\n".utf8) + [40, 50, 60, 70])
  let back = try PNM.read(file.base, file.count, name: "x")
  #expect(back.count == 1 && back.width == 2 && back.height == 2 && back.source == .pgmFile)
  #expect(back.pixels.array == [40, 50, 60, 70])
  #expect(failure { () throws(AEError) in _ = try PNM.write(set, index: 3) }?.code == .argument)
}

@Test("binary, text, 16-bit and commented PGM files are read and scaled to the nearest byte, halves up")
func pgmReads() throws {
  #expect(try pgm("P5 3 1 255\n", [0, 128, 255]).pixels.array == [0, 128, 255])
  #expect(try pgm("P5 3 1 3\n", [0, 1, 3]).pixels.array == [0, 85, 255])
  #expect(try pgm("P5 3 1 510 ", [0, 1, 1, 254, 1, 253]).pixels.array == [1, 255, 255])
  #expect(try pgm("P5 3 1 65535\n", [0, 0, 0x80, 0x80, 255, 255]).pixels.array == [0, 128, 255])
  #expect(try pgm("P2\n# drawn\n2 # two\n 2\n15\n0 15\n7\t8\n\n").pixels.array == [0, 255, 119, 136])
  #expect(try pgm("P2#\n1 1 1 # last\n1").pixels.array == [255])
  // The white space after maxval is one byte: the next may be a pixel that looks like one.
  #expect(try pgm("P5 1 1 255\n", [0x0A]).pixels.array == [0x0A])
}

@Test("PGM files that cannot be are refused with what is wrong and where")
func pgmRefuses() {
  let cases: [(String, [UInt8], String)] = [
    (
      "P1 1 1\n", [0],
      "not a PGM, PPM or PAM file: it does not begin with P2, P3, P5, P6 or P7 (byte 0)"
    ),
    ("P5 ", [], "width expected, but the file ends (byte 3)"),
    ("P5 0 1 255\n", [], "width must be in 1 ... 65535, not 0 (byte 4)"),
    ("P5 1 65536 255\n", [], "height must be in 1 ... 65535, not 65536 (byte 10)"),
    ("P5 -1 1 255\n", [], "width is not a number (byte 3)"),
    ("P5 1 1 65536\n", [], "maxval must be in 1 ... 65535, not 65536 (byte 12)"),
    ("P5 1 1 0\n", [], "maxval must be in 1 ... 65535, not 0 (byte 8)"),
    ("P5 9223372036854775808 1 255\n", [], "width must be in 1 ... 65535, not more (byte 22)"),
    ("P5 65535 65535 255\n", [0], "65535 x 65535 pixels make 4294836225 bytes, 1 follow (byte 19)"),
    ("P2 65535 65535 255\n0", [], "65535 x 65535 pixels make at least 8589672450 bytes, 2 follow (byte 18)"),
    ("P5 2 1 255\n", [0], "2 x 1 pixels make 2 bytes, 1 follow (byte 11)"),
    ("P5 2 1 255\n", [0, 0, 0], "2 x 1 pixels make 2 bytes, more follow (byte 11)"),
    ("P5 2 1 256\n", [0, 0, 0], "2 x 1 pixels make 4 bytes, 3 follow (byte 11)"),
    ("P5 2 1 9\n", [9, 10], "pixel 1 is 10, above the maxval 9 (byte 11)"),
    ("P5 1 1 255", [], "one white space expected after maxval (byte 10)"),
    ("P2 1 1 9 10", [], "pixel 0 must be in 0 ... 9, not 10 (byte 11)"),
    ("P2 2 1 9 3    ", [], "pixel 1 expected, but the file ends (byte 14)"),
    ("P2 1 1 9 3 4", [], "1 bytes after the image (byte 11)"),
    ("P2 1 1 9 x3", [], "pixel 0 is not a number (byte 9)"),
    (
      "P5 1 1 99\n3P5 1 1 99\n4P5 1 1 99\n5", [],
      "holds 3 images, and one is expected: make a file of each (byte 33)"
    ),
    ("P2 1 1 9 3\nP2 1 1 9 4", [], "holds 2 images, and one is expected: make a file of each (byte 21)"),
  ]
  for (text, data, expected) in cases {
    #expect(message { () throws(AEError) in _ = try pgm(text, data) } == "x: " + expected)
  }
}

@Test("what images lost on their way to grey bytes is told")
func conversionsAreTold() throws {
  #expect(try pgm("P5 2 1 255\n", [0, 7]).conversions == [])
  #expect(try pgm("P2 2 1 15\n0 7").conversions == [])
  #expect(try pgm("P2 2 1 100\n0 7").conversions == .levels)
  #expect(try pgm("P2 2 1 65535\n257 514").conversions == [])
  #expect(try pgm("P2 2 1 65535\n257 515").conversions == .levels)
  let bytes = (0..<256).map { Float($0) / 255 }
  let whole = npy("<f4", "(1, 16, 16)", littleEndian(bytes))
  #expect(try NPY.read(whole, whole.count, name: "x").conversions == [])
  let between = npy("<f4", "(1, 1, 2)", littleEndian([0.5, 1] as [Float]))
  #expect(try NPY.read(between, between.count, name: "x").conversions == .levels)
}

// MARK: Channels

@Test("images of 3 and 4 channels come back from IDX and NPY, channels last")
func channelsRoundTrip() throws {
  for channels in [1, 3, 4] {
    let bytes = (0..<2 * 3 * 2 * channels).map { UInt8($0 * 7 % 256) }
    let set = try ImageSet(width: 3, height: 2, channels: channels, count: 2, pixels: try Buffer(bytes))
    let shape = ImageShape(width: 3, height: 2, channels: channels)
    #expect(set.shape == shape && set.imageSize == 6 * channels)
    let file = try IDX.write(set)
    let sizes: [UInt32] = channels == 1 ? [2, 2, 3] : [2, 2, 3, UInt32(channels)]
    #expect(Array(file.array.prefix(4 + 4 * sizes.count)) == idxHeader(sizes))
    let array = try NPY.write(set)
    for back in [
      try IDX.read(file.base, file.count, name: "x"), try NPY.read(array.base, array.count, name: "x"),
    ] {
      #expect(back.shape == shape && back.count == 2 && back.pixels.array == bytes)
    }
  }
  for (channels, count) in [(2, 8), (5, 20), (0, 0)] {
    let pixels = try Buffer<UInt8>(count: count)
    #expect(
      failure { () throws(AEError) in
        _ = try ImageSet(width: 2, height: 2, channels: channels, count: 1, pixels: pixels)
      }?.code == .argument)
  }
}

@Test("three dimensions that look like one image in colour are refused, unless a size says what they are")
func npyAmbiguity() throws {
  func shape(_ text: String, _ count: Int, size: (width: Int, height: Int)? = nil) throws(AEError) -> [Int] {
    let bytes = npy("|u1", text, [UInt8](repeating: 0, count: count))
    let set = try NPY.read(bytes, bytes.count, name: "x", size: size)
    return [set.count, set.height, set.width, set.channels]
  }
  #expect(
    message { () throws(AEError) in _ = try shape("(20, 13, 3)", 780) }
      == "x: an array of [20, 13, 3] may be one image in colour, or 20 grey ones 3 wide: a[None] makes [1, 20, 13, 3] of "
      + "it, --size 3x13 says that they are grey")
  #expect(try shape("(20, 13, 3)", 780, size: (width: 3, height: 13)) == [20, 13, 3, 1])
  #expect(try shape("(20, 12, 3)", 720) == [20, 12, 3, 1])
  #expect(try shape("(12, 13, 3)", 468) == [12, 13, 3, 1])
  #expect(try shape("(1, 20, 13, 3)", 780) == [1, 20, 13, 3])
  #expect(try shape("(20, 13, 3, 1)", 780) == [20, 13, 3, 1])
  #expect(try shape("(2, 3, 3, 3)", 54) == [2, 3, 3, 3])
  #expect(
    message { () throws(AEError) in _ = try shape("(2, 3, 5, 7)", 210) }
      == "x: an array of [2, 3, 5, 7], [count, height, width] or [count, height, width, channels] expected: these seem to "
      + "be [count, channels, height, width]; a.transpose(0, 2, 3, 1) makes [2, 5, 7, 3]")
}

@Test("PPM and PAM are read and written in the fewest channels that hold the image")
func pnmChannels() throws {
  func read(_ text: String, _ data: [UInt8] = []) throws(AEError) -> (Int, [UInt8], SourceKind) {
    let set = try pgm(text, data)
    return (set.channels, set.pixels.array, set.source)
  }
  func pam(_ depth: Int, _ more: String = "") -> String {
    "P7\nWIDTH 1\n# a comment\n\nHEIGHT 2\nDEPTH \(depth)\nMAXVAL 255\n\(more)ENDHDR\n"
  }
  #expect(try read("P6 1 2 255\n", [1, 2, 3, 4, 5, 6]) == (3, [1, 2, 3, 4, 5, 6], .ppmFile))
  #expect(try read("P6 1 2 255\n", [1, 1, 1, 5, 5, 5]) == (1, [1, 5], .ppmFile))
  #expect(try read("P3 1 1 15\n15 0 1") == (3, [255, 0, 17], .ppmFile))
  #expect(try read(pam(1), [8, 9]) == (1, [8, 9], .pamFile))
  #expect(try read(pam(2), [8, 255, 9, 255]) == (1, [8, 9], .pamFile))
  #expect(try read(pam(2), [8, 254, 9, 255]) == (4, [8, 8, 8, 254, 9, 9, 9, 255], .pamFile))
  #expect(try read(pam(3, "TUPLTYPE RGB\n"), [1, 2, 3, 4, 5, 6]) == (3, [1, 2, 3, 4, 5, 6], .pamFile))
  #expect(
    try read(pam(4, "TUPLTYPE RGB_ALPHA\n"), [1, 2, 3, 0, 4, 5, 6, 7])
      == (4, [1, 2, 3, 0, 4, 5, 6, 7], .pamFile))
  #expect(try pgm(pam(4), [1, 2, 3, 255, 4, 5, 6, 255]).fileChannels == 4)
  let colours = try pgm("P6 1 2 255\n", [1, 2, 3, 4, 5, 6])
  #expect(try PNM.write(colours, as: .ppm).array == Array("P6\n1 2\n255\n".utf8) + [1, 2, 3, 4, 5, 6])
  #expect(failure { () throws(AEError) in _ = try PNM.write(colours, as: .pgm) }?.code == .kind)
  let alpha = try pgm(pam(4), [1, 2, 3, 0, 4, 5, 6, 7])
  #expect(failure { () throws(AEError) in _ = try PNM.write(alpha, as: .ppm) }?.code == .kind)
  let file = try PNM.write(alpha, as: .pam)
  #expect(try PNM.read(file.base, file.count, name: "x").pixels.array == alpha.pixels.array)
  let grey = try pgm("P5 1 2 255\n", [7, 8])
  #expect(try PNM.write(grey, as: .ppm).array == Array("P6\n1 2\n255\n".utf8) + [7, 7, 7, 8, 8, 8])
}

@Test("colours become luma, and transparency is laid over black")
func greyOfColours() throws {
  let colours = try ImageSet(
    width: 2, height: 1, channels: 3, count: 1, pixels: try Buffer([255, 0, 0, 9, 9, 9]))
  let grey = try colours.grey()
  #expect(grey.channels == 1 && grey.pixels.array == [76, 9] && grey.conversions == .colour)
  let alpha = try ImageSet(
    width: 2, height: 1, channels: 4, count: 1, pixels: try Buffer([0, 255, 0, 100, 9, 9, 9, 255]))
  #expect(try alpha.grey().pixels.array == [59, 9])
  #expect(try alpha.grey().conversions == [.colour, .transparency])
}

// MARK: Signatures

@Test("a file that is not read is told as what it is")
func formatsAreTold() {
  func told(_ bytes: [UInt8]) -> String {
    bytes.withUnsafeBufferPointer { FileFormat.of($0).refusal("x").message }
  }
  let cases: [([UInt8], String)] = [
    ([], "is empty"),
    (Array("hello".utf8), "does not begin as an IDX, NPY, PNG, PGM, PPM or PAM file does (byte 0)"),
    ([0xFF, 0xD8, 0xFF, 0xE0], "is a JPEG picture: convert it to PNG or PPM first"),
    (Array("RIFF....WEBP".utf8), "is a WebP picture: convert it to PNG or PPM first"),
    (Array("BM".utf8) + [UInt8](repeating: 0, count: 20), "is a BMP picture: convert it to PNG or PPM first"),
    (Array("P7 332\n#XVVERSION".utf8), "is a thumbnail of XV (P7 332): convert it to PPM first"),
    (Array("P4 1 1 ...".utf8), "is a PBM bitmap: convert it to PGM first"),
    (Array("BZh9".utf8), "is a bzip2 file: unpack it first, with bzip2 -d"),
    (
      [UInt8](repeating: 0x61, count: 257) + Array("ustar".utf8),
      "is a tar archive: unpack it first, with tar -x"
    ),
    (
      [0x80, 4, 0x95],
      "is a Python pickle: save the images as a .npy of bytes, [count, height, width] or [count, height, width, "
        + "channels], with numpy.save"
    ),
    (
      [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 22) + [5, 0, 0, 0] + Array("a.npy".utf8),
      "is an NPZ archive: save one of its arrays as .npy: numpy.save(\"images.npy\", archive[name])"
    ),
    (
      [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 22) + [255, 255, 0, 0],
      "is a ZIP archive: unpack it first"
    ),
  ]
  for (bytes, expected) in cases { #expect(told(bytes) == "x: " + expected) }
}

@Test("no beginning of a file confuses the table of signatures")
func formatsOfAnything() throws {
  var mutations = Mutations(state: 7)
  for round in 0..<20_000 {
    let seed: [UInt8] =
      round % 2 == 0 ? [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 40) : [0, 0, 8, 3]
    let bytes = try Buffer<UInt8>(mutations.mutate(seed))
    let head = UnsafeBufferPointer(start: UnsafePointer(bytes.base), count: bytes.count)
    #expect(!FileFormat.of(head).refusal("x").message.isEmpty)
  }
}

@Test("an IDX file of images in memory must have as many as its set says")
func setsHoldTogether() throws {
  for count in [3, 5] {
    let pixels = try Buffer<UInt8>(count: count)
    #expect(
      failure { () throws(AEError) in _ = try ImageSet(width: 2, height: 2, count: 1, pixels: pixels) }?.code
        == .argument)
  }
  let bytes = idxHeader([3, 2, 2]) + [UInt8](repeating: 1, count: 12)
  let reader = try ImageReader(try ByteInput(bytes, bytes.count, name: "x"), limit: 2)
  let room = try Buffer<UInt8>(count: 12)
  #expect(reader.count == 2 && reader.declaredCount == 3)
  #expect(failure { () throws(AEError) in try reader.next(3, into: room.base) }?.code == .argument)
  #expect(failure { () throws(AEError) in try reader.next(-1, into: room.base) }?.code == .argument)
  try reader.next(2, into: room.base)
}

// MARK: Fuzzing

/// A generator with a fixed start, so that what it finds is found again.
private struct Mutations {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(truncatingIfNeeded: (state >> 33) % UInt64(bound))
  }

  /// A few flipped, replaced, removed, inserted or repeated bytes.
  mutating func mutate(_ seed: [UInt8]) -> [UInt8] {
    var bytes = seed
    let telling: [UInt8] = [0, 1, 8, 0x20, 0x28, 0x2C, 0x2D, 0x30, 0x39, 0x7F, 0x80, 0xFF]
    for _ in 0...below(4) {
      let position = below(bytes.count + 1)
      switch below(6) {
      case 0 where position < bytes.count: bytes[position] ^= 1 << UInt8(below(8))
      case 1 where position < bytes.count: bytes[position] = telling[below(telling.count)]
      case 2 where position < bytes.count: bytes.remove(at: position)
      case 3: bytes.insert(telling[below(telling.count)], at: position)
      case 4: bytes.removeLast(min(bytes.count, below(bytes.count + 1)))
      default: bytes.append(contentsOf: bytes.prefix(below(20)))
      }
    }
    return bytes
  }
}

/// Runs a reader on mutations of files: it must return or throw, and what it returns must hold together.
private func fuzz(
  _ seeds: [[UInt8]], count: Int, _ read: (UnsafePointer<UInt8>, Int) throws(AEError) -> ImageSet?
) throws -> (accepted: Int, refused: Int) {
  var mutations = Mutations(state: 20_240_601)
  var (accepted, refused) = (0, 0)
  for round in 0..<count {
    let bytes = mutations.mutate(seeds[round % seeds.count])
    // In memory of just their size, so that a read beyond it can be seen by a checker of memory.
    let exact = try Buffer<UInt8>(bytes)
    do throws(AEError) {
      if let set = try read(exact.base, exact.count) {
        #expect(set.pixels.count == set.count * set.width * set.height)
      }
      accepted += 1
    } catch {
      #expect(!error.message.isEmpty)
      refused += 1
    }
  }
  return (accepted, refused)
}

@Test("no mutation of an IDX file breaks its reader")
func idxFuzz() throws {
  let plain = try IDX.write(try sampleSet()).array
  let packed = try Zlib.gzip(plain, plain.count).array
  let labels = try IDX.writeLabels([1, 2, 3]).array
  let (accepted, refused) = try fuzz([plain, packed, labels], count: 30_000) { bytes, count throws(AEError) in
    if IDX.matches(bytes, count), bytes[3] == 1 {
      _ = try IDX.readLabels(bytes, count, name: "x")
      return nil
    }
    return try IDX.read(bytes, count, name: "x")
  }
  #expect(accepted > 100 && refused > 10_000)
}

@Test("no mutation of an NPY file breaks its readers")
func npyFuzz() throws {
  let seeds = [
    try NPY.write(try sampleSet()).array,
    npy("<f4", "(1, 2, 2)", littleEndian([0, 0.5, 1, 0.25] as [Float])),
    npy("<f8", "(3, 4)", littleEndian([Double](repeating: 0.5, count: 12))),
    npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2)}", [1, 2, 3, 4], version: 2),
  ]
  let (accepted, refused) = try fuzz(seeds, count: 30_000) { bytes, count throws(AEError) in
    _ = try? NPY.readFloats(bytes, count, name: "x")
    return try NPY.read(bytes, count, name: "x")
  }
  #expect(accepted > 100 && refused > 10_000)
}

@Test("no mutation of a PGM file breaks its reader")
func pgmFuzz() throws {
  let seeds = [
    try PNM.write(try sampleSet()).array, Array("P2 # c\n2 2 15\n0 3 9 15\n".utf8),
    Array("P5 2 1 65535\n".utf8) + [1, 2, 3, 4],
  ]
  let (accepted, refused) = try fuzz(seeds, count: 30_000) { bytes, count throws(AEError) in
    try PNM.read(bytes, count, name: "x")
  }
  #expect(accepted > 100 && refused > 10_000)
}

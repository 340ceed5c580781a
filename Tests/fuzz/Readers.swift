// The readers that ae.h does not show: those of the tool, as functions of bytes that C calls. Each uses all of what
// it opens; what was read must be written, and read the same again. What must not be ends the process.

import Bytes
import Container
import Core
import Storage
import Training

/// What costs a lot beside what it shows is done for a part of the inputs, which their bytes choose.
private func isChosen(_ data: UnsafePointer<UInt8>, _ count: Int, oneIn share: UInt32) -> Bool {
  Checksum.crc32(data, count) % share == 0
}

/// Runs a reader: it may refuse, but not contradict itself.
/// - Returns: the error's code, 0 if there was none.
private func attempt(_ body: () throws(AEError) -> Void) -> Int32 {
  do throws(AEError) {
    try body()
    return 0
  } catch {
    if error.code == .internal { fatalError("reading met an inner contradiction: \(error.message)") }
    if error.message.isEmpty { fatalError("an error without a message") }
    if error.message.hasPrefix("rewritten") { fatalError("what was written is refused: \(error.message)") }
    return error.code.rawValue
  }
}

private func same(_ a: Buffer<UInt8>, _ b: Buffer<UInt8>) -> Bool {
  a.count == b.count && (0..<a.count).allSatisfy { a.base[$0] == b.base[$0] }
}

private func check(_ a: ImageSet, _ b: ImageSet) {
  guard a.shape == b.shape, a.count == b.count, same(a.pixels, b.pixels) else {
    fatalError("images that were read are written otherwise")
  }
}

// MARK: Weight files and checkpoints

@_cdecl("fuzz_summary")
public func fuzzSummary(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  attempt { () throws(AEError) in
    _ = try WeightFile.summary(data, count, name: "input")
    _ = try WeightFile.extra(data, count, tag: WeightFile.tag("xtra"), headCount: 64, name: "input")
  }
}

@_cdecl("fuzz_rewrite")
public func fuzzRewrite(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  attempt { () throws(AEError) in
    let model = try WeightFile.read(data, count, name: "input")
    // Large networks only cost time here.
    guard model.architecture.parameterCount < 5_000, isChosen(data, count, oneIn: 8) else { return }
    let written = try WeightFile.write(model, storage: model.storage)
    let again = try WeightFile.read(written.base, written.count, name: "rewritten")
    guard same(written, try WeightFile.write(again, storage: again.storage)) else {
      fatalError("a model that was read is written in two ways")
    }
  }
}

@_cdecl("fuzz_tool_checkpoint")
public func fuzzToolCheckpoint(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  attempt { () throws(AEError) in
    let trainer = try Trainer(checkpoint: data, count)
    guard trainer.options.architecture.parameterCount < 5_000, isChosen(data, count, oneIn: 4) else { return }
    let written = try trainer.checkpoint()
    let again = try Trainer(checkpoint: written.base, written.count, name: "rewritten")
    guard same(written, try again.checkpoint()) else {
      fatalError("a checkpoint that was read is written in two ways")
    }
  }
}

// MARK: Image sets

@_cdecl("fuzz_verify")
public func fuzzVerify(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  attempt { () throws(AEError) in
    let bytes = Buffer(borrowing: data, count: count)
    _ = try CompressedSet.peek(bytes, name: "input")
    // Without the model that it names, too, and cut short.
    let set = try CompressedSet(ByteSource(bytes), model: nil, name: "input", isCutAllowed: true)
    let information = set.information
    let size = information.shape.byteCount
    guard information.count <= 4096, information.count * size <= 1 << 16 else { return }
    let isSound = try set.verify().damage.allSatisfy { if case .block = $0.part { false } else { true } }
    if let names = try? set.names() {
      for index in 0..<names.count {
        let name = names[index]
        if name.isEmpty || name == ".." || name.utf8.contains(0x2F) { fatalError("a name leaves its folder") }
      }
    }
    let pixels = try Buffer<UInt8>(count: information.count * size)
    var isRead = true
    do throws(AEError) {
      try set.read(first: 0, count: information.count, into: pixels.base)
    } catch {
      isRead = false
    }
    if isRead != isSound { fatalError("reading and verification disagree") }
  }
}

// MARK: Images

@_cdecl("fuzz_idx")
public func fuzzIDX(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  checkOneByOne(data, count)
  return attempt { () throws(AEError) in
    let set = try IDX.read(data, count, name: "input")
    let written = try IDX.write(set)
    check(set, try IDX.read(written.base, written.count, name: "rewritten"))
  }
}

/// Images read one by one must be those that are read at once, and any first bytes have a name.
private func checkOneByOne(_ data: UnsafePointer<UInt8>, _ count: Int) {
  _ = attempt { () throws(AEError) in
    let reader = try ImageReader(try ByteInput(data, count, name: "input"), limit: 3)
    guard reader.imageSize <= 1 << 16 else { return }
    let room = try Buffer<UInt8>(count: reader.count * reader.imageSize)
    for index in 0..<reader.count { try reader.next(1, into: room.base + index * reader.imageSize) }
    let whole = try ImageReader(try ByteInput(data, count, name: "input"), limit: 3).all()
    guard same(whole.pixels, room), whole.conversions == reader.conversions else {
      fatalError("images read one by one differ from those read at once")
    }
  }
  let format = FileFormat.of(UnsafeBufferPointer(start: data, count: count))
  if format.refusal("input").message.isEmpty { fatalError("a refusal without words") }
}

@_cdecl("fuzz_labels")
public func fuzzLabels(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  attempt { () throws(AEError) in
    let labels = try IDX.readLabels(data, count, name: "input")
    let written = try IDX.writeLabels(labels)
    guard try IDX.readLabels(written.base, written.count, name: "rewritten") == labels else {
      fatalError("labels that were read are written otherwise")
    }
  }
}

@_cdecl("fuzz_npy")
public func fuzzNPY(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  checkOneByOne(data, count)
  let sized = attempt { () throws(AEError) in
    _ = try NPY.read(data, count, name: "input", size: (width: 2, height: 2))
  }
  let free = attempt { () throws(AEError) in
    let set = try NPY.read(data, count, name: "input")
    let written = try NPY.write(set)
    check(set, try NPY.read(written.base, written.count, name: "rewritten"))
  }
  return min(sized, free)
}

@_cdecl("fuzz_floats")
public func fuzzFloats(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  attempt { () throws(AEError) in
    let (shape, values) = try NPY.readFloats(data, count, name: "input")
    let written = try NPY.write(values, shape: shape)
    let again = try NPY.readFloats(written.base, written.count, name: "rewritten")
    guard again.shape == shape, again.values.array == values.array else {
      fatalError("floats that were read are written otherwise")
    }
  }
}

@_cdecl("fuzz_pgm")
public func fuzzPGM(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  attempt { () throws(AEError) in
    let set = try PNM.read(data, count, name: "input")
    for kind in [PNM.Kind.pgm, .ppm, .pam] where kind.holds(channels: set.channels) {
      let written = try PNM.write(set, as: kind)
      check(set, try PNM.read(written.base, written.count, name: "rewritten"))
    }
  }
}

// MARK: Compressed bytes

/// Inflates a gzip file at once, by its first bytes, in order, and piece by piece: all must agree.
@_cdecl("fuzz_gunzip")
public func fuzzGunzip(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  let limit = 1 << 20
  var whole: Buffer<UInt8>?
  let status = attempt { () throws(AEError) in
    whole = try Zlib.gunzip(data, count, limit: limit, name: "input")
  }
  _ = attempt { () throws(AEError) in
    let input = try ByteInput(data, count, name: "input")
    let prefix = try input.peek(16)
    guard let whole, input.isGzip else { return }
    for index in 0..<min(prefix.count, whole.count) where prefix[index] != whole[index] {
      fatalError("the first bytes differ from the whole")
    }
    if isChosen(data, count, oneIn: 4), !same(whole, try input.bytes(atMost: limit + 1)) {
      fatalError("bytes that come in order differ from the whole")
    }
  }
  _ = attempt { () throws(AEError) in
    let stream = try Gunzip(name: "input")
    let room = try Buffer<UInt8>(count: 257)
    var taken = 0
    var made = 0
    while made <= limit {
      let piece = min(61, count - taken)
      let step = try stream.inflate(data + taken, piece, into: room.base, room.count)
      if let whole {
        for index in 0..<step.made where made + index >= whole.count || whole[made + index] != room[index] {
          fatalError("pieces differ from the whole")
        }
      }
      taken += step.taken
      made += step.made
      if step.taken == 0 && step.made == 0 { break }
    }
  }
  return status
}

/// Deflates the bytes in each manner that there is: zlib must give them back.
@_cdecl("fuzz_deflate")
public func fuzzDeflate(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  attempt { () throws(AEError) in
    guard isChosen(data, count, oneIn: 4) else { return }
    for strategy in [.strings, .runs] as [Zlib.Strategy] {
      let packed = try Zlib.deflate(data, count, strategy: strategy)
      let raw = try Zlib.inflate(packed.base, packed.count, rawCount: count, name: "rewritten")
      guard (0..<count).allSatisfy({ raw.base[$0] == data[$0] }) else { fatalError("deflate loses bytes") }
    }
    let packed = try Zlib.gzip(data, count)
    let raw = try Zlib.gunzip(packed.base, packed.count, limit: count, name: "rewritten")
    guard raw.count == count, (0..<count).allSatisfy({ raw.base[$0] == data[$0] }) else {
      fatalError("gzip loses bytes")
    }
  }
}

// MARK: JSON

@_cdecl("fuzz_json")
public func fuzzJSON(_ data: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  attempt { () throws(AEError) in
    let json = try JSON(parsing: UnsafeBufferPointer(start: data, count: count), name: "input")
    let text = Array(json.text.utf8)
    try text.withUnsafeBufferPointer { (bytes) throws(AEError) in
      guard try JSON(parsing: bytes, name: "rewritten").text == json.text else {
        fatalError("JSON that was read is written otherwise")
      }
    }
  }
}

// libFuzzer's door to the reader of weight files. Checksums would stop nearly every mutation at the first
// gate, so each input is read twice: as it is, and with its sizes and checksums made right. Tests/fuzz/fuzz.sh
// builds and runs it.

import Bytes
import Core
import Storage

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzWeightFile(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  open(data, count)
  if let copy = try? Buffer<UInt8>(copying: data, count: count) {
    makeRight(copy)
    open(UnsafePointer(copy.base), count)
  }
  return 0
}

/// Everything that is done with a weight file from outside. What is read must be writable and read the same.
private func open(_ data: UnsafePointer<UInt8>, _ count: Int) {
  do {
    _ = try WeightFile.summary(data, count, name: "input")
  } catch {
    if error.code == .internal { fatalError("the summary met an inner contradiction: \(error.message)") }
  }
  do {
    _ = try WeightFile.readExtra(data, count, tag: WeightFile.tag("xtra"), name: "input")
    let model = try WeightFile.read(data, count, name: "input")
    // Large networks only cost time here.
    guard model.architecture.parameterCount < 10_000 else { return }
    let written = try WeightFile.write(model, storage: model.storage)
    let again = try WeightFile.read(written.base, written.count, name: "rewritten")
    let twice = try WeightFile.write(again, storage: again.storage)
    guard written.count == twice.count, (0..<written.count).allSatisfy({ written[$0] == twice[$0] }) else {
      fatalError("a model that was read is written in two ways")
    }
  } catch {
    if error.code == .internal { fatalError("reading met an inner contradiction: \(error.message)") }
  }
}

/// Declares the size that the file has, and sets every checksum that the table reaches.
private func makeRight(_ file: Buffer<UInt8>) {
  guard file.count >= 32 else { return }
  func number(_ at: Int, _ width: Int) -> UInt64 {
    (0..<width).reduce(0) { $0 | UInt64(file[at + $1]) << UInt64(8 * $1) }
  }
  func set(_ at: Int, _ width: Int, _ value: UInt64) {
    for index in 0..<width { file[at + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
  }
  set(16, 8, UInt64(file.count))
  let sections = Int(number(24, 4))
  guard (1...64).contains(sections), 32 + 32 * sections <= file.count else { return }
  var offset = 32 + 32 * sections
  for index in 0..<sections {
    let line = 32 + 32 * index
    // The last section takes what is left, so that inputs may grow and shrink.
    if index == sections - 1 { set(line + 8, 8, UInt64(file.count - offset)) }
    if number(line + 4, 4) == 0 { set(line + 16, 8, number(line + 8, 8)) }
    let stored = number(line + 8, 8)
    guard stored <= UInt64(file.count - offset) else { break }
    set(line + 24, 4, UInt64(Checksum.crc32(file.base + offset, Int(stored))))
    offset += Int(stored)
  }
  let header = Checksum.crc32(file.base, 28)
  set(28, 4, UInt64(Checksum.crc32(file.base + 32, 32 * sections, from: header)))
}

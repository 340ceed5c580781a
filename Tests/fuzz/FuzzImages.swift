// libFuzzer's door to the readers of images: IDX and its labels, NPY as images and as floats, PGM. What is
// read must be written, and read the same again. Tests/fuzz/fuzz.sh builds and runs it.

import Bytes
import Core
import Storage

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzImages(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  attempt { () throws(AEError) in
    let set = try IDX.read(data, count, name: "input")
    let written = try IDX.write(set)
    try same(set, try IDX.read(written.base, written.count, name: "rewritten"))
  }
  attempt { () throws(AEError) in
    let labels = try IDX.readLabels(data, count, name: "input")
    let written = try IDX.writeLabels(labels)
    guard try IDX.readLabels(written.base, written.count, name: "rewritten") == labels else {
      fatalError("labels that were read are written otherwise")
    }
  }
  for size in [nil, (width: 2, height: 2)] as [(width: Int, height: Int)?] {
    attempt { () throws(AEError) in
      let set = try NPY.read(data, count, name: "input", size: size)
      let written = try NPY.write(set)
      try same(set, try NPY.read(written.base, written.count, name: "rewritten"))
    }
  }
  attempt { () throws(AEError) in
    let (shape, values) = try NPY.readFloats(data, count, name: "input")
    let written = try NPY.write(values, shape: shape)
    let again = try NPY.readFloats(written.base, written.count, name: "rewritten")
    guard again.shape == shape, again.values.array == values.array else {
      fatalError("floats that were read are written otherwise")
    }
  }
  attempt { () throws(AEError) in
    let set = try PGM.read(data, count, name: "input")
    let written = try PGM.write(set)
    try same(set, try PGM.read(written.base, written.count, name: "rewritten"))
  }
  return 0
}

/// Runs a reader: it may refuse, but not contradict itself.
private func attempt(_ body: () throws(AEError) -> Void) {
  do throws(AEError) {
    try body()
  } catch {
    if error.code == .internal { fatalError("reading met an inner contradiction: \(error.message)") }
    if error.message.hasPrefix("rewritten") { fatalError("what was written is refused: \(error.message)") }
  }
}

private func same(_ a: ImageSet, _ b: ImageSet) throws(AEError) {
  guard a.width == b.width, a.height == b.height, a.count == b.count,
    (0..<a.pixels.count).allSatisfy({ a.pixels.base[$0] == b.pixels.base[$0] })
  else { fatalError("images that were read are written otherwise") }
}

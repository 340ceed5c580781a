// pack: digits to codes and back, and to image sets and back.
//
//   swift run -c release pack digits-idx3-ubyte [OUT.aez]

import Autoencoders
import Foundation

let arguments = CommandLine.arguments
guard arguments.count > 1, let file = FileManager.default.contents(atPath: arguments[1]) else {
  print("usage: pack digits-idx3-ubyte [OUT.aez]")
  exit(64)
}
// An IDX file of 28 x 28 pixels: 16 bytes of header, then image after image.
let digits = [UInt8](file.dropFirst(16))

do {
  let model = try Autoencoder.shipped()
  let latents = try model.encode(digits)
  let count = latents.count / model.latentCount
  let again = try model.decode(latents)
  var squares = 0.0
  for (pixel, restored) in zip(digits, again) {
    let error = Double(pixel) - Double(restored)
    squares += error * error
  }
  print("\(model.name): \(count) images, \(model.pixelCount) pixels to \(model.latentCount) numbers")
  print("mean squared error \(squares / Double(digits.count) / (255 * 255))")

  let lossy = try ImageSet(bytes: ImageSet.compress(digits, width: 28, height: 28))
  let lossless = try ImageSet(bytes: ImageSet.compress(digits, width: 28, height: 28, as: .lossless))
  print("lossy \(lossy.byteCount) bytes, lossless \(lossless.byteCount) bytes")
  guard try lossless.images(0..<count) == digits, try lossless[count - 1] == Array(digits.suffix(784)) else {
    print("pack: the lossless set is not what went in")
    exit(1)
  }

  if arguments.count > 2 {
    let out = arguments[2]
    let writer = try ImageSetWriter(path: out, width: 28, height: 28, as: .lossy(quality: 10))
    try writer.add(digits)
    try writer.finish()
    print("\(out): \(try ImageSet(path: out).byteCount) bytes")
  }
  // What cannot be is an error that says what was expected.
  do {
    _ = try model.encode([1, 2, 3])
  } catch {
    print("\(error.code): \(error)")
  }
} catch {
  print("pack: \(error)")
  exit(1)
}

// A whole set at once: what the stream's writer gives, in memory, and the most that it can be.

import Bytes
import Core
import Model
import Storage

/// Packs a set of images.
///
/// The same images, model and options give the same bytes on every machine, whatever the number of threads, and the
/// same as `SetWriter` gives of them.
/// - Parameters:
///   - model: may be nil for lossless and near-lossless sets, whose pixels are then coded by contexts.
///   - onProgress: see `SetWriter.onProgress`.
/// - Throws: `.shape` if the images are to have codes and are not of the model's shape; `.kind` if the model has no codec or is a
///   decoder alone; `.argument` for options or names that are out of range; `.memory`; `.stopped` if
///   `onProgress` asked for it.
public func compress(
  _ set: ImageSet, with model: Autoencoder?, options: CompressionOptions = CompressionOptions(),
  onProgress: Monitor.Hook? = nil
) throws(AEError) -> Buffer<UInt8> {
  try compress(
    set.pixels, set.shape, count: set.count, source: set.source,
    labels: try set.labels.map { labels throws(AEError) in try Buffer(labels) }, names: set.names,
    with: model, options: options, onProgress: onProgress)
}

/// The same for images and labels where they lie.
public func compress(
  _ pixels: Buffer<UInt8>, _ shape: ImageShape, count: Int, source: SourceKind = .unknown,
  labels: Buffer<UInt8>?, names: [String]? = nil, with model: Autoencoder?, predicting: Autoencoder? = nil,
  options: CompressionOptions, onProgress: Monitor.Hook? = nil
) throws(AEError) -> Buffer<UInt8> {
  guard labels == nil || labels!.count == count, names == nil || names!.count == count else {
    throw AEError(.argument, "labels and names must be as many as images, \(count)")
  }
  let file = ByteWriter()
  let writer = try SetWriter(shape, source: source, model: model, predicting: predicting, options: options) {
    bytes, count throws(AEError) in try file.bytes(bytes, count)
  }
  writer.onProgress = onProgress
  writer.expectedCount = count
  try writer.add(pixels.base, count: count, labels: labels.map { UnsafePointer($0.base) }, names: names)
  try writer.finish()
  return try file.finish()
}

/// A size that `compress` with the same arguments never exceeds, without compressing and without looking at
/// pixels.
/// - Throws: as `compress`, for arguments that it refuses.
public func compressedBound(
  _ shape: ImageShape, count: Int, hasLabels: Bool, with model: Autoencoder?, predicting: Autoencoder? = nil,
  options: CompressionOptions = CompressionOptions()
) throws(AEError) -> Int {
  let header = try options.header(shape, source: .unknown, model, predicting: predicting)
  guard (0...ImageSet.maximumCount).contains(count) else {
    throw AEError(.argument, "a set has at most \(ImageSet.maximumCount) images, not \(count)")
  }
  // The size of a number is counted as that of the largest that may stand there.
  func headSize(_ byteCount: Int, counts: Int) throws(AEError) -> Int {
    let writer = ByteWriter()
    try writer.varint(byteCount << 5)
    return writer.count + counts
  }
  let blockCount = count / header.blockImages + (count % header.blockImages == 0 ? 0 : 1)
  // Every block in the file and in the index; the last one's count; of a mixed one, how many are stored raw.
  let blockHead = try headSize(
    min(count, header.blockImages) * header.imageSize, counts: header.mode == .lossy ? 3 : 0)
  var index = blockCount * blockHead + 3
  var heads = index + 4 * blockCount
  // Sections and blocks are stored as they are where packing does not make them smaller.
  var sections = 0
  if hasLabels {
    sections += count
    index += try headSize(count, counts: 0)
    heads += try headSize(count, counts: 4)
  }
  if options.embedModel, header.namesModel || header.namesPredictor {
    // Whichever of the two the blocks need, or one in the other.
    var size = 0
    for known in [model, predicting] {
      if let known { size += try WeightFile.bound(known, storage: .int8, decoderOnly: true) }
    }
    sections += size
    index += try headSize(size, counts: 0)
    heads += try headSize(size, counts: 4)
  }
  let ends = try header.write().count + Footer.byteCount + (try headSize(index, counts: 4))
  guard let pixels = count.times(header.imageSize), let sum = pixels.plus(ends + index + heads + sections)
  else {
    throw AEError(.memory, "\(count) images of \(shape.text) are more than memory can hold")
  }
  return sum
}

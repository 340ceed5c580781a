// Other codecs' bytes and picture quality on MNIST's test images, for the study's chart. Made by
// tools/study/codec-curves.py of what `make bench-codecs` wrote.

enum CodecCurves {
  /// Points of one codec: one mosaic of all 10,000 images.
  struct Codec {
    let name: String
    let points: [(bytesPerImage: Double, decibels: Double)]
  }

  static let source = "as `make bench-codecs` measured them, docs/compression.md"

  static let all: [Codec] = [
    Codec(
      name: "AVIF",
      points: [
        (22.7, 21.2), (37.9, 25.0), (49.3, 27.4), (63.6, 30.2), (77.8, 33.1), (105.9, 38.8),
        (133.2, 44.0),
      ]),
    Codec(
      name: "JPEG XL",
      points: [
        (45.4, 22.8), (55.9, 24.3), (68.9, 26.0), (82.5, 27.8), (106.2, 30.9), (154.2, 36.6),
        (205.9, 42.2),
      ]),
    Codec(
      name: "WebP",
      points: [
        (33.8, 22.5), (62.8, 27.7), (73.5, 29.4), (89.1, 31.9), (101.6, 33.9), (125.1, 37.8),
        (184.0, 46.9),
      ]),
    Codec(
      name: "JPEG 2000",
      points: [
        (7.1, 13.7), (23.3, 18.2), (52.9, 22.9), (87.1, 27.5), (126.4, 31.7), (164.9, 36.1),
        (205.5, 40.3),
      ]),
  ]
}

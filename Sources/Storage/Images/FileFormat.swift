// The table of signatures of files: of the formats that are read, and of those that people have instead. The message for
// one of the latter names the format and what to do.

import Bytes
import Core

/// A file's format, as its first bytes tell.
public struct FileFormat: Sendable {
  public enum Kind: Sendable {
    case idx, npy, png
    case pgm, ppm, pam
    /// The project's own: a weight file (.aew), an image set (.aez).
    case weights, imageSet
    /// A format that is known and not read.
    case other
    case empty, unknown
  }

  public let kind: Kind
  /// As in "is a JPEG picture".
  public let what: StaticString
  /// What to do about it; "" where there is nothing to say.
  public let advice: StaticString

  /// Bytes that are enough for every signature.
  public static let headCount = 512

  /// The format of what an input begins with, none of which is taken.
  package static func of(_ input: ByteInput) throws(AEError) -> FileFormat {
    // Some signatures are far from the start; a slow pipe is not waited for if the first bytes decide.
    let format = of(try input.peek(16))
    return format.kind == .unknown ? of(try input.peek(headCount)) : format
  }

  /// The format of a file that begins with these bytes, at most `headCount` of which are looked at.
  public static func of(_ head: UnsafeBufferPointer<UInt8>) -> FileFormat {
    guard !head.isEmpty else { return FileFormat(.empty, "an empty file") }
    for signature in signatures where signature.matches(head) { return signature.format }
    return ruled(head) ?? FileFormat(.unknown, "a file of no known format")
  }

  /// The refusal of a file where images were expected.
  public func refusal(_ name: String) -> AEError {
    switch kind {
    case .empty: return AEError(.format, "\(name): is empty")
    case .unknown:
      return AEError(
        .format, "\(name): does not begin as an IDX, NPY, PNG, PGM, PPM or PAM file does (byte 0)")
    default:
      guard advice.utf8CodeUnitCount > 0 else { return AEError(.format, "\(name): is \(what)") }
      return AEError(.format, "\(name): is \(what): \(advice)")
    }
  }

  /// The refusal of a file where a weight file was expected; nil if it may be one.
  public func refusalAsWeights(_ name: String) -> AEError? {
    switch kind {
    // Its reader has the words for a signature that differs.
    case .weights, .empty, .unknown: return nil
    default:
      return AEError(
        .format, "\(name): is \(what), and a weight file (.aew) is expected, which aez train makes")
    }
  }

  private init(_ kind: Kind, _ what: StaticString, _ advice: StaticString = "") {
    self.kind = kind
    self.what = what
    self.advice = advice
  }

  // MARK: The table

  private static let convert: StaticString = "convert it to PNG or PPM first"
  private static let unpack: StaticString = "unpack it first"
  private static let array: StaticString =
    "save the images as a .npy of bytes, [count, height, width] or [count, height, width, channels], with numpy.save"

  private struct Signature {
    /// What stands where.
    let parts: [(offset: Int, bytes: [UInt8])]
    let format: FileFormat

    init(_ bytes: [UInt8], _ what: StaticString, _ advice: StaticString, at offset: Int = 0) {
      parts = [(offset, bytes)]
      format = FileFormat(.other, what, advice)
    }

    init(_ text: StaticString, _ what: StaticString, _ advice: StaticString, at offset: Int = 0) {
      self.init(Signature.bytes(text), what, advice, at: offset)
    }

    /// Two parts, of which the second stands somewhere behind.
    init(
      _ text: StaticString, _ behind: StaticString, at offset: Int, _ what: StaticString,
      _ advice: StaticString
    ) {
      parts = [(0, Signature.bytes(text)), (offset, Signature.bytes(behind))]
      format = FileFormat(.other, what, advice)
    }

    init(_ kind: Kind, _ bytes: [UInt8], _ what: StaticString, _ advice: StaticString = "") {
      parts = [(0, bytes)]
      format = FileFormat(kind, what, advice)
    }

    func matches(_ head: UnsafeBufferPointer<UInt8>) -> Bool {
      for part in parts {
        guard head.count >= part.offset + part.bytes.count else { return false }
        for (index, byte) in part.bytes.enumerated() where head[part.offset + index] != byte { return false }
      }
      return true
    }

    private static func bytes(_ text: StaticString) -> [UInt8] {
      Array(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
  }

  private static let signatures: [Signature] = [
    Signature(
      .weights, [0x89, 0x41, 0x45, 0x57], "a weight file (.aew)", "it holds a model and no images"),
    Signature(
      .imageSet, [0x89, 0x41, 0x45, 0x5A], "an image set (.aez)",
      "aez decompress makes images of it"),
    // The first four of eight, so that a file whose line ends were changed is a PNG file that is damaged.
    Signature(.png, [0x89, 0x50, 0x4E, 0x47], "a PNG file"),
    Signature(.npy, [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], "an NPY file"),

    Signature([0xFF, 0xD8, 0xFF], "a JPEG picture", convert),
    Signature("GIF8", "a GIF picture", convert),
    Signature("RIFF", "WEBP", at: 8, "a WebP picture", convert),
    Signature([0xFF, 0x0A], "a JPEG XL picture", convert),
    Signature([0, 0, 0, 12, 0x4A, 0x58, 0x4C, 0x20], "a JPEG XL picture", convert),
    Signature([0, 0, 0, 12, 0x6A, 0x50, 0x20, 0x20], "a JPEG 2000 picture", convert),
    Signature([0xFF, 0x4F, 0xFF, 0x51], "a JPEG 2000 picture", convert),
    Signature("ftypavi", "an AVIF picture", convert, at: 4),
    Signature("ftyphei", "a HEIC picture", convert, at: 4),
    Signature("ftypmif1", "a HEIF picture", convert, at: 4),
    Signature("ftyp", "a film (MP4 or its like)", "make PNG files of its pictures first", at: 4),
    Signature([0x49, 0x49, 0x2A, 0], "a TIFF picture", convert),
    Signature([0x4D, 0x4D, 0, 0x2A], "a TIFF picture", convert),
    Signature([0x49, 0x49, 0x2B, 0], "a TIFF picture", convert),
    Signature([0x4D, 0x4D, 0, 0x2B], "a TIFF picture", convert),
    Signature("qoif", "a QOI picture", convert),
    Signature("8BPS", "a Photoshop picture", convert),
    Signature([0x76, 0x2F, 0x31, 0x01], "an OpenEXR picture", convert),
    Signature([0, 0, 1, 0], "a Windows icon", convert),
    Signature([0x8A, 0x4D, 0x4E, 0x47], "an MNG film", "make PNG files of its pictures first"),
    Signature("<svg", "an SVG drawing", "draw it as PNG first"),
    Signature("%PDF", "a PDF file", "draw its pages as PNG first"),
    Signature("DICM", "a DICOM picture", convert, at: 128),
    Signature("SIMPLE  =", "a FITS picture", convert),

    Signature([0x50, 0x4B, 5, 6], "an empty ZIP archive", ""),
    Signature([0x1F, 0x8B], "a gzip file", "gunzip it first"),
    Signature([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], "an xz file", "unpack it first, with xz -d"),
    Signature([0x28, 0xB5, 0x2F, 0xFD], "a Zstandard file", "unpack it first, with zstd -d"),
    Signature([0x04, 0x22, 0x4D, 0x18], "an LZ4 file", "unpack it first, with lz4 -d"),
    Signature([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7z archive", unpack),
    Signature([0x1F, 0x9D], "a file of compress (.Z)", "unpack it first, with gunzip"),
    Signature([0x5D, 0, 0], "an LZMA file", "unpack it first, with xz -d"),
    Signature("LZIP", "an lzip file", unpack),
    Signature("Rar!", "a RAR archive", unpack),
    Signature("ustar", "a tar archive", "unpack it first, with tar -x", at: 257),

    Signature([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "an HDF5 file", array),
    Signature("PAR1", "a Parquet file", array),
    Signature("ARROW1", "an Arrow file", array),
    Signature("MATLAB 5.0", "a MATLAB file", array),
    Signature("SQLite format 3", "an SQLite database", array),
    Signature("version https://git-lfs", "a Git LFS pointer, not the file", "fetch it with git lfs pull"),
    Signature([0x7F, 0x45, 0x4C, 0x46], "a program (ELF)", ""),
    Signature("<!DOCTYPE", "an HTML or XML page, not the file", "download it again"),
    Signature("<!doctype", "an HTML or XML page, not the file", "download it again"),
    Signature("<html", "an HTML page, not the file", "download it again"),
    Signature("<?xml", "an XML file", ""),
  ]

  /// Formats that more than fixed bytes tell.
  private static func ruled(_ head: UnsafeBufferPointer<UInt8>) -> FileFormat? {
    guard let base = head.baseAddress else { return nil }
    if IDX.matches(base, head.count) { return FileFormat(.idx, "an IDX file") }
    switch PNM.kind(base, head.count) {
    case .pgm: return FileFormat(.pgm, "a PGM file")
    case .ppm: return FileFormat(.ppm, "a PPM file")
    case .pam: return FileFormat(.pam, "a PAM file")
    case nil: break
    }
    let (first, second) = (head[0], head.count > 1 ? head[1] : 0)
    if first == 0x50, second == 0x4B, head.count >= 30, head[2] == 3, head[3] == 4 { return zip(head) }
    if first == 0x42, second == 0x5A, head.count >= 4, head[2] == 0x68, (0x31...0x39).contains(head[3]) {
      return FileFormat(.other, "a bzip2 file", "unpack it first, with bzip2 -d")
    }
    // "BM", a size, four bytes that are zero, and where the pixels begin.
    if first == 0x42, second == 0x4D, head.count >= 14, head[6] | head[7] | head[8] | head[9] == 0 {
      return FileFormat(.other, "a BMP picture", convert)
    }
    if first == 0x80, (2...5).contains(second) { return FileFormat(.other, "a Python pickle", array) }
    if first == 0x50, head.count >= 3, PNM.isSpace(head[2]) || head[2] == 0x23 {
      switch second {
      case 0x31, 0x34: return FileFormat(.other, "a PBM bitmap", "convert it to PGM first")
      case 0x37: return FileFormat(.other, "a thumbnail of XV (P7 332)", "convert it to PPM first")
      case 0x46, 0x66: return FileFormat(.other, "a PFM picture, of floats", "convert it to PGM first")
      default: return nil
      }
    }
    return nil
  }

  /// A ZIP archive by the name of its first file: numpy's and PyTorch's formats are such archives.
  private static func zip(_ head: UnsafeBufferPointer<UInt8>) -> FileFormat {
    let count = min(Int(head[26]) | Int(head[27]) << 8, head.count - 30)
    func ends(_ text: StaticString) -> Bool {
      guard count >= text.utf8CodeUnitCount else { return false }
      for index in 0..<text.utf8CodeUnitCount
      where head[30 + count - text.utf8CodeUnitCount + index] != text.utf8Start[index] { return false }
      return true
    }
    if ends(".npy") {
      return FileFormat(
        .other, "an NPZ archive", "save one of its arrays as .npy: numpy.save(\"images.npy\", archive[name])")
    }
    if ends("/data.pkl") { return FileFormat(.other, "a PyTorch file", array) }
    return FileFormat(.other, "a ZIP archive", unpack)
  }
}

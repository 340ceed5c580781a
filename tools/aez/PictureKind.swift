// The kinds of files that hold one picture: what a folder is of, and what a set is written back as.

import Bytes
import Core
import Storage
import ToolKit

enum PictureKind: CaseIterable {
  case png, pgm, ppm, pam

  /// The kind that a file's name says.
  init?(named name: String) {
    guard let kind = PictureKind.allCases.first(where: { Path.has(name, $0.ending) }) else { return nil }
    self = kind
  }

  /// The kind that images of so many channels from this source are written back as.
  init(_ source: SourceKind, channels: Int) {
    let kind: PictureKind
    switch source {
    case .pgmFolder, .pgmFile: kind = .pgm
    case .ppmFolder, .ppmFile: kind = .ppm
    case .pamFolder, .pamFile: kind = .pam
    default: kind = .png
    }
    self = kind.holds(channels: channels) ? kind : .png
  }

  /// What names of such files end in.
  var ending: String {
    switch self {
    case .png: return ".png"
    case .pgm: return ".pgm"
    case .ppm: return ".ppm"
    case .pam: return ".pam"
    }
  }

  /// As in "a PNG file".
  var name: String { ending.dropFirst().uppercased() }

  var format: FileFormat.Kind {
    switch self {
    case .png: return .png
    case .pgm: return .pgm
    case .ppm: return .ppm
    case .pam: return .pam
    }
  }

  /// What a folder of such files is as the source of a set.
  var folderSource: SourceKind {
    switch self {
    case .png: return .pngFolder
    case .pgm: return .pgmFolder
    case .ppm: return .ppmFolder
    case .pam: return .pamFolder
    }
  }

  /// The kinds that the engine writes.
  private var anyMap: PNM.Kind? {
    switch self {
    case .png: return nil
    case .pgm: return .pgm
    case .ppm: return .ppm
    case .pam: return .pam
    }
  }

  func holds(channels: Int) -> Bool { anyMap?.holds(channels: channels) ?? true }

  /// Throws, before any work is done, if files of this kind do not hold images of so many channels.
  func check(channels: Int, of name: String) throws(AEError) {
    guard !holds(channels: channels) else { return }
    let what = channels == 4 ? "transparency" : "colours"
    let others = PictureKind.allCases.filter { $0.holds(channels: channels) }.map { $0.ending }
    throw AEError(
      .kind,
      "\(name): \(self.name) files do not hold \(what), which the images have: write them as "
        + "\(others.dropLast().joined(separator: ", ")) or \(others.last ?? "")")
  }

  /// One image of a set as such a file.
  func write(_ set: ImageSet, index: Int = 0) throws(AEError) -> Buffer<UInt8> {
    guard let anyMap else { return try PNG.write(set, index: index) }
    return try PNM.write(set, index: index, as: anyMap)
  }
}

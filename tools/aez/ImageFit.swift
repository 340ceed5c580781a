// Images brought to one size and to given channels, for commands whose pictures differ: --resize and --pad.

import ArgumentParser
import Core
import Storage
import ToolKit

/// What --pad asks for: a size, or that of the largest picture.
enum PadSize: ExpressibleByArgument {
  case largest
  case size(ImageSize)

  init?(argument: String) {
    if argument == "largest" {
      self = .largest
    } else if let size = ImageSize(argument: argument) {
      self = .size(size)
    } else {
      return nil
    }
  }
}

/// How images come to the size that they are to have.
enum ImageFit {
  case asIs
  /// Scaled to it.
  case resized(ImageSize)
  /// Filled up with zeros at the right and the bottom.
  case padded(ImageSize)

  /// The sides of what becomes of an image.
  func sides(of shape: ImageShape) -> (width: Int, height: Int) {
    switch self {
    case .asIs: return (shape.width, shape.height)
    case .resized(let size), .padded(let size): return (size.width, size.height)
    }
  }
}

/// From images of one shape to images of another: to grey or to more channels, then to another size.
final class ImageChange {
  let from: ImageShape
  let to: ImageShape
  private let fit: ImageFit
  /// An image between both steps.
  private let middle: Buffer<UInt8>

  /// - Parameters:
  ///   - channels: 1 for grey, else at least those that the images have.
  ///   - name: what messages call the images.
  /// - Throws: `.shape` for images that are larger than they are to become by filling up.
  init(_ from: ImageShape, channels: Int, _ fit: ImageFit, name: String) throws(AEError) {
    let sides = fit.sides(of: from)
    if case .padded(let size) = fit, from.width > size.width || from.height > size.height {
      throw AEError(
        .shape, "\(name): is \(from.width) x \(from.height), larger than --pad \(size.width)x\(size.height)")
    }
    self.from = from
    to = ImageShape(width: sides.width, height: sides.height, channels: channels)
    self.fit = fit
    middle = try Buffer(count: to.channels == from.channels ? 0 : from.width * from.height * channels)
  }

  /// Whether images stay as they are.
  var isIdentity: Bool { from == to }

  /// Whether they get another size.
  var isResizing: Bool { (from.width, from.height) != (to.width, to.height) }

  /// Changes one image.
  /// - Returns: what it lost in colour and transparency.
  func apply(_ image: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>) -> GreyConversions {
    var lost: GreyConversions = []
    var source = image
    if to.channels != from.channels {
      let pixelCount = from.width * from.height
      let place = isResizing ? middle.base : target
      if to.channels == 1 {
        lost = Channels.makeGrey(image, from.channels, to: place, pixelCount: pixelCount)
      } else {
        Channels.widen(image, from.channels, to: place, to.channels, pixelCount: pixelCount)
      }
      source = UnsafePointer(place)
    } else if !isResizing {
      target.update(from: image, count: to.byteCount)
    }
    guard isResizing else { return lost }
    if case .padded = fit {
      pad(source, target)
    } else if to.channels == 4 {
      averageWithAlpha(source, target)
    } else {
      average(source, target)
    }
    return lost
  }

  /// All images of a set changed.
  func apply(_ set: ImageSet) throws(AEError) -> ImageSet {
    guard let byteCount = set.count.times(to.byteCount) else {
      throw AEError(.memory, "\(set.count) images of \(to.text) are too many")
    }
    let pixels = try Buffer<UInt8>(count: byteCount)
    var lost: GreyConversions = []
    for index in 0..<set.count {
      lost.formUnion(apply(set.pixels.base + index * set.imageSize, to: pixels.base + index * to.byteCount))
    }
    var changed = try ImageSet(
      width: to.width, height: to.height, channels: to.channels, count: set.count, pixels: pixels,
      labels: set.labels, names: set.names, source: set.source)
    changed.conversions = set.conversions.union(lost)
    changed.fileChannels = set.fileChannels
    return changed
  }

  private func pad(_ source: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<UInt8>) {
    target.update(repeating: 0, count: to.byteCount)
    let row = from.width * to.channels
    for y in 0..<from.height {
      (target + y * to.width * to.channels).update(from: source + y * row, count: row)
    }
  }

  /// Which samples of a line of `count` the sample `index` of `newCount` covers, and by how much of `newCount` the first
  /// and the last of them.
  private static func cover(_ index: Int, _ count: Int, _ newCount: Int) -> (
    range: ClosedRange<Int>, Int, Int
  ) {
    let (start, end) = (index * count, (index + 1) * count)
    let (first, last) = (start / newCount, (end - 1) / newCount)
    return (first...last, min(end, (first + 1) * newCount) - start, end - max(start, last * newCount))
  }

  /// Each new pixel is the mean of the area that it covers, to the nearest, halves up.
  private func average(_ source: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<UInt8>) {
    forEachPixel { at, area in
      for channel in 0..<to.channels {
        var sum = 0
        area { offset, weight in sum += weight * Int(source[offset + channel]) }
        target[at + channel] = UInt8(truncatingIfNeeded: (2 * sum + whole) / (2 * whole))
      }
    }
  }

  /// The same for pixels with alpha: colours count by it, so that what does not show does not bleed into what does.
  private func averageWithAlpha(_ source: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<UInt8>) {
    forEachPixel { at, area in
      var alpha = 0
      area { offset, weight in alpha += weight * Int(source[offset + 3]) }
      for channel in 0..<3 {
        var sum = 0
        area { offset, weight in
          sum += weight * Int(source[offset + channel]) * (alpha > 0 ? Int(source[offset + 3]) : 1)
        }
        let divisor = alpha > 0 ? alpha : whole
        target[at + channel] = UInt8(truncatingIfNeeded: (2 * sum + divisor) / (2 * divisor))
      }
      target[at + 3] = UInt8(truncatingIfNeeded: (2 * alpha + whole) / (2 * whole))
    }
  }

  /// The weights of an area, summed.
  private var whole: Int { from.width * from.height }

  /// Calls `body` with the place of each new pixel, and with what calls for each old one that it covers.
  private func forEachPixel(_ body: (Int, ((Int, Int) -> Void) -> Void) -> Void) {
    for y in 0..<to.height {
      let (rows, top, bottom) = ImageChange.cover(y, from.height, to.height)
      for x in 0..<to.width {
        let (columns, left, right) = ImageChange.cover(x, from.width, to.width)
        body((y * to.width + x) * to.channels) { each in
          for row in rows {
            let tall = row == rows.lowerBound ? top : row == rows.upperBound ? bottom : to.height
            for column in columns {
              let wide = column == columns.lowerBound ? left : column == columns.upperBound ? right : to.width
              each((row * from.width + column) * to.channels, tall * wide)
            }
          }
        }
      }
    }
  }
}

extension Report {
  /// Adds how images came to their size, if they were changed for it.
  mutating func add(_ fit: ImageFit) {
    switch fit {
    case .asIs: add("sizing", .null)
    case .resized(let size):
      add("sizing", .string("resized"), "scaled", "to \(size.width) x \(size.height), and kept as that")
    case .padded(let size):
      add("sizing", .string("padded"), "filled up", "to \(size.width) x \(size.height), and kept as that")
    }
  }
}

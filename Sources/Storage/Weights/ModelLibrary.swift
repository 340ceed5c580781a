// The models that come with libae, and the search for models by name or by the hash that an image set gives. Tool, C and
// Python use it, so that they code and open alike.

import Bytes
import CSystem
import Core
import Lossless
import Model
import Network

/// A model that comes with libae, as a file that is installed beside it.
public struct ShippedModel: Sendable, Equatable {
  /// The file's name, without `.aew`.
  public let name: StaticString
  /// The hash by which image sets name it, in hexadecimal digits.
  public let hash: StaticString
  /// Qualities of its codec.
  public let qualityCount: Int
  /// Its first quality on the scale over all of them; 0 for models that are not on the scale.
  public let firstScaleQuality: Int

  public static func == (left: ShippedModel, right: ShippedModel) -> Bool {
    left.name.utf8Start == right.name.utf8Start
  }

  /// For sets of 5 to 10 bytes a digit.
  public static let low = ShippedModel(
    name: "digits-low", hash: "404caafcb01a611cf513e612aa4364db814595993a4b657b08ae4a14af001c5c",
    qualityCount: 7, firstScaleQuality: 1)
  /// For sets of 13 to 25 bytes a digit: the default model.
  public static let high = ShippedModel(
    name: "digits-high", hash: "9062d73707276671c58ac2c3d9087f942336dc27ac00808cf4e31ca2a248ab99",
    qualityCount: 7, firstScaleQuality: 8)
  /// With a network for lossless coding of digits.
  public static let exact = ShippedModel(
    name: "exact", hash: "cf3e7d5496d53f9972ce6baff905f1483be832393c58fe9c1a952677932c9d7e", qualityCount: 7,
    firstScaleQuality: 0)
  /// The default model of version 0.1, whose sets are read for ever.
  public static let first = ShippedModel(
    name: "mnist-30", hash: "7dd654472b7bd7453852ccc4d07d5e5904e8f717ffed12e04bea8cd047327640",
    qualityCount: 7, firstScaleQuality: 0)

  /// The predictor of pixels for sets that none was trained for. The hash is the predictor's own.
  public static let universal = ShippedModel(
    name: "universal", hash: "5482e2388c7dfbb897362c3360ef67534a9a3e7bb6ddb9ac3714e8a5df8e33fa",
    qualityCount: 0, firstScaleQuality: 0)

  /// `low` with most of its weights pruned: for sets that hold their model.
  public static let lowSmall = ShippedModel(
    name: "digits-low-small", hash: "5a20f64cfb0f96fb53244f1a534e36adb51bb26ea55f3c350c13300daf611566",
    qualityCount: 7, firstScaleQuality: 0)
  /// `high`, likewise.
  public static let highSmall = ShippedModel(
    name: "digits-high-small", hash: "4b70da39e7aecf8c3d72a95b5345c81c554f0b9b1fccc3fc712c961474cb2df7",
    qualityCount: 7, firstScaleQuality: 0)

  public static let all = [low, high, exact, first, universal, lowSmall, highSmall]
  public static let standard = high

  /// Qualities of the scale over the models that come with libae, from 1 on, from the smallest sets to the best.
  public static let scaleCount = 14
  /// The default quality.
  public static let defaultScaleQuality = 8

  /// The model of a quality on the scale, and its quality of that model.
  /// - Throws: `.argument` for a quality out of 0 ... `scaleCount`; 0 is the default.
  public static func onScale(_ quality: Int) throws(AEError) -> (model: ShippedModel, quality: Int) {
    guard (0...scaleCount).contains(quality) else {
      throw AEError(.argument, "quality must be in 1 ... \(scaleCount), not \(quality)")
    }
    let wanted = quality == 0 ? defaultScaleQuality : quality
    let model = wanted >= high.firstScaleQuality ? high : low
    return (model, wanted - model.firstScaleQuality + 1)
  }

  /// The place on the scale of a quality of the model with a hash; 0 for other models.
  public static func scaleQuality(_ quality: Int, hash: [UInt8]) -> Int {
    let text = SHA256.hex(hash)
    for model in all
    where model.firstScaleQuality > 0 && quality > 0 && UTF8Text.equal(text, model.hash) {
      return model.firstScaleQuality + quality - 1
    }
    return 0
  }
}

/// Where models are looked for. Immutable, but for the models that it has opened and keeps.
public final class ModelLibrary: Sendable {
  /// Files and folders of the caller's, as FileName has them.
  private let places: [String]
  /// The bytes of a shipped model that is compiled into the program.
  private let builtIn: (@Sendable (ShippedModel) -> Buffer<UInt8>?)?
  /// Models that were opened, in the order of `ShippedModel.all`.
  private let opened: [Lazy<Autoencoder>]

  /// - Parameters:
  ///   - places: files and folders that are looked at first.
  ///   - builtIn: the models that are compiled into the program.
  public init(places: [String] = [], builtIn: (@Sendable (ShippedModel) -> Buffer<UInt8>?)? = nil) {
    self.places = places
    self.builtIn = builtIn
    opened = ShippedModel.all.map { _ in Lazy<Autoencoder>() }
  }

  /// A model that comes with libae, which is kept.
  /// - Throws: `.model`, naming where it was looked for, if it is not found; what reading it throws.
  public func shipped(_ model: ShippedModel) throws(AEError) -> Autoencoder {
    for (index, known) in ShippedModel.all.enumerated() where known == model {
      return try opened[index].value { () throws(AEError) in try read(model) }
    }
    throw AEError(.internal, "a model that does not come with libae")
  }

  /// A model that comes with libae, by its name.
  public func shipped(named name: String) throws(AEError) -> Autoencoder {
    for model in ShippedModel.all where UTF8Text.equal(name, model.name) { return try shipped(model) }
    var names = ""
    for model in ShippedModel.all {
      names = names.isEmpty ? sentence("\(model.name)") : sentence("\(names), \(model.name)")
    }
    throw AEError(.model, "no model \"\(name)\" comes with libae; there are \(names)")
  }

  private func read(_ model: ShippedModel) throws(AEError) -> Autoencoder {
    if let bytes = builtIn?(model) {
      return try WeightFile.read(bytes.base, bytes.count, name: sentence("\(model.name)"))
    }
    var looked = ""
    for place in places + ModelLibrary.environment() + ModelLibrary.besideProgram() {
      let path = sentence("\(place)/\(model.name).aew")
      if let input = try ifThere({ () throws(AEError) in try ByteInput(regular: path, gunzips: false) }) {
        let file = try WeightFile.bytes(input)
        return try WeightFile.read(file.base, file.count, name: path)
      }
      looked = looked.isEmpty ? place : sentence("\(looked), \(place)")
    }
    throw AEError(
      .model,
      "the model \"\(model.name)\", which comes with libae, is not in \(looked): put the folder that holds it into "
        + "AE_MODEL_PATH")
  }

  /// The model that an image set names by its hash, among those that come with libae and those on the paths; nil if it
  /// is none of them.
  public func model(hash: [UInt8], width: Int, height: Int, latentCount: Int) throws(AEError) -> Autoencoder?
  {
    let text = SHA256.hex(hash)
    for model in ShippedModel.all where UTF8Text.equal(text, model.hash) {
      // One that is not installed may be on the paths by another name.
      if let shipped = try ifThere({ () throws(AEError) in try shipped(model) }) { return shipped }
    }
    for path in ModelLibrary.files(places + ModelLibrary.environment()) {
      // Damaged files and files of other kinds are skipped; so is what is no regular file, which might block.
      let found = try ifThere { () throws(AEError) -> Autoencoder? in
        let input = try ByteInput(regular: path, gunzips: false)
        let head = try input.peek(WeightFile.prefixCount)
        guard let base = head.baseAddress else { return nil }
        guard
          let sizes = try WeightFile.sizes(
            base, head.count, fileByteCount: input.byteCount ?? head.count, name: path),
          sizes.width == width, sizes.height == height, sizes.latentCount == latentCount
        else { return nil }
        let file = try WeightFile.bytes(input)
        guard try WeightFile.summary(file.base, file.count, name: path).hash == hash else { return nil }
        return try WeightFile.read(file.base, file.count, name: path)
      }
      if let found, let model = found { return model }
    }
    return nil
  }

  /// The predictor that an image set names by its hash, among those of the models that come with libae and those on the
  /// paths; nil if it is none of them.
  public func predictor(hash: [UInt8]) throws(AEError) -> Predictor? {
    let universal = try ifThere { () throws(AEError) in try shipped(ShippedModel.universal) }
    if let predictor = universal?.predictor, try predictor.sectionHash() == hash { return predictor }
    for path in ModelLibrary.files(places + ModelLibrary.environment()) {
      let found = try ifThere { () throws(AEError) -> Predictor? in
        let input = try ByteInput(regular: path, gunzips: false)
        let file = try WeightFile.bytes(input)
        guard try WeightFile.summary(file.base, file.count, name: path).predictorHash == hash else {
          return nil
        }
        return try WeightFile.read(file.base, file.count, name: path).predictor
      }
      if let found, let predictor = found { return predictor }
    }
    return nil
  }

  // MARK: Places

  /// Files and folders that a path lists, separated by colons; empty ones are left out.
  public static func listed(_ path: String) -> [String] {
    var places: [String] = []
    var place: [UInt8] = []
    for byte in UTF8Text.bytes(path) + [58] {
      if byte != 58 {
        place.append(byte)
      } else if !place.isEmpty {
        places.append(UTF8Text.string(place))
        place = []
      }
    }
    return places
  }

  private static func environment() -> [String] {
    guard let value = cs_environment("AE_MODEL_PATH") else { return [] }
    return listed(FileName.text(value))
  }

  /// Where an installation has them, seen from the file that this code is in: a library or a program. Beside a library
  /// for one architecture they are two folders up; a Python package has them beside the library.
  private static func besideProgram() -> [String] {
    var room = [CChar](repeating: 0, count: 4097)
    let found = room.withUnsafeMutableBufferPointer {
      cs_module_folder($0.baseAddress, $0.count)
    }
    guard found != 0 else { return [] }
    let folder = room.withUnsafeBufferPointer { FileName.text($0.baseAddress.unsafelyUnwrapped) }
    return [
      sentence("\(folder)/../share/libae/models"), sentence("\(folder)/../../share/libae/models"),
      sentence("\(folder)/models"),
    ]
  }

  /// The weight files that places lead to: files, and the .aew files of folders in the order of their names.
  private static func files(_ places: [String]) -> [String] {
    var result: [String] = []
    for place in places {
      guard let folder = FileName.withCString(place, { cs_folder_open($0) }) else {
        result.append(place)
        continue
      }
      var names: [String] = []
      while let name = cs_folder_next(folder) {
        let text = FileName.text(name)
        if hasSuffix(text) { names.append(text) }
      }
      cs_folder_close(folder)
      // Few enough for the simplest of sorts.
      for last in names.indices {
        var place = last
        while place > 0, isBefore(names[place], names[place - 1]) {
          names.swapAt(place, place - 1)
          place -= 1
        }
      }
      for name in names { result.append(sentence("\(place)/\(name)")) }
    }
    return result
  }

  private static func hasSuffix(_ name: String) -> Bool {
    let bytes = UTF8Text.bytes(name)
    guard bytes.count > 4 else { return false }
    for (index, letter) in [0x2E, 0x61, 0x65, 0x77].enumerated() {
      let byte = Int(bytes[bytes.count - 4 + index])
      guard byte == letter || (index > 0 && byte | 0x20 == letter) else { return false }
    }
    return true
  }

  private static func isBefore(_ left: String, _ right: String) -> Bool {
    UTF8Text.bytes(left).lexicographicallyPrecedes(UTF8Text.bytes(right))
  }
}

/// What `body` gives; nil where it fails for any reason but a lack of memory, which says nothing of what is there.
private func ifThere<Value>(_ body: () throws(AEError) -> Value) throws(AEError) -> Value? {
  do throws(AEError) {
    return try body()
  } catch {
    if error.code == .memory { throw error }
    return nil
  }
}

// ae.h, "Options": access to the option tables. The options themselves are rows in TrainingOptions, CompressionOptions,
// QuantizationOptions, ScanTrainingOptions, PredictorTrainingOptions and ShrinkOptions.

import CAE
import CSystem
import Container
import Core
import LibAEDecode
import Network
import Options
import Quantization
import Training

/// Values for the options of one table.
final class OptionsBox {
  enum Values {
    case training(TrainingOptions)
    case compression(CompressionOptions)
    case quantization(QuantizationOptions)
    case lossless(ScanTrainingOptions)
    case predictor(PredictorTrainingOptions)
    case shrinking(ShrinkOptions)
  }

  var values: Values

  init(_ values: Values) { self.values = values }

  /// The defaults of a table.
  init(table: Int32) throws(AEError) {
    switch table {
    case Int32(AE_OPTIONS_TRAINING): values = .training(TrainingOptions())
    case Int32(AE_OPTIONS_COMPRESSION): values = .compression(CompressionOptions())
    case Int32(AE_OPTIONS_QUANTIZATION): values = .quantization(QuantizationOptions())
    case Int32(AE_OPTIONS_LOSSLESS): values = .lossless(ScanTrainingOptions())
    case Int32(AE_OPTIONS_PREDICTOR): values = .predictor(PredictorTrainingOptions())
    case Int32(AE_OPTIONS_SHRINKING): values = .shrinking(ShrinkOptions())
    default: throw AEError(.argument, "there is no table of options \(table)")
    }
  }
}

extension OptionsBox {
  /// An option by its place, with its value, and of which table it is. One at a time: an array of all of them is more than
  /// is kept back for a call that memory is refused to.
  func option(_ index: Int) -> OptionPlace {
    switch values {
    case .training(let options): return TrainingOptions.table.option(index, in: options)
    case .compression(let options): return CompressionOptions.table.option(index, in: options)
    case .quantization(let options): return QuantizationOptions.table.option(index, in: options)
    case .lossless(let options): return ScanTrainingOptions.table.option(index, in: options)
    case .predictor(let options): return PredictorTrainingOptions.table.option(index, in: options)
    case .shrinking(let options): return ShrinkOptions.table.option(index, in: options)
    }
  }
}

private func box(_ handle: OpaquePointer?) throws(AEError) -> OptionsBox {
  try object(handle, .options, OptionsBox.self)
}

private func wrong(_ wanted: StaticString) -> AEError {
  AEError(.argument, "options of another table were given: \(wanted) is expected")
}

/// The options of a call; NULL stands for the defaults.
func trainingOptions(_ handle: OpaquePointer?) throws(AEError) -> TrainingOptions {
  guard handle != nil else { return TrainingOptions() }
  guard case .training(let options) = try box(handle).values else { throw wrong("AE_OPTIONS_TRAINING") }
  return options
}

func compressionOptions(_ handle: OpaquePointer?) throws(AEError) -> CompressionOptions {
  guard handle != nil else { return CompressionOptions() }
  guard case .compression(let options) = try box(handle).values else { throw wrong("AE_OPTIONS_COMPRESSION") }
  return options
}

func quantizationOptions(_ handle: OpaquePointer?) throws(AEError) -> QuantizationOptions {
  guard handle != nil else { return QuantizationOptions() }
  guard case .quantization(let options) = try box(handle).values else {
    throw wrong("AE_OPTIONS_QUANTIZATION")
  }
  return options
}

func losslessOptions(_ handle: OpaquePointer?) throws(AEError) -> ScanTrainingOptions {
  guard handle != nil else { return ScanTrainingOptions() }
  guard case .lossless(let options) = try box(handle).values else { throw wrong("AE_OPTIONS_LOSSLESS") }
  return options
}

func predictorOptions(_ handle: OpaquePointer?) throws(AEError) -> PredictorTrainingOptions {
  guard handle != nil else { return PredictorTrainingOptions() }
  guard case .predictor(let options) = try box(handle).values else { throw wrong("AE_OPTIONS_PREDICTOR") }
  return options
}

func shrinkOptions(_ handle: OpaquePointer?) throws(AEError) -> ShrinkOptions {
  guard handle != nil else { return ShrinkOptions() }
  guard case .shrinking(let options) = try box(handle).values else { throw wrong("AE_OPTIONS_SHRINKING") }
  return options
}

@implementation @_cdecl("ae_options_create")
public func ae_options_create(_ table: Int32, _ options: UnsafeMutablePointer<OpaquePointer?>!) -> ae_status {
  storeHandle(options, .options) { () throws(AEError) in
    try makeHandle(.options, try OptionsBox(table: table))
  }
}

@implementation @_cdecl("ae_options_free")
public func ae_options_free(_ options: OpaquePointer!) { freeHandle(options, .options, OptionsBox.self) }

/// A way to set an option, for whichever table.
private struct Setting {
  let key: String
  let value: OptionInput

  func store(in box: OptionsBox) throws(AEError) {
    switch box.values {
    case .training(var options):
      if key == "preset", case .text(let name) = value {
        try TrainingPreset.named(name).apply(to: &options)
      } else {
        try TrainingOptions.table.set(key, to: value, in: &options)
      }
      box.values = .training(options)
    case .compression(var options):
      try CompressionOptions.table.set(key, to: value, in: &options)
      box.values = .compression(options)
    case .quantization(var options):
      try QuantizationOptions.table.set(key, to: value, in: &options)
      box.values = .quantization(options)
    case .lossless(var options):
      try ScanTrainingOptions.table.set(key, to: value, in: &options)
      box.values = .lossless(options)
    case .predictor(var options):
      try PredictorTrainingOptions.table.set(key, to: value, in: &options)
      box.values = .predictor(options)
    case .shrinking(var options):
      try ShrinkOptions.table.set(key, to: value, in: &options)
      box.values = .shrinking(options)
    }
  }
}

@implementation @_cdecl("ae_options_set")
public func ae_options_set(
  _ options: OpaquePointer!, _ key: UnsafePointer<CChar>!, _ value: UnsafePointer<CChar>!
) -> ae_status {
  boundary { () throws(AEError) in
    let box = try box(options)
    let key = try text(key, "key")
    do throws(AEError) {
      let isList = key == "encoder" || key == "decoder"
      try Setting(
        key: key, value: .text(try text(value, "its value", atMost: isList ? maximumNodeTextCount : 4096))
      ).store(in: box)
    } catch {
      throw error.message.hasPrefix("its value") ? error.at(key) : error
    }
  }
}

@implementation @_cdecl("ae_options_set_integer")
public func ae_options_set_integer(
  _ options: OpaquePointer!, _ key: UnsafePointer<CChar>!, _ value: Int64
) -> ae_status {
  boundary { () throws(AEError) in
    try Setting(key: try text(key, "key"), value: .integer(value)).store(in: try box(options))
  }
}

@implementation @_cdecl("ae_options_set_number")
public func ae_options_set_number(
  _ options: OpaquePointer!, _ key: UnsafePointer<CChar>!, _ value: Double
) -> ae_status {
  boundary { () throws(AEError) in
    let key = try text(key, "key")
    guard value.isFinite else { throw AEError(.argument, "\(key) must be finite") }
    try Setting(key: key, value: .number(value)).store(in: try box(options))
  }
}

@implementation @_cdecl("ae_options_get")
public func ae_options_get(
  _ options: OpaquePointer!, _ key: UnsafePointer<CChar>!, _ out: UnsafeMutablePointer<CChar>!,
  _ capacity: Int,
  _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  func value() throws(AEError) -> Buffer<UInt8> {
    let box = try box(options)
    let key = try text(key, "key")
    return try terminated(try OptionPlace.text(of: key) { box.option($0) })
  }
  return produce(
    out.map { UnsafeMutableRawPointer($0) }, capacity: capacity, size: size,
    bound: { () throws(AEError) in try value().count }, make: value)
}

/// A text's bytes with a closing NUL.
func terminated(_ text: String) throws(AEError) -> Buffer<UInt8> { try Buffer(UTF8Text.bytes(text) + [0]) }

// MARK: Tables

/// Text for C that is made at its first use and kept.
private final class KeptTexts: Sendable {
  /// Default, choices of each row, one after the other with closing NULs, and where each begins.
  nonisolated(unsafe) private let base: UnsafeMutablePointer<CChar>
  private let starts: [Int]

  init(_ texts: [String]) throws(AEError) {
    var bytes: [UInt8] = []
    var starts: [Int] = []
    for text in texts {
      starts.append(bytes.count)
      bytes += UTF8Text.bytes(text) + [0]
    }
    guard let memory = cs_allocate(bytes.count) else { throw AEError(.memory, "cannot allocate texts") }
    bytes.withUnsafeBytes { source in
      if let base = source.baseAddress { memory.copyMemory(from: base, byteCount: source.count) }
    }
    base = memory.assumingMemoryBound(to: CChar.self)
    self.starts = starts
  }

  deinit { cs_free(base) }

  subscript(index: Int) -> UnsafePointer<CChar> { UnsafePointer(base + starts[index]) }
}

/// By table.
private let texts = [
  Lazy<KeptTexts>(), Lazy<KeptTexts>(), Lazy<KeptTexts>(), Lazy<KeptTexts>(), Lazy<KeptTexts>(),
  Lazy<KeptTexts>(),
]

/// What is told of an option of a table.
private func describe(_ box: OptionsBox, _ index: Int, _ kept: Lazy<KeptTexts>) throws(AEError)
  -> ae_option_information
{
  let place = box.option(index)
  guard let option = place.entry?.specification else {
    throw AEError(.argument, "there are \(place.count) \(place.table) options: none is numbered \(index)")
  }
  let texts = try kept.value { () throws(AEError) in
    var texts: [String] = []
    for index in 0..<place.count {
      guard let entry = box.option(index).entry else { continue }
      texts.append(entry.specification.text(entry.standard))
      var choices = ""
      for (number, choice) in entry.specification.choices.enumerated() {
        choices = number == 0 ? sentence("\(choice)") : sentence("\(choices),\(choice)")
      }
      texts.append(choices)
    }
    return try KeptTexts(texts)
  }
  var result = ae_option_information()
  result.type = Int32(option.type.rawValue)
  result.is_implied = option.isImplied ? 1 : 0
  result.minimum = option.minimum
  result.maximum = option.maximum
  result.key = cString(option.key)
  result.default_value = texts[2 * index]
  result.automatic = cString(option.automatic)
  result.choices = texts[2 * index + 1]
  result.documentation = cString(option.documentation)
  result.former_flags = cString(option.formerFlags)
  return result
}

@implementation @_cdecl("ae_option_count")
public func ae_option_count(_ table: Int32) -> Int {
  // Tables are made at their first use, which is to be within a call.
  var count = 0
  _ = boundary { () throws(AEError) in count = try OptionsBox(table: table).option(0).count }
  return count
}

@implementation @_cdecl("ae_option_info")
public func ae_option_info(
  _ table: Int32, _ index: Int, _ information: UnsafeMutablePointer<ae_option_information>!
) -> ae_status {
  boundary { () throws(AEError) in
    guard let information else { throw AEError(.argument, "information is NULL") }
    let result = try describe(try OptionsBox(table: table), index, texts[Int(table)])
    try writeStruct(information, result)
  }
}

@implementation @_cdecl("ae_preset_count")
public func ae_preset_count() -> Int { TrainingPreset.all.count }

@implementation @_cdecl("ae_preset_info")
public func ae_preset_info(
  _ index: Int, _ information: UnsafeMutablePointer<ae_preset_information>!
) -> ae_status {
  boundary { () throws(AEError) in
    guard let information else { throw AEError(.argument, "information is NULL") }
    guard index >= 0, index < TrainingPreset.all.count else {
      throw AEError(.argument, "there are \(TrainingPreset.all.count) presets: none is numbered \(index)")
    }
    let preset = TrainingPreset.all[index]
    var result = ae_preset_information()
    result.name = cString(preset.name)
    result.summary = cString(preset.summary)
    result.options = cString(preset.options)
    try writeStruct(information, result)
  }
}

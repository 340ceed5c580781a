// ae.h, "Models": models from tensors, quantisation, lossless fits, qualities, and saving.

import Bytes
import CAE
import Core
import Latent
import LibAEDecode
import Lossless
import Model
import Network
import Options
import Quantization
import SourceExport
import Storage
import Training

// MARK: Saving

/// The checked arguments of ae_model_save and ae_model_save_file.
private struct SaveOrder {
  let model: Autoencoder
  let storage: WeightStorage
  let decoderOnly: Bool

  init(_ handle: OpaquePointer?, _ storage: Int32, _ flags: UInt32) throws(AEError) {
    model = try LibAEDecode.model(handle)
    guard let kind = UInt8(exactly: storage).flatMap({ WeightStorage(rawValue: $0) }) else {
      throw AEError(
        .argument, "storage must be one of AE_STORAGE_FLOAT32 ... AE_STORAGE_INT8, not \(storage)")
    }
    self.storage = kind
    guard flags & ~UInt32(AE_SAVE_DECODER_ONLY) == 0 else {
      throw AEError(.argument, "flags must be 0 or AE_SAVE_DECODER_ONLY, not \(flags)")
    }
    decoderOnly = flags & UInt32(AE_SAVE_DECODER_ONLY) != 0
  }

  func bound() throws(AEError) -> Int {
    try WeightFile.bound(model, storage: storage, decoderOnly: decoderOnly)
  }

  func make() throws(AEError) -> Buffer<UInt8> {
    try WeightFile.write(model, storage: storage, decoderOnly: decoderOnly)
  }
}

@implementation @_cdecl("ae_model_save")
public func ae_model_save(
  _ model: OpaquePointer!, _ storage: Int32, _ flags: UInt32, _ out: UnsafeMutableRawPointer!,
  _ capacity: Int, _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  produce(
    out, capacity: capacity, size: size,
    bound: { () throws(AEError) in try SaveOrder(model, storage, flags).bound() },
    make: { () throws(AEError) in try SaveOrder(model, storage, flags).make() })
}

@implementation @_cdecl("ae_model_save_file")
public func ae_model_save_file(
  _ model: OpaquePointer!, _ storage: Int32, _ flags: UInt32, _ path: UnsafePointer<CChar>!
) -> ae_status {
  boundary { () throws(AEError) in
    let path = try checkedPath(path)
    let file = try SaveOrder(model, storage, flags).make()
    try File.write(cPath: path, file.base, file.count, overwrite: true)
  }
}

// MARK: C source

/// The checked arguments of ae_model_export_c and ae_model_export_c_file.
private struct ExportOrder {
  let model: Autoencoder
  let prefix: String
  let withEncoder: Bool

  init(_ handle: OpaquePointer?, _ prefix: UnsafePointer<CChar>?, _ flags: UInt32) throws(AEError) {
    model = try LibAEDecode.model(handle)
    self.prefix = prefix == nil ? CSource.defaultPrefix : try LibAEDecode.text(prefix, "prefix")
    guard flags & ~UInt32(AE_EXPORT_ENCODER) == 0 else {
      throw AEError(.argument, "flags must be 0 or AE_EXPORT_ENCODER, not \(flags)")
    }
    withEncoder = flags & UInt32(AE_EXPORT_ENCODER) != 0
  }

  func bound() throws(AEError) -> Int {
    try CSource.bound(model, prefix: prefix, withEncoder: withEncoder)
  }

  func text() throws(AEError) -> Buffer<UInt8> {
    try CSource(model, prefix: prefix, withEncoder: withEncoder).text
  }

  func make() throws(AEError) -> Buffer<UInt8> {
    let source = try text()
    // The closing NUL is a zero of the larger buffer.
    let terminated = try Buffer<UInt8>(count: source.count + 1)
    terminated.base.update(from: source.base, count: source.count)
    return terminated
  }
}

@implementation @_cdecl("ae_model_export_c")
public func ae_model_export_c(
  _ model: OpaquePointer!, _ prefix: UnsafePointer<CChar>!, _ flags: UInt32,
  _ out: UnsafeMutablePointer<CChar>!, _ capacity: Int, _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  produce(
    out, capacity: capacity, size: size,
    bound: { () throws(AEError) in try ExportOrder(model, prefix, flags).bound() },
    make: { () throws(AEError) in try ExportOrder(model, prefix, flags).make() })
}

@implementation @_cdecl("ae_model_export_c_file")
public func ae_model_export_c_file(
  _ model: OpaquePointer!, _ prefix: UnsafePointer<CChar>!, _ flags: UInt32, _ path: UnsafePointer<CChar>!
) -> ae_status {
  boundary { () throws(AEError) in
    let path = try checkedPath(path)
    let source = try ExportOrder(model, prefix, flags).text()
    try File.write(cPath: path, source.base, source.count, overwrite: true)
  }
}

// MARK: Tensors

/// The keys of a description, in the order in which they are written.
private let descriptionKeys: [StaticString] = [
  "kind", "width", "height", "channels", "latent_size", "hidden", "variational", "output_activation",
  "encoder",
  "decoder", "name",
]

/// Options of a network that a description gives: `key=value`, separated by blanks.
private func options(_ description: String) throws(AEError) -> TrainingOptions {
  var options = TrainingOptions()
  var piece: [UInt8] = []
  let bytes = UTF8Text.bytes(description)
  for (index, byte) in (bytes + [32]).enumerated() {
    // A name may contain blanks: it is last and extends to the end.
    let isName = piece.starts(with: [110, 97, 109, 101, 61])
    guard !isName || index == bytes.count, byte == 32 || byte == 10 else {
      piece.append(byte)
      continue
    }
    guard !piece.isEmpty else { continue }
    guard let equals = piece.firstIndex(of: 61) else {
      throw AEError(
        .argument, "a description is key=value, separated by blanks, not \"\(UTF8Text.string(piece))\"")
    }
    let key = UTF8Text.string([UInt8](piece[..<equals]))
    guard descriptionKeys.contains(where: { sentence("\($0)") == key }) else {
      throw AEError(
        .argument,
        "\"\(key)\" says nothing of a network: a description has kind, width, height, channels, latent_size, hidden, "
          + "variational, output_activation, encoder, decoder, name")
    }
    try checkMemory()
    try TrainingOptions.table.set(
      key, UTF8Text.string([UInt8](piece[(equals + 1)...])),
      in: &options)
    piece = []
  }
  _ = try options.validatedArchitecture()
  return options
}

@implementation @_cdecl("ae_model_create")
public func ae_model_create(
  _ context: OpaquePointer!, _ description: UnsafePointer<CChar>!, _ tensors: UnsafePointer<ae_tensor>!,
  _ tensor_count: Int, _ model: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(model, .model, in: context) { () throws(AEError) in
    let options = try options(
      try text(description, "description", atMost: 2 * maximumNodeTextCount + 4096))
    let most = 4 * NodeList.maximumNodeCount
    guard (0...most).contains(tensor_count), tensors != nil || tensor_count == 0 else {
      throw AEError(.argument, "tensors is NULL, or their count, \(tensor_count), is not in 0 ... \(most)")
    }
    var given: [(name: String, values: UnsafePointer<Float>, count: Int)] = []
    // An array's elements are as long as its first one says, whatever this library's are.
    let stride = tensor_count > 0 ? UnsafeRawPointer(tensors).loadUnaligned(as: Int.self) : 0
    guard (0...4096).contains(stride) else {
      throw AEError(.version, "ae_tensor has a struct_size of \(UInt(bitPattern: stride))")
    }
    for index in 0..<tensor_count {
      var tensor = ae_tensor()
      let element = UnsafeRawPointer(tensors) + index * stride
      try readStruct(element.assumingMemoryBound(to: ae_tensor.self), over: &tensor)
      let name = try text(tensor.name, "a tensor's name")
      let values = try Input(tensor.values, count: tensor.count, of: 1, "a tensor's values")
      given.append((name, values.base, values.elementCount))
    }
    var used = 0
    func network(_ half: StaticString, _ shapes: [LayerShape]) throws(AEError) -> DenseNetwork {
      var layers: [DenseLayer] = []
      for (index, shape) in shapes.enumerated() {
        guard shape.hasWeights else {
          layers.append(try DenseLayer(shape: shape))
          continue
        }
        func array(_ what: StaticString, _ count: Int) throws(AEError) -> Buffer<Float> {
          let name = sentence("\(half).\(index).\(what)")
          for tensor in given where tensor.name == name {
            guard tensor.count == count else {
              throw AEError(
                .shape, "tensor \"\(name)\" has \(tensor.count) numbers, \(count) are expected")
            }
            for at in 0..<count where !tensor.values[at].isFinite {
              throw AEError(.argument, "tensor \"\(name)\": number \(at) is not finite")
            }
            used += 1
            return try Buffer(copying: tensor.values, count: count)
          }
          throw AEError(.shape, "tensor \"\(name)\" of \(count) numbers is missing")
        }
        layers.append(
          try DenseLayer(
            shape: shape, weights: try array("weight", shape.weightCount),
            bias: try array("bias", shape.channels)))
      }
      return DenseNetwork(layers: layers)
    }
    let architecture = options.architecture
    let hasEncoder = given.contains { UTF8Text.bytes($0.name).starts(with: UTF8Text.bytes("encoder.")) }
    let made = try Autoencoder(
      architecture: architecture, name: options.name, provenance: "ae_model_create", storage: .float32,
      encoder: hasEncoder ? try network("encoder", architecture.encoderShapes) : nil,
      decoder: try network("decoder", architecture.decoderShapes))
    guard used == given.count else {
      throw AEError(
        .shape, "\(given.count - used) of \(given.count) tensors are not of this network, or come twice")
    }
    return try makeHandle(.model, made)
  }
}

@implementation @_cdecl("ae_model_description")
public func ae_model_description(
  _ model: OpaquePointer!, _ out: UnsafeMutablePointer<CChar>!, _ capacity: Int,
  _ size: UnsafeMutablePointer<Int>!
) -> ae_status {
  func description() throws(AEError) -> Buffer<UInt8> {
    let model = try LibAEDecode.model(model)
    guard model.architecture.kind != .predictor else {
      throw AEError(.kind, "the model \"\(model.name)\" is a predictor: it has no layers of an autoencoder")
    }
    var options = TrainingOptions(architecture: model.architecture)
    options.name = model.name
    let table = TrainingOptions.table
    var line = ""
    let isCustom = model.architecture.kind == .custom
    for key in descriptionKeys {
      let name = sentence("\(key)")
      // What does not belong to the kind, or goes without saying.
      if name == "channels" && model.architecture.channels == 1 { continue }
      if name == "hidden"
        ? isCustom : (name == "encoder" || name == "decoder" || name == "variational") && !isCustom
      {
        continue
      }
      // Lists are longer than a sentence may be.
      if !line.isEmpty { line += " " }
      line += sentence("\(key)=")
      line += table.text(of: try table.row(name), in: options)
      try checkMemory()
    }
    return try terminated(line)
  }
  return produce(
    out.map { UnsafeMutableRawPointer($0) }, capacity: capacity, size: size,
    bound: { () throws(AEError) in try description().count }, make: description)
}

@implementation @_cdecl("ae_model_tensor")
public func ae_model_tensor(
  _ model: OpaquePointer!, _ index: Int, _ tensor: UnsafeMutablePointer<ae_tensor>!
) -> ae_status {
  boundary { () throws(AEError) in
    let model = try LibAEDecode.model(model)
    guard let tensor else { throw AEError(.argument, "tensor is NULL") }
    guard let decoder = model.decoder else {
      throw AEError(.kind, "the model \"\(model.name)\" is stored as int8: it has no arrays of floats")
    }
    // Weights, then biases of each node that has any.
    var left = index / 2
    var found: (half: Int, node: Int, layer: DenseLayer)?
    var count = 0
    for (half, network) in [model.encoder, decoder].enumerated() {
      for (node, layer) in (network?.layers ?? []).enumerated() where layer.shape.hasWeights {
        count += 2
        if left == 0 { found = (half, node, layer) }
        left -= 1
      }
    }
    guard index >= 0, let found else {
      throw AEError(.argument, "the model has \(count) tensors: none is numbered \(index)")
    }
    var result = ae_tensor()
    result.name = try tensorName(model, found.half, found.node, isBias: index % 2 == 1)
    let values = index % 2 == 0 ? found.layer.weights : found.layer.bias
    result.values = UnsafePointer(values.base)
    result.count = values.count
    try writeStruct(tensor, result)
  }
}

/// Bytes of a tensor's name, with its closing NUL, at most.
private let tensorNameCount = 24

/// The name of an array, as in "encoder.0.weight"; it lives as long as the model.
private func tensorName(_ model: Autoencoder, _ half: Int, _ node: Int, isBias: Bool) throws(AEError)
  -> UnsafePointer<CChar>
{
  let names = try model.tensorNames.value { () throws(AEError) in
    let names = try Buffer<UInt8>(count: 4 * NodeList.maximumNodeCount * tensorNameCount)
    for half in 0..<2 {
      let count = (half == 0 ? model.encoder : model.decoder)?.layers.count ?? 0
      for place in 0..<2 * count {
        let name = sentence(
          "\(half == 0 ? "encoder" as StaticString : "decoder").\(place / 2).\(place % 2 == 0 ? "weight" as StaticString : "bias")"
        )
        let at = (2 * half * NodeList.maximumNodeCount + place) * tensorNameCount
        for (index, byte) in UTF8Text.bytes(name).enumerated() { names.base[at + index] = byte }
      }
    }
    return names
  }
  let at = (2 * half * NodeList.maximumNodeCount + 2 * node + (isBias ? 1 : 0)) * tensorNameCount
  return UnsafeRawPointer(names.base + at).assumingMemoryBound(to: CChar.self)
}

// MARK: Fitting

@implementation @_cdecl("ae_model_quantize")
public func ae_model_quantize(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ options: OpaquePointer!, _ result: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(result, .model, in: context) { () throws(AEError) in
    let model = try LibAEDecode.model(model)
    let source = try Input(images, count: count, of: model.inputCount, "images")
    try Span(writes: result).apart(from: source.span, "images and the pointer that takes the model")
    return try makeHandle(
      .model,
      try quantized(model, pixels: source.base, count: count, options: try quantizationOptions(options)))
  }
}

@implementation @_cdecl("ae_model_fit_lossless")
public func ae_model_fit_lossless(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int,
  _ options: OpaquePointer!, _ progress: ae_count_callback!, _ progress_context: UnsafeMutableRawPointer!,
  _ result: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(result, .model, in: context) { () throws(AEError) in
    let model = try LibAEDecode.model(model)
    let source = try Input(images, count: count, of: model.inputCount, "images")
    try Span(writes: result).apart(from: source.span, "images and the pointer that takes the model")
    let options = try losslessOptions(options)
    guard model.codec != nil else {
      throw AEError(.kind, "the model \"\(model.name)\" has no codec: ae_model_quantize adds one")
    }
    guard model.architecture.channels == 1 else {
      throw AEError(
        .shape,
        "scans are of grey images, and the model \"\(model.name)\" takes \(model.architecture.image.text)")
    }
    let fit = try fitScanModel(
      source.base, count: count, width: model.architecture.width, height: model.architecture.height,
      options: options
    ) { state in
      guard let progress else { return true }
      switch state {
      case .searched(let done, let total):
        return callHost { progress(progress_context, UInt64(clamping: done), UInt64(clamping: total)) == 0 }
      case .trained(let done, let total, _):
        return callHost { progress(progress_context, UInt64(clamping: done), UInt64(clamping: total)) == 0 }
      }
    }
    return try makeHandle(.model, try model.with(scanModel: fit.model))
  }
}

@implementation @_cdecl("ae_predictor_fit")
public func ae_predictor_fit(
  _ context: OpaquePointer!, _ images: UnsafePointer<UInt8>!, _ count: Int, _ width: Int32, _ height: Int32,
  _ channels: Int32, _ options: OpaquePointer!, _ start: OpaquePointer!, _ progress: ae_count_callback!,
  _ progress_context: UnsafeMutableRawPointer!, _ report: UnsafeMutablePointer<ae_predictor_report>!,
  _ result: UnsafeMutablePointer<OpaquePointer?>!
) -> ae_status {
  storeHandle(result, .model, in: context) { () throws(AEError) in
    let shape = ImageShape(width: Int(width), height: Int(height), channels: Int(channels))
    try shape.validate()
    let source = try Input(images, count: count, of: shape.byteCount, "images")
    try Span(writes: result).apart(from: source.span, "images and the pointer that takes the model")
    if let report {
      try checkStruct(report)
      try Span(writes: report).apart(from: source.span, "images and the report")
    }
    let options = try predictorOptions(options)
    var predictor: Predictor?
    if start != nil {
      let model = try LibAEDecode.model(start)
      guard let held = model.predictor else {
        throw AEError(.kind, "the model \"\(model.name)\" has no predictor to start from")
      }
      predictor = held
    }
    predictor = try options.start(given: predictor, try contextBox(context).models())
    let fit = try fitPredictor(
      [
        PredictorTrainingSet(
          Buffer(borrowing: source.base, count: count * shape.byteCount), count: count, shape: shape)
      ], options: options, from: predictor
    ) { state in
      guard let progress else { return true }
      return callHost {
        progress(progress_context, UInt64(clamping: state.step), UInt64(clamping: state.stepCount)) == 0
      }
    }
    if let report {
      var figures = ae_predictor_report()
      figures.contexts_bits = fit.contextsBits
      figures.float_bits = fit.floatBits
      figures.integer_bits = fit.integerBits
      figures.coded_bits = fit.codedBits
      figures.held_out_count = UInt64(fit.heldOutCount)
      try writeStruct(report, figures)
    }
    return try makeHandle(
      .model,
      try Autoencoder(
        predictor: fit.predictor, name: options.name,
        provenance: options.provenance(on: "\(count) images of \(shape.text)", isStarted: predictor != nil)))
  }
}

// MARK: Qualities

@implementation @_cdecl("ae_quality_count")
public func ae_quality_count(_ context: OpaquePointer!, _ model: OpaquePointer!) -> Int32 {
  guard model != nil else { return Int32(ShippedModel.scaleCount) }
  return Int32(truncatingIfNeeded: liveObject(model, .model, Autoencoder.self)?.codec?.rates.count ?? 0)
}

@implementation @_cdecl("ae_quality_info")
public func ae_quality_info(
  _ context: OpaquePointer!, _ model: OpaquePointer!, _ quality: Int32,
  _ information: UnsafeMutablePointer<ae_quality_information>!
) -> ae_status {
  boundary(context) { () throws(AEError) in
    guard let information else { throw AEError(.argument, "information is NULL") }
    let source: Autoencoder
    let place: Int
    let isDefault: Bool
    if model == nil {
      guard quality >= 1 else {
        throw AEError(.argument, "quality must be in 1 ... \(ShippedModel.scaleCount), not \(quality)")
      }
      let choice = try ShippedModel.onScale(Int(quality))
      source = try contextBox(context).models().shipped(choice.model)
      place = choice.quality
      isDefault = Int(quality) == ShippedModel.defaultScaleQuality
    } else {
      source = try LibAEDecode.model(model)
      place = Int(quality)
      isDefault = source.codec?.defaultQuality == place
    }
    guard let codec = source.codec else {
      throw AEError(.kind, "the model \"\(source.name)\" has no codec: it has no qualities")
    }
    guard (1...codec.rates.count).contains(place) else {
      throw AEError(.argument, "quality must be in 1 ... \(codec.rates.count), not \(quality)")
    }
    var result = ae_quality_information()
    if !codec.figures.isEmpty {
      let figure = codec.figures[place - 1]
      result.bytes_per_image = Double(figure.bytesPerImage)
      result.psnr = Evaluation.psnr(mse: max(Double(figure.meanSquaredError), 1e-12))
    }
    storeText(source.name, in: &result.model_name)
    result.is_default = isDefault ? 1 : 0
    try writeStruct(information, result)
  }
}

// Lists of nodes as text: what options, descriptions of models and reports have. A node is `operation(arguments)`, nodes
// are separated by semicolons, and there are no blanks:
//
//   convolution(channels=32,kernel=3,stride=2,padding=1,activation=relu);mean_pool(whole=true);dense(outputs=16)
//
// An argument without a key is a source, `input` or a node's number, the first one being 0; where there is none, it is the
// node before. `height` and `width` of a convolution or pool stand where its result is not as large as usual.

import Compute
import Core

/// Bytes of a list's text, at most.
public let maximumNodeTextCount = 60_000

extension NodeList {
  /// The list that a text gives, checked.
  /// - Throws: `.argument`, naming the node, for what is no list or cannot be run.
  public init(text: String, input: FeatureShape) throws(AEError) {
    let bytes = UTF8Text.bytes(text)
    guard bytes.count <= maximumNodeTextCount else {
      throw AEError(
        .argument, "a list of nodes of \(bytes.count) bytes; at most \(maximumNodeTextCount) may be")
    }
    var list = NodeList(unchecked: [], input: input)
    for piece in bytes.split(separator: 59, omittingEmptySubsequences: false) {
      guard list.nodes.count < NodeList.maximumNodeCount else {
        throw AEError(.argument, "a network has 1 to \(NodeList.maximumNodeCount) nodes, and more came")
      }
      try checkMemory()
      let node = try NodeText([UInt8](piece), index: list.nodes.count).node(in: list)
      list = NodeList(unchecked: list.nodes + [node], input: input)
      // At once, so that no later shape is computed from one that cannot be.
      try list.validate(list.nodes.count - 1)
    }
    try list.validate()
    self = list
  }

  /// The text that gives this list.
  public var text: String {
    var result = ""
    for index in 0..<nodes.count {
      if index > 0 { result += ";" }
      result += nodeText(index)
    }
    return result
  }

  private func nodeText(_ index: Int) -> String {
    let node = nodes[index]
    var arguments: [String] = []
    func name(_ source: Int) -> String { source < 0 ? "input" : sentence("\(source)") }
    if node.source != index - 1 || node.operation.hasTwoSources { arguments.append(name(node.source)) }
    if node.operation.hasTwoSources { arguments.append(name(node.secondSource)) }
    func add(_ key: StaticString, _ value: Int) { arguments.append(sentence("\(key)=\(value)")) }
    let (source, result) = (shape(node.source), node.shape)
    switch node.operation {
    case .dense where result.height == 1 && result.width == 1: add("outputs", result.channels)
    case .dense, .reshape, .channelsLast:
      add("height", result.height)
      add("width", result.width)
      add("channels", result.channels)
    case .convolution, .transposedConvolution, .meanPool, .maxPool:
      guard node.kernel > 0 else {
        arguments.append("whole=true")
        break
      }
      if node.operation.isConvolution { add("channels", result.channels) }
      add("kernel", node.kernel)
      if node.stride != 1 || node.operation.isPool { add("stride", node.stride) }
      if node.padding != 0 { add("padding", node.padding) }
      let usual = node.usualShape(source, shape(node.secondSource), channels: result.channels)
      if usual != result {
        add("height", result.height)
        add("width", result.width)
      }
    case .upsample: add("factor", node.stride)
    case .activation, .add, .concatenate, .channelsFirst: break
    }
    if node.activation != .identity {
      let activation = node.activation
      arguments.append(
        activation.thousandths == 0
          ? sentence("activation=\(activation.name)")
          : sentence("activation=\(activation.name):\(thousandthsText(activation.thousandths))"))
    }
    return sentence("\(node.operation.name)(\(arguments.joined(separator: ",")))")
  }

  /// As in 0.2 or 0.015.
  private func thousandthsText(_ value: UInt16) -> String {
    var digits: [UInt8] = []
    for unit: UInt16 in [100, 10, 1] { digits.append(48 + UInt8(value / unit % 10)) }
    while digits.count > 1, digits[digits.count - 1] == 48 { digits.removeLast() }
    return sentence("0.\(UTF8Text.string(digits))")
  }
}

/// One node's text, taken apart.
private struct NodeText {
  let index: Int
  let name: String
  /// Keys and values; a source has no key.
  var arguments: [(key: [UInt8], value: [UInt8])] = []
  let operation: Operation

  init(_ text: [UInt8], index: Int) throws(AEError) {
    self.index = index
    guard let open = text.firstIndex(of: 40), text.last == 41 else {
      throw AEError(
        .argument, "node \(index): operation(arguments) is expected, not \"\(UTF8Text.string(text))\"")
    }
    name = UTF8Text.string([UInt8](text[..<open]))
    var found: Operation?
    for operation in Operation.allCases where sentence("\(operation.name)") == name { found = operation }
    guard let found else {
      var names = ""
      for operation in Operation.allCases {
        names = names.isEmpty ? sentence("\(operation.name)") : sentence("\(names), \(operation.name)")
      }
      throw AEError(.argument, "node \(index): there is no operation \"\(name)\"; there are \(names)")
    }
    operation = found
    let inner = text[(open + 1)..<(text.count - 1)]
    guard !inner.isEmpty else { return }
    for piece in inner.split(separator: 44, omittingEmptySubsequences: false) {
      if let equals = piece.firstIndex(of: 61) {
        arguments.append(([UInt8](piece[..<equals]), [UInt8](piece[(equals + 1)...])))
      } else {
        arguments.append(([], [UInt8](piece)))
      }
    }
  }

  private func fault(_ message: Message) -> AEError {
    let text = sentence(message)
    return AEError(.argument, "node \(index), \(name): \(text)")
  }

  /// A whole number of at most nine digits.
  private func number(_ text: [UInt8], _ key: String) throws(AEError) -> Int {
    guard (1...9).contains(text.count), text.allSatisfy({ (48...57).contains($0) }) else {
      throw fault("\(key) must be a whole number, not \"\(UTF8Text.string(text))\"")
    }
    var value = 0
    for digit in text { value = value * 10 + Int(digit - 48) }
    return value
  }

  private func activation(_ text: [UInt8]) throws(AEError) -> Activation {
    let parts = text.split(separator: 58, omittingEmptySubsequences: false)
    var thousandths: UInt16 = 0
    let name = UTF8Text.string([UInt8](parts[0]))
    if parts.count == 2 {
      // 0.ddd
      let slope = [UInt8](parts[1])
      guard (3...5).contains(slope.count), slope[0] == 48, slope[1] == 46,
        slope[2...].allSatisfy({ (48...57).contains($0) })
      else {
        throw fault("a slope is 0.001 to 0.999, not \"\(UTF8Text.string(slope))\"")
      }
      var unit: UInt16 = 100
      for digit in slope[2...] {
        thousandths += unit * UInt16(digit - 48)
        unit /= 10
      }
    } else if name == "leaky_relu" {
      thousandths = 10
    }
    guard parts.count <= 2, parts.count == 1 || name == "leaky_relu" else {
      throw fault("there is no activation \"\(UTF8Text.string(text))\"")
    }
    for code in UInt8(0)..<9 {
      if let activation = Activation(rawValue: code, thousandths: code == 4 ? thousandths : 0),
        sentence("\(activation.name)") == name
      {
        return activation
      }
    }
    throw fault(
      "there is no activation \"\(UTF8Text.string(text))\"; there are identity, sigmoid, relu, elu, leaky_relu:SLOPE, silu, gelu, gelu_tanh, tanh"
    )
  }

  /// The node, where `list` has those before it. Sources are checked before their shapes are asked for.
  func node(in list: NodeList) throws(AEError) -> Node {
    var node = Node(operation, from: index - 1, shape: FeatureShape(vector: 0))
    var sources: [Int] = []
    var seen: [String] = []
    var (height, width, channels) = (0, 0, 0)
    var isWhole = false
    node.stride = operation.isConvolution ? 1 : 0
    for (key, value) in arguments {
      let word = UTF8Text.string(key)
      if key.isEmpty {
        let source =
          UTF8Text.string(value) == "input"
          ? -1 : try number(value, "a source, \"input\" or a node's number,")
        guard source < index else {
          throw fault("it reads node \(source), which does not come before it")
        }
        sources.append(source)
        continue
      }
      guard !seen.contains(word) else { throw fault("\(word) comes twice") }
      seen.append(word)
      var isKnown = true
      let isWindowed = operation.isConvolution || operation.isPool
      switch word {
      case "outputs" where operation == .dense: channels = try number(value, word)
      case "height"
      where isWindowed || operation == .dense || operation == .reshape || operation == .channelsLast:
        height = try number(value, word)
      case "width"
      where isWindowed || operation == .dense || operation == .reshape || operation == .channelsLast:
        width = try number(value, word)
      case "channels"
      where operation.isConvolution || operation == .dense || operation == .reshape
        || operation == .channelsLast:
        channels = try number(value, word)
      case "kernel" where isWindowed: node.kernel = try number(value, word)
      case "stride" where isWindowed: node.stride = try number(value, word)
      case "padding" where isWindowed: node.padding = try number(value, word)
      case "factor" where operation == .upsample: node.stride = try number(value, word)
      case "whole" where operation == .meanPool:
        guard UTF8Text.string(value) == "true" else { throw fault("whole can only be true") }
        isWhole = true
      case "activation" where operation.hasActivation: node.activation = try activation(value)
      default: isKnown = false
      }
      guard isKnown else { throw fault("it has no \"\(word)\"") }
    }
    let wanted = operation.hasTwoSources ? 2 : 1
    guard sources.isEmpty && wanted == 1 || sources.count == wanted else {
      throw fault("\(wanted) sources are expected, \(sources.count) came")
    }
    if !sources.isEmpty { node.source = sources[0] }
    if wanted == 2 { node.secondSource = sources[1] }
    if operation.isPool && !isWhole && node.stride == 0 { node.stride = node.kernel }
    guard !isWhole || (node.kernel == 0 && node.stride == 0 && node.padding == 0 && height == 0 && width == 0)
    else { throw fault("a mean over the whole map has no kernel, stride, padding, height or width") }
    if operation.isConvolution || operation.isPool, !isWhole {
      guard (operation.isPool ? NodeList.poolKernels : NodeList.kernels).contains(node.kernel),
        NodeList.strides.contains(node.stride), node.padding < node.kernel
      else {
        throw fault(
          "kernel \(node.kernel), stride \(node.stride), padding \(node.padding): a kernel is 1 ... \(operation.isPool ? 16 : 7), a stride 1 ... 16, the padding less than the kernel"
        )
      }
    }
    guard operation != .upsample || NodeList.strides.contains(node.stride) else {
      throw fault("factor must be in 2 ... 16, not \(node.stride)")
    }
    if operation == .dense, height == 0, width == 0 { (height, width) = (1, 1) }
    node.shape = FeatureShape(height: height, width: width, channels: channels)
    var usual = node.usualShape(
      list.shape(node.source), list.shape(node.secondSource), channels: channels)
    if operation.isConvolution || (operation.isPool && !isWhole) {
      if height > 0 { usual.height = height }
      if width > 0 { usual.width = width }
    }
    node.shape = usual
    return node
  }
}

// A network as a list of nodes, encoder or decoder: what inference, training, the integers, files and imports all have in
// common. Its limits stand here and are checked before memory is taken.

import CKernels
import Compute
import Core

/// A network as a list of nodes, each an operation on earlier ones. The last one's numbers are the network's output.
public struct NodeList: Equatable, Sendable {
  public let input: FeatureShape
  public let nodes: [Node]

  /// - Throws: `.argument`, naming the node, unless every node reads what is there, in shapes that it can, within the
  ///   limits.
  public init(input: FeatureShape, nodes: [Node]) throws(AEError) {
    self.init(unchecked: nodes, input: input)
    try validate()
  }

  /// The same without a check: for lists that presets build.
  init(unchecked nodes: [Node], input: FeatureShape) {
    self.input = input
    self.nodes = nodes
  }

  public static let maximumNodeCount = Int(CK_MOST_NODES)
  /// Numbers that a node may give for one image.
  public static let maximumOutputCount = 1 << 23
  /// Numbers that all nodes together may give for one image.
  public static let maximumTotalCount = 1 << 26
  /// Weights and biases of a list.
  public static let maximumParameterCount = 1 << 28
  /// Products of a weight and a number for one image.
  public static let maximumProductCount = 1 << 35
  public static let maximumDenseInputs = 65536
  /// Rows, and columns, of a node's result: files have two bytes for them.
  public static let maximumSide = 65535
  public static let kernels = 1...7
  public static let poolKernels = 1...16
  public static let strides = 1...16

  public var inputCount: Int { input.count }
  public var outputCount: Int { nodes.isEmpty ? 0 : nodes[nodes.count - 1].shape.count }

  /// What node `index` reads: -1 is the input.
  func shape(_ index: Int) -> FeatureShape { index < 0 ? input : nodes[index].shape }

  /// Every node as the kernels run it.
  @inline(never)
  public var shapes: [LayerShape] {
    var result: [LayerShape] = []
    result.reserveCapacity(nodes.count)
    for (index, node) in nodes.enumerated() { result.append(layerShape(node, at: index)) }
    return result
  }

  /// Weights and biases.
  public var parameterCount: Int {
    var sum = 0
    for index in 0..<nodes.count { sum += parameters(index) ?? 0 }
    return sum
  }

  // MARK: Checks

  private func parameters(_ index: Int) -> Int? {
    let node = nodes[index]
    let source = shape(node.source)
    switch node.operation {
    case .dense: return source.count.times(node.shape.count)?.plus(node.shape.count)
    case .convolution, .transposedConvolution:
      return (node.kernel * node.kernel).times(source.channels)?.times(node.shape.channels)?.plus(
        node.shape.channels)
    default: return 0
    }
  }

  @inline(never)
  private func fault(_ index: Int, _ message: Message) -> AEError {
    // Before the other one begins: messages under way are a stack.
    let text = sentence(message)
    return AEError(.argument, "node \(index), \(nodes[index].operation.name): \(text)")
  }

  /// Throws what is wrong with the first node that cannot be.
  public func validate() throws(AEError) {
    guard (1...NodeList.maximumNodeCount).contains(nodes.count) else {
      throw AEError(
        .argument, "a network has 1 to \(NodeList.maximumNodeCount) nodes, not \(nodes.count)")
    }
    var total = 0
    var parameterTotal = 0
    var productTotal = 0
    for index in 0..<nodes.count {
      try validate(index)
      let node = nodes[index]
      total += node.shape.count
      guard total <= NodeList.maximumTotalCount else {
        throw fault(
          index,
          "all nodes so far give \(total) numbers an image; at most \(NodeList.maximumTotalCount) may be")
      }
      let count = parameters(index) ?? .max
      guard let sum = parameterTotal.plus(count), sum <= NodeList.maximumParameterCount else {
        throw fault(
          index, "it has \(count) weights; at most \(NodeList.maximumParameterCount) may be in a network")
      }
      parameterTotal = sum
      let pixels =
        node.operation == .dense
        ? 1
        : node.operation == .convolution
          ? node.shape.height * node.shape.width : shape(node.source).height * shape(node.source).width
      productTotal = productTotal.plus(count.times(pixels) ?? .max) ?? .max
      guard !node.operation.hasWeights || productTotal <= NodeList.maximumProductCount else {
        throw fault(
          index,
          "an image takes more than \(NodeList.maximumProductCount) products, which are as many as may be")
      }
    }
  }

  /// Throws `.argument` if a node is read by none and not the last: integer networks know the last layer by that.
  func validateReaders() throws(AEError) {
    var isRead = [Bool](repeating: false, count: nodes.count)
    for node in nodes {
      if node.source >= 0 { isRead[node.source] = true }
      if node.secondSource >= 0 { isRead[node.secondSource] = true }
    }
    for index in 0..<nodes.count - 1 where !isRead[index] {
      throw fault(index, "no node reads it, and only the last node's numbers are the network's")
    }
  }

  /// Throws what is wrong with a node by itself; those before it are right.
  func validate(_ index: Int) throws(AEError) {
    try validateSources(index)
    try validateShape(index)
  }

  private func validateSources(_ index: Int) throws(AEError) {
    let node = nodes[index]
    func check(_ source: Int) throws(AEError) {
      guard (-1..<index).contains(source) else {
        throw fault(index, "it reads node \(source), which does not come before it")
      }
    }
    try check(node.source)
    if node.operation.hasTwoSources {
      try check(node.secondSource)
    } else if node.secondSource != -1 {
      throw fault(index, "it has two sources; only add and concatenate have")
    }
    guard node.operation.hasActivation || node.activation == .identity else {
      throw fault(index, "it has an activation; put a node \"activation\" behind it")
    }
  }

  private func validateShape(_ index: Int) throws(AEError) {
    let node = nodes[index]
    let (source, result) = (shape(node.source), node.shape)
    func within(_ name: StaticString, _ value: Int, _ range: ClosedRange<Int>) throws(AEError) {
      guard range.contains(value) else {
        throw fault(
          index, "\(name) must be in \(range.lowerBound) ... \(range.upperBound), not \(value)")
      }
    }
    func none(_ name: StaticString, _ value: Int) throws(AEError) {
      guard value == 0 else { throw fault(index, "it has no \(name), but \(value) came") }
    }
    let largest = NodeList.maximumOutputCount
    guard result.height >= 1, result.width >= 1, result.channels >= 1, result.count <= largest else {
      throw fault(
        index, "it would give \(result.text) numbers; 1 to \(largest) may be, and no side is less than 1")
    }
    guard max(result.height, result.width) <= NodeList.maximumSide else {
      throw fault(
        index, "it would give \(result.text) numbers; no side may be longer than \(NodeList.maximumSide)")
    }
    let isWindowed = node.operation.isConvolution || node.operation.isPool
    let isWhole = node.operation == .meanPool && node.kernel == 0
    if isWindowed && !isWhole {
      try within(
        "kernel", node.kernel, node.operation.isPool ? NodeList.poolKernels : NodeList.kernels)
      try within("stride", node.stride, NodeList.strides)
      try within("padding", node.padding, 0...(node.operation == .meanPool ? 0 : node.kernel - 1))
    } else {
      try none("kernel", node.kernel)
      if node.operation == .upsample {
        try within("factor", node.stride, 2...NodeList.strides.upperBound)
      } else {
        try none("stride", node.stride)
      }
      try none("padding", node.padding)
    }
    switch node.operation {
    case .dense:
      guard source.count <= NodeList.maximumDenseInputs else {
        throw fault(
          index,
          "it would read \(source.count) numbers; at most \(NodeList.maximumDenseInputs) may be: convolutions or pools make fewer"
        )
      }
    case .reshape, .channelsLast:
      guard result.count == source.count else {
        throw fault(index, "\(source.text) numbers cannot become \(result.text)")
      }
    case .add:
      guard shape(node.secondSource) == source else {
        throw fault(index, "its sources are \(source.text) and \(shape(node.secondSource).text)")
      }
    case .concatenate:
      let second = shape(node.secondSource)
      guard second.height == source.height, second.width == source.width else {
        throw fault(
          index, "its sources are \(source.text) and \(second.text): height and width must be the same")
      }
    case .convolution, .meanPool, .maxPool, .transposedConvolution:
      guard !isWhole else { break }
      let isUp = node.operation == .transposedConvolution
      func axis(_ name: StaticString, _ from: Int, _ to: Int) throws(AEError) {
        // The last window begins inside of the larger map, and the larger one ends where windows may.
        let (fine, coarse) = isUp ? (to, from) : (from, to)
        let last = (coarse - 1) * node.stride - node.padding
        guard last < fine, !isUp || fine <= last + node.padding + node.kernel,
          node.operation != .meanPool || last + node.kernel <= fine
        else {
          throw fault(
            index,
            "\(name) \(from) cannot become \(to) with kernel \(node.kernel), stride \(node.stride), padding \(node.padding)"
          )
        }
      }
      try axis("height", source.height, result.height)
      try axis("width", source.width, result.width)
      guard node.operation.isConvolution || result.channels == source.channels else {
        throw fault(index, "\(source.channels) channels cannot become \(result.channels)")
      }
      return
    case .activation, .upsample, .channelsFirst: break
    }
    let usual = node.usualShape(source, shape(node.secondSource), channels: result.channels)
    guard result == usual else {
      throw fault(index, "it gives \(usual.text) numbers of \(source.text), not \(result.text)")
    }
  }

  // MARK: Lowering

  private func layerShape(_ node: Node, at index: Int) -> LayerShape {
    let source = shape(node.source)
    let second = shape(node.secondSource)
    let result = node.shape
    var place = ck_node()
    place.back = (Int32(index - 1 - node.source), 0)
    if node.operation.hasTwoSources { place.back.1 = Int32(index - 1 - node.secondSource) }
    if !node.operation.hasWeights {
      place.channels = (Int32(clamping: source.channels), Int32(clamping: second.channels))
      place.pixels = Int32(clamping: source.height * source.width)
    }
    var geometry = ck_convolution()
    func between(fine: FeatureShape, coarse: FeatureShape, up: Bool) {
      (geometry.fine_width, geometry.fine_height) = (
        Int32(clamping: fine.width), Int32(clamping: fine.height)
      )
      geometry.fine_channels = Int32(clamping: fine.channels)
      (geometry.coarse_width, geometry.coarse_height) = (
        Int32(clamping: coarse.width), Int32(clamping: coarse.height)
      )
      geometry.coarse_channels = Int32(clamping: coarse.channels)
      geometry.kernel = Int32(clamping: node.kernel)
      geometry.stride = Int32(clamping: node.stride)
      geometry.padding = Int32(clamping: node.padding)
      geometry.transposed = up ? 1 : 0
    }
    switch node.operation {
    case .dense:
      place.operation = Int32(CK_LAYER)
      return LayerShape(
        inputs: source.count, outputs: result.count, activation: node.activation, place: place)
    case .convolution, .transposedConvolution:
      let isUp = node.operation == .transposedConvolution
      between(fine: isUp ? result : source, coarse: isUp ? source : result, up: isUp)
      place.operation = Int32(CK_LAYER)
      return LayerShape(geometry, activation: node.activation, place: place)
    case .activation: place.operation = Int32(CK_ACTIVATE)
    case .add: place.operation = Int32(CK_ADD)
    case .concatenate: place.operation = Int32(CK_CONCATENATE)
    case .meanPool, .maxPool:
      place.operation = Int32(node.operation == .meanPool ? CK_MEAN_POOL : CK_MAX_POOL)
      between(fine: source, coarse: result, up: false)
      if node.kernel == 0 { (geometry.kernel, geometry.stride) = (-1, 1) }
    case .upsample:
      place.operation = Int32(CK_UPSAMPLE)
      between(fine: result, coarse: source, up: true)
      geometry.kernel = geometry.stride
    case .reshape: place.operation = Int32(CK_RESHAPE)
    case .channelsFirst: place.operation = Int32(CK_CHANNELS_FIRST)
    case .channelsLast:
      place.operation = Int32(CK_CHANNELS_LAST)
      place.pixels = Int32(clamping: result.height * result.width)
      place.channels.0 = Int32(clamping: result.channels)
    }
    return LayerShape(
      weightless: place, geometry, inputs: source.count, outputs: result.count, activation: node.activation)
  }
}

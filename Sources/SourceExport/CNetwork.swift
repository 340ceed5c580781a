// One integer network as C: which functions it calls, where what lies between two of them is, its constant arrays, and the
// calls in order.

import CKernels
import Core
import Network

/// A decoder or an encoder on its way to C.
///
/// What only says otherwise where numbers lie costs nothing where that is possible: a reshape is no step, moves of the code are
/// made once for each layer that reads them, those behind an encoder's last layer are an order of its outputs.
final class CNetwork {
  let isEncoder: Bool
  let list: NodeList
  let layers: [IntegerLayer]
  /// The layer whose numbers are the network's, perhaps moved.
  let end: Int
  /// Nodes that are a call, in order; of an encoder those before its last layer.
  private(set) var steps: [Int] = []
  /// The first byte of what a step gives, in the scratch memory.
  private var offsets: [Int]
  private(set) var scratchByteCount = 0
  private(set) var functions: CFunctions = []
  /// Of an encoder, which output of the last layer each of the `outputCount` numbers is; empty if they lie in order.
  private(set) var outputOrder: [Int] = []
  let outputCount: Int
  private let readsWords: [Bool]
  /// Rows of an encoder's last layer that are needed, of a dense one whose outputs lie in order.
  private var endRows: Int?

  /// - Parameters:
  ///   - list: the network's nodes, whose operations comments name.
  ///   - outputCount: numbers that are asked for, the first ones; of a decoder all.
  /// - Throws: `.format` or `.memory` as the network's layers do.
  init(_ network: IntegerNetwork, _ list: NodeList, isEncoder: Bool, outputCount: Int) throws(AEError) {
    self.isEncoder = isEncoder
    self.list = list
    self.outputCount = outputCount
    layers = try network.layers()
    let form = try IntegerForm(list.shapes, startsInWords: !isEncoder)
    readsWords = form.readsWords
    end = form.end
    offsets = [Int](repeating: 0, count: layers.count)
    for index in 0..<(isEncoder ? end : layers.count) {
      try checkMemory()
      guard !isReshape(index), !isMovedCode(index) else { continue }
      steps.append(index)
      functions.formUnion(functions(of: index))
    }
    if isEncoder {
      functions.formUnion(
        functions(of: end).intersection([.maps, .denseSum, .convolutionSum, .transposedSum]))
      let order = order(of: layers.count - 1, since: end)
      let isInOrder = CNetwork.isInOrder(order)
      if !isInOrder { outputOrder = order }
      if isInOrder, !layers[end].shape.isConvolution { endRows = outputCount }
    }
    try plan()
  }

  /// The last step, which writes what the caller gets; nil for an encoder.
  private var lastStep: Int? { isEncoder ? nil : steps.last }
  private var half: StaticString { isEncoder ? "encoder" : "decoder" }

  // MARK: Sources

  private func isReshape(_ node: Int) -> Bool { layers[node].shape.place.operation == Int32(CK_RESHAPE) }

  /// Whether a node gives the code itself, moved.
  private func isMovedCode(_ node: Int) -> Bool { layers[node].shape.isMove && readsWords[node] }

  /// The node whose numbers lie as this one's do; -1 is the input.
  private func origin(_ node: Int) -> Int {
    var node = node
    while node >= 0, isReshape(node) { node = layers[node].shape.source(of: node) }
    return node
  }

  private func source(_ node: Int) -> Int { origin(layers[node].shape.source(of: node)) }
  private func secondSource(_ node: Int) -> Int { origin(layers[node].shape.secondSource(of: node)) }

  /// Which number of node `first` each number of a node behind it is, if there are only moves between the two.
  private func order(of node: Int, since first: Int) -> [Int] {
    var result: [Int] = []
    guard node > first else {
      for index in 0..<(first < 0 ? list.inputCount : layers[first].shape.outputs) { result.append(index) }
      return result
    }
    let shape = layers[node].shape
    let before = order(of: shape.source(of: node), since: first)
    guard !isReshape(node) else { return before }
    let (rows, columns) = transposed(node)
    for column in 0..<columns {
      for row in 0..<rows { result.append(before[row * columns + column]) }
    }
    return result
  }

  private static func isInOrder(_ order: [Int]) -> Bool {
    for index in 0..<order.count where order[index] != index { return false }
    return true
  }

  /// A move's source as a matrix that the move transposes.
  private func transposed(_ node: Int) -> (rows: Int, columns: Int) {
    let place = layers[node].shape.place
    let (pixels, channels) = (Int(place.pixels), Int(place.channels.0))
    return place.operation == Int32(CK_CHANNELS_FIRST) ? (pixels, channels) : (channels, pixels)
  }

  /// The order in which a layer reads the code; empty if it is the code's own.
  private func codeOrder(of node: Int) -> [Int] {
    guard layers[node].shape.hasWeights, readsWords[node] else { return [] }
    let source = source(node)
    guard source >= 0 else { return [] }
    let order = order(of: source, since: -1)
    return CNetwork.isInOrder(order) ? [] : order
  }

  /// Bytes on the stack for the code in other orders.
  var stackByteCount: Int {
    var sum = 0
    for step in steps { sum += 2 * codeOrder(of: step).count }
    return sum
  }

  // MARK: The plan

  private func functions(of node: Int) -> CFunctions {
    let shape = layers[node].shape
    switch shape.place.operation {
    case Int32(CK_LAYER):
      var found: CFunctions =
        !shape.isConvolution
        ? [.denseSum, .dense]
        : shape.isTransposed ? [.transposedSum, .transposed] : [.convolutionSum, .convolution]
      if readsWords[node] { found = found.ofWords }
      return shape.isConvolution ? found.union(.maps) : found
    case Int32(CK_ADD): return .add
    case Int32(CK_ACTIVATE): return .activate
    case Int32(CK_CONCATENATE): return .concatenate
    case Int32(CK_MEAN_POOL): return [.maps, .meanPool]
    case Int32(CK_MAX_POOL): return [.maps, .maxPool]
    case Int32(CK_UPSAMPLE): return [.maps, .upsample]
    default: return .transpose
    }
  }

  /// Places what the steps give, but for the last one's, by the kernels' own plan.
  private func plan() throws(AEError) {
    let count = steps.count - (isEncoder ? 0 : 1)
    guard count > 0 else { return }
    let nodes = try Buffer<ck_node>(count: count)
    let sizes = try Buffer<Int>(count: count)
    let places = try Buffer<Int>(count: count)
    for index in 0..<count {
      let shape = layers[steps[index]].shape
      func back(_ source: Int) -> Int32 {
        var step = index - 1
        while step >= 0, steps[step] != source { step -= 1 }
        return Int32(truncatingIfNeeded: index - 1 - step)
      }
      nodes.base[index] = shape.place
      nodes.base[index].back = (back(source(steps[index])), 0)
      if shape.hasTwoSources { nodes.base[index].back.1 = back(secondSource(steps[index])) }
      sizes.base[index] = shape.outputs
    }
    scratchByteCount = ck_plan(
      count, { UnsafePointer($0.unsafelyUnwrapped.assumingMemoryBound(to: ck_node.self) + $1) }, nodes.base,
      sizes.base, places.base)
    for index in 0..<count { offsets[steps[index]] = places.base[index] }
  }

  // MARK: Constants

  /// The entries of a table that are not the same as all before them, or all after them.
  private func span(of table: Buffer<UInt8>) -> (first: Int, last: Int) {
    var (first, last) = (0, table.count - 1)
    while first < last, table.base[first + 1] == table.base[first] { first += 1 }
    while last > first, table.base[last - 1] == table.base[last] { last -= 1 }
    return (first, last)
  }

  /// Layers and other nodes with constants, in order.
  private var constantNodes: [Int] { isEncoder ? steps + [end] : steps }

  private func rows(of node: Int) -> Int {
    node == end ? endRows ?? layers[node].shape.rows : layers[node].shape.rows
  }

  /// Bytes of the arrays and structs, on a processor of 32 bits.
  var constantByteCount: Int {
    var sum = outputOrder.isEmpty ? 0 : 2 * outputCount
    for node in constantNodes {
      let layer = layers[node]
      let functions = functions(of: node)
      if layer.shape.hasWeights {
        let channels = layer.shape.isConvolution ? layer.shape.channels : rows(of: node)
        sum += rows(of: node) * layer.shape.columns + 8 * channels + 24
      }
      if functions.contains(.add) { sum += 20 }
      if functions.contains(.maps) { sum += 40 }
      if let table = layer.table {
        let span = span(of: table)
        sum += table.count == IntegerLayer.tableCount ? span.last - span.first + 1 : table.count
      }
      sum += 2 * codeOrder(of: node).count
    }
    return sum
  }

  func writeConstants(to text: CText) throws(AEError) {
    text.word = half
    for node in constantNodes { try writeConstants(of: node, to: text) }
    guard !outputOrder.isEmpty else { return }
    try text.put("\nstatic const uint16_t @_encoder_order[$] = {\n", outputCount)
    try text.put(count: outputCount) { outputOrder[$0] }
  }

  private func writeConstants(of node: Int, to text: CText) throws(AEError) {
    let layer = layers[node]
    let shape = layer.shape
    let functions = functions(of: node)
    guard shape.hasWeights || layer.table != nil || functions.contains(.maps) else { return }
    let result = list.nodes[node].shape
    try text.put("\n/* ` node $: ", node)
    try text.put(list.nodes[node].operation.name)
    try text.put(", gives $ x $ x $ */\n", result.height, result.width, result.channels)
    let rows = rows(of: node)
    let channels = shape.isConvolution ? shape.channels : rows
    if shape.hasWeights {
      try text.put("static const int8_t @_`_$_weights[$] = {\n", node, rows * shape.columns)
      try text.put(count: rows * shape.columns) { Int(layer.weights.base[$0]) }
      try text.put("static const int32_t @_`_$_bias[$] = {\n", node, channels)
      try text.put(count: channels) { Int(layer.bias.base[$0]) }
      try text.put("static const int32_t @_`_$_multiplier[$] = {\n", node, channels)
      try text.put(count: channels) { Int(layer.multipliers.base[$0]) }
    }
    var span = (first: 0, last: 0)
    if let table = layer.table {
      span = table.count == IntegerLayer.tableCount ? self.span(of: table) : (0, table.count - 1)
      try text.put("static const uint8_t @_`_$_table[$] = {\n", node, span.last - span.first + 1)
      try text.put(count: span.last - span.first + 1) { Int(table.base[span.first + $0]) }
    }
    if shape.hasWeights {
      try text.put("static const @_layer @_`_$ = {", node)
      try text.put("@_`_$_weights, @_`_$_bias, @_`_$_multiplier, {", node, node, node)
    } else if functions.contains(.add) {
      try text.put("static const @_addition @_`_$ = {", node)
      try text.put("{$, $}, {", Int(layer.multipliers.base[0]), Int(layer.multipliers.base[1]))
    }
    if shape.hasWeights || functions.contains(.add) {
      if layer.table == nil {
        try text.put("0, 0, 0")
      } else {
        try text.put("@_`_$_table, $, $", node, span.first - 2048, span.last - 2048)
      }
      try text.put("}, $, ", layer.shift)
      if functions.contains(.add) {
        try text.put("{$, $}};\n", Int(layer.zero), Int(layer.secondZero))
      } else {
        try text.put("$};\n", Int(layer.zero))
      }
    }
    if functions.contains(.maps) { try writeMap(of: node, to: text) }
    let order = codeOrder(of: node)
    guard !order.isEmpty else { return }
    try text.put("static const uint16_t @_`_$_order[$] = {\n", node, order.count)
    try text.put(count: order.count) { order[$0] }
  }

  private func writeMap(of node: Int, to text: CText) throws(AEError) {
    let geometry = layers[node].shape.geometry
    let isUp = geometry.transposed != 0
    let fine = (Int(geometry.fine_height), Int(geometry.fine_width), Int(geometry.fine_channels))
    let coarse = (Int(geometry.coarse_height), Int(geometry.coarse_width), Int(geometry.coarse_channels))
    let (from, to) = isUp ? (coarse, fine) : (fine, coarse)
    // A mean of a whole map is one of one window.
    let isWhole = geometry.kernel < 0
    try text.put("static const @_map @_`_$_map = {$, $, $, ", node, from.0, from.1, from.2)
    try text.put("$, $, $, ", to.0, to.1, to.2)
    try text.put(
      "$, $, $, $};\n", isWhole ? from.0 : Int(geometry.kernel), isWhole ? from.1 : Int(geometry.kernel),
      Int(geometry.stride), Int(geometry.padding))
  }

  // MARK: Calls

  private func put(place node: Int, _ text: CText) throws(AEError) {
    if node < 0 {
      try text.put(isEncoder ? "pixels" : "code")
    } else if node == lastStep {
      try text.put("pixels")
    } else {
      try text.put("memory + $", offsets[node])
    }
  }

  /// The statements that run the network, from `code` to `pixels` or, of an encoder, from `pixels` to the input of the last
  /// layer, which they return; what lies between is at `memory`.
  func writeCalls(to text: CText) throws(AEError) {
    text.word = half
    for step in steps {
      let order = codeOrder(of: step)
      if !order.isEmpty { try text.put("  int16_t moved_$[$];\n", step, order.count) }
    }
    if stackByteCount > 0 { try text.put("  int32_t i;\n") }
    if scratchByteCount == 0 { try text.put("  (void)memory;\n") }
    for step in steps { try writeCall(of: step, to: text) }
    guard isEncoder else { return }
    try text.put("  return ")
    try put(place: source(end), text)
    try text.put(";\n")
  }

  private func writeCall(of node: Int, to text: CText) throws(AEError) {
    let shape = layers[node].shape
    let order = codeOrder(of: node)
    if !order.isEmpty {
      try text.put("  for (i = 0; i < $; i++)\n", order.count)
      try text.put("    moved_$[i] = code[@_`_$_order[i]];\n", node, node)
    }
    switch shape.place.operation {
    case Int32(CK_LAYER):
      let name: StaticString =
        !shape.isConvolution ? "dense" : shape.isTransposed ? "transposed" : "convolution"
      try text.put("  @_")
      try text.put(name)
      try text.put(readsWords[node] ? "_words(&@_`_$, " : "_bytes(&@_`_$, ", node)
      if shape.isConvolution {
        try text.put("&@_`_$_map, ", node)
      } else {
        try text.put("$, $, ", shape.columns, shape.rows)
      }
    case Int32(CK_ADD): try text.put("  @_add(&@_`_$, $, ", node, shape.outputs)
    case Int32(CK_ACTIVATE): try text.put("  @_activate(@_`_$_table, $, ", node, shape.outputs)
    case Int32(CK_CONCATENATE):
      let place = shape.place
      try text.put("  @_concatenate(@_`_$_table, ", node)
      try text.put("$, $, $, ", Int(place.pixels), Int(place.channels.0), Int(place.channels.1))
    case Int32(CK_MEAN_POOL): try text.put("  @_mean_pool(&@_`_$_map, ", node)
    case Int32(CK_MAX_POOL): try text.put("  @_max_pool(&@_`_$_map, ", node)
    case Int32(CK_UPSAMPLE): try text.put("  @_upsample(&@_`_$_map, ", node)
    default:
      let (rows, columns) = transposed(node)
      try text.put("  @_transpose($, $, ", rows, columns)
    }
    if order.isEmpty {
      // Moves that change nothing are no step: the code itself.
      try put(place: readsWords[node] ? -1 : source(node), text)
    } else {
      try text.put("moved_$", node)
    }
    try text.put(", ")
    if shape.hasTwoSources {
      try put(place: secondSource(node), text)
      try text.put(", ")
    }
    try put(place: node, text)
    try text.put(");\n")
  }

  /// Of an encoder: the functions that give what the last layer reads, and one number of what it gives.
  func writeEncoder(to text: CText) throws(AEError) {
    try text.put(
      """

      /* What the encoder's last layer reads. */
      static const uint8_t *@_hidden(const uint8_t *pixels, uint8_t *memory) {

      """)
    try writeCalls(to: text)
    try text.put(
      """
      }

      /* The sum of latent i, and which of the layer's multipliers is its. */
      static int32_t @_last(const uint8_t *x, int32_t i, int32_t *channel) {

      """)
    let shape = layers[end].shape
    if !outputOrder.isEmpty { try text.put("  i = @_encoder_order[i];\n") }
    if shape.isConvolution {
      let columns = list.nodes[end].shape.width
      try text.put("  *channel = i % $;\n  i /= $;\n", shape.channels, shape.channels)
      try text.put(
        shape.isTransposed ? "  return @_transposed_sum_bytes(" : "  return @_convolution_sum_bytes(")
      try text.put("&@_encoder_$, &@_encoder_$_map, ", end, end)
      try text.put("i / $, i % $, *channel, x);\n}\n", columns, columns)
    } else {
      try text.put(
        "  *channel = i;\n  return @_dense_sum_bytes(&@_encoder_$, $, i, x);\n}\n", end, shape.columns)
    }
    try text.put(CTemplates.encode, end, end)
  }

  /// What one unit of each output's sum is worth: [outputCount].
  var sumScales: [Float] {
    var scales: [Float] = []
    for index in 0..<outputCount {
      let output = outputOrder.isEmpty ? index : outputOrder[index]
      scales.append(layers[end].sumScales.base[output % layers[end].shape.channels])
    }
    return scales
  }

  // MARK: Size

  /// No fewer bytes than its constants and calls take as text.
  static func textBound(_ shapes: [LayerShape], prefix: Int) -> Int {
    var sum = 0
    for shape in shapes {
      func add(_ count: Int, digits: Int) {
        sum = sum.plus(CText.bound(count, digits: digits, prefix: prefix)) ?? .max
      }
      add(shape.weightCount, digits: 4)
      add(shape.channels, digits: 11)
      add(shape.channels, digits: 11)
      add(IntegerLayer.tableCount, digits: 3)
      add(shape.inputs > Architecture.maximumLatentCount ? 0 : shape.inputs, digits: 5)
      sum = sum.plus(1200 + 16 * prefix) ?? .max
    }
    return sum
  }
}

// Lists of nodes: what is refused and in which words, and that a list's text gives the list.

import Compute
import Core
import Glibc
import Network
import Testing

private let input = FeatureShape(height: 5, width: 6, channels: 3)

/// The message that a list's text is refused with; nil if it is not.
private func message(_ text: String) -> String? {
  do throws(AEError) {
    _ = try NodeList(text: text, input: input)
    return nil
  } catch {
    #expect(error.code == .argument)
    return error.message
  }
}

private func times(_ count: Int, _ text: String) -> String {
  [String](repeating: text, count: count).joined(separator: ";")
}

private let refused: [(text: String, says: String)] = [
  ("", "node 0: operation(arguments) is expected, not \"\""),
  ("dense", "node 0: operation(arguments) is expected, not \"dense\""),
  ("dense(outputs=3", "operation(arguments) is expected, not \"dense(outputs=3\""),
  ("dense)outputs=3(", "operation(arguments) is expected"),
  ("dense(outputs=3);", "node 1: operation(arguments) is expected, not \"\""),
  (" dense(outputs=3)", "there is no operation \" dense\""),
  ("conv(channels=1)", "node 0: there is no operation \"conv\"; there are dense, convolution"),
  ("Dense(outputs=3)", "there is no operation \"Dense\""),
  ("dense(outputs=)", "node 0, dense: outputs must be a whole number, not \"\""),
  ("dense(outputs=-1)", "outputs must be a whole number, not \"-1\""),
  ("dense(outputs=1e3)", "outputs must be a whole number, not \"1e3\""),
  ("dense(outputs=18446744073709551616)", "outputs must be a whole number, not \"18446744073709551616\""),
  ("dense(outputs=0)", "it would give 1 x 1 x 0 numbers; 1 to 8388608 may be"),
  ("dense(outputs=999999999)", "it would give 1 x 1 x 999999999 numbers"),
  ("dense(height=999999999,width=999999999,channels=999999999)", "it would give 999999999 x 999999999"),
  ("dense(height=65536,width=1,channels=1)", "no side may be longer than 65535"),
  ("dense()", "it would give 1 x 1 x 0 numbers"),
  ("dense(outputs=3,outputs=3)", "outputs comes twice"),
  ("dense(kernel=3,outputs=3)", "it has no \"kernel\""),
  ("dense((outputs=3))", "it has no \"(outputs\""),
  (String(repeating: "dense(", count: 9000) + String(repeating: ")", count: 5000), "whole number"),
  ("dense(outputs=3,)", "must be a whole number, not \"\""),
  ("dense(outputs=3,activation=swish)", "there is no activation \"swish\"; there are identity, sigmoid"),
  ("dense(outputs=3,activation=leaky_relu:2)", "a slope is 0.001 to 0.999, not \"2\""),
  ("dense(outputs=3,activation=leaky_relu:0.2000)", "a slope is 0.001 to 0.999, not \"0.2000\""),
  ("dense(outputs=3,activation=leaky_relu:0.000)", "there is no activation \"leaky_relu:0.000\""),
  ("dense(outputs=3,activation=relu:0.2)", "there is no activation \"relu:0.2\""),
  ("mean_pool(kernel=2,activation=relu)", "it has no \"activation\""),
  ("dense(0,outputs=3)", "node 0, dense: it reads node 0, which does not come before it"),
  ("dense(1,outputs=3);dense(0,outputs=3)", "node 0, dense: it reads node 1, which does not come before"),
  ("dense(999999999,outputs=3)", "it reads node 999999999, which does not come before it"),
  ("dense(outputs=3);add(0,1)", "node 1, add: it reads node 1, which does not come before it"),
  ("dense(last,outputs=3)", "a source, \"input\" or a node's number, must be a whole number, not \"last\""),
  ("dense(input,input,outputs=3)", "1 sources are expected, 2 came"),
  ("add(input)", "node 0, add: 2 sources are expected, 1 came"),
  ("add()", "2 sources are expected, 0 came"),
  ("dense(outputs=3);add(input,0)", "its sources are 5 x 6 x 3 and 1 x 1 x 3"),
  ("dense(outputs=3);concatenate(input,0)", "height and width must be the same"),
  ("convolution(channels=2)", "kernel 0, stride 1, padding 0: a kernel is 1 ... 7"),
  ("convolution(channels=2,kernel=8)", "kernel 8, stride 1, padding 0: a kernel is 1 ... 7"),
  ("convolution(channels=2,kernel=3,stride=17)", "a stride 1 ... 16"),
  ("convolution(channels=2,kernel=3,stride=0)", "stride 0"),
  ("convolution(channels=2,kernel=3,padding=3)", "the padding less than the kernel"),
  ("convolution(kernel=3)", "it would give 3 x 4 x 0 numbers"),
  (
    "convolution(channels=2,kernel=3,height=9)", "height 5 cannot become 9 with kernel 3, stride 1, padding 0"
  ),
  ("convolution(channels=2,kernel=3,width=65535)", "width 6 cannot become 65535"),
  ("transposed_convolution(channels=2,kernel=3,height=9)", "height 5 cannot become 9"),
  ("transposed_convolution(channels=2,kernel=3,stride=2,width=9,padding=2)", ""),
  ("mean_pool(whole=true,kernel=2)", "a mean over the whole map has no kernel"),
  ("mean_pool(whole=false)", "whole can only be true"),
  ("mean_pool(kernel=2,padding=1)", "padding must be in 0 ... 0, not 1"),
  ("mean_pool(kernel=6,stride=1)", "it would give 0 x 1 x 3 numbers"),
  ("max_pool(kernel=17)", "a kernel is 1 ... 16"),
  ("max_pool(whole=true)", "it has no \"whole\""),
  ("upsample()", "factor must be in 2 ... 16, not 0"),
  ("upsample(factor=1)", "factor must be in 2 ... 16, not 1"),
  ("upsample(factor=17)", "factor must be in 2 ... 16, not 17"),
  ("upsample(factor=999999999)", "factor must be in 2 ... 16, not 999999999"),
  ("reshape(height=1,width=1,channels=89)", "5 x 6 x 3 numbers cannot become 1 x 1 x 89"),
  ("reshape(channels=90)", "it would give 0 x 0 x 90"),
  ("channels_last(height=5,width=6,channels=4)", "5 x 6 x 3 numbers cannot become 5 x 6 x 4"),
  ("channels_first(height=3)", "it has no \"height\""),
  ("activation(relu)", "must be a whole number, not \"relu\""),
  // Costs.
  (String(repeating: ";", count: 1_000_000), "a list of nodes of 1000000 bytes; at most 60000 may be"),
  (String(repeating: ";", count: 60_000), "node 0: operation(arguments) is expected"),
  (times(3529, "channels_first()"), "a network has 1 to 512 nodes, and more came"),
  ("add(" + [String](repeating: "input", count: 9000).joined(separator: ",") + ")", "2 sources are expected"),
  (times(40, "concatenate(input,input)"), ""),
  (
    "concatenate(input,input);" + (0..<40).map { "concatenate(\($0),\($0))" }.joined(separator: ";"),
    "node 16, concatenate: it would give 5 x 6 x 393216 numbers"
  ),
  (
    "upsample(factor=16);upsample(factor=16);" + times(40, "activation(activation=relu)"),
    "all nodes so far give"
  ),
  (
    "dense(outputs=65536);dense(outputs=65536)",
    "node 1, dense: it has 4295032832 weights; at most 268435456 may be in a network"
  ),
  ("upsample(factor=16);upsample(factor=16);dense(outputs=1)", "it would read 5898240 numbers"),
  (
    "upsample(factor=16);convolution(channels=1024,kernel=7);convolution(channels=1024,kernel=7)",
    "an image takes more than 34359738368 products"
  ),
]

@Test("each thing that is wrong with a list's text has words of its own, and takes a moment")
func refusals() {
  let clock = ContinuousClock()
  for (text, says) in refused {
    var said: String?
    let time = clock.measure { said = message(text) }
    guard !says.isEmpty else { continue }
    #expect(said?.contains(says) == true, "\(text.prefix(80)): \(said ?? "accepted")")
    #expect(time < .seconds(5), "\(text.prefix(80)): \(time)")
  }
}

@Test("lists that are not text are checked, too, whatever their numbers")
func refusedNodes() {
  let vector = FeatureShape(vector: 3)
  func refuse(_ nodes: [Node], _ says: String) {
    do throws(AEError) {
      _ = try NodeList(input: input, nodes: nodes)
      Issue.record("accepted: \(says)")
    } catch {
      #expect(error.message.contains(says), "\(error.message)")
    }
  }
  refuse([], "a network has 1 to 512 nodes, not 0")
  refuse(
    [Node](repeating: Node(.dense, from: -1, shape: vector), count: 1_000_000),
    "a network has 1 to 512 nodes, not 1000000")
  for source in [0, 1, .max, -2, .min] {
    refuse([Node(.dense, from: source, shape: vector)], "it reads node")
  }
  refuse([Node(.add, from: -1, and: 5, shape: input)], "it reads node 5")
  refuse([Node(.dense, from: -1, and: 0, shape: vector)], "it has two sources; only add and concatenate have")
  refuse(
    [Node(.reshape, from: -1, activation: .relu, shape: FeatureShape(vector: 90))], "it has an activation")
  for count in [0, -1, .min, .max, 1 << 62] {
    refuse([Node(.dense, from: -1, shape: FeatureShape(vector: count))], "it would give")
    refuse(
      [Node(.dense, from: -1, shape: FeatureShape(height: count, width: 2, channels: 1))], "it would give")
  }
  for kernel in [0, -1, 8, .max, .min] {
    refuse(
      [Node(.convolution, from: -1, kernel: kernel, stride: 1, shape: input)], "kernel must be in 1 ... 7")
  }
  for stride in [0, -1, 17, .max, .min] {
    refuse([Node(.maxPool, from: -1, kernel: 1, stride: stride, shape: input)], "stride must be in 1 ... 16")
  }
  refuse([Node(.dense, from: -1, kernel: 1, shape: vector)], "it has no kernel, but 1 came")
  refuse([Node(.dense, from: -1, stride: 1, shape: vector)], "it has no stride, but 1 came")
  refuse([Node(.dense, from: -1, padding: 1, shape: vector)], "it has no padding, but 1 came")
  refuse([Node(.upsample, from: -1, stride: 2, shape: input)], "it gives 10 x 12 x 3 numbers of 5 x 6 x 3")
  refuse([Node(.activation, from: -1, activation: .relu, shape: vector)], "it gives 5 x 6 x 3 numbers")
  refuse(
    [Node(.maxPool, from: -1, kernel: 1, stride: 1, shape: FeatureShape(height: 5, width: 6, channels: 4))],
    "3 channels cannot become 4")
}

@Test("a network of one's own ends in a layer, and every node is read")
func refusedNetworks() throws {
  func refuse(_ encoder: String, _ decoder: String, _ says: String) throws {
    let custom = CustomNetwork(
      encoder: try NodeList(text: encoder, input: input).nodes,
      decoder: try NodeList(text: decoder, input: FeatureShape(vector: 4)).nodes, isVariational: false)
    do throws(AEError) {
      _ = try Architecture(
        kind: .custom, width: 6, height: 5, channels: 3, latentCount: 4, output: .sigmoid, custom: custom)
      Issue.record("accepted: \(says)")
    } catch {
      #expect(error.message.contains(says), "\(error.message)")
    }
  }
  let (encoder, decoder) = ("dense(outputs=4)", "dense(height=5,width=6,channels=3,activation=sigmoid)")
  try refuse("dense(outputs=5)", decoder, "encoder: the last node gives 5 numbers, 4 are expected")
  try refuse(encoder, "dense(outputs=91,activation=sigmoid)", "decoder: the last node gives 91 numbers")
  try refuse("dense(outputs=4,activation=relu)", decoder, "must be a layer without activation")
  try refuse("dense(outputs=4);activation(activation=relu)", decoder, "must be a layer without activation")
  try refuse(encoder, "dense(outputs=90)", "must be a layer with the output activation")
  try refuse(
    "dense(outputs=9);dense(input,outputs=4)", decoder, "encoder: node 0, dense: no node reads it")
  try refuse(
    encoder,
    "dense(outputs=9);dense(outputs=90,activation=sigmoid);reshape(height=5,width=6,channels=3);"
      + "dense(1,outputs=90,activation=sigmoid)", "decoder: node 2, reshape: no node reads it")
}

/// A node's text drawn at random: most of them cannot be.
private func randomNode(_ index: Int, _ random: inout RandomStream) -> String {
  func number(_ most: Int) -> Int { 1 + random.below(most) }
  func source() -> String { random.below(index + 1) == index ? "input" : "\(random.below(max(index, 1)))" }
  let first = random.below(3) == 0 ? source() + "," : ""
  let names = [
    "identity", "sigmoid", "relu", "elu", "leaky_relu:0.\(number(9))", "silu", "gelu", "gelu_tanh", "tanh",
  ]
  let activation = "activation=\(names[random.below(9)])"
  let window = "kernel=\(number(4)),stride=\(number(3)),padding=\(random.below(3))"
  let size = random.below(3) == 0 ? ",height=\(number(12)),width=\(number(12))" : ""
  let shape = "height=\(number(6)),width=\(number(6)),channels=\(number(4))"
  switch random.below(12) {
  case 0:
    return "dense(\(first)\(random.below(2) == 0 ? shape : "outputs=\(number(30))"),\(activation))"
  case 1: return "convolution(\(first)channels=\(number(4)),\(window)\(size),\(activation))"
  case 2: return "transposed_convolution(\(first)channels=\(number(4)),\(window)\(size),\(activation))"
  case 3: return "activation(\(first)\(activation))"
  case 4: return "add(\(source()),\(source()),\(activation))"
  case 5: return "concatenate(\(source()),\(source()))"
  case 6: return random.below(3) == 0 ? "mean_pool(whole=true)" : "mean_pool(\(first)kernel=\(number(3)))"
  case 7: return "max_pool(\(first)\(window)\(size))"
  case 8: return "upsample(\(first)factor=\(number(3)))"
  case 9: return "reshape(\(first)\(shape))"
  case 10: return "channels_first(\(random.below(2) == 0 ? source() : ""))"
  default: return "channels_last(\(first)\(shape))"
  }
}

@Test("random lists come back from their text")
func roundTrips() throws {
  var random = RandomStream(seed: 8, stream: 0)
  var seen = Set<UInt8>()
  for _ in 0..<100 {
    var text = ""
    var list: NodeList?
    for _ in 0..<120 {
      let piece = randomNode(list?.nodes.count ?? 0, &random)
      let longer = text.isEmpty ? piece : text + ";" + piece
      guard let made = try? NodeList(text: longer, input: input), made.outputCount < 3000 else { continue }
      (text, list) = (longer, made)
    }
    let made = try #require(list)
    for node in made.nodes { seen.insert(node.operation.rawValue) }
    #expect(try NodeList(text: made.text, input: input) == made, "\(made.text)")
    #expect(try NodeList(input: input, nodes: made.nodes) == made, "\(made.text)")
    #expect(try NodeList(text: made.text, input: input).text == made.text)
    #expect(made.shapes.count == made.nodes.count)
    for (shape, node) in zip(made.shapes, made.nodes) {
      #expect(shape.outputs == node.shape.count && shape.hasWeights == node.operation.hasWeights)
    }
  }
  #expect(seen.count == Operation.allCases.count)
}

@Test("presets are lists that pass every check and come back from their text")
func presets() throws {
  for kind in ModelKind.autoencoders where kind != .custom {
    for hidden in [[], [5], [4, 4, 6], [4, 3, 3, 2, 2, 6]] {
      guard
        let architecture = try? Architecture(
          kind: kind, width: 9, height: 7, channels: 3, latentCount: 2, hidden: hidden, output: .identity)
      else { continue }
      for list in [architecture.encoder, architecture.decoder] {
        #expect(try NodeList(text: list.text, input: list.input) == list)
        #expect(list.nodes.allSatisfy { $0.operation != .add } || kind == .residualVAE)
      }
    }
  }
}

@Test("the largest models of version 1 are within the limits")
func formerModels() throws {
  for (kind, latents, hidden) in [
    (ModelKind.vae, 1024, [Int](repeating: 4096, count: 8)), (.convVAE, 1024, [32, 4096]),
    (.convVAE, 1, [32, 32, 32, 32, 32, 32, 32, 4096]),
    (.convVAE, 1024, [32, 128, 512, 1024, 1024, 1024, 1024, 4096]),
  ] {
    let architecture = try Architecture(
      kind: kind, width: 64, height: 64, latentCount: latents, hidden: hidden, output: .identity)
    #expect(architecture.isFormer)
  }
}

@Test("the examples of docs/networks.md are networks")
func documentedExamples() throws {
  // .../Tests/NetworkTests/NodeListTests.swift
  let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  let file = try #require(fopen(root + "/docs/networks.md", "r"))
  defer { fclose(file) }
  var page: [UInt8] = []
  while case let byte = getc(file), byte >= 0 { page.append(UInt8(truncatingIfNeeded: byte)) }
  var count = 0
  var keys: [Substring: Substring] = [:]
  for line in String(decoding: page, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
    if line.hasPrefix("kind=custom") || line.hasPrefix("encoder=") || line.hasPrefix("decoder=") {
      for word in line.split(separator: " ") {
        let parts = word.split(separator: "=", maxSplits: 1)
        keys[parts[0]] = parts[1]
      }
    }
    guard line.hasPrefix("decoder="), let encoder = keys["encoder"], let decoder = keys["decoder"] else {
      continue
    }
    func number(_ key: Substring, _ usual: Int) -> Int { keys[key].flatMap { Int($0) } ?? usual }
    let (width, height, channels) = (number("width", 0), number("height", 0), number("channels", 1))
    let latents = number("latent_size", 0)
    let custom = CustomNetwork(
      encoder: try NodeList(
        text: String(encoder), input: FeatureShape(height: height, width: width, channels: channels)
      ).nodes,
      decoder: try NodeList(text: String(decoder), input: FeatureShape(vector: latents)).nodes,
      isVariational: keys["variational"] == "true")
    _ = try Architecture(
      kind: .custom, width: width, height: height, channels: channels, latentCount: latents,
      output: keys["output_activation"] == "sigmoid" ? .sigmoid : .identity, custom: custom)
    count += 1
    keys = [:]
  }
  #expect(count == 4)
}

// A node of a network: an operation on what earlier nodes give. Lists of them are in NodeList.swift.

import Compute
import Core

/// What a node computes, numbered as in files. Those with weights come first.
public enum Operation: UInt8, Sendable, CaseIterable {
  /// y = f(W x + b), of all numbers of the source as they lie.
  case dense = 0
  case convolution = 1
  case transposedConvolution = 2
  /// f alone.
  case activation = 3
  /// f of the sum of two sources of one shape: a residual connection.
  case add = 4
  /// The channels of two sources of one height and width, one after the other.
  case concatenate = 5
  case meanPool = 6
  case maxPool = 7
  /// Every pixel becomes a square of `stride` x `stride` (nearest neighbour).
  case upsample = 8
  /// The same numbers in another shape.
  case reshape = 9
  /// From [height, width, channels] to a vector [channels, height, width].
  case channelsFirst = 10
  /// Back: the source's numbers are taken for [channels, height, width].
  case channelsLast = 11

  /// The name in texts.
  public var name: StaticString {
    switch self {
    case .dense: return "dense"
    case .convolution: return "convolution"
    case .transposedConvolution: return "transposed_convolution"
    case .activation: return "activation"
    case .add: return "add"
    case .concatenate: return "concatenate"
    case .meanPool: return "mean_pool"
    case .maxPool: return "max_pool"
    case .upsample: return "upsample"
    case .reshape: return "reshape"
    case .channelsFirst: return "channels_first"
    case .channelsLast: return "channels_last"
    }
  }

  public var hasWeights: Bool { rawValue <= 2 }
  public var hasTwoSources: Bool { self == .add || self == .concatenate }
  public var isConvolution: Bool { self == .convolution || self == .transposedConvolution }
  public var isPool: Bool { self == .meanPool || self == .maxPool }
  /// Whether it only says otherwise where numbers lie.
  public var isMove: Bool { self == .reshape || self == .channelsFirst || self == .channelsLast }
  /// Whether an activation function may follow in the same node.
  public var hasActivation: Bool { hasWeights || self == .activation || self == .add }
}

/// The shape of what a node gives: a feature map of [height, width, channels], in which channels lie next to each other. A
/// vector is 1 x 1.
public struct FeatureShape: Equatable, Sendable {
  public var height: Int
  public var width: Int
  public var channels: Int

  public init(height: Int, width: Int, channels: Int) {
    self.height = height
    self.width = width
    self.channels = channels
  }

  public init(vector count: Int) { self.init(height: 1, width: 1, channels: count) }

  /// Numbers in it; the largest number if that overflows.
  public var count: Int { height.times(width)?.times(channels) ?? .max }

  var text: String { sentence("\(height) x \(width) x \(channels)") }
}

/// A node of a network.
public struct Node: Equatable, Sendable {
  public var operation: Operation
  /// The number of the node that it reads, -1 for the list's input.
  public var source: Int
  /// The second one of `add` and `concatenate`; -1 for all others.
  public var secondSource: Int
  public var activation: Activation
  /// Of convolutions and pools, the window's side; of a mean over the whole map 0; of all others 0.
  public var kernel: Int
  /// Of convolutions and pools; of `upsample` the factor; of all others 0.
  public var stride: Int
  /// Of convolutions and of `maxPool`: rows and columns above and to the left that a window may reach beyond the map.
  /// How far it reaches below and to the right follows from the result's size.
  public var padding: Int
  /// Of the result.
  public var shape: FeatureShape

  public init(
    _ operation: Operation, from source: Int, and secondSource: Int = -1, activation: Activation = .identity,
    kernel: Int = 0, stride: Int = 0, padding: Int = 0, shape: FeatureShape
  ) {
    self.operation = operation
    self.source = source
    self.secondSource = secondSource
    self.activation = activation
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
    self.shape = shape
  }

  /// What a convolution or a pool gives on one axis of `size` pixels, where nothing else is said.
  static func usualSize(_ operation: Operation, _ size: Int, kernel: Int, stride: Int, padding: Int) -> Int {
    guard stride > 0, size > 0 else { return 0 }
    return operation == .transposedConvolution
      ? (size - 1) * stride - 2 * padding + kernel : (size + 2 * padding - kernel) / stride + 1
  }

  /// The shape of the result where it follows from the sources: of everything but `dense`, `reshape` and
  /// `channelsLast`, whose own shape it is. `channels` are those of a convolution's result.
  func usualShape(_ source: FeatureShape, _ second: FeatureShape, channels: Int) -> FeatureShape {
    switch operation {
    case .dense, .reshape, .channelsLast: return shape
    case .activation, .add: return source
    case .concatenate:
      return FeatureShape(
        height: source.height, width: source.width, channels: source.channels + second.channels)
    case .convolution, .transposedConvolution, .meanPool, .maxPool:
      if operation == .meanPool && kernel == 0 { return FeatureShape(vector: source.channels) }
      func size(_ size: Int) -> Int {
        Node.usualSize(operation, size, kernel: kernel, stride: stride, padding: padding)
      }
      return FeatureShape(
        height: size(source.height), width: size(source.width),
        channels: operation.isConvolution ? channels : source.channels)
    case .upsample:
      return FeatureShape(
        height: source.height * stride, width: source.width * stride, channels: source.channels)
    case .channelsFirst: return FeatureShape(vector: source.count)
    }
  }
}

// The images that the study is made on: MNIST or drawn digits, clips of a kicked ball, and digits of one kind
// whose parameters are known.

import Core
import Digits
import Storage
import ToolKit

/// Images to learn from and images to measure on.
struct StudyData {
  let name: String
  let train: ImageSet
  let test: ImageSet

  var width: Int { train.width }
  var height: Int { train.height }
  var size: Int { train.imageSize }

  /// MNIST, if it is at hand and wanted, else digits drawn here.
  static func digits(_ plan: StudyPlan, drawn: Bool) throws -> StudyData {
    if !drawn, (try? MNIST.folder()) != nil {
      return StudyData(
        name: "MNIST", train: try MNIST.load(.train).prefix(plan.trainCount),
        test: try MNIST.load(.test).prefix(plan.testCount))
    }
    return StudyData(
      name: "drawn digits", train: try PenDigits.draw(count: min(plan.trainCount, 20_000), seed: 1).set,
      test: try PenDigits.draw(count: min(plan.testCount, 5_000), seed: 2).set)
  }
}

/// Images that lie on a manifold whose dimension is known, with their coordinates on it.
struct KnownManifold {
  let key: String
  let title: String
  let data: StudyData
  /// [images, dimension], of the training and the test images.
  let trainParameters: Buffer<Float>
  let testParameters: Buffer<Float>
  let names: [String]
  var dimension: Int { names.count }

  /// The kicked ball.
  static func ball(_ plan: StudyPlan) throws(AEError) -> KnownManifold {
    let train = try KickedBall.draw(count: plan.manifoldCount, seed: 1)
    let test = try KickedBall.draw(count: plan.manifoldTestCount, seed: 2)
    return KnownManifold(
      key: "ball", title: "Kicked ball",
      data: StudyData(name: "clips of a kicked ball", train: train.set, test: test.set),
      trainParameters: train.parameters, testParameters: test.parameters,
      names: KickedBall.parameterNames.map { "\($0)" })
  }

  /// The digit 3 with six of its pen's parameters free.
  static func pen(_ plan: StudyPlan) throws(AEError) -> KnownManifold {
    let free: [PenParameter] = [.slant, .aspect, .thickness, .size, .waist, .topWeight]
    var options = PenOptions()
    options.digit = 3
    options.variant = 0
    options.free = free.reduce(PenParameterSet(rawValue: 0)) { $0.union(PenParameterSet($1)) }
    func draw(_ count: Int, _ seed: UInt64) throws(AEError) -> (ImageSet, Buffer<Float>) {
      let (set, parameters) = try PenDigits.draw(count: count, seed: seed, options: options)
      let chosen = try Buffer<Float>(count: count * free.count)
      for image in 0..<count {
        for (column, parameter) in free.enumerated() {
          chosen.base[image * free.count + column] =
            parameters.base[image * PenDigits.parameterCount + parameter.index]
        }
      }
      return (set, chosen)
    }
    let train = try draw(plan.manifoldCount, 1)
    let test = try draw(plan.manifoldTestCount, 2)
    return KnownManifold(
      key: "pen", title: "Pen-stroke threes",
      data: StudyData(name: "pen-stroke threes", train: train.0, test: test.0),
      trainParameters: train.1, testParameters: test.1, names: free.map { "\($0.name)" })
  }
}

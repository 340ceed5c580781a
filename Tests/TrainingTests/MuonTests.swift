// Muon: what makes a matrix orthogonal, against what that means; one step against a plain reference in doubles.

import Compute
import Core
import Testing
import Training

/// Numbers from -1 to 1.
private func noise(_ count: Int, _ seed: Int) -> [Float] {
  var stream = RandomStream(seed: 1, .test, seed)
  return (0..<count).map { _ in 2 * stream.uniform() - 1 }
}

private func orthogonalise(_ matrix: [Float], rows: Int, columns: Int) throws -> [Float] {
  let x = try Buffer(matrix)
  let next = try Buffer<Float>(count: x.count)
  let side = min(rows, columns)
  let gram = try Buffer<Float>(count: side * side)
  let polynomial = try Buffer<Float>(count: side * side)
  let result = try Muon.orthogonalise(
    x.base, rows: rows, columns: columns, next: next.base, gram: gram.base, polynomial: polynomial.base)
  return (0..<x.count).map { result[$0] }
}

/// A B^T of [rows, columns] matrices.
private func outer<T: BinaryFloatingPoint>(_ a: [T], _ b: [T], rows: Int, columns: Int) -> [T] {
  var result = [T](repeating: 0, count: rows * rows)
  for i in 0..<rows {
    for j in 0..<rows {
      for k in 0..<columns { result[i * rows + j] += a[i * columns + k] * b[j * columns + k] }
    }
  }
  return result
}

/// The same iteration in doubles, of a wide matrix.
private func reference(_ matrix: [Double], rows: Int, columns: Int) -> [Double] {
  var norm = 0.0
  for value in matrix { norm += value * value }
  var x = matrix.map { $0 / norm.squareRoot() }
  for _ in 0..<5 {
    let gram = outer(x, x, rows: rows, columns: columns)
    let square = outer(gram, gram, rows: rows, columns: rows)
    var next = x.map { 3.4445 * $0 }
    for i in 0..<rows {
      for k in 0..<rows {
        let factor = -4.7750 * gram[i * rows + k] + 2.0315 * square[i * rows + k]
        for j in 0..<columns { next[i * columns + j] += factor * x[k * columns + j] }
      }
    }
    x = next
  }
  return x
}

@Suite("Muon")
struct MuonTests {
  @Test("Singular values come near 1, singular vectors stay", arguments: [(16, 144), (7, 23), (1, 16)])
  func nearlyOrthogonal(rows: Int, columns: Int) throws {
    let matrix = noise(rows * columns, 1)
    let result = try orthogonalise(matrix, rows: rows, columns: columns)
    let gram = outer(result, result, rows: rows, columns: columns)
    // Of U f(S) V^T and U S V^T the product is symmetric.
    let mixed = outer(result, matrix, rows: rows, columns: columns)
    for i in 0..<rows {
      // The quintic leaves singular values between .68 and 1.13.
      #expect(gram[i * rows + i] > 0.4 && gram[i * rows + i] < 1.35)
      for j in 0..<i {
        #expect(abs(gram[i * rows + j]) < 0.4)
        #expect(abs(mixed[i * rows + j] - mixed[j * rows + i]) < 1e-3 * Float(columns))
      }
    }
  }

  @Test("A tall matrix is a wide one turned; nothing stays nothing")
  func shapes() throws {
    let (rows, columns) = (12, 40)
    let wide = noise(rows * columns, 2)
    var tall = wide
    for i in 0..<rows { for j in 0..<columns { tall[j * rows + i] = wide[i * columns + j] } }
    let a = try orthogonalise(wide, rows: rows, columns: columns)
    let b = try orthogonalise(tall, rows: columns, columns: rows)
    for i in 0..<rows {
      for j in 0..<columns { #expect(abs(a[i * columns + j] - b[j * rows + i]) < 1e-4) }
    }
    #expect(try orthogonalise([0, 0, 0, 0, 0, 0], rows: 2, columns: 3) == [0, 0, 0, 0, 0, 0])
  }

  @Test("Two steps are those of a plain reference; what is no convolution's is Adam's, as ever")
  func steps() throws {
    var options = try smallOptions(.convVAE, steps: 100)
    options.schedule = .constant
    options.weightAverage = 0.9
    options.importanceSamples = 1
    let plain = try Trainer(options: options)
    options.optimiser = .muon
    let trainer = try Trainer(options: options)
    let pixels = try blobs(count: 10)
    let images = (0..<10 * 144).map { Float(pixels.base[$0]) / 255 }

    // Weights of the first convolution [8, 4 * 4 * 1], a wide matrix.
    let weights = trainer.encoder.parameters[0]
    #expect(weights.count == 8 * 16)
    var momentum = [Double](repeating: 0, count: weights.count)
    for step in 0..<2 {
      let before = weights.values.array
      _ = try trainer.gradients(images, rows: 10)
      let gradient = weights.gradient.array.map(Double.init)
      for i in 0..<momentum.count { momentum[i] = 0.95 * momentum[i] + gradient[i] }
      let mixed = zip(gradient, momentum).map { $0 + 0.95 * $1 }
      let direction = reference(mixed, rows: 8, columns: 16)
      _ = try trainer.step(images, count: 10)
      for i in 0..<before.count {
        let expected = Double(before[i]) - options.learningRate * 0.2 * 4 * direction[i]
        #expect(abs(Double(weights.values[i]) - expected) < 2e-6, "step \(step), weight \(i)")
      }
    }

    _ = try plain.step(images, count: 10)
    let once = try Trainer(options: options)
    _ = try once.step(images, count: 10)
    let (ours, theirs) = (once.encoder.parameters, plain.encoder.parameters)
    // Of each layer weights, then biases: two convolutions, two dense layers.
    #expect(ours.count == 8)
    for (index, parameter) in ours.enumerated() {
      let isEqual = parameter.values.array == theirs[index].values.array
      #expect(isEqual == !(index == 0 || index == 2), "parameter \(index)")
    }
  }
}

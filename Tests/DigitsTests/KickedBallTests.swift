// Clips of the kicked ball: repeatable, in their field, and what their parameters say.

import Core
import Digits
import Testing

@Test("clips are a function of seed and number alone")
func clipsRepeat() throws {
  let (all, parameters) = try KickedBall.draw(count: 200, seed: 4)
  let (some, others) = try KickedBall.draw(count: 50, seed: 4, first: 120)
  #expect(all.width == 36 && all.height == 24)
  for i in 0..<some.pixels.count { #expect(all.pixels[120 * all.imageSize + i] == some.pixels[i]) }
  for i in 0..<others.count { #expect(parameters[120 * KickedBall.parameterCount + i] == others[i]) }
  let (other, _) = try KickedBall.draw(count: 1, seed: 5)
  #expect((0..<other.imageSize).contains { other.pixels[$0] != all.pixels[$0] })
}

@Test("a frame's ink lies where the parameters say, and is as much as the ball has")
func clipsShowTheirParameters() throws {
  let (set, parameters) = try KickedBall.draw(count: 100, seed: 6)
  let side = KickedBall.frameSide
  var whole = 0
  for clip in 0..<set.count {
    let row = (0..<6).map { Double(parameters[clip * 6 + $0]) }
    for frame in 0..<KickedBall.frameCount {
      let time = Double(frame) / 5
      let x = row[0] + row[2] * time
      let y = row[1] + row[3] * time + 0.5 * row[4] * time * time
      #expect(x > 1.4 && x < 10.6 && y > 1.4 && y < 10.6)
      // Balls that no edge cuts have their centre of mass in the middle, and the ink of a disc whose rim fades over
      // three pixels.
      guard min(x, y, 12 - x, 12 - y) > row[5] + 1.5 else { continue }
      whole += 1
      var (mass, massX, massY) = (0.0, 0.0, 0.0)
      for line in 0..<side {
        for column in 0..<side {
          let at =
            clip * set.imageSize + (frame / 3 * side + line) * set.width + frame % 3 * side + column
          let grey = Double(set.pixels[at]) / 255
          mass += grey
          massX += grey * (Double(column) + 0.5)
          massY += grey * (Double(line) + 0.5)
        }
      }
      #expect(abs(massX / mass - x) < 0.1 && abs(massY / mass - y) < 0.1)
      #expect(abs(mass - 3.14159 * (row[5] * row[5] + 0.75)) < 0.03 * mass)
    }
  }
  #expect(whole > 50)
}

@Test("the fall bends paths by pixels, as much as starts and kicks move them")
func fallsShow() throws {
  let count = 2000
  let (_, parameters) = try KickedBall.draw(count: count, seed: 7)
  func deviation(_ value: (Int) -> Float) -> Double {
    let values = (0..<count).map { Double(value($0 * KickedBall.parameterCount)) }
    let mean = values.reduce(0, +) / Double(count)
    return (values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(count)).squareRoot()
  }
  // How far a path is from the straight line between its ends, in its middle.
  let bend = deviation { parameters[$0 + 4] / 8 }
  #expect(bend > 2)
  for column in 0..<3 { #expect(bend > deviation { parameters[$0 + column] } / 2) }
}

@Test("counts out of range are refused")
func clipCountsAreChecked() {
  #expect(throws: AEError.self) { try KickedBall.draw(count: -1, seed: 1) }
  #expect(throws: AEError.self) { try KickedBall.draw(count: 1, seed: 1, first: -1) }
}

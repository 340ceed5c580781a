// From the parameters of one image to its pixels: knots to curves, curves to the twenty-pixel box that
// MNIST's digits were fitted to, and the distance from the pen's path to grey levels. Everything is
// IEEE addition, multiplication, division and square root in a fixed order, with no library function in
// it, so that the same parameters are the same bytes on every machine.

/// The path of a pen, with room for the largest design. One a thread, used again for image after image.
struct Pen {
  private var x: [Float]
  private var y: [Float]
  /// Whether the pen was lifted before this point.
  private var lifted: [Bool]
  private var count = 0
  private let stepsPerCurve: Int

  /// - Parameter scale: output pixels for each pixel of a 28 x 28 field; larger images get finer curves.
  init(scale: Float) {
    // The error of a chord goes with its length squared.
    stepsPerCurve = min(24, max(6, Int((6 * scale.squareRoot()).rounded(.up))))
    let room = PenParameter.knotCount * (stepsPerCurve + 1)
    x = [Float](repeating: 0, count: room)
    y = [Float](repeating: 0, count: room)
    lifted = [Bool](repeating: false, count: room)
  }

  /// Draws one image over `pixels`, [height, width]. The parameters must lie within their limits.
  mutating func draw(
    _ parameters: UnsafePointer<Float>, _ glyph: Glyph, width: Int, height: Int,
    into pixels: UnsafeMutablePointer<UInt8>
  ) {
    trace(parameters, glyph)
    bend(parameters)
    let scale = Float(min(width, height)) / 28
    fit(parameters, scale: scale, width: width, height: height)
    ink(parameters, scale: scale, width: width, height: height, into: pixels)
    centre(parameters, scale: scale, width: width, height: height, pixels)
    ink(parameters, scale: scale, width: width, height: height, into: pixels)
  }

  /// Runs cubic Béziers through the displaced knots. Coordinates are centred on the design's box.
  private mutating func trace(_ parameters: UnsafePointer<Float>, _ glyph: Glyph) {
    let knots = glyph.knotCount
    var px = [Float](repeating: 0, count: PenParameter.knotCount + 1)
    var py = px
    for k in 0..<knots {
      px[k] = glyph.knotX[k] - 0.5 + parameters[PenParameter.jitterX(k).index]
      py[k] = glyph.knotY[k] - 0.5 + parameters[PenParameter.jitterY(k).index]
      for form in 0..<glyph.forms.count {
        let amount = parameters[PenParameter.form(form).index]
        px[k] = px[k] + amount * glyph.forms[form][2 * k]
        py[k] = py[k] + amount * glyph.forms[form][2 * k + 1]
      }
    }

    // Unit tangents; zero where the curve is free to leave as it likes, at ends and corners.
    var tx = [Float](repeating: 0, count: PenParameter.knotCount + 1)
    var ty = tx
    for k in 0..<knots {
      let isEnd = k + 1 == knots || glyph.startsStroke[k + 1]
      if glyph.startsStroke[k] || isEnd || glyph.isCorner[k] { continue }
      let ax = px[k] - px[k - 1]
      let ay = py[k] - py[k - 1]
      let bx = px[k + 1] - px[k]
      let by = py[k + 1] - py[k]
      let a = (ax * ax + ay * ay).squareRoot() + 1e-6
      let b = (bx * bx + by * by).squareRoot() + 1e-6
      // The tangent of the circle through the three knots: each chord's direction weighted by the other's
      // length.
      let sumX = ax / a * b + bx / b * a
      let sumY = ay / a * b + by / b * a
      let length = (sumX * sumX + sumY * sumY).squareRoot() + 1e-6
      tx[k] = sumX / length
      ty[k] = sumY / length
    }

    let curvature = parameters[PenParameter.curvature.index]
    count = 0
    for k in 0..<knots {
      if glyph.startsStroke[k] { add(px[k], py[k], lifted: true) }
      if k + 1 == knots || glyph.startsStroke[k + 1] { continue }
      let chordX = px[k + 1] - px[k]
      let chordY = py[k + 1] - py[k]
      let reach = (chordX * chordX + chordY * chordY).squareRoot() * curvature / 3
      var c1x = px[k] + tx[k] * reach
      var c1y = py[k] + ty[k] * reach
      var c2x = px[k + 1] - tx[k + 1] * reach
      var c2y = py[k + 1] - ty[k + 1] * reach
      if tx[k] == 0 && ty[k] == 0 {
        c1x = px[k] + (c2x - px[k]) * 0.5
        c1y = py[k] + (c2y - py[k]) * 0.5
      }
      if tx[k + 1] == 0 && ty[k + 1] == 0 {
        c2x = px[k + 1] + (c1x - px[k + 1]) * 0.5
        c2y = py[k + 1] + (c1y - py[k + 1]) * 0.5
      }
      for step in 1...stepsPerCurve {
        let t = Float(step) / Float(stepsPerCurve)
        let u = 1 - t
        let w0 = u * u * u
        let w1 = 3 * u * u * t
        let w2 = 3 * u * t * t
        let w3 = t * t * t
        add(
          w0 * px[k] + w1 * c1x + w2 * c2x + w3 * px[k + 1],
          w0 * py[k] + w1 * c1y + w2 * c2y + w3 * py[k + 1], lifted: false)
      }
    }
  }

  private mutating func add(_ pointX: Float, _ pointY: Float, lifted isLifted: Bool) {
    x[count] = pointX
    y[count] = pointY
    lifted[count] = isLifted
    count += 1
  }

  /// Bends, widens, slants and turns the path as a whole.
  private mutating func bend(_ parameters: UnsafePointer<Float>) {
    let topWeight = parameters[PenParameter.topWeight.index]
    let waist = parameters[PenParameter.waist.index]
    let bow = parameters[PenParameter.bow.index]
    let arch = parameters[PenParameter.arch.index]
    let aspect = parameters[PenParameter.aspect.index]
    let lean = sineAndCosine(degrees: parameters[PenParameter.slant.index])
    let tangent = lean.sine / lean.cosine
    let (sine, cosine) = sineAndCosine(degrees: parameters[PenParameter.rotation.index])
    for i in 0..<count {
      let fromMiddleX = 1 - 4 * x[i] * x[i]
      let fromMiddleY = 1 - 4 * y[i] * y[i]
      let down = y[i] + waist * fromMiddleY + arch * fromMiddleX
      let right = (x[i] * (1 - 2 * topWeight * y[i]) + bow * fromMiddleY) * aspect - tangent * down
      x[i] = cosine * right + sine * down
      y[i] = cosine * down - sine * right
    }
  }

  /// Scales the path so that the inked box has the size asked for, and puts it near the middle.
  private mutating func fit(
    _ parameters: UnsafePointer<Float>, scale: Float, width: Int, height: Int
  ) {
    var left = x[0]
    var right = x[0]
    var top = y[0]
    var bottom = y[0]
    for i in 0..<count {
      left = min(left, x[i])
      right = max(right, x[i])
      top = min(top, y[i])
      bottom = max(bottom, y[i])
    }
    let extent = max(right - left, bottom - top, 1e-3)
    let inside = max(
      1, parameters[PenParameter.size.index] - parameters[PenParameter.thickness.index])
    let factor = inside * scale / extent

    // The path's own centre of mass, each piece weighed by its length.
    var mass: Float = 0
    var massX: Float = 0
    var massY: Float = 0
    for i in 0..<count {
      x[i] = (x[i] - left) * factor
      y[i] = (y[i] - top) * factor
      if lifted[i] { continue }
      let dx = x[i] - x[i - 1]
      let dy = y[i] - y[i - 1]
      let length = (dx * dx + dy * dy).squareRoot() + 1e-6
      mass += length
      massX += length * (x[i] + x[i - 1]) * 0.5
      massY += length * (y[i] + y[i - 1]) * 0.5
    }
    move(Float(width) * 0.5 - massX / mass, Float(height) * 0.5 - massY / mass)
  }

  /// Moves the path so that the ink's centre of mass, as a first drawing shows it, comes to its place:
  /// where strokes cross, the path's own centre is not the ink's.
  private mutating func centre(
    _ parameters: UnsafePointer<Float>, scale: Float, width: Int, height: Int,
    _ pixels: UnsafePointer<UInt8>
  ) {
    var mass = 0
    var massX = 0
    var massY = 0
    for row in 0..<height {
      var massOfRow = 0
      for column in 0..<width {
        let grey = Int(pixels[row * width + column])
        massOfRow += grey
        massX += column * grey
      }
      mass += massOfRow
      massY += row * massOfRow
    }
    // MNIST's digits have their centre of mass at pixel (14, 14), counted from 0, to within half a pixel.
    var moveX = parameters[PenParameter.shiftX.index] * scale
    var moveY = parameters[PenParameter.shiftY.index] * scale
    if mass > 0 {
      moveX += Float(width) * 0.5 - Float(massX) / Float(mass)
      moveY += Float(height) * 0.5 - Float(massY) / Float(mass)
    }
    move(moveX, moveY)
  }

  private mutating func move(_ right: Float, _ down: Float) {
    for i in 0..<count {
      x[i] += right
      y[i] += down
    }
  }

  /// Gives every pixel the grey level of its distance to the path.
  private func ink(
    _ parameters: UnsafePointer<Float>, scale: Float, width: Int, height: Int,
    into pixels: UnsafeMutablePointer<UInt8>
  ) {
    pixels.update(repeating: 0, count: width * height)
    let level = parameters[PenParameter.ink.index]
    let edge = parameters[PenParameter.edge.index] * scale
    let radius = parameters[PenParameter.thickness.index] * 0.5 * scale
    let taper = parameters[PenParameter.taper.index]
    let lastColumn = Float(width - 1)
    let lastRow = Float(height - 1)
    for i in 1..<count where !lifted[i] {
      let progress = 2 * Float(i) / Float(count - 1) - 1
      let reach = radius * (1 - taper * progress) + edge * 0.5
      let ax = x[i - 1]
      let ay = y[i - 1]
      let dx = x[i] - ax
      let dy = y[i] - ay
      let left = (min(ax, x[i]) - reach).rounded(.up)
      let right = (max(ax, x[i]) + reach).rounded(.down)
      let top = (min(ay, y[i]) - reach).rounded(.up)
      let bottom = (max(ay, y[i]) + reach).rounded(.down)
      if left > min(right, lastColumn) || right < 0 { continue }
      if top > min(bottom, lastRow) || bottom < 0 { continue }
      let columns = Int(max(left, 0))...Int(min(right, lastColumn))
      let perSquaredLength = 1 / (dx * dx + dy * dy + 1e-12)
      let perEdge = 1 / edge
      let squaredReach = reach * reach
      for row in Int(max(top, 0))...Int(min(bottom, lastRow)) {
        let line = pixels + row * width
        let py = Float(row) - ay
        for column in columns {
          let px = Float(column) - ax
          let along = min(max((px * dx + py * dy) * perSquaredLength, 0), 1)
          let offX = px - along * dx
          let offY = py - along * dy
          let squared = offX * offX + offY * offY
          if squared >= squaredReach { continue }
          let coverage = min(1, (reach - squared.squareRoot()) * perEdge)
          let grey = UInt8(level * coverage + 0.5)
          if grey > line[column] { line[column] = grey }
        }
      }
    }
  }
}

/// Sine and cosine by Taylor's series at an eighth of the angle, doubled three times; to some 1e-15, for
/// angles up to a full turn.
private func sineAndCosine(degrees: Float) -> (sine: Float, cosine: Float) {
  let angle = Double(degrees) * (3.141592653589793 / 180) / 8
  let square = angle * angle
  var sine = 0.0
  var cosine = 0.0
  var n = 18.0
  while n >= 2 {
    sine = (1 + sine) * -square / (n * (n + 1))
    cosine = (1 + cosine) * -square / (n * (n - 1))
    n -= 2
  }
  sine = angle * (1 + sine)
  cosine = 1 + cosine
  for _ in 0..<3 {
    (sine, cosine) = (2 * sine * cosine, cosine * cosine - sine * sine)
  }
  return (Float(sine), Float(cosine))
}

// The sum of squared differences, of bytes exactly, of floats in the kernel's order. In one place, so that it is fast
// everywhere and no sum overflows.

import CKernels

/// The squared differences of `count` bytes, summed exactly. The same on every machine.
public func squaredError(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, count: Int) -> Int {
  var total = 0
  var first = 0
  while first < count {
    // Fewer than 2^16 squares of at most 255^2 stay below 2^32, and sums of 32 bits are what compilers vectorise.
    let end = min(first &+ 65_000, count)
    var sum: UInt32 = 0
    for i in first..<end {
      let difference = Int32(a[i]) &- Int32(b[i])
      sum &+= UInt32(bitPattern: difference &* difference)
    }
    total &+= Int(sum)
    first = end
  }
  return total
}

/// The squared differences of `count` floats, summed.
public func squaredError(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Double {
  ck_squared_error(count, a, b, 0, nil)
}

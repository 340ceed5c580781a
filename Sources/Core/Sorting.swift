// Sorting for short lists in a hundred bytes of code: the standard library's takes 3 KB for every type of
// element, and nothing here sorts more than some hundred.

extension Array {
  /// Sorts in place (Shell 1959, gaps by thirds). Not stable: `precedes` should be a total order.
  @inline(never)
  public mutating func shellSort(_ precedes: (Element, Element) -> Bool) {
    var gap = 1
    while gap < count / 3 { gap = 3 * gap + 1 }
    while gap > 0 {
      for start in gap..<Swift.max(gap, count) {
        let element = self[start]
        var index = start
        while index >= gap, precedes(element, self[index - gap]) {
          self[index] = self[index - gap]
          index -= gap
        }
        self[index] = element
      }
      gap /= 3
    }
  }
}

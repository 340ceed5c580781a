// A list that grows in pieces of bounded size, where an Array would need one allocation that cannot be refused.

/// Elements in order, of any number, none of whose allocations is larger than some kilobytes.
///
/// What its elements hold in all is to be bounded by allocations that may be refused, such as their Buffers.
public struct Chunks<Element> {
  private static var chunkCount: Int { 256 }

  private var chunks: [[Element]] = []
  public private(set) var count = 0

  public init() {}

  public mutating func append(_ element: Element) {
    if count % Chunks.chunkCount == 0 { chunks.append([]) }
    chunks[chunks.count - 1].append(element)
    count += 1
  }

  public subscript(index: Int) -> Element { chunks[index / Chunks.chunkCount][index % Chunks.chunkCount] }
}

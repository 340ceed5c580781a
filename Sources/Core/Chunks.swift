// A list that grows with its input in pieces of bounded size: where an Array would ask for memory that only Buffer
// may ask for. It is its own file because that is all it is for.

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

import Synchronization

/// A row of numbers that many threads add to: every core has a copy of the row in cache lines of its own, so that adding
/// never waits for another core; whoever reads sums the copies.
final class StripedCounts: @unchecked Sendable {
    // Atomic words allocated in `init` and freed in `deinit`; neither the pointer nor the layout changes between.
    private let words: UnsafeMutablePointer<Atomic<Int>>
    private let rowWords: Int
    private let rows: Int

    /// Two cache lines, as processors fetch them in pairs.
    private static let alignmentWords = 16

    /// - Parameter count: numbers in a row.
    init(count: Int) {
        rows = Cores.rowCount
        rowWords = (count + Self.alignmentWords - 1) / Self.alignmentWords * Self.alignmentWords
        let wordBytes = MemoryLayout<Atomic<Int>>.stride
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: rows * rowWords * wordBytes, alignment: Self.alignmentWords * wordBytes)
        words = memory.bindMemory(to: Atomic<Int>.self, capacity: rows * rowWords)
        for index in 0..<rows * rowWords { (words + index).initialize(to: Atomic(0)) }
    }

    deinit {
        words.deinitialize(count: rows * rowWords)
        UnsafeMutableRawPointer(words).deallocate()
    }

    func add(_ amount: Int, at index: Int) {
        words[Cores.currentRow * rowWords + index].wrappingAdd(amount, ordering: .relaxed)
    }

    func sum(at index: Int) -> Int {
        (0..<rows).reduce(0) { $0 &+ words[$1 * rowWords + index].load(ordering: .relaxed) }
    }
}

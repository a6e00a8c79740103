/// A run of a stream's bytes that is stored as one.
package struct PlannedChunk: Sendable, Hashable {
    /// Place in the stream, from 0.
    package let sequence: Int
    package let bytes: [UInt8]
    package let startSeconds: Double
    package let durationSeconds: Double

    package init(sequence: Int, bytes: [UInt8], startSeconds: Double, durationSeconds: Double) {
        self.sequence = sequence
        self.bytes = bytes
        self.startSeconds = startSeconds
        self.durationSeconds = durationSeconds
    }
}

/// Fragments into chunks, as they come.
///
/// Invariants:
/// - Chunks, concatenated in order, are the initialization segment and all fragments, byte for byte.
/// - No chunk is larger than `bytesMax`; a chunk ends where a fragment does, but for fragments that are larger than a
///   chunk: such a one is cut into equal parts of its own.
/// - Each chunk begins in time where the one before ends.
/// - It holds less than `bytesMax` bytes.
package struct ChunkPlanner: Sendable {
    private let bytesMax: Int
    private let secondsTarget: Double
    /// Chunks given so far.
    package private(set) var chunkCount = 0

    private var pending: [UInt8] = []
    private var pendingStart = 0.0
    /// Where the fragments so far end.
    private var end = 0.0
    private var initialization: [UInt8]?

    package init(bytesMax: Int, secondsTarget: Double) {
        precondition(bytesMax > 0)
        self.bytesMax = bytesMax
        self.secondsTarget = secondsTarget
    }

    /// The initialization segment; it goes with the first fragment.
    package mutating func begin(_ segment: InitializationSegment) { initialization = segment.bytes }

    /// Takes a fragment and gives the chunks that are complete by it.
    package mutating func add(_ fragment: Fragment) -> [PlannedChunk] {
        var unit = fragment.bytes
        if let initialization {
            unit = initialization + unit
            self.initialization = nil
        }
        var chunks: [PlannedChunk] = []
        let fragmentEnd = max(end, fragment.startSeconds + fragment.durationSeconds)
        // Closed where that comes nearer to the wanted length than one fragment more.
        let isLongEnough = (end + fragmentEnd) / 2 - pendingStart > secondsTarget
        if !pending.isEmpty, isLongEnough || pending.count + unit.count > bytesMax { chunks += flush() }
        if unit.count > bytesMax {
            chunks += split(unit, until: fragmentEnd)
            pendingStart = fragmentEnd
        } else if pending.isEmpty {
            pending = unit
        } else {
            pending += unit
        }
        end = fragmentEnd
        return chunks
    }

    /// The rest, at the end of the stream.
    package mutating func finish() -> [PlannedChunk] {
        if let initialization {
            pending = initialization + pending
            self.initialization = nil
        }
        return pending.isEmpty ? [] : flush()
    }

    private mutating func flush() -> [PlannedChunk] {
        let chunk = next(pending, pendingStart, end)
        pending = []
        pendingStart = end
        return [chunk]
    }

    /// Equal parts, which share the fragment's time by their bytes.
    private mutating func split(_ unit: [UInt8], until unitEnd: Double) -> [PlannedChunk] {
        let partCount = (unit.count + bytesMax - 1) / bytesMax
        func time(at offset: Int) -> Double {
            offset == unit.count ? unitEnd : end + (unitEnd - end) * Double(offset) / Double(unit.count)
        }
        return (0..<partCount).map { part in
            let from = unit.count * part / partCount
            let to = unit.count * (part + 1) / partCount
            return next(Array(unit[from..<to]), time(at: from), time(at: to))
        }
    }

    private mutating func next(_ bytes: [UInt8], _ start: Double, _ end: Double) -> PlannedChunk {
        defer { chunkCount += 1 }
        return PlannedChunk(sequence: chunkCount, bytes: bytes, startSeconds: start, durationSeconds: end - start)
    }
}

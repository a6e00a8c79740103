import Base
import Digests
import SimulatedDisk
import Testing

@testable import ChunkStore

@Suite("The index")
struct ChunkIndexTests {
    private func entry(_ key: IndexKey, superblock: UInt32 = 1, offset: Int = 64) -> IndexEntry {
        let header = RecordHeader(
            kind: .chunk, idLength: 1, metadataLength: 0, payloadLength: 1, sequence: 1, durableOffset: 0,
            storedAt: Timestamp(nanoseconds: 0), promised: nil, acceptedBallot: nil, payloadCRC: 0,
            checksum: RecordHeader.checksumOfNothing,
            place: RecordPlace(superblock: superblock, salt: 0, offset: offset))
        return IndexEntry(key: key, header: header)
    }

    private func key(_ number: Int) -> IndexKey { IndexKey(chunkID("chunk-\(number)")) }

    @Test("an entry has 32 bytes, and no number of entries costs more than 48 bytes each")
    func size() {
        #expect(MemoryLayout<IndexEntry>.stride == 32)
        var index = ChunkIndex()
        var largest = 0.0
        for number in 0..<60_000 {
            index.insert(entry(key(number)))
            if number >= 1000 { largest = max(largest, Double(index.residentBytes) / Double(index.count)) }
        }
        for number in 1000..<60_000 {
            index.remove(entry(key(60_999 - number)))
            largest = max(largest, Double(index.residentBytes) / Double(index.count))
        }
        #expect(largest <= 48 && index.count == 1000)
    }

    @Test("it grows and shrinks in small steps, and finds everything at each of them")
    func resizing() {
        var index = ChunkIndex()
        let keys = (0..<40_000).map(key)
        var sizes: Set<Int> = []
        for number in 0..<40_000 {
            index.insert(entry(keys[number]))
            sizes.insert(index.residentBytes)
            let probe = number * 7919 % (number + 1)
            #expect(index.entry(keys[probe]) != nil && index.entry(key(-1 - number)) == nil)
        }
        #expect(sizes.count > 40, "the tables pass memory to each other piece by piece")
        for number in 0..<39_000 {
            index.remove(entry(keys[number]))
            let probe = number + 1 + number * 7919 % (39_999 - number)
            #expect(index.entry(keys[probe]) != nil && index.entry(keys[number]) == nil)
        }
        var seen: Set<IndexKey> = []
        index.forEach { seen.insert($0.key) }
        #expect(seen == Set(keys[39_000...]))
    }

    @Test("an entry that stays is seen once, also when the index changes between the ranges of keys")
    func ranges() {
        var index = ChunkIndex()
        for number in 0..<30_000 { index.insert(entry(key(number))) }
        var seen: [IndexKey: Int] = [:]
        for range in 0..<64 {
            let lowest = UInt64(range) << 58
            index.forEach(in: lowest...lowest | (1 << 58 - 1)) { seen[$0.key, default: 0] += 1 }
            for number in 0..<500 { index.insert(entry(key(30_000 + range * 500 + number))) }
        }
        #expect((0..<30_000).allSatisfy { seen[key($0)] == 1 })
        #expect(seen.values.allSatisfy { $0 == 1 })
    }

    @Test("it finds what a dictionary finds, through insertions, replacements and removals")
    func model() {
        var random = SplitMix(seed: 5)
        var index = ChunkIndex()
        var model: [Int: IndexEntry] = [:]
        for step in 0..<30_000 {
            let number = random.below(3000)
            let new = entry(key(number), superblock: UInt32(1 + random.below(9)), offset: 64 * step)
            switch (model[number], random.below(3)) {
            case (nil, _):
                index.insert(new)
                model[number] = new
            case (let old?, 0):
                index.remove(old)
                model[number] = nil
            case (let old?, _):
                index.replace(old, with: new)
                model[number] = new
            }
        }
        #expect(index.count == model.count)
        for number in 0..<3000 { #expect(index.entry(key(number)) == model[number]) }
        var seen = 0
        index.forEach { _ in seen += 1 }
        #expect(seen == model.count)
    }

    @Test("entries of one key stand side by side, also at the table's end")
    func collisions() {
        for high in [UInt64(0), .max] {
            let key = IndexKey(high: high, low: 7)
            var index = ChunkIndex()
            let entries = (0..<5).map { entry(key, offset: 64 * ($0 + 1)) }
            for entry in entries { index.insert(entry) }
            #expect((0..<5).compactMap { index.entry(key, ordinal: $0) } == entries)
            #expect(index.entry(key, ordinal: 5) == nil)
            index.remove(entries[1])
            #expect((0..<4).compactMap { index.entry(key, ordinal: $0)?.offset }.sorted() == [64, 192, 256, 320])
            #expect(index.entry(IndexKey(high: high, low: 8)) == nil)
        }
    }
}

@Suite("The log's tail")
struct LogTailTests {
    @Test("nothing is durable past a reservation that is not")
    func durableEnd() {
        var tail = LogTail(capacity: 10_000, end: 1000, allocated: 10_000, announcedEnd: 1000)
        let first = tail.reserve(100)
        let second = tail.reserve(200)
        #expect(tail.durableEnd == 1000)
        tail.onDurable(second, durableOffset: 1000)
        #expect(tail.durableEnd == 1000)
        tail.onDurable(first, durableOffset: 1000)
        #expect(tail.durableEnd == 1300 && tail.isQuiet && tail.wantsMarker)
    }

    @Test("a failed write at the end is taken back; one with others behind it must be filled")
    func failures() {
        var tail = LogTail(capacity: 10_000, end: 1000, allocated: 10_000, announcedEnd: 1000)
        let first = tail.reserve(100)
        let second = tail.reserve(200)
        let isFirstTakenBack = tail.onFailed(first)
        let isSecondTakenBack = tail.onFailed(second)
        #expect(!isFirstTakenBack && isSecondTakenBack)
        #expect(tail.end == 1100 && tail.durableEnd == 1000)
        tail.onDurable(first, durableOffset: 0)
        #expect(tail.durableEnd == 1100)
    }

    @Test("room for the closing record is always kept")
    func room() {
        let tail = LogTail(capacity: 2000, end: 1000, allocated: 1500, announcedEnd: 1000)
        #expect(tail.hasRoom(for: 1000 - LogTail.closingBytes))
        #expect(!tail.hasRoom(for: 1000 - LogTail.closingBytes + 1))
        #expect(tail.isAllocated(for: 500) && !tail.isAllocated(for: 501))
    }
}

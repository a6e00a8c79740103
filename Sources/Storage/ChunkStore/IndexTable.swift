import Glibc

/// Open addressing with linear probing over slots that lie in segments, so that the memory of a part can be taken and
/// given back by itself.
///
/// Invariants:
/// - An entry stands at its home or behind it, with no empty slot between. Homes ascend with the key, and there is no
///   wrapping around: what finds no place before the end goes on behind it.
/// - A segment that is not allocated is empty.
struct IndexTable: ~Copyable, @unchecked Sendable {
    // Owned by one place: the pointers are nobody else's.
    private static let segmentSlots = 1024
    private static let segmentBytes = segmentSlots * MemoryLayout<IndexEntry>.stride

    /// Number of homes.
    let capacity: Int
    private var segments: [UnsafeMutablePointer<IndexEntry>?]

    init(capacity: Int) {
        self.capacity = capacity
        segments = Array(repeating: nil, count: (capacity + Self.segmentSlots - 1) / Self.segmentSlots)
    }

    deinit { for case let segment? in segments { munmap(segment, Self.segmentBytes) } }

    /// Multiply-high spreads a uniform key over any capacity without a division.
    func home(_ key: IndexKey) -> Int { Int(key.high.multipliedFullWidth(by: UInt64(capacity)).high) }

    /// The `ordinal`-th entry of that key, counting from 0.
    func entry(_ key: IndexKey, ordinal: Int) -> IndexEntry? {
        var remaining = ordinal
        var slot = home(key)
        while let entry = self[slot] {
            if entry.key == key {
                if remaining == 0 { return entry }
                remaining -= 1
            }
            slot += 1
        }
        return nil
    }

    func slot(of entry: IndexEntry) -> Int? {
        var slot = home(entry.key)
        while let found = self[slot] {
            if found == entry { return slot }
            slot += 1
        }
        return nil
    }

    /// Puts the entry into the first free slot.
    mutating func place(_ entry: IndexEntry) {
        var slot = home(entry.key)
        while self[slot] != nil { slot += 1 }
        set(slot, entry)
    }

    /// False when `entry` is not there.
    mutating func replace(_ entry: IndexEntry, with new: IndexEntry) -> Bool {
        guard let slot = slot(of: entry) else { return false }
        set(slot, new)
        return true
    }

    /// False when `entry` is not there.
    mutating func remove(_ entry: IndexEntry) -> Bool {
        guard var hole = slot(of: entry) else { return false }
        // Entries behind the hole move up, so that no search ends early and no marker of a removed entry is needed.
        var candidate = hole + 1
        while let moving = self[candidate] {
            if home(moving.key) <= hole {
                set(hole, moving)
                hole = candidate
            }
            candidate += 1
        }
        set(hole, .empty)
        return true
    }

    /// Takes out the entries whose home is from `first` to below `limit`; no entry has a lower home. Memory below is
    /// given back.
    mutating func drain(from first: Int, homesBelow limit: Int) -> [IndexEntry] {
        var drained: [IndexEntry] = []
        drained.reserveCapacity(limit - first)
        var slot = first
        while true {
            guard let entry = self[slot] else {
                if slot >= limit { break }
                slot += 1
                continue
            }
            set(slot, .empty)
            // What stays moves up, to where a search now looks first.
            if home(entry.key) < limit { drained.append(entry) } else { place(entry) }
            slot += 1
        }
        for index in first / Self.segmentSlots..<limit / Self.segmentSlots { release(index) }
        return drained
    }

    func forEach(in range: ClosedRange<UInt64>, _ body: (IndexEntry) -> Void) {
        guard capacity > 0 else { return }
        let last = home(IndexKey(high: range.upperBound, low: 0))
        var slot = home(IndexKey(high: range.lowerBound, low: 0))
        while true {
            guard let entry = self[slot] else {
                if slot >= last { return }
                slot = slotToLookAt(after: slot)
                continue
            }
            if range.contains(entry.key.high) { body(entry) }
            slot += 1
        }
    }

    /// Bytes of the slots that are backed by memory; those behind the last home are not counted.
    var residentBytes: Int {
        segments.indices.reduce(0) { sum, index in
            guard segments[index] != nil else { return sum }
            let slots = min(Self.segmentSlots, max(0, capacity - index * Self.segmentSlots))
            return sum + slots * MemoryLayout<IndexEntry>.stride
        }
    }

    private subscript(slot: Int) -> IndexEntry? {
        let index = slot / Self.segmentSlots
        guard index < segments.count, let segment = segments[index] else { return nil }
        let entry = segment[slot % Self.segmentSlots]
        return entry.isEmpty ? nil : entry
    }

    private mutating func set(_ slot: Int, _ entry: IndexEntry) {
        let index = slot / Self.segmentSlots
        while index >= segments.count { segments.append(nil) }
        let segment = segments[index] ?? allocate(index)
        segment[slot % Self.segmentSlots] = entry
    }

    /// Segments that are not allocated are passed over as a whole.
    private func slotToLookAt(after slot: Int) -> Int {
        let index = slot / Self.segmentSlots
        let isAllocated = index < segments.count && segments[index] != nil
        return isAllocated ? slot + 1 : (index + 1) * Self.segmentSlots
    }

    /// Zeros, which are empty slots. Pages that no entry comes to take no memory.
    private mutating func allocate(_ index: Int) -> UnsafeMutablePointer<IndexEntry> {
        let memory = mmap(nil, Self.segmentBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { fatalError("out of memory") }
        let segment = memory.bindMemory(to: IndexEntry.self, capacity: Self.segmentSlots)
        segments[index] = segment
        return segment
    }

    private mutating func release(_ index: Int) {
        guard let segment = segments[index] else { return }
        munmap(segment, Self.segmentBytes)
        segments[index] = nil
    }
}

extension IndexEntry {
    /// An empty slot: all zeros.
    fileprivate static let empty = IndexEntry(emptySlot: ())
}

/// A hash table of ``IndexEntry`` that grows and shrinks without ever stopping for it: a change of size moves a few
/// entries with each insertion or removal, from the lowest hash to the highest, and gives the old table's memory back
/// behind itself. At 72 to 85 % full, an entry costs 38 to 45 bytes, at any moment and at any count above a thousand.
///
/// Several entries may have the same key; the id in the record settles which is which. Owned by one place and used
/// under that place's lock.
struct ChunkIndex: ~Copyable, Sendable {
    private static let capacityMin = 1024
    private static let loadMax = 0.85
    private static let loadMin = 0.72
    private static let growth = 1.125
    /// What the load becomes by shrinking.
    private static let loadShrunk = 0.8
    /// Homes that move with each change. So many that the old table hardly fills further meanwhile.
    private static let homesPerStep = 64
    /// A table of so many homes moves at once: that takes no time, and two of them would be more than the rest.
    private static let homesAtOnce = 32_768

    private(set) var count = 0
    private var table: IndexTable
    /// The table of another size that entries are moved from; of capacity 0 when none is.
    private var old = IndexTable(capacity: 0)
    /// Homes of the old table below it are empty.
    private var frontier = 0

    /// - Parameter expectedCount: so many entries find room without the table growing.
    init(expectedCount: Int = 0) {
        table = IndexTable(capacity: max(Self.capacityMin, Int(Double(expectedCount) / Self.loadShrunk)))
    }

    /// The `ordinal`-th entry of that key, counting from 0.
    func entry(_ key: IndexKey, ordinal: Int = 0) -> IndexEntry? {
        isInOld(key) ? old.entry(key, ordinal: ordinal) : table.entry(key, ordinal: ordinal)
    }

    func contains(_ entry: IndexEntry) -> Bool {
        (isInOld(entry.key) ? old.slot(of: entry) : table.slot(of: entry)) != nil
    }

    mutating func insert(_ entry: IndexEntry) {
        count += 1
        if old.capacity > 0 {
            step()
        } else if Double(count) > Double(table.capacity) * Self.loadMax {
            begin(capacity: Int(Double(table.capacity) * Self.growth))
        }
        if isInOld(entry.key) { old.place(entry) } else { table.place(entry) }
    }

    /// Puts `new` where `old` is; both have the same key.
    mutating func replace(_ entry: IndexEntry, with new: IndexEntry) {
        let isFound = isInOld(entry.key) ? old.replace(entry, with: new) : table.replace(entry, with: new)
        precondition(isFound, "an entry to replace is in the index")
    }

    mutating func remove(_ entry: IndexEntry) {
        let isFound = isInOld(entry.key) ? old.remove(entry) : table.remove(entry)
        precondition(isFound, "an entry to remove is in the index")
        count -= 1
        if old.capacity > 0 {
            step()
        } else if table.capacity > Self.capacityMin, Double(count) < Double(table.capacity) * Self.loadMin {
            begin(capacity: max(Self.capacityMin, Int(Double(count) / Self.loadShrunk)))
        }
    }

    /// Calls `body` for every entry, in the order of ascending hashes as far as the table keeps it; entries must not be
    /// added or removed meanwhile.
    func forEach(_ body: (IndexEntry) -> Void) { forEach(in: 0...UInt64.max, body) }

    /// Calls `body` for every entry whose key's `high` is in the range. Between two ranges the index may change: every
    /// entry that is there all the time is seen once.
    func forEach(in range: ClosedRange<UInt64>, _ body: (IndexEntry) -> Void) {
        table.forEach(in: range, body)
        old.forEach(in: range, body)
    }

    /// The entries that follow `key` in the order of keys: at least `limit` of them, or all that there are.
    func entries(after key: IndexKey?, limit: Int) -> [IndexEntry] {
        var found: [IndexEntry] = []
        // Keys are uniform, so that a stretch of this length holds about as many entries as are asked for.
        let stretch = UInt64.max / UInt64(count / max(limit, 1) + 1)
        var start = key?.high ?? 0
        while true {
            let end = start.addingReportingOverflow(stretch)
            let last = end.overflow ? UInt64.max : end.partialValue
            forEach(in: start...last) { entry in
                if key.map({ $0 < entry.key }) ?? true { found.append(entry) }
            }
            if found.count >= limit || last == .max { return found.sorted { $0.key < $1.key } }
            start = last + 1
        }
    }

    /// Bytes that the table takes in memory.
    var residentBytes: Int { table.residentBytes + old.residentBytes }

    private func isInOld(_ key: IndexKey) -> Bool { old.capacity > 0 && old.home(key) >= frontier }

    private mutating func begin(capacity: Int) {
        old = IndexTable(capacity: capacity)
        swap(&old, &table)
        frontier = 0
        step()
    }

    private mutating func step() {
        let homes = old.capacity <= Self.homesAtOnce ? old.capacity : Self.homesPerStep
        let limit = min(frontier + homes, old.capacity)
        for entry in old.drain(from: frontier, homesBelow: limit) { table.place(entry) }
        frontier = limit
        if limit == old.capacity { old = IndexTable(capacity: 0) }
    }
}

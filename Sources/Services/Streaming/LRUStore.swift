/// Values by key within a bound on their cost; what was used longest ago goes first.
///
/// Invariants:
/// - `cost` is the sum over `entries` and never over `costMax` between calls.
/// - `uses` holds every entry's newest use; older uses of it are skipped when they come up.
struct LRUStore<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        let value: Value
        let cost: Int
        var use: UInt64
    }

    let costMax: Int
    private(set) var cost = 0
    private var entries: [Key: Entry] = [:]
    private var uses: [(key: Key, use: UInt64)] = []
    private var oldestUse = 0
    private var lastUse: UInt64 = 0

    init(costMax: Int) { self.costMax = costMax }

    var count: Int { entries.count }

    /// The value, which then counts as just used.
    mutating func value(for key: Key) -> Value? {
        guard let entry = entries[key] else { return nil }
        noteUse(of: key)
        return entry.value
    }

    /// Keeps the value; one that costs more than all that may be kept is not kept at all.
    mutating func set(_ value: Value, for key: Key, cost: Int) {
        remove(key)
        guard cost <= costMax else { return }
        entries[key] = Entry(value: value, cost: cost, use: 0)
        self.cost += cost
        noteUse(of: key)
        while self.cost > costMax { removeOldest() }
    }

    mutating func remove(_ key: Key) {
        if let entry = entries.removeValue(forKey: key) { cost -= entry.cost }
    }

    private mutating func noteUse(of key: Key) {
        lastUse += 1
        entries[key]?.use = lastUse
        uses.append((key, lastUse))
        // The list of uses is cut back when most of it is history.
        if uses.count > 64 + 4 * entries.count {
            uses = uses[oldestUse...].filter { entries[$0.key]?.use == $0.use }
            oldestUse = 0
        }
    }

    private mutating func removeOldest() {
        let (key, use) = uses[oldestUse]
        oldestUse += 1
        if entries[key]?.use == use { remove(key) }
    }
}

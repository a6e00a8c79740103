/// Where the next record goes in a superblock, and how far the file is durable. No I/O: the store asks and acts.
///
/// Invariants:
/// - Reservations do not overlap and are given out in ascending order.
/// - Everything below ``durableEnd`` is durable. It never passes a reservation that is not known to be durable.
struct LogTail {
    /// Bytes kept free at the end for the record that closes the superblock.
    static let closingBytes = RecordHeader.byteCount

    /// Size the file may reach.
    let capacity: Int
    /// Where the next record goes.
    private(set) var end: Int
    /// How far the disk space is reserved.
    var allocated: Int
    /// Reserved and not known to be durable, in ascending order.
    private var outstanding: [Range<Int>] = []
    /// How far a record on the disk says the file is durable.
    private var announcedEnd: Int
    /// Where the last of the durable records begins; 0 when it is not known.
    var lastDurableOffset: Int

    init(capacity: Int, end: Int, allocated: Int, announcedEnd: Int, lastDurableOffset: Int = 0) {
        self.capacity = capacity
        self.end = end
        self.allocated = allocated
        self.announcedEnd = announcedEnd
        self.lastDurableOffset = lastDurableOffset
    }

    var durableEnd: Int { outstanding.first?.lowerBound ?? end }
    var isQuiet: Bool { outstanding.isEmpty }
    /// Whether durable records exist that no other record vouches for.
    var wantsMarker: Bool { outstanding.isEmpty && announcedEnd < end }

    func hasRoom(for length: Int) -> Bool { end + length + Self.closingBytes <= capacity }
    func isAllocated(for length: Int) -> Bool { end + length <= allocated }

    mutating func reserve(_ length: Int) -> Range<Int> {
        let range = end..<end + length
        end = range.upperBound
        outstanding.append(range)
        return range
    }

    /// The record in `range` is durable; it says `durableOffset`.
    mutating func onDurable(_ range: Range<Int>, durableOffset: Int) {
        outstanding.removeAll { $0 == range }
        lastDurableOffset = max(lastDurableOffset, range.lowerBound)
        announcedEnd = max(announcedEnd, durableOffset)
    }

    /// A durable marker stands in `range` and vouches for everything before it.
    mutating func onMarkerDurable(_ range: Range<Int>) { onDurable(range, durableOffset: range.upperBound) }

    /// The record in `range` could not be written. True when the space was taken back; false when other records stand
    /// behind it, so that it must be filled by a void record.
    mutating func onFailed(_ range: Range<Int>) -> Bool {
        guard range.upperBound == end else { return false }
        end = range.lowerBound
        outstanding.removeAll { $0 == range }
        return true
    }
}

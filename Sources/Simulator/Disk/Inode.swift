import ChunkStore

/// A file of a ``FaultyFileSystem``: what is on the disk, what is only in memory, and what a power failure makes of it.
///
/// Invariants:
/// - `stored` is what a power failure leaves for sure, the size included.
/// - `pending` is everything since, in the order in which it was asked for. Each sector of its writes may or may not be
///   on the disk; its sizes come to the disk in order, and data beyond the size that did is lost.
/// - The cache shows `stored` with all of `pending` applied, and what a failed synchronization forgot to write.
final class Inode: @unchecked Sendable {
    // Guarded by the lock of the file system that holds it.

    /// What a disk writes wholly or not at all.
    static let sectorBytes = 512

    private enum Change {
        case write(offset: Int, bytes: [UInt8])
        case resize(Int)
    }

    /// The name that programs last gave it.
    var path: String
    private(set) var size: Int
    private var stored: [UInt8]
    private var pending: [Change] = []
    private var unreadablePages: [Int] = []
    private var cacheIfUsed: PageCache?
    private let pool: PagePool

    init(_ path: String, stored: [UInt8] = [], pool: PagePool) {
        self.path = path
        self.stored = stored
        self.pool = pool
        size = stored.count
    }

    /// The room that a file has.
    var bytesMax: Int { pool.fileBytesMax }

    var cache: PageCache {
        if let cacheIfUsed { return cacheIfUsed }
        let cache = PageCache(pool: pool)
        cache.write(stored, at: 0)
        for page in unreadablePages { cache.makeUnreadable(page: page) }
        cacheIfUsed = cache
        return cache
    }

    /// The file as programs see it.
    var contents: [UInt8] { cacheIfUsed.map { Array($0.bytes[..<size]) } ?? stored }

    /// nil where the disk does not give it.
    func read(_ count: Int, at offset: Int) -> [UInt8]? {
        let end = min(size, offset + count)
        guard offset < end else { return [] }
        let pages = offset / PageCache.pageBytes...(end - 1) / PageCache.pageBytes
        guard !unreadablePages.contains(where: { pages.contains($0) }) else { return nil }
        return cacheIfUsed.map { Array($0.bytes[offset..<end]) } ?? Array(stored[offset..<end])
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard bytes.count > 0 else { return }
        cache.write(bytes, at: offset)
        pending.append(.write(offset: offset, bytes: Array(bytes)))
        size = max(size, offset + bytes.count)
    }

    func resize(to newSize: Int) {
        if newSize < size { cache.clear(from: newSize) }
        pending.append(.resize(newSize))
        size = newSize
    }

    func synchronize() {
        for change in pending { Self.apply(change, to: &stored) }
        Self.resize(&stored, to: size)
        pending = []
    }

    /// A synchronization that failed: some sectors came to the disk, and the others never will, though the cache goes
    /// on showing them as if they had (Rebello and others: "Can Applications Recover from fsync Failures?", 2020).
    func failSynchronization(_ random: inout SplitMix) {
        let isKept = writesPerSector.map { $0 > 0 && random.oneIn(2) }
        var kept: [Change] = []
        var sizeSoFar = stored.count
        for change in pending {
            switch change {
            case .resize(let size): sizeSoFar = size
            case .write(let offset, let bytes):
                for (sector, part) in Self.sectors(of: bytes, at: offset) where isKept[sector] {
                    kept.append(.write(offset: part.lowerBound, bytes: Self.part(part, of: bytes, at: offset)))
                }
                sizeSoFar = max(sizeSoFar, offset + bytes.count)
            }
            kept.append(.resize(sizeSoFar))
        }
        pending = kept
    }

    /// Clean pages from `offset` on are read from the disk again when they are next wanted.
    func dropCache(from offset: Int) {
        guard let cache = cacheIfUsed else { return }
        var image = stored
        for change in pending { Self.apply(change, to: &image) }
        Self.resize(&image, to: size)
        let start = min(offset / PageCache.pageBytes * PageCache.pageBytes, size)
        cache.write(Array(image[start...]), at: start)
    }

    /// What is on the disk after a power failure.
    func afterCrash(_ random: inout SplitMix) -> Inode {
        var image = stored
        // Mostly a part of what was not synchronized survives, sometimes nothing, sometimes all.
        let share = [0, 256, 128, random.below(257)][random.below(4)]
        // A sector is as it was between two of its writes.
        var writesKept = writesPerSector.map { $0 == 0 || random.below(256) < share ? $0 : random.below($0) }
        let sizesKept = [0, pending.count, random.below(pending.count + 1)][random.below(3)]
        for (index, change) in pending.enumerated() {
            switch change {
            case .resize(let size): if index < sizesKept { Self.resize(&image, to: size) }
            case .write(let offset, let bytes):
                let end = index < sizesKept ? max(image.count, offset + bytes.count) : image.count
                Self.resize(&image, to: end)
                for (sector, part) in Self.sectors(of: bytes, at: offset) where writesKept[sector] > 0 {
                    writesKept[sector] -= 1
                    guard part.lowerBound < end else { continue }
                    let inside = part.clamped(to: 0..<end)
                    image.replaceSubrange(inside, with: Self.part(inside, of: bytes, at: offset))
                }
            }
        }
        return Inode(path, stored: image, pool: pool)
    }

    /// How many of the pending writes each sector has.
    private var writesPerSector: [Int] {
        var counts: [Int] = []
        for case .write(let offset, let bytes) in pending {
            for (sector, _) in Self.sectors(of: bytes, at: offset) {
                if counts.count <= sector { counts += repeatElement(0, count: sector + 1 - counts.count) }
                counts[sector] += 1
            }
        }
        return counts
    }

    /// The same file, in the same state.
    func copy() -> Inode {
        let copy = Inode(path, stored: stored, pool: pool)
        (copy.size, copy.pending, copy.unreadablePages) = (size, pending, unreadablePages)
        if let cacheIfUsed {
            let cache = PageCache(pool: pool)
            cache.write(UnsafeRawBufferPointer(rebasing: cacheIfUsed.bytes[..<size]), at: 0)
            copy.cacheIfUsed = cache
        }
        return copy
    }

    /// The same file with everything in it durable.
    func durableCopy() -> Inode { Inode(path, stored: contents, pool: pool) }

    /// Changes bytes where they rest.
    func overwrite(at offset: Int, with bytes: [UInt8]) {
        let end = offset + bytes.count
        if stored.count < end { Self.resize(&stored, to: end) }
        stored.replaceSubrange(offset..<end, with: bytes)
        cacheIfUsed?.write(bytes, at: offset)
        size = max(size, end)
    }

    /// Lets the cache show what another place of the disk holds, until it is dropped.
    func misdirect(to bytes: [UInt8], at offset: Int) { cache.write(bytes, at: offset) }

    func makeUnreadable(page: Int) {
        unreadablePages.append(page)
        cacheIfUsed?.makeUnreadable(page: page)
    }

    private static func apply(_ change: Change, to image: inout [UInt8]) {
        switch change {
        case .resize(let size): resize(&image, to: size)
        case .write(let offset, let bytes):
            let end = offset + bytes.count
            if image.count < end { resize(&image, to: end) }
            image.replaceSubrange(offset..<end, with: bytes)
        }
    }

    private static func resize(_ image: inout [UInt8], to size: Int) {
        if size < image.count {
            image.removeLast(image.count - size)
        } else if size > image.count {
            image.append(contentsOf: repeatElement(0, count: size - image.count))
        }
    }

    /// The sectors that a write touches, and which part of the file it writes in each.
    private static func sectors(of bytes: [UInt8], at offset: Int) -> some Sequence<(sector: Int, part: Range<Int>)> {
        (offset / sectorBytes...(offset + bytes.count - 1) / sectorBytes).lazy.map { sector in
            (sector, (sector * sectorBytes..<(sector + 1) * sectorBytes).clamped(to: offset..<offset + bytes.count))
        }
    }

    private static func part(_ range: Range<Int>, of bytes: [UInt8], at offset: Int) -> [UInt8] {
        Array(bytes[range.lowerBound - offset..<range.upperBound - offset])
    }
}

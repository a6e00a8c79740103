import Base

/// Adds up what the superblocks of a log hold: which records there are, which of them count, and what is damaged.
struct LogSurvey: ~Copyable {
    private struct Suspect {
        let header: RecordHeader
        let key: IndexKey?
        let id: ChunkID?
    }

    private var replay = LogReplay()
    private var reports: [StoreReport.SuperblockReport] = []
    private var stretches: [(superblock: UInt32, range: Range<Int>)] = []
    private var payloads: [Suspect] = []
    private var unreadable: [StoreReport.Damage] = []
    private var unfinishedBytes = 0
    /// Superblocks that records say are gone: files that are still there are waste.
    private(set) var removed = RangeSet<UInt32>()

    /// - Parameters:
    ///   - onRecord: is called for every record whose head is whole.
    ///   - onProgress: gets the place in the file that reading has come to.
    mutating func read(
        _ superblock: Superblock, _ depth: LogVerifier.Depth, _ onRecord: (RecordHeader, IndexKey?) -> Void,
        onProgress: (Int) -> Void
    ) {
        let size = (try? superblock.file.size()) ?? 0
        var report = StoreReport.SuperblockReport(number: superblock.number, sizeBytes: size)
        var damagedRanges: [Range<Int>] = []
        var suspects: [Suspect] = []
        replay.add(superblock)
        let reader = LogReader(
            superblock, SuperblockHeader.recordsOffset..<max(size, SuperblockHeader.recordsOffset), depth: depth)
        while !reader.isAtEnd {
            reader.readPiece { finding in
                switch finding {
                case .whole(let header, let key):
                    report.count(header)
                    onRecord(header, key)
                    if header.kind == .removal { removed.formUnion(superblock.removedNumbers(header)) }
                    if let key { replay.apply(header, key) }
                case .damagedPayload(let header, let id, let key):
                    suspects.append(Suspect(header: header, key: key, id: id))
                case .damagedStretch(let range): damagedRanges.append(range)
                }
            }
            onProgress(reader.offset)
        }
        settle(superblock, suspects, damagedRanges, vouchedEnd: reader.announcedEnd, &report, onRecord)
        reports.append(report)
    }

    /// What no record vouches for is a write that was never finished; the rest is damage.
    private mutating func settle(
        _ superblock: Superblock, _ suspects: [Suspect], _ damagedRanges: [Range<Int>], vouchedEnd: Int,
        _ report: inout StoreReport.SuperblockReport, _ onRecord: (RecordHeader, IndexKey?) -> Void
    ) {
        for suspect in suspects {
            guard suspect.header.range.upperBound <= vouchedEnd else {
                unfinishedBytes += suspect.header.length
                continue
            }
            report.count(suspect.header)
            report.countDamaged(suspect.header.length)
            onRecord(suspect.header, suspect.key)
            if let key = suspect.key { replay.apply(suspect.header, key) }
            payloads.append(suspect)
        }
        for range in damagedRanges {
            if range.lowerBound < vouchedEnd {
                report.countDamaged(range.count)
                stretches.append((superblock.number, range))
            } else if !superblock.isZero(range) {
                unfinishedBytes += range.count
            }
        }
    }

    mutating func noteUnreadable(_ number: UInt32, _ sizeBytes: Int, _ reason: String) {
        reports.append(StoreReport.SuperblockReport(number: number, sizeBytes: sizeBytes))
        unreadable.append(
            StoreReport.Damage(
                kind: .superblock, superblock: number, offset: 0, sizeBytes: sizeBytes, chunk: nil, isCurrent: true,
                detail: reason))
    }

    /// There is no file of that number.
    mutating func noteMissing(_ number: UInt32) {
        guard !removed.contains(number) else { return }
        unreadable.append(
            StoreReport.Damage(
                kind: .lost, superblock: number, offset: 0, sizeBytes: 0, chunk: nil, isCurrent: true,
                detail: "the file is missing, and nothing says that it was removed"))
    }

    consuming func finish() -> LogReplay.Tables { replay.finish() }

    /// - Parameter memory: what a node found damaged when it ran.
    consuming func finish(_ report: inout StoreReport, _ memory: ScrubMemory?) {
        let (reports, stretches, payloads, unreadable) = (reports, stretches, payloads, unreadable)
        report.unfinishedBytes = unfinishedBytes
        report.lastScrubFinishedAt = memory?.lastFinishedAt
        let tables = replay.finish()
        report.superblocks = Self.withLive(reports, tables).sorted { $0.number < $1.number }
        report.chunkCount = tables.chunks.count
        tables.chunks.forEach { report.chunkBytes += Int($0.payloadLength) }
        report.damage = unreadable + stretches.map(Self.damage) + payloads.map { Self.damage($0, tables) }
        for chunk in memory?.damagedChunks ?? [] {
            let isKnown = report.damage.contains { $0.superblock == chunk.superblock && $0.offset == chunk.offset }
            guard !isKnown, let key = IndexKey(hex: chunk.key),
                let entry = tables.chunks.entry(key, superblock: chunk.superblock, offset: chunk.offset)
            else { continue }
            report.damage.append(
                StoreReport.Damage(
                    kind: .quarantined, superblock: chunk.superblock, offset: chunk.offset,
                    sizeBytes: entry.recordLength, chunk: chunk.id, isCurrent: true,
                    detail: "found damaged by the node, which does not serve it until it is stored again"))
        }
        report.damage.sort { ($0.superblock, $0.offset) < ($1.superblock, $1.offset) }
    }

    private static func withLive(
        _ reports: [StoreReport.SuperblockReport], _ tables: borrowing LogReplay.Tables
    ) -> [StoreReport.SuperblockReport] {
        var reports = reports
        var indices: [UInt32: Int] = [:]
        for (index, report) in reports.enumerated() { indices[report.number] = index }
        let count: (IndexEntry) -> Void = { entry in
            if let index = indices[entry.superblock] { reports[index].countLive(entry.recordLength) }
        }
        tables.chunks.forEach(count)
        tables.acceptors.forEach(count)
        return reports
    }

    private static func damage(_ stretch: (superblock: UInt32, range: Range<Int>)) -> StoreReport.Damage {
        StoreReport.Damage(
            kind: .stretch, superblock: stretch.superblock, offset: stretch.range.lowerBound,
            sizeBytes: stretch.range.count, chunk: nil, isCurrent: true, detail: "no record can be read here")
    }

    private static func damage(_ suspect: Suspect, _ tables: borrowing LogReplay.Tables) -> StoreReport.Damage {
        let place = suspect.header.place
        let isCurrent =
            suspect.key.map { tables.chunks.entry($0, superblock: place.superblock, offset: place.offset) != nil }
            ?? false
        return StoreReport.Damage(
            kind: .payload, superblock: place.superblock, offset: place.offset, sizeBytes: suspect.header.length,
            chunk: suspect.id, isCurrent: isCurrent,
            detail: isCurrent
                ? "the chunk's bytes are not what was stored" : "a record that does not count any more is damaged")
    }
}

extension Superblock {
    /// Whether there is nothing but zeros: space that was reserved ahead.
    fileprivate func isZero(_ range: Range<Int>) -> Bool {
        let step = 64 * ByteCount.kibibyte
        return stride(from: range.lowerBound, to: range.upperBound, by: step).allSatisfy { start in
            let end = min(start + step, range.upperBound)
            return withHead(at: start, length: end - start) { $0.allSatisfy { $0 == 0 } } ?? false
        }
    }
}

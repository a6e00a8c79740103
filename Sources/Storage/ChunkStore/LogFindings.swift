import Base

/// What the next piece of a superblock turned out to hold.
struct LogFindings {
    /// Whole chunk records.
    private(set) var chunks: [(key: IndexKey, offset: Int)] = []
    private(set) var damagedRecords: [(header: RecordHeader, id: ChunkID?, key: IndexKey)] = []
    private(set) var damagedStretches: [Range<Int>] = []

    init(_ reader: LogReader, byteCount: Int) {
        reader.readPiece(byteCount) { finding in
            switch finding {
            case .whole(let header, let key?) where header.kind == .chunk: chunks.append((key, header.place.offset))
            case .whole: break
            case .damagedPayload(let header, let id, let key):
                if let key { damagedRecords.append((header, id, key)) }
            case .damagedStretch(let range): damagedStretches.append(range)
            }
        }
    }
}

extension Superblock {
    /// Whether a stretch that was found damaged still is when it is read once more: a disk, or the way from it, may
    /// also have had a bad moment.
    func isStillDamaged(_ range: Range<Int>) -> Bool {
        let reader = LogReader(self, range)
        var isDamaged = false
        while !reader.isAtEnd {
            reader.readPiece { finding in
                if case .whole = finding { return }
                isDamaged = true
            }
        }
        return isDamaged
    }
}

extension RecordHeader {
    /// The whole record with its padding.
    var range: Range<Int> { place.offset..<place.offset + length }
}

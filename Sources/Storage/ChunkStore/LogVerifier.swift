import Base
import Digests

/// Judges the records of a superblock from its bytes alone, handed over from front to back in pieces of any size. No
/// I/O: ``offset`` tells whoever reads the file where to read on.
///
/// Invariants:
/// - Everything before ``offset`` is judged, but for what begins at ``resumeOffset``.
/// - Each record is reported once, and so is each stretch in which no record can be read.
struct LogVerifier: ~Copyable {
    /// How much of each record is looked at.
    enum Depth {
        /// Header, id and metadata; the payload is passed over.
        case heads
        /// The payload too, against its CRC-32C and its SHA-256.
        case payloads
    }

    enum Finding {
        /// The record is as it was written. The key is its id's; nil for records without one.
        case whole(RecordHeader, IndexKey?)
        /// The head is whole, the payload is not, or the disk does not give it.
        case damagedPayload(RecordHeader, ChunkID?, IndexKey?)
        /// No record can be read here.
        case damagedStretch(Range<Int>)
    }

    typealias Report = (Finding) -> Void

    /// Where the next byte to be handed over stands.
    private(set) var offset: Int
    /// How far records say that the file was durable.
    private(set) var announcedEnd = SuperblockHeader.recordsOffset

    private let number: UInt32
    private let salt: UInt64
    private let end: Int
    private let depth: Depth
    /// Bytes from `headStart` to `offset` that are no whole head yet; empty while a payload is under way.
    private var head: [UInt8] = []
    private var headStart: Int
    /// How many of them it takes to judge, as far as is known.
    private var headNeeded = RecordHeader.byteCount
    private var stretchStart: Int?
    private var payload: Payload?
    private var hash = SHA256()

    /// A payload that is being read.
    private struct Payload {
        let header: RecordHeader
        let key: IndexKey?
        let id: ChunkID?
        /// Bytes up to the next record, padding included, and those of them that are the payload's own.
        var remaining: Int
        var leadingPadding: Int
        var contentRemaining: Int
        var crc: UInt32 = 0
        var isReadable = true
    }

    /// - Parameter range: where to begin, at a record, and where the log ends.
    init(_ superblock: Superblock, _ range: Range<Int>, depth: Depth) {
        number = superblock.number
        salt = superblock.salt
        offset = range.lowerBound
        headStart = range.lowerBound
        end = range.upperBound
        self.depth = depth
    }

    var isAtEnd: Bool { offset >= end }

    /// Where a verifier begins that is to go on from here: the record or the stretch that is not judged yet.
    var resumeOffset: Int { payload?.header.place.offset ?? stretchStart ?? headStart }

    /// Takes the bytes at ``offset``.
    mutating func take(_ bytes: UnsafeRawBufferPointer, _ report: Report) {
        absorb(UnsafeRawBufferPointer(rebasing: bytes[..<min(bytes.count, max(0, end - offset))]), report)
        passOverPayload(report)
    }

    /// The disk does not give the next `count` bytes.
    mutating func skipUnreadable(_ count: Int, _ report: Report) {
        let target = min(offset + count, end)
        if var current = payload {
            let inPayload = min(current.remaining, target - offset)
            // Padding that cannot be read takes nothing from the record.
            if inPayload > current.leadingPadding, current.contentRemaining > 0 { current.isReadable = false }
            advance(&current, by: inPayload)
            payload = current
            finishPayloadIfDone(report)
        }
        guard payload == nil, offset < target else { return }
        stretchStart = stretchStart ?? headStart
        resetHead()
        headStart = min(RecordHeader.aligned(target), end)
        offset = headStart
    }

    /// There is nothing more: what is not a whole record by now is none.
    mutating func finish(_ report: Report) {
        if let payload { report(.damagedPayload(payload.header, payload.id, payload.key)) }
        payload = nil
        let start = stretchStart ?? headStart
        if start < end { report(.damagedStretch(start..<end)) }
        (stretchStart, headStart, offset) = (nil, end, end)
        resetHead()
    }

    private mutating func resetHead() {
        head.removeAll(keepingCapacity: true)
        headNeeded = RecordHeader.byteCount
    }

    private mutating func absorb(_ bytes: UnsafeRawBufferPointer, _ report: Report) {
        var rest = bytes
        while rest.count > 0 {
            if payload == nil { collect(&rest, report) } else { consume(&rest, report) }
        }
    }

    private mutating func collect(_ rest: inout UnsafeRawBufferPointer, _ report: Report) {
        let count = min(rest.count, headNeeded - head.count)
        head.append(contentsOf: rest[..<count])
        offset += count
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        if head.count == headNeeded { judgeHead(report) }
    }

    private enum HeadVerdict {
        case incomplete(needed: Int)
        case noRecord
        case record(RecordHeader, IndexKey?, ChunkID?)
    }

    private mutating func judgeHead(_ report: Report) {
        var start = 0
        while true {
            switch verdict(from: start) {
            case .incomplete(let needed):
                head.removeFirst(start)
                headStart += start
                headNeeded = needed
                return
            case .noRecord:
                stretchStart = stretchStart ?? (headStart + start)
                start += RecordHeader.alignment
            case .record(let header, let key, let id):
                // Collected for a head that was none: the payload's, and perhaps the next record's.
                let behind = Array(head[(start + header.headLength)...])
                resetHead()
                offset -= behind.count
                begin(header, key, id, report)
                return behind.withUnsafeBytes { absorb($0, report) }
            }
        }
    }

    private func verdict(from start: Int) -> HeadVerdict {
        head.withUnsafeBytes { bytes in
            guard bytes.count - start >= RecordHeader.byteCount else {
                return .incomplete(needed: RecordHeader.byteCount)
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let length = RecordHeader.headLength(of: rest) else { return .noRecord }
            // Past the end no byte will come.
            guard headStart + start + length <= end else { return .noRecord }
            guard rest.count >= length else { return .incomplete(needed: length) }
            let candidate = UnsafeRawBufferPointer(rebasing: rest[..<length])
            let place = RecordPlace(superblock: number, salt: salt, offset: headStart + start)
            guard case .header(let header) = RecordHeader.decode(candidate, at: place),
                place.offset + header.length <= end
            else { return .noRecord }
            guard let idBytes = RecordHeader.idBytes(in: candidate) else { return .record(header, nil, nil) }
            return .record(
                header, IndexKey(idBytes: idBytes), ChunkID(String(decoding: idBytes, as: UTF8.self)))
        }
    }

    private mutating func begin(_ header: RecordHeader, _ key: IndexKey?, _ id: ChunkID?, _ report: Report) {
        if let start = stretchStart { report(.damagedStretch(start..<header.place.offset)) }
        stretchStart = nil
        announcedEnd = max(announcedEnd, header.vouchedEnd)
        payload = Payload(
            header: header, key: key, id: id, remaining: header.length - header.headLength,
            leadingPadding: header.payloadOffset - header.headLength, contentRemaining: header.payloadLength)
        finishPayloadIfDone(report)
    }

    private mutating func consume(_ rest: inout UnsafeRawBufferPointer, _ report: Report) {
        guard var current = payload else { return }
        let count = min(rest.count, current.remaining)
        if isJudged(current.header) {
            let start = min(count, current.leadingPadding)
            let content = UnsafeRawBufferPointer(
                rebasing: rest[start..<min(count, start + current.contentRemaining)])
            hash.update(content)
            current.crc = CRC32C.checksum(content, continuing: current.crc)
        }
        advance(&current, by: count)
        payload = current
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        finishPayloadIfDone(report)
    }

    private mutating func advance(_ current: inout Payload, by count: Int) {
        let padding = min(count, current.leadingPadding)
        current.leadingPadding -= padding
        current.contentRemaining -= min(count - padding, current.contentRemaining)
        current.remaining -= count
        offset += count
    }

    /// Where payloads are not looked at, nothing of them needs to be read.
    private mutating func passOverPayload(_ report: Report) {
        guard var current = payload, !isJudged(current.header) else { return }
        advance(&current, by: current.remaining)
        payload = current
        finishPayloadIfDone(report)
    }

    private mutating func finishPayloadIfDone(_ report: Report) {
        guard let done = payload, done.remaining == 0 else { return }
        payload = nil
        headStart = offset
        guard isJudged(done.header) else { return report(.whole(done.header, done.key)) }
        let checksum = hash.finish()
        let isWhole = done.isReadable && done.crc == done.header.payloadCRC && checksum == done.header.checksum
        report(isWhole ? .whole(done.header, done.key) : .damagedPayload(done.header, done.id, done.key))
    }

    /// A void record's payload is whatever lies there.
    private func isJudged(_ header: RecordHeader) -> Bool { depth == .payloads && header.kind != .void }
}

extension RecordHeader {
    /// Up to where the record vouches for the file. A marker, a void record without payload, vouches for itself too.
    var vouchedEnd: Int {
        let isMarker = kind == .void && payloadLength == 0 && durableOffset == place.offset
        return isMarker ? place.offset + length : durableOffset
    }
}

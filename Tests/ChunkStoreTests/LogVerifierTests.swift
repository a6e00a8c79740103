import Base
import Foundation
import SimulatedDisk
import Synchronization
import Testing

@testable import ChunkStore

/// A superblock's content as a verifier takes it, and what it says.
private struct Log {
    let superblock: Superblock
    let content: [UInt8]
    let end: Int

    init(_ system: FaultyFileSystem, end: Int) throws {
        let files = SuperblockFiles(directory: "/store", options: .small, fileSystem: system)
        superblock = try files.open(1).superblock
        content = system.contents(firstSuperblock)
        self.end = end
    }

    /// `refused`: offsets of pages that the disk does not give.
    func findings(
        pieces: Int, depth: LogVerifier.Depth = .payloads, flipping flipped: Int? = nil, refused: Set<Int> = []
    ) -> [String] {
        var bytes = content
        if let flipped { bytes[flipped] ^= 0x10 }
        var verifier = LogVerifier(superblock, SuperblockHeader.recordsOffset..<end, depth: depth)
        var found: [String] = []
        let report: LogVerifier.Report = { found.append(Self.words($0)) }
        while !verifier.isAtEnd {
            let page = verifier.offset / 4096 * 4096
            if refused.contains(page) {
                verifier.skipUnreadable(page + 4096 - verifier.offset, report)
            } else {
                let piece = min(end, verifier.offset + pieces, refused.isEmpty ? end : page + 4096)
                bytes[verifier.offset..<piece].withUnsafeBytes { verifier.take($0, report) }
            }
        }
        verifier.finish(report)
        return found
    }

    private static func words(_ finding: LogVerifier.Finding) -> String {
        switch finding {
        case .whole(let header, _): "whole \(header.place.offset)"
        case .damagedPayload(let header, let id, _): "payload \(header.place.offset) \(id?.description ?? "")"
        case .damagedStretch(let range): "stretch \(range.lowerBound) \(range.upperBound)"
        }
    }
}

@Suite("Judging a log from its bytes")
struct LogVerifierTests {
    /// Chunks, a tombstone and a marker in one superblock, and where each record begins.
    private func log(_ sizes: [Int]) async throws -> (Log, offsets: [Int]) {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        var offsets: [Int] = []
        func note() throws { offsets.append(try #require(store.state.withLock { $0.tails[1]?.end })) }
        for (number, count) in sizes.enumerated() {
            try note()
            _ = try await store.put(chunkID("c\(number)"), bytes(count, seed: UInt64(number)))
        }
        try note()
        _ = try await store.delete(chunkID("c0"))
        try note()
        store.close()
        let end = offsets[offsets.count - 1] + RecordHeader.byteCount
        return (try Log(system, end: end), offsets)
    }

    @Test("every record of a whole log is whole, in pieces of any size, with its payload or without")
    func wholeLog() async throws {
        let (log, offsets) = try await log([1, 64, 1000, 9000, 63, 65])
        let expected = offsets.map { "whole \($0)" }
        for pieces in [1, 7, 64, 100, 129, 4096, 1 << 20] {
            #expect(log.findings(pieces: pieces) == expected, "\(pieces)")
            #expect(log.findings(pieces: pieces, depth: .heads) == expected, "\(pieces)")
        }
    }

    @Test("a changed byte costs its record, and no other")
    func changedByte() async throws {
        let (log, offsets) = try await log([200, 90])
        let expected = offsets.map { "whole \($0)" }
        let head = RecordHeader.byteCount + 2
        for flipped in offsets[0]..<offsets[2] {
            let record = flipped < offsets[1] ? 0 : 1
            let start = offsets[record]
            let payload = RecordHeader.payloadOffset(idLength: 2, metadataLength: 0)
            var wanted = expected
            switch flipped - start {
            case 0..<head: wanted[record] = "stretch \(start) \(offsets[record + 1])"
            case payload..<payload + (record == 0 ? 200 : 90): wanted[record] = "payload \(start) c\(record)"
            default: break  // Padding is nobody's.
            }
            #expect(log.findings(pieces: 333, flipping: flipped) == wanted, "\(flipped)")
        }
    }

    @Test("a head that claims too much is no head, and the records it claims are found")
    func greedyHead() async throws {
        let (log, offsets) = try await log([200, 90, 10, 10])
        // The id's length, and the metadata's: up to the largest that a head may have.
        for field in [12, 14, 15] {
            let found = log.findings(pieces: 50, flipping: offsets[0] + field)
            #expect(found.first == "stretch \(offsets[0]) \(offsets[1])")
            #expect(Array(found.dropFirst()) == offsets.dropFirst().map { "whole \($0)" })
        }
    }

    @Test("a page that the disk refuses costs the records in it, and no others")
    func refusedPage() async throws {
        let (log, offsets) = try await log([3000, 9000, 200, 3000])
        for page in stride(from: 8192, to: log.end, by: 4096) {
            let found = log.findings(pieces: 4096, refused: [page])
            let lost = zip(offsets, offsets.dropFirst() + [log.end]).filter { $0 < page + 4096 && $1 > page }
            let intact = offsets.filter { offset in !lost.contains { $0.0 == offset } }
            let whole = Set(found.filter { $0.hasPrefix("whole") })
            // Only padding may be lost without harm.
            #expect(whole.isSuperset(of: intact.map { "whole \($0)" }), "\(page): \(found)")
            #expect(whole.count < offsets.count, "\(page): \(found)")
        }
    }

    @Test("it can be told to go on from where another stopped")
    func resuming() async throws {
        let (log, offsets) = try await log([200, 9000, 10])
        for stop in stride(from: offsets[0], to: log.end, by: 97) {
            var first = LogVerifier(log.superblock, offsets[0]..<log.end, depth: .payloads)
            var found: [Int] = []
            let report: LogVerifier.Report = {
                if case .whole(let header, _) = $0 { found.append(header.place.offset) }
            }
            log.content[offsets[0]..<stop].withUnsafeBytes { first.take($0, report) }
            var second = LogVerifier(log.superblock, first.resumeOffset..<log.end, depth: .payloads)
            log.content[first.resumeOffset..<log.end].withUnsafeBytes { second.take($0, report) }
            second.finish(report)
            #expect(found == offsets, "\(stop)")
        }
    }
}

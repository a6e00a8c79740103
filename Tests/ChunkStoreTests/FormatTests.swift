import Base
import ChunkPaxos
import Digests
import Foundation
import SimulatedDisk
import Testing

@testable import ChunkStore

/// The format as `docs/formats/superblock.md` has it, read and judged without the store's own decoder.
@Suite("The format on disk")
struct FormatTests {
    private func number(_ bytes: [UInt8], _ offset: Int, _ length: Int) -> UInt64 {
        (0..<length).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
    }

    private func crc(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
        Array(bytes[range]).withUnsafeBytes { UInt64(CRC32C.checksum($0)) }
    }

    @Test("file header and records stand where the document says")
    func layout() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        let content = bytes(100, seed: 3)
        _ = try await store.put(chunkID("abc"), content, acceptance: accepted(0, 0xabcdef, "the value"))
        _ = try await store.delete(chunkID("abc"))
        store.close()
        let file = system.contents(firstSuperblock)

        #expect(Array(file[..<8]) == Array("VSTKSBLK".utf8))
        #expect(number(file, 8, 4) == 1 && number(file, 12, 4) == 1)
        #expect(file[16..<32].map { String(format: "%02x", $0) }.joined() == store.id.description)
        #expect(number(file, 60, 4) == crc(file, 0..<60))
        #expect(Array(file[4096..<4160]) == Array(file[..<64]))

        // Version 0, one member: a node whose name has 6 bytes, and no identity.
        let configuration: [UInt8] = [0, 0, 0, 0, 1, 6] + Array("node-1".utf8) + [0]
        let chunk = 8192
        #expect(Array(file[chunk..<chunk + 4]) == Array("VREC".utf8))
        #expect(number(file, chunk + 4, 4) == crc(file, chunk + 8..<chunk + 128 + 3 + 9 + 13))
        #expect(Array(file[chunk + 8..<chunk + 12]) == [1, 1, 3, 0])
        #expect(number(file, chunk + 12, 2) == 3 && number(file, chunk + 14, 2) == 9 + 13)
        #expect(number(file, chunk + 16, 4) == 100 && number(file, chunk + 20, 4) == 1)
        #expect(number(file, chunk + 24, 8) == 1 && number(file, chunk + 32, 8) == 8192)
        #expect(number(file, chunk + 48, 8) == 0xabcdef && number(file, chunk + 56, 8) == 0xabcdef)
        #expect(number(file, chunk + 64, 8) == 0)
        #expect(Array(file[chunk + 72..<chunk + 104]) == SHA256.digest(of: content).withUnsafeBytes(Array.init))
        #expect(number(file, chunk + 104, 4) == crc(content, 0..<100))
        #expect(number(file, chunk + 108, 4) == 13)
        #expect(number(file, chunk + 112, 8) == number(file, 40, 8) && number(file, chunk + 120, 8) == 8192)
        #expect(Array(file[chunk + 128..<chunk + 140]) == Array("abcthe value".utf8))
        #expect(Array(file[chunk + 140..<chunk + 153]) == configuration)
        #expect(file[chunk + 153..<chunk + 192].allSatisfy { $0 == 0 })
        #expect(Array(file[chunk + 192..<chunk + 292]) == content)
        #expect(file[chunk + 292..<chunk + 320].allSatisfy { $0 == 0 })

        let tombstone = chunk + 320
        #expect(file[tombstone + 9] == 2 && file[tombstone + 10] == 3)
        #expect(number(file, tombstone + 24, 8) == 2 && number(file, tombstone + 32, 8) == UInt64(tombstone))
        #expect(Array(file[tombstone + 128..<tombstone + 153]) == Array("abcthe value".utf8) + configuration)

        let marker = tombstone + 192
        #expect(file[marker + 9] == 4 && number(file, marker + 16, 4) == 0)
        #expect(number(file, marker + 32, 8) == UInt64(marker))
        #expect(file.count == marker + 128)
    }

    @Test("any bytes at all are a record or are not; none of them is a crash")
    func anyBytes() {
        var random = SplitMix(seed: 11)
        let place = RecordPlace(superblock: 1, salt: 7, offset: 8192)
        for _ in 0..<20_000 {
            var head = bytes(256, seed: random.next())
            head.replaceSubrange(0..<4, with: Array("VREC".utf8))
            // Small lengths, or none would get past the first look.
            head.replaceSubrange(12..<16, with: [UInt8(random.below(70)), 0, UInt8(random.below(80)), 0])
            head.withUnsafeBytes { bytes in
                guard let length = RecordHeader.headLength(of: bytes), length <= bytes.count else { return }
                let decoded = RecordHeader.decode(UnsafeRawBufferPointer(rebasing: bytes[..<length]), at: place)
                if case .header = decoded { Issue.record("random bytes passed for a record") }
            }
        }
    }

    @Test("records and files of a newer format are named, not skipped")
    func newerFormat() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        _ = try await store.put(chunkID("a"), [1])
        store.close()
        var file = system.contents(firstSuperblock)
        file[8192 + 8] = 2
        let recordCRC = UInt32(crc(file, 8200..<8192 + 129))
        file.withUnsafeMutableBytes { $0.storeLittleEndian(recordCRC, at: 8196) }
        let newerRecord = system.copy()
        newerRecord.setContents(firstSuperblock, file)
        try newerRecord.remove(checkpointPath)
        #expect(await errorCode { _ = try openMemory(newerRecord) } == .unreadable)

        var header = system.contents(firstSuperblock)
        for copy in [0, 4096] {
            header[copy + 8] = 2
            let headerCRC = UInt32(crc(header, copy..<copy + 60))
            header.withUnsafeMutableBytes { $0.storeLittleEndian(headerCRC, at: copy + 60) }
        }
        let newerFile = system.copy()
        newerFile.setContents(firstSuperblock, header)
        #expect(await errorCode { _ = try openMemory(newerFile) } == .unreadable)
    }
}

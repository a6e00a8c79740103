import Base
import Catalog
import Digests
import Placement
import Testing

@testable import Metadata

@Suite("Records of the journal")
struct JournalRecordTests {
    private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

    @Test("a record comes back from its parts, whatever the size of a chunk", arguments: [0, 1, 100, 1000, 4321])
    func roundTrip(_ count: Int) throws {
        let record = bytes(count)
        for chunkBytesMax in [66, 100, 1000, 1 << 20] {
            let parts = try JournalPart.split(record, chunkBytesMax: chunkBytesMax)
            #expect(parts.allSatisfy { $0.encoded.count <= chunkBytesMax })
            let decoded = try parts.map { try JournalPart(decoding: $0.encoded) }
            #expect(JournalPart.join(decoded) == record)
        }
    }

    @Test("parts that are missing, doubled, in another order, or of another record make none")
    func wrongParts() throws {
        let parts = try JournalPart.split(bytes(300), chunkBytesMax: 164)
        #expect(parts.count == 3)
        let others = try JournalPart.split(bytes(299), chunkBytesMax: 164)
        #expect(JournalPart.join([]) == nil)
        #expect(JournalPart.join(Array(parts.prefix(2))) == nil)
        #expect(JournalPart.join([parts[0], parts[0], parts[2]]) == nil)
        #expect(JournalPart.join(parts.reversed()) == nil)
        #expect(JournalPart.join([parts[0], others[1], parts[2]]) == nil)
    }

    @Test("a record that needs too many chunks is refused")
    func tooLarge() {
        #expect(throws: Failure.self) {
            try JournalPart.split(bytes(2 * JournalPart.countMax + 1), chunkBytesMax: JournalPart.headerByteCount + 1)
        }
    }

    @Test("no change of a part's bytes is taken for the part, and none traps")
    func damage() throws {
        let part = try JournalPart.split(bytes(50), chunkBytesMax: 1000)[0]
        let encoded = part.encoded
        for index in encoded.indices {
            for flip in [UInt8(1), 0x80, 0xff] {
                var damaged = encoded
                damaged[index] ^= flip
                if (20..<24).contains(index) { continue }  // not in use
                let decoded = try? JournalPart(decoding: damaged)
                #expect(decoded.flatMap { JournalPart.join([$0]) } == nil, "byte \(index)")
            }
        }
        for count in 0..<encoded.count {
            let decoded = try? JournalPart(decoding: Array(encoded.prefix(count)))
            #expect(decoded.flatMap { JournalPart.join([$0]) } == nil, "\(count) bytes")
        }
    }

    @Test("facts come back as they were, to the last digit")
    func facts() throws {
        let nodes = (1...3).compactMap { NodeID("node-\($0)") }
        for status in [Video.Status.uploading, .active, .failed, nil] {
            let facts = JournalFacts(
                id: VideoID(), title: "Ein „Film“ \u{1F3AC}\n", filename: nil, durationSec: 0.1 + 0.2, status: status,
                error: status == .failed ? "why" : nil, group: PlacementGroup(members: nodes), creator: .max - 1,
                createdAt: Timestamp(nanoseconds: 1_700_000_000_123_456_789), viewCount: 12_345_678_901,
                streams: [StreamExtent(stream: .source, chunkCount: 2, sizeBytes: 3, sequenceEnd: 4)], revision: 7)
            let members = nodes.map {
                Node(
                    id: $0, url: "http://\($0)", version: "1", lastHeartbeat: Timestamp(nanoseconds: 0),
                    report: NodeReport())
            }
            let record = FactsRecord(facts, members: members, publication: 3..<5)
            let read = try FactsRecord(encoded: try record.encoded())
            #expect(read == record && read.publication?.chunks == 3..<5)
            #expect(try read.facts() == facts)
        }
    }

    @Test("facts that contradict themselves are refused")
    func contradictions() throws {
        let nodes = (1...3).compactMap { NodeID("node-\($0)") }
        let facts = JournalFacts(
            id: VideoID(), title: "T", filename: nil, durationSec: 1, status: .active, error: nil,
            group: PlacementGroup(members: nodes), creator: 1, createdAt: Timestamp(nanoseconds: 0), viewCount: 0,
            streams: [], revision: 1)
        let record = FactsRecord(facts, members: [], publication: 0..<0)
        #expect(throws: Failure.self) { try record.facts() }
    }
}

@Suite("When the journal is written")
struct JournalScheduleTests {
    private let start = ContinuousClock.now
    private let pace = JournalKeeper.Pace(
        patience: .zero, retry: .seconds(2), retryMax: .seconds(7), counters: .seconds(30), healing: .seconds(20))

    @Test("what was promised at once, counters after their time")
    func urgencies() {
        var schedule = JournalSchedule(pace: pace, now: start)
        #expect(schedule.due(now: start) == JournalSchedule.Due(urgency: .prompt, isHealing: true))
        schedule.onHealed(now: start)
        schedule.onPass(.prompt, failures: 0, now: start)
        #expect(schedule.due(now: start + .seconds(19)) == JournalSchedule.Due(urgency: .prompt, isHealing: false))
        #expect(schedule.due(now: start + .seconds(30)) == JournalSchedule.Due(urgency: .counters, isHealing: true))
        schedule.onPass(.counters, failures: 0, now: start + .seconds(30))
        #expect(schedule.due(now: start + .seconds(59)).urgency == .prompt)
        #expect(schedule.due(now: start + .seconds(60)).urgency == .counters)
    }

    @Test("failures make it rarer up to a bound, and a node that is back ends that")
    func failures() {
        var schedule = JournalSchedule(pace: pace, now: start)
        schedule.onPass(.prompt, failures: 1, now: start)
        #expect(schedule.due(now: start + .seconds(3)).urgency == nil)
        #expect(schedule.due(now: start + .seconds(4)).urgency == .prompt)
        schedule.onPass(.prompt, failures: 1, now: start)
        #expect(schedule.due(now: start + .seconds(6)).urgency == nil)
        #expect(schedule.due(now: start + .seconds(7)).urgency == .prompt)
        schedule.onNodeBack(now: start + .seconds(1))
        #expect(schedule.due(now: start + .seconds(1)) == JournalSchedule.Due(urgency: .prompt, isHealing: true))
    }
}

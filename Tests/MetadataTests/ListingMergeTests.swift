import Base
import Catalog
import ChunkPaxos
import Digests
import Placement
import StorageNodeAPI
import Testing

@testable import Metadata

@Suite("Merging the nodes' lists")
struct ListingMergeTests {
    private func entry(_ number: Int) -> AcceptorListing.Entry {
        guard let id = ChunkID("chunk-\(number)") else { fatalError() }
        return AcceptorListing.Entry(
            chunkId: id, promisedBallot: nil, acceptedBallot: nil, acceptedValue: nil, storedChecksum: nil,
            storedSizeBytes: number)
    }

    private func sorted(_ numbers: [Int]) -> [AcceptorListing.Entry] {
        numbers.map(entry).map { (SHA256.digest(of: Array($0.chunkId.description.utf8)).hex, $0) }
            .sorted { $0.0 < $1.0 }.map(\.1)
    }

    @Test("every chunk comes once, with all who list it, whatever the pages", arguments: [1, 3, 50])
    func merges(_ pageSize: Int) throws {
        let nodes = (0..<4).compactMap { NodeID("n\($0)") }
        let lists = (0..<4).map { node in sorted((0..<100).filter { $0 % (node + 1) == 0 }) }
        var merge = ListingMerge(nodes.map { Membership.Member($0) })
        var offsets = [0, 0, 0, 0]
        var seen: [ChunkID: [NodeID]] = [:]
        while true {
            while let found = merge.next() {
                #expect(seen[found.id] == nil)
                seen[found.id] = found.entries.map(\.voter.node)
                #expect(found.entries.allSatisfy { $0.entry.chunkId == found.id })
            }
            guard let node = merge.wanted.first else { break }
            let index = try #require(nodes.firstIndex(of: node))
            let page = lists[index][offsets[index]..<min(offsets[index] + pageSize, lists[index].count)]
            offsets[index] += page.count
            try merge.onPage(of: node, Array(page), isLast: offsets[index] == lists[index].count)
        }
        #expect(seen.count == 100)
        for number in 0..<100 {
            let expected = (0..<4).filter { number % ($0 + 1) == 0 }.map { nodes[$0] }
            #expect(seen[entry(number).chunkId] == expected)
        }
    }

    @Test("nothing is said while a list may still name an earlier chunk")
    func waits() throws {
        let nodes = (0..<2).compactMap { NodeID("n\($0)") }
        var merge = ListingMerge(nodes.map { Membership.Member($0) })
        try merge.onPage(of: nodes[0], sorted([1, 2, 3]), isLast: true)
        #expect(merge.next() == nil && merge.wanted == [nodes[1]])
        try merge.onPage(of: nodes[1], [], isLast: false)
        #expect(merge.next() == nil && merge.wanted == [nodes[1]])
        try merge.onPage(of: nodes[1], [], isLast: true)
        #expect(merge.wanted.isEmpty && merge.next() != nil)
    }

    @Test("a list in another order is refused, also from one page to the next")
    func order() throws {
        let node = try #require(NodeID("n"))
        let entries = sorted([1, 2, 3])
        var merge = ListingMerge([Membership.Member(node)])
        #expect(throws: Failure.self) { try merge.onPage(of: node, entries.reversed(), isLast: true) }
        var other = ListingMerge([Membership.Member(node)])
        try other.onPage(of: node, Array(entries.suffix(1)), isLast: false)
        #expect(throws: Failure.self) { try other.onPage(of: node, Array(entries.prefix(1)), isLast: true) }
    }
}

@Suite("What the nodes' entries add up to")
struct ChunkRulingTests {
    private let nodes = (1...3).compactMap { NodeID("node-\($0)") }
    private var group: PlacementGroup { PlacementGroup(members: nodes) }
    private let video = VideoID()

    private func value(
        _ byte: UInt8 = 1, stream: ChunkStream = .source, group: String? = nil, sequence: Int = 0
    ) -> ChunkValue {
        ChunkValue(
            videoId: video, stream: stream, sequence: sequence, sizeBytes: 10, checksum: SHA256.digest(of: [byte]),
            group: group ?? self.group.id, nodes: nodes)
    }

    private func found(
        _ accepted: [(Int, UInt32, ChunkValue)], stored: [Int: UInt8] = [:], id: ChunkID? = nil
    ) throws -> ListingMerge.Found {
        let id = id ?? ChunkID(video: video, stream: .source, sequence: 0)
        let entries = try nodes.indices.compactMap {
            index -> (voter: Membership.Member, entry: AcceptorListing.Entry)? in
            let own = accepted.first { $0.0 == index }
            guard own != nil || stored[index] != nil else { return nil }
            return (
                Membership.Member(nodes[index], AcceptorID(high: 1, low: UInt64(index))),
                AcceptorListing.Entry(
                    chunkId: id, promisedBallot: nil, acceptedBallot: own.map { Ballot(round: $0.1, proposer: 9) },
                    acceptedValue: try own.map { String(decoding: try $0.2.encoded(), as: UTF8.self) },
                    storedChecksum: stored[index].map { SHA256.digest(of: [$0]) }, storedSizeBytes: 10)
            )
        }
        return (id, entries)
    }

    @Test("a majority under one ballot is chosen, and those with its bytes hold it")
    func chosen() throws {
        let two = try found([(0, 0, value()), (2, 0, value())], stored: [0: 1, 1: 2, 2: 1])
        #expect(ChunkRuling(two) == .chosen(value(), group, holders: [nodes[0], nodes[2]]))
        // A node may hold the bytes without having accepted anything.
        let plain = try found([(0, 0, value()), (2, 0, value())], stored: [0: 1, 1: 1])
        #expect(ChunkRuling(plain) == .chosen(value(), group, holders: [nodes[0], nodes[1]]))
    }

    @Test("less than that is undecided, of the highest ballot")
    func undecided() throws {
        let one = try found([(1, 0, value())], stored: [1: 1])
        #expect(ChunkRuling(one) == .undecided(value(), group, holders: [nodes[1]], acceptedBy: [nodes[1]]))
        let split = try found([(0, 0, value(1)), (1, 3, value(2))], stored: [0: 1, 1: 2])
        #expect(
            ChunkRuling(split) == .undecided(value(2), group, holders: [nodes[1]], acceptedBy: [nodes[0], nodes[1]]))
        let ballots = try found([(0, 1, value()), (1, 0, value())], stored: [0: 1, 1: 1])
        #expect(
            ChunkRuling(ballots)
                == .undecided(value(), group, holders: [nodes[0], nodes[1]], acceptedBy: [nodes[0], nodes[1]]))
    }

    @Test("bytes alone are nothing, and what contradicts itself is named")
    func nonsense() throws {
        #expect(ChunkRuling(try found([], stored: [0: 1, 1: 1, 2: 1])) == .nothing)
        func isNonsense(_ found: ListingMerge.Found) -> Bool {
            if case .nonsense = ChunkRuling(found) { true } else { false }
        }
        let foreign = value(group: "pg-0000000000000000")
        #expect(isNonsense(try found([(0, 0, foreign), (1, 0, foreign)])))
        #expect(isNonsense(try found([(0, 0, value(1)), (1, 0, value(2))])))
        let journal = value(stream: .catalog, sequence: 4)
        #expect(isNonsense(try found([(0, 0, journal), (1, 0, journal)])))
        let right = ChunkID(video: video, stream: .catalog, sequence: 4)
        #expect(!isNonsense(try found([(0, 0, journal), (1, 0, journal)], id: right)))
        var broken = try found([(0, 0, value())])
        broken.entries[0].entry = AcceptorListing.Entry(
            chunkId: broken.id, promisedBallot: nil, acceptedBallot: Ballot(round: 0, proposer: 1), acceptedValue: "{}",
            storedChecksum: nil, storedSizeBytes: nil)
        #expect(isNonsense(broken))
    }

    @Test("a node whose memory is not the one that the value names has no vote, though it may hold the bytes")
    func identities() throws {
        let acceptors = [0, 1, 7].map { AcceptorID(high: 1, low: $0) }
        let named = ChunkValue(
            videoId: video, stream: .source, sequence: 0, sizeBytes: 10, checksum: SHA256.digest(of: [1]),
            group: group.id, nodes: nodes, acceptors: acceptors)
        let both = try found([(0, 0, named), (1, 0, named)], stored: [2: 1])
        #expect(ChunkRuling(both) == .chosen(named, group, holders: [nodes[2]]))
        let wiped = try found([(0, 0, named), (2, 0, named)], stored: [0: 1])
        #expect(ChunkRuling(wiped) == .undecided(named, group, holders: [nodes[0]], acceptedBy: [nodes[0], nodes[2]]))
    }
}

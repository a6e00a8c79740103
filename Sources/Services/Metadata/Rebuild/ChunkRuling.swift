import Base
import Catalog
import ChunkPaxos
import Placement
import StorageNodeAPI

/// What the nodes' entries about one chunk add up to.
enum ChunkRuling: Equatable {
    /// A majority of the value's own group has accepted it. `holders` have its bytes, in order of id.
    case chosen(ChunkValue, PlacementGroup, holders: [NodeID])
    /// Accepted, but not by a majority under one ballot, as far as is known. The value of the highest ballot.
    case undecided(ChunkValue, PlacementGroup, holders: [NodeID], acceptedBy: [NodeID])
    /// Nobody has accepted anything: bytes that were never committed, or a promise.
    case nothing
    /// A clause that says what makes no sense.
    case nonsense(String)

    init(_ found: ListingMerge.Found) {
        let accepted = found.entries.compactMap { voter, entry in
            entry.acceptedValue.flatMap { text in entry.acceptedBallot.map { (voter: voter, ballot: $0, text: text) } }
        }
        guard let highest = accepted.max(by: { $0.ballot < $1.ballot }) else {
            self = .nothing
            return
        }
        do {
            let value = try ChunkValue(encoded: Array(highest.text.utf8))
            let group = try Self.group(of: value, found.id)
            // The value of version 0 names the very acceptors that decide it.
            var learner = Learner(membership: try value.holders())
            for one in accepted {
                let accepted = Acceptor.Accepted(ballot: one.ballot, value: Array(one.text.utf8))
                learner.onReport(one.voter, Acceptor(promised: one.ballot, accepted: accepted))
            }
            self = try Self.rule(learner.verdict, value, group, found)
        } catch {
            self = .nonsense(error.message)
        }
    }

    private static func rule(
        _ verdict: Learner.Verdict, _ highest: ChunkValue, _ group: PlacementGroup, _ found: ListingMerge.Found
    ) throws(Failure) -> ChunkRuling {
        switch verdict {
        case .chosen(let accepted, _):
            let value = try ChunkValue(encoded: accepted.value)
            return .chosen(value, group, holders: holders(of: value, group, found))
        case .conflict: throw Failure(.conflict, "two values were accepted under one ballot")
        case .undecided, .unknown, .empty, .superseded:
            let by = found.entries.filter { $0.entry.acceptedValue != nil }.map(\.voter.node)
            return .undecided(highest, group, holders: holders(of: highest, group, found), acceptedBy: by.sorted())
        }
    }

    /// The group that the value names, which is the set of its acceptors.
    private static func group(of value: ChunkValue, _ id: ChunkID) throws(Failure) -> PlacementGroup {
        let group = PlacementGroup(try value.holders())
        guard group.id == value.group else {
            throw Failure(.corrupt, "the nodes that its value names are not those of group \(value.group)")
        }
        guard value.sequence >= 0, value.sizeBytes > 0 else {
            throw Failure(.corrupt, "its value has a place or a size that cannot be")
        }
        if value.stream.isJournal {
            guard id == ChunkID(video: value.videoId, stream: value.stream, sequence: value.sequence) else {
                throw Failure(.corrupt, "its value is about another chunk of a journal")
            }
        }
        return group
    }

    private static func holders(
        of value: ChunkValue, _ group: PlacementGroup, _ found: ListingMerge.Found
    ) -> [NodeID] {
        found.entries.filter { voter, entry in
            group.members.contains(voter.node) && entry.storedChecksum == value.checksum
                && (entry.storedSizeBytes ?? value.sizeBytes) == value.sizeBytes
        }.map(\.voter.node).sorted()
    }
}

/// What one batch of chunks becomes in the catalog.
struct RestoringBatch {
    static let countMax = 1000

    private(set) var chunks: [RestoredChunk] = []
    private(set) var sightings: [JournalSighting] = []
    private(set) var problems: [ChunkProblem] = []
    private(set) var nonsense: [String] = []
    private(set) var ignoredCount = 0

    var count: Int { chunks.count + sightings.count + problems.count }

    mutating func add(_ id: ChunkID, _ ruling: ChunkRuling) {
        switch ruling {
        case .nothing: ignoredCount += 1
        case .nonsense(let reason): nonsense.append("\(id): \(reason)")
        case .chosen(let value, let group, let holders):
            if value.stream.isJournal { return addSighting(value, group, holders, isChosen: true) }
            guard !holders.isEmpty else {
                return addProblem(id, value, group, "no node that answered has its bytes")
            }
            chunks.append(
                RestoredChunk(
                    chunk: Chunk(
                        id: id, video: value.videoId, stream: value.stream, sequence: value.sequence,
                        sizeBytes: value.sizeBytes, checksum: value.checksum, redundancyMode: value.redundancyMode,
                        startSec: value.startSec, durationSec: value.durationSec, replicas: holders), group: group))
        case .undecided(let value, let group, let holders, let acceptedBy):
            if value.stream.isJournal { return addSighting(value, group, holders, isChosen: false) }
            let names = acceptedBy.map(\.description).joined(separator: ", ")
            addProblem(
                id, value, group,
                "only \(names) of the group's \(group.members.count) nodes is known to have accepted it")
        }
    }

    private mutating func addSighting(
        _ value: ChunkValue, _ group: PlacementGroup, _ holders: [NodeID], isChosen: Bool
    ) {
        sightings.append(
            JournalSighting(
                video: value.videoId, group: group, stream: value.stream, sequence: value.sequence,
                checksum: value.checksum, isChosen: isChosen, holders: holders))
    }

    private mutating func addProblem(
        _ id: ChunkID, _ value: ChunkValue, _ group: PlacementGroup, _ reason: String
    ) {
        problems.append(
            ChunkProblem(
                chunk: id, video: value.videoId, group: group, stream: value.stream, sequence: value.sequence,
                reason: reason))
    }
}

import Base
import Catalog
import ChunkPaxos
import MetadataAPI
import Placement
import StorageNodeAPI

/// What is known of a chunk that is to be committed before anybody is asked.
struct CommitContext: Sendable {
    let id: ChunkID
    let request: CommitRequest
    let stream: ChunkStream
    let terms: VideoTerms
    let members: [GroupMember]
    /// Members that the request says hold the bytes.
    let named: Set<NodeID>

    var group: PlacementGroup { terms.group }

    /// The value that the request asks for.
    var value: ChunkValue {
        ChunkValue(
            videoId: request.videoId, stream: stream, sequence: request.sequenceNum, sizeBytes: request.sizeBytes,
            checksum: request.checksum, group: group.id, nodes: group.members, acceptors: group.acceptors,
            startSec: request.startSec ?? 0, durationSec: request.durationSec ?? 0)
    }

    /// Whether it is the same bytes in the same place.
    func matches(_ value: ChunkValue) -> Bool {
        value.videoId == request.videoId && value.stream == stream && value.sequence == request.sequenceNum
            && value.sizeBytes == request.sizeBytes && value.checksum == request.checksum
            && value.redundancyMode == .replication
    }

    /// The members of whose acceptance of the value, under the ballot that the request names, it brings proof.
    func proven(_ nodes: NodeView) -> [NodeID] {
        guard let acceptances = request.acceptances, let ballot = request.ballot, let value = try? value.encoded(),
            ballot.round > 0 || ballot.proposer == terms.creator
        else { return [] }
        let proven = acceptances.prefix(Membership.countMax).filter { acceptance in
            guard terms.configuration.membership.index(of: acceptance.voter) != nil,
                let key = nodes.entry(acceptance.nodeId)?.node.proofKey
            else { return false }
            return AcceptanceProof(key: key)
                .proves(acceptance.proof, id, ballot, value: value, by: acceptance.acceptorId)
        }
        return Set(proven.map(\.nodeId)).sorted()
    }
}

extension AcceptanceMessage {
    fileprivate var voter: Membership.Member { Membership.Member(nodeId, acceptorId) }
}

extension Chunk {
    init(_ id: ChunkID, _ value: ChunkValue, replicas: [NodeID]) {
        self.init(
            id: id, video: value.videoId, stream: value.stream, sequence: value.sequence, sizeBytes: value.sizeBytes,
            checksum: value.checksum, redundancyMode: value.redundancyMode, startSec: value.startSec,
            durationSec: value.durationSec, replicas: replicas)
    }
}

extension ChunkValue {
    /// What was decided about a recorded chunk.
    init(_ chunk: Chunk, group: PlacementGroup) {
        self.init(
            videoId: chunk.video, stream: chunk.stream, sequence: chunk.sequence, sizeBytes: chunk.sizeBytes,
            checksum: chunk.checksum, redundancyMode: chunk.redundancyMode, group: group.id, nodes: group.members,
            acceptors: group.acceptors, startSec: chunk.startSec, durationSec: chunk.durationSec)
    }
}

import Base
import ChunkPaxos
import HTTPTypes
import MetadataAPI
import StorageNodeAPI
import Testing

@testable import Metadata

@Suite("Commit with proofs")
struct ProvenCommitTests {
    /// What the uploader got for its PUTs.
    private func acceptances(
        _ upload: Upload, _ value: ChunkValue, ballot: Ballot? = nil, from urls: [String]? = nil
    ) throws -> [AcceptanceMessage] {
        let chunk = upload.chunk(value.sequence, value.stream)
        return try upload.created.placementGroup.nodes.filter { (urls ?? upload.urls).contains($0.nodeUrl) }.map {
            let proof = try upload.harness.cluster.proof(chunk, ballot ?? upload.created.ballot, value, at: $0.nodeUrl)
            return AcceptanceMessage(
                nodeId: $0.nodeId, acceptorId: try #require($0.acceptorId), proof: try #require(proof))
        }
    }

    @Test("a majority's proofs are the decision: nobody is asked, and those who proved it are the replicas")
    func majority() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            let two = Array(upload.urls.prefix(2))
            try upload.put(value, at: two)
            let answer = try await upload.commit(
                value, urls: two, ballot: upload.created.ballot, acceptances: try acceptances(upload, value, from: two))
            #expect(answer.status == 200)
            #expect(Set(try answer.decoded(CommitResponse.self).committedNodes) == Set(two))
            #expect(harness.cluster.readCount == 0)
            // The third, later: all proofs together, as the uploader sends them.
            try upload.put(value, at: [upload.urls[2]])
            let whole = try await upload.commit(
                value, ballot: upload.created.ballot, acceptances: try acceptances(upload, value))
            #expect(Set(try whole.decoded(CommitResponse.self).committedNodes) == Set(upload.urls))
            #expect(harness.cluster.readCount == 0)
        }
    }

    @Test("what proves nothing is not believed: the acceptors are asked, and say what they have")
    func forged() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let (value, other) = (try upload.value(0), try upload.value(0, byte: 2))
            let good = try acceptances(upload, other)
            let stranger = AcceptanceMessage(
                nodeId: try #require(NodeID("stranger")), acceptorId: AcceptorID(high: 0, low: 0), proof: good[0].proof)
            let forgeries: [(Ballot?, [AcceptanceMessage])] = [
                (nil, good),
                (Ballot(round: 0, proposer: upload.created.ballot.proposer &+ 1), good),
                (Ballot(round: 1, proposer: upload.created.ballot.proposer), good),
                (upload.created.ballot, [good[0]]),
                (upload.created.ballot, [good[0], good[0], good[0]]),
                (upload.created.ballot, [good[0], stranger]),
                (
                    upload.created.ballot,
                    zip(good, good.reversed()).map {
                        AcceptanceMessage(nodeId: $0.nodeId, acceptorId: $0.acceptorId, proof: $1.proof)
                    }
                ),
                (upload.created.ballot, try acceptances(upload, value)),
            ]
            for (index, (ballot, acceptances)) in forgeries.enumerated() {
                let answer = try await upload.commit(other, ballot: ballot, acceptances: acceptances)
                #expect(answer.status == 409, "forgery \(index)")
            }
            #expect(harness.cluster.readCount > 0)
            try upload.put(value)
            #expect(try await upload.commit(value).status == 200)
        }
    }

    @Test("a ballot 0 that is not the creator's counts for nothing, whoever accepted it")
    func forgedCreator() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let (value, forged) = (try upload.value(0), try upload.value(0, byte: 2))
            let evil = Ballot(round: 0, proposer: .max)
            try harness.cluster.put(
                upload.chunk(0), FakeCluster.Stored(checksum: forged.checksum, sizeBytes: 100), at: [upload.urls[0]],
                accepting: (evil, forged))
            try upload.put(value, at: Array(upload.urls.dropFirst()))
            #expect(try await upload.commit(value).status == 200)
            let conflict = try await upload.commit(
                forged, ballot: evil, acceptances: try acceptances(upload, forged, ballot: evil))
            #expect(conflict.status == 409)
        }
    }

    @Test("a proof for a video that is deleted or has failed records nothing")
    func gone() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            try upload.put(value)
            let proofs = try acceptances(upload, value)
            #expect(try await upload.commit(value, ballot: upload.created.ballot, acceptances: proofs).status == 200)
            _ = try await harness.call(.patch, "/video/\(upload.id)/status", StatusRequest(status: .failed))
            let next = try upload.value(1)
            try upload.put(next)
            let failed = try await upload.commit(
                next, ballot: upload.created.ballot, acceptances: try acceptances(upload, next))
            #expect(failed.status == 409 && failed.detail.contains("failed"))
            _ = try await harness.call(.delete, "/video/\(upload.id)")
            #expect(try await upload.commit(value, ballot: upload.created.ballot, acceptances: proofs).status == 404)
        }
    }
}

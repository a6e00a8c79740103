import Base
import ChunkPaxos
import Digests
import StorageNodeAPI
import Synchronization

@testable import Metadata

/// Storage nodes in memory: real acceptors behind the service's seam, and hands to break them.
final class FakeCluster: AcceptorGateway {
    struct Stored: Equatable {
        let checksum: SHA256Digest
        let sizeBytes: Int
        var bytes: [UInt8]?

        init(checksum: SHA256Digest, sizeBytes: Int) { (self.checksum, self.sizeBytes) = (checksum, sizeBytes) }

        init(_ bytes: [UInt8]) { (checksum, sizeBytes, self.bytes) = (SHA256.digest(of: bytes), bytes.count, bytes) }
    }

    struct FakeNode {
        var id: NodeID
        var acceptorID: AcceptorID?
        let proof = AcceptanceProof(key: [UInt8](repeating: 7, count: 32))
        var isUp = true
        /// Reads of chunks are answered with an error.
        var hasLostBytes = false
        var stored: [ChunkID: Stored] = [:]
        var acceptors: [ChunkID: ChunkAcceptor] = [:]

        func acceptor(_ chunk: ChunkID) -> ChunkAcceptor {
            // Another identity remembers nothing.
            if let known = acceptors[chunk], known.own == Membership.Member(id, acceptorID) { return known }
            return ChunkAcceptor(own: Membership.Member(id, acceptorID))
        }
    }

    private struct State {
        var nodes: [String: FakeNode] = [:]
        var readCount = 0
        /// How many accepts a rival still forestalls by a higher promise.
        var rivalCount = 0
    }

    private let state = Locked(State())

    var readCount: Int { state.withLock { $0.readCount } }

    /// A node that is there already stays as it is.
    func add(_ id: NodeID, _ acceptor: AcceptorID? = nil, at url: String) {
        state.withLock { $0.nodes[url] = $0.nodes[url] ?? FakeNode(id: id, acceptorID: acceptor) }
    }

    func change(_ url: String, _ body: (inout FakeNode) -> Void) {
        state.withLock { state in
            if var node = state.nodes[url] {
                body(&node)
                state.nodes[url] = node
            }
        }
    }

    func node(_ url: String) -> FakeNode? { state.withLock { $0.nodes[url] } }

    func setUp(_ url: String, _ isUp: Bool) { change(url) { $0.isUp = isUp } }

    func forestall(_ count: Int) { state.withLock { $0.rivalCount = count } }

    /// A plain PUT, or with ballot and value the PUT that accepts too.
    func put(_ id: ChunkID, _ stored: Stored, at urls: [String], accepting: (Ballot, ChunkValue)? = nil) throws {
        let value = try accepting?.1.encoded()
        for url in urls {
            change(url) { node in
                node.stored[id] = stored
                guard let (ballot, chunk) = accepting, let value, let members = try? chunk.holders() else { return }
                var acceptor = node.acceptor(id)
                let configuration = Configuration(initial: members)
                _ = acceptor.on(ChunkAcceptor.Request(configuration, .accept(ballot, value: value)))
                node.acceptors[id] = acceptor
            }
        }
    }

    /// What a node answers to a PUT that it accepted.
    func proof(_ id: ChunkID, _ ballot: Ballot, _ value: ChunkValue, at url: String) throws -> SHA256Digest? {
        let node = state.withLock { $0.nodes[url] }
        guard let node, let acceptor = node.acceptorID else { return nil }
        return node.proof.make(id, ballot, value: try value.encoded(), by: acceptor)
    }

    func chunks(at url: String) -> Set<ChunkID> { state.withLock { Set($0.nodes[url]?.stored.keys.map { $0 } ?? []) } }

    /// Those of videos, without the service's own.
    func mediaChunks(at url: String) -> Set<ChunkID> { chunks(at: url).filter { !$0.isJournal } }

    func acceptor(_ id: ChunkID, at url: String) -> Acceptor? { state.withLock { $0.nodes[url]?.acceptors[id]?.vote } }

    func read(_ chunk: ChunkID, at url: String) async throws -> AcceptorReport {
        state.withLock { $0.readCount += 1 }
        return try answer(chunk, url) { _, _ in true }
    }

    func prepare(
        _ chunk: ChunkID, in configuration: Configuration, _ ballot: Ballot, at url: String
    ) async throws -> AcceptorReport {
        try answer(chunk, url) { acceptor, _ in
            if case .answered(.promised) = acceptor.on(ChunkAcceptor.Request(configuration, .prepare(ballot))) {
                true
            } else {
                false
            }
        }
    }

    func accept(
        _ chunk: ChunkID, in configuration: Configuration, _ ballot: Ballot, _ value: ChunkValue, at url: String
    ) async throws -> AcceptorReport {
        let bytes = try value.encoded()
        let isForestalled = state.withLock { state in
            state.rivalCount -= 1
            return state.rivalCount >= 0
        }
        return try answer(chunk, url) { acceptor, stored in
            if isForestalled {
                let rival = Ballot(round: ballot.round + 1, proposer: 1)
                _ = acceptor.on(ChunkAcceptor.Request(configuration, .prepare(rival)))
            }
            guard stored?.checksum == value.checksum else { return false }
            let request = ChunkAcceptor.Request(configuration, .accept(ballot, value: bytes))
            return acceptor.on(request) == .answered(.accepted)
        }
    }

    func fetch(_ chunk: ChunkID, at url: String) async throws -> [UInt8] {
        let node = state.withLock { $0.nodes[url] }
        guard let node, node.isUp, !node.hasLostBytes, let bytes = node.stored[chunk]?.bytes else {
            throw Failure(.notFound, "there are no such bytes at \(url)")
        }
        return bytes
    }

    func store(
        _ chunk: ChunkID, _ bytes: [UInt8], ballot: Ballot?, value: ChunkValue, at url: String
    ) async throws {
        let encoded = try value.encoded()
        let configuration = Configuration(initial: try value.holders())
        let new = Stored(bytes)
        let report = try answer(chunk, url) { acceptor, stored in
            guard new.checksum == value.checksum else { return false }
            guard let ballot else { return stored == nil || stored?.checksum == new.checksum }
            let request = ChunkAcceptor.Request(configuration, .accept(ballot, value: encoded))
            return acceptor.on(request) == .answered(.accepted)
        }
        guard report.granted else { throw Failure(.conflict, "\(url) has another chunk \(chunk)") }
        change(url) { $0.stored[chunk] = new }
    }

    func delete(_ chunk: ChunkID, at url: String) async throws {
        _ = try answer(chunk, url) { _, _ in true }
        change(url) { node in
            node.stored[chunk] = nil
        }
    }

    private func answer(
        _ chunk: ChunkID, _ url: String, _ ask: (inout ChunkAcceptor, Stored?) -> Bool
    ) throws -> AcceptorReport {
        try state.withLock { state in
            guard var node = state.nodes[url], node.isUp else {
                throw Failure(.unavailable, "\(url) refused the connection")
            }
            var acceptor = node.acceptor(chunk)
            let granted = ask(&acceptor, node.stored[chunk])
            if acceptor.configuration != nil { node.acceptors[chunk] = acceptor }
            state.nodes[url] = node
            return AcceptorReport(
                granted: granted, nodeId: node.id, acceptorId: node.acceptorID, configuration: acceptor.configuration,
                promisedBallot: acceptor.vote.promised, acceptedBallot: acceptor.vote.accepted?.ballot,
                acceptedValue: try acceptor.vote.accepted.map { try ChunkValue(encoded: $0.value) },
                storedChecksum: node.stored[chunk]?.checksum, storedSizeBytes: node.stored[chunk]?.sizeBytes)
        }
    }
}

extension ChunkID {
    var isJournal: Bool { description.contains("-catalog-") || description.contains("-publication-") }
}

extension FakeCluster: NodeListing {
    /// Few at a time, so that lists have many pages.
    private static let pageMax = 7

    func page(of url: String, after: String?, limit: Int) async throws -> AcceptorListing {
        try state.withLock { state in
            guard let node = state.nodes[url], node.isUp else {
                throw Failure(.unavailable, "\(url) refused the connection")
            }
            func place(_ id: ChunkID) -> String { SHA256.digest(of: Array(id.description.utf8)).hex }
            let ids = Set(node.stored.keys).union(node.acceptors.keys)
                .map { (place: place($0), id: $0) }.sorted { $0.place < $1.place }
                .filter { after == nil || $0.place > after ?? "" }
            let page = ids.prefix(min(limit, Self.pageMax))
            return AcceptorListing(
                nodeId: node.id, acceptorId: node.acceptorID, nodeUrl: url, version: "1.0.0", chunkCount: node.stored.count,
                entries: page.map { node.entry($0.id) }, unreadableCount: 0,
                next: page.count < ids.count ? page.last?.place : nil)
        }
    }

    func bytes(of chunk: ChunkID, at url: String) async throws -> [UInt8] {
        try await fetch(chunk, at: url)
    }
}

extension FakeCluster.FakeNode {
    fileprivate func entry(_ id: ChunkID) -> AcceptorListing.Entry {
        let accepted = acceptors[id]?.vote.accepted
        return AcceptorListing.Entry(
            chunkId: id, promisedBallot: acceptors[id]?.vote.promised, acceptedBallot: accepted?.ballot,
            acceptedValue: accepted.map { String(decoding: $0.value, as: UTF8.self) },
            storedChecksum: stored[id]?.checksum, storedSizeBytes: stored[id]?.sizeBytes)
    }
}

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
    }

    struct FakeNode {
        var id: NodeID
        var isUp = true
        var stored: [ChunkID: Stored] = [:]
        var acceptors: [ChunkID: Acceptor] = [:]
        /// Of those that the service itself stored.
        var bytes: [ChunkID: [UInt8]] = [:]
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
    func add(_ id: NodeID, at url: String) {
        state.withLock { $0.nodes[url] = $0.nodes[url] ?? FakeNode(id: id) }
    }

    func change(_ url: String, _ body: (inout FakeNode) -> Void) {
        state.withLock { state in
            if var node = state.nodes[url] {
                body(&node)
                state.nodes[url] = node
            }
        }
    }

    func setUp(_ url: String, _ isUp: Bool) { change(url) { $0.isUp = isUp } }

    func forestall(_ count: Int) { state.withLock { $0.rivalCount = count } }

    /// A plain PUT, or with ballot and value the PUT that accepts too.
    func put(_ id: ChunkID, _ stored: Stored, at urls: [String], accepting: (Ballot, ChunkValue)? = nil) throws {
        let value = try accepting?.1.encoded()
        for url in urls {
            change(url) { node in
                node.stored[id] = stored
                if let ballot = accepting?.0, let value {
                    _ = node.acceptors[id, default: Acceptor()].onAccept(ballot, value: value)
                }
            }
        }
    }

    func chunks(at url: String) -> Set<ChunkID> { state.withLock { Set($0.nodes[url]?.stored.keys.map { $0 } ?? []) } }

    /// Those of videos, without the service's own.
    func mediaChunks(at url: String) -> Set<ChunkID> { chunks(at: url).filter { !$0.isJournal } }

    func acceptor(_ id: ChunkID, at url: String) -> Acceptor? { state.withLock { $0.nodes[url]?.acceptors[id] } }

    func read(_ chunk: ChunkID, at url: String) async throws -> AcceptorReport {
        state.withLock { $0.readCount += 1 }
        return try answer(chunk, url) { _, _ in true }
    }

    func prepare(_ chunk: ChunkID, _ ballot: Ballot, at url: String) async throws -> AcceptorReport {
        try answer(chunk, url) { acceptor, _ in
            if case .promised = acceptor.onPrepare(ballot) { true } else { false }
        }
    }

    func accept(
        _ chunk: ChunkID, _ ballot: Ballot, _ value: ChunkValue, at url: String
    ) async throws -> AcceptorReport {
        let bytes = try value.encoded()
        let isForestalled = state.withLock { state in
            state.rivalCount -= 1
            return state.rivalCount >= 0
        }
        return try answer(chunk, url) { acceptor, stored in
            if isForestalled { _ = acceptor.onPrepare(Ballot(round: ballot.round + 1, proposer: 1)) }
            guard stored?.checksum == value.checksum else { return false }
            return acceptor.onAccept(ballot, value: bytes) == .accepted
        }
    }

    func store(
        _ chunk: ChunkID, _ bytes: [UInt8], ballot: Ballot?, value: ChunkValue, at url: String
    ) async throws {
        let encoded = try value.encoded()
        let new = Stored(checksum: SHA256.digest(of: bytes), sizeBytes: bytes.count)
        let report = try answer(chunk, url) { acceptor, stored in
            guard stored == nil || stored == new, new.checksum == value.checksum else { return false }
            return ballot.map { acceptor.onAccept($0, value: encoded) == .accepted } ?? true
        }
        guard report.granted else { throw Failure(.conflict, "\(url) has another chunk \(chunk)") }
        change(url) { node in
            node.stored[chunk] = new
            node.bytes[chunk] = bytes
        }
    }

    func delete(_ chunk: ChunkID, at url: String) async throws {
        _ = try answer(chunk, url) { _, _ in true }
        change(url) { node in
            node.bytes[chunk] = nil
            node.stored[chunk] = nil
        }
    }

    private func answer(
        _ chunk: ChunkID, _ url: String, _ ask: (inout Acceptor, Stored?) -> Bool
    ) throws -> AcceptorReport {
        try state.withLock { state in
            guard var node = state.nodes[url], node.isUp else {
                throw Failure(.unavailable, "\(url) refused the connection")
            }
            var acceptor = node.acceptors[chunk] ?? Acceptor()
            let granted = ask(&acceptor, node.stored[chunk])
            if acceptor != Acceptor() { node.acceptors[chunk] = acceptor }
            state.nodes[url] = node
            return AcceptorReport(
                granted: granted, nodeId: node.id, promisedBallot: acceptor.promised,
                acceptedBallot: acceptor.accepted?.ballot,
                acceptedValue: try acceptor.accepted.map { try ChunkValue(encoded: $0.value) },
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
                nodeId: node.id, acceptorId: nil, nodeUrl: url, version: "1.0.0", chunkCount: node.stored.count,
                entries: page.map { node.entry($0.id) }, unreadableCount: 0,
                next: page.count < ids.count ? page.last?.place : nil)
        }
    }

    func bytes(of chunk: ChunkID, at url: String) async throws -> [UInt8] {
        try state.withLock { state in
            guard let node = state.nodes[url], node.isUp, let bytes = node.bytes[chunk] else {
                throw Failure(.notFound, "\(url) has no chunk \(chunk)")
            }
            return bytes
        }
    }
}

extension FakeCluster.FakeNode {
    fileprivate func entry(_ id: ChunkID) -> AcceptorListing.Entry {
        let accepted = acceptors[id]?.accepted
        return AcceptorListing.Entry(
            chunkId: id, promisedBallot: acceptors[id]?.promised, acceptedBallot: accepted?.ballot,
            acceptedValue: accepted.map { String(decoding: $0.value, as: UTF8.self) },
            storedChecksum: stored[id]?.checksum, storedSizeBytes: stored[id]?.sizeBytes)
    }
}

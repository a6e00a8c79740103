import Base
import ChunkPaxos
import ChunkStore
import HTTPTypes
import StorageNodeAPI

/// `/paxos` and `/paxos/{chunk_id}/…`: the node as its chunks' acceptor.
///
/// A message that is understood and not granted is answered with 200 and the acceptor's state, since that is what a
/// proposer goes on with; one that names another acceptor, or another configuration, has no voice and is a 409.
struct ConsensusRoutes: Sendable {
    /// Two values have 4 KiB each at most (the base as base64); the rest is the message around them.
    private static let bodyBytesMax = 32 * ByteCount.kibibyte

    private static let pageDefault = 500

    private let service: StorageNodeService
    private let store: ChunkStore
    private let nodeID: NodeID

    init(_ service: StorageNodeService) {
        self.service = service
        store = service.store
        nodeID = service.configuration.nodeID
    }

    func add(to router: inout Router) {
        router.json(
            .post, "/paxos/{chunk_id}/prepare", "Phase 1 of consensus about a chunk", PrepareRequest.self,
            limit: Self.bodyBytesMax
        ) { request, body in
            try await ask(try request.chunkID(), body.configuration, .prepare(body.ballot))
        }
        router.json(
            .post, "/paxos/{chunk_id}/accept", "Phase 2 of consensus about a chunk", AcceptRequest.self,
            limit: Self.bodyBytesMax
        ) { request, body in
            try Self.checkHolders(body.value, body.configuration)
            return try await ask(
                try request.chunkID(), body.configuration, .accept(body.ballot, value: try body.value.encoded()),
                holding: BytesClaim(checksum: body.value.checksum, sizeBytes: body.value.sizeBytes))
        }
        router.json(
            .post, "/paxos/{chunk_id}/install", "Takes a chunk to the configuration that was decided",
            InstallRequest.self, limit: Self.bodyBytesMax
        ) { request, body in
            try await ask(try request.chunkID(), body.configuration, .install)
        }
        router.task(.post, "/paxos/{chunk_id}/read", "What the acceptor has promised and accepted") { request in
            try report(true, try await store.acceptorView(try request.chunkID()))
        }
        router.add(.get, "/paxos", "Page by page, everything the node has promised, accepted or stored") { view in
            let limit = try view.integer("limit", default: Self.pageDefault, in: 1...AcceptorListing.limitMax)
            let after = try view.query("after").map(Self.cursor)
            return .task { try .json(try await list(after: after, limit: limit)) }
        }
    }

    private static func cursor(_ text: String) throws(Failure) -> ListingCursor {
        guard let cursor = ListingCursor(text) else {
            throw Failure(.invalidArgument, "'after' is '\(text.prefix(80))', which is not \(ListingCursor.textForm)")
        }
        return cursor
    }

    private func list(after cursor: ListingCursor?, limit: Int) async throws -> AcceptorListing {
        let page = try await store.acceptorPage(after: cursor, limit: limit)
        return AcceptorListing(
            nodeId: nodeID, acceptorId: store.acceptorID, nodeUrl: service.announcedURL, version: Version.current,
            chunkCount: store.chunkCount, entries: page.entries.map { AcceptorListing.Entry($0.id, $0.view) },
            unreadableCount: page.unreadableCount, next: page.next?.description)
    }

    private func ask(
        _ id: ChunkID, _ configuration: Configuration, _ question: ChunkAcceptor.Question,
        holding bytes: BytesClaim? = nil
    ) async throws -> Response {
        try Self.checkBase(configuration)
        let request = ChunkAcceptor.Request(configuration, question)
        let outcome = try await store.ask(id, request, holding: bytes)
        if case .foreign = outcome.reply { throw store.foreign(id, configuration, outcome.view) }
        return try report(outcome.isGranted, outcome.view)
    }

    /// The members of a later version are the holders that its base names; nobody made up another one.
    private static func checkBase(_ configuration: Configuration) throws(Failure) {
        guard let base = configuration.base else { return }
        guard try ChunkValue(encoded: base).holders() == configuration.membership else {
            throw Failure(.invalidArgument, "'configuration.members' are not the holders that its base names")
        }
    }

    /// Version 0 is decided by those that its value names.
    private static func checkHolders(_ value: ChunkValue, _ configuration: Configuration) throws(Failure) {
        guard configuration.version == 0 else { return }
        guard try value.holders() == configuration.membership else {
            throw Failure(
                .invalidArgument, "'value' names other nodes than 'configuration.members' (group \(value.group))")
        }
    }

    private func report(_ isGranted: Bool, _ view: AcceptorView) throws -> Response {
        try Response.json(AcceptorReport(isGranted, view, nodeID, store.acceptorID))
    }
}

extension AcceptorReport {
    init(_ isGranted: Bool, _ view: AcceptorView, _ node: NodeID, _ acceptor: AcceptorID) throws {
        self.init(
            granted: isGranted, nodeId: node, acceptorId: acceptor, configuration: view.configuration,
            promisedBallot: view.acceptor.promised, acceptedBallot: view.acceptor.accepted?.ballot,
            acceptedValue: try view.acceptor.accepted.map { try ChunkValue(encoded: $0.value) },
            storedChecksum: view.chunk?.checksum, storedSizeBytes: view.chunk?.sizeBytes)
    }
}

extension AcceptorListing.Entry {
    fileprivate init(_ id: ChunkID, _ view: AcceptorView) {
        let accepted = view.acceptor.accepted
        self.init(
            chunkId: id, promisedBallot: view.acceptor.promised, acceptedBallot: accepted?.ballot,
            acceptedValue: accepted.map { String(decoding: $0.value, as: UTF8.self) },
            storedChecksum: view.chunk?.checksum, storedSizeBytes: view.chunk?.sizeBytes)
    }
}

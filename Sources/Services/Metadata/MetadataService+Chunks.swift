import Base
import Catalog
import ChunkPaxos
import HTTPTypes
import MetadataAPI
import Placement

extension MetadataService {
    func addChunkRoutes(to router: inout Router) {
        router.add(.post, "/chunk/{chunk_id}/commit", "Learn a chunk from its acceptors") { view in
            let (id, requestID) = (try view.chunkID(), view.id)
            let body = CollectedBody(byteCount: view.contentLength) { bytes, respond in
                do {
                    try self.commit(id, try JSON.decode(CommitRequest.self, from: bytes), requestID, respond)
                } catch {
                    respond(.failure(error))
                }
            }
            return .sink(limit: ByteCount.mebibyte, body)
        }
        router.add(.get, "/chunk/{chunk_id}/fragments", "The fragments of an erasure-coded chunk") { view in
            let id = try view.chunkID()
            return .task {
                guard try await self.catalog.chunk(id) != nil else { throw Self.unknown(id) }
                // A replicated chunk is whole on every node that has it.
                return try .json(FragmentsMessage(chunkId: id, fragments: []))
            }
        }
        router.add(.get, "/consensus/{chunk_id}", "What the acceptors of a chunk have promised and accepted") { view in
            let id = try view.chunkID()
            return .task { try .json(try await self.consensus(on: id)) }
        }
    }

    /// What is proven is recorded by this thread and the catalog's; all else is a task of its own.
    private func commit(
        _ id: ChunkID, _ request: CommitRequest, _ requestID: String, _ respond: @escaping CollectedBody.Respond
    ) throws(Failure) {
        let goOn: @Sendable () -> Void = {
            Task {
                await Logger.$requestID.withValue(requestID) {
                    do { respond(.success(try await self.commit(id, request))) } catch { respond(.failure(error)) }
                }
            }
        }
        guard let chunk = try committer.proven(id, request) else { return goOn() }
        catalog.recordChunk(chunk, at: time.now()) { result in
            switch result {
            case .success(let chunk): respond(Result { try self.committed(id, request.videoId, chunk.replicas) })
            case .failure(let error) where error.code == .conflict: goOn()
            case .failure(let error): respond(.failure(error))
            }
        }
    }

    private func committed(_ id: ChunkID, _ video: VideoID, _ holders: [NodeID]) throws -> Response {
        manifests.invalidate(video)
        counters.commits.add()
        let nodes = registry.view
        let urls = holders.compactMap { nodes.entry($0)?.node.url }
        return try .json(
            CommitResponse(
                success: true, committedNodes: urls, message: "Chunk \(id) committed to \(urls.count) nodes"))
    }

    func commit(_ id: ChunkID, _ body: CommitRequest) async throws -> Response {
        switch try await committer.commit(id, body) {
        case .committed(let holders): return try committed(id, body.videoId, holders)
        case .conflict(let chosen):
            counters.conflicts.add()
            let detail =
                "another value was chosen for chunk \(id): \(chosen.sizeBytes) bytes with checksum "
                + "\(chosen.checksum.tagged) at place \(chosen.sequence) of stream '\(chosen.stream)'"
            return try .json(CommitConflictMessage(detail: detail, chosen: chosen), status: .conflict)
        }
    }

    private func consensus(on id: ChunkID) async throws -> ConsensusMessage {
        let chunk = try await catalog.chunk(id)
        // Chunk ids begin with their video's, so that one that was never committed has a group too.
        guard let videoID = chunk?.video ?? VideoID(id.description.prefix(36)),
            try await catalog.video(videoID) != nil
        else { throw Self.unknown(id) }
        let terms = try await terms.terms(of: videoID)
        let nodes = registry.view
        let survey = await AcceptorSurvey.take(
            of: id, members: nodes.members(of: terms.group), terms: terms, awaiting: Set(terms.group.members),
            registry: registry, gateway: gateway)
        return ConsensusMessage(id, survey, nodes, isRecorded: chunk != nil)
    }

    private static func unknown(_ id: ChunkID) -> Failure { Failure(.notFound, "there is no chunk \(id)") }
}

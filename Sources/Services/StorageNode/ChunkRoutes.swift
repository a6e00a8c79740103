import Base
import ChunkPaxos
import ChunkStore
import Foundation
import HTTPTypes
import StorageNodeAPI

/// `/chunk/{chunk_id}`
struct ChunkRoutes: Sendable {
    private static let contentType = "application/octet-stream"
    // The bytes under a chunk's id never change.
    private static let cacheControl = "public, max-age=31536000, immutable"
    /// A read that takes longer is worth a line in the log.
    private static let slowReadMilliseconds = 10

    private let service: StorageNodeService
    private let store: ChunkStore
    private let ready = ReadyAnswers()
    private let log = Logger("storage-node")

    init(_ service: StorageNodeService) {
        self.service = service
        store = service.store
    }

    func add(to router: inout Router) {
        router.add(.put, "/chunk/{chunk_id}", "Stores a chunk: 201, or 200 when the same bytes are there already") {
            try upload($0)
        }
        router.add(.post, "/chunk/{chunk_id}", "The same as PUT") { try upload($0) }
        router.add(.get, "/chunk/{chunk_id}", "Reads a chunk, or a range of it") { try read($0) }
        router.add(.head, "/chunk/{chunk_id}", "Says whether a chunk is there, and what it is") {
            .respond(try describe($0))
        }
        router.add(.delete, "/chunk/{chunk_id}", "Deletes a chunk") { view in
            let id = try view.chunkID()
            return .task { try await delete(id) }
        }
    }

    private func read(_ view: any RequestView) throws -> Reply {
        let start = Self.coarseMilliseconds()
        let id = try view.chunkID()
        let reply = try answer(to: view, with: try find(id, toRead: true))
        service.counters.gets.add()
        let elapsed = Self.coarseMilliseconds() - start
        if elapsed > Self.slowReadMilliseconds {
            log.warning("a chunk was slow to read", ["chunk": id.description, "milliseconds": "\(elapsed)"])
        }
        return reply
    }

    private func answer(to view: any RequestView, with handle: ChunkHandle) throws -> Reply {
        let chunk = handle.description
        if chunk.sizeBytes <= ReadyAnswers.chunkBytesMax, Self.wantsWhole(view) {
            let region = try handle.read()
            let whole = ready.answer(to: chunk) { Self.content(view, chunk) { _ in .bytes(Array(region.bytes)) } }
            service.counters.bytesRead.add(chunk.sizeBytes)
            return whole.map { .prepared($0) } ?? .respond(Self.content(view, chunk) { _ in .region(region) })
        }
        return .respond(
            try Self.content(view, chunk) { range in
                let region = try handle.read()
                service.counters.bytesRead.add(range.count)
                return .region(range.count == region.bytes.count ? region : region[range])
            })
    }

    /// Whether the answer is the same for all who ask like this.
    private static func wantsWhole(_ view: any RequestView) -> Bool {
        view.header("Range") == nil && view.header("If-None-Match") == nil
    }

    /// By a clock that costs next to nothing to read and goes in steps of a few milliseconds.
    private static func coarseMilliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    /// The headers of GET. The body is only measured: nothing of it is read.
    private func describe(_ view: any RequestView) throws -> Response {
        let handle = try find(try view.chunkID())
        return Self.content(view, handle.description) { .region(handle.unverifiedBytes[$0]) }
    }

    private static func content(
        _ view: any RequestView, _ chunk: ChunkDescription, _ body: (Range<Int>) throws -> ResponseBody
    ) rethrows -> Response {
        var headers = HTTPHeaders()
        headers.add("Cache-Control", cacheControl)
        headers.add(StorageNodeHeader.size, chunk.sizeBytes)
        headers.add(StorageNodeHeader.superblock, chunk.superblock)
        return try Response.content(
            for: view, size: chunk.sizeBytes, tag: EntityTag(chunk.checksum), contentType: contentType,
            headers: headers, body: body)
    }

    private func find(_ id: ChunkID, toRead: Bool = false) throws -> ChunkHandle {
        guard let handle = try store.find(id, toRead: toRead) else { throw Self.notFound(id) }
        return handle
    }

    private func delete(_ id: ChunkID) async throws -> Response {
        guard try await store.delete(id) else { throw Self.notFound(id) }
        service.counters.deletes.add()
        return Response(.noContent)
    }

    private static func notFound(_ id: ChunkID) -> Failure {
        Failure(.notFound, "chunk '\(id)' is not on this node")
    }

    private func upload(_ view: any RequestView) throws -> Reply {
        let id = try view.chunkID()
        let limit = service.configuration.chunkBytesMax
        if let length = view.contentLength {
            guard length <= limit else {
                throw Failure(.tooLarge, "chunk '\(id)' has \(length) bytes; a chunk may have \(limit)")
            }
            guard length > 0 else {
                throw Failure(.invalidArgument, "chunk '\(id)' is empty; send its bytes as the body")
            }
        }
        try requireSpace()
        let terms = try UploadTerms(view)
        let writer = try store.write(id, expected: terms.checksum, acceptance: terms.acceptance)
        let acceptance = terms.acceptance.map { ProvenAcceptance(id, $0.accepted, service) }
        return .sink(
            limit: limit,
            ChunkUpload(
                writer, id: id, announcedBytes: terms.sizeBytes, acceptance: acceptance,
                nodeID: service.configuration.nodeID
            ) {
                service.counters.puts.add()
                service.counters.bytesWritten.add($0)
            })
    }

    private func requireSpace() throws {
        let usage = service.disk.current.percent
        guard usage <= service.configuration.diskCriticalPercent else {
            throw Failure(
                .insufficientStorage,
                "this node's disk is \(usage) % full, over its limit of \(service.configuration.diskCriticalPercent) %")
        }
    }
}

/// What an upload's headers say about the bytes that follow.
struct UploadTerms {
    /// What the bytes must hash to.
    let checksum: SHA256Digest?
    /// How many the value says they are.
    let sizeBytes: Int?
    let acceptance: Acceptance?

    /// - Throws: ``Failure`` (400) when a header cannot be understood, or two of them disagree.
    init(_ view: any RequestView) throws {
        let announced = try view.header(StorageNodeHeader.checksum).map(Self.checksum)
        let ballot = view.header(StorageNodeHeader.ballot)
        let value = view.header(StorageNodeHeader.value)
        guard let ballot, let value else {
            guard ballot == nil, value == nil else {
                throw Failure(
                    .invalidArgument,
                    "\(StorageNodeHeader.ballot) and \(StorageNodeHeader.value) belong together; one is missing")
            }
            (checksum, sizeBytes, acceptance) = (announced, nil, nil)
            return
        }
        let decoded = try Self.value(value)
        if let announced, announced != decoded.checksum {
            throw Failure(
                .invalidArgument, "\(StorageNodeHeader.checksum) and the value's checksum are not the same")
        }
        // Version 0 is decided by those that its value names. Encoded again: acceptors compare bytes, so they keep one
        // form only.
        acceptance = Acceptance(
            Configuration(initial: try decoded.holders()),
            Acceptor.Accepted(ballot: try Self.ballot(ballot), value: try decoded.encoded()))
        (checksum, sizeBytes) = (decoded.checksum, decoded.sizeBytes)
    }

    private static func checksum(_ text: String) throws(Failure) -> SHA256Digest {
        guard let digest = SHA256Digest(text) else {
            throw Failure(
                .invalidArgument, "\(StorageNodeHeader.checksum) is '\(text.prefix(80))': it must be 64 hex digits")
        }
        return digest
    }

    private static func ballot(_ text: String) throws(Failure) -> Ballot {
        guard let ballot = Ballot(text) else {
            throw Failure(
                .invalidArgument,
                "\(StorageNodeHeader.ballot) is '\(text.prefix(40))': it must be <round>.<proposer in hex>")
        }
        return ballot
    }

    private static func value(_ text: String) throws(Failure) -> ChunkValue {
        guard let bytes = Data(base64Encoded: text) else {
            throw Failure(.invalidArgument, "\(StorageNodeHeader.value) is not base64")
        }
        do {
            return try ChunkValue(encoded: [UInt8](bytes))
        } catch {
            throw Failure(.invalidArgument, "\(StorageNodeHeader.value) is not a chunk value: \(error.message)")
        }
    }
}

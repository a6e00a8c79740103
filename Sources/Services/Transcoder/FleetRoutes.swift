import Base
import HTTPTypes
import Jobs
import MetadataAPI
import TranscoderAPI

/// What followers ask: work, and what becomes of it. Each request is signed with the shared token.
struct FleetRoutes: Sendable {
    private static let bodyBytesMax = 8 * ByteCount.mebibyte

    let metadata: MetadataClient
    let gate: SharedTokenGate

    func add(to router: inout Router) {
        add("/fleet/pull", "Work for a follower, and where its source is", PullRequest.self, to: &router) { _, body in
            try .json(AssignmentResponse(assignment: try await assignment(for: body)))
        }
        let unit = "/fleet/units/{video_id}/{unit}"
        add("\(unit)/heartbeat", "A follower is at a unit", UnitHeartbeatRequest.self, to: &router) { request, body in
            try .json(try await metadata.heartbeat(try request.unitID(), body))
        }
        add("\(unit)/fail", "A follower could not do a unit", UnitFailureRequest.self, to: &router) { request, body in
            try .json(try await metadata.fail(try request.unitID(), body))
        }
        add("\(unit)/complete", "A follower has done a unit", UnitResultRequest.self, to: &router) { request, body in
            try .json(try await metadata.complete(try request.unitID(), body))
        }
        add("\(unit)/chunks/{chunk_id}", "Commit a chunk of a unit", UnitCommitRequest.self, to: &router) {
            request, body in
            try .json(try await metadata.commit(try request.chunkID(), of: try request.unitID(), body))
        }
    }

    /// Without a shared token nobody is a follower.
    static func refuse(in router: inout Router) {
        router.add(.post, "/fleet/{path:path}", "For followers; SHARED_TOKEN is not set here") { _ in
            throw Failure(.unauthenticated, "no follower is let in: SHARED_TOKEN is not set at the transcoding service")
        }
    }

    private func add<Body: Decodable & Sendable>(
        _ path: String, _ summary: String, _ type: Body.Type, to router: inout Router,
        answer: @escaping @Sendable (Request, Body) async throws -> Response
    ) {
        router.add(.post, path, summary) { view in
            let request = view.snapshot()
            return .body(limit: Self.bodyBytesMax) { bytes in
                try gate.check(request.header(SharedToken.header), body: bytes)
                return try await answer(request, try JSON.decode(type, from: bytes))
            }
        }
    }

    private func assignment(for body: PullRequest) async throws -> Assignment? {
        guard let grant = try await metadata.pull(body).grant else { return nil }
        do {
            return try Assignment(grant, try await metadata.layout(grant.videoId))
        } catch {
            // Nobody knows of the lease: it would have to expire.
            let unit = UnitID(video: grant.videoId, number: grant.unit)
            let failure = UnitFailureRequest(
                token: grant.token, reason: "the source could not be found", isReleased: true)
            _ = try? await metadata.fail(unit, failure)
            throw error
        }
    }
}

extension Assignment {
    fileprivate init(_ grant: GrantMessage, _ layout: VideoLayout) throws(Failure) {
        guard let source = layout.renditions.first(where: { $0.stream == .source }) else {
            throw Failure(.conflict, "video \(grant.videoId) has no source rendition")
        }
        let wanted = grant.task.segments
        guard !wanted.isEmpty, wanted.upperBound <= source.segments.count else {
            throw Failure(.conflict, "unit \(grant.unit) of video \(grant.videoId) names segments that are not there")
        }
        let (first, last) = (source.segments[wanted.lowerBound], source.segments[wanted.upperBound - 1])
        let chunks = layout.chunks(of: .source)
        self.init(
            grant: grant, width: source.width, height: source.height, frameRate: source.frameRate,
            initialization: SourceRange(0..<source.initializationBytes, of: chunks),
            media: SourceRange(first.offsetBytes..<last.offsetBytes + last.sizeBytes, of: chunks))
    }
}

extension RequestView {
    fileprivate func unitID() throws(Failure) -> UnitID {
        let text = parameters["unit"]
        guard let number = Int(text), (0...Int(Int32.max)).contains(number) else {
            throw Failure(.invalidArgument, "'\(text.prefix(40))' is not the number of a unit")
        }
        return UnitID(video: try videoID(), number: number)
    }
}

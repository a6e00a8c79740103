import Base
import HTTPClient
import HTTPTypes
import Jobs

/// Calls the metadata service.
package struct MetadataClient: Sendable {
    package let baseURL: String
    private let http: HTTPClient

    /// - Parameter baseURL: such as `http://localhost:8080`.
    package init(_ baseURL: String, http: HTTPClient) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.http = http
    }

    package func createVideo(_ request: CreateVideoRequest) async throws -> CreateVideoResponse {
        try await call(.json(.post, "\(baseURL)/video", request))
    }

    package func videos(limit: Int = 100, offset: Int = 0) async throws -> [VideoSummary] {
        try await call(.get("\(baseURL)/videos?limit=\(limit)&offset=\(offset)"))
    }

    package func video(_ id: VideoID) async throws -> VideoSummary { try await call(.get("\(baseURL)/video/\(id)")) }

    package func manifest(_ id: VideoID) async throws -> Manifest { try await call(.get("\(baseURL)/manifest/\(id)")) }

    package func layout(_ id: VideoID) async throws -> VideoLayout {
        try await call(.get("\(baseURL)/video/\(id)/layout"))
    }

    /// - Returns: nil when it is still what `known` names.
    package func layout(_ id: VideoID, unless known: EntityTag?) async throws -> TaggedLayout? {
        var request = ClientRequest.get("\(baseURL)/video/\(id)/layout")
        if let known { request.headers.add("If-None-Match", known.header) }
        let response = try await http.send(request)
        if known != nil, response.status == .notModified { return nil }
        return TaggedLayout(
            layout: try response.decoded(as: VideoLayout.self), tag: EntityTag(ofHeader: response.headers["ETag"] ?? "")
        )
    }

    package func setStatus(_ id: VideoID, _ request: StatusRequest) async throws {
        try await http.send(.json(.patch, "\(baseURL)/video/\(id)/status", request)).requireSuccess()
    }

    package func updateVideo(_ id: VideoID, _ request: UpdateVideoRequest) async throws -> VideoSummary {
        try await call(.json(.patch, "\(baseURL)/video/\(id)", request))
    }

    package func deleteVideo(_ id: VideoID) async throws {
        try await http.send(ClientRequest(.delete, "\(baseURL)/video/\(id)")).requireSuccess()
    }

    package func commit(_ chunk: ChunkID, _ request: CommitRequest) async throws -> CommitResponse {
        try await call(.json(.post, "\(baseURL)/chunk/\(chunk)/commit", request))
    }

    package func publish(_ id: VideoID, _ request: PublishRequest) async throws {
        try await http.send(.json(.post, "\(baseURL)/video/\(id)/publish", request)).requireSuccess()
    }

    package func nodes() async throws -> [NodeSummary] {
        struct Nodes: Decodable { let nodes: [NodeSummary] }
        let answer: Nodes = try await call(.get("\(baseURL)/nodes/all"))
        return answer.nodes
    }

    package func register(_ request: RegisterNodeRequest) async throws {
        try await http.send(.json(.post, "\(baseURL)/nodes/register", request)).requireSuccess()
    }

    /// - Throws: ``HTTPClientError`` of status 404 when the service does not know the node (any more).
    package func heartbeat(_ node: NodeID, _ request: HeartbeatRequest) async throws {
        try await http.send(.json(.post, "\(baseURL)/nodes/\(node)/heartbeat", request)).requireSuccess()
    }

    package func pull(_ request: PullRequest) async throws -> PullResponse {
        try await call(.json(.post, "\(baseURL)/jobs/pull", request))
    }

    package func heartbeat(_ unit: UnitID, _ request: UnitHeartbeatRequest) async throws -> LeaseResponse {
        try await call(.json(.post, "\(unitURL(unit))/heartbeat", request))
    }

    package func fail(_ unit: UnitID, _ request: UnitFailureRequest) async throws -> LeaseResponse {
        try await call(.json(.post, "\(unitURL(unit))/fail", request))
    }

    package func complete(_ unit: UnitID, _ request: UnitResultRequest) async throws -> UnitResultResponse {
        try await call(.json(.post, "\(unitURL(unit))/complete", request))
    }

    package func commit(
        _ chunk: ChunkID, of unit: UnitID, _ request: UnitCommitRequest
    ) async throws -> CommitResponse {
        try await call(.json(.post, "\(unitURL(unit))/chunks/\(chunk)", request))
    }

    package func job(_ id: VideoID) async throws -> JobMessage { try await call(.get("\(baseURL)/jobs/\(id)")) }

    package func startJob(_ id: VideoID, _ request: StartJobRequest) async throws -> JobMessage {
        try await call(.json(.post, "\(baseURL)/jobs/\(id)/start", request))
    }

    package func stopJob(_ id: VideoID) async throws {
        try await http.send(ClientRequest(.post, "\(baseURL)/jobs/\(id)/stop")).requireSuccess()
    }

    package func resumeJob(_ id: VideoID) async throws -> ResumeJobsResponse {
        try await call(ClientRequest(.post, "\(baseURL)/jobs/\(id)/resume"))
    }

    /// Goes on with every job that is stopped or has failed units.
    package func resumeJobs() async throws -> ResumeJobsResponse {
        try await call(ClientRequest(.post, "\(baseURL)/jobs/resume"))
    }

    private func unitURL(_ unit: UnitID) -> String { "\(baseURL)/jobs/\(unit.video)/units/\(unit.number)" }

    private func call<Value: Decodable>(_ request: @autoclosure () throws -> ClientRequest) async throws -> Value {
        try await http.send(try request()).decoded(as: Value.self)
    }
}

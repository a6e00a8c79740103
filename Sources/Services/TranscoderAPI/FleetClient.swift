import Base
import HTTPClient
import HTTPTypes
import Jobs
import MetadataAPI

/// What a follower asks of the transcoding service, each request signed with the shared token.
package struct FleetClient: Sendable {
    private let baseURL: String
    private let token: SharedToken
    private let http: HTTPClient

    /// - Parameter baseURL: such as `http://localhost:8002`.
    package init(_ baseURL: String, token: SharedToken, http: HTTPClient) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.token = token
        self.http = http
    }

    package func pull(_ request: PullRequest) async throws -> AssignmentResponse {
        try await call("pull", request)
    }

    package func heartbeat(_ unit: UnitID, _ request: UnitHeartbeatRequest) async throws -> LeaseResponse {
        try await call("\(path(unit))/heartbeat", request)
    }

    package func fail(_ unit: UnitID, _ request: UnitFailureRequest) async throws -> LeaseResponse {
        try await call("\(path(unit))/fail", request)
    }

    package func complete(_ unit: UnitID, _ request: UnitResultRequest) async throws -> UnitResultResponse {
        try await call("\(path(unit))/complete", request)
    }

    package func commit(_ chunk: ChunkID, of unit: UnitID, _ request: UnitCommitRequest) async throws {
        let _: CommitResponse = try await call("\(path(unit))/chunks/\(chunk)", request)
    }

    private func path(_ unit: UnitID) -> String { "units/\(unit.video)/\(unit.number)" }

    private func call<Value: Decodable>(_ path: String, _ message: some Encodable) async throws -> Value {
        let body = try JSON.encode(message)
        let request = ClientRequest(
            .post, "\(baseURL)/fleet/\(path)",
            headers: ["Content-Type": "application/json", SharedToken.header: token.sign(body)], body: .bytes(body))
        return try await http.send(request).decoded(as: Value.self)
    }
}

import Base
import HTTPClient
import HTTPTypes
import TranscoderAPI

/// Requests between leader and followers, each signed with the shared token.
package struct SignedRequests: Sendable {
    /// An answer that takes longer is none.
    private static let timeout = Duration.seconds(10)

    private let token: SharedToken
    private let http: HTTPClient

    package init(_ token: SharedToken, http: HTTPClient) {
        self.token = token
        self.http = http
    }

    package func get(_ url: String) async throws -> ClientResponse {
        try await send(ClientRequest(.get, url, headers: [SharedToken.header: token.sign([])]))
    }

    package func post(_ url: String, _ message: some Encodable) async throws -> ClientResponse {
        let body = try JSON.encode(message)
        return try await send(
            ClientRequest(
                .post, url, headers: ["Content-Type": "application/json", SharedToken.header: token.sign(body)],
                body: .bytes(body)))
    }

    private func send(_ request: ClientRequest) async throws -> ClientResponse {
        var request = request
        request.totalTimeout = Self.timeout
        return try await http.send(request)
    }
}

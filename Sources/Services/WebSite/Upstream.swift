import Base
import HTTPClient
import HTTPTypes

/// How the site calls the services behind it. A protocol so that tests can stand in for the network.
protocol Upstream: Sendable {
    func send(_ request: ClientRequest, bodyLimit: Int) async throws -> ClientResponse
}

extension HTTPClient: Upstream {}

/// A service behind the site.
struct Backend: Sendable {
    /// Bytes of JSON that a service may answer: 1,000 videos with the longest titles fit.
    static let answerBytesMax = 32 * ByteCount.mebibyte

    /// As people call it: `metadata`, `uploader`, `streaming`.
    let name: String
    let url: ServiceURL
    let upstream: any Upstream

    /// Passes the request on and the service's answer back, whatever its status.
    /// - Parameter target: path and query, percent-encoded.
    /// - Throws: ``Failure`` (503) when the service does not answer.
    func relay(_ method: HTTPMethod, _ target: String) async throws -> Response {
        Self.response(from: try await send(ClientRequest(method, url.text + target)))
    }

    /// - Throws: ``Failure`` (503) when the service does not answer.
    func send(_ request: ClientRequest) async throws -> ClientResponse {
        do {
            return try await upstream.send(request, bodyLimit: Self.answerBytesMax)
        } catch let error as HTTPClientError {
            throw Failure(.unavailable, "the \(name) service does not answer; try again in a moment", cause: error)
        }
    }

    static func response(from answer: ClientResponse) -> Response {
        var response = Response(answer.status, body: answer.body.isEmpty ? .empty : .bytes(answer.body))
        for name in ["Content-Type", "Retry-After"] { response.headers[name] = answer.headers[name] }
        response.headers["Cache-Control"] = "no-store"
        return response
    }
}

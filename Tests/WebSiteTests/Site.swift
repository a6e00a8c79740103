import Base
import HTTPClient
import HTTPTypes
import Synchronization

@testable import WebSite

/// The service with its routes, called as a server would call it, over a network that a test makes up.
struct Site {
    let network: FakeNetwork
    private let router: Router

    init(
        settings: [String: String] = [:], network: FakeNetwork = FakeNetwork { _ in throw FakeNetwork.nobodyAnswers }
    ) throws {
        self.network = network
        let configuration = try WebSiteConfiguration(settings: Settings(environment: settings))
        let service = WebSiteService(configuration: configuration, upstream: network)
        var router = Router()
        service.addRoutes(to: &router)
        self.router = router
    }

    /// The answer to a request, errors turned into answers as the server does.
    func call(
        _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], query: [String: String] = [:],
        body: [[UInt8]] = []
    ) async -> Response {
        do {
            return try await respond(method, path, headers, query, Self.stream(of: body))
        } catch {
            return .failure(error)
        }
    }

    /// The same for a body that the test produces while it is asked for.
    func upload(headers: HTTPHeaders, body: BodyStream) async throws -> Response {
        try await respond(.post, "/api/upload", headers, [:], body)
    }

    private func respond(
        _ method: HTTPMethod, _ path: String, _ headers: HTTPHeaders, _ query: [String: String], _ body: BodyStream
    ) async throws -> Response {
        guard case .found(let handler, let parameters) = router.match(method, path) else {
            throw Failure(.notFound, "no route for \(method.rawValue) \(path)")
        }
        let request = Request(
            method: method, path: path, parameters: parameters, headers: headers,
            queryItems: query.map { (name: $0.key, value: $0.value) })
        switch try handler(request) {
        case .respond(let response): return response
        case .task(let work): return try await work()
        case .stream(_, let work): return try await work(body)
        default: preconditionFailure("the web role answers at once, from a task or from a stream")
        }
    }

    private static func stream(of pieces: [[UInt8]]) -> BodyStream {
        let source = PieceSource(pieces)
        return BodyStream(ByteSource { source.next() })
    }
}

/// Gives the pieces in order, and counts how many were asked for.
final class PieceSource: Sendable {
    private let state: Locked<(pieces: ArraySlice<[UInt8]>, taken: Int)>

    init(_ pieces: [[UInt8]]) { state = Locked((pieces[...], 0)) }

    var taken: Int { state.withLock { $0.taken } }

    func next() -> [UInt8]? {
        state.withLock { state in
            guard let piece = state.pieces.popFirst() else { return nil }
            state.taken += 1
            return piece
        }
    }
}

/// Answers requests as a closure says, and keeps what was asked.
final class FakeNetwork: Upstream {
    typealias Answer = @Sendable (ClientRequest) async throws -> ClientResponse

    static let nobodyAnswers = HTTPClientError(.connection, "connection refused")

    private let answer: Answer
    private let seen = Locked<[ClientRequest]>([])

    init(answer: @escaping Answer) { self.answer = answer }

    var requests: [ClientRequest] { seen.withLock { $0 } }

    /// `GET http://localhost:8080/videos` and the like, in order.
    var calls: [String] { requests.map { "\($0.method.rawValue) \($0.url)" } }

    func send(_ request: ClientRequest, bodyLimit: Int) async throws -> ClientResponse {
        seen.withLock { $0.append(request) }
        return try await answer(request)
    }

    static func json(_ text: String, status: HTTPStatus = .ok) -> ClientResponse {
        ClientResponse(status: status, headers: ["Content-Type": "application/json"], body: Array(text.utf8))
    }
}

extension Response {
    var bytes: [UInt8] {
        switch body {
        case .empty: []
        case .bytes(let bytes): bytes
        case .region(let region): Array(region.bytes)
        case .stream: preconditionFailure("the web role answers from memory")
        }
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
}

import Base
import ChunkPaxos
import ChunkStore
import Digests
import Foundation
import HTTPClient
import HTTPTypes
import MetadataAPI
import StorageNodeAPI
import Testing

@testable import StorageNode

/// A node in its own directory, with a disk of any fullness, driven through its router.
final class TestNode: Sendable {
    let service: StorageNodeService
    let directory: String
    private let router: Router

    init(_ variables: [String: String] = [:], diskPercent: Double = 10, registry: (any NodeRegistry)? = nil) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("vstack-\(UUID().uuidString)").path
        var settings = Settings(environment: ["DATA_DIR": directory, "METADATA_SERVICE_URL": ""])
        for (name, value) in variables { settings = settings.setting(name, to: value) }
        let configuration = try StorageNodeConfiguration(settings: settings)
        service = try StorageNodeService(
            configuration: configuration, registry: registry, disk: DiskUsage { diskPercent })
        var router = Router()
        service.addRoutes(to: &router)
        self.router = router
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// What the server would do with the request: the head to the handler, then the body as the handler asks for it.
    func send(
        _ method: HTTPMethod, _ path: String, query: [(name: String, value: String)] = [],
        headers: HTTPHeaders = [:], body: [UInt8] = [], announced: Bool = true
    ) async throws -> Response {
        guard case .found(let handler, let parameters) = router.match(method, path) else {
            return Response(.notFound)
        }
        var headers = headers
        if announced, method == .put || method == .post { headers["Content-Length"] = String(body.count) }
        let request = Request(method: method, path: path, parameters: parameters, headers: headers, queryItems: query)
        do {
            return try await answer(try handler(request), body)
        } catch {
            return .failure(error)
        }
    }

    /// What the handler says to the head of a request without a body.
    func reply(_ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:]) throws -> Reply {
        guard case .found(let handler, let parameters) = router.match(method, path) else {
            return .respond(Response(.notFound))
        }
        return try handler(Request(method: method, path: path, parameters: parameters, headers: headers))
    }

    private func answer(_ reply: Reply, _ body: [UInt8]) async throws -> Response {
        switch reply {
        case .respond(let response): return response
        case .prepared(let prepared): return prepared.response
        case .task(let work): return try await work()
        case .body(let limit, let work):
            guard body.count <= limit else { return .detail(.contentTooLarge, "too large") }
            return try await work(body)
        case .sink(_, let sink): return try await feed(sink, body)
        case .stream, .form:
            Issue.record("a storage node has no such route")
            return Response(.internalServerError)
        }
    }

    private func feed(_ sink: any BodySink, _ body: [UInt8]) async throws -> Response {
        do {
            for start in stride(from: 0, to: body.count, by: 1000) {
                try body[start..<min(body.count, start + 1000)].withUnsafeBytes { try sink.receive($0) }
            }
        } catch {
            sink.abort()
            throw error
        }
        return try await withCheckedThrowingContinuation { continuation in
            sink.finish { continuation.resume(with: $0) }
        }
    }
}

extension Response {
    var bytes: [UInt8] {
        switch body {
        case .empty: []
        case .bytes(let bytes): bytes
        case .region(let region): Array(region.bytes)
        case .stream: []
        }
    }

    var detail: String? {
        struct Detail: Decodable { let detail: String }
        return try? JSON.decode(Detail.self, from: bytes).detail
    }
}

func chunkValue(_ content: [UInt8], sequence: Int = 0, node: String = "storage-node-1") -> ChunkValue {
    guard let node = NodeID(node), let video = VideoID("550e8400-e29b-41d4-a716-446655440000") else { fatalError() }
    return ChunkValue(
        videoId: video, stream: .source, sequence: sequence, sizeBytes: content.count,
        checksum: SHA256.digest(of: content), group: "g1", nodes: [node])
}

func acceptanceHeaders(_ value: ChunkValue, ballot: String) throws -> HTTPHeaders {
    [
        StorageNodeHeader.ballot: ballot,
        StorageNodeHeader.value: Data(try value.encoded()).base64EncodedString(),
    ]
}

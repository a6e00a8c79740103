import Base
import Catalog
import CatalogSQLite
import ChunkPaxos
import Foundation
import HTTPTypes
import MetadataAPI
import StorageNodeAPI
import Synchronization
import Testing

@testable import Metadata

/// A metadata service over a catalog in a temporary folder and storage nodes in memory, called through its router.
final class Harness: Sendable {
    let cluster: FakeCluster
    let clock: ManualClock
    let service: MetadataService
    private let router: Router
    let folder: String

    /// What the service answered.
    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: [UInt8]
        /// Whether it came from the server's own thread.
        let isImmediate: Bool

        func decoded<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try JSON.decode(type, from: body)
        }

        var detail: String {
            struct Detail: Decodable { let detail: String }
            return (try? JSON.decode(Detail.self, from: body).detail) ?? ""
        }

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private init(
        folder: String, cluster: FakeCluster, clock: ManualClock, environment: [String: String], patience: Duration
    ) throws {
        self.folder = folder
        self.cluster = cluster
        self.clock = clock
        let settings = Settings(environment: environment.merging(["DB_PATH": folder + "/metadata.db"]) { $1 })
        let configuration = try MetadataConfiguration(settings: settings)
        let catalog = try CatalogSQLite(path: configuration.databasePath)
        var policy = ChunkCommitter.Policy()
        policy.backoff = .microseconds(10)
        // Nobody waits for what does not come; and on a machine that is busy, nothing that comes is given up.
        var pace = JournalKeeper.Pace()
        (pace.patience, pace.straggler, pace.farewell) = (patience, .seconds(60), .seconds(60))
        (pace.retry, pace.counters, pace.healing) = (.milliseconds(5), .milliseconds(5), .milliseconds(5))
        service = MetadataService(
            configuration: configuration, catalog: catalog, nodes: catalog.nodesWhenOpened, gateway: cluster,
            time: clock, policy: policy, reaperInterval: .milliseconds(5), journalPace: pace)
        var router = Router()
        service.addRoutes(to: &router)
        self.router = router
    }

    /// Runs `body` with a service that knows `nodes` nodes, at `http://node-1:8081` and so on.
    static func run(
        nodes: Int = 3, environment: [String: String] = [:], patience: Duration = .seconds(60),
        _ body: (Harness) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("metadata-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let harness = try Harness(
            folder: folder, cluster: FakeCluster(), clock: ManualClock(), environment: environment,
            patience: patience)
        for number in 0..<nodes { try await harness.register(number) }
        do {
            try await body(harness)
        } catch {
            await harness.service.stop()
            throw error
        }
        await harness.service.stop()
    }

    /// A service started anew over the same catalog and nodes, after this one was stopped.
    func restarted(_ body: (Harness) async throws -> Void) async throws {
        await service.stop()
        let next = try Harness(
            folder: folder, cluster: cluster, clock: clock, environment: [:], patience: .seconds(60))
        try await body(next)
        await next.service.stop()
    }

    /// Another service beside this one, over the same catalog and nodes.
    func beside(_ body: (Harness) async throws -> Void) async throws {
        let other = try Harness(
            folder: folder, cluster: cluster, clock: clock, environment: [:], patience: .seconds(60))
        do {
            try await body(other)
        } catch {
            await other.service.stop()
            throw error
        }
        await other.service.stop()
    }

    static func url(_ number: Int) -> String { "http://node-\(number + 1):8081" }

    func register(_ number: Int) async throws {
        let id = try #require(NodeID("node-\(number + 1)"))
        cluster.add(id, Self.acceptor(number), at: Self.url(number))
        try await register(number, Self.acceptor(number))
    }

    /// The node registers, again or for the first time, with that disk.
    func register(_ number: Int, _ acceptor: AcceptorID?) async throws {
        let id = try #require(NodeID("node-\(number + 1)"))
        let answer = try await call(
            .post, "/nodes/register",
            RegisterNodeRequest(
                nodeUrl: Self.url(number), nodeId: id, version: nil, acceptorId: acceptor,
                proofKey: ProofKey([UInt8](repeating: 7, count: 32))))
        #expect(answer.status == 200)
    }

    static func acceptor(_ number: Int) -> AcceptorID { AcceptorID(high: 0xacce, low: UInt64(number)) }

    func call(_ method: HTTPMethod, _ target: String, _ body: some Encodable) async throws -> Answer {
        try await call(method, target, bytes: try JSON.encode(body))
    }

    func call(
        _ method: HTTPMethod, _ target: String, bytes: [UInt8] = [], headers: HTTPHeaders = [:]
    ) async throws -> Answer {
        let components = try #require(URLComponents(string: target))
        let items = (components.queryItems ?? []).map { (name: $0.name, value: $0.value ?? "") }
        guard case .found(let handler, let parameters) = router.match(method, components.path) else {
            Issue.record("no route for \(method) \(target)")
            return Answer(status: 404, headers: [:], body: [], isImmediate: true)
        }
        let request = Request(
            method: method, path: components.path, parameters: parameters, headers: headers, queryItems: items)
        return try await answer(of: handler, request, bytes)
    }

    private func answer(of handler: Router.Handler, _ request: Request, _ bytes: [UInt8]) async throws -> Answer {
        do {
            switch try handler(request) {
            case .respond(let response): return try Self.answer(response, isImmediate: true)
            case .prepared(let prepared): return try Self.answer(prepared.response, isImmediate: true)
            case .task(let task): return try Self.answer(try await task())
            case .body(let limit, let task):
                #expect(bytes.count <= limit)
                return try Self.answer(try await task(bytes))
            case .sink(let limit, let sink):
                #expect(bytes.count <= limit)
                try bytes.withUnsafeBytes { try sink.receive($0) }
                let result = await withCheckedContinuation { continuation in
                    sink.finish { continuation.resume(returning: $0) }
                }
                return try Self.answer(try result.get())
            case .stream, .form: throw Failure(.internal, "no route of this service streams")
            }
        } catch {
            return try Self.answer(.failure(error))
        }
    }

    private static func answer(_ response: Response, isImmediate: Bool = false) throws -> Answer {
        let body: [UInt8]
        switch response.body {
        case .empty: body = []
        case .bytes(let bytes): body = bytes
        case .region(let region): body = Array(region.bytes)
        case .stream: throw Failure(.internal, "no answer of this service streams")
        }
        return Answer(
            status: response.status.code, headers: response.headers, body: body, isImmediate: isImmediate)
    }
}

/// A time that moves by hand.
final class ManualClock: TimeSource {
    private let time = Locked(Timestamp(nanoseconds: 1_700_000_000_000_000_000))

    func now() -> Timestamp { time.withLock { $0 } }

    func advance(seconds: Double) { time.withLock { $0 = $0.adding(seconds: seconds) } }
}

/// A video that was created, and what an uploader does with it.
struct Upload: Sendable {
    let harness: Harness
    let created: CreateVideoResponse

    init(_ harness: Harness, title: String = "A film") async throws {
        self.harness = harness
        created = try await harness.call(.post, "/video", CreateVideoRequest(title: title)).decoded()
    }

    /// The same upload, as another service sees it.
    init(_ harness: Harness, _ created: CreateVideoResponse) {
        self.harness = harness
        self.created = created
    }

    var id: VideoID { created.videoId }
    var urls: [String] { created.placementGroup.nodes.map(\.nodeUrl) }

    func chunk(_ sequence: Int, _ stream: ChunkStream = .source) -> ChunkID {
        ChunkID(video: id, stream: stream, sequence: sequence)
    }

    func value(_ sequence: Int, byte: UInt8 = 1, stream: ChunkStream = .source, sizeBytes: Int = 100) throws
        -> ChunkValue
    {
        ChunkValue(
            videoId: id, stream: stream, sequence: sequence, sizeBytes: sizeBytes, checksum: try digest(byte),
            group: created.placementGroup.id, nodes: created.placementGroup.nodes.map(\.nodeId),
            acceptors: created.placementGroup.acceptors,
            startSec: Double(sequence) * 10, durationSec: 10)
    }

    func stored(_ byte: UInt8 = 1, sizeBytes: Int = 100) throws -> FakeCluster.Stored {
        FakeCluster.Stored(checksum: try digest(byte), sizeBytes: sizeBytes)
    }

    /// Stores bytes and accepts their value under ballot 0, as the uploader does.
    func put(_ value: ChunkValue, at urls: [String]? = nil) throws {
        let stored = FakeCluster.Stored(checksum: value.checksum, sizeBytes: value.sizeBytes)
        try harness.cluster.put(
            ChunkID(video: id, stream: value.stream, sequence: value.sequence), stored, at: urls ?? self.urls,
            accepting: (created.ballot, value))
    }

    func commit(
        _ value: ChunkValue, urls: [String]? = nil, ballot: Ballot? = nil, acceptances: [AcceptanceMessage]? = nil
    ) async throws -> Harness.Answer {
        let request = CommitRequest(
            nodeUrls: urls ?? self.urls, checksum: value.checksum, sizeBytes: value.sizeBytes, videoId: id,
            sequenceNum: value.sequence, stream: value.stream, startSec: value.startSec,
            durationSec: value.durationSec, ballot: ballot, acceptances: acceptances)
        let chunk = ChunkID(video: id, stream: value.stream, sequence: value.sequence)
        return try await harness.call(.post, "/chunk/\(chunk)/commit", request)
    }

    func putAndCommit(_ sequences: Range<Int>, stream: ChunkStream = .source) async throws {
        for sequence in sequences {
            let value = try value(sequence, stream: stream)
            try put(value)
            #expect(try await commit(value).status == 200)
        }
    }

    private func digest(_ byte: UInt8) throws -> SHA256Digest {
        try #require([UInt8](repeating: byte, count: 32).withUnsafeBytes { SHA256Digest(bytes: $0) })
    }
}

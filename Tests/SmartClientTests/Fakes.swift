import Base
import ChunkPaxos
import Digests
import HTTPClient
import HTTPTypes
import MetadataAPI
import SmartClient
import Synchronization

/// Storage nodes in memory, each with a manner of its own.
final class FakeNodes: ReplicaTransport {
    enum Manner: Sendable {
        case good
        case refuses
        case hangs
        /// Answers with this status.
        case answers(Int)
        case givesOtherBytes
        case givesTooFew
    }

    private struct State {
        var manners: [String: Manner] = [:]
        var held: [String: [UInt8]] = [:]
        var asked: [String] = []
        var underWay = 0
        var underWayMax = 0
    }

    private let state = Locked(State())

    func set(_ replica: String, _ manner: Manner) { state.withLock { $0.manners[replica] = manner } }

    /// Replicas in the order they were asked.
    var asked: [String] { state.withLock { $0.asked } }
    var underWayMax: Int { state.withLock { $0.underWayMax } }
    var underWay: Int { state.withLock { $0.underWay } }

    /// Stores the bytes under the id on every node.
    func store(_ id: String, _ bytes: [UInt8]) { state.withLock { $0.held[id] = bytes } }

    func fetch(_ chunk: ChunkID, from replica: String) async throws -> [UInt8] {
        let (manner, bytes) = state.withLock { state in
            state.asked.append(replica)
            state.underWay += 1
            state.underWayMax = max(state.underWayMax, state.underWay)
            return (state.manners[replica] ?? .good, state.held[chunk.description])
        }
        defer { state.withLock { $0.underWay -= 1 } }
        await Task.yield()
        guard let bytes else { throw HTTPClientError(.status(.notFound), "no such chunk") }
        switch manner {
        case .good: return bytes
        case .refuses: throw HTTPClientError(.connection, "refused")
        case .hangs:
            try await Task.sleep(for: .seconds(3600))
            return bytes
        case .answers(let code): throw HTTPClientError(.status(.init(code)), "status \(code)")
        case .givesOtherBytes: return bytes.map { $0 ^ 1 }
        case .givesTooFew: return Array(bytes.dropLast())
        }
    }
}

/// A catalog of one or more videos.
struct FakeCatalog: VideoCatalog {
    var list: [VideoSummary] = []
    var layouts: [VideoID: VideoLayout] = [:]
    var manifests: [VideoID: Manifest] = [:]

    func videos(limit: Int, offset: Int) async throws -> [VideoSummary] {
        Array(list.dropFirst(offset).prefix(limit))
    }

    func layout(_ id: VideoID) async throws -> VideoLayout {
        guard let layout = layouts[id] else { throw Failure(.notFound, "no video \(id)") }
        return layout
    }

    func manifest(_ id: VideoID) async throws -> Manifest {
        guard let manifest = manifests[id] else { throw Failure(.notFound, "no video \(id)") }
        return manifest
    }
}

let threeNodes = ["http://a", "http://b", "http://c"]

/// A stream cut into chunks of the given sizes, stored on the nodes; and all its bytes.
func makeStream(
    _ video: VideoID = VideoID(), stream: ChunkStream = .source, sizes: [Int], on nodes: FakeNodes,
    replicas: [String] = threeNodes
) -> (chunks: [ManifestChunk], bytes: [UInt8]) {
    var all: [UInt8] = []
    var chunks: [ManifestChunk] = []
    for (sequence, size) in sizes.enumerated() {
        let bytes = (all.count..<all.count + size).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ $0 >> 8) }
        let id = ChunkID(video: video, stream: stream, sequence: sequence)
        nodes.store(id.description, bytes)
        chunks.append(
            ManifestChunk(
                chunkId: id, sequenceNum: sequence, sizeBytes: size, checksum: SHA256.digest(of: bytes),
                redundancyMode: .replication, replicas: replicas, startSec: Double(sequence) * 2, durationSec: 2))
        all += bytes
    }
    return (chunks, all)
}

func makeSummary(_ id: VideoID, status: VideoStatus = .active, title: String = "A video") -> VideoSummary {
    VideoSummary(
        videoId: id, title: title, durationSec: 4, totalChunks: 2, status: status,
        createdAt: Timestamp(nanoseconds: 0), viewCount: 0, sizeBytes: 0, error: nil, hasThumbnail: false)
}

extension ChunkFetcher {
    /// A fetcher for which no time passes: it neither hedges nor forgives, however slow the machine is.
    static func patient(_ transport: any ReplicaTransport) -> ChunkFetcher {
        let now = ContinuousClock.now
        return ChunkFetcher(transport: transport, hedgeDelay: .seconds(3600), clock: { now })
    }
}

import Base
import ChunkPaxos
import Digests
import Foundation
import HTTPTypes
import Media
import MetadataAPI
import Processes
import Synchronization
import Testing

@testable import ChunkDelivery
@testable import Uploader

/// A folder that is removed with it.
final class Folder: Sendable {
    let path = NSTemporaryDirectory() + "uploader-" + UUID().uuidString

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func names(in below: String = "", ending suffix: String) -> [String] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(below)")
        return (names ?? []).filter { $0.hasSuffix(suffix) }
    }
}

/// Three seconds of H.264 and AAC, made once for all tests.
enum Clip {
    static func bytes() async throws -> [UInt8] { try await made.value }

    /// The same with so much after it that nobody is to wait until all of it is stored.
    static func longBytes() async throws -> [UInt8] {
        let size = (UploadPipeline.chunksWaitedForMax + 1) * 65536
        let header = (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) } + Array("free".utf8)
        return try await bytes() + header + [UInt8](repeating: 0, count: size - header.count)
    }

    private static let made = Task<[UInt8], any Error> {
        let folder = try Folder()
        let path = folder.path + "/clip.mp4"
        let command = Command(
            "ffmpeg",
            [
                "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=3", "-f",
                "lavfi", "-i", "sine=frequency=440:duration=3", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt",
                "yuv420p", "-g", "30", "-c:a", "aac", path,
            ])
        let result = try await ChildProcess.run(command, outputBytesMax: 1000)
        try #require(result.status.isSuccess, "\(result.errorText)")
        return [UInt8](try Data(contentsOf: URL(filePath: path)))
    }
}

/// Keeps what it is given.
final class MemorySink: ChunkSink {
    private struct State {
        var chunks: [OutgoingChunk] = []
        var inFlight = 0
        var inFlightMax = 0
        var mendCount = 0
    }

    private let state = Locked(State())
    private let gate: (@Sendable (OutgoingChunk) async throws -> Void)?

    /// - Parameter gate: passed by each chunk before it counts as stored.
    init(gate: (@Sendable (OutgoingChunk) async throws -> Void)? = nil) { self.gate = gate }

    func store(_ chunk: OutgoingChunk) async throws {
        state.withLock { state in
            state.inFlight += 1
            state.inFlightMax = max(state.inFlightMax, state.inFlight)
        }
        defer { state.withLock { $0.inFlight -= 1 } }
        try await gate?(chunk)
        state.withLock { $0.chunks.append(chunk) }
    }

    func mend() async { state.withLock { $0.mendCount += 1 } }

    func chunks(_ stream: ChunkStream) -> [PlannedChunk] {
        state.withLock { $0.chunks }.filter { $0.stream == stream }.map(\.chunk).sorted { $0.sequence < $1.sequence }
    }

    func bytes(_ stream: ChunkStream) -> [UInt8] { chunks(stream).flatMap(\.bytes) }

    var inFlightMax: Int { state.withLock { $0.inFlightMax } }
    var mendCount: Int { state.withLock { $0.mendCount } }
}

/// A catalog in memory.
final class MemoryCatalog: UploadCatalog {
    struct State {
        var statuses: [VideoID: VideoStatus] = [:]
        var reasons: [VideoID: String] = [:]
        var publications: [VideoID: PublishRequest] = [:]
        /// Videos that were published before their originals were stored.
        var playable: Set<VideoID> = []
        var signsOfLife = 0
        var calls = 0
        /// Calls fail as long as this is true.
        var isAway = false
    }

    let state = Locked(State())

    static let group = PlacementGroupMessage(
        id: "group-1",
        nodes: (1...3).map {
            GroupMember(
                nodeId: NodeID("node-\($0)")!, nodeUrl: "http://127.0.0.1:\(9000 + $0)",
                acceptorId: AcceptorID(high: 1, low: UInt64($0)))
        })

    func create(_ request: CreateVideoRequest) async throws -> CreateVideoResponse {
        let id = VideoID()
        try change { $0.statuses[id] = .uploading }
        return Self.response(id)
    }

    static func response(_ id: VideoID) -> CreateVideoResponse {
        CreateVideoResponse(
            videoId: id, uploadUrl: "/upload/\(id)", placementGroup: group, ballot: Ballot(round: 0, proposer: 7))
    }

    func publish(_ video: VideoID, _ request: PublishRequest) async throws {
        try change { state in
            state.statuses[video] = .active
            state.publications[video] = request
            if request.originalFollows == true { state.playable.insert(video) }
        }
    }

    func markFailed(_ video: VideoID, reason: String) async throws {
        try change { state in
            state.statuses[video] = .failed
            state.reasons[video] = reason
        }
    }

    func markUploading(_ video: VideoID) async throws { try change { $0.signsOfLife += 1 } }

    func status(_ video: VideoID) async throws -> VideoStatus? {
        try state.withLock { state in
            state.calls += 1
            guard !state.isAway else { throw Failure(.unavailable, "the catalog is away") }
            return state.statuses[video]
        }
    }

    private func change(_ body: (inout State) -> Void) throws {
        try state.withLock { state in
            guard !state.isAway else { throw Failure(.unavailable, "the catalog is away") }
            body(&state)
        }
    }
}

/// A form that gives these events, and then ends or throws.
func form(_ events: [FormStream.Event], then error: (any Error)? = nil) -> FormStream {
    let rest = Locked(events[...])
    return FormStream {
        let next = rest.withLock { $0.popFirst() }
        if next == nil, let error { throw error }
        return next
    }
}

/// The events of a part, its data in pieces.
func part(_ name: String, filename: String? = nil, _ bytes: [UInt8], pieces: Int = 10_000) -> [FormStream.Event] {
    [.part(name: name, filename: filename, contentType: nil)]
        + stride(from: 0, to: bytes.count, by: pieces).map {
            .data(Array(bytes[$0..<min($0 + pieces, bytes.count)]))
        }
}

/// Polls a condition that nothing announces. The limit only ends a test that hangs: a machine may be very busy.
func until(_ what: Comment, _ condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(180)
    while ContinuousClock.now < deadline {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("never: \(what)")
}

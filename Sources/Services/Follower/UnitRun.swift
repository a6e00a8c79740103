import Base
import ChunkDelivery
import Digests
import HTTPClient
import HTTPTypes
import Jobs
import Media
import MetadataAPI
import SmartClient
import Synchronization
import TemporaryStorage
import TranscoderAPI

/// One attempt at a unit, from its source to its completion. Whatever becomes of it, its scratch is gone afterwards.
struct UnitRun: Sendable {
    enum Outcome: Sendable {
        case accepted
        /// Somebody else has done it, or nobody wants it any more.
        case fenced(String)
        /// Given back.
        case released
        case failed(String)
    }

    let assignment: Assignment
    let configuration: FollowerConfiguration
    let fleet: FleetClient
    let http: HTTPClient
    let health: SharedNodeHealth
    let space: TemporarySpace
    let report: @Sendable (UnitProgress) -> Void

    private var grant: GrantMessage { assignment.grant }
    private var unit: UnitID { UnitID(video: grant.videoId, number: grant.unit) }
    private var token: FencingToken { FencingToken(grant.token) }

    func run() async -> Outcome {
        let progress = LatestProgress(report)
        do {
            return try await withThrowingTaskGroup(of: Outcome?.self) { group in
                group.addTask { try await work(progress) }
                group.addTask { await renewLease(progress) }
                defer { group.cancelAll() }
                while let outcome = try await group.next() {
                    if let outcome { return outcome }
                }
                return .released
            }
        } catch {
            return await giveUp(error)
        }
    }

    private func work(_ progress: LatestProgress) async throws -> Outcome {
        let (rungs, sourceBytes) = (ladderRungs, assignment.initialization.sizeBytes + assignment.media.sizeBytes)
        let seconds = grant.endSec - grant.startSec
        let reservation = try space.reserve(
            grant.kind == .audio
                ? AudioEncoder.scratchBytes(seconds: seconds)
                : UnitEncoder.scratchBytes(rungs: rungs, seconds: seconds + 6, sourceBytes: sourceBytes))
        defer { withExtendedLifetime(reservation) {} }
        let scratch = try ScratchFolder(in: configuration.scratchFolder)
        let streams = try await encode(in: scratch, progress)
        let result = try await store(streams)
        let response = try await Retry.metadata.run {
            try await fleet.complete(unit, UnitResultRequest(token: token, result))
        }
        switch response.outcome {
        case .accepted, .repeated: return .accepted
        case .refused: return .failed(response.reason ?? "the result was refused")
        case .fenced: return .fenced(response.reason ?? "the lease has ended")
        }
    }

    /// Until it is cancelled, or the attempt is of no use any more.
    private func renewLease(_ progress: LatestProgress) async -> Outcome? {
        // Three chances within the life of a lease.
        let interval = Duration.seconds(max(0.2, grant.leaseSec / 3))
        while (try? await Task.sleep(for: interval)) != nil {
            let request = UnitHeartbeatRequest(token: grant.token, progress: progress.value)
            // While the service is away the lease may end, and then the next answer says so.
            guard let response = try? await fleet.heartbeat(unit, request), !response.isHeld else { continue }
            return .fenced(response.reason ?? "the lease has ended")
        }
        return nil
    }

    private func giveUp(_ error: any Error) async -> Outcome {
        // Not within the task that was cancelled.
        let isReleased = Task.isCancelled || error is CancellationError
        let reason = Self.reason(error)
        let (fleet, unit, token) = (fleet, unit, grant.token)
        await Task.detached {
            _ = try? await fleet.fail(unit, UnitFailureRequest(token: token, reason: reason, isReleased: isReleased))
        }.value
        return isReleased ? .released : .failed(reason)
    }

    private static func reason(_ error: any Error) -> String {
        if let problem = error as? SegmentCheck.Problem { return problem.reason }
        return (error as? any PresentableError)?.message ?? "something went wrong in the follower: \(error)"
    }
}

// The encode.
extension UnitRun {
    private var ladderRungs: [LadderRung] {
        let labels = Set(grant.rungs.map(\.description))
        return (try? ladder().rungs.filter { labels.contains($0.label) }) ?? []
    }

    /// All rungs of the source, so that it is the same whichever of them the unit makes.
    private func ladder() throws(MediaError) -> LadderPlan {
        try LadderPlan(width: assignment.width, height: assignment.height, frameRate: assignment.frameRate)
    }

    private func encode(in scratch: ScratchFolder, _ progress: LatestProgress) async throws -> [EncodedStream] {
        let source = try source()
        let ladder = try ladder()
        let note: @Sendable (EncodeProgress) -> Void = { progress.note($0, of: grant) }
        guard grant.kind == .video else {
            let sound = try await AudioEncoder(configuration.tools).encode(
                bitsPerSecond: ladder.audioBitsPerSecond, in: scratch, source: { try await source.next() },
                progress: note)
            guard let sound else { throw MediaError(.badEncode, "the source has no sound") }
            try await sound.verify(SegmentCheck.Expectation(), tools: configuration.tools)
            return [sound]
        }
        let work = WorkUnit(
            part: grant.part, startSeconds: Int(grant.startSec.rounded()),
            endSeconds: grant.isLast ? nil : Int(grant.endSec.rounded()), labels: ladderRungs.map(\.label),
            sourceSegmentFirst: grant.sourceSegmentFirst, sourceSegmentEnd: grant.sourceSegmentEnd)
        let encoded = try await UnitEncoder(configuration.tools).encode(
            work, of: ladder, in: scratch, source: { try await source.next() }, progress: note)
        try await encoded.verify(work, of: ladder, tools: configuration.tools)
        return encoded.streams
    }

    /// The initialization segment and the unit's segments, verified chunk by chunk, from whichever node gives them.
    private func source() throws(Failure) -> ByteSource {
        let reader = ChunkReader(ChunkFetcher(http: http))
        let first = try reader.source(chunks: assignment.initialization.chunks, range: assignment.initialization.range)
        let rest = try reader.source(chunks: assignment.media.chunks, range: assignment.media.range)
        return ByteSource {
            if let piece = try await first.next() { return piece }
            return try await rest.next()
        }
    }
}

// What was made becomes chunks.
extension UnitRun {
    private static let chunksInFlightMax = 4

    private func store(_ streams: [EncodedStream]) async throws -> UnitResult {
        let commit: HTTPChunkNodes.Commit = { [fleet, unit, grant] id, request in
            try await fleet.commit(id, of: unit, UnitCommitRequest(token: grant.token, commit: request))
        }
        let sink = PlacementGroupSink(
            video: grant.videoId, group: grant.placementGroup, ballot: grant.ballot,
            nodes: HTTPChunkNodes(http: http, commit: commit), health: health)
        var rungs: [UnitResult.Rung] = []
        for stream in streams {
            guard let label = RungLabel(stream.label), let name = grant.task.stream(of: label, token) else {
                throw Failure(.internal, "'\(stream.label)' is no label")
            }
            try await store(stream, as: name, in: sink)
            rungs.append(UnitResult.Rung(stream, label))
        }
        await sink.mend()
        return UnitResult(rungs: rungs)
    }

    /// A segment begins a chunk of its own, so that who plays it fetches nothing else; the first goes with the
    /// initialization segment.
    private func store(_ stream: EncodedStream, as name: ChunkStream, in sink: PlacementGroupSink) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var window = StoreWindow(stream: name, sink: sink, limit: Self.chunksInFlightMax)
            var sequence = 0
            for (index, segment) in stream.segments.enumerated() {
                try await window.makeRoom(in: &group)
                var bytes = try await stream.bytes(of: segment)
                if index == 0 { bytes = stream.initialization + bytes }
                for offset in Swift.stride(from: 0, to: bytes.count, by: configuration.chunkBytesMax) {
                    let end = min(bytes.count, offset + configuration.chunkBytesMax)
                    let chunk = PlannedChunk(
                        sequence: sequence, bytes: Array(bytes[offset..<end]),
                        startSeconds: max(0, stream.seconds(segment.startTicks)),
                        durationSeconds: stream.seconds(segment.durationTicks))
                    try await window.add(chunk, to: &group) {}
                    sequence += 1
                }
            }
            try await group.waitForAll()
        }
    }
}

extension UnitResult.Rung {
    fileprivate init(_ stream: EncodedStream, _ label: RungLabel) {
        let lead = stream.initialization.count
        self.init(
            label: label, codecs: stream.codec, initialization: SHA256.digest(of: stream.initialization),
            initializationBytes: lead, frameCount: stream.sampleCount,
            segments: stream.segments.map {
                UnitResult.Segment(
                    offsetBytes: lead + $0.offsetBytes, sizeBytes: $0.sizeBytes,
                    startSec: max(0, stream.seconds($0.startTicks)), durationSec: stream.seconds($0.durationTicks))
            })
    }
}

/// What ffmpeg said last.
private final class LatestProgress: Sendable {
    private let latest = Locked(UnitProgress())
    private let report: @Sendable (UnitProgress) -> Void

    init(_ report: @escaping @Sendable (UnitProgress) -> Void) { self.report = report }

    var value: UnitProgress { latest.withLock { $0 } }

    func note(_ encode: EncodeProgress, of grant: GrantMessage) {
        let left = (1 - encode.fraction) * (grant.endSec - grant.startSec)
        let progress = UnitProgress(
            fraction: encode.fraction, frame: encode.frame, framesPerSecond: encode.framesPerSecond,
            speed: encode.speed, etaSec: encode.speed > 0 ? left / encode.speed : nil)
        latest.withLock { $0 = progress }
        report(progress)
    }
}

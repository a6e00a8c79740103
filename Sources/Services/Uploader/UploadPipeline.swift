import Base
import ChunkDelivery
import Digests
import HTTPTypes
import Media
import MetadataAPI

/// What is known of an upload once it is on disk and in the catalog.
struct UploadJob: Sendable {
    let received: ReceivedUpload
    let info: MediaInfo
    let plan: RenditionPlan

    init(received: ReceivedUpload, info: MediaInfo) {
        self.received = received
        self.info = info
        plan = RenditionPlan(for: info)
    }
}

/// Makes chunks of an upload and stores them: the rendition out of ffmpeg's pipe and, beside it, the original.
///
/// At most ``chunksInFlightMax`` chunks of each of the two are in memory, whatever the file's size. What somebody waits for
/// to play goes first: where the rendition is a copy, the original follows when all of it is stored, and of a long file the
/// rendition is told of at once.
struct UploadPipeline: Sendable {
    /// Of each stream. Four PUTs to each node keep its group commit busy; more would only hold more memory.
    static let chunksInFlightMax = 4
    /// An original of more chunks than this is worth not being waited for.
    static let chunksWaitedForMax = 16

    enum Progress: Sendable {
        /// Of the rendition's first chunk.
        case produced(fraction: Double)
        case firstChunk
        /// Of everything.
        case stored(fraction: Double)
    }

    let tools: MediaTools
    let chunkBytesMax: Int
    let chunkSecondsTarget: Double

    /// - Parameter playable: called with what can be published before all of the original is stored; not for short files.
    /// - Returns: what the catalog publishes, and how many chunks the rendition has.
    /// - Throws: ``MediaError``, or what the sink or `playable` throws; the other stream is given up then.
    func run(
        _ job: UploadJob, into sink: any ChunkSink, report: @escaping @Sendable (Progress) -> Void,
        playable: @escaping @Sendable (PublishRequest) async throws -> Void
    ) async throws -> (PublishRequest, chunkCount: Int) {
        let meter = ProgressMeter(isCopy: job.plan.isCopy, report: report)
        let isLong = job.received.file.sizeBytes > Self.chunksWaitedForMax * chunkBytesMax
        // A copy is there in the time it takes to store it; with an encode there is time for both.
        let copy = isLong && job.plan.isCopy ? try await storeRendition(job, sink, meter) : nil
        // Not `async let`: the first failure must end the other at once.
        let rendition = try await withThrowingTaskGroup(of: Rendition?.self) { group in
            group.addTask {
                let rendition = if let copy { copy } else { try await storeRendition(job, sink, meter) }
                if isLong { try await playable(publication(job, rendition, originalFollows: true)) }
                return rendition
            }
            group.addTask {
                try await storeOriginal(job, sink, meter)
                return nil
            }
            var rendition: Rendition?
            while let part = try await group.next() { rendition = part ?? rendition }
            return rendition
        }
        guard let rendition else { preconditionFailure("the rendition's task returns a rendition") }
        return (publication(job, rendition, originalFollows: nil), rendition.chunkCount)
    }

    private struct Rendition: Sendable {
        let initialization: InitializationSegment
        let segments: SegmentPlanner
        let chunkCount: Int
    }

    private func storeRendition(_ job: UploadJob, _ sink: any ChunkSink, _ meter: ProgressMeter) async throws
        -> Rendition
    {
        var chunks = ChunkPlanner(bytesMax: chunkBytesMax, secondsTarget: chunkSecondsTarget)
        var segments = SegmentPlanner()
        var initialization: InitializationSegment?
        try await withThrowingTaskGroup(of: Void.self) { group in
            var window = StoreWindow(stream: .source, sink: sink, limit: Self.chunksInFlightMax)
            try await RenditionProducer(tools).produce(job.received.file.path, job.plan) { event in
                switch event {
                case .initialization(let segment):
                    initialization = segment
                    chunks.begin(segment)
                    segments.begin(segment)
                case .fragment(let fragment):
                    segments.add(fragment)
                    meter.produced(
                        max(
                            Double(segments.sizeBytes) / Double(chunkBytesMax),
                            segments.durationSeconds / chunkSecondsTarget))
                    for chunk in chunks.add(fragment) {
                        meter.firstChunk()
                        let fraction = job.share(of: segments)
                        try await window.add(chunk, to: &group) { meter.renditionStored(fraction) }
                    }
                }
            }
            for chunk in chunks.finish() {
                meter.firstChunk()
                try await window.add(chunk, to: &group) { meter.renditionStored(1) }
            }
            try await group.waitForAll()
        }
        guard let initialization, segments.frameCount > 0 else { throw MediaError.noFrames }
        return Rendition(initialization: initialization, segments: segments, chunkCount: chunks.chunkCount)
    }

    private func storeOriginal(_ job: UploadJob, _ sink: any ChunkSink, _ meter: ProgressMeter) async throws {
        let file = job.received.file
        let size = file.sizeBytes
        try await withThrowingTaskGroup(of: Void.self) { group in
            var window = StoreWindow(stream: .original, sink: sink, limit: Self.chunksInFlightMax)
            for (sequence, offset) in stride(from: 0, to: size, by: chunkBytesMax).enumerated() {
                // A place first, and then the bytes, so that no more is read than can be sent.
                try await window.makeRoom(in: &group)
                let count = min(chunkBytesMax, size - offset)
                let bytes = try await file.read(at: offset, count: count)
                guard bytes.count == count else { throw Failure(.internal, "the temporary file became shorter") }
                let chunk = PlannedChunk(sequence: sequence, bytes: bytes, startSeconds: 0, durationSeconds: 0)
                try await window.add(chunk, to: &group) { meter.originalStored(Double(count) / Double(size)) }
            }
            try await group.waitForAll()
        }
    }

    private func publication(_ job: UploadJob, _ rendition: Rendition, originalFollows: Bool?) -> PublishRequest {
        let (width, height) = job.info.video.displaySize
        let segments = rendition.segments
        return PublishRequest(
            durationSec: Self.milliseconds(segments.durationSeconds),
            original: OriginalMessage(
                filename: job.received.filename, contentType: job.received.contentType,
                sizeBytes: job.received.file.sizeBytes, checksum: job.received.checksum, width: width, height: height,
                qualityLabel: QualityLabel.label(width: width, height: height)),
            renditions: [
                RenditionMessage(
                    stream: .source, width: job.plan.width, height: job.plan.height,
                    codecs: rendition.initialization.codecs, frameRate: job.info.video.frameRateAverage,
                    bandwidth: segments.peakBitsPerSecond, averageBandwidth: segments.averageBitsPerSecond,
                    initializationBytes: segments.initializationBytes,
                    segments: segments.segments.map {
                        SegmentMessage(
                            offsetBytes: $0.offsetBytes, sizeBytes: $0.sizeBytes, startSec: $0.startSeconds,
                            durationSec: $0.durationSeconds)
                    })
            ], originalFollows: originalFollows)
    }

    private static func milliseconds(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
}

extension UploadJob {
    /// How much of the rendition these segments are: by time, or by bytes where the source's duration is unknown.
    fileprivate func share(of segments: SegmentPlanner) -> Double {
        if let duration = info.durationSeconds, duration > 0 { return segments.durationSeconds / duration }
        return min(0.99, Double(segments.sizeBytes) / Double(max(1, received.file.sizeBytes)))
    }
}

extension MediaError {
    fileprivate static var noFrames: MediaError {
        MediaError(.zeroDuration, "the file's duration is zero: it holds no picture to play")
    }
}

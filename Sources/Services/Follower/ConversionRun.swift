import Base
import ConversionAPI
import Foundation
import HTTPClient
import Jobs
import Media
import Synchronization
import TemporaryStorage

/// One attempt at converting a file for a leader. What it leaves is a temporary file, whole, which the leader gives its
/// name; or nothing.
struct ConversionRun: Sendable {
    enum Outcome: Sendable {
        case accepted
        /// The leader wants it no more.
        case fenced
        case released
        case failed(String)
    }

    /// While the leader is away, what is done is kept for it so long.
    private static let patience = Duration.seconds(600)
    private static let pause = Duration.seconds(1)

    let request: ExecuteRequest
    let worker: FollowerID
    let home: MediaHome
    let tools: MediaTools
    let leader: SignedRequests
    let report: @Sendable (EncodeProgress) -> Void
    /// Waits until the follower has nothing else to do.
    let turn: @Sendable () async throws -> Void

    private var url: String { "\(request.leaderUrl)/api/jobs/\(request.jobId)/progress" }

    func run() async -> Outcome {
        let latest = Latest(report)
        let outcome = await withTaskGroup(of: Outcome?.self) { group in
            group.addTask { await work(latest) }
            group.addTask { await stayHeld(latest) }
            defer { group.cancelAll() }
            while let outcome = await group.next() {
                if let outcome { return outcome }
            }
            return .released
        }
        if case .accepted = outcome { return outcome }
        if let path = try? home.place(request.temporaryFile) { unlink(path) }
        return outcome
    }

    private func work(_ latest: Latest) async -> Outcome {
        do {
            try await turn()
            try await convert(latest)
        } catch {
            if Task.isCancelled || error is CancellationError { return await giveBack() }
            return await tellFailure(error)
        }
        return await tell(message(.completed, latest)) ? .accepted : .fenced
    }

    private func convert(_ latest: Latest) async throws {
        try request.config.check()
        let input = try home.file(request.inputFile)
        let output = try home.place(request.temporaryFile)
        let info = try await MediaProbe(tools).examine(input)
        let conversion = FileConversion(request.config, tools: tools)
        latest.setTotal(conversion.frameCount(of: info))
        // What is made is seldom larger than what it is made from.
        guard TemporarySpace.freeBytes(home.folder) > info.sizeBytes + 64 * ByteCount.mebibyte else {
            throw Failure(.insufficientStorage, "the media folder's disk has no room for the result")
        }
        try await conversion.run(input, info, to: output) { latest.note($0) }
    }

    private func tellFailure(_ error: any Error) async -> Outcome {
        let reason = (error as? any PresentableError)?.message ?? "something went wrong in the follower"
        var message = message(.failed, nil)
        message.error = reason
        message.isFinal = Self.isFinal(error)
        return await tell(message) ? .failed(reason) : .fenced
    }

    /// Whether the file itself is at fault.
    private static func isFinal(_ error: any Error) -> Bool {
        if let error = error as? MediaError { return error.code != .tool }
        guard let category = (error as? any PresentableError)?.category else { return false }
        return [.invalidArgument, .notFound, .unsupportedMediaType, .insufficientStorage].contains(category)
    }

    private func giveBack() async -> Outcome {
        let (leader, url, message) = (leader, url, message(.released, nil))
        // Not within the task that was cancelled.
        await Task.detached { _ = try? await leader.post(url, message) }.value
        return .released
    }

    /// Three chances within the time that the leader waits for word.
    /// - Returns: once the attempt counts no more.
    private func stayHeld(_ latest: Latest) async -> Outcome? {
        let interval = Duration.seconds(min(2, max(0.2, request.leaseSec / 3)))
        while (try? await Task.sleep(for: interval)) != nil {
            guard let answer = try? await leader.post(url, message(.processing, latest)),
                let held = try? answer.decoded(as: ConversionReportAnswer.self), !held.isHeld
            else { continue }
            return .fenced
        }
        return nil
    }

    /// - Returns: whether the attempt counts.
    private func tell(_ message: ConversionReport) async -> Bool {
        let end = ContinuousClock.now + Self.patience
        while ContinuousClock.now < end {
            if let answer = try? await leader.post(url, message),
                let held = try? answer.decoded(as: ConversionReportAnswer.self)
            {
                return held.isHeld
            }
            guard (try? await Task.sleep(for: Self.pause)) != nil else { return false }
        }
        return false
    }

    private func message(_ state: ConversionReport.State, _ latest: Latest?) -> ConversionReport {
        var message = ConversionReport(workerId: worker.description, attempt: request.attempt, state: state)
        guard let (progress, total) = latest?.value else { return message }
        message.progress = (progress.fraction * 1000).rounded() / 10
        (message.frame, message.fps, message.speed) = (progress.frame, progress.framesPerSecond, progress.speed)
        message.totalFrames = total
        return message
    }

    /// What ffmpeg said last.
    private final class Latest: Sendable {
        private let state = Locked<(progress: EncodeProgress, total: Int?)>((EncodeProgress(), nil))
        private let report: @Sendable (EncodeProgress) -> Void

        init(_ report: @escaping @Sendable (EncodeProgress) -> Void) { self.report = report }

        var value: (EncodeProgress, Int?) { state.withLock { ($0.progress, $0.total) } }

        func setTotal(_ count: Int) { state.withLock { $0.total = count > 0 ? count : nil } }

        func note(_ progress: EncodeProgress) {
            state.withLock { $0.progress = progress }
            report(progress)
        }
    }
}

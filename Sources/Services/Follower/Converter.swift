import Base
import ConversionAPI
import HTTPClient
import Jobs
import Media
import Synchronization
import TranscoderAPI

/// What the follower converts for a leader: one file at a time, before any unit of a video that is not begun yet.
final class Converter: Sendable {
    struct Current: Sendable {
        let request: ExecuteRequest
        var progress = EncodeProgress()
    }

    private struct State {
        var current: Current?
        var task: Task<Void, Never>?
        var isStopping = false
    }

    private let configuration: FollowerConfiguration
    private let home: MediaHome?
    private let requests: SignedRequests
    private let slot: WorkSlot
    private let logger = Logger("follower")
    private let state = Locked(State())

    /// - Throws: ``Failure`` when there is a media home that cannot be opened.
    init(configuration: FollowerConfiguration, slot: WorkSlot, http: HTTPClient) throws(Failure) {
        self.configuration = configuration
        self.slot = slot
        if let folder = configuration.mediaHome { home = try MediaHome(folder, isMade: true) } else { home = nil }
        requests = SignedRequests(configuration.token, http: http)
    }

    var current: Current? { state.withLock { $0.current } }

    /// Begins, and returns at once.
    /// - Throws: ``Failure``: 403 without a media home, 503 while another file is converted.
    func begin(_ request: ExecuteRequest) throws(Failure) {
        guard let home else {
            throw Failure(.forbidden, "this follower converts no files: its FRAME_SHIFT_HOME is not set")
        }
        _ = try home.relative(request.inputFile)
        _ = try home.relative(request.temporaryFile)
        try request.config.check()
        try state.withLock { state throws(Failure) in
            guard !state.isStopping else { throw Failure(.unavailable, "the follower is stopping") }
            if let current = state.current {
                guard current.request.jobId == request.jobId, current.request.attempt == request.attempt else {
                    throw Failure(.unavailable, "the follower converts another file now")
                }
                // The same again: its first answer was lost.
                return
            }
            state.current = Current(request: request)
            state.task = Task { await perform(request, home) }
        }
    }

    private func perform(_ request: ExecuteRequest, _ home: MediaHome) async {
        slot.reserve()
        let url = configuration.leaderURL ?? request.leaderUrl
        let run = ConversionRun(
            request: ExecuteRequest(
                jobId: request.jobId, attempt: request.attempt, inputFile: request.inputFile,
                temporaryFile: request.temporaryFile, config: request.config, leaderUrl: url, leaseSec: request.leaseSec
            ),
            worker: configuration.id, home: home, tools: configuration.tools, leader: requests,
            report: { [weak self] progress in self?.state.withLock { $0.current?.progress = progress } },
            turn: { [slot] in try await slot.turn() })
        let outcome = await run.run()
        slot.leave()
        let fields = ["job": request.jobId, "attempt": "\(request.attempt)"]
        switch outcome {
        case .accepted: logger.info("a file is converted", fields)
        case .fenced: logger.info("a file is not needed any more", fields)
        case .released: logger.info("a file was given back", fields)
        case .failed(let reason):
            logger.warning("a file could not be converted", fields.merging(["reason": reason]) { first, _ in first })
        }
        state.withLock { state in
            state.current = nil
            state.task = nil
        }
    }

    /// - Returns: whether that job was under way.
    func cancel(_ job: String) -> Bool {
        let task = state.withLock { $0.current?.request.jobId == job ? $0.task : nil }
        task?.cancel()
        return task != nil
    }

    /// Gives back what is under way, and returns when nothing is left of it.
    func stop() async {
        let task = state.withLock { state in
            state.isStopping = true
            return state.task
        }
        task?.cancel()
        await task?.value
    }
}

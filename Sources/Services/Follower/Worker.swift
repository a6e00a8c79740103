import Base
import ChunkDelivery
import Foundation
import HTTPClient
import Jobs
import MetadataAPI
import SmartClient
import Synchronization
import TemporaryStorage
import TranscoderAPI

/// What the follower is at.
struct CurrentWork: Sendable {
    let unit: UnitID
    let token: FencingToken
    let rungs: [RungLabel]
    var progress = UnitProgress()
}

/// Asks for units and does them, one after the other, until it is stopped.
final class Worker: Sendable {
    /// Between two questions while there is nothing to do.
    private static let idle = Duration.milliseconds(500)
    /// While the transcoding service is away.
    private static let retry = Duration.seconds(2)

    private struct State {
        var loop: Task<Void, Never>?
        var current: CurrentWork?
        var task: Task<Void, Never>?
        var isStopping = false
    }

    let acceptedCount = Counter()
    let failedCount = Counter()

    private let configuration: FollowerConfiguration
    private let fleet: FleetClient
    private let http: HTTPClient
    private let slot: WorkSlot
    private let health = SharedNodeHealth()
    private let space: TemporarySpace
    /// Held for as long as the follower lives.
    private let lock: FolderLock
    private let logger = Logger("follower")
    private let state = Locked(State())

    init(configuration: FollowerConfiguration, fleet: FleetClient, slot: WorkSlot, http: HTTPClient) throws(Failure) {
        self.configuration = configuration
        self.slot = slot
        self.fleet = fleet
        self.http = http
        lock = try FolderLock(configuration.scratchFolder, setting: "SCRATCH_DIR")
        Self.empty(configuration.scratchFolder)
        space = TemporarySpace(folder: configuration.scratchFolder)
    }

    var current: CurrentWork? { state.withLock { $0.current } }

    /// Begins; once is enough.
    func start() {
        state.withLock { state in
            guard state.loop == nil, !state.isStopping else { return }
            state.loop = Task { await run() }
        }
    }

    /// Gives back what is under way, and returns when nothing is left of it.
    func stop() async {
        let (loop, task) = state.withLock { state in
            state.isStopping = true
            return (state.loop, state.task)
        }
        task?.cancel()
        loop?.cancel()
        await loop?.value
    }

    /// - Returns: whether anything of that video was under way.
    func cancel(_ job: String) -> Bool {
        let task = state.withLock { state in
            state.current.map { VideoID(job) == $0.unit.video } == true ? state.task : nil
        }
        task?.cancel()
        return task != nil
    }

    private func run() async {
        while !Task.isCancelled {
            do {
                guard try await pull() else {
                    try await Task.sleep(for: Self.idle)
                    continue
                }
            } catch {
                if Task.isCancelled { return }
                logger.debug("no work could be asked for; trying again", ["error": "\(error)"])
                try? await Task.sleep(for: Self.retry)
            }
        }
    }

    /// - Returns: whether there was a unit.
    private func pull() async throws -> Bool {
        guard slot.beginUnit() else { return false }
        defer { slot.endUnit() }
        let request = PullRequest(follower: configuration.id, holding: [])
        guard let assignment = try await fleet.pull(request).assignment else { return false }
        await perform(assignment)
        return true
    }

    private func perform(_ assignment: Assignment) async {
        let grant = assignment.grant
        let unit = UnitID(video: grant.videoId, number: grant.unit)
        let token = FencingToken(grant.token)
        let run = UnitRun(
            assignment: assignment, configuration: configuration, fleet: fleet, http: http, health: health,
            space: space, report: { [weak self] in self?.note($0) })
        let task = Task { [self] in note(await run.run(), unit, token) }
        let isStopping = state.withLock { state in
            state.current = CurrentWork(unit: unit, token: token, rungs: grant.rungs)
            state.task = task
            return state.isStopping
        }
        if isStopping { task.cancel() }
        await task.value
        state.withLock { state in
            state.current = nil
            state.task = nil
        }
    }

    private func note(_ progress: UnitProgress) { state.withLock { $0.current?.progress = progress } }

    private func note(_ outcome: UnitRun.Outcome, _ unit: UnitID, _ token: FencingToken) {
        let fields = ["unit": "\(unit)", "attempt": "\(token.number)"]
        switch outcome {
        case .accepted:
            acceptedCount.add()
            logger.info("a unit is done", fields)
        case .fenced(let reason):
            logger.info("a unit is not needed any more", fields.merging(["reason": reason]) { first, _ in first })
        case .released: logger.info("a unit was given back", fields)
        case .failed(let reason):
            failedCount.add()
            logger.warning("a unit could not be done", fields.merging(["reason": reason]) { first, _ in first })
        }
    }

    /// What an earlier run has left.
    private static func empty(_ folder: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where !name.hasPrefix(".") {
            try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
    }
}

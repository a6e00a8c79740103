import Base
import ConversionAPI
import Conversions
import Dispatch
import Foundation
import HTTPTypes
import Media
import Synchronization

/// The leader's jobs: the board, kept on disk before anything is acknowledged or given to a follower, and told to whoever
/// listens. The leader alone gives a result its name, so an attempt that has ended can publish nothing.
final class ConversionQueue: Sendable {
    let hub: EventHub
    private let home: MediaHome
    private let store: JobStore
    private let webhooks: Webhooks
    private let time: any TimeSource
    private let logger = Logger("leader")
    private let board: Locked<ConversionBoard>
    private let disk = DispatchQueue(label: "leader.media", attributes: .concurrent)

    init(
        policy: ConversionBoard.Policy, home: MediaHome, store: JobStore, hub: EventHub, webhooks: Webhooks,
        time: any TimeSource = SystemTime()
    ) {
        self.home = home
        self.store = store
        self.hub = hub
        self.webhooks = webhooks
        self.time = time
        board = Locked(ConversionBoard(policy, jobs: store.load(), now: time.now()))
    }

    var policy: ConversionBoard.Policy { board.withLock { $0.policy } }
    var counts: StatusCounts { StatusCounts(board.withLock { $0.counts }) }

    func read<Value>(_ body: (borrowing ConversionBoard) throws -> Value) rethrows -> Value {
        try board.withLock { try body($0) }
    }

    func message(_ id: String) throws(Failure) -> ConversionJobMessage {
        guard
            let message = board.withLock({ board in
                board[id].map { ConversionJobMessage($0, queuePosition: board.queuePosition(of: $0)) }
            })
        else { throw Failure(.notFound, "there is no job \(id.prefix(80))") }
        return message
    }

    /// Changes the board, and returns when the change is durable.
    /// - Parameter body: returns what it has to say, the jobs that changed and those that are gone.
    private func change<Value: Sendable>(
        _ event: String = "job:updated",
        _ body: (inout ConversionBoard, Timestamp) throws -> (Value, changed: [ConversionJob], removed: [ConversionJob])
    ) async throws -> Value {
        let (promise, done) = AsyncStream.makeStream(of: Failure?.self)
        // Handed to the store under the lock, so that the disk has the changes in the board's order.
        let (value, changed, removed, counts, messages) = try board.withLock { board in
            let (value, changed, removed) = try body(&board, time.now())
            if !changed.isEmpty || !removed.isEmpty {
                store.keep(changed, forgetting: removed) { failure in
                    done.yield(failure)
                    done.finish()
                }
            } else {
                done.finish()
            }
            let messages = changed.map { ConversionJobMessage($0, queuePosition: board.queuePosition(of: $0)) }
            return (value, changed, removed, board.counts, messages)
        }
        for await failure in promise { if let failure { throw failure } }
        for message in messages { hub.publish(event, message) }
        if !changed.isEmpty || !removed.isEmpty { hub.publish("job:status-counts", StatusCounts(counts)) }
        for (job, message) in zip(changed, messages) where job.status.isOver {
            webhooks.tell("job:\(job.status.rawValue)", message)
        }
        return value
    }

    /// - Parameter entries: what is to be converted; an output that is not named is found beside the input.
    func create(
        _ entries: [(input: String, output: String?, name: String?)], options: ConversionOptions, folder: String? = nil,
        batch: String? = nil
    ) async throws -> [String] {
        try options.check()
        let config = String(decoding: try JSON.encode(options), as: UTF8.self)
        let container = options.effectiveContainer.rawValue
        let checked = try await onDisk { [home] in
            try entries.map { entry in
                let input = try home.relative(entry.input)
                _ = try home.file(input)
                guard let output = entry.output else { return (input, String?.none, entry.name) }
                let relative = try home.relative(output)
                guard !FileManager.default.fileExists(atPath: try home.place(relative)) else {
                    throw Failure(.conflict, "'\(relative)' is there already; an existing file is never overwritten")
                }
                return (input, relative, entry.name)
            }
        }
        return try await change("job:created") { [home] board, now in
            var taken = Set(board.jobs.filter { !$0.status.isOver }.map(\.output))
            let first = board.positionNext
            let jobs = try checked.enumerated().map { index, entry in
                let (input, named, name) = entry
                let output = try named ?? Self.freeOutput(input, folder, container, taken, home)
                taken.insert(output)
                return ConversionJob(
                    id: UUID().uuidString.lowercased(), name: name ?? String(input.split(separator: "/").last ?? ""),
                    input: input, output: output, options: config, batch: batch, position: first + index,
                    createdAt: now)
            }
            try board.add(jobs)
            return (jobs.map(\.id), jobs, [])
        }
    }

    /// `film.mp4`, or `film-1.mp4` where that is there.
    private static func freeOutput(
        _ input: String, _ folder: String?, _ container: String, _ taken: Set<String>, _ home: MediaHome
    ) throws(Failure) -> String {
        let parts = input.split(separator: "/")
        let parent =
            try folder.map { folder throws(Failure) in try home.relative(folder) }
            ?? parts.dropLast().joined(separator: "/")
        let file = parts.last.map(String.init) ?? ""
        let stem = file.lastIndex(of: ".").map { String(file[..<$0]) }.flatMap { $0.isEmpty ? nil : $0 } ?? file
        for number in 0..<1000 {
            let name = number == 0 ? "\(stem).\(container)" : "\(stem)-\(number).\(container)"
            let output = parent.isEmpty ? name : "\(parent)/\(name)"
            if !taken.contains(output), !FileManager.default.fileExists(atPath: try home.place(output)) {
                return output
            }
        }
        throw Failure(.conflict, "there are a thousand files called like '\(stem).\(container)'; name the output")
    }

    func cancel(_ id: String) async throws -> ConversionBoard.Ended? {
        let ended = try await change { board, now in
            let (job, ended) = try board.cancel(id, now: now)
            return (ended, [job], [])
        }
        if let ended { discard(ended) }
        return ended
    }

    func retry(_ id: String) async throws {
        try await change { board, _ in ((), [try board.retry(id)], []) }
    }

    func reorder(_ ids: [String]) async throws {
        try await change { board, _ in ((), try board.reorder(ids), []) }
    }

    func clear(_ status: ConversionJob.Status?) async throws -> Int {
        try await change { board, _ in
            let cleared = board.clear(status)
            return (cleared.count, [], cleared)
        }
    }
}

// What followers do.
extension ConversionQueue {
    /// Durable before it is returned: no two attempts ever have the same number.
    func assign(to free: [String]) async throws -> [ConversionJob] {
        try await change { board, now in
            let given = board.assign(to: free, now: now)
            return (given, given, [])
        }
    }

    func release(_ job: ConversionJob) async throws {
        try await change { board, _ in
            let released = board.release(job.id, attempt: job.attempt)
            return ((), released.map { [$0] } ?? [], [])
        }
    }

    func fail(_ job: ConversionJob, _ reason: String, isFinal: Bool) async throws {
        try await end { board, now in
            let failed = board.fail(job.id, attempt: job.attempt, reason, isFinal: isFinal, now: now)
            return failed.map { [(Self.ended(job.id, job.attempt, job.worker), $0)] } ?? []
        }
    }

    func expire() async throws { try await end { board, now in board.expire(now: now) } }

    func survey(_ worker: String, isAt active: [String], askedAt: Timestamp) async throws {
        try await end { board, now in board.survey(worker, isAt: active, askedAt: askedAt, now: now) }
    }

    private func end(
        _ body: (inout ConversionBoard, Timestamp) -> [(ended: ConversionBoard.Ended, job: ConversionJob)]
    ) async throws {
        let ended = try await change { board, now in
            let ended = body(&board, now)
            return (ended.map(\.ended), ended.map(\.job), [])
        }
        for attempt in ended { discard(attempt) }
    }

    private static func ended(_ id: String, _ attempt: Int, _ worker: String?) -> ConversionBoard.Ended {
        ConversionBoard.Ended(job: id, attempt: attempt, worker: worker ?? "")
    }

    /// A follower says how it goes.
    /// - Returns: whether the attempt still counts, or has been taken.
    func take(_ report: ConversionReport, of id: String) async throws -> Bool {
        switch report.state {
        case .processing: return note(report, of: id)
        case .completed:
            _ = note(report, of: id)
            return try await publish(id, report.attempt)
        case .failed:
            guard let job = read({ $0[id] }), job.attempt == report.attempt, job.status == .processing else {
                return false
            }
            try await fail(
                job, report.error ?? "the follower does not say why", isFinal: report.isFinal ?? false)
            return true
        case .released:
            guard let job = read({ $0[id] }), job.attempt == report.attempt else { return false }
            try await release(job)
            discard(Self.ended(id, report.attempt, job.worker))
            return true
        }
    }

    /// Not kept on disk: a restart begins with what the follower says next.
    private func note(_ report: ConversionReport, of id: String) -> Bool {
        let now = time.now()
        let message = board.withLock { board in
            board.note(id, attempt: report.attempt, now: now) { job in
                job.progress = min(1, max(0, report.progress / 100))
                (job.frame, job.framesPerSecond, job.speed) = (report.frame, report.fps, report.speed)
                if let totalFrames = report.totalFrames { job.totalFrames = totalFrames }
            }.map { ConversionJobMessage($0, queuePosition: nil) }
        }
        guard let message else { return false }
        hub.publish("job:progress", message)
        return true
    }

    private func publish(_ id: String, _ attempt: Int) async throws -> Bool {
        enum Step: Sendable { case publish(ConversionJob), isDone, isUnderWay, isOver }
        let step: Step = try await change { board, now in
            guard let job = board[id], job.attempt == attempt else { return (.isOver, [], []) }
            if job.status == .completed { return (.isDone, [], []) }
            if job.isPublishing { return (.isUnderWay, [], []) }
            guard let job = board.beginPublishing(id, attempt: attempt, now: now) else { return (.isOver, [], []) }
            return (.publish(job), [job], [])
        }
        switch step {
        case .isOver: return false
        case .isDone: return true
        case .isUnderWay: throw Failure(.unavailable, "the result is just being given its name; ask again")
        case .publish(let job): return try await finish(job)
        }
    }

    /// - Returns: whether the result has its name now.
    private func finish(_ job: ConversionJob) async throws -> Bool {
        do {
            try await onDisk { [home] in
                let (temporary, output) = try Self.names(job, home)
                // It may be the rename of an earlier run, which was killed before it could say so.
                guard
                    FileManager.default.fileExists(atPath: temporary)
                        || !FileManager.default.fileExists(atPath: output)
                else { return }
                try MediaHome.rename(temporary, to: output)
            }
        } catch {
            let reason = (error as? any PresentableError)?.message ?? "the result cannot be given its name"
            try await fail(job, reason, isFinal: true)
            return false
        }
        try await change { board, now in
            let done = board.complete(job.id, attempt: job.attempt, now: now)
            return ((), done.map { [$0] } ?? [], [])
        }
        return true
    }

    /// Goes on with what an earlier run was at when it ended.
    func recover() async throws {
        for job in read({ $0.jobs }) where job.isPublishing { _ = try await finish(job) }
    }

    /// The attempt's file, beside where its result belongs.
    static func temporaryFile(_ job: ConversionJob) -> String {
        let parent = job.output.split(separator: "/").dropLast().joined(separator: "/")
        let name = ".vstack-\(job.id)-\(job.attempt).part"
        return parent.isEmpty ? name : "\(parent)/\(name)"
    }

    private static func names(_ job: ConversionJob, _ home: MediaHome) throws(Failure) -> (
        temporary: String, output: String
    ) {
        (try home.place(temporaryFile(job)), try home.place(job.output))
    }

    /// What an attempt that has ended left behind. A follower that is at it nevertheless writes to a file without a name.
    private func discard(_ ended: ConversionBoard.Ended) {
        guard var job = read({ $0[ended.job] }) else { return }
        job.attempt = ended.attempt
        disk.async { [home, job] in
            if let temporary = try? home.place(Self.temporaryFile(job)) { unlink(temporary) }
        }
    }

    private func onDisk<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            disk.async { continuation.resume(with: Result { try work() }) }
        }
    }
}

import Base
import ConversionAPI
import Conversions
import HTTPClient
import HTTPTypes
import Media
import Synchronization

/// The followers: how each is, and which may be given a job.
final class Fleet: Sendable {
    struct Follower: Encodable, Sendable {
        enum Status: String, Encodable, Sendable {
            case unknown, healthy, unreachable, unauthorized
        }

        let url: String
        var workerId: String?
        var status = Status.unknown
        /// At a conversion, or at a unit of a video.
        var busy = false
        var activeJobs: [String] = []
        var lastSeen: Timestamp?
        var error: String?
    }

    struct Listing: Encodable, Sendable { let followers: [Follower] }

    private static let interval = Duration.milliseconds(500)

    private let queue: ConversionQueue
    private let requests: SignedRequests
    private let ownURL: Locked<String>
    private let time: any TimeSource = SystemTime()
    private let logger = Logger("leader")
    private let followers: Locked<[Follower]>
    private let loop = Locked<Task<Void, Never>?>(nil)

    init(urls: [String], ownURL: String?, queue: ConversionQueue, requests: SignedRequests) {
        self.queue = queue
        self.requests = requests
        self.ownURL = Locked(ownURL ?? "")
        followers = Locked(urls.map { Follower(url: $0) })
    }

    var listing: Listing { Listing(followers: followers.withLock { $0 }) }
    var healthyCount: Int { followers.withLock { $0.count { $0.status == .healthy } } }

    /// - Parameter url: where this leader is reached, unless it was told otherwise.
    func start(url: String) {
        ownURL.withLock { if $0.isEmpty { $0 = url } }
        loop.withLock { loop in
            guard loop == nil else { return }
            loop = Task { await run() }
        }
    }

    func stop() async {
        let task = loop.withLock { $0 }
        task?.cancel()
        await task?.value
    }

    private func run() async {
        var round = 0
        while !Task.isCancelled {
            do {
                await look(isSurvey: true)
                try await queue.expire()
                try await dispatch()
            } catch {
                if !Task.isCancelled { logger.warning("jobs could not be given out", ["error": "\(error)"]) }
            }
            round += 1
            if round % 20 == 0 { queue.hub.keepAlive() }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// Asks every follower how it is.
    /// - Parameter isSurvey: whether jobs that it does not know count as lost. Only where no job is just being given out.
    func look(isSurvey: Bool = false) async {
        let urls = followers.withLock { $0.map(\.url) }
        await withTaskGroup(of: Void.self) { group in
            for url in urls { group.addTask { await self.look(at: url, isSurvey) } }
        }
    }

    private func look(at url: String, _ isSurvey: Bool) async {
        let askedAt = time.now()
        do {
            let answer = try await requests.get("\(url)/worker/status")
            if answer.status.code == 401 {
                set(url) {
                    $0.status = .unauthorized; $0.error = "it has another SHARED_TOKEN"
                }
                return
            }
            try answer.requireSuccess()
            let report = try WorkerReport(camelCase: answer)
            set(url) { follower in
                follower.workerId = report.workerId
                follower.status = .healthy
                follower.busy = report.busy
                follower.activeJobs = report.activeJobs.map(\.jobId)
                follower.lastSeen = askedAt
                follower.error = nil
            }
            if isSurvey { try await queue.survey(url, isAt: report.activeJobs.map(\.jobId), askedAt: askedAt) }
        } catch {
            guard !Task.isCancelled else { return }
            set(url) {
                $0.status = .unreachable; $0.error = (error as? any PresentableError)?.message
            }
        }
    }

    private func set(_ url: String, _ update: (inout Follower) -> Void) {
        let changed = followers.withLock { followers -> [Follower]? in
            guard let index = followers.firstIndex(where: { $0.url == url }) else { return nil }
            let before = followers[index]
            update(&followers[index])
            let after = followers[index]
            let isNews =
                before.status != after.status || before.activeJobs != after.activeJobs || before.busy != after.busy
            return isNews ? followers : nil
        }
        if let changed { queue.hub.publish("followers:status", Listing(followers: changed)) }
    }

    private func dispatch() async throws {
        // Those that encode nothing first; who does takes the job when the unit is done.
        let free = followers.withLock { followers in
            followers.filter { $0.status == .healthy && $0.error == nil }.sorted { !$0.busy && $1.busy }.map(\.url)
        }
        guard !free.isEmpty else { return }
        let given = try await queue.assign(to: free)
        await withTaskGroup(of: Void.self) { group in
            for job in given { group.addTask { await self.give(job) } }
        }
    }

    private func give(_ job: ConversionJob) async {
        guard let url = job.worker else { return }
        do {
            let options = try JSON.decode(ConversionOptions.self, from: Array(job.options.utf8))
            let request = ExecuteRequest(
                jobId: job.id, attempt: job.attempt, inputFile: job.input,
                temporaryFile: ConversionQueue.temporaryFile(job), config: options, leaderUrl: ownURL.withLock { $0 },
                leaseSec: queue.policy.leaseSec)
            let answer = try await requests.post("\(url)/worker/execute", request)
            switch answer.status.code {
            case 200...299: return
            case 400, 403, 404, 422:
                try await queue.fail(job, answer.detail ?? "\(url) refused the job", isFinal: false)
            default:
                set(url) { $0.error = answer.detail ?? "it takes no job now" }
                try await queue.release(job)
            }
        } catch {
            set(url) {
                $0.status = .unreachable; $0.error = (error as? any PresentableError)?.message
            }
            try? await queue.release(job)
        }
    }

    /// Tells a follower that nobody wants the attempt any more; should it not hear, its next report tells it.
    func revoke(_ ended: ConversionBoard.Ended) async {
        _ = try? await requests.post("\(ended.worker)/worker/cancel/\(ended.job)", [String: String]())
    }

    /// Every follower's machine, by its address; those that do not answer are left out.
    func machines() async -> [String: MachineStatus] {
        let urls = followers.withLock { $0.map(\.url) }
        return await withTaskGroup(of: (String, MachineStatus?).self) { [requests] group in
            for url in urls {
                group.addTask {
                    guard let answer = try? await requests.get("\(url)/worker/system-status"), answer.status.isSuccess
                    else { return (url, nil) }
                    return (url, try? MachineStatus(camelCase: answer))
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}

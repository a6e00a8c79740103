import Base

/// The queue of conversions and who is at which. Pure: it is told what happens and when, and says what follows.
///
/// Invariants:
/// - A job is `processing` exactly while an attempt of it is live: its number is `attempt`, its follower `worker`.
/// - A follower is at one job at most.
/// - A job fails by itself no more than `attemptsMax` times before it is `failed`.
package struct ConversionBoard: Sendable {
    package struct Policy: Sendable {
        /// How long a follower may be silent before its job goes to another.
        package var leaseSec: Double
        package var attemptsMax: Int
        /// Jobs that are kept, finished ones included.
        package var jobsMax: Int

        package init(leaseSec: Double = 30, attemptsMax: Int = 3, jobsMax: Int = 10_000) {
            self.leaseSec = leaseSec
            self.attemptsMax = attemptsMax
            self.jobsMax = jobsMax
        }
    }

    /// An attempt that has ended and that its follower should give up, if it can be reached.
    package struct Ended: Sendable, Hashable {
        package let job: String
        package let attempt: Int
        package let worker: String

        package init(job: String, attempt: Int, worker: String) {
            self.job = job
            self.attempt = attempt
            self.worker = worker
        }
    }

    package let policy: Policy
    private var byID: [String: ConversionJob] = [:]

    /// - Parameter jobs: that an earlier run has kept. The leases of those under way begin anew.
    package init(_ policy: Policy, jobs: [ConversionJob] = [], now: Timestamp) {
        self.policy = policy
        for var job in jobs {
            if job.status == .processing { job.workerSeenAt = now }
            byID[job.id] = job
        }
    }

    package subscript(id: String) -> ConversionJob? { byID[id] }

    /// All, in the order of the queue.
    package var jobs: [ConversionJob] {
        byID.values.sorted { ($0.position, $0.createdAt, $0.id) < ($1.position, $1.createdAt, $1.id) }
    }

    package var counts: [ConversionJob.Status: Int] {
        byID.values.reduce(into: [:]) { $0[$1.status, default: 0] += 1 }
    }

    package var positionNext: Int { (byID.values.map(\.position).max() ?? 0) + 1 }

    /// How many stand before a job that waits.
    package func queuePosition(of job: ConversionJob) -> Int? {
        guard job.status == .pending else { return nil }
        return jobs.filter { $0.status == .pending }.firstIndex { $0.id == job.id }.map { $0 + 1 }
    }

    /// - Throws: ``Failure`` when an output is another job's already, or there are too many.
    package mutating func add(_ jobs: [ConversionJob]) throws(Failure) {
        guard byID.count + jobs.count <= policy.jobsMax else {
            throw Failure(.unavailable, "there are \(byID.count) jobs already; clear finished ones first")
        }
        var outputs = Dictionary(
            byID.values.filter { !$0.status.isOver }.map { ($0.output, $0.name) },
            uniquingKeysWith: { first, _ in first })
        for job in jobs {
            if let other = outputs.updateValue(job.name, forKey: job.output) {
                throw Failure(.conflict, "'\(job.output)' is what the job '\(other)' makes already")
            }
        }
        for job in jobs { byID[job.id] = job }
    }

    // Followers.

    /// Gives waiting jobs to followers that are free.
    /// - Parameter free: the followers' names, those to be asked first in front.
    /// - Returns: the jobs as they are now.
    package mutating func assign(to free: [String], now: Timestamp) -> [ConversionJob] {
        var free = free.filter { name in !byID.values.contains { $0.status == .processing && $0.worker == name } }
        var given: [ConversionJob] = []
        for var job in jobs where job.status == .pending && !job.isPublishing {
            guard !free.isEmpty else { break }
            // Rather not who failed it last.
            let index = free.firstIndex { $0 != job.worker } ?? free.startIndex
            job.worker = free.remove(at: index)
            job.status = .processing
            job.attempt += 1
            job.workerSeenAt = now
            job.startedAt = job.startedAt ?? now
            job.progress = 0
            (job.frame, job.framesPerSecond, job.speed) = (0, 0, 0)
            byID[job.id] = job
            given.append(job)
        }
        return given
    }

    private func isLive(_ job: ConversionJob, _ attempt: Int) -> Bool {
        job.status == .processing && job.attempt == attempt
    }

    /// A follower says how far it is.
    /// - Returns: the job, or nil when the attempt counts no more.
    package mutating func note(
        _ id: String, attempt: Int, now: Timestamp, _ update: (inout ConversionJob) -> Void = { _ in }
    ) -> ConversionJob? {
        guard var job = byID[id], isLive(job, attempt) else { return nil }
        job.workerSeenAt = now
        update(&job)
        byID[id] = job
        return job
    }

    /// The follower could not be given the job after all; nobody's fault.
    package mutating func release(_ id: String, attempt: Int) -> ConversionJob? {
        guard var job = byID[id], isLive(job, attempt), !job.isPublishing else { return nil }
        job.status = .pending
        byID[id] = job
        return job
    }

    /// - Parameter isFinal: whether another attempt would end the same.
    package mutating func fail(_ id: String, attempt: Int, _ reason: String, isFinal: Bool, now: Timestamp)
        -> ConversionJob?
    {
        guard var job = byID[id], isLive(job, attempt) else { return nil }
        job.failures += 1
        job.errorMessage = reason
        job.isPublishing = false
        if isFinal || job.failures >= policy.attemptsMax {
            job.status = .failed
            job.endedAt = now
        } else {
            job.status = .pending
        }
        byID[id] = job
        return job
    }

    /// Ends attempts of followers that are not heard of.
    package mutating func expire(now: Timestamp) -> [(ended: Ended, job: ConversionJob)] {
        jobs.compactMap { job in
            guard job.status == .processing, !job.isPublishing, let worker = job.worker, let seenAt = job.workerSeenAt
            else { return nil }
            // The clock was set back: it counts from now.
            guard seenAt <= now else {
                byID[job.id]?.workerSeenAt = now
                return nil
            }
            guard now.seconds(since: seenAt) >= policy.leaseSec else { return nil }
            let reason = "\(worker) was not heard of for \(Int(policy.leaseSec)) seconds"
            return fail(job.id, attempt: job.attempt, reason, isFinal: false, now: now).map {
                (Ended(job: job.id, attempt: job.attempt, worker: worker), $0)
            }
        }
    }

    /// A follower says which jobs it is at; those it had before and has no more came to nothing.
    /// - Parameter askedAt: before the follower was asked: what it was given since it may not know.
    package mutating func survey(_ worker: String, isAt active: [String], askedAt: Timestamp, now: Timestamp)
        -> [(ended: Ended, job: ConversionJob)]
    {
        jobs.compactMap { job in
            guard job.status == .processing, !job.isPublishing, job.worker == worker, !active.contains(job.id),
                let seenAt = job.workerSeenAt, seenAt < askedAt
            else { return nil }
            return fail(job.id, attempt: job.attempt, "\(worker) began anew without it", isFinal: false, now: now).map {
                (Ended(job: job.id, attempt: job.attempt, worker: worker), $0)
            }
        }
    }

    /// The attempt's result is whole and shall be given its name: from now on the attempt cannot end otherwise.
    package mutating func beginPublishing(_ id: String, attempt: Int, now: Timestamp) -> ConversionJob? {
        note(id, attempt: attempt, now: now) { $0.isPublishing = true }
    }

    package mutating func complete(_ id: String, attempt: Int, now: Timestamp) -> ConversionJob? {
        guard var job = byID[id], isLive(job, attempt) else { return nil }
        job.status = .completed
        job.isPublishing = false
        job.progress = 1
        job.errorMessage = nil
        job.endedAt = now
        byID[id] = job
        return job
    }

    // People.

    /// - Returns: the job, and the attempt that must be given up.
    /// - Throws: ``Failure`` when it is over.
    package mutating func cancel(_ id: String, now: Timestamp) throws(Failure) -> (job: ConversionJob, ended: Ended?) {
        var job = try find(id)
        guard !job.status.isOver, !job.isPublishing else {
            throw Failure(.conflict, "the job is \(job.status.rawValue), so it cannot be cancelled")
        }
        let ended =
            job.status == .processing ? job.worker.map { Ended(job: id, attempt: job.attempt, worker: $0) } : nil
        job.status = .cancelled
        job.endedAt = now
        byID[id] = job
        return (job, ended)
    }

    /// - Throws: ``Failure`` when it has neither failed nor been cancelled.
    package mutating func retry(_ id: String) throws(Failure) -> ConversionJob {
        var job = try find(id)
        guard job.status == .failed || job.status == .cancelled else {
            throw Failure(.conflict, "the job is \(job.status.rawValue), so there is nothing to retry")
        }
        job.position = positionNext
        job.status = .pending
        job.failures = 0
        job.progress = 0
        (job.errorMessage, job.startedAt, job.endedAt) = (nil, nil, nil)
        job.isRetried = true
        byID[id] = job
        return job
    }

    /// Puts the named jobs first, in that order, before all others that wait.
    package mutating func reorder(_ ids: [String]) throws(Failure) -> [ConversionJob] {
        for id in ids where try find(id).status != .pending {
            throw Failure(.conflict, "the job \(id) does not wait any more, so it has no place in the queue")
        }
        let named = Set(ids)
        let waiting = ids + jobs.filter { $0.status == .pending && !named.contains($0.id) }.map(\.id)
        let first = (byID.values.filter { $0.status == .pending }.map(\.position).min() ?? 1)
        for (index, id) in waiting.enumerated() { byID[id]?.position = first + index }
        return waiting.compactMap { byID[$0] }
    }

    /// Forgets jobs that are over.
    /// - Parameter status: only those; nil means all.
    package mutating func clear(_ status: ConversionJob.Status?) -> [ConversionJob] {
        let cleared = jobs.filter { $0.status.isOver && (status == nil || $0.status == status) }
        for job in cleared { byID[job.id] = nil }
        return cleared
    }

    private func find(_ id: String) throws(Failure) -> ConversionJob {
        guard let job = byID[id] else { throw Failure(.notFound, "there is no job \(id.prefix(80))") }
        return job
    }
}

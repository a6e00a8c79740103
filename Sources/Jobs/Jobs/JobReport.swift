import Base

/// How a job goes, derived from its units and their leases at one moment.
package struct JobReport: Sendable {
    package enum Status: String, Sendable, Codable, CaseIterable {
        case queued, running, ok, error, stopped
        /// Of a quality that the job does not make.
        case skipped
    }

    /// What became of one rendition.
    package struct Rung: Sendable {
        package let label: RungLabel
        package let status: Status
        /// 0 to 100, by playing time.
        package let progressPercent: Int
        package let unitsDone: Int
        package let unitCount: Int
        package let message: String?
    }

    package let job: Job
    package let units: [QueuedUnit]
    package let overall: Status

    /// - Parameter units: all of the job's, in order of number; leases that have expired are not counted.
    package init(_ job: Job, _ units: [QueuedUnit], now: Timestamp, _ policy: JobPolicy) {
        let present = units.map { unit in
            var unit = unit
            _ = unit.expire(now: now, policy)
            return unit
        }
        self.job = job
        self.units = present
        overall = Self.status(of: present, job)
    }

    /// In the order in which they first come up in the units.
    package var rungs: [Rung] {
        var labels: [RungLabel] = []
        for unit in units {
            for label in unit.task.rungs where !labels.contains(label) { labels.append(label) }
        }
        return labels.map { label in
            let own = units.filter { $0.task.rungs.contains(label) }
            let total = own.reduce(0) { $0 + $1.task.durationSec }
            let done = own.reduce(0) { $0 + $1.task.durationSec * $1.fractionDone }
            let doneCount = own.count { $0.isDone }
            let percent = doneCount == own.count ? 100 : min(99, Int(100 * done / max(total, .leastNonzeroMagnitude)))
            return Rung(
                label: label, status: Self.status(of: own, job), progressPercent: percent, unitsDone: doneCount,
                unitCount: own.count, message: own.first { $0.state == .failed }?.lastError)
        }
    }

    /// Why the job is as it is, a sentence a unit that is not done.
    package func explanation(now: Timestamp, _ policy: JobPolicy) -> [String] {
        let open = units.filter { $0.state == .open }
        var lines: [String] = []
        if job.isStopped, !open.isEmpty { lines.append("The job was stopped; resume it to go on.") }
        for unit in units where !unit.isDone { lines.append(sentence(unit, now: now, policy)) }
        let done = units.count { $0.isDone }
        lines.insert("\(done) of \(units.count) units are done.", at: 0)
        return lines
    }

    private func sentence(_ unit: QueuedUnit, now: Timestamp, _ policy: JobPolicy) -> String {
        let name = "Unit \(unit.id.number) (\(unit.task.rungs.map(\.description).joined(separator: ", ")))"
        if unit.state == .failed {
            return "\(name) has failed after \(unit.attempts) attempts: \(unit.lastError ?? "no reason is known")."
        }
        if !unit.leases.isEmpty {
            let leases = unit.leases.map { lease in
                let left = max(0, Int(policy.leaseSec - now.seconds(since: lease.renewedAt)))
                return "\(lease.follower) (attempt \(lease.token.number), \(Int(lease.progress.fraction * 100)) %, "
                    + "lease ends in \(left) s unless renewed)"
            }
            return "\(name) is with \(leases.joined(separator: " and "))."
        }
        if job.isStopped { return "\(name) is not done." }
        let history = unit.lastError.map { "; \(unit.attempts) attempts failed, the last because \($0)" } ?? ""
        return "\(name) waits for a follower that asks for work\(history)."
    }

    private static func status(of units: [QueuedUnit], _ job: Job) -> Status {
        if units.allSatisfy(\.isDone) { return .ok }
        if units.contains(where: \.isRunning) { return .running }
        if units.contains(where: { $0.state == .open }) { return job.isStopped ? .stopped : .queued }
        return .error
    }
}

extension QueuedUnit {
    package var isDone: Bool {
        if case .done = state { true } else { false }
    }

    fileprivate var fractionDone: Double {
        isDone ? 1 : leases.map(\.progress.fraction).max().map { min(1, max(0, $0)) } ?? 0
    }
}

import Base
import Jobs

/// Rows in memory, and what goes wrong with them in a mutant.
struct ArrayRows: JobRows {
    /// A transaction that does not do what it should.
    enum Flaw: CaseIterable {
        case none
        /// The highest token of a unit is not saved.
        case forgetsTokens
        /// That a unit is done is not saved.
        case forgetsDone
        /// A unit is read as it was one save ago: no transaction keeps two calls apart.
        case readsStale
    }

    var jobs: [Job] = []
    var all: [QueuedUnit] = []
    var discarded: [(UnitID, FencingToken)] = []
    var flaw = Flaw.none
    private var previous: [UnitID: QueuedUnit] = [:]

    init(flaw: Flaw = .none) { self.flaw = flaw }

    mutating func enter(_ job: Job, _ units: [QueuedUnit]) {
        jobs.append(job)
        all += units
    }

    func job(of video: VideoID) -> Job? { jobs.first { $0.video == video } }

    mutating func save(_ job: Job) {
        if let index = jobs.firstIndex(where: { $0.video == job.video }) { jobs[index] = job }
    }

    func unit(_ id: UnitID) -> QueuedUnit? {
        if flaw == .readsStale, let old = previous[id] { return old }
        return all.first { $0.id == id }
    }

    func units(of video: VideoID) -> [QueuedUnit] { all.filter { $0.id.video == video } }

    mutating func save(_ unit: QueuedUnit) {
        guard let index = all.firstIndex(where: { $0.id == unit.id }) else { return }
        previous[unit.id] = all[index]
        var unit = unit
        switch flaw {
        case .forgetsTokens: unit.lastToken = .none
        case .forgetsDone where unit.isDone: unit.state = .open
        default: break
        }
        all[index] = unit
    }

    private func isStopped(_ unit: QueuedUnit) -> Bool { jobs.contains { $0.video == unit.id.video && $0.isStopped } }

    func waitingUnits(limit: Int) -> [QueuedUnit] {
        let waiting = all.enumerated().filter { $0.element.isWaiting && !isStopped($0.element) }
        let ordered = waiting.sorted { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }
        return ordered.prefix(limit).map(\.element)
    }

    func singlyLeasedUnits(limit: Int) -> [QueuedUnit] {
        let leased = all.filter { $0.leases.count == 1 && !isStopped($0) }
        return Array(leased.sorted { $0.leases[0].grantedAt < $1.leases[0].grantedAt }.prefix(limit))
    }

    func staleUnits(past: Timestamp, now: Timestamp) -> [QueuedUnit] {
        all.filter { $0.leases.contains { $0.renewedAt <= past || $0.renewedAt > now } }
    }

    func units(leasedTo follower: FollowerID) -> [QueuedUnit] {
        all.filter { $0.leases.contains { $0.follower == follower } }
    }

    mutating func discard(_ token: FencingToken, of unit: QueuedUnit) { discarded.append((unit.id, token)) }
}

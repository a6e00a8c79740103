import Base
import Jobs

/// All chance of a run: SplitMix64.
struct Chance {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x2545_f491_4f6c_dd1d }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func permille(_ chance: Int) -> Bool { below(1000) < chance }
    mutating func seconds(_ range: ClosedRange<Double>) -> Double {
        range.lowerBound + Double(below(1_000_000)) / 1e6 * (range.upperBound - range.lowerBound)
    }
}

/// What is broken on purpose: the checks of ``Fleet`` must see each.
enum Mutant: CaseIterable {
    case none
    case forgetsTokens, forgetsDone, readsStale
    /// Leases last for ever.
    case neverExpires
    /// A result is taken for that of whoever has the unit now.
    case ignoresTokens
    /// What followers say they have made is not looked at.
    case believesLiars
}

/// Followers around a ``JobBoard``, a network between them, and a clock of the board's, all from one seed.
///
/// Followers die and begin anew, stall past their lease and come back late, lie about what they have made; messages are
/// delayed, lost and doubled; the board's clock jumps; jobs are stopped and resumed. After ``faultsEnd`` nothing of the
/// kind happens any more.
struct Fleet {
    static let faultsEnd = 3000.0
    static let end = 9000.0

    private enum Message {
        case pull(holding: [UnitID: FencingToken])
        case heartbeat(UnitID, FencingToken)
        case result(UnitID, FencingToken, UnitResult, isHonest: Bool)
        case failure(UnitID, FencingToken, isReleased: Bool)
    }

    private enum Answer {
        case granted(UnitID, FencingToken, UnitTask)
        case nothing
        case held
        case over
    }

    private enum Event {
        case tick(follower: Int, life: Int)
        case arrives(Message, from: Int)
        case answers(Answer, to: Int, life: Int)
        case chaos
    }

    private struct Work {
        let unit: UnitID
        let token: FencingToken
        let task: UnitTask
        var doneAt: Double
        let isHonest: Bool
    }

    private struct Follower {
        var life = 0
        var isDead = false
        var stalledUntil = 0.0
        var work: Work?
        var slowness = 1.0
    }

    private var board: JobBoard<ArrayRows>
    private let mutant: Mutant
    private let policy: JobPolicy
    private var chance: Chance
    private var followers: [Follower]
    private var events: [(at: Double, order: Int, event: Event)] = []
    private var order = 0
    private var time = 0.0
    private var clockOffset = 0.0
    private let videos: [VideoID]

    // What the checks know, from messages alone.
    private var accepted: [UnitID: FencingToken] = [:]
    private var renewed: [UnitID: [FencingToken: Double]] = [:]
    private var ended: Set<String> = []
    private(set) var violation: String?
    private(set) var stragglersRun = 0
    private(set) var fencedCount = 0
    private(set) var refusedCount = 0

    init(seed: UInt64, mutant: Mutant = .none) {
        self.mutant = mutant
        chance = Chance(seed: seed)
        let flaw: ArrayRows.Flaw =
            switch mutant {
            case .forgetsTokens: .forgetsTokens
            case .forgetsDone: .forgetsDone
            case .readsStale: .readsStale
            default: .none
            }
        var rows = ArrayRows(flaw: flaw)
        var videos: [VideoID] = []
        for _ in 0..<1 + chance.below(3) {
            let (job, units) = makeJob(units: 2 + chance.below(5))
            rows.enter(job, units)
            videos.append(job.video)
        }
        self.videos = videos
        policy = JobPolicy(leaseSec: mutant == .neverExpires ? 1e6 : 30)
        board = JobBoard(rows, policy)
        followers = (0..<1 + chance.below(4)).map { _ in Follower() }
        for index in followers.indices {
            followers[index].slowness = chance.permille(300) ? 8 : 1
            schedule(.tick(follower: index, life: 0), after: chance.seconds(0...2))
        }
        schedule(.chaos, after: 5)
    }

    mutating func run() {
        while violation == nil, time < Self.end, !isFinished, let next = takeNext() {
            time = next.at
            perform(next.event)
        }
        if violation == nil, !isFinished {
            violation = "\(board.rows.all.count { !$0.isDone }) units are not done although all faults have ended"
        }
    }

    private var isFinished: Bool { time > Self.faultsEnd && board.rows.all.allSatisfy(\.isDone) }
    private var hasFaults: Bool { time < Self.faultsEnd }
    private var now: Timestamp { at(time + clockOffset) }

    private mutating func schedule(_ event: Event, after seconds: Double) {
        order += 1
        events.append((time + seconds, order, event))
    }

    private mutating func takeNext() -> (at: Double, order: Int, event: Event)? {
        guard
            let index = events.indices.min(by: { (events[$0].at, events[$0].order) < (events[$1].at, events[$1].order) }
            )
        else { return nil }
        return events.remove(at: index)
    }

    private mutating func perform(_ event: Event) {
        switch event {
        case .tick(let index, let life): tick(index, life)
        case .arrives(let message, let index): arrive(message, from: index)
        case .answers(let answer, let index, let life): hear(answer, index, life)
        case .chaos: disturb()
        }
    }
}

// What goes wrong.
extension Fleet {
    private mutating func disturb() {
        guard hasFaults else { return calm() }
        let index = chance.below(followers.count)
        switch chance.below(12) {
        case 0, 1: kill(index)
        case 2, 3: followers[index].stalledUntil = time + chance.seconds(5...120)
        case 4: clockOffset += chance.seconds(-200...200)
        case 5:
            let video = videos[chance.below(videos.count)]
            // Whatever has a lease loses it: its result must not be taken.
            for unit in board.rows.all where unit.id.video == video { end(unit.leases, of: unit.id) }
            _ = board.onStop(video, now: now)
        case 6, 7: for video in videos { _ = board.onResume(video, now: now) }
        default: break
        }
        schedule(.chaos, after: chance.seconds(5...40))
    }

    private mutating func calm() {
        for index in followers.indices where followers[index].isDead { revive(index) }
        for video in videos { _ = board.onResume(video, now: now) }
        // Once more when the last lie and the last late message are over: they may still fail a unit.
        if time < Self.faultsEnd + 300 { schedule(.chaos, after: 300) }
    }

    private mutating func kill(_ index: Int) {
        followers[index].isDead = true
        followers[index].life += 1
        followers[index].work = nil
        if chance.permille(700) { revive(index, after: chance.seconds(1...100)) }
    }

    private mutating func revive(_ index: Int, after seconds: Double = 0) {
        schedule(.tick(follower: index, life: followers[index].life), after: seconds)
    }
}

// A follower.
extension Fleet {
    private mutating func tick(_ index: Int, _ life: Int) {
        guard followers[index].life == life else { return }
        followers[index].isDead = false
        if followers[index].stalledUntil > time {
            schedule(.tick(follower: index, life: life), after: followers[index].stalledUntil - time)
            return
        }
        if let work = followers[index].work {
            if work.doneAt <= time {
                report(work, from: index)
            } else {
                send(.heartbeat(work.unit, work.token), from: index)
            }
        } else {
            send(.pull(holding: [:]), from: index)
        }
        schedule(.tick(follower: index, life: life), after: chance.seconds(3...9))
    }

    private mutating func report(_ work: Work, from index: Int) {
        if hasFaults, chance.permille(60) {
            send(.failure(work.unit, work.token, isReleased: chance.permille(500)), from: index)
            return
        }
        let made = work.isHonest ? result(of: work.task) : lie(about: work.task)
        send(.result(work.unit, work.token, made, isHonest: work.isHonest), from: index)
    }

    private mutating func lie(about task: UnitTask) -> UnitResult {
        let truth = result(of: task)
        switch chance.below(3) {
        case 0: return UnitResult(rungs: Array(truth.rungs.dropFirst()))
        case 1: return UnitResult(rungs: [])
        default:
            return UnitResult(
                rungs: truth.rungs.map {
                    UnitResult.Rung(
                        label: $0.label, codecs: $0.codecs, initialization: $0.initialization, initializationBytes: 700,
                        frameCount: 0, segments: Array($0.segments.dropLast()))
                })
        }
    }

    private mutating func hear(_ answer: Answer, _ index: Int, _ life: Int) {
        guard followers[index].life == life, !followers[index].isDead else { return }
        switch answer {
        case .granted(let unit, let token, let task):
            guard followers[index].work == nil else { return }
            let seconds = (2 + task.durationSec / 2) * followers[index].slowness
            followers[index].work = Work(
                unit: unit, token: token, task: task, doneAt: time + seconds,
                isHonest: !(hasFaults && chance.permille(120)))
        case .over: followers[index].work = nil
        case .nothing, .held: break
        }
    }
}

// The network, and the board behind it.
extension Fleet {
    private mutating func send(_ message: Message, from index: Int) {
        if hasFaults, chance.permille(80) { return }
        schedule(.arrives(message, from: index), after: delay())
        if hasFaults, chance.permille(80) { schedule(.arrives(message, from: index), after: delay()) }
    }

    private mutating func delay() -> Double { hasFaults && chance.permille(50) ? chance.seconds(1...60) : 0.05 }

    private mutating func arrive(_ message: Message, from index: Int) {
        let answer: Answer
        switch message {
        case .pull(let holding): answer = pull(index, holding)
        case .heartbeat(let unit, let token):
            if case .held = board.onHeartbeat(unit, token, nil, now: now) {
                noteHeld(unit, token)
                answer = .held
            } else {
                answer = .over
            }
        case .result(let unit, let token, let made, let isHonest):
            take(unit, token, made, isHonest: isHonest)
            answer = .over
        case .failure(let unit, let token, let isReleased):
            if case .held = board.onFailure(unit, token, "it broke", isReleased: isReleased, now: now) {
                ended.insert(key(unit, token))
            }
            answer = .over
        }
        if hasFaults, chance.permille(80) { return }
        schedule(.answers(answer, to: index, life: followers[index].life), after: delay())
    }

    private mutating func pull(_ index: Int, _ holding: [UnitID: FencingToken]) -> Answer {
        guard let grant = board.onPull(by: follower(index), holding: holding, now: now) else { return .nothing }
        let (unit, token) = (grant.unit.id, grant.token)
        if renewed[unit]?[token] != nil { violation = "token \(token.number) of \(unit) was given twice" }
        if accepted[unit] != nil { violation = "\(unit) was given away although its result was accepted" }
        if grant.unit.leases.count > 1 { stragglersRun += 1 }
        if Set(grant.unit.leases.map(\.follower)).count != grant.unit.leases.count {
            violation = "\(unit) was given twice to one follower"
        }
        renewed[unit, default: [:]][token] = time + clockOffset
        return .granted(unit, token, grant.unit.task)
    }

    private mutating func take(_ unit: UnitID, _ token: FencingToken, _ made: UnitResult, isHonest: Bool) {
        guard let task = board.rows.all.first(where: { $0.id == unit })?.task else { return }
        var presented = token
        if mutant == .ignoresTokens, let live = board.rows.all.first(where: { $0.id == unit })?.leases.first {
            presented = live.token
        }
        let said = mutant == .believesLiars ? result(of: task) : made
        switch board.onResult(unit, presented, said, now: now) {
        case .accepted: check(unit, token, isHonest: isHonest)
        case .repeated: if accepted[unit] != token { violation = "\(unit): a result counts that was not accepted" }
        case .refused:
            refusedCount += 1
            ended.insert(key(unit, token))
        case .fenced: fencedCount += 1
        }
    }

    private mutating func check(_ unit: UnitID, _ token: FencingToken, isHonest: Bool) {
        if let other = accepted[unit] { violation = "\(unit) has two results: \(other.number) and \(token.number)" }
        accepted[unit] = token
        if !isHonest { violation = "\(unit): a result that is none was accepted" }
        if ended.contains(key(unit, token)) { violation = "\(unit): the result of an ended lease was accepted" }
        let heard = renewed[unit]?[token] ?? -.infinity
        // A lease that lasts no time at all can only have been taken over by another's.
        if time + clockOffset - heard >= 30.001 { violation = "\(unit): the result of an expired lease was accepted" }
        for lease in renewed[unit] ?? [:] where lease.key != token { ended.insert(key(unit, lease.key)) }
    }

    private mutating func noteHeld(_ unit: UnitID, _ token: FencingToken) {
        if ended.contains(key(unit, token)) { violation = "\(unit): an ended lease was renewed" }
        renewed[unit]?[token] = time + clockOffset
    }

    private mutating func end(_ leases: [Lease], of unit: UnitID) {
        for lease in leases { ended.insert(key(unit, lease.token)) }
    }

    private func key(_ unit: UnitID, _ token: FencingToken) -> String { "\(unit)#\(token.number)" }
}

import Base
import ChunkPaxos
import Foundation
import SimulatedDisk
import Synchronization
import Testing

@testable import ChunkStore

@Suite("Power failures at any instant")
struct CrashTests {
    @Test("whatever was acknowledged is there after a crash, and the rest is wholly there or wholly absent")
    func crashes() {
        var acknowledged = 0
        for seed in 0..<300 {
            let report = CrashRun(seed: UInt64(seed)).run()
            #expect(report.violations.isEmpty, "seed \(seed): \(report.violations.joined(separator: "; "))")
            acknowledged += report.acknowledged
        }
        #expect(acknowledged > 1500, "the runs must get somewhere before they crash")
    }

    @Test("compaction and checkpoints beside the changes lose nothing, bring nothing back, and go on after a crash")
    func compaction() {
        var (acknowledged, compactions, checkpoints) = (0, 0, 0)
        for seed in 0..<300 {
            let report = CrashRun(seed: UInt64(seed), upkeep: .compaction).run()
            #expect(report.violations.isEmpty, "seed \(seed): \(report.violations.joined(separator: "; "))")
            acknowledged += report.acknowledged
            compactions += report.compactions
            checkpoints += report.checkpoints
        }
        #expect(
            acknowledged > 1500 && compactions > 100 && checkpoints > 50,
            "the runs must get somewhere before they crash")
    }

    @Test("a store that acknowledges before its bytes are durable is caught")
    func brokenVariant() {
        var violations = 0
        for seed in 0..<60 {
            violations += CrashRun(seed: UInt64(seed), acknowledgesTooEarly: true).run().violations.count
        }
        #expect(violations > 60)
    }
}

/// Random changes to a few ids, a crash after a random number of changes to the disk, and what must be true then. The
/// seed repeats it but for how the threads interleave.
private struct CrashRun {
    struct Report {
        var violations: [String] = []
        var acknowledged = 0
        /// Superblocks that compaction removed after the crashes.
        var compactions = 0
        /// Openings that a checkpoint served.
        var checkpoints = 0
    }

    enum Upkeep {
        case none, compaction
    }

    private enum Change {
        case put([UInt8])
        case putAccepting([UInt8], Ballot)
        case delete
        case prepare(Ballot)
    }

    /// What may be found of an id: the acknowledged state, and what a change that was not acknowledged would have made.
    private struct Expectation {
        var contents: [[UInt8]?] = [nil]
        var promised: Ballot?

        mutating func acknowledge(_ content: [UInt8]?) { contents = [content] }
        mutating func mayBe(_ content: [UInt8]?) { contents.append(content) }
        mutating func promise(_ ballot: Ballot) { promised = max(promised ?? ballot, ballot) }
    }

    private static let ids = (0..<12).map { chunkID("chunk-\($0)") }

    private let seed: UInt64
    private let upkeep: Upkeep
    private let acknowledgesTooEarly: Bool

    init(seed: UInt64, upkeep: Upkeep = .none, acknowledgesTooEarly: Bool = false) {
        self.seed = seed
        self.upkeep = upkeep
        self.acknowledgesTooEarly = acknowledgesTooEarly
    }

    private var options: ChunkStore.Options { upkeep == .none ? .small : .tiny }

    func run() -> Report {
        var random = SplitMix(seed: seed)
        var report = Report()
        var expectations = [Expectation](repeating: Expectation(), count: Self.ids.count)
        var system = FaultyFileSystem()
        for life in 0..<2 {
            system.setFaults { faults in
                faults.changesUntilCrash = random.below((life == 0 ? 120 : 60) * (upkeep == .none ? 1 : 2))
            }
            live(system, &random, &expectations, &report)
            system = system.afterCrash(seed: random.next())
            check(system, expectations, &report)
        }
        return report
    }

    /// Changes, several ids at a time, until the power fails.
    private func live(
        _ system: FaultyFileSystem, _ random: inout SplitMix, _ expectations: inout [Expectation],
        _ report: inout Report
    ) {
        guard let store = try? openMemory(system, options) else { return }
        system.setFaults { $0.liesAboutSynchronization = acknowledgesTooEarly }
        while !system.isCrashed {
            var changes: [(index: Int, change: Change)] = []
            for index in 0..<Self.ids.count where random.below(3) == 0 {
                changes.append((index, Self.change(&random)))
            }
            let results = perform(changes.map { (Self.ids[$0.index], $0.change) }, store, &random)
            for ((index, change), isAcknowledged) in zip(changes, results) {
                if isAcknowledged { report.acknowledged += 1 }
                Self.learn(change, isAcknowledged, &expectations[index])
            }
        }
        store.close()
    }

    private static func change(_ random: inout SplitMix) -> Change {
        // Contents from a small set, so that the same bytes come again.
        let content = bytes(100 + random.below(3) * 2500, seed: UInt64(random.below(2)))
        switch random.below(8) {
        case 0, 1: return .delete
        case 2: return .prepare(Ballot(round: UInt32(1 + random.below(1000)), proposer: 1))
        case 3: return .putAccepting(content, Ballot(round: UInt32(1 + random.below(1000)), proposer: 2))
        default: return .put(content)
        }
    }

    /// Whether each was acknowledged.
    private func perform(_ changes: [(ChunkID, Change)], _ store: ChunkStore, _ random: inout SplitMix) -> [Bool] {
        let results = Locked([Bool](repeating: false, count: changes.count))
        let done = DispatchGroup()
        if upkeep == .compaction {
            let isCheckpoint = random.below(2) == 0
            onThread(done) {
                if isCheckpoint { try? store.checkpoint() } else { _ = try? store.compact() }
            }
        }
        for (place, (id, change)) in changes.enumerated() {
            done.enter()
            let settled = { @Sendable (isAcknowledged: Bool) in
                results.withLock { $0[place] = isAcknowledged }
                done.leave()
            }
            switch change {
            case .put(let content): put(id, content, nil, store, settled)
            case .putAccepting(let content, let ballot):
                put(id, content, Acceptor.Accepted(ballot: ballot, value: content), store, settled)
            case .delete: store.delete(id) { settled((try? $0.get()) == true) }
            case .prepare(let ballot):
                store.ask(id, ChunkAcceptor.Request(alone, .prepare(ballot))) {
                    settled((try? $0.get())?.isGranted == true)
                }
            }
        }
        done.wait()
        return results.withLock { $0 }
    }

    private func put(
        _ id: ChunkID, _ content: [UInt8], _ acceptance: Acceptor.Accepted?, _ store: ChunkStore,
        _ settled: @escaping @Sendable (Bool) -> Void
    ) {
        let short = acceptance.map {
            Acceptance(alone, Acceptor.Accepted(ballot: $0.ballot, value: Array($0.value.prefix(64))))
        }
        guard let writer = try? store.write(id, acceptance: short),
            (try? content.withUnsafeBytes { try writer.append($0) }) != nil
        else { return settled(false) }
        writer.finish { settled((try? $0.get()) != nil) }
    }

    private static func learn(_ change: Change, _ isAcknowledged: Bool, _ expectation: inout Expectation) {
        switch change {
        case .put(let content), .putAccepting(let content, _):
            if isAcknowledged { expectation.acknowledge(content) } else { expectation.mayBe(content) }
            if case .putAccepting(_, let ballot) = change, isAcknowledged { expectation.promise(ballot) }
        case .delete: if isAcknowledged { expectation.acknowledge(nil) } else { expectation.mayBe(nil) }
        case .prepare(let ballot): if isAcknowledged { expectation.promise(ballot) }
        }
    }

    private func check(_ system: FaultyFileSystem, _ expectations: [Expectation], _ report: inout Report) {
        // Once with the checkpoint, if there is one, and once without.
        let scanned = system.copy()
        if scanned.paths.contains(checkpointPath) { try? scanned.remove(checkpointPath) }
        checkOpening(scanned, expectations, &report)
        checkOpening(system, expectations, &report)
    }

    private func checkOpening(_ system: FaultyFileSystem, _ expectations: [Expectation], _ report: inout Report) {
        let store: ChunkStore
        do {
            store = try openMemory(system, options)
        } catch {
            if report.acknowledged > 0 { report.violations.append("does not open: \(error)") }
            return
        }
        if store.statistics.openingMode == .checkpoint { report.checkpoints += 1 }
        if store.statistics.corruptRecords > 0 { report.violations.append("a crash is taken for damage") }
        compare(store, expectations, &report)
        if upkeep == .compaction {
            do {
                report.compactions += try store.compact().superblocksRemoved
            } catch {
                report.violations.append("does not compact: \(error)")
            }
            compare(store, expectations, &report)
        }
        store.close()
    }

    private func compare(_ store: ChunkStore, _ expectations: [Expectation], _ report: inout Report) {
        for (id, expectation) in zip(Self.ids, expectations) {
            let content: [UInt8]?
            let promised: Ballot?
            do {
                content = try store.content(id)
                promised = try store.acceptor(id).acceptor.promised
            } catch {
                report.violations.append("\(id): \(error)")
                continue
            }
            if !expectation.contents.contains(content) {
                report.violations.append(
                    "\(id) holds \(content?.count ?? 0) bytes that nobody stored, or lost what it had")
            }
            if let expected = expectation.promised, (promised ?? Ballot(round: 0, proposer: 0)) < expected {
                report.violations.append("\(id) forgot its promise")
            }
        }
    }
}

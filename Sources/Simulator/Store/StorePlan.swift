import Base
import ChunkPaxos
import ChunkStore
import SimulatedDisk
import Synchronization

/// What a run is made of: everything that its seed decides before it begins, and the odds of everything else.
package struct StorePlan: Sendable {
    /// Times that the store is opened.
    package var lives = 3
    /// Things that are done to the store in a life.
    package var actionsMax = 90
    /// Different ways of damage that are tried on the disk at the end.
    package var damages = 6
    /// The disk claims that what it was asked to synchronize is durable.
    package var disk = DiskTemper.honest
    package var options = ChunkStore.Options()

    package init() {}

    /// How the disk answers synchronizations: a store upon a disk that lies is as good as a store that does not ask.
    package enum DiskTemper: Sendable {
        case honest
        /// As a store that acknowledges before anything is durable.
        case pretendsSynchronization
        /// As a store that ignores that a synchronization failed.
        case hidesFailedSynchronization
        /// As a compaction that removes the old file before the new copies are durable.
        case pretendsSynchronizationOfCopies
    }

    static let ids = (0..<7).map { number in
        // Of different lengths, so that what follows in a record comes to stand anywhere.
        guard let id = ChunkID("c\(number)" + String(repeating: "-", count: number * 10)) else {
            fatalError("not an id")
        }
        return id
    }

    private static let node = NodeID("node")

    /// The store's acceptor is the only one of every chunk.
    static let alone: Configuration = {
        guard let node, let membership = try? Membership([Membership.Member(node)]) else { fatalError("not a node") }
        return Configuration(initial: membership)
    }()

    /// Small superblocks, so that a few writes fill one.
    func storeOptions(_ random: inout SplitMix, steps: StepQueue) -> ChunkStore.Options {
        var options = options
        options.chunkBytesMax = SimulatedContent.bytesMax
        options.superblockBytesMax = random.pick([0, 24, 48]) * ByteCount.kibibyte
        options.preallocationBytesMax = random.pick([1, 4, 16]) * ByteCount.kibibyte
        options.compactionLivePercent = random.pick([50, 80])
        options.compactionBytesMin = ByteCount.kibibyte
        options.maintainsItself = false
        options.steps = steps
        options.node = Self.node
        options.time = StoppedClock()
        let source = Locked(SplitMix(seed: random.next()))
        options.randomBytes = { count in
            source.withLock { source in (0..<count).map { _ in UInt8(truncatingIfNeeded: source.next()) } }
        }
        return options
    }

    static func change(_ random: inout SplitMix) -> ChunkModel.Change {
        // Few contents, so that the same bytes come again.
        let content = SimulatedContent(
            number: random.oneIn(3) ? random.below(SimulatedContent.count) : random.pick([0, 17]))
        switch random.below(12) {
        case 0..<5: return .put(content, nil)
        case 5..<7: return .put(content, accepted(content, &random))
        case 7..<9: return .delete
        case 9: return .prepare(ballot(&random))
        default: return .accept(accepted(content, &random), of: content)
        }
    }

    private static func accepted(_ content: SimulatedContent, _ random: inout SplitMix) -> Acceptor.Accepted {
        Acceptor.Accepted(ballot: ballot(&random), value: content.value)
    }

    private static func ballot(_ random: inout SplitMix) -> Ballot {
        Ballot(round: UInt32(random.below(random.oneIn(2) ? 3 : 1000)), proposer: UInt64(1 + random.below(2)))
    }
}

/// Time does not pass in a simulation: nothing that the store promises depends on it.
private struct StoppedClock: TimeSource {
    func now() -> Timestamp { Timestamp(nanoseconds: 1_700_000_000_000_000_000) }
}

/// What fails in one life of the store besides the power.
struct LifeFaults {
    private enum Kind {
        case none, writesBreak, diskFills, synchronizationBreaks
    }

    private let kind: Kind
    /// Faults come once in so many steps that they can befall.
    private let rarity: Int
    private(set) var haveStruck = false

    init(_ disk: StorePlan.DiskTemper, _ random: inout SplitMix) {
        let kinds: [Kind] = [.none, .none, .none, .none, .writesBreak, .diskFills, .synchronizationBreaks]
        kind = disk == .hidesFailedSynchronization ? .synchronizationBreaks : random.pick(kinds)
        rarity = random.pick([3, 12])
    }

    /// No faults at all.
    init() { (kind, rarity) = (.none, 1) }

    mutating func outcome(_ step: DiskStep, _ random: inout SplitMix) -> DiskOutcome {
        let fault: DiskFault
        switch (kind, step.operation) {
        case (.writesBreak, .write), (.writesBreak, .rename), (.writesBreak, .create): fault = .broken
        case (.diskFills, .write), (.diskFills, .allocate), (.diskFills, .create): fault = .full
        case (.synchronizationBreaks, .synchronize), (.synchronizationBreaks, .synchronizeDirectory): fault = .broken
        default: return .done
        }
        guard random.oneIn(rarity) else { return .done }
        haveStruck = true
        guard case .write(let range) = step.operation else { return .failed(fault) }
        return .failed(fault, writtenBytes: random.oneIn(2) ? 0 : random.below(range.count))
    }
}

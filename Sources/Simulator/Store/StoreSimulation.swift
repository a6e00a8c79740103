import Base
import ChunkPaxos
import ChunkStore
import SimulatedDisk

/// One run of a chunk store upon a disk that fails, from one seed: changes to a few ids, in several lives of the store
/// that end with a close, a kill or a power failure, and then damage to what is on the disk.
///
/// Before every step that changes the disk the run asks: if the power failed now, what would a store have to say that
/// is opened on what is left? Each such instant is a crash point. One thread does everything, so that a seed repeats a
/// run exactly; where threads of the real store would overlap, the simulation begins the next change inside a step of
/// the one before.
package final class StoreSimulation: @unchecked Sendable {
    // One thread runs the whole of it.

    package struct Report: Sendable {
        package var crashPoints = 0
        package var damages = 0
        package var acknowledged = 0
        /// Superblocks that compaction emptied.
        package var compactions = 0
        /// Openings after a crash that a checkpoint shortened.
        package var checkpointOpenings = 0
        /// The first thing that is wrong, after which the run ends.
        package var violation: String?
        /// What happened; empty when it was not asked for.
        package var trace: [String] = []
    }

    let seed: UInt64
    let plan: StorePlan
    let isTraced: Bool
    var random: SplitMix
    var report = Report()
    var models = [ChunkModel](repeating: ChunkModel(), count: StorePlan.ids.count)
    /// Nil until the store was opened once.
    var identity: StoreID?

    // Of the present life:
    var disk: FaultyFileSystem
    var faults = LifeFaults()
    var store: ChunkStore?
    var steps = StepQueue()
    /// A synchronization of records failed: nothing that is written may be acknowledged any more.
    var hasLostSynchronization = false
    /// A step of the queue runs, or the store opens or closes: what only one thread does at a time.
    var isStepping = true
    /// Answers are heard.
    var isAttentive = true
    var isCompacting = false
    /// Checkpoints as they once were.
    var oldCheckpoints: [[UInt8]] = []
    /// How many changes stand inside each other's steps.
    var depth = 0

    package init(seed: UInt64, plan: StorePlan = StorePlan(), isTraced: Bool = false) {
        self.seed = seed
        self.plan = plan
        self.isTraced = isTraced
        random = SplitMix(seed: seed)
        disk = FaultyFileSystem(seed: seed, fileBytesMax: 128 * ByteCount.kibibyte)
    }

    package func run() -> Report {
        for number in 1...plan.lives where report.violation == nil {
            trace("life \(number)")
            live()
        }
        if report.violation == nil { damageWhatIsLeft() }
        return report
    }

    func trace(_ text: @autoclosure () -> String) {
        if isTraced { report.trace.append(String(repeating: "  ", count: depth) + text()) }
    }

    func fail(_ text: String) {
        trace("VIOLATION: \(text)")
        if report.violation == nil { report.violation = "at crash point \(report.crashPoints): \(text)" }
    }

    private func live() {
        faults = LifeFaults(plan.disk, &random)
        hasLostSynchronization = false
        disk.watch { [unowned self] in
            beforeStep($0)
        } after: { [unowned self] in
            afterStep($0)
        }
        guard open() else { return disk.watch(nil) }
        isStepping = false
        for _ in 0..<random.below(plan.actionsMax + 1) where report.violation == nil { act() }
        isStepping = true
        checkCrash()
        switch random.below(3) {
        case 0: close()
        case 1:
            trace("killed")
            abandon { disk.afterKill() }
        default:
            trace("power failure")
            abandon { disk.afterCrash(seed: random.next()) }
        }
    }

    /// Opens the store, and takes what it holds for the truth from now on.
    private func open() -> Bool {
        steps = StepQueue()
        let options = plan.storeOptions(&random, steps: steps)
        do throws(ChunkStoreError) {
            store = try ChunkStore(directory: SimulatedPaths.directory, options: options, fileSystem: disk)
        } catch {
            if !faults.haveStruck { fail("the store does not open: \(error.message)") }
            trace("does not open: \(error.message)")
            return false
        }
        guard let store else { return false }
        trace("opened: \(store.chunkCount) chunks")
        if let identity, identity != store.id { fail("the store has become another: \(store.id)") }
        identity = store.id
        if store.statistics.corruptRecords > 0 { fail("a crash is taken for damage") }
        for (index, id) in StorePlan.ids.enumerated() {
            guard let state = observe(id, store) else { return false }
            if !models[index].onReopened(state) { fail(mismatch(id, models[index], state)) }
        }
        return report.violation == nil
    }

    private func close() {
        trace("close")
        steps.runAll()
        store?.close()
        store = nil
        disk.watch(nil)
        keepCheckpoint()
    }

    /// An old checkpoint may come back one day.
    func keepCheckpoint() {
        let checkpoint = disk.contents(SimulatedPaths.checkpoint)
        if !checkpoint.isEmpty, oldCheckpoints.last != checkpoint { oldCheckpoints.append(checkpoint) }
    }

    /// The process ends in the middle of everything. `rest` makes the disk that the next one finds.
    private func abandon(_ rest: () -> FaultyFileSystem) {
        let next = rest()
        // What was under way must come to an end somehow, unheard.
        isAttentive = false
        disk.watch(nil)
        disk.powerOff()
        store?.close()
        store = nil
        isAttentive = true
        disk = next
    }
}

enum SimulatedPaths {
    static let directory = "/store"
    static let identity = directory + "/store.id"
    static let checkpoint = directory + "/checkpoint"
}

import Base
import ChunkPaxos
import ChunkStore
import SimulatedDisk

// What is watched at every step of the disk.
extension StoreSimulation {
    func beforeStep(_ step: DiskStep) -> DiskOutcome {
        guard step.isChange, report.violation == nil else { return .done }
        report.crashPoints += 1
        checkCrash()
        overlap(step)
        let outcome = outcome(step)
        trace("[\(report.crashPoints)] \(step)\(outcome == .done ? "" : " → \(outcome)")")
        return outcome
    }

    func afterStep(_ step: DiskStep) { overlap(step) }

    private func outcome(_ step: DiskStep) -> DiskOutcome {
        let isOfRecords = step.operation == .synchronize && step.path.hasSuffix(".vsb")
        if isOfRecords, plan.disk == .pretendsSynchronization { return .pretended }
        if isOfRecords, isCompacting, plan.disk == .pretendsSynchronizationOfCopies { return .pretended }
        let outcome = faults.outcome(step, &random)
        guard isOfRecords, outcome != .done else { return outcome }
        if plan.disk == .hidesFailedSynchronization { return .failedSilently }
        hasLostSynchronization = true
        return outcome
    }

    /// What other threads do meanwhile. Only where the store holds no lock: records are written and synchronized
    /// without one, the log is made longer under one.
    private func overlap(_ step: DiskStep) {
        guard store != nil, depth > 0, depth < 3, !step.path.hasSuffix(".vsb.new"), random.oneIn(8) else { return }
        switch step.operation {
        case .write, .synchronize: act()
        default: break
        }
    }

    /// The power fails now, in a world beside this one: whatever is left must be possible.
    func checkCrash() {
        var random = SplitMix(seed: seed &+ UInt64(report.crashPoints) &* 0x9e37_79b9_7f4a_7c15)
        let image = disk.afterCrash(seed: random.next())
        // The log alone must say the same.
        if random.oneIn(3) { try? image.remove(SimulatedPaths.checkpoint) }
        guard let store = open(image, &random) else { return }
        if let identity, identity != store.id { return fail("after a crash the store is another") }
        if store.statistics.corruptRecords > 0 { return fail("a crash is taken for damage") }
        if store.statistics.openingMode == .checkpoint { report.checkpointOpenings += 1 }
        guard let states = observeAll(store) else { return }
        for (index, state) in states.enumerated() where !models[index].possible.contains(state) {
            return fail("after a crash " + mismatch(StorePlan.ids[index], models[index], state))
        }
        if random.oneIn(4) { checkLifeAfterCrash(store, image, states, &random) }
    }

    /// What was found stays, and new chunks are stored beside it.
    private func checkLifeAfterCrash(
        _ store: ChunkStore, _ image: FaultyFileSystem, _ states: [ChunkModel.State], _ random: inout SplitMix
    ) {
        let content = SimulatedContent(number: random.below(SimulatedContent.count))
        store.put(
            Self.newcomer, content, report: { if let error = $0 { self.fail("after a crash: \(error.message)") } })
        store.close()
        let disk = random.oneIn(2) ? image : image.afterCrash(seed: random.next())
        guard let again = open(disk, &random), let statesAgain = observeAll(again) else { return }
        if statesAgain != states { fail("what was found after a crash is gone after the next start") }
        if again.statistics.corruptRecords > 0 { fail("what followed a crash is taken for damage") }
        if (try? again.read(Self.newcomer))??.content != content { fail("what was stored after a crash is gone") }
    }

    private static let newcomer = ChunkID("stored-after-a-crash")!

    private func open(_ image: FaultyFileSystem, _ random: inout SplitMix) -> ChunkStore? {
        let options = plan.storeOptions(&random, steps: StepQueue())
        do throws(ChunkStoreError) {
            return try ChunkStore(directory: SimulatedPaths.directory, options: options, fileSystem: image)
        } catch {
            fail("after a crash the store does not open: \(error.message)")
            return nil
        }
    }

    /// What the store holds of every id; nil when that is a violation by itself.
    private func observeAll(_ store: ChunkStore) -> [ChunkModel.State]? {
        var states: [ChunkModel.State] = []
        for id in StorePlan.ids {
            guard let state = observe(id, store) else { return nil }
            states.append(state)
        }
        let extra = (try? store.contains(Self.newcomer)) == true ? 1 : 0
        let count = states.count { $0.content != nil } + extra
        if store.chunkCount != count { fail("the store counts \(store.chunkCount) chunks where there are \(count)") }
        return states
    }

    func observe(_ id: ChunkID, _ store: ChunkStore) -> ChunkModel.State? {
        do throws(ChunkStoreError) {
            var state = ChunkModel.State(acceptor: try store.acceptor(id).acceptor)
            guard let chunk = try store.read(id) else { return state }
            state.content = chunk.content
            if state.content == nil { fail("\(id) has bytes that nobody stored") }
            return state.content == nil ? nil : state
        } catch {
            fail("\(id): \(error.message)")
            return nil
        }
    }

    func mismatch(_ id: ChunkID, _ model: ChunkModel, _ state: ChunkModel.State) -> String {
        let possible = model.possible.map(describe).joined(separator: ", or ")
        return "\(id) has \(describe(state)) and must have \(possible)"
    }

    func describe(_ state: ChunkModel.State) -> String {
        let accepted = state.acceptor.accepted.map { "\($0.value.count) bytes under \($0.ballot)" } ?? "nothing"
        let promised = state.acceptor.promised.map { "\($0)" } ?? "nothing"
        return "\(state.content.map { "content \($0)" } ?? "no content") (promised \(promised), accepted \(accepted))"
    }
}

extension StoredChunk {
    /// Which of the contents it is; nil when it is none.
    var content: SimulatedContent? { SimulatedContent(bytes.bytes) }
}

extension ChunkStore {
    /// Stores the content; what is left to do is done when the store is closed.
    fileprivate func put(
        _ id: ChunkID, _ content: SimulatedContent, report: @escaping @Sendable (ChunkStoreError?) -> Void
    ) {
        do throws(ChunkStoreError) {
            let writer = try write(id)
            try writer.append(content.bytes)
            writer.finish { result in
                if case .failure(let error) = result { report(error) }
            }
        } catch {
            report(error)
        }
    }
}

import Base
import ChunkPaxos
import ChunkStore
import SimulatedDisk

// What rots on the disk of a store that was closed in good order: it must be reported, and never served.
extension StoreSimulation {
    func damageWhatIsLeft() {
        guard settle() else { return }
        for _ in 0..<plan.damages where report.violation == nil {
            let image = disk.copy()
            trace("damage: \(damage(image))")
            report.damages += 1
            checkDamaged(image)
        }
    }

    /// Opens and closes the store once more, so that all that is durable is known to be.
    private func settle() -> Bool {
        do throws(ChunkStoreError) {
            let options = plan.storeOptions(&random, steps: StepQueue())
            let store = try ChunkStore(directory: SimulatedPaths.directory, options: options, fileSystem: disk)
            for (index, id) in StorePlan.ids.enumerated() {
                guard let state = observe(id, store) else { return false }
                if !models[index].onReopened(state) { fail(mismatch(id, models[index], state)) }
            }
            store.close()
        } catch {
            fail("the store does not open: \(error.message)")
        }
        return report.violation == nil
    }

    /// Damages one place; says which and how.
    private func damage(_ image: FaultyFileSystem) -> String {
        let superblocks = image.paths.filter { $0.hasSuffix(".vsb") }
        let path = random.oneIn(12) ? "\(SimulatedPaths.directory)/store.id" : random.pick(superblocks)
        let size = image.contents(path).count
        let other = random.pick(superblocks)
        switch random.below(6) {
        case 0 where path.hasSuffix(".vsb"):
            let page = random.below((size + 4095) / 4096)
            image.makeUnreadable(path, page: page)
            return "page \(page) of \(path) cannot be read"
        case 1 where path.hasSuffix(".vsb"):
            let sector = random.below((size + 511) / 512)
            let source = random.below((image.contents(other).count + 511) / 512)
            image.misdirect(path, sector: sector, from: other, sector: source)
            return "sector \(sector) of \(path) reads as sector \(source) of \(other)"
        default:
            let (offset, bit) = (random.below(size), random.below(8))
            image.flipBit(path, at: offset, bit: bit)
            return "bit \(bit) of byte \(offset) of \(path) is flipped"
        }
    }

    private func checkDamaged(_ image: FaultyFileSystem) {
        let steps = StepQueue()
        let store: ChunkStore
        do throws(ChunkStoreError) {
            let options = plan.storeOptions(&random, steps: steps)
            store = try ChunkStore(directory: SimulatedPaths.directory, options: options, fileSystem: image)
        } catch {
            // Reported as loudly as can be.
            return trace("does not open: \(error.message)")
        }
        let isReported = store.statistics.corruptRecords > 0
        for (index, id) in StorePlan.ids.enumerated() { checkDamaged(id, models[index], store, isReported) }
        if isReported { checkForgetful(store, steps) }
    }

    private func checkDamaged(_ id: ChunkID, _ model: ChunkModel, _ store: ChunkStore, _ isReported: Bool) {
        do throws(ChunkStoreError) {
            let content = try store.read(id).map { $0.content }
            if content == .some(nil) { return fail("\(id) serves bytes that nobody stored") }
            let acceptor = try store.acceptor(id).acceptor
            let state = ChunkModel.State(content: content ?? nil, acceptor: acceptor)
            guard state != model.live else { return }
            if !isReported {
                fail("\(id) has \(describe(state)), not \(describe(model.live)), and nothing is reported")
            }
            let mayBe = model.past.contains { $0.content == state.content }
            if !mayBe { fail("\(id) has \(describe(state)), which it never had") }
        } catch {
            if error.code != .corrupt { fail("\(id): \(error.message)") }
        }
    }

    /// An acceptor that may have forgotten says nothing new.
    private func checkForgetful(_ store: ChunkStore, _ steps: StepQueue) {
        let ballot = Ballot(round: 100_000, proposer: 1)
        store.prepare(StorePlan.ids[0], ballot) { [self] result in
            if case .success = result { fail("an acceptor that lost records promises something") }
        }
        steps.runAll()
    }
}

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
        let path = random.pick(superblocks)
        switch random.below(18) {
        case 0..<2: return makeUnreadable(path, image)
        case 2..<4: return misdirect(path, from: random.pick(superblocks), image)
        case 4: return shorten(path, image)
        case 5:
            try? image.remove(path)
            return "\(path) is gone"
        case 6..<9: return bringBackCheckpoint(image)
        case 9: return flipBit(SimulatedPaths.identity, image)
        case 10..<12: return flipBit(SimulatedPaths.checkpoint, image)
        default: return flipBit(path, image)
        }
    }

    private func flipBit(_ path: String, _ image: FaultyFileSystem) -> String {
        let (offset, bit) = (random.below(image.contents(path).count), random.below(8))
        image.flipBit(path, at: offset, bit: bit)
        return "bit \(bit) of byte \(offset) of \(path) is flipped"
    }

    private func makeUnreadable(_ path: String, _ image: FaultyFileSystem) -> String {
        let page = random.below((image.contents(path).count + 4095) / 4096)
        image.makeUnreadable(path, page: page)
        return "page \(page) of \(path) cannot be read"
    }

    private func misdirect(_ path: String, from other: String, _ image: FaultyFileSystem) -> String {
        let sector = random.below((image.contents(path).count + 511) / 512)
        let source = random.below((image.contents(other).count + 511) / 512)
        image.misdirect(path, sector: sector, from: other, sector: source)
        return "sector \(sector) of \(path) reads as sector \(source) of \(other)"
    }

    private func shorten(_ path: String, _ image: FaultyFileSystem) -> String {
        let contents = image.contents(path)
        // At a record's end as often as anywhere: that looks most like a file that was never longer.
        let length = random.below(contents.count / 64 + 1) * 64 + (random.oneIn(2) ? 0 : random.below(64))
        image.setContents(path, Array(contents.prefix(length)))
        return "\(path) is cut to \(min(length, contents.count)) of \(contents.count) bytes"
    }

    private func bringBackCheckpoint(_ image: FaultyFileSystem) -> String {
        let number = random.below(max(1, oldCheckpoints.count))
        image.setContents(SimulatedPaths.checkpoint, oldCheckpoints.isEmpty ? [] : oldCheckpoints[number])
        return "checkpoint \(number) of \(oldCheckpoints.count) is back"
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
        store.ask(StorePlan.ids[0], ChunkAcceptor.Request(StorePlan.alone, .prepare(ballot))) { [self] result in
            if case .success = result { fail("an acceptor that lost records promises something") }
        }
        steps.runAll()
    }
}

import Base
import ChunkPaxos
import ChunkStore
import SimulatedDisk

// What is done to the store, and what it answers.
extension StoreSimulation {
    /// One thing, whatever comes.
    func act() {
        switch random.below(25) {
        case 0..<12: change()
        case 12..<19: isStepping ? change() : step()
        case 19..<21: read()
        // What happens on the store's own threads does not happen inside a change.
        case _ where isStepping || depth > 0: read()
        case 21: alone("quiet") { $0.writeIdleMarker() }
        case 22..<24: compact()
        default: alone("checkpoint", keepUp { try $0.checkpoint() })
        }
    }

    private func change() {
        guard let store else { return }
        let index = random.below(StorePlan.ids.count)
        let id = StorePlan.ids[index]
        let change = StorePlan.change(&random)
        trace("\(id): \(change)")
        let ticket = models[index].ask(change)
        depth += 1
        defer { depth -= 1 }
        switch change {
        case .put(let content, let acceptance): put(content, acceptance, id, index, ticket, store)
        case .delete: store.delete(id) { [self] in settle(index, ticket, $0.map { $0 ? .deleted : .notThere }) }
        case .prepare(let ballot):
            store.ask(id, ChunkAcceptor.Request(StorePlan.alone, .prepare(ballot))) { [self] in
                settle(index, ticket, $0.map { $0.isGranted ? .granted : .refused })
            }
        case .accept(let accepted, let content):
            let request = ChunkAcceptor.Request(StorePlan.alone, .accept(accepted.ballot, value: accepted.value))
            let claim = BytesClaim(checksum: content.checksum, sizeBytes: content.bytes.count)
            store.ask(id, request, holding: claim) { [self] in
                settle(index, ticket, $0.map { $0.isGranted ? .granted : .refused })
            }
        }
    }

    private func put(
        _ content: SimulatedContent, _ acceptance: Acceptor.Accepted?, _ id: ChunkID, _ index: Int, _ ticket: Int,
        _ store: ChunkStore
    ) {
        do throws(ChunkStoreError) {
            let writer = try store.write(
                id, expected: content.checksum, acceptance: acceptance.map { Acceptance(StorePlan.alone, $0) })
            try writer.append(content.bytes)
            writer.finish { [self] result in
                settle(
                    index, ticket,
                    result.map { outcome in
                        if case .created = outcome { .created } else { .existing }
                    })
            }
        } catch {
            settle(index, ticket, .failure(error))
        }
    }

    /// Compares an answer with the model's.
    private func settle(_ index: Int, _ ticket: Int, _ result: Result<ChunkModel.Answer, ChunkStoreError>) {
        guard isAttentive else { return }
        let id = StorePlan.ids[index]
        let answer: ChunkModel.Answer?
        switch result {
        case .success(let success): answer = success
        case .failure(let error):
            switch error.code {
            case .conflict: answer = .conflict
            case .rejected: answer = .rejected
            default:
                if !faults.haveStruck { fail("\(id): \(error.message)") }
                answer = nil
            }
        }
        trace("\(id) is answered: \(answer.map { "\($0)" } ?? "failed")")
        if answer != nil, hasLostSynchronization, models[index].isWriting {
            fail("\(id): acknowledged after a failed synchronization")
        }
        if answer != nil { report.acknowledged += 1 }
        if let complaint = models[index].settle(ticket, answer) { fail("\(id): \(complaint)") }
    }

    /// Lets the store's own work go on: a group is committed, or a change goes on that had to wait.
    private func step() {
        guard steps.count > 0 else { return }
        let index = random.below(steps.count)
        alone("step") { [steps] _ in steps.run(index) }
    }

    /// Does what one thread of the store does at a time.
    private func alone(_ name: String, _ work: (ChunkStore) -> Void) {
        guard let store else { return }
        trace(name)
        isStepping = true
        depth += 1
        work(store)
        depth -= 1
        isStepping = false
    }

    private func compact() {
        isCompacting = true
        alone("compact", keepUp { [self] in report.compactions += try $0.compact().superblocksRemoved })
        isCompacting = false
        keepCheckpoint()
    }

    /// Upkeep may fail for the disk's sake only.
    private func keepUp(_ work: @escaping (ChunkStore) throws -> Void) -> (ChunkStore) -> Void {
        { [self] store in
            do {
                try work(store)
            } catch {
                trace("upkeep fails: \(error)")
                if !faults.haveStruck { fail("upkeep fails without a reason: \(error)") }
            }
        }
    }

    private func read() {
        guard let store else { return }
        let index = random.below(StorePlan.ids.count)
        let id = StorePlan.ids[index]
        guard let state = observe(id, store) else { return }
        if state != models[index].live {
            fail("\(id) shows \(describe(state)) and must show \(describe(models[index].live))")
        }
    }
}

extension ChunkWriter {
    func append(_ bytes: [UInt8]) throws(ChunkStoreError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result<Void, ChunkStoreError> { () throws(ChunkStoreError) in try append(buffer) }
        }
        try result.get()
    }
}

import Base
import ChunkPaxos
import Digests
import Foundation
import SimulatedDisk
import Testing

@testable import ChunkStore

@Suite("Acceptors remember")
struct ConsensusTests {
    private let content: [UInt8] = [1, 2, 3]
    private var checksum: SHA256Digest { SHA256.digest(of: content) }

    @Test("bytes and acceptance are one record and one synchronization, and both are there after opening again")
    func oneRecord() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system)
        let before = store.statistics.synchronizations
        _ = try await store.put(chunkID("a"), content, acceptance: accepted(0, 7, "value"))
        #expect(store.statistics.synchronizations - before == 1)
        for _ in 0..<2 {
            let view = try store.acceptor(chunkID("a"))
            #expect(
                view.acceptor == Acceptor(promised: Ballot(round: 0, proposer: 7), accepted: accepted(0, 7, "value")))
            #expect(view.chunk?.checksum == checksum)
            store.close()
            store = try openMemory(system)
        }
    }

    @Test("a refused ballot or value stores nothing, and the error shows the acceptor")
    func refused() async throws {
        let store = try openMemory(FaultyFileSystem())
        _ = try await store.prepare(chunkID("a"), Ballot(round: 3, proposer: 1))
        let promised = Acceptor(promised: Ballot(round: 3, proposer: 1))
        #expect(
            await errorCode { _ = try await store.put(chunkID("a"), content, acceptance: accepted(0, 7, "v")) }
                == .rejected(promised))
        #expect(try store.contains(chunkID("a")) == false)
        _ = try await store.put(chunkID("b"), content, acceptance: accepted(0, 7, "v"))
        let other = await errorCode { _ = try await store.put(chunkID("b"), content, acceptance: accepted(0, 7, "w")) }
        #expect(other == .rejected(Acceptor(promised: Ballot(round: 0, proposer: 7), accepted: accepted(0, 7, "v"))))
    }

    @Test("an acceptance for bytes that are there already is recorded beside them")
    func acceptanceLater() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        _ = try await store.put(chunkID("a"), content)
        guard case .existing = try await store.put(chunkID("a"), content, acceptance: accepted(0, 7, "v")) else {
            Issue.record("the bytes were there")
            return
        }
        store.close()
        let again = try openMemory(system)
        #expect(try again.acceptor(chunkID("a")).acceptor.accepted == accepted(0, 7, "v"))
        #expect(again.statistics.chunkCount == 1)
    }

    @Test("an acceptor that lost records repeats what it accepted and says nothing new")
    func forgetful() async throws {
        let system = FaultyFileSystem()
        let first = try openMemory(system)
        _ = try await first.put(chunkID("a"), content, acceptance: accepted(0, 7, "v"))
        let lost = system.contents(firstSuperblock).count
        first.close()
        let end = system.contents(firstSuperblock).count
        #expect(end <= lost)
        let second = try openMemory(system)
        _ = try await second.prepare(chunkID("a"), Ballot(round: 5, proposer: 1))
        _ = try await second.put(chunkID("b"), content)
        second.close()
        system.corrupt(firstSuperblock, at: end, with: [~system.contents(firstSuperblock)[end]])
        try system.remove(checkpointPath)

        let store = try openMemory(system)
        #expect(store.statistics.corruptRecords == 1)
        for id in ["a", "b", "new"] {
            #expect(
                await errorCode { _ = try await store.prepare(chunkID(id), Ballot(round: 3, proposer: 2)) }
                    == .forgetful)
            let other = accepted(3, 2, "w")
            #expect(await errorCode { _ = try await store.put(chunkID(id), content, acceptance: other) } == .forgetful)
            #expect(
                await errorCode {
                    _ = try await store.accept(chunkID(id), other, checksum: checksum, sizeBytes: content.count)
                } == .forgetful)
        }
        #expect(try store.contains(chunkID("new")) == false)
        let again = try await store.accept(
            chunkID("a"), accepted(0, 7, "v"), checksum: checksum, sizeBytes: content.count)
        #expect(again.isGranted)
        _ = try await store.put(chunkID("a"), content, acceptance: accepted(0, 7, "v"))
        _ = try await store.put(chunkID("plain"), content)
    }

    @Test("prepare and accept are durable, and accept needs the bytes of the value")
    func bothPhases() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system)
        let ballot = Ballot(round: 2, proposer: 5)
        let without = try await store.accept(chunkID("a"), accepted(2, 5, "v"), checksum: checksum, sizeBytes: 3)
        #expect(!without.isGranted && without.view.chunk == nil)
        _ = try await store.put(chunkID("a"), content)
        let wrong = try await store.accept(
            chunkID("a"), accepted(2, 5, "v"), checksum: SHA256.digest(of: [9]), sizeBytes: 3)
        #expect(!wrong.isGranted)
        #expect(try await store.prepare(chunkID("a"), ballot).isGranted)
        #expect(try await store.prepare(chunkID("a"), Ballot(round: 1, proposer: 9)).isGranted == false)
        store.close()
        store = try openMemory(system)
        #expect(try await store.prepare(chunkID("a"), Ballot(round: 1, proposer: 9)).isGranted == false)
        #expect(try await store.accept(chunkID("a"), accepted(2, 5, "v"), checksum: checksum, sizeBytes: 3).isGranted)
        store.close()
        store = try openMemory(system)
        #expect(try store.acceptor(chunkID("a")).acceptor == Acceptor(promised: ballot, accepted: accepted(2, 5, "v")))
        #expect(try store.content(chunkID("a")) == content)
    }

    @Test("the same question again costs no record")
    func repeated() async throws {
        let store = try openMemory(FaultyFileSystem())
        let ballot = Ballot(round: 2, proposer: 5)
        _ = try await store.prepare(chunkID("a"), ballot)
        let before = store.statistics.synchronizations
        #expect(try await store.prepare(chunkID("a"), ballot).isGranted)
        #expect(store.statistics.synchronizations == before)
    }

    @Test("an acceptor outlives its chunk's deletion, and what comes after it")
    func deletion() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system)
        let state = Acceptor(promised: Ballot(round: 0, proposer: 7), accepted: accepted(0, 7, "v"))
        _ = try await store.put(chunkID("a"), content, acceptance: accepted(0, 7, "v"))
        _ = try await store.delete(chunkID("a"))
        for _ in 0..<2 {
            #expect(
                try store.acceptor(chunkID("a")) == AcceptorView(AcceptorState(configuration: alone, vote: state), nil))
            store.close()
            store = try openMemory(system)
        }
        _ = try await store.put(chunkID("a"), content)
        for _ in 0..<2 {
            #expect(try store.acceptor(chunkID("a")).acceptor == state)
            #expect(try store.content(chunkID("a")) == content)
            store.close()
            store = try openMemory(system)
        }
        _ = try await store.prepare(chunkID("a"), Ballot(round: 4, proposer: 1))
        _ = try await store.delete(chunkID("a"))
        store.close()
        store = try openMemory(system)
        #expect(try store.acceptor(chunkID("a")).acceptor.promised == Ballot(round: 4, proposer: 1))
        #expect(try store.acceptor(chunkID("a")).acceptor.accepted == accepted(0, 7, "v"))
    }

    @Test("a store keeps its identity, and another store has another")
    func identity() throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        let id = store.id
        #expect(store.acceptorID.description == id.description)
        store.close()
        #expect(try openMemory(system).id == id)
        #expect(try openMemory(FaultyFileSystem()).id != id)
    }

    private func configuration(_ members: Membership.Member..., base: String? = nil) throws -> Configuration {
        try #require(
            Configuration(
                version: base == nil ? 0 : 1, membership: try Membership(members), base: base.map { Array($0.utf8) }))
    }

    private func own(_ store: ChunkStore) -> Membership.Member { Membership.Member(testNode, store.acceptorID) }

    private let other = Membership.Member(NodeID("node-2")!, AcceptorID(high: 9, low: 9))

    @Test("the configuration is kept with the vote, and a later one takes its place, through restarts")
    func configurations() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system)
        let first = try configuration(own(store), other)
        let second = try configuration(other, own(store), base: "v")
        _ = try await store.put(
            chunkID("a"), content, acceptance: Acceptance(first, accepted(0, 7, "v")))
        _ = try await store.ask(chunkID("b"), ChunkAcceptor.Request(first, .prepare(Ballot(round: 3, proposer: 1))))
        #expect(try await store.ask(chunkID("a"), ChunkAcceptor.Request(second, .install)).reply == .installed)
        for _ in 0..<2 {
            #expect(try store.acceptor(chunkID("a")).configuration == second)
            #expect(try store.acceptor(chunkID("a")).acceptor == Acceptor())
            #expect(try store.acceptor(chunkID("b")).configuration == first)
            let late = try await store.ask(chunkID("a"), ChunkAcceptor.Request(first, .read))
            #expect(late.reply == .superseded(second))
            store.close()
            store = try openMemory(system)
        }
        let again = Acceptance(first, accepted(0, 7, "v"))
        #expect(
            await errorCode { _ = try await store.put(chunkID("a"), content, acceptance: again) } == .superseded(second)
        )
        #expect(try store.content(chunkID("a")) == content)
    }

    @Test("a message that names another disk, other nodes, or another configuration leaves nothing behind")
    func foreign() async throws {
        let store = try openMemory(FaultyFileSystem())
        let mine = try configuration(own(store), other)
        let replaced = try configuration(Membership.Member(testNode, AcceptorID(high: 1, low: 1)), other)
        let others = try configuration(other)
        _ = try await store.put(chunkID("known"), content, acceptance: Acceptance(mine, accepted(0, 7, "v")))
        let records = store.statistics.synchronizations
        for (configuration, id, word) in [
            (replaced, "a", "replaced"), (others, "a", "node-2"),
            (try configuration(own(store)), "known", "node-1, node-2"),
        ] {
            let ask = ChunkAcceptor.Request(configuration, .prepare(Ballot(round: 9, proposer: 1)))
            let outcome = try await store.ask(chunkID(id), ask)
            #expect(outcome.reply == .foreign && !outcome.isGranted)
            #expect(store.foreign(chunkID(id), configuration, outcome.view).message.contains(word))
            let acceptance = Acceptance(configuration, accepted(9, 1, "w"))
            #expect(
                await errorCode { _ = try await store.put(chunkID(id), content, acceptance: acceptance) } == .foreign)
        }
        #expect(try store.contains(chunkID("a")) == false)
        #expect(try store.acceptor(chunkID("known")).acceptor.accepted == accepted(0, 7, "v"))
        #expect(store.statistics.synchronizations == records)
    }

    @Test("what is agreed takes the place of other bytes, and of nothing else")
    func replacement() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system)
        let rival: [UInt8] = [9, 8, 7, 6]
        _ = try await store.put(chunkID("a"), rival)
        #expect(await errorCode { _ = try await store.put(chunkID("a"), content) } == .conflict)
        guard case .created = try await store.put(chunkID("a"), content, acceptance: accepted(0, 7, "v")) else {
            Issue.record("the bytes are new")
            return
        }
        #expect(await errorCode { _ = try await store.put(chunkID("a"), rival) } == .conflict)
        _ = try await store.prepare(chunkID("a"), Ballot(round: 2, proposer: 1))
        #expect(
            await errorCode { _ = try await store.put(chunkID("a"), rival, acceptance: accepted(1, 9, "w")) } != nil)
        for _ in 0..<2 {
            #expect(try store.content(chunkID("a")) == content)
            #expect(store.chunkCount == 1)
            store.close()
            store = try openMemory(system)
        }
        _ = try await store.put(chunkID("a"), rival, acceptance: accepted(2, 1, "w"))
        store.close()
        store = try openMemory(system)
        #expect(try store.content(chunkID("a")) == rival)
        #expect(try store.acceptor(chunkID("a")).acceptor.accepted == accepted(2, 1, "w"))
    }
}

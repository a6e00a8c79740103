import Base
import ChunkPaxos
import Digests
import Foundation
import SimulatedDisk
import Testing

@testable import ChunkStore

func chunkID(_ text: String) -> ChunkID {
    guard let id = ChunkID(text) else { fatalError("'\(text)' is not a chunk id") }
    return id
}

/// Bytes that `seed` repeats.
func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SplitMix(seed: seed)
    var result: [UInt8] = []
    result.reserveCapacity(count + 8)
    while result.count < count { withUnsafeBytes(of: random.next()) { result.append(contentsOf: $0) } }
    return Array(result.prefix(count))
}

extension ChunkStore.Options {
    /// Small superblocks; no marker, compaction or checkpoint by itself.
    static var small: ChunkStore.Options {
        var options = ChunkStore.Options()
        options.superblockBytesMax = 64 * 1024
        options.chunkBytesMax = 16 * 1024
        options.preallocationBytesMax = 16 * 1024
        options.markerDelay = .seconds(3600)
        options.maintainsItself = false
        options.compactionBytesMin = 4096
        options.reserveBytes = 0
        options.node = testNode
        return options
    }

    /// Superblocks of a few records.
    static var tiny: ChunkStore.Options {
        var options = small
        options.superblockBytesMax = 24 * 1024
        options.chunkBytesMax = 8 * 1024
        return options
    }
}

func openMemory(_ system: FaultyFileSystem, _ options: ChunkStore.Options = .small) throws(ChunkStoreError)
    -> ChunkStore
{
    try ChunkStore(directory: "/store", options: options, fileSystem: system)
}

let checkpointPath = "/store/checkpoint"
let firstSuperblock = "/store/superblocks/000001.vsb"

extension ChunkStore {
    func content(_ id: ChunkID) throws(ChunkStoreError) -> [UInt8]? { try read(id).map { Array($0.bytes.bytes) } }
}

/// Runs `body` on a thread of its own: the few that tests and tasks share would all be taken by work that waits for them.
func onThread(_ group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
    group.enter()
    Thread.detachNewThread {
        body()
        group.leave()
    }
}

/// A directory that goes when the test lets go of it.
final class TemporaryDirectory {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("vstack-\(UUID().uuidString)").path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// The code of the error that `body` throws.
func errorCode(_ body: () async throws -> Void) async -> ChunkStoreError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? ChunkStoreError)?.code
    }
}

let testNode = NodeID("node-1")!

/// One acceptor, whichever disk the node has.
let alone: Configuration = {
    guard let membership = try? Membership([Membership.Member(testNode)]) else { fatalError() }
    return Configuration(initial: membership)
}()

// Messages in the one configuration that most tests need.
extension ChunkStore {
    func prepare(_ id: ChunkID, _ ballot: Ballot) async throws(ChunkStoreError) -> AcceptorOutcome {
        try await ask(id, ChunkAcceptor.Request(alone, .prepare(ballot)))
    }

    func put(
        _ id: ChunkID, _ bytes: [UInt8], acceptance: Acceptor.Accepted?
    ) async throws(ChunkStoreError) -> PutOutcome {
        try await put(id, bytes, acceptance: acceptance.map { Acceptance(alone, $0) })
    }

    func accept(
        _ id: ChunkID, _ accepted: Acceptor.Accepted, checksum: SHA256Digest, sizeBytes: Int
    ) async throws(ChunkStoreError) -> AcceptorOutcome {
        try await ask(
            id, ChunkAcceptor.Request(alone, .accept(accepted.ballot, value: accepted.value)),
            holding: BytesClaim(checksum: checksum, sizeBytes: sizeBytes))
    }
}

func accepted(_ round: UInt32, _ proposer: UInt64, _ value: String) -> Acceptor.Accepted {
    Acceptor.Accepted(ballot: Ballot(round: round, proposer: proposer), value: Array(value.utf8))
}

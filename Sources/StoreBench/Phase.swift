import Base
import ChunkStore
import Dispatch
import Foundation
import Synchronization

/// One step of a store's life.
enum Phase: String {
    case fill, open, delete, contend, compact, verify

    func run(_ workload: Workload) throws -> [String: Any] {
        switch self {
        case .fill: try fill(workload)
        case .open: try open(workload)
        case .delete: try delete(workload)
        case .contend: try contend(workload)
        case .compact: try compact(workload)
        case .verify: try verify(workload)
        }
    }

    /// Changes that wait for the disk at once.
    private static let flightMax = 256

    private func fill(_ workload: Workload) throws -> [String: Any] {
        let store = try workload.open()
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: workload.chunkBytes, alignment: 64)
        defer { bytes.deallocate() }
        let parts = 10
        var (rates, costs): ([Double], [Double]) = ([], [])
        let flight = Flight(max: Self.flightMax)
        for part in 0..<parts {
            let numbers = part * workload.count / parts..<(part + 1) * workload.count / parts
            let processor = ProcessFigures.processorSeconds
            let seconds = try measure {
                for number in numbers {
                    workload.fill(bytes, number)
                    let writer = try store.write(workload.id(number))
                    try writer.append(UnsafeRawBufferPointer(bytes))
                    try flight.begin()
                    writer.finish { flight.end($0.map { _ in }) }
                }
                try flight.finish()
            }
            rates.append(Double(numbers.count) / seconds)
            costs.append((ProcessFigures.processorSeconds - processor) / Double(numbers.count))
        }
        let closing = measure { store.close() }
        return [
            "puts_per_second": rates, "processor_seconds_per_put": costs, "closing_seconds": closing,
            "synchronizations": store.statistics.synchronizations,
        ]
    }

    private func open(_ workload: Workload) throws -> [String: Any] {
        let (anonymous, resident) = (ProcessFigures.anonymousBytes, ProcessFigures.residentBytes)
        let processor = ProcessFigures.processorSeconds
        var store: ChunkStore?
        let seconds = try measure { store = try workload.open() }
        let processorSeconds = ProcessFigures.processorSeconds - processor
        guard let store else { return [:] }
        let statistics = store.statistics
        return [
            "seconds": seconds, "processor_seconds": processorSeconds, "mode": statistics.openingMode.rawValue,
            "chunks": statistics.chunkCount,
            "anonymous_bytes": ProcessFigures.anonymousBytes - anonymous,
            "resident_bytes": ProcessFigures.residentBytes - resident, "index_bytes": statistics.indexBytes,
            "checkpoint_bytes": Self.fileBytes(workload.directory + "/checkpoint"),
        ]
    }

    private func delete(_ workload: Workload) throws -> [String: Any] {
        let store = try workload.open()
        let flight = Flight(max: Self.flightMax)
        var deleted = 0
        let seconds = try measure {
            for number in 0..<workload.count where workload.isDeleted(number) {
                try flight.begin()
                deleted += 1
                store.delete(workload.id(number)) { flight.end($0.map { _ in }) }
            }
            try flight.finish()
        }
        store.close()
        return ["deleted": deleted, "deletes_per_second": Double(deleted) / seconds]
    }

    /// Reads with and without compaction beside them, in turns.
    private func contend(_ workload: Workload) throws -> [String: Any] {
        var (quiet, busy, moved): ([Double], [Double], Int) = ([], [], 0)
        // A small store only shows that it works.
        for round in 0..<(workload.count < 100_000 ? 2 : 17) {
            for isBusy in [false, true] {
                let store = try workload.open(maintainsItself: isBusy)
                let rate = Reading(store, workload).run(seconds: 0.5)
                store.close()
                moved += store.statistics.compactionBytesMoved
                // The first round only warms the cache.
                guard round > 0 else { continue }
                if isBusy { busy.append(rate) } else { quiet.append(rate) }
            }
        }
        return ["reads_per_second_quiet": quiet, "reads_per_second_compacting": busy, "bytes_moved": moved]
    }

    private func compact(_ workload: Workload) throws -> [String: Any] {
        let store = try workload.open()
        let before = Self.diskBytes(workload.directory)
        var report = CompactionReport()
        let processor = ProcessFigures.processorSeconds
        let seconds = try measure { report = try store.compact() }
        let processorSeconds = ProcessFigures.processorSeconds - processor
        store.close()
        return [
            "seconds": seconds, "processor_seconds": processorSeconds, "bytes_moved": report.bytesMoved,
            "superblocks_removed": report.superblocksRemoved,
            "disk_bytes_before": before, "disk_bytes_after": Self.diskBytes(workload.directory),
        ]
    }

    private func verify(_ workload: Workload) throws -> [String: Any] {
        let store = try workload.open()
        let expected = UnsafeMutableRawBufferPointer.allocate(byteCount: workload.chunkBytes, alignment: 64)
        defer { expected.deallocate() }
        var (intact, wrong) = (0, 0)
        let seconds = try measure {
            for number in 0..<workload.count {
                let chunk = try store.read(workload.id(number))
                let isDeleted = workload.isDeleted(number)
                guard let chunk, !isDeleted else {
                    if (chunk == nil) != isDeleted { wrong += 1 }
                    continue
                }
                workload.fill(expected, number)
                let isEqual = chunk.bytes.bytes.elementsEqual(UnsafeRawBufferPointer(expected))
                if isEqual { intact += 1 } else { wrong += 1 }
            }
        }
        let statistics = store.statistics
        store.close()
        guard wrong == 0, statistics.corruptRecords == 0 else {
            throw Failure(.corrupt, "\(wrong) chunks are not as they were written")
        }
        return ["seconds": seconds, "intact": intact, "index_bytes": statistics.indexBytes]
    }

    private func measure(_ body: () throws -> Void) rethrows -> Double {
        let beganAt = ContinuousClock.now
        try body()
        return (ContinuousClock.now - beganAt) / .seconds(1)
    }

    private static func fileBytes(_ path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }

    /// As `du` counts the superblocks.
    private static func diskBytes(_ directory: String) -> Int {
        let folder = directory + "/superblocks"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.reduce(0) { sum, name in
            var status = stat()
            return stat("\(folder)/\(name)", &status) == 0 ? sum + Int(status.st_blocks) * 512 : sum
        }
    }
}

/// Changes under way, no more than so many.
private final class Flight: Sendable {
    private let places: DispatchSemaphore
    private let group = DispatchGroup()
    private let failure = Locked<ChunkStoreError?>(nil)

    init(max: Int) { places = DispatchSemaphore(value: max) }

    func begin() throws {
        places.wait()
        group.enter()
        if let error = failure.withLock({ $0 }) {
            end(.success(()))
            throw error
        }
    }

    func end(_ result: Result<Void, ChunkStoreError>) {
        if case .failure(let error) = result { failure.withLock { $0 = error } }
        places.signal()
        group.leave()
    }

    func finish() throws {
        group.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }
}

/// As many threads as there are cores that read chunks at random.
private struct Reading {
    private let store: ChunkStore
    private let workload: Workload

    init(_ store: ChunkStore, _ workload: Workload) {
        self.store = store
        self.workload = workload
    }

    /// Reads a second.
    func run(seconds: Double) -> Double {
        let total = Atomic<Int>(0)
        let end = ContinuousClock.now + .seconds(seconds)
        DispatchQueue.concurrentPerform(iterations: ProcessInfo.processInfo.activeProcessorCount) { thread in
            var (number, count) = (UInt64(thread + 1), 0)
            while ContinuousClock.now < end {
                for _ in 0..<64 {
                    number = Workload.mix(number)
                    _ = try? store.read(workload.id(Int(number % UInt64(workload.count))))
                    count += 1
                }
            }
            total.wrappingAdd(count, ordering: .relaxed)
        }
        return Double(total.load(ordering: .relaxed)) / seconds
    }
}

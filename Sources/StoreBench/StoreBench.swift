import Base
import ChunkStore
import Foundation

/// Takes a chunk store through its life at full size, one phase a run, so that memory and opening are those of a fresh
/// process. Prints one JSON object; `Benchmarks/store.py` runs the phases in their order.
@main
enum StoreBench {
    private static let usage = "usage: store-bench fill|open|delete|contend|compact|verify DIR CHUNKS BYTES"

    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 4, let phase = Phase(rawValue: arguments[1]), let count = Int(arguments[3]), count > 0,
            let bytes = Int(arguments[4]), bytes > 0
        else {
            FileHandle.standardError.write(Data((usage + "\n").utf8))
            exit(64)
        }
        do {
            let figures = try phase.run(Workload(directory: arguments[2], count: count, chunkBytes: bytes))
            let data = try JSONSerialization.data(withJSONObject: figures, options: [.sortedKeys])
            print(String(decoding: data, as: UTF8.self))
        } catch {
            FileHandle.standardError.write(Data("\(phase.rawValue): \(error)\n".utf8))
            exit(1)
        }
    }
}

/// Chunks whose ids, bytes and fate follow from their number.
struct Workload: Sendable {
    let directory: String
    let count: Int
    let chunkBytes: Int

    func id(_ number: Int) -> ChunkID {
        guard let id = ChunkID("chunk-\(number)") else { fatalError("a number makes an id") }
        return id
    }

    /// Fills the buffer with bytes that no other chunk has.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, _ number: Int) {
        var word = Self.mix(UInt64(number))
        for offset in stride(from: 0, to: buffer.count - 7, by: 8) {
            buffer.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        }
        for offset in buffer.count & ~7..<buffer.count { buffer[offset] = UInt8(truncatingIfNeeded: number) }
    }

    /// Half of them, at random.
    func isDeleted(_ number: Int) -> Bool { Self.mix(UInt64(number) &+ 77) & 1 == 0 }

    func open(maintainsItself: Bool = false) throws -> ChunkStore {
        var options = ChunkStore.Options()
        // Enough files for compaction to choose from.
        options.superblockBytesMax = 256 * ByteCount.mebibyte
        // Half of the chunks are deleted, so that about half of each file is still needed.
        options.compactionLivePercent = 60
        options.maintainsItself = maintainsItself
        options.maintenanceInterval = .milliseconds(1)
        return try ChunkStore(directory: directory, options: options)
    }

    /// SplitMix64's last step (Steele, Lea, Flood 2014).
    static func mix(_ number: UInt64) -> UInt64 {
        var z = number &+ 0x9e37_79b9_7f4a_7c15
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// What the process uses.
enum ProcessFigures {
    /// Resident memory that is not a file's, in bytes.
    static var anonymousBytes: Int { status("RssAnon:") }
    /// All resident memory, mapped files too.
    static var residentBytes: Int { status("VmRSS:") }

    /// Of all threads, in user and kernel mode.
    static var processorSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
    }

    private static func status(_ field: String) -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(field) }
        let number = line?.split(separator: " ").dropFirst().first ?? line?.split(separator: "\t").last
        return (number.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) } ?? 0) * 1024
    }
}

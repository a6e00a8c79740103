import Base
import Digests
import Glibc
import SimulatedDisk

/// Bytes of a chunk, known by a number: equal numbers, equal bytes.
struct SimulatedContent: Hashable, CustomStringConvertible {
    /// Lengths around what matters: one byte, less than a sector, a sector and its neighbours, several, the most.
    private static let lengths = [1, 63, 64, 200, 511, 512, 700, 1500, 2900, bytesMax]
    static let bytesMax = 4096
    static let count = lengths.count * 2

    let number: Int

    private struct Known {
        let bytes: [UInt8]
        let checksum: SHA256Digest
    }

    private static let all: [Known] = (0..<count).map { number in
        var random = SplitMix(seed: UInt64(number))
        let bytes = (0..<lengths[number / 2]).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        return Known(bytes: bytes, checksum: bytes.withUnsafeBytes { SHA256.digest(of: $0) })
    }

    var bytes: [UInt8] { Self.all[number].bytes }
    var checksum: SHA256Digest { Self.all[number].checksum }
    /// A value that says these bytes; of different lengths, so that payloads come to stand anywhere.
    var value: [UInt8] { Array("content \(number) \(String(repeating: "v", count: number * 23))".utf8) }

    var description: String { "#\(number) (\(bytes.count) bytes)" }

    init(number: Int) { self.number = number }

    /// The content with these bytes, if there is one.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return nil }
        let number = Self.all.firstIndex { $0.bytes.count == bytes.count && memcmp($0.bytes, base, bytes.count) == 0 }
        guard let number else { return nil }
        self.number = number
    }
}

import Base
import ChunkStore
import Glibc
import Synchronization

/// What the kernel's page cache is to a file: the bytes that its mappings show.
///
/// Real mapped memory, so that a page can be made to fail as it does over a failing disk: by SIGBUS.
final class PageCache: FileMapping, @unchecked Sendable {
    // Written under the lock of the file system it belongs to; readers look only at what is complete.
    private let memory: UnsafeMutableRawBufferPointer
    private let pool: PagePool
    /// Behind it all is zero.
    private var usedEnd = 0
    private var unreadablePages: [Int] = []

    static let pageBytes = 4096

    init(pool: PagePool) {
        self.pool = pool
        memory = pool.take()
    }

    deinit {
        if !unreadablePages.isEmpty {
            munmap(memory.baseAddress, memory.count)
        } else {
            memset(memory.baseAddress!, 0, usedEnd)
            pool.giveBack(memory)
        }
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        let end = offset + bytes.count
        precondition(end <= memory.count, "a simulated file has at most \(memory.count) bytes")
        for part in readable(offset..<end) {
            UnsafeMutableRawBufferPointer(rebasing: memory[part])
                .copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: bytes[part.lowerBound - offset..<part.upperBound - offset]))
        }
        usedEnd = max(usedEnd, end)
    }

    func write(_ bytes: [UInt8], at offset: Int) { bytes.withUnsafeBytes { write($0, at: offset) } }

    /// Zeroes everything from `offset` on.
    func clear(from offset: Int) {
        guard offset < usedEnd else { return }
        for part in readable(offset..<usedEnd) { memset(memory.baseAddress! + part.lowerBound, 0, part.count) }
        usedEnd = offset
    }

    /// Lets every touch of the page fail as it does when the disk does not give it.
    func makeUnreadable(page: Int) {
        unreadablePages.append(page)
        // Beyond the end of a mapped file there is nothing to give: the kernel says SIGBUS, as it does over bad sectors.
        guard let empty = tmpfile() else { fatalError("no temporary file can be made") }
        defer { fclose(empty) }
        let address = memory.baseAddress! + page * Self.pageBytes
        let mapped = mmap(address, Self.pageBytes, PROT_READ, MAP_SHARED | MAP_FIXED, fileno(empty), 0)
        precondition(mapped == address, "a page can be mapped over another")
    }

    /// The parts of the range that can be touched.
    private func readable(_ range: Range<Int>) -> [Range<Int>] {
        guard !unreadablePages.isEmpty else { return [range] }
        return stride(from: range.lowerBound / Self.pageBytes, to: range.upperBound / Self.pageBytes + 1, by: 1)
            .filter { !unreadablePages.contains($0) }
            .map { ($0 * Self.pageBytes..<($0 + 1) * Self.pageBytes).clamped(to: range) }
    }
}

/// Zeroed memory for page caches, used again: a simulation opens thousands of files a second.
final class PagePool: Sendable {
    private struct State {
        // Free memory: nobody else points to it.
        nonisolated(unsafe) var idle: [UnsafeMutableRawBufferPointer] = []
    }

    private static let idleMax = 64

    let fileBytesMax: Int
    private let state = Locked(State())

    init(fileBytesMax: Int) { self.fileBytesMax = fileBytesMax }

    deinit { for memory in state.withLock({ $0.idle }) { munmap(memory.baseAddress, memory.count) } }

    func take() -> UnsafeMutableRawBufferPointer {
        let idle = state.withLock { state in
            nonisolated(unsafe) let memory = state.idle.popLast()
            return memory
        }
        if let idle { return idle }
        let address = mmap(nil, fileBytesMax, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let address, address != MAP_FAILED else { fatalError("out of memory") }
        return UnsafeMutableRawBufferPointer(start: address, count: fileBytesMax)
    }

    fileprivate func giveBack(_ memory: UnsafeMutableRawBufferPointer) {
        nonisolated(unsafe) let free = memory
        let isKept = state.withLock { state in
            guard state.idle.count < Self.idleMax else { return false }
            state.idle.append(free)
            return true
        }
        if !isKept { munmap(memory.baseAddress, memory.count) }
    }
}

import Base
import Glibc
import Synchronization

/// Bounds the memory that answers take, whether they are kept, being made, or still being sent although they are kept no
/// more.
final class AnswerMemory: Sendable {
    let bytesMax: Int
    private let used = Atomic<Int>(0)

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    var usedBytes: Int { used.load(ordering: .relaxed) }

    /// - Throws: ``Failure`` (503) while too much is in use: that is in the hands of clients, who finish or are dropped.
    func take(_ size: Int) throws(Failure) -> AnswerBytes {
        let sum = used.wrappingAdd(size, ordering: .relaxed).newValue
        guard sum <= bytesMax, let bytes = AnswerBytes(size, of: self) else {
            giveBack(size)
            throw Failure(.unavailable, "too many large answers are being sent; try again in a moment")
        }
        return bytes
    }

    fileprivate func giveBack(_ size: Int) { used.wrappingSubtract(size, ordering: .relaxed) }
}

/// Memory that is filled by one who then lets it be read.
final class AnswerBytes: @unchecked Sendable {
    // Written only before it is shared, so sharing needs no lock.
    let buffer: UnsafeMutableRawBufferPointer
    private let memory: AnswerMemory

    /// Pages of its own go back to the system at once, and leave no holes where other things are allocated.
    private static let ownPagesBytesMin = 64 * ByteCount.kibibyte

    fileprivate init?(_ size: Int, of memory: AnswerMemory) {
        if size < Self.ownPagesBytesMin {
            buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        } else {
            let pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            guard let pages, pages != MAP_FAILED else { return nil }
            buffer = UnsafeMutableRawBufferPointer(start: pages, count: size)
        }
        self.memory = memory
    }

    var region: MemoryRegion { MemoryRegion(bytes: UnsafeRawBufferPointer(buffer), owner: self) }

    deinit {
        if buffer.count < Self.ownPagesBytesMin {
            buffer.deallocate()
        } else {
            munmap(buffer.baseAddress, buffer.count)
        }
        memory.giveBack(buffer.count)
    }
}

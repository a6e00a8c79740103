import Base
import ChunkStore
import Glibc
import Synchronization

/// An open file of a ``FaultyFileSystem``.
final class MemoryFile: StoreFile {
    private let inode: Inode
    private let system: FaultyFileSystem

    init(inode: Inode, system: FaultyFileSystem) {
        self.inode = inode
        self.system = system
    }

    private var path: String { system.state.withLock { _ in inode.path } }

    func size() -> Int { system.state.withLock { _ in inode.size } }

    func read(_ count: Int, at offset: Int) throws(FileSystemError) -> [UInt8] {
        try system.perform(.read(offset..<offset + count), path) { _ throws(FileSystemError) in
            guard let bytes = inode.read(count, at: offset) else {
                throw FileSystemError("pread", inode.path, errorNumber: EIO)
            }
            return bytes
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) {
        try system.perform(.write(offset..<offset + bytes.count), path) { _, writtenBytes in
            inode.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(writtenBytes)), at: offset)
        } _: { state throws(FileSystemError) in
            try state.grow(inode, to: offset + bytes.count, for: "pwrite")
            inode.write(bytes, at: offset)
        }
    }

    func synchronize() throws(FileSystemError) { try system.synchronize(inode, path) }

    func allocate(_ range: Range<Int>) throws(FileSystemError) {
        try system.perform(.allocate(range), path) { state throws(FileSystemError) in
            guard range.upperBound > inode.size else { return }
            try state.grow(inode, to: range.upperBound, for: "fallocate")
            inode.resize(to: range.upperBound)
        }
    }

    func truncate(to size: Int) throws(FileSystemError) {
        try system.perform(.truncate(to: size), path) { state throws(FileSystemError) in
            try state.grow(inode, to: size, for: "ftruncate")
            state.giveSpace(max(0, inode.size - size))
            inode.resize(to: size)
        }
    }

    func map(byteCount: Int) -> any FileMapping { system.state.withLock { _ in inode.cache } }

    func dropCache(from offset: Int, mapping: any FileMapping) {
        system.state.withLock { _ in inode.dropCache(from: offset) }
    }
}

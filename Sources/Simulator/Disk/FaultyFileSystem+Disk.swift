import Base
import Synchronization

// What a test does to the disk behind the store's back.
extension FaultyFileSystem {
    /// The disk after a power failure: what was durable, and of everything else what chance left.
    package func afterCrash(seed: UInt64) -> FaultyFileSystem {
        var random = SplitMix(seed: seed)
        return next { directory in
            var names: [String: Inode] = [:]
            for (path, inode) in directory.afterCrash(&random) { names[path] = inode.afterCrash(&random) }
            return DirectoryLog(names)
        }
    }

    /// The disk and the cache as the next process finds them when this one is killed.
    package func afterKill() -> FaultyFileSystem { next { $0.copy() } }

    /// A disk with the same files, all durable.
    package func copy() -> FaultyFileSystem { next { DirectoryLog($0.names.mapValues { $0.durableCopy() }) } }

    private func next(_ directory: (DirectoryLog) -> DirectoryLog) -> FaultyFileSystem {
        let next = state.withLock { State(directory: directory($0.directory), random: $0.random) }
        return FaultyFileSystem(next, pool)
    }

    package var paths: [String] { state.withLock { $0.directory.names.keys.sorted() } }

    /// What programs see of the file.
    package func contents(_ path: String) -> [UInt8] { state.withLock { $0.directory.names[path]?.contents ?? [] } }

    /// Replaces the file's content, durably.
    package func setContents(_ path: String, _ bytes: [UInt8]) {
        state.withLock { state in
            var names = state.directory.names
            names[path] = Inode(path, stored: bytes, pool: pool)
            state.directory = DirectoryLog(names)
        }
    }

    /// Changes bytes where they rest.
    package func corrupt(_ path: String, at offset: Int, with bytes: [UInt8]) {
        state.withLock { $0.directory.names[path]?.overwrite(at: offset, with: bytes) }
    }

    /// Flips one bit where it rests.
    package func flipBit(_ path: String, at offset: Int, bit: Int) {
        state.withLock { state in
            guard let inode = state.directory.names[path] else { return }
            inode.overwrite(at: offset, with: [inode.contents[offset] ^ (1 << UInt8(bit))])
        }
    }

    /// Lets a sector of the file show what stands in another, until the cache is dropped.
    package func misdirect(_ path: String, sector: Int, from otherPath: String, sector other: Int) {
        state.withLock { state in
            guard let inode = state.directory.names[path], let source = state.directory.names[otherPath] else { return }
            let start = sector * Inode.sectorBytes
            let count = min(Inode.sectorBytes, inode.size - start)
            let bytes = source.contents.dropFirst(other * Inode.sectorBytes).prefix(count)
            inode.misdirect(to: Array(bytes), at: start)
        }
    }

    /// Lets every read of the page fail.
    package func makeUnreadable(_ path: String, page: Int) {
        state.withLock { $0.directory.names[path]?.makeUnreadable(page: page) }
    }
}

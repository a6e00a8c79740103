import Glibc

/// The operating system's own files.
package struct LinuxFileSystem: FileSystem {
    private let access: Int32

    /// - Parameter isReadOnly: files are opened for reading only, and none is made, the lock's neither.
    package init(isReadOnly: Bool = false) { access = isReadOnly ? O_RDONLY : O_RDWR }

    package func createDirectory(_ path: String) throws(FileSystemError) {
        var isDirectory = stat()
        if stat(path, &isDirectory) == 0 { return }
        let slash = path.lastIndex(of: "/")
        if let slash, slash != path.startIndex { try createDirectory(String(path[..<slash])) }
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw .last("mkdir", path) }
        // The new name must be as durable as what comes to stand under it.
        try syncDirectory(slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".")
    }

    package func names(in directory: String) throws(FileSystemError) -> [String] {
        guard let stream = opendir(directory) else { throw .last("opendir", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw .last("readdir", directory) }
        return names
    }

    package func open(_ path: String, creating: Bool) throws(FileSystemError) -> any StoreFile {
        let descriptor = Glibc.open(path, access | O_CLOEXEC | (creating ? O_CREAT : 0), 0o644)
        guard descriptor >= 0 else { throw .last("open", path) }
        return LinuxFile(descriptor: descriptor, path: path)
    }

    package func rename(_ path: String, to newPath: String) throws(FileSystemError) {
        guard Glibc.rename(path, newPath) == 0 else { throw .last("rename", path) }
    }

    package func remove(_ path: String) throws(FileSystemError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw .last("unlink", path) }
    }

    package func syncDirectory(_ path: String) throws(FileSystemError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .last("fsync", path) }
    }

    package func lock(_ path: String) throws(FileSystemError) -> (any AnyObject & Sendable)? {
        let descriptor = Glibc.open(path, access | O_CLOEXEC | (access == O_RDWR ? O_CREAT : 0), 0o644)
        guard descriptor >= 0 else { throw .last("open", path) }
        let file = LinuxFile(descriptor: descriptor, path: path)
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return file }
        guard errno == EWOULDBLOCK else { throw .last("flock", path) }
        return nil
    }

    package func space(in directory: String) -> DiskSpace? {
        var info = statvfs()
        guard statvfs(directory, &info) == 0 else { return nil }
        let blockBytes = Int(info.f_frsize)
        return DiskSpace(freeBytes: Int(info.f_bavail) * blockBytes, totalBytes: Int(info.f_blocks) * blockBytes)
    }

    static func describe(_ errorNumber: Int32) -> String { String(cString: strerror(errorNumber)) }

    static func meansDiskFull(_ errorNumber: Int32) -> Bool { errorNumber == ENOSPC || errorNumber == EDQUOT }

    static let diskFullNumber = ENOSPC

    static func meansNotFound(_ errorNumber: Int32) -> Bool { errorNumber == ENOENT }
}

extension FileSystemError {
    /// The error that `errno` holds now.
    static func last(_ operation: String, _ path: String) -> FileSystemError {
        FileSystemError(operation, path, errorNumber: errno)
    }
}

private final class LinuxFile: StoreFile {
    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    func size() throws(FileSystemError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last("fstat", path) }
        return Int(status.st_size)
    }

    func read(_ count: Int, at offset: Int) throws(FileSystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress! + filled, count - filled, off_t(offset + filled))
            }
            if got < 0 {
                if errno == EINTR { continue }
                throw .last("pread", path)
            }
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return bytes
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) {
        var written = 0
        while written < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress! + written, bytes.count - written, off_t(offset + written))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileSystemError("pwrite", path, errorNumber: errno, writtenBytes: written)
            }
            written += count
        }
    }

    func synchronize() throws(FileSystemError) {
        // Not repeated after EINTR or anything else: what a failed fdatasync left behind is unknown.
        guard fdatasync(descriptor) == 0 else { throw .last("fdatasync", path) }
    }

    func allocate(_ range: Range<Int>) throws(FileSystemError) {
        while true {
            let result = posix_fallocate(descriptor, off_t(range.lowerBound), off_t(range.count))
            if result == 0 { return }
            if result != EINTR { throw FileSystemError("fallocate", path, errorNumber: result) }
        }
    }

    func truncate(to size: Int) throws(FileSystemError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw .last("ftruncate", path) }
    }

    func map(byteCount: Int) throws(FileSystemError) -> any FileMapping {
        guard let address = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0), address != MAP_FAILED else {
            throw .last("mmap", path)
        }
        return LinuxMapping(UnsafeRawBufferPointer(start: address, count: byteCount))
    }

    func dropCache(from offset: Int, mapping: any FileMapping) {
        // The cache drops its folios as a whole or not at all; none crosses a multiple of 2 MiB.
        let start = offset & ~(2 << 20 - 1)
        let pages = UnsafeMutableRawBufferPointer(mutating: UnsafeRawBufferPointer(rebasing: mapping.bytes[start...]))
        // The kernel keeps every page that some mapping holds on to.
        madvise(pages.baseAddress, pages.count, MADV_DONTNEED)
        posix_fadvise(descriptor, off_t(start), 0, POSIX_FADV_DONTNEED)
    }

    func dropCache(of range: Range<Int>) {
        posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
    }

    func diskReader() -> any DiskReader { LinuxDiskReader(of: self, descriptor: descriptor, path: path) }
}

private final class LinuxMapping: FileMapping, @unchecked Sendable {
    // Read-only for as long as it lives, so sharing needs no lock.
    let bytes: UnsafeRawBufferPointer

    private static let pageBytes = sysconf(Int32(_SC_PAGESIZE))
    /// No disk of today takes less in one request; the kernel cuts a longer advice off at what its disk takes.
    private static let adviceBytes = 512 * 1024

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func fetch(_ range: Range<Int>) {
        guard let base = bytes.baseAddress, !range.isEmpty, range.upperBound <= bytes.count else { return }
        let start = range.lowerBound / Self.pageBytes * Self.pageBytes
        let address = UnsafeMutableRawPointer(mutating: base + start)
        let length = range.upperBound - start
        // Asking costs a thousandth of what sending the bytes does, advising ten times that.
        guard !Self.isResident(address, length) else { return }
        for offset in stride(from: 0, to: length, by: Self.adviceBytes) {
            madvise(address + offset, min(Self.adviceBytes, length - offset), MADV_WILLNEED)
        }
    }

    private static func isResident(_ address: UnsafeMutableRawPointer, _ length: Int) -> Bool {
        let pageCount = (length + pageBytes - 1) / pageBytes
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: pageCount) { pages in
            guard let states = pages.baseAddress, mincore(address, length, states) == 0 else { return true }
            return memchr(states, 0, pageCount) == nil
        }
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count) }
}

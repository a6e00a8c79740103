/// What the store asks of a file system. The real one is ``LinuxFileSystem``; tests put one in its place that tears
/// writes, fails synchronizations and fills up.
///
/// Every call may block, and none is made while the store's state is locked.
package protocol FileSystem: Sendable {
    /// Creates the directory and those above it; that it is there already is no error.
    func createDirectory(_ path: String) throws(FileSystemError)
    /// Names of the entries, in no particular order.
    func names(in directory: String) throws(FileSystemError) -> [String]
    /// Opens for reading and writing. `creating` makes an empty file where there is none.
    func open(_ path: String, creating: Bool) throws(FileSystemError) -> any StoreFile
    func rename(_ path: String, to newPath: String) throws(FileSystemError)
    func remove(_ path: String) throws(FileSystemError)
    /// Makes creations, renames and removals in the directory durable.
    func syncDirectory(_ path: String) throws(FileSystemError)
    /// Takes the lock that the file stands for, held until the result is let go; nil when somebody else has it.
    func lock(_ path: String) throws(FileSystemError) -> (any AnyObject & Sendable)?
    /// Room on the disk that holds the directory; nil when it does not say.
    func space(in directory: String) -> DiskSpace?
}

extension FileSystem {
    package func space(in directory: String) -> DiskSpace? { nil }
}

/// How much a disk holds, and how much of it is free for us.
package struct DiskSpace: Sendable {
    package let freeBytes: Int
    package let totalBytes: Int

    package init(freeBytes: Int, totalBytes: Int) {
        self.freeBytes = freeBytes
        self.totalBytes = totalBytes
    }
}

/// An open file. Any number of threads may call at once. Closed when it is let go.
package protocol StoreFile: AnyObject, Sendable {
    func size() throws(FileSystemError) -> Int
    /// Up to `count` bytes; fewer at the end of the file.
    func read(_ count: Int, at offset: Int) throws(FileSystemError) -> [UInt8]
    /// Writes all the bytes, or says in the error how many.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError)
    /// Returns when everything written so far would survive a power failure (fdatasync(2)).
    func synchronize() throws(FileSystemError)
    /// Reserves disk space; the file grows to the range's end and reads as zeros there (fallocate(2)).
    func allocate(_ range: Range<Int>) throws(FileSystemError)
    func truncate(to size: Int) throws(FileSystemError)
    /// Maps the file's first `byteCount` bytes for reading. The range may lie beyond the file's end; such bytes must
    /// not be touched before the file has grown over them.
    func map(byteCount: Int) throws(FileSystemError) -> any FileMapping
    /// Forgets cached pages from `offset` on that are clean, also where `mapping`, which must be the file's only one,
    /// has touched them: the next look at them comes from the disk itself.
    func dropCache(from offset: Int, mapping: any FileMapping)
    /// Forgets the whole pages of the range that are clean and that no mapping has touched.
    func dropCache(of range: Range<Int>)
    /// A second way to the file's bytes, for whoever wants to know what the disk itself has.
    func diskReader() -> any DiskReader
}

extension StoreFile {
    // A file that is memory itself has no other.
    package func dropCache(of range: Range<Int>) {}
}

/// A file mapped for reading, unmapped when it is let go.
package protocol FileMapping: AnyObject, Sendable {
    var bytes: UnsafeRawBufferPointer { get }
    /// All of the range is about to be read: what is not in memory begins to come from the disk at once, instead of
    /// piece by piece as it is touched. Does not wait.
    func fetch(_ range: Range<Int>)
}

extension FileMapping {
    /// For mappings that no disk is behind.
    package func fetch(_ range: Range<Int>) {}
}

/// A failed call to the file system.
package struct FileSystemError: Error, Sendable, CustomStringConvertible {
    /// Such as `fdatasync`.
    package let operation: String
    package let path: String
    package let errorNumber: Int32
    /// How much of a write had come to the file when it failed.
    package let writtenBytes: Int

    package init(_ operation: String, _ path: String, errorNumber: Int32, writtenBytes: Int = 0) {
        self.operation = operation
        self.path = path
        self.errorNumber = errorNumber
        self.writtenBytes = writtenBytes
    }

    package var description: String { "\(operation) of \(path): \(reason)" }

    /// What the system calls the error, without the path: fit for an answer to a client.
    package var reason: String { LinuxFileSystem.describe(errorNumber) }

    package var isDiskFull: Bool { LinuxFileSystem.meansDiskFull(errorNumber) }

    /// Whether it leaves open what came to the disk.
    var isSynchronization: Bool { operation == "fdatasync" || operation == "fsync" }

    static func diskFull(_ operation: String, _ path: String) -> FileSystemError {
        FileSystemError(operation, path, errorNumber: LinuxFileSystem.diskFullNumber)
    }

    package var isNotFound: Bool { LinuxFileSystem.meansNotFound(errorNumber) }
}

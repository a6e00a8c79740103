/// Reads what the disk has, past what memory keeps of the file, and leaves in memory only what was there before.
package protocol DiskReader: AnyObject, Sendable {
    /// Fills the buffer from `offset` on; fewer bytes at the end of the file. The buffer's address and size and the
    /// offset are multiples of ``diskReaderAlignment``.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileSystemError) -> Int
}

/// A page, and a multiple of every disk's sector.
package let diskReaderAlignment = 4096

extension StoreFile {
    /// For files that have only one way to their bytes.
    package func diskReader() -> any DiskReader { PlainReader(file: self) }
}

private final class PlainReader: DiskReader {
    private let file: any StoreFile

    init(file: any StoreFile) { self.file = file }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileSystemError) -> Int {
        let bytes = try file.read(buffer.count, at: offset)
        buffer.copyBytes(from: bytes)
        return bytes.count
    }
}

import CPlatform
import Glibc

/// Reads past the page cache by `O_DIRECT`: neither does a page that memory holds stand in for what the disk has, nor
/// does what is read push hot pages out. Where a file system does not know that, it reads through the cache and drops
/// the pages that were not there before (posix_fadvise(2)).
final class LinuxDiskReader: DiskReader, @unchecked Sendable {
    // One owner calls, one call at a time.
    private let file: any StoreFile
    private let cached: Int32
    private var direct: Int32
    private let path: String

    /// - Parameter descriptor: the file's own, open for as long as `file` is kept.
    init(of file: any StoreFile, descriptor: Int32, path: String) {
        self.file = file
        cached = descriptor
        self.path = path
        // By the descriptor, since the name may be another file's by now.
        direct = vstack_open_direct("/proc/self/fd/\(descriptor)")
    }

    deinit { if direct >= 0 { close(direct) } }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileSystemError) -> Int {
        if direct >= 0 {
            let count = fill(buffer, from: direct, at: offset)
            if count >= 0 { return count }
            guard errno == EINVAL else { throw .last("pread", path) }
            // The open was let through, the read is not.
            close(direct)
            direct = -1
        }
        return try readThroughCache(into: buffer, at: offset)
    }

    private func readThroughCache(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileSystemError)
        -> Int
    {
        let residence = Residence(of: cached, at: offset, byteCount: buffer.count)
        let count = fill(buffer, from: cached, at: offset)
        let error = count < 0 ? FileSystemError.last("pread", path) : nil
        for range in residence.absentRanges {
            posix_fadvise(cached, off_t(offset + range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
        }
        if let error { throw error }
        return count
    }

    /// - Returns: -1 with `errno` set when the first byte cannot be had.
    private func fill(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: Int) -> Int {
        var filled = 0
        while filled < buffer.count {
            let got = pread(descriptor, buffer.baseAddress! + filled, buffer.count - filled, off_t(offset + filled))
            if got < 0, errno == EINTR { continue }
            if got < 0 { return -1 }
            filled += got
            // A short read ends at the file's end; what follows it would not be aligned either.
            if got == 0 || filled % diskReaderAlignment != 0 { break }
        }
        return filled
    }
}

/// Which pages of a stretch of a file are in memory.
private struct Residence {
    /// Runs of pages that are not, relative to the stretch.
    let absentRanges: [Range<Int>]

    init(of descriptor: Int32, at offset: Int, byteCount: Int) {
        let page = diskReaderAlignment
        var flags = [UInt8](repeating: 1, count: (byteCount + page - 1) / page)
        if let address = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, off_t(offset)), address != MAP_FAILED {
            // Where it fails all count as present: nothing is dropped that somebody may want.
            if mincore(address, byteCount, &flags) != 0 { flags = flags.map { _ in 1 } }
            munmap(address, byteCount)
        }
        absentRanges = flags.indices.split { flags[$0] & 1 == 1 }.map { run in
            run.startIndex * page..<min(run.endIndex * page, byteCount)
        }
    }
}

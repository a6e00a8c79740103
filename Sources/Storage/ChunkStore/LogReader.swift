import Base
import Glibc

/// Reads a superblock's records as the disk has them and has a ``LogVerifier`` judge them. Where the disk refuses a
/// piece, it goes on page by page, so that one bad sector costs one record.
final class LogReader {
    /// Read at once, at most: of payloads as much as makes a read of a spinning disk worth its seek, of heads, which
    /// may lie far apart, less.
    static let pieceBytes = ByteCount.mebibyte
    private static let headPieceBytes = 64 * ByteCount.kibibyte

    private var verifier: LogVerifier
    private let reader: any DiskReader
    private let buffer: UnsafeMutableRawBufferPointer

    /// - Parameter range: where to begin, at a record, and where the log ends.
    init(_ superblock: Superblock, _ range: Range<Int>, depth: LogVerifier.Depth = .payloads) {
        verifier = LogVerifier(superblock, range, depth: depth)
        reader = superblock.file.diskReader()
        let byteCount = depth == .heads ? Self.headPieceBytes : Self.pieceBytes
        var pointer: UnsafeMutableRawPointer?
        guard posix_memalign(&pointer, diskReaderAlignment, byteCount) == 0, let pointer else {
            fatalError("out of memory")
        }
        buffer = UnsafeMutableRawBufferPointer(start: pointer, count: byteCount)
    }

    deinit { free(buffer.baseAddress) }

    var isAtEnd: Bool { verifier.isAtEnd }
    var offset: Int { verifier.offset }
    var resumeOffset: Int { verifier.resumeOffset }
    var announcedEnd: Int { verifier.announcedEnd }

    /// Reads the next piece and reports what it settles; after the last one, what is left over.
    /// - Parameter byteCount: no more than so many, rounded up to a page.
    func readPiece(_ byteCount: Int = .max, _ report: LogVerifier.Report) {
        let page = diskReaderAlignment
        let count = byteCount >= buffer.count ? buffer.count : max(byteCount + page - 1, page) / page * page
        read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), report)
        if verifier.isAtEnd { verifier.finish(report) }
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer, _ report: LogVerifier.Report) {
        let start = verifier.offset / diskReaderAlignment * diskReaderAlignment
        do {
            let count = try reader.read(into: buffer, at: start)
            let known = verifier.offset - start
            // The file ends before its log does.
            guard count > known else { return verifier.skipUnreadable(Int.max / 2, report) }
            verifier.take(UnsafeRawBufferPointer(rebasing: buffer[known..<count]), report)
        } catch  where buffer.count > diskReaderAlignment {
            let page = UnsafeMutableRawBufferPointer(rebasing: buffer[..<diskReaderAlignment])
            while verifier.offset < start + buffer.count, !verifier.isAtEnd { read(into: page, report) }
        } catch {
            verifier.skipUnreadable(start + diskReaderAlignment - verifier.offset, report)
        }
    }
}

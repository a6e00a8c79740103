import Glibc

/// A look at the outermost boxes of a file that may be MP4 or QuickTime: whether it is one, and whether the last box
/// says that it is longer than the file.
struct TopLevelBoxes: Sendable {
    /// More than any honest file has; a fragmented recording of many hours stays below.
    private static let countMax = 100_000
    private static let known: Set<String> = ["ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp", "moof"]

    private(set) var fileSize = 0
    private(set) var isMP4 = false
    private(set) var isCutOff = false

    init(path: String) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { return }
        fileSize = Int(status.st_size)
        walk(file)
    }

    private mutating func walk(_ file: Int32) {
        var offset = 0
        for index in 0..<Self.countMax where offset < fileSize {
            guard let header = Self.header(file, at: offset, fileSize: fileSize) else {
                // Less than a header is left: a tail of a few bytes does no harm to anybody.
                return
            }
            if index == 0 {
                guard Self.known.contains(header.type) else { return }
                isMP4 = true
            }
            guard header.size > 0 else { return }
            if header.size > fileSize - offset {
                // After the media, players ignore what is no box.
                isCutOff = Self.known.contains(header.type)
                return
            }
            offset += header.size
        }
    }

    /// The box at the offset; size 0 where it reaches to the end of the file.
    private static func header(_ file: Int32, at offset: Int, fileSize: Int) -> (type: String, size: Int)? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(file, &bytes, 16, off_t(offset))
        guard count >= 8 else { return nil }
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        let type = String(decoding: bytes[4..<8], as: UTF8.self)
        switch number(0..<4) {
        case 0: return (type, 0)
        case 1 where count == 16: return (type, Int(clamping: max(16, number(8..<16))))
        case let size: return (type, Int(max(8, size)))
        }
    }
}

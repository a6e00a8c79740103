import Media

enum FuzzedMedia {
    /// The parser gives fragments or throws, in pieces of any length, and gives the same in one piece.
    static func parse(_ bytes: [UInt8]) {
        let pieces = fragments(bytes, pieceBytes: 1 + Int(bytes.first ?? 0))
        precondition(
            pieces == fragments(bytes, pieceBytes: max(bytes.count, 1)), "the pieces' length makes a difference")
    }

    /// How many events there were before the end or the error.
    private static func fragments(_ bytes: [UInt8], pieceBytes: Int) -> Int {
        var limits = FragmentParser.Limits()
        limits.initializationBytesMax = 1 << 16
        limits.fragmentBytesMax = 1 << 18
        var parser = FragmentParser(limits: limits)
        var count = 0
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            guard let events = try? parser.feed(Array(bytes[start..<min(start + pieceBytes, bytes.count)])) else {
                // In one piece, what came before the error goes with it.
                return -1
            }
            count += events.count
        }
        return (try? parser.finish()) == nil ? -1 : count
    }
}

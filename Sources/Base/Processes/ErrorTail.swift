/// The last bytes of a stream that may be long.
struct ErrorTail {
    let countMax: Int
    private var bytes: [UInt8] = []

    init(countMax: Int) { self.countMax = countMax }

    mutating func append(_ piece: [UInt8]) {
        bytes += piece.suffix(countMax)
        // Cut at twice the limit, so that each byte is moved once on the average.
        if bytes.count > countMax * 2 { bytes.removeFirst(bytes.count - countMax) }
    }

    var text: String { String(decoding: bytes.suffix(countMax), as: UTF8.self) }
}

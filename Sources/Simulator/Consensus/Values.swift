import ChunkPaxos

/// The values of a simulation: two bytes each, which stand for a chunk value, and whom it names as holders.
struct Values {
    private var holders: [Membership] = []
    private var encoded: [[UInt8]] = []

    var count: Int { holders.count }

    /// - Returns: the number of the new value.
    mutating func add(_ membership: Membership) -> Int {
        holders.append(membership)
        encoded.append([UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)])
        return count - 1
    }

    func bytes(_ number: Int) -> [UInt8] { encoded[number] }

    func holders(_ number: Int) -> Membership { holders[number] }

    func holders(of bytes: [UInt8]) -> Membership { holders[number(bytes)] }

    /// A, B, …, Z, AA, …
    static func name(_ bytes: [UInt8]) -> String {
        let number = self.number(bytes)
        let letter = String(UnicodeScalar(UInt8(65 + number % 26)))
        return number < 26 ? letter : String(UnicodeScalar(UInt8(64 + min(number / 26, 26)))) + letter
    }

    private static func number(_ bytes: [UInt8]) -> Int { (Int(bytes[0]) << 8 | Int(bytes[1])) - 1 }
    private func number(_ bytes: [UInt8]) -> Int { Self.number(bytes) }
}

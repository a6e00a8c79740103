import Base
import Testing

@testable import ChunkPaxos

/// Members `a`, `b`, `c`, … whose identities are 1, 2, 3, …
func members(_ numbers: [Int]) throws -> [Membership.Member] {
    try numbers.map { number in
        let name = String(try #require(UnicodeScalar(96 + number)))
        return Membership.Member(try #require(NodeID(name)), AcceptorID(high: 0, low: UInt64(number)))
    }
}

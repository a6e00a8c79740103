import Base
import ChunkPaxos
import Digests

/// Says that an acceptor has durably accepted a value, so that a learner can be told by whoever asked the acceptor,
/// instead of asking again.
///
/// A keyed digest over all that makes up the statement. The key is the node's: drawn at random whenever it starts, and
/// known besides it only to the metadata services it registers with. An acceptance stays true for ever, so that a proof
/// that is kept, repeated or late does no harm; of one that was made with an earlier key nothing is believed, and the
/// acceptors are asked.
package struct AcceptanceProof: Sendable {
    private let authentication: MessageAuthentication

    package init(key: [UInt8]) { authentication = MessageAuthentication(key: key) }

    /// - Parameter value: the accepted value's canonical bytes. It names the acceptors of version 0.
    package func make(_ chunk: ChunkID, _ ballot: Ballot, value: [UInt8], by acceptor: AcceptorID) -> SHA256Digest {
        authentication.code(for: Self.statement(chunk, ballot, value, acceptor))
    }

    package func proves(
        _ proof: SHA256Digest, _ chunk: ChunkID, _ ballot: Ballot, value: [UInt8], by acceptor: AcceptorID
    ) -> Bool {
        authentication.isValid(proof, for: Self.statement(chunk, ballot, value, acceptor))
    }

    /// No part but the last can hold a line feed.
    private static func statement(
        _ chunk: ChunkID, _ ballot: Ballot, _ value: [UInt8], _ acceptor: AcceptorID
    ) -> [UInt8] {
        var statement: [UInt8] = []
        statement.reserveCapacity(value.count + 192)
        for part in ["vstack-acceptance-1", chunk.description, ballot.description, acceptor.description] {
            statement.append(contentsOf: part.utf8)
            statement.append(UInt8(ascii: "\n"))
        }
        statement.append(contentsOf: value)
        return statement
    }
}

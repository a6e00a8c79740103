import Base
import ChunkPaxos

/// An acceptance as the uploader passes it on.
package struct AcceptanceMessage: Codable, Sendable, Hashable {
    package let nodeId: NodeID
    package let acceptorId: AcceptorID
    package let proof: SHA256Digest

    package init(nodeId: NodeID, acceptorId: AcceptorID, proof: SHA256Digest) {
        self.nodeId = nodeId
        self.acceptorId = acceptorId
        self.proof = proof
    }
}

extension AcceptanceMessage: JSONReadable {
    package static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> AcceptanceMessage {
        var (nodeId, acceptorId, proof) = (NodeID?.none, AcceptorID?.none, SHA256Digest?.none)
        try json.object { (json, key) throws(JSONReader.NotPlain) in
            switch key {
            case "acceptor_id": try json.take(&acceptorId)
            case "node_id": try json.take(&nodeId)
            case "proof": try json.take(&proof)
            default: throw JSONReader.NotPlain()
            }
        }
        guard let nodeId, let acceptorId, let proof else { throw JSONReader.NotPlain() }
        return AcceptanceMessage(nodeId: nodeId, acceptorId: acceptorId, proof: proof)
    }
}

/// The key of a node's acceptance proofs: 64 hex digits. A secret between the node and the metadata services.
package struct ProofKey: Sendable, Hashable {
    package static let byteCount = 32

    package let bytes: [UInt8]

    /// nil unless there are 32 bytes.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }
}

extension ProofKey: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // A digest has the same form; only its bytes are of interest.
        guard let bytes = SHA256Digest(try container.decode(String.self))?.withUnsafeBytes({ Array($0) }),
            let key = ProofKey(bytes)
        else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "it must be 64 hex digits")
        }
        self = key
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes.withUnsafeBytes(Hex.string))
    }
}

extension ProofKey: CustomStringConvertible {
    /// Nothing that a log could give away.
    package var description: String { "(key)" }
}

import Base
import ChunkPaxos

/// What a chunk's acceptor keeps in the log: the instance it votes in, and its vote.
struct AcceptorState: Hashable, Sendable {
    /// nil in records of before configurations were kept, and where there is no state at all.
    var configuration: Configuration?
    var vote = Acceptor()

    static let none = AcceptorState()

    /// A record's metadata: the accepted value, and the configuration behind it.
    var metadata: [UInt8] { (vote.accepted?.value ?? []) + (configuration.map(ConfigurationBytes.encode) ?? []) }

    /// How long the metadata is, and how much of it is the configuration.
    var metadataCount: Int { (vote.accepted?.value.count ?? 0) + configurationCount }
    var configurationCount: Int { configuration.map(ConfigurationBytes.byteCount) ?? 0 }

    init(configuration: Configuration? = nil, vote: Acceptor = Acceptor()) {
        self.configuration = configuration
        self.vote = vote
    }

    init(_ acceptor: ChunkAcceptor) {
        configuration = acceptor.configuration
        vote = acceptor.vote
    }

    func acceptor(of own: Membership.Member) -> ChunkAcceptor {
        ChunkAcceptor(own: own, configuration: configuration, vote: vote)
    }
}

extension RecordHeader {
    /// What the record says of its chunk's acceptor. `metadata` is the record's own.
    func acceptorState(metadata: [UInt8]) -> AcceptorState {
        let split = max(metadata.count - configurationLength, 0)
        let accepted = acceptedBallot.map { Acceptor.Accepted(ballot: $0, value: Array(metadata[..<split])) }
        return AcceptorState(
            configuration: configurationLength > 0 ? ConfigurationBytes.decode(metadata[split...]) : nil,
            vote: Acceptor(promised: promised, accepted: accepted))
    }
}

/// A configuration as bytes of a record (docs/formats/superblock.md).
enum ConfigurationBytes {
    static func encode(_ configuration: Configuration) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount(configuration))
        bytes.append(littleEndian: configuration.version)
        bytes.append(UInt8(configuration.membership.members.count))
        for member in configuration.membership.members {
            bytes.append(UInt8(member.node.description.utf8.count))
            bytes.append(contentsOf: member.node.description.utf8)
            bytes.append(UInt8(member.acceptor == nil ? 0 : AcceptorID.byteCount))
            member.acceptor?.withUnsafeBytes { bytes.append(contentsOf: $0) }
        }
        bytes.append(contentsOf: configuration.base ?? [])
        return bytes
    }

    /// How long they are.
    static func byteCount(_ configuration: Configuration) -> Int {
        configuration.membership.members.reduce(5 + (configuration.base?.count ?? 0)) { count, member in
            count + 2 + member.node.description.utf8.count + (member.acceptor == nil ? 0 : AcceptorID.byteCount)
        }
    }

    /// nil when the bytes are no configuration.
    static func decode(_ bytes: ArraySlice<UInt8>) -> Configuration? {
        var rest = bytes
        guard let version = rest.takeWord(), let count = rest.popFirst() else { return nil }
        var members: [Membership.Member] = []
        for _ in 0..<count {
            guard let node = rest.takeCounted(), let id = NodeID(String(decoding: node, as: UTF8.self)),
                let identity = rest.takeCounted()
            else { return nil }
            let acceptor = identity.withUnsafeBytes { AcceptorID(bytes: $0) }
            guard acceptor != nil || identity.isEmpty else { return nil }
            members.append(Membership.Member(id, acceptor))
        }
        guard let membership = try? Membership(members) else { return nil }
        return Configuration(version: version, membership: membership, base: version == 0 ? nil : Array(rest))
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian value: UInt32) {
        for shift in 0..<4 { append(UInt8(truncatingIfNeeded: value >> UInt32(8 * shift))) }
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func takeWord() -> UInt32? {
        guard count >= 4 else { return nil }
        defer { removeFirst(4) }
        return prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// A length in one byte, and so many bytes.
    fileprivate mutating func takeCounted() -> ArraySlice<UInt8>? {
        guard let length = popFirst(), count >= Int(length) else { return nil }
        defer { removeFirst(Int(length)) }
        return prefix(Int(length))
    }
}

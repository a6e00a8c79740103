import Base
import Digests
import Synchronization

/// What the machines of a fleet have in common: a secret that never travels. A request carries
/// `X-Auth: <salt>:<hex>` with `hex` = HMAC-SHA256 of body and salt.
package struct SharedToken: Sendable {
    package static let header = "X-Auth"
    private static let saltBytes = 16

    private let authentication: MessageAuthentication

    /// - Throws: ``Failure`` when it is too short to be a secret.
    package init(_ token: String) throws(Failure) {
        guard token.utf8.count >= 8 else {
            throw Failure(.invalidArgument, "SHARED_TOKEN must have 8 characters or more, the same on every machine")
        }
        authentication = MessageAuthentication(key: Array(token.utf8))
    }

    /// The header's value for a request with this body; no two are the same.
    package func sign(_ body: [UInt8]) -> String {
        let salt = SecureRandom.bytes(Self.saltBytes).withUnsafeBytes(Hex.string)
        return "\(salt):\(code(body, salt).hex)"
    }

    /// - Returns: the salt of a header that is right for the body; nil when it is not.
    func salt(of header: String, for body: [UInt8]) -> String? {
        let parts = header.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, (1...128).contains(parts[0].utf8.count), let code = SHA256Digest(String(parts[1]))
        else {
            return nil
        }
        let salt = String(parts[0])
        return authentication.isValid(code, for: body + Array(salt.utf8)) ? salt : nil
    }

    private func code(_ body: [UInt8], _ salt: String) -> SHA256Digest {
        authentication.code(for: body + Array(salt.utf8))
    }
}

/// Lets in requests that carry the shared token's code, each once.
///
/// Of those that came, the newest ``seenMax`` are remembered. What is older can be sent again, and finds a lease that has
/// ended long ago.
package final class SharedTokenGate: Sendable {
    static let seenMax = 100_000

    fileprivate struct Seen {
        var salts: Set<String> = []
        var order: [String] = []
        var oldest = 0
    }

    private let token: SharedToken
    private let seen = Locked(Seen())

    package init(_ token: SharedToken) { self.token = token }

    /// - Throws: ``Failure`` (401) when the header is missing, wrong, or came before.
    package func check(_ header: String?, body: [UInt8]) throws(Failure) {
        guard let header else {
            throw Failure(.unauthenticated, "the header \(SharedToken.header) is missing")
        }
        guard let salt = token.salt(of: header, for: body) else {
            throw Failure(
                .unauthenticated, "the header \(SharedToken.header) is not right: SHARED_TOKEN must be the same here")
        }
        guard seen.withLock({ $0.insert(salt) }) else {
            throw Failure(.unauthenticated, "the header \(SharedToken.header) came before; each request has its own")
        }
    }
}

extension SharedTokenGate.Seen {
    fileprivate mutating func insert(_ salt: String) -> Bool {
        guard salts.insert(salt).inserted else { return false }
        order.append(salt)
        while salts.count > SharedTokenGate.seenMax {
            salts.remove(order[oldest])
            oldest += 1
        }
        if oldest > SharedTokenGate.seenMax {
            order.removeFirst(oldest)
            oldest = 0
        }
        return true
    }
}

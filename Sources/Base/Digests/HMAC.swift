import Base

/// HMAC-SHA256 (RFC 2104): a digest that only who has the key can make.
package struct MessageAuthentication: Sendable {
    private static let blockBytes = 64
    private let inner: [UInt8]
    private let outer: [UInt8]

    /// - Parameter key: of any length; 32 random bytes are best.
    package init(key: [UInt8]) {
        let short = key.count > Self.blockBytes ? SHA256.digest(of: key).withUnsafeBytes { Array($0) } : key
        let block = short + [UInt8](repeating: 0, count: Self.blockBytes - short.count)
        inner = block.map { $0 ^ 0x36 }
        outer = block.map { $0 ^ 0x5c }
    }

    package func code(for message: [UInt8]) -> SHA256Digest {
        var hash = SHA256()
        hash.update(inner)
        hash.update(message)
        let digest = hash.finish()
        hash.update(outer)
        digest.withUnsafeBytes { hash.update($0) }
        return hash.finish()
    }

    /// Whether `code` is the message's, in a time that tells nothing of how much of it is right.
    package func isValid(_ code: SHA256Digest, for message: [UInt8]) -> Bool {
        self.code(for: message).withUnsafeBytes { expected in
            code.withUnsafeBytes { given in
                zip(expected, given).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
            }
        }
    }
}

import Base
import COpenSSL

/// HMAC-SHA256 (RFC 2104): a digest that only who has the key can make.
package struct MessageAuthentication: Sendable {
    private static let blockBytes = 64
    /// The hashes with the key's two forms taken in, which every code begins with.
    private let inner: SHA256_CTX
    private let outer: SHA256_CTX

    /// - Parameter key: of any length; 32 random bytes are best.
    package init(key: [UInt8]) {
        let short = key.count > Self.blockBytes ? SHA256.digest(of: key).withUnsafeBytes { Array($0) } : key
        let block = short + [UInt8](repeating: 0, count: Self.blockBytes - short.count)
        inner = Self.begin(block.map { $0 ^ 0x36 })
        outer = Self.begin(block.map { $0 ^ 0x5c })
    }

    package func code(for message: [UInt8]) -> SHA256Digest {
        let digest = message.withUnsafeBytes { Self.end(inner, $0) }
        return digest.withUnsafeBytes { Self.end(outer, $0) }
    }

    /// Whether `code` is the message's, in a time that tells nothing of how much of it is right.
    package func isValid(_ code: SHA256Digest, for message: [UInt8]) -> Bool {
        self.code(for: message).withUnsafeBytes { expected in
            code.withUnsafeBytes { given in
                zip(expected, given).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
            }
        }
    }

    private static func begin(_ block: [UInt8]) -> SHA256_CTX {
        var context = SHA256_CTX()
        SHA256_Init(&context)
        SHA256_Update(&context, block, block.count)
        return context
    }

    private static func end(_ begun: SHA256_CTX, _ bytes: UnsafeRawBufferPointer) -> SHA256Digest {
        var context = begun
        SHA256_Update(&context, bytes.baseAddress, bytes.count)
        return SHA256.finish(&context)
    }
}

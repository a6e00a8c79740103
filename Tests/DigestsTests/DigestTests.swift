import Base
import Foundation
import Testing

@testable import Digests

@Suite("Digests")
struct DigestTests {
    @Test(
        "SHA-256 of the standard's examples (FIPS 180-4)",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func examples(text: String, hex: String) {
        let bytes = Array(text.utf8)
        #expect(SHA256.digest(of: bytes).hex == hex)
        #expect(bytes.withUnsafeBytes { SHA256.digest(short: $0) }.hex == hex)
    }

    @Test("pieces hash to the same as the whole, and a finished hash starts anew")
    func pieces() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        var hash = SHA256()
        for _ in 0..<2 {
            for start in stride(from: 0, to: bytes.count, by: 33) {
                hash.update(Array(bytes[start..<min(bytes.count, start + 33)]))
            }
            #expect(hash.finish() == SHA256.digest(of: bytes))
        }
        for length in 0...200 {
            let part = Array(bytes[..<length])
            #expect(part.withUnsafeBytes { SHA256.digest(short: $0) } == SHA256.digest(of: part))
        }
    }

    @Test("CRC-32C of the examples in RFC 3720, B.4")
    func crc() {
        #expect([UInt8](repeating: 0, count: 32).withUnsafeBytes { CRC32C.checksum($0) } == 0x8a91_36aa)
        #expect([UInt8](repeating: 0xff, count: 32).withUnsafeBytes { CRC32C.checksum($0) } == 0x62a8_ab43)
        #expect((0..<32).map { UInt8($0) }.withUnsafeBytes { CRC32C.checksum($0) } == 0x46dd_794e)
        #expect(Array("123456789".utf8).withUnsafeBytes { CRC32C.checksum($0) } == 0xe306_9283)
        #expect(CRC32C.checksum(UnsafeRawBufferPointer(start: nil, count: 0)) == 0)
    }

    @Test("a mapping that the disk does not back gives no checksum and no bytes, and the process lives")
    func brokenMapping() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
        defer { close(descriptor) }
        ftruncate(descriptor, 8192)
        let address = try #require(mmap(nil, 8192, PROT_READ, MAP_SHARED, descriptor, 0))
        defer { munmap(address, 8192) }
        let mapping = UnsafeRawBufferPointer(start: address, count: 8192)
        #expect(CRC32C.checksum(mapped: mapping) != nil)
        ftruncate(descriptor, 4096)
        var copy = [UInt8](repeating: 1, count: 8192)
        for _ in 0..<3 {
            #expect(CRC32C.checksum(mapped: mapping) == nil)
            #expect(copy.withUnsafeMutableBytes { MappedMemory.copy(mapping, to: $0.baseAddress!) } == false)
        }
        let first = UnsafeRawBufferPointer(rebasing: mapping[..<4096])
        #expect(CRC32C.checksum(mapped: first) == CRC32C.checksum(first))
        #expect(copy.withUnsafeMutableBytes { MappedMemory.copy(first, to: $0.baseAddress!) })
        #expect(copy[0] == 0)
    }

    @Test("random bytes are as many as asked for, and different every time")
    func random() {
        #expect(SecureRandom.bytes(32).count == 32)
        #expect(SecureRandom.bytes(32) != SecureRandom.bytes(32))
        #expect(SecureRandom.word() != SecureRandom.word())
    }
}

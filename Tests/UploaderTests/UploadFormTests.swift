import Base
import Digests
import HTTPTypes
import Synchronization
import Testing

@testable import TemporaryStorage
@testable import Uploader

@Suite struct UploadFormTests {
    private func receive(
        _ events: [FormStream.Event], folder: Folder, space: TemporarySpace? = nil, then error: (any Error)? = nil,
        reserved: Int = 0, bytesMax: Int = 1 << 30
    ) async throws -> ReceivedUpload {
        let space = space ?? TemporarySpace(folder: folder.path) { _ in 1 << 40 }
        var fields = UploadForm(
            folder: folder.path, name: "session", reservation: try space.reserve(reserved), bytesMax: bytesMax,
            began: { _ in }, received: { _ in })
        return try await fields.receive(form(events, then: error))
    }

    @Test("the file is on disk bit for bit, hashed, and the title trimmed, in either order", arguments: [true, false])
    func fields(titleFirst: Bool) async throws {
        let folder = try Folder()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let title = part("title", Array("  A <script> title \n".utf8))
        let video = part("video", filename: "C:\\films\\my film.MP4", bytes)
        let other = part("comment", Array("ignored".utf8))
        let upload = try await receive(titleFirst ? title + other + video : video + other + title, folder: folder)
        #expect(upload.title == "A <script> title")
        #expect(upload.filename == "my film.MP4")
        #expect(upload.contentType == "video/mp4")
        #expect(upload.checksum == SHA256.digest(of: bytes))
        #expect(upload.file.sizeBytes == bytes.count)
        #expect(try await upload.file.read(at: 0, count: bytes.count + 10) == bytes)
        #expect(try await upload.file.read(at: 2_999_990, count: 10) == Array(bytes.suffix(10)))
    }

    @Test("a file that is let go leaves nothing on disk and no promise of room")
    func cleanup() async throws {
        let folder = try Folder()
        let space = TemporarySpace(folder: folder.path) { _ in 1 << 40 }
        do {
            let upload = try await receive(
                part("title", [65]) + part("video", filename: "a.mkv", [1, 2, 3]), folder: folder, space: space,
                reserved: 1000)
            #expect(folder.names(ending: ".upload").count == 1)
            #expect(space.outstandingBytes == 997)
            withExtendedLifetime(upload) {}
        }
        #expect(folder.names(ending: ".upload").isEmpty)
        #expect(space.outstandingBytes == 0)
    }

    @Test("a client that leaves halfway leaves nothing behind")
    func clientGone() async throws {
        struct Gone: Error {}
        let folder = try Folder()
        let space = TemporarySpace(folder: folder.path) { _ in 1 << 40 }
        await #expect(throws: Gone.self) {
            _ = try await receive(
                part("video", filename: "a.mp4", [UInt8](repeating: 1, count: 2_500_000)), folder: folder,
                space: space, then: Gone(), reserved: 5_000_000)
        }
        // A write may still be under way when the error is out.
        try await until("the file and the promise are gone") {
            folder.names(ending: ".upload").isEmpty && space.outstandingBytes == 0
        }
    }

    @Test(
        "what is wrong with a form is said by the field's name",
        arguments: [
            ([.part(name: "title", filename: nil, contentType: nil), .data([65])], "'video' (a file) is missing"),
            (part("video", filename: "a.mp4", [1]), "'title' is missing"),
            (part("video", filename: "a.mp4", [1]) + part("title", Array("   ".utf8)), "'title' is empty"),
            (part("video", [1]) + part("title", [65]), "must be a file"),
            (part("video", filename: "a.txt", [1]) + part("title", [65]), "'a.txt' is not a video file"),
            (part("video", filename: "noextension", [1]) + part("title", [65]), "is not a video file"),
            (
                part("title", [UInt8](repeating: 65, count: 501)) + part("video", filename: "a.mp4", [1]),
                "longer than 500"
            ),
            (part("title", [UInt8](repeating: 65, count: 100_000)), "longer than 500"),
            (part("title", [65, 0, 66]) + part("video", filename: "a.mp4", [1]), "control characters"),
            (part("title", [65]) + part("title", [65]), "more than one field 'title'"),
            (
                part("video", filename: "a.mp4", [1]) + part("video", filename: "b.mp4", [1]),
                "more than one field 'video'"
            ),
        ] as [([FormStream.Event], String)])
    func refused(events: [FormStream.Event], words: String) async throws {
        let folder = try Folder()
        await #expect {
            _ = try await receive(events, folder: folder)
        } throws: { error in
            let failure = error as? Failure
            return failure?.category == .invalidArgument && failure?.message.contains(words) == true
        }
        #expect(folder.names(ending: ".upload").isEmpty)
    }

    @Test("a title of 500 characters of several bytes each is taken")
    func longTitle() async throws {
        let title = String(repeating: "é", count: 500)
        let upload = try await receive(
            part("title", Array(title.utf8)) + part("video", filename: "a.mp4", [1]), folder: try Folder())
        #expect(upload.title == title)
    }

    @Test("a file over the limit is 413, also when the client did not say how long it is")
    func tooLarge() async throws {
        await #expect {
            _ = try await receive(
                part("video", filename: "a.mp4", [UInt8](repeating: 1, count: 2000)), folder: try Folder(),
                bytesMax: 1999)
        } throws: { ($0 as? Failure)?.category == .tooLarge }
    }

    @Test("room that runs out while the file comes is 507")
    func noRoom() async throws {
        let folder = try Folder()
        let space = TemporarySpace(folder: folder.path) { _ in SpaceLedger.freeBytesMin + 1000 }
        await #expect {
            _ = try await receive(
                part("title", [65]) + part("video", filename: "a.mp4", [UInt8](repeating: 1, count: 2_000_000)),
                folder: folder, space: space)
        } throws: { ($0 as? Failure)?.category == .insufficientStorage }
        #expect(folder.names(ending: ".upload").isEmpty)
    }
}

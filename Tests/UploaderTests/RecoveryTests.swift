import Base
import ChunkPaxos
import Digests
import Foundation
import HTTPTypes
import Media
import MetadataAPI
import Synchronization
import Testing
import UploaderAPI

@testable import ChunkDelivery
@testable import Uploader

/// What a start makes of the uploads that the last run left, with real ffmpeg and everything remote in memory.
@Suite struct RecoveryTests {
    private let folder: Folder
    private let catalog = MemoryCatalog()

    init() throws { folder = try Folder() }

    private var settings: Settings {
        Settings(environment: ["TEMP_DIR": folder.path, "CHUNK_SIZE": "65536", "FFMPEG_THREADS": "1"])
    }

    /// An uploader in the folder; `asCreator` learns whether each sink was made for the creator.
    private func uploads(_ sink: any ChunkSink, asCreator: (@Sendable (Bool) -> Void)? = nil) throws -> Uploads {
        try Uploads(configuration: UploaderConfiguration(settings: settings), catalog: catalog) { _, isCreator in
            asCreator?(isCreator)
            return sink
        }
    }

    private func send(_ uploads: Uploads, _ bytes: [UInt8]) async throws -> UploadResponse {
        let events = part("title", Array("Clip".utf8)) + part("video", filename: "clip.mp4", bytes)
        return try await uploads.receive(
            form(events), reservation: uploads.reserve(contentLength: bytes.count), contentLength: bytes.count)
    }

    /// An uploader that stores nothing takes an upload and is stopped, as if it were killed: a stop settles nothing.
    private func interrupted(_ bytes: [UInt8]) async throws -> UploadResponse {
        let uploads = try uploads(MemorySink { _ in try await Task.sleep(for: .seconds(1000)) })
        let answer = try await send(uploads, bytes)
        try await until("its first chunk is made") {
            uploads.sessions.session(answer.uploadSessionId)?.status == .registering
        }
        await uploads.stop()
        return answer
    }

    private func ended(_ uploads: Uploads, _ id: String) async throws -> UploadSession {
        try await until("the session ends") { uploads.sessions.session(id)?.isFinal == true }
        return try #require(uploads.sessions.session(id))
    }

    private func path(_ answer: UploadResponse) -> String { "\(folder.path)/\(answer.uploadSessionId).upload" }

    @Test("an upload that was interrupted goes on under its own id, to the same video, and nothing is left of it")
    func goesOn() async throws {
        let bytes = try await Clip.bytes()
        let answer = try await interrupted(bytes)
        #expect(folder.names(ending: ".upload").count == 1)
        let sink = MemorySink()
        let isCreator = Locked<[Bool]>([])
        let again = try uploads(sink) { value in isCreator.withLock { $0.append(value) } }
        let before = try #require(again.sessions.session(answer.uploadSessionId))
        // Where it was, not where it began.
        #expect(before.status == .registering && before.title == "Clip" && before.videoID == answer.videoId)
        again.start()
        let session = try await ended(again, answer.uploadSessionId)
        #expect(session.status == .completed, "\(session.error ?? "")")
        #expect(sink.bytes(.original) == bytes)
        // Something may have been proposed of it before.
        #expect(isCreator.withLock { $0 } == [false])
        let publication = try #require(catalog.state.withLock { $0.publications[answer.videoId] })
        #expect(publication.original.checksum == SHA256.digest(of: bytes))
        #expect(publication.original.filename == "clip.mp4")
        try await until("thumbnail stored, file gone") {
            !sink.bytes(.thumbnail).isEmpty && folder.names(ending: ".upload").isEmpty
        }
        await again.stop()
        // Settled for good: another start finds nothing to do.
        let entries = try SessionJournal(folder: folder.path).load()
        #expect(entries.allSatisfy { $0.isReported && $0.accepted == nil })
    }

    @Test("one that had not begun is still the creator's, and keeps its place in the line")
    func waiting() async throws {
        let bytes = try await Clip.bytes()
        let answer: (first: UploadResponse, second: UploadResponse)
        do {
            let one = Settings(environment: [
                "TEMP_DIR": folder.path, "CHUNK_SIZE": "65536", "FFMPEG_THREADS": "1", "MAX_CONCURRENT_UPLOADS": "1",
            ])
            let uploads = try Uploads(configuration: UploaderConfiguration(settings: one), catalog: catalog) { _, _ in
                MemorySink { _ in try await Task.sleep(for: .seconds(1000)) }
            }
            let first = try await send(uploads, bytes)
            answer = (first, try await send(uploads, bytes))
            try await until("the first has begun") {
                uploads.sessions.session(first.uploadSessionId)?.status != .processing
            }
            await uploads.stop()
        }
        let isCreator = Locked<[VideoID: Bool]>([:])
        let again = try Uploads(configuration: UploaderConfiguration(settings: settings), catalog: catalog) {
            video, value in
            isCreator.withLock { $0[video.videoId] = value }
            return MemorySink()
        }
        again.start()
        for one in [answer.first, answer.second] {
            #expect(try await ended(again, one.uploadSessionId).status == .completed)
        }
        #expect(isCreator.withLock { $0 } == [answer.first.videoId: false, answer.second.videoId: true])
        await again.stop()
    }

    @Test("the cuts are those of the first run, whatever is configured by then")
    func sameCuts() async throws {
        let answer = try await interrupted(try await Clip.bytes())
        let sink = MemorySink()
        let other = Settings(environment: ["TEMP_DIR": folder.path, "CHUNK_SIZE": "131072", "FFMPEG_THREADS": "1"])
        let again = try Uploads(configuration: UploaderConfiguration(settings: other), catalog: catalog) { _, _ in sink
        }
        again.start()
        #expect(try await ended(again, answer.uploadSessionId).status == .completed)
        #expect(sink.chunks(.original).dropLast().allSatisfy { $0.bytes.count == 65536 })
        #expect(sink.chunks(.source).allSatisfy { $0.bytes.count <= 65536 })
        await again.stop()
    }

    @Test("one whose file is gone or damaged fails and says so, in the catalog too", arguments: ["gone", "damaged"])
    func fileLost(how: String) async throws {
        let answer = try await interrupted(try await Clip.bytes())
        if how == "gone" {
            try FileManager.default.removeItem(atPath: path(answer))
        } else {
            let file = try FileHandle(forUpdating: URL(filePath: path(answer)))
            try file.write(contentsOf: Data([0xff, 0xff, 0xff]))
            try file.close()
        }
        let again = try uploads(MemorySink())
        again.start()
        let session = try await ended(again, answer.uploadSessionId)
        #expect(session.error == "interrupted by a restart, and the file is \(how); upload it again")
        try await until("the catalog knows") {
            catalog.state.withLock { $0.reasons[answer.videoId] } == session.error
        }
        #expect(folder.names(ending: ".upload").isEmpty)
        await again.stop()
    }

    @Test("one that was playable when its original was not stored yet gets its original")
    func originalDue() async throws {
        let bytes = try await Clip.longBytes()
        let answer: UploadResponse
        do {
            let uploads = try uploads(
                MemorySink { chunk in if chunk.stream == .original { try await Task.sleep(for: .seconds(1000)) } })
            answer = try await send(uploads, bytes)
            try await until("it is playable") { catalog.state.withLock { $0.playable.contains(answer.videoId) } }
            await uploads.stop()
        }
        let sink = MemorySink()
        let again = try uploads(sink)
        again.start()
        #expect(try await ended(again, answer.uploadSessionId).status == .completed)
        #expect(sink.bytes(.original) == bytes)
        let last = try #require(catalog.state.withLock { $0.publications[answer.videoId] })
        #expect(last.originalFollows == nil)
        await again.stop()
    }

    @Test("one that was published just before the kill is completed, and gets its thumbnail")
    func published() async throws {
        let answer = try await interrupted(try await Clip.bytes())
        catalog.state.withLock { $0.statuses[answer.videoId] = .active }
        let sink = MemorySink()
        let again = try uploads(sink)
        again.start()
        #expect(try await ended(again, answer.uploadSessionId).status == .completed)
        try await until("thumbnail stored, file gone") {
            !sink.bytes(.thumbnail).isEmpty && folder.names(ending: ".upload").isEmpty
        }
        #expect(sink.chunks(.source).isEmpty)
        #expect(catalog.state.withLock { $0.statuses[answer.videoId] } == .active)
        await again.stop()
    }

    @Test(
        "one whose video is gone from the catalog, or was given up there, ends", arguments: [nil, VideoStatus.failed])
    func videoGone(status: VideoStatus?) async throws {
        let answer = try await interrupted(try await Clip.bytes())
        catalog.state.withLock { $0.statuses[answer.videoId] = status }
        let again = try uploads(MemorySink())
        again.start()
        #expect(try await ended(again, answer.uploadSessionId).status == .failed)
        try await until("file gone") { folder.names(ending: ".upload").isEmpty }
        await again.stop()
    }

    @Test("a catalog that is away at the start is waited for")
    func catalogAway() async throws {
        let answer = try await interrupted(try await Clip.bytes())
        catalog.state.withLock { $0.isAway = true }
        let again = try uploads(MemorySink())
        again.start()
        let before = catalog.state.withLock { $0.calls }
        try await until("it was asked in vain") { catalog.state.withLock { $0.calls } > before + 1 }
        #expect(again.sessions.session(answer.uploadSessionId)?.isFinal == false)
        catalog.state.withLock { $0.isAway = false }
        #expect(try await ended(again, answer.uploadSessionId).status == .completed)
        await again.stop()
    }

    @Test("a failure that the catalog could not be told is told by the next start")
    func unreported() async throws {
        let answer: UploadResponse
        do {
            let uploads = try uploads(MemorySink { _ in throw Failure(.unavailable, "the nodes are away") })
            // Entered, and away from then on.
            answer = try await send(uploads, try await Clip.bytes())
            catalog.state.withLock { $0.isAway = true }
            _ = try await ended(uploads, answer.uploadSessionId)
            await uploads.stop()
        }
        catalog.state.withLock { $0.isAway = false }
        let again = try uploads(MemorySink())
        again.start()
        try await until("the catalog knows") {
            catalog.state.withLock { $0.reasons[answer.videoId] } == "the nodes are away"
        }
        await again.stop()
    }

    @Test("what was still on its way in, torn or half written is swept")
    func sweep() async throws {
        let journal = try SessionJournal(folder: folder.path)
        await journal.write(
            .init(session: UploadSession(id: "unknown", filename: "a.mp4", startedAt: SystemTime().now())))
        for name in ["x.upload", "unknown.upload", "sessions/y.json.new"] {
            try Data([1]).write(to: URL(filePath: folder.path + "/" + name))
        }
        try Data("no json".utf8).write(to: URL(filePath: folder.path + "/sessions/torn.json"))
        let uploads = try uploads(MemorySink())
        #expect(folder.names(ending: ".upload").isEmpty)
        #expect(folder.names(in: "sessions", ending: ".new").isEmpty)
        #expect(folder.names(in: "sessions", ending: ".json") == ["unknown.json"])
        #expect(uploads.sessions.session("unknown")?.error == "interrupted by a restart; upload it again")
    }
}

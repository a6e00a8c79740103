import Base
import Digests
import Foundation
import HTTPTypes
import Media
import MetadataAPI
import Synchronization
import TemporaryStorage
import Testing
import UploaderAPI

@testable import ChunkDelivery
@testable import Uploader

/// From a form's events to a published video, with real ffmpeg and everything remote in memory.
@Suite struct UploadsTests {
    private let folder: Folder
    private let catalog = MemoryCatalog()

    init() throws { folder = try Folder() }

    private func configuration(concurrent: Int = 5) throws -> UploaderConfiguration {
        try UploaderConfiguration(
            settings: Settings(
                environment: [
                    "TEMP_DIR": folder.path, "CHUNK_SIZE": "65536", "MAX_CONCURRENT_UPLOADS": "\(concurrent)",
                    "FFMPEG_THREADS": "1",
                ]))
    }

    private func uploads(_ sink: any ChunkSink, concurrent: Int = 5) throws -> Uploads {
        try Uploads(configuration: configuration(concurrent: concurrent), catalog: catalog) { _, _ in sink }
    }

    @Test("an upload that waits for its turn shows the catalog that it lives, until it ends")
    func signsOfLife() async throws {
        let bytes = try await Clip.bytes()
        let opened = Locked(false)
        let sink = MemorySink { _ in while !opened.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) } }
        let uploads = try Uploads(
            configuration: configuration(concurrent: 1), catalog: catalog, signOfLife: .milliseconds(5)
        ) { _, _ in sink }
        let first = try await send(uploads, bytes)
        let second = try await send(uploads, bytes)
        let before = catalog.state.withLock { $0.signsOfLife }
        try await until("both show life") { catalog.state.withLock { $0.signsOfLife } > before + 10 }
        #expect(uploads.sessions.session(second.uploadSessionId)?.status == .processing)
        opened.withLock { $0 = true }
        for answer in [first, second] {
            #expect(try await finished(uploads, answer.uploadSessionId).status == .completed)
        }
        await uploads.stop()
        let after = catalog.state.withLock { $0.signsOfLife }
        try await Task.sleep(for: .milliseconds(50))
        #expect(catalog.state.withLock { $0.signsOfLife } == after)
    }

    private func send(_ uploads: Uploads, _ bytes: [UInt8], filename: String = "clip.mp4") async throws
        -> UploadResponse
    {
        let events = part("title", Array("Clip".utf8)) + part("video", filename: filename, bytes)
        return try await uploads.receive(
            form(events), reservation: uploads.reserve(contentLength: bytes.count), contentLength: bytes.count)
    }

    private func finished(_ uploads: Uploads, _ id: String) async throws -> UploadSession {
        try await until("the session ends") { uploads.sessions.session(id)?.isFinal == true }
        return try #require(uploads.sessions.session(id))
    }

    @Test(
        "an upload becomes a published video: original bit for bit, rendition in chunks, thumbnail, nothing left over")
    func wholeWay() async throws {
        let bytes = try await Clip.bytes()
        let sink = MemorySink()
        let uploads = try uploads(sink)
        let answer = try await send(uploads, bytes)
        #expect(answer.status == .processing)
        #expect(answer.statusUrl == "/upload/status/\(answer.uploadSessionId)")
        let session = try await finished(uploads, answer.uploadSessionId)
        #expect(session.status == .completed, "\(session.error ?? "")")
        #expect(session.progress == 100)

        #expect(sink.bytes(.original) == bytes)
        let source = sink.chunks(.source)
        #expect(source.map(\.sequence) == Array(0..<source.count))
        #expect(source.allSatisfy { $0.bytes.count <= 65536 })
        #expect(session.totalChunks == source.count)
        #expect(sink.mendCount == 1)
        #expect(sink.inFlightMax <= 2 * UploadPipeline.chunksInFlightMax)

        let publication = try #require(catalog.state.withLock { $0.publications[answer.videoId] })
        #expect(publication.original.checksum == SHA256.digest(of: bytes))
        #expect(publication.original.qualityLabel == "144p")
        #expect(abs(publication.durationSec - 3) < 0.05)
        let rendition = try #require(publication.renditions.first)
        #expect((rendition.width, rendition.height) == (320, 180))
        #expect(rendition.codecs.hasPrefix("avc1.") && rendition.codecs.hasSuffix(",mp4a.40.2"))
        let last = try #require(rendition.segments.last)
        #expect(last.offsetBytes + last.sizeBytes == sink.bytes(.source).count)
        #expect(rendition.segments.first?.offsetBytes == rendition.initializationBytes)

        // What the chunks make is a video again, as long as the source.
        let path = folder.path + "/joined.mp4"
        try Data(sink.bytes(.source)).write(to: URL(filePath: path))
        let info = try await MediaProbe().examine(path)
        #expect(abs((info.durationSeconds ?? 0) - 3) < 0.1)

        try await until("thumbnail stored, file and room given back") {
            sink.bytes(.thumbnail).starts(with: [0xff, 0xd8]) && folder.names(ending: ".upload").isEmpty
                && uploads.space.outstandingBytes == 0
        }
    }

    @Test("a long video can be played before its original is stored, and is published again when it is")
    func playableEarly() async throws {
        let bytes = try await Clip.longBytes()
        let opened = Locked(false)
        let sink = MemorySink { chunk in
            while chunk.stream == .original, !opened.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
        }
        let uploads = try uploads(sink)
        let answer = try await send(uploads, bytes)
        try await until("the video is playable") { catalog.state.withLock { $0.playable.contains(answer.videoId) } }
        let early = try #require(catalog.state.withLock { $0.publications[answer.videoId] })
        #expect(sink.bytes(.original).isEmpty)
        #expect(
            early.renditions.first?.segments.last.map { $0.offsetBytes + $0.sizeBytes } == sink.bytes(.source).count)
        #expect(uploads.sessions.session(answer.uploadSessionId)?.isFinal == false)
        opened.withLock { $0 = true }
        #expect(try await finished(uploads, answer.uploadSessionId).status == .completed)
        let last = try #require(catalog.state.withLock { $0.publications[answer.videoId] })
        #expect(last.originalFollows == nil && last.renditions == early.renditions)
        #expect(sink.bytes(.original) == bytes)
    }

    @Test("what is no video is refused with its sentence, and leaves neither session nor file nor video")
    func refused() async throws {
        let uploads = try uploads(MemorySink())
        await #expect {
            _ = try await send(uploads, Array("this is text".utf8))
        } throws: { error in
            (error as? MediaError)?.category == .invalidArgument && "\(error)".hasPrefix("the file is not a video")
        }
        #expect(uploads.sessions.recent(10).isEmpty)
        #expect(folder.names(ending: ".upload").isEmpty)
        #expect(uploads.space.outstandingBytes == 0)
        #expect(catalog.state.withLock { $0.statuses.isEmpty })
    }

    @Test("a store that fails makes the upload fail, in the catalog too, and leaves nothing on disk")
    func storeFails() async throws {
        let sink = MemorySink { chunk in
            if chunk.chunk.sequence == 1 { throw Failure(.unavailable, "only 1 of 3 storage nodes took it") }
        }
        let uploads = try uploads(sink)
        let answer = try await send(uploads, try await Clip.bytes())
        let session = try await finished(uploads, answer.uploadSessionId)
        #expect(session.status == .failed)
        #expect(session.error == "only 1 of 3 storage nodes took it")
        try await until("the catalog knows") {
            catalog.state.withLock { $0.reasons[answer.videoId] } == session.error
        }
        try await until("the file is gone") { folder.names(ending: ".upload").isEmpty }
        #expect(uploads.space.outstandingBytes == 0)
    }

    @Test("more uploads than are processed at once wait for their turn, and all complete")
    func queue() async throws {
        let bytes = try await Clip.bytes()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let isOpen = Locked(false)
        let wait = Task { for await _ in gate {} }
        let sink = MemorySink { _ in if !isOpen.withLock({ $0 }) { await wait.value } }
        let uploads = try uploads(sink, concurrent: 1)
        var ids: [String] = []
        for _ in 0..<3 { ids.append(try await send(uploads, bytes).uploadSessionId) }
        try await until("the first is being stored") {
            (uploads.sessions.session(ids[0])?.progress ?? 0) >= 20
        }
        #expect(uploads.sessions.activeCount == 3)
        for id in ids.dropFirst() { #expect(uploads.sessions.session(id)?.status == .processing) }
        isOpen.withLock { $0 = true }
        open.finish()
        for id in ids { #expect(try await finished(uploads, id).status == .completed) }
        #expect(uploads.sessions.recent(10).map(\.id) == ids.reversed())
    }

    @Test("progress only grows, from chunk to chunk")
    func progress() async throws {
        let seen = Locked<[Int]>([])
        let box = Locked<(uploads: Uploads, id: String)?>(nil)
        let sink = MemorySink { _ in
            guard let (uploads, id) = box.withLock({ $0 }) else { return }
            // Looked at under the lock: chunks are stored side by side, and what was seen first must be noted first.
            seen.withLock { seen in
                if let session = uploads.sessions.session(id) { seen.append(session.progress) }
            }
        }
        let uploads = try uploads(sink)
        let answer = try await send(uploads, try await Clip.bytes())
        box.withLock { $0 = (uploads, answer.uploadSessionId) }
        _ = try await finished(uploads, answer.uploadSessionId)
        box.withLock { $0 = nil }
        let values = seen.withLock { $0 }
        #expect(values == values.sorted())
    }

    @Test("two uploaders do not share a temporary folder")
    func sharedFolder() throws {
        let first = try uploads(MemorySink())
        #expect { _ = try uploads(MemorySink()) } throws: { "\($0)".contains("is used by another process") }
        withExtendedLifetime(first) {}
    }

    @Test("sessions are bounded: the oldest finished ones are forgotten, those under way never")
    func bounded() async throws {
        let store = SessionStore(journal: try SessionJournal(folder: folder.path), countMax: 3)
        for index in 0..<6 {
            store.add(UploadSession(id: "\(index)", filename: "a.mp4", startedAt: SystemTime().now()))
            if index != 0 { store.update("\(index)") { $0.onCompleted() } }
        }
        #expect(store.recent(10).map(\.id) == ["5", "4", "0"])
        #expect(store.activeCount == 1)
    }
}

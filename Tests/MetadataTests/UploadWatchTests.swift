import Base
import HTTPTypes
import MetadataAPI
import Testing

@testable import Metadata

@Suite("Uploads that nobody goes on with")
struct UploadWatchTests {
    private static let hour = 3600.0

    private func status(_ harness: Harness, _ id: VideoID) async throws -> VideoSummary {
        try await harness.call(.get, "/video/\(id)").decoded()
    }

    @Test(
        "a video whose uploader was killed fails after the time that is set, with the reason; one that lives does not")
    func givesUp() async throws {
        try await Harness.run(environment: ["UPLOAD_TIMEOUT": "7200"]) { harness in
            let (lost, slow, waiting) = (
                try await Upload(harness), try await Upload(harness), try await Upload(harness)
            )
            try await lost.putAndCommit(0..<1)
            for sequence in 0..<4 {
                harness.clock.advance(seconds: Self.hour - 1)
                for node in 0..<3 { try await harness.register(node) }
                try await slow.putAndCommit(sequence..<sequence + 1)
                let sign = StatusRequest(status: .uploading)
                #expect(try await harness.call(.patch, "/video/\(waiting.id)/status", sign).status == 200)
                try await harness.service.uploadWatch.pass()
                #expect(try await status(harness, lost.id).status == (sequence < 2 ? .uploading : .failed))
            }
            #expect(try await status(harness, lost.id).error?.contains("for 2.0 hours") == true)
            #expect(try await lost.commit(try lost.value(0)).status == 409)
            for upload in [slow, waiting] { #expect(try await status(harness, upload.id).status == .uploading) }
        }
    }

    @Test("a restart forgets no sign of life and begins no wait anew")
    func restart() async throws {
        try await Harness.run { harness in
            let (lost, slow) = (try await Upload(harness), try await Upload(harness))
            harness.clock.advance(seconds: 23 * Self.hour)
            for node in 0..<3 { try await harness.register(node) }
            try await slow.putAndCommit(0..<1)
            try await harness.restarted { next in
                next.clock.advance(seconds: 2 * Self.hour)
                try await next.service.uploadWatch.pass()
                #expect(try await status(next, lost.id).status == .failed)
                #expect(try await status(next, slow.id).status == .uploading)
            }
        }
    }
}

import Base
import Testing
import UploaderAPI

@testable import Uploader

@Suite struct UploadSessionTests {
    private func session() -> UploadSession {
        UploadSession(id: "s", filename: "a.mp4", startedAt: Timestamp(nanoseconds: 0))
    }

    @Test("an upload passes the seed's states, each within its band")
    func states() {
        var session = session()
        var seen: [String] = []
        func note() { seen.append("\(session.status.rawValue) \(session.progress)") }
        session.onReceived(bytes: 50, of: 100)
        note()
        session.onReceivedAll(title: "T")
        note()
        session.onRegistered(VideoID())
        note()
        session.onStarted()
        note()
        session.onProduced(fraction: 0.5)
        note()
        session.onFirstChunk()
        note()
        session.onStored(fraction: 0.25)
        note()
        session.onStored(fraction: 1)
        note()
        session.onFinalizing(totalChunks: 7)
        note()
        session.onCompleted()
        note()
        #expect(
            seen == [
                "uploading 5", "processing 10", "processing 15", "chunking 20", "chunking 30", "registering 40",
                "uploading_chunks 60", "uploading_chunks 90", "finalizing 90", "completed 100",
            ])
        #expect(session.totalChunks == 7)
        #expect(session.isFinal)
    }

    @Test("whatever comes in whatever order, progress and status never go back")
    func monotonic() {
        var random = SystemRandomNumberGenerator()
        let order: [UploadStatus] = [
            .uploading, .processing, .chunking, .registering, .uploadingChunks, .finalizing, .completed,
        ]
        for _ in 0..<300 {
            var session = session()
            var last = (rank: 0, progress: 0)
            for _ in 0..<30 {
                let fraction = Double.random(in: -1...2, using: &random)
                switch Int.random(in: 0..<9, using: &random) {
                case 0: session.onReceived(bytes: Int(fraction * 100), of: 100)
                case 1: session.onReceivedAll(title: "T")
                case 2: session.onRegistered(VideoID())
                case 3: session.onStarted()
                case 4: session.onProduced(fraction: fraction)
                case 5: session.onFirstChunk()
                case 6: session.onStored(fraction: fraction)
                case 7: session.onFinalizing(totalChunks: 1)
                default: session.onProduced(fraction: .nan)
                }
                let rank = order.firstIndex(of: session.status) ?? -1
                #expect(rank >= last.rank && session.progress >= last.progress)
                #expect((0...100).contains(session.progress))
                last = (rank, session.progress)
            }
        }
    }

    @Test("what has ended stays as it ended")
    func final() {
        var failed = session()
        failed.onFailed("no room")
        failed.onStarted()
        failed.onCompleted()
        #expect(failed.status == .failed)
        #expect(failed.error == "no room")

        var completed = session()
        completed.onCompleted()
        completed.onFailed("too late")
        #expect(completed.status == .completed)
        #expect(completed.error == nil)
    }
}

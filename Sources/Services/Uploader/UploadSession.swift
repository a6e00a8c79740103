import Base
import UploaderAPI

/// One upload, from its first byte to its last word. Pure.
///
/// Invariants:
/// - The status only moves forward in the order of ``UploadStatus``, or to `failed`; `completed` and `failed` are final.
/// - Progress never goes back, and stays within the band of its status.
package struct UploadSession: Sendable, Codable {
    package let id: String
    package private(set) var videoID: VideoID?
    package private(set) var title = ""
    package let filename: String
    package let startedAt: Timestamp
    package private(set) var status = UploadStatus.uploading
    package private(set) var progress = 0
    package private(set) var totalChunks: Int?
    package private(set) var error: String?

    package init(id: String, filename: String, startedAt: Timestamp) {
        self.id = id
        self.filename = filename
        self.startedAt = startedAt
    }

    package var isFinal: Bool { status == .completed || status == .failed }

    /// - Parameter total: bytes that are to come, when the client has said so.
    package mutating func onReceived(bytes: Int, of total: Int?) {
        guard status == .uploading, let total, total > 0 else { return }
        advance(to: .uploading, fraction: Double(bytes) / Double(total))
    }

    /// The whole file is here; it is looked at.
    package mutating func onReceivedAll(title: String) {
        self.title = title
        advance(to: .processing, fraction: 0)
    }

    /// It is a video, and the catalog knows of it; it waits for its turn.
    package mutating func onRegistered(_ video: VideoID) {
        videoID = video
        advance(to: .processing, fraction: 0.5)
    }

    /// Its turn has come: ffmpeg is at work.
    package mutating func onStarted() { advance(to: .chunking, fraction: 0) }

    /// - Parameter fraction: of the first chunk.
    package mutating func onProduced(fraction: Double) {
        if status == .chunking { advance(to: .chunking, fraction: fraction) }
    }

    /// The first chunk is made, and is to be entered in the catalog.
    package mutating func onFirstChunk() { if status == .chunking { advance(to: .registering, fraction: 0) } }

    /// - Parameter fraction: of all bytes, stored and committed.
    package mutating func onStored(fraction: Double) {
        guard status == .registering || status == .uploadingChunks else { return }
        advance(to: .uploadingChunks, fraction: fraction)
    }

    package mutating func onFinalizing(totalChunks: Int) {
        self.totalChunks = totalChunks
        advance(to: .finalizing, fraction: 0)
    }

    package mutating func onCompleted() { advance(to: .completed, fraction: 1) }

    /// - Parameter reason: one sentence.
    package mutating func onFailed(_ reason: String) {
        guard !isFinal else { return }
        status = .failed
        error = reason
    }

    private mutating func advance(to next: UploadStatus, fraction: Double) {
        guard !isFinal, Self.rank(next) >= Self.rank(status) else { return }
        status = next
        let band = Self.band(next)
        let share = min(1, max(0, fraction.isFinite ? fraction : 0))
        progress = max(progress, band.lowerBound + Int(Double(band.count - 1) * share))
    }

    private static func rank(_ status: UploadStatus) -> Int {
        switch status {
        case .uploading: 0
        case .processing: 1
        case .chunking: 2
        case .registering: 3
        case .uploadingChunks: 4
        case .finalizing: 5
        case .completed, .failed: 6
        }
    }

    private static func band(_ status: UploadStatus) -> ClosedRange<Int> {
        switch status {
        case .uploading: 0...10
        case .processing: 10...20
        case .chunking: 20...40
        case .registering: 40...50
        case .uploadingChunks: 50...90
        case .finalizing: 90...99
        case .completed, .failed: 100...100
        }
    }
}

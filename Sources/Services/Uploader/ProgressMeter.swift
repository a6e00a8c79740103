import Base
import Synchronization

/// Adds up what the two streams of an upload report.
final class ProgressMeter: Sendable {
    private struct State {
        var rendition = 0.0
        var original = 0.0
        var hasChunk = false
    }

    /// A copy is as long as the original; an encode is most of the work.
    private let renditionWeight: Double
    private let report: @Sendable (UploadPipeline.Progress) -> Void
    private let state = Locked(State())

    init(isCopy: Bool, report: @escaping @Sendable (UploadPipeline.Progress) -> Void) {
        renditionWeight = isCopy ? 0.5 : 0.9
        self.report = report
    }

    func produced(_ fraction: Double) { report(.produced(fraction: fraction)) }

    func firstChunk() {
        let isFirst = state.withLock { state in
            defer { state.hasChunk = true }
            return !state.hasChunk
        }
        if isFirst { report(.firstChunk) }
    }

    /// - Parameter fraction: of the rendition, up to the end of a chunk that is stored.
    func renditionStored(_ fraction: Double) { stored { $0.rendition = max($0.rendition, fraction) } }

    /// - Parameter share: of the original that was stored just now.
    func originalStored(_ share: Double) { stored { $0.original += share } }

    private func stored(_ change: (inout State) -> Void) {
        let fraction = state.withLock { state in
            change(&state)
            return state.rendition * renditionWeight + state.original * (1 - renditionWeight)
        }
        report(.stored(fraction: fraction))
    }
}

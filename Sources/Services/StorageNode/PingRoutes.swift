import Base
import ChunkStore
import HTTPTypes

/// `/ping`: what a client measures the node's distance with, and asks every few seconds. Nothing is computed for it
/// that was not there before, and its answer is made anew only when one of the figures in it has changed.
struct PingRoutes: Sendable {
    private let service: StorageNodeService
    private let nodeID: String
    private let latest = PerCore<Answer?>(nil)

    /// What an answer says that is not always the same.
    private struct Figures: Equatable {
        let diskUsage: DiskUsage.Reading
        let chunkCount: Int
        /// How long it took to come by the others, in hundredths of a millisecond: finer, it would seldom stay the same.
        let elapsedHundredths: Int
    }

    private struct Answer {
        let figures: Figures
        let response: PreparedResponse
    }

    init(_ service: StorageNodeService) {
        self.service = service
        nodeID = service.configuration.nodeID.description
    }

    func add(to router: inout Router) {
        let summary = "Answers at once, for measuring latency"
        router.add(.get, "/ping", summary) { _ in .prepared(answer()) }
        router.add(.head, "/ping", summary) { _ in .prepared(answer()) }
    }

    private func answer() -> PreparedResponse {
        let start = ContinuousClock.now
        let usage = service.disk.current
        let count = service.store.chunkCount
        let figures = Figures(
            diskUsage: usage, chunkCount: count, elapsedHundredths: Self.hundredths(ContinuousClock.now - start))
        return latest.withLock { latest in
            if let latest, latest.figures == figures { return latest.response }
            let response = PreparedResponse(response(figures))
            latest = Answer(figures: figures, response: response)
            return response
        }
    }

    private func response(_ figures: Figures) -> Response {
        var response = Response(.ok)
        response.headers.add("X-Node-ID", nodeID)
        response.headers.add("X-Disk-Usage-Percent", figures.diskUsage.text)
        response.headers.add("X-Chunk-Count", figures.chunkCount)
        response.headers.add("X-Response-Time", Self.milliseconds(hundredths: figures.elapsedHundredths))
        response.headers.add("Cache-Control", "no-cache")
        return response
    }

    private static func hundredths(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return Int(seconds * 100_000 + attoseconds / 10_000_000_000_000)
    }

    /// Such as `0.04`.
    static func milliseconds(hundredths: Int) -> String {
        let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
        return "\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }
}

import Base
import ChunkStore
import HTTPTypes

/// `/ping`: what a client measures the node's distance with, and asks every few seconds. Nothing is computed for it
/// that was not there before.
struct PingRoutes: Sendable {
    private let service: StorageNodeService
    private let nodeID: String

    init(_ service: StorageNodeService) {
        self.service = service
        nodeID = service.configuration.nodeID.description
    }

    func add(to router: inout Router) {
        let summary = "Answers at once, for measuring latency"
        router.add(.get, "/ping", summary) { _ in .respond(answer()) }
        router.add(.head, "/ping", summary) { _ in .respond(answer()) }
    }

    private func answer() -> Response {
        let start = ContinuousClock.now
        let usage = service.disk.current.text
        let count = String(service.store.chunkCount)
        return Response(
            .ok,
            headers: [
                "X-Node-ID": nodeID, "X-Disk-Usage-Percent": usage, "X-Chunk-Count": count,
                "X-Response-Time": Self.milliseconds(ContinuousClock.now - start), "Cache-Control": "no-cache",
            ])
    }

    /// Such as `0.004`.
    static func milliseconds(_ duration: Duration) -> String {
        let microseconds = duration.components.seconds * 1_000_000 + duration.components.attoseconds / 1_000_000_000_000
        let (whole, rest) = microseconds.quotientAndRemainder(dividingBy: 1000)
        return "\(whole).\(rest < 100 ? "0" : "")\(rest < 10 ? "0" : "")\(rest)"
    }
}

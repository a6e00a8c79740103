import Base

/// What a server counts about its requests.
final class ServerMetrics: Sendable {
    private let byClass: [Counter]
    private let duration: Histogram

    init(_ metrics: Metrics, slowClients: SlowClientGuard, dropped: Counter) {
        byClass = (1...5).map { statusClass in
            metrics.counter(
                "http_requests_total", "Requests answered, by class of status code.",
                labels: "code=\"\(statusClass)xx\"")
        }
        duration = metrics.histogram(
            "http_request_duration_seconds", "Time from a request's head to the end of its answer.",
            bounds: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60])
        metrics.counter("http_slow_clients_total", "Connections dropped because the client was too slow.") {
            dropped.value
        }
        metrics.gauge("http_connections", "Connections open now.") { Double(slowClients.connectionCount) }
    }

    func record(status: Int, seconds: Double) {
        byClass[min(max(status / 100, 1), 5) - 1].add()
        duration.record(seconds)
    }
}

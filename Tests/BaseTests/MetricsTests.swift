import Base
import Dispatch
import Testing

@Suite("Metrics")
struct MetricsTests {
    @Test("what many threads count at once is all counted, whichever cores they run on")
    func concurrentCounts() {
        let counter = Counter()
        let histogram = Histogram(bounds: [1])
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for _ in 0..<10_000 {
                counter.add()
                histogram.record(Double(thread))
            }
        }
        #expect(counter.value == 80_000)
        #expect(histogram.count == 80_000)
    }

    @Test("counters, gauges and histograms are shown as Prometheus reads them")
    func exposition() {
        let metrics = Metrics()
        metrics.counter("puts_total", "Puts.", labels: "code=\"2xx\"").add(3)
        metrics.counter("puts_total", "Puts.", labels: "code=\"4xx\"").add()
        metrics.gauge("open", "Open now.") { 1.5 }
        let latency = metrics.histogram("latency_seconds", "Latency.", bounds: [0.1, 1])
        for value in [0.05, 0.5, 5] { latency.record(value) }
        #expect(
            metrics.exposition == """
                # HELP puts_total Puts.
                # TYPE puts_total counter
                puts_total{code="2xx"} 3
                puts_total{code="4xx"} 1
                # HELP open Open now.
                # TYPE open gauge
                open 1.5
                # HELP latency_seconds Latency.
                # TYPE latency_seconds histogram
                latency_seconds_bucket{le="0.1"} 1
                latency_seconds_bucket{le="1.0"} 2
                latency_seconds_bucket{le="+Inf"} 3
                latency_seconds_sum 5.55
                latency_seconds_count 3

                """)
    }

    @Test("a value for every core is nobody else's while it is used")
    func perCore() {
        let counts = PerCore(0)
        let total = Counter()
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<10_000 {
                // Every hundredth takes what has come together on its core.
                total.add(
                    counts.withLock { count in
                        count += 1
                        guard count == 100 else { return 0 }
                        defer { count = 0 }
                        return count
                    })
            }
        }
        // At most 99 are left on each core, of which there are no more than 64 rows.
        #expect(total.value % 100 == 0)
        #expect((80_000 - 99 * 64...80_000).contains(total.value))
    }
}

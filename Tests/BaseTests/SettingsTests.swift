import Base
import Testing

@Suite("Settings")
struct SettingsTests {
    @Test("a flag wins over the environment, and an empty value counts as absent")
    func precedence() {
        let settings = Settings(environment: ["A": "env", "B": "", "C": "env"], overrides: ["A": "flag"])
        #expect(settings.text("A") == "flag")
        #expect(settings.text("B", default: "fallback") == "fallback")
        #expect(settings.textAllowingEmpty("B")?.isEmpty == true)
        #expect(settings.setting("C", to: "set").text("C") == "set")
        #expect(settings.text("B", "C") == "env")
    }

    @Test("a value out of range is an error that names the setting and the range")
    func ranges() throws {
        let settings = Settings(environment: ["PORT": "70000", "N": "x", "OK": "8080"])
        #expect(try settings.integer("OK", default: 1, in: 0...65_535) == 8080)
        #expect(try settings.integer("ABSENT", default: 7) == 7)
        for name in ["PORT", "N"] {
            #expect {
                _ = try settings.integer(name, default: 1, in: 0...65_535)
            } throws: { error in
                let message = (error as? Failure)?.message ?? ""
                return message.contains(name) && message.contains("0…65535")
            }
        }
    }

    @Test("lists leave out what is empty")
    func lists() {
        #expect(Settings(environment: ["L": "a, b,,c ,"]).list("L") == ["a", "b", "c"])
    }
}

@Suite("Metrics")
struct MetricsTests {
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
}

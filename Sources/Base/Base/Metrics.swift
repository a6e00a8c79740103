import Synchronization

/// What a role counts, shown as Prometheus text (exposition format 0.0.4) on `GET /metrics`.
package final class Metrics: Sendable {
    private struct Family {
        let kind: String
        let help: String
        var lines: [@Sendable (_ name: String) -> String]
    }

    private let families = Locked<[(name: String, family: Family)]>([])

    package init() {}

    /// - Parameter labels: in the exposition's own form, such as `method="GET",status="200"`.
    package func counter(_ name: String, _ help: String, labels: String = "") -> Counter {
        let counter = Counter()
        register(name, "counter", help, labels) { String(counter.value) }
        return counter
    }

    /// - Parameter bounds: upper bounds of the buckets, in the unit of the name, ascending.
    package func histogram(_ name: String, _ help: String, bounds: [Double]) -> Histogram {
        let histogram = Histogram(bounds: bounds)
        add(name, "histogram", help) { histogram.exposition(name: $0) }
        return histogram
    }

    /// A value read when somebody asks.
    package func gauge(_ name: String, _ help: String, labels: String = "", read: @escaping @Sendable () -> Double) {
        register(name, "gauge", help, labels) { String(read()) }
    }

    /// The same as ``gauge(_:_:labels:read:)`` for a count that something else keeps and that only grows.
    package func counter(_ name: String, _ help: String, labels: String = "", read: @escaping @Sendable () -> Int) {
        register(name, "counter", help, labels) { String(read()) }
    }

    /// The exposition, families in order of registration.
    package var exposition: String {
        families.withLock { families in
            var text = ""
            for (name, family) in families {
                text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind)\n"
                for line in family.lines { text += line(name) }
            }
            return text
        }
    }

    private func register(
        _ name: String, _ kind: String, _ help: String, _ labels: String, _ read: @escaping @Sendable () -> String
    ) {
        add(name, kind, help) { labels.isEmpty ? "\($0) \(read())\n" : "\($0){\(labels)} \(read())\n" }
    }

    private func add(_ name: String, _ kind: String, _ help: String, line: @escaping @Sendable (String) -> String) {
        families.withLock { families in
            if let index = families.firstIndex(where: { $0.name == name }) {
                families[index].family.lines.append(line)
            } else {
                families.append((name, Family(kind: kind, help: help, lines: [line])))
            }
        }
    }
}

/// A number that only grows. Threads on different cores add to it without waiting for each other.
package final class Counter: Sendable {
    private let count = StripedCounts(count: 1)

    package init() {}

    package func add(_ amount: Int = 1) { count.add(amount, at: 0) }

    package var value: Int { count.sum(at: 0) }
}

/// How values spread over buckets. Threads on different cores record without waiting for each other.
package final class Histogram: Sendable {
    private let bounds: [Double]
    /// One a bound, one for what is above all of them, and last the sum in millionths.
    private let counts: StripedCounts

    package init(bounds: [Double]) {
        self.bounds = bounds
        counts = StripedCounts(count: bounds.count + 2)
    }

    package func record(_ value: Double) {
        counts.add(1, at: bounds.firstIndex { value <= $0 } ?? bounds.count)
        counts.add(Int(value * 1e6), at: bounds.count + 1)
    }

    /// Values recorded.
    package var count: Int { (0...bounds.count).reduce(0) { $0 + counts.sum(at: $1) } }

    fileprivate func exposition(name: String) -> String {
        var text = ""
        var count = 0
        for (index, bound) in (bounds.map { "\($0)" } + ["+Inf"]).enumerated() {
            count += counts.sum(at: index)
            text += "\(name)_bucket{le=\"\(bound)\"} \(count)\n"
        }
        let sum = Double(counts.sum(at: bounds.count + 1)) / 1e6
        return text + "\(name)_sum \(sum)\n\(name)_count \(count)\n"
    }
}

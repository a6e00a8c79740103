import Synchronization

/// What a role counts, shown as Prometheus text (exposition format 0.0.4) on `GET /metrics`.
package final class Metrics: Sendable {
    private struct Family {
        let kind: String
        let help: String
        var series: [(labels: String, read: @Sendable () -> String)]
    }

    private let families = Mutex<[(name: String, family: Family)]>([])

    package init() {}

    /// - Parameter labels: in the exposition's own form, such as `method="GET",status="200"`.
    package func counter(_ name: String, _ help: String, labels: String = "") -> Counter {
        let counter = Counter()
        register(name, "counter", help, labels) { String(counter.value) }
        return counter
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
                for (labels, read) in family.series {
                    text += labels.isEmpty ? "\(name) \(read())\n" : "\(name){\(labels)} \(read())\n"
                }
            }
            return text
        }
    }

    private func register(
        _ name: String, _ kind: String, _ help: String, _ labels: String, _ read: @escaping @Sendable () -> String
    ) {
        families.withLock { families in
            if let index = families.firstIndex(where: { $0.name == name }) {
                families[index].family.series.append((labels, read))
            } else {
                families.append((name, Family(kind: kind, help: help, series: [(labels, read)])))
            }
        }
    }
}

/// A number that only grows.
package final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}

    package func add(_ amount: Int = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

    package var value: Int { count.load(ordering: .relaxed) }
}

/// One event of a `text/event-stream` (HTML Living Standard §9.2).
package struct ServerSentEvent: Sendable {
    package let name: String?
    package let data: String

    package init(name: String? = nil, data: String) {
        self.name = name
        self.data = data
    }

    package var encoded: [UInt8] {
        var text = name.map { "event: \($0)\n" } ?? ""
        for line in data.split(separator: "\n", omittingEmptySubsequences: false) { text += "data: \(line)\n" }
        return Array((text + "\n").utf8)
    }
}

extension Response {
    /// A stream of events, for as long as `next` gives them and the client listens. A comment keeps the connection
    /// alive when `next` gives an empty array.
    package static func events(_ next: @escaping @Sendable () async throws -> [ServerSentEvent]?) -> Response {
        let source = ByteSource {
            guard let events = try await next() else { return nil }
            return events.isEmpty ? Array(": keep-alive\n\n".utf8) : events.flatMap(\.encoded)
        }
        return Response(
            .ok,
            headers: [
                "Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no",
            ],
            body: .stream(length: nil, source))
    }
}

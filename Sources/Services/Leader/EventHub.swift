import Base
import HTTPTypes
import Synchronization

/// Tells everybody who listens to `GET /api/events` what happens. Who is too slow misses the oldest.
final class EventHub: Sendable {
    private static let waitingMax = 256
    static let listenersMax = 256

    private struct State {
        var lastID = 0
        var listeners: [Int: AsyncStream<[ServerSentEvent]>.Continuation] = [:]
        var isOver = false
    }

    private let state = Locked(State())

    func publish(_ name: String, _ value: some Encodable) {
        let listeners = state.withLock { Array($0.listeners.values) }
        guard !listeners.isEmpty, let bytes = try? JSON.encode(value) else { return }
        let event = ServerSentEvent(name: name, data: String(decoding: bytes, as: UTF8.self))
        for listener in listeners { listener.yield([event]) }
    }

    /// A sign of life, so that connections that carry nothing stay open.
    func keepAlive() {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.yield([]) }
    }

    /// - Parameter first: what a new listener is told at once.
    /// - Throws: ``Failure`` (503) when too many listen.
    func listen(_ first: [ServerSentEvent]) throws(Failure) -> Response {
        let (stream, continuation) = AsyncStream.makeStream(
            of: [ServerSentEvent].self, bufferingPolicy: .bufferingNewest(Self.waitingMax))
        let id = state.withLock { state -> Int? in
            guard state.listeners.count < Self.listenersMax, !state.isOver else { return nil }
            state.lastID += 1
            state.listeners[state.lastID] = continuation
            return state.lastID
        }
        guard let id else { throw Failure(.unavailable, "too many listen to the events already; try again later") }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: id) }
        }
        continuation.yield(first)
        let events = Listener(stream)
        return .events { await events.next() }
    }

    /// Ends every stream.
    func end() {
        let listeners = state.withLock { state in
            state.isOver = true
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }
}

/// The one reader of a stream of events. Letting go of it ends the stream.
private actor Listener {
    private let stream: AsyncStream<[ServerSentEvent]>

    init(_ stream: AsyncStream<[ServerSentEvent]>) { self.stream = stream }

    func next() async -> [ServerSentEvent]? {
        var iterator = stream.makeAsyncIterator()
        return await iterator.next()
    }
}

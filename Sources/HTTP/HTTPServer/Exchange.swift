import Base
import CMicrohttpd
import Glibc
import HTTPTypes
import Synchronization

/// One request and its answer, from the head to the last byte sent.
///
/// The library calls in on the connection's own thread (`begin`, `receive`, `endOfBody`, `completed`); handlers' tasks
/// call in from elsewhere (`complete`). `state` is the only thing both touch. A connection is resumed only by whoever
/// takes its suspension out of `state`, so it is resumed exactly once.
final class Exchange: Sendable {
    /// Why the connection takes no part in the server's loop.
    enum Suspension: Sendable {
        case none
        /// The body comes faster than the handler takes it.
        case holdingBody
        /// The request is complete and the answer is not.
        case awaitingResponse
        /// The answer's next bytes are not there yet.
        case awaitingContent
    }

    private struct State: @unchecked Sendable {
        // The pointer is the library's, valid until `completed` clears it; guarded by the mutex around this struct.
        var connection: OpaquePointer?
        var suspension = Suspension.none
        var response: Response?
        var isForcedToEnd = false
    }

    let id: String
    let log: Logger
    private let state: Locked<State>
    private let record: ConnectionRecord

    init(id: String, connection: OpaquePointer, record: ConnectionRecord, log: Logger) {
        self.id = id
        self.log = log
        self.record = record
        state = Locked(State(connection: connection))
    }

    /// The answer, when it is known. Called by the connection's own thread, which then sends it.
    func takeResponse() -> Response? {
        state.withLock { state in
            defer { state.response = nil }
            return state.response
        }
    }

    /// Sets the answer, from any thread; a later one is ignored, and so is one for a client that has left.
    func complete(_ result: Result<Response, any Error>) {
        let response: Response
        switch result {
        case .success(let success): response = success
        case .failure(let error):
            response = .failure(error)
            if response.status.code >= 500 { log.error("request failed", ["error": "\(error)", "request_id": id]) }
        }
        state.withLock { state in
            guard state.connection != nil, state.response == nil else { return }
            state.response = response
            resume(&state, from: .awaitingResponse, .holdingBody)
        }
    }

    /// Suspends until there is an answer. Called by the connection's own thread inside a callback.
    func awaitResponse() { suspend(as: .awaitingResponse, unless: { $0.response != nil }) }

    /// Suspends until the handler has taken some of the body.
    func holdBody() { suspend(as: .holdingBody, unless: { $0.response != nil }) }

    /// The handler has taken some of the body.
    func releaseBody() { state.withLock { resume(&$0, from: .holdingBody) } }

    /// - Returns: false when the server does not wait any more: the answer breaks off.
    func suspendSending() -> Bool { suspend(as: .awaitingContent, unless: { _ in false }) }

    func resumeSending() { state.withLock { resume(&$0, from: .awaitingContent) } }

    /// The library is done with the connection: nothing may touch it any more.
    func disconnect() { state.withLock { $0.connection = nil } }

    /// The server stops: whatever is awaited is answered with 503 or broken off.
    func forceEnd() {
        state.withLock { state in
            state.isForcedToEnd = true
            if state.response == nil {
                state.response = .detail(.serviceUnavailable, "the service is stopping; try again in a moment")
            }
            resume(&state, from: .awaitingResponse, .holdingBody, .awaitingContent)
        }
    }

    @discardableResult
    private func suspend(as reason: Suspension, unless isReady: (State) -> Bool) -> Bool {
        state.withLock { state in
            guard let connection = state.connection, !state.isForcedToEnd, !isReady(state) else { return false }
            // The library goes on to hand over the chunks that it has read already, and must not be told twice: it
            // would take the connection out of a list in which it is not.
            guard state.suspension == .none else { return true }
            state.suspension = reason
            record.enter(.working)
            MHD_suspend_connection(connection)
            return true
        }
    }

    private func resume(_ state: inout State, from reasons: Suspension...) {
        guard let connection = state.connection, reasons.contains(state.suspension) else { return }
        switch state.suspension {
        case .holdingBody: record.enter(.receiving)
        case .awaitingContent: record.enter(.sending)
        case .awaitingResponse, .none: break
        }
        state.suspension = .none
        MHD_resume_connection(connection)
    }
}

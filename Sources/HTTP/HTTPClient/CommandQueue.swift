import Base
import HTTPTypes
import Synchronization

typealias ExchangeID = UInt64

/// What the driver's thread is told by others.
enum Command: Sendable {
    case start(Submission)
    /// The request's source has something to give again, or has ended.
    case resumeSending(ExchangeID)
    /// The answer's reader has room again.
    case resumeReceiving(ExchangeID)
    case cancel(ExchangeID)
}

/// An exchange on its way to the driver.
struct Submission: Sendable {
    enum Delivery: Sendable {
        case whole(limit: Int, Promise<ClientResponse>)
        case pipe(ResponsePipe)
    }

    let id: ExchangeID
    let request: ClientRequest
    let delivery: Delivery
    let feed: RequestFeed?

    /// - Throws: `invalidURL` when the address or a header cannot be sent.
    init(id: ExchangeID, request: ClientRequest, delivery: Delivery, queue: CommandQueue) throws(HTTPClientError) {
        try Self.check(request)
        self.id = id
        self.request = request
        self.delivery = delivery
        if case .stream(let length, let source) = request.body {
            feed = RequestFeed(source, length: length) { queue.post(.resumeSending(id)) }
        } else {
            feed = nil
        }
    }

    private static func check(_ request: ClientRequest) throws(HTTPClientError) {
        let scheme = request.url.prefix { $0 != ":" }.lowercased()
        guard scheme == "http" || scheme == "https", request.url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw HTTPClientError(
                .invalidURL, "'\(request.url.prefix(120))' is not an http:// or https:// address, percent-encoded")
        }
        for field in request.headers {
            let isClean = (field.name + field.value).utf8.allSatisfy { $0 != 0 && $0 != 10 && $0 != 13 }
            guard isClean, !field.name.isEmpty, !field.name.contains(":") else {
                throw HTTPClientError(.invalidURL, "the request's header '\(field.name.prefix(40))' cannot be sent")
            }
        }
    }
}

/// The commands that wait for the driver's thread, in order.
///
/// Invariants:
/// - The multi handle is alive, and may be woken, until `isClosed`.
/// - Commands other than `start` are few an exchange, so the limit on exchanges bounds the queue.
final class CommandQueue: Sendable {
    /// Exchanges under way or waiting for a connection.
    static let exchangesMax = 8192

    private struct State {
        var commands: [Command] = []
        var exchanges = 0
        var isClosed = false
    }

    let multi: MultiHandle
    private let state = Locked(State())

    init(multi: MultiHandle) { self.multi = multi }

    func start(_ submission: Submission) throws(HTTPClientError) {
        let refusal: HTTPClientError? = state.withLock { state in
            if state.isClosed { return .clientClosed }
            guard state.exchanges < Self.exchangesMax else {
                return HTTPClientError(
                    .connection, "\(Self.exchangesMax) requests are under way already; try again when some have ended")
            }
            state.exchanges += 1
            append(.start(submission), to: &state)
            return nil
        }
        if let refusal { throw refusal }
    }

    func post(_ command: Command) {
        state.withLock { state in
            guard !state.isClosed else { return }
            append(command, to: &state)
        }
    }

    /// Takes what waits, and whether the client was shut down.
    func take() -> (commands: [Command], isClosed: Bool) {
        state.withLock { state in
            let commands = state.commands
            state.commands.removeAll(keepingCapacity: true)
            return (commands, state.isClosed)
        }
    }

    func exchangeEnded() { state.withLock { $0.exchanges -= 1 } }

    func close() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            multi.wake()
        }
    }

    // Woken under the lock, so that the handle cannot be freed meanwhile; it is one write to an event descriptor.
    private func append(_ command: Command, to state: inout State) {
        if state.commands.isEmpty { multi.wake() }
        state.commands.append(command)
    }
}

extension HTTPClientError {
    static let clientClosed = HTTPClientError(.closed, "the HTTP client was shut down")
}

import Base
import CCurl
import HTTPTypes
import Synchronization

/// An HTTP/1.1 client over libcurl's multi interface: one thread drives any number of exchanges, connections are kept
/// and shared, and nothing blocks the caller's thread.
///
/// Redirects are not followed, proxies of the environment are not used, and only `http` and `https` are spoken. A
/// request that met a kept connection which the other side had just closed is sent again on a new one, unless it is a
/// POST or PATCH whose body had begun to leave.
package final class HTTPClient: Sendable {
    private let queue: CommandQueue
    private let thread: DriverThread
    private let lastID = Atomic<UInt64>(0)

    package init(connectionsPerHostMax: Int = 64) {
        queue = CommandQueue(multi: MultiHandle(connectionsPerHostMax: connectionsPerHostMax))
        thread = DriverThread(queue)
    }

    deinit { shutdown() }

    /// Sends the request and reads the whole answer, whatever its status. An answer that comes before the request's
    /// body was sent ends the sending; when this returns, the body's source is at rest.
    /// - Parameter bodyLimit: bytes that the answer may have.
    /// - Throws: ``HTTPClientError``; cancelling the task ends the exchange. An error of the body's own source is
    ///   thrown as it is.
    package func send(_ request: ClientRequest, bodyLimit: Int = 64 * ByteCount.mebibyte) async throws -> ClientResponse
    {
        let answer = Promise<ClientResponse>()
        let exchange = try begin(request, .whole(limit: bodyLimit, answer))
        let result = await withTaskCancellationHandler {
            await answer.result
        } onCancel: {
            queue.post(.cancel(exchange.id))
        }
        await exchange.feed?.finish()
        return try result.get()
    }

    /// Sends the request and returns as soon as the head of the answer is here.
    /// - Throws: as ``send(_:bodyLimit:)``.
    package func stream(_ request: ClientRequest) async throws -> StreamingClientResponse {
        let pipe = ResponsePipe()
        let exchange = try begin(request, .pipe(pipe))
        let reader = BodyReader(exchange: exchange, pipe: pipe, queue: queue)
        let head = await withTaskCancellationHandler {
            await pipe.head.result
        } onCancel: {
            queue.post(.cancel(exchange.id))
        }
        switch head {
        case .success(let head):
            return StreamingClientResponse(
                status: head.status, headers: head.headers, body: BodyStream(ByteSource { try await reader.next() }))
        case .failure(let error):
            await exchange.feed?.finish()
            throw error
        }
    }

    /// Ends every exchange and the thread: what is under way fails with `closed`. Idempotent.
    package func shutdown() {
        queue.close()
        thread.join()
    }

    private func begin(_ request: ClientRequest, _ delivery: Submission.Delivery) throws(HTTPClientError) -> Exchange {
        let id = lastID.wrappingAdd(1, ordering: .relaxed).newValue
        var request = request
        if request.headers["X-Request-ID"] == nil, let requestID = Logger.requestID {
            request.headers["X-Request-ID"] = requestID
        }
        let submission = try Submission(id: id, request: request, delivery: delivery, queue: queue)
        try queue.start(submission)
        submission.feed?.begin()
        return Exchange(id: id, feed: submission.feed)
    }
}

/// What the caller's side keeps of an exchange.
struct Exchange: Sendable {
    let id: ExchangeID
    let feed: RequestFeed?
}

/// The caller's end of a streamed answer. Letting go of it ends the exchange.
private final class BodyReader: Sendable {
    private let exchange: Exchange
    private let pipe: ResponsePipe
    private let queue: CommandQueue

    init(exchange: Exchange, pipe: ResponsePipe, queue: CommandQueue) {
        self.exchange = exchange
        self.pipe = pipe
        self.queue = queue
    }

    deinit { queue.post(.cancel(exchange.id)) }

    func next() async throws -> [UInt8]? {
        let id = exchange.id
        do {
            let piece = try await withTaskCancellationHandler {
                try await pipe.next { queue.post(.resumeReceiving(id)) }
            } onCancel: {
                queue.post(.cancel(id))
            }
            if piece == nil { await exchange.feed?.finish() }
            return piece
        } catch {
            await exchange.feed?.finish()
            throw error
        }
    }
}

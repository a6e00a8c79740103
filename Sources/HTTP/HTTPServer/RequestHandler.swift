import Base
import CMicrohttpd
import Glibc
import HTTPTypes

/// Serves the requests of one connection, one after the other, on the connection's own thread: finds the handler, feeds
/// it the body, sends its answer.
///
/// What can be answered at once never leaves this object; only what is answered later gets an ``Exchange``.
final class RequestHandler {
    /// What is still to come of a body that nobody wants is read up to this, so that the connection can be kept; above
    /// it the answer is sent at once and the connection closed.
    private static let drainBytesMax = 64 * ByteCount.kibibyte
    /// How much more is read and dropped after an early answer, so that the client comes to read it before the reset.
    private static let lingerBytesMax = 64 * ByteCount.mebibyte

    let record: ConnectionRecord
    private let server: ServerCore
    private let connection: OpaquePointer
    private let view: ConnectionView
    private var request = UnderWay()

    /// What is known of the present request.
    private struct UnderWay {
        var began = 0.0
        var contentLength: Int?
        var hasBody = false
        var isHead = false
        var origin: String?
        var status = 0
        /// The answer, where the head was enough to know it.
        var immediate: Response?
        /// The same, made before.
        var prepared: PreparedResponse?
        var exchange: Exchange?
        var receiver: BodyReceiver?
        /// Bytes dropped since the answer was sent early; nil while it was not.
        var lingered: Int?
    }

    init(server: ServerCore, connection: OpaquePointer) {
        self.server = server
        self.connection = connection
        record = ConnectionRecord(descriptor: vstack_mhd_socket(connection))
        view = ConnectionView(connection, server: server)
    }

    /// The head is complete.
    func begin(url: UnsafePointer<CChar>, method: UnsafePointer<CChar>) -> MHD_Result {
        // The client's turn until the request is whole, whatever its method: the library waits for any body announced.
        record.enter(.receiving)
        request.began = ServerCore.monotonicSeconds()
        do {
            guard let known = HTTPMethod(name: method) else {
                return answerHead(
                    .detail(HTTPStatus(501), "the method \(String(cString: method).prefix(20)) is not known here"))
            }
            view.begin(known, url: url)
            readHead(known)
            guard vstack_mhd_header_size(connection) <= server.configuration.headerBytesMax else {
                let limit = ByteCount.text(server.configuration.headerBytesMax)
                return answerHead(.detail(.headersTooLarge, "the request's header fields are larger than \(limit)"))
            }
            try refuseOtherSites()
            return try take(server.reply(to: view))
        } catch {
            return answerHead(failure(error))
        }
    }

    private func readHead(_ method: HTTPMethod) {
        request.isHead = method == .head
        if let origin = view.header("Origin") {
            request.origin = server.allowedOrigin(origin, host: view.header("Host"))
        }
        guard method != .get, method != .head else { return }
        request.contentLength = view.contentLength
        request.hasBody = (request.contentLength ?? 0) > 0 || view.field("Transfer-Encoding") != nil
    }

    private func take(_ reply: Reply) throws -> MHD_Result {
        switch reply {
        case .respond(let response): return answerHead(response)
        case .prepared(let prepared):
            // It cannot carry what belongs to this request alone.
            guard !request.hasBody, request.origin == nil, !server.isStopping, view.clientID == nil else {
                return answerHead(prepared.response)
            }
            request.prepared = prepared
        case .task, .body, .stream, .form, .sink:
            request.receiver = try BodyReceiver(
                reply, connection: connection, contentLength: request.contentLength, exchange: beginExchange())
        }
        return .YES
    }

    /// A piece of the body.
    func receive(_ bytes: UnsafeRawBufferPointer) -> MHD_Result {
        if let lingered = request.lingered {
            request.lingered = lingered + bytes.count
            return lingered > Self.lingerBytesMax ? .NO : .YES
        }
        guard let receiver = request.receiver, let exchange = request.exchange else {
            // GET and HEAD have no use for a body, and an answered request none for the rest of its own.
            return request.immediate == nil && request.prepared == nil ? .NO : .YES
        }
        do { try receiver.receive(bytes) } catch {
            receiver.cancel(error)
            exchange.complete(.success(failure(error)))
        }
        let remaining = request.contentLength.map { $0 - receiver.bytesReceived }
        if isTooLongToDrain(of: remaining), let response = exchange.takeResponse() { answerEarly(response) }
        return .YES
    }

    /// The request is complete; called again after every resume until there is an answer.
    func endOfRequest() -> MHD_Result {
        if request.lingered != nil { return .NO }
        if let immediate = request.immediate {
            request.immediate = nil
            return send(immediate)
        }
        if let prepared = request.prepared { return send(prepared) }
        guard let exchange = request.exchange else { return .NO }
        if let receiver = request.receiver {
            request.receiver = nil
            record.enter(.working)
            do { try receiver.finish() } catch { exchange.complete(.success(failure(error))) }
        }
        if let response = exchange.takeResponse() { return send(response) }
        exchange.awaitResponse()
        // A task may have answered between the look and the suspension; then nothing was suspended.
        if let response = exchange.takeResponse() { return send(response) }
        return .YES
    }

    /// The library has finished with the request, for whatever reason.
    func completed() {
        let ended = request
        request = UnderWay()
        view.end()
        ended.receiver?.cancel(Failure(.timeout, "the client left before the body was complete"))
        if let exchange = ended.exchange {
            exchange.disconnect()
            record.endExchange()
        }
        record.enter(.awaitingHead)
        server.metrics.record(status: ended.status, seconds: ServerCore.monotonicSeconds() - ended.began)
    }

    /// Answers a request whose body, if it has one, nobody wants.
    private func answerHead(_ response: Response) -> MHD_Result {
        // The library closes a connection that is answered in the first callback, so this waits for the second.
        request.immediate = response
        guard request.hasBody else { return .YES }
        // A client that waits for leave to send its body gets the answer instead.
        if view.field("Expect") != nil {
            request.immediate = nil
            return send(response)
        }
        if isTooLongToDrain(of: request.contentLength) { answerEarly(response) }
        return .YES
    }

    /// A browser lets a page of any site send a form, or JSON called text, without asking first, and such a request may
    /// change something here. It says where the page is from; other clients say nothing.
    /// - Throws: ``Failure`` (403).
    private func refuseOtherSites() throws(Failure) {
        switch view.method {
        case .get, .head, .options: return
        case .put, .post, .delete, .patch: break
        }
        guard request.origin == nil, let from = view.header("Origin"),
            !["same-origin", "same-site", "none"].contains(view.header("Sec-Fetch-Site"))
        else { return }
        throw Failure(
            .forbidden,
            "a page of '\(from.prefix(80))' may not change anything here; CORS_ALLOWED_ORIGINS names those that may")
    }

    private func isTooLongToDrain(of remaining: Int?) -> Bool { (remaining ?? Int.max) > Self.drainBytesMax }

    private func beginExchange() -> Exchange {
        let exchange = Exchange(id: view.id, connection: connection, record: record, log: server.log)
        record.begin(exchange)
        // After it can be found: either the stopping server sees it, or it sees that the server waits for nothing more.
        if server.isEnding { exchange.forceEnd() }
        request.exchange = exchange
        return exchange
    }

    private func failure(_ error: any Error) -> Response {
        let response = Response.failure(error)
        if response.status.code >= 500 {
            server.log.error("request failed", ["error": "\(error)", "request_id": view.id])
        }
        return response
    }

    private func send(_ response: Response) -> MHD_Result {
        request.status = response.status.code
        var response = inOwnWords(response)
        addOwnHeaders(to: &response.headers)
        if server.isStopping { response.headers.add("Connection", "close") }
        guard let made = ResponseWriter.make(response, exchange: { request.exchange ?? beginExchange() }) else {
            return .NO
        }
        defer { MHD_destroy_response(made) }
        if isEndlessToHead(response) { vstack_mhd_end_with_connection(made) }
        return queue(made)
    }

    private func send(_ prepared: PreparedResponse) -> MHD_Result {
        request.status = prepared.response.status.code
        guard let made = ResponseWriter.form(of: prepared) else { return .NO }
        return queue(made)
    }

    private func queue(_ made: OpaquePointer) -> MHD_Result {
        record.enter(.sending)
        return MHD_queue_response(connection, UInt32(request.status), made)
    }

    private func inOwnWords(_ response: Response) -> Response {
        guard let key = server.configuration.errorKey else { return response }
        return response.repeatingDetail(as: key)
    }

    /// What every answer carries that was not made before.
    private func addOwnHeaders(to headers: inout HTTPHeaders) {
        headers.add("X-Request-ID", view.id)
        if let origin = request.origin { CrossOriginPolicy.add(to: &headers, for: origin) }
    }

    /// Whether the library would send the end of a chunked body to HEAD, whose beginning it rightly leaves out; the
    /// client would take it for the next answer.
    private func isEndlessToHead(_ response: Response) -> Bool {
        guard request.isHead, case .stream(length: nil, _) = response.body else { return false }
        return true
    }

    /// Answers while the body is still coming, which the library cannot: the bytes are written to the socket here, and
    /// the rest of the body is dropped until the client closes or has been given time to.
    private func answerEarly(_ response: Response) {
        request.lingered = 0
        request.immediate = nil
        request.receiver?.cancel(Failure(.invalidArgument, "the request was answered before its body was complete"))
        request.status = response.status.code
        let response = inOwnWords(response)
        var body: [UInt8] = []
        if case .bytes(let bytes) = response.body { body = bytes }
        let reason = String(cString: MHD_get_reason_phrase_for(UInt32(request.status)))
        var head = "HTTP/1.1 \(response.status) \(reason)\r\n"
        var headers = response.headers
        headers.add("Connection", "close")
        headers.add("Content-Length", body.count)
        addOwnHeaders(to: &headers)
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        let message = Array((head + "\r\n").utf8) + body
        let socket = vstack_mhd_socket(connection)
        // An answer of this size fits the empty send buffer of any socket.
        _ = Glibc.send(socket, message, message.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        Glibc.shutdown(socket, Int32(SHUT_WR))
    }
}

extension HTTPMethod {
    /// The method of that name, compared without making a string.
    fileprivate init?(name: UnsafePointer<CChar>) {
        func isNamed(_ known: StaticString) -> Bool {
            strcmp(UnsafeRawPointer(known.utf8Start).assumingMemoryBound(to: CChar.self), name) == 0
        }
        // GET first: it is nearly all of them.
        if isNamed("GET") {
            self = .get
        } else if isNamed("HEAD") {
            self = .head
        } else if isNamed("PUT") {
            self = .put
        } else if isNamed("POST") {
            self = .post
        } else if isNamed("DELETE") {
            self = .delete
        } else if isNamed("PATCH") {
            self = .patch
        } else if isNamed("OPTIONS") {
            self = .options
        } else {
            return nil
        }
    }
}

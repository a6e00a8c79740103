import Base
import CMicrohttpd
import Glibc
import HTTPTypes

/// Serves one request on the connection's own thread: finds the handler, feeds it the body, sends its answer.
///
/// What can be answered at once never leaves this object; only what is answered later gets an ``Exchange``.
final class RequestHandler {
    /// What is still to come of a body that nobody wants is read up to this, so that the connection can be kept; above
    /// it the answer is sent at once and the connection closed.
    private static let drainBytesMax = 64 * ByteCount.kibibyte
    /// How much more is read and dropped after an early answer, so that the client comes to read it before the reset.
    private static let lingerBytesMax = 64 * ByteCount.mebibyte

    private let server: ServerCore
    private let connection: OpaquePointer
    private let record: ConnectionRecord
    private let id: String
    private let began = ServerCore.monotonicSeconds()
    private var contentLength: Int?
    private var hasBody = false
    private var isHead = false
    private var origin: String?
    private var status = 0
    /// The answer, where the head was enough to know it.
    private var immediate: Response?
    private var exchange: Exchange?
    private var receiver: BodyReceiver?
    /// Bytes dropped since the answer was sent early; nil while it was not.
    private var lingered: Int?

    init(server: ServerCore, connection: OpaquePointer, record: ConnectionRecord) {
        self.server = server
        self.connection = connection
        self.record = record
        id = Self.requestID(of: connection) ?? server.makeRequestID()
    }

    /// The head is complete.
    func begin(url: UnsafePointer<CChar>, method: UnsafePointer<CChar>) -> MHD_Result {
        // The client's turn until the request is whole, whatever its method: the library waits for any body announced.
        record.enter(.receiving)
        do {
            guard let known = HTTPMethod(name: method) else {
                return answerHead(
                    .detail(HTTPStatus(501), "the method \(String(cString: method).prefix(20)) is not known here"))
            }
            var view = ConnectionView(connection: connection, method: known, url: url, id: id)
            isHead = known == .head
            origin = view.header("Origin").flatMap { server.allowedOrigin($0, host: view.header("Host")) }
            if known != .get, known != .head {
                contentLength = view.contentLength
                hasBody = (contentLength ?? 0) > 0 || view.header("Transfer-Encoding") != nil
            }
            guard vstack_mhd_header_size(connection) <= server.configuration.headerBytesMax else {
                let limit = ByteCount.text(server.configuration.headerBytesMax)
                return answerHead(.detail(.headersTooLarge, "the request's header fields are larger than \(limit)"))
            }
            try refuseOtherSites(view)
            let reply = try server.reply(to: &view)
            if case .respond(let response) = reply { return answerHead(response) }
            receiver = try BodyReceiver(
                reply, connection: connection, contentLength: contentLength, exchange: beginExchange())
            return .YES
        } catch {
            return answerHead(failure(error))
        }
    }

    /// A piece of the body.
    func receive(_ bytes: UnsafeRawBufferPointer) -> MHD_Result {
        if let lingered {
            self.lingered = lingered + bytes.count
            return lingered > Self.lingerBytesMax ? .NO : .YES
        }
        guard let receiver, let exchange else {
            // GET and HEAD have no use for a body, and an answered request none for the rest of its own.
            return immediate == nil ? .NO : .YES
        }
        do { try receiver.receive(bytes) } catch {
            receiver.cancel(error)
            exchange.complete(.success(failure(error)))
        }
        let remaining = contentLength.map { $0 - receiver.bytesReceived }
        if isTooLongToDrain(of: remaining), let response = exchange.takeResponse() { answerEarly(response) }
        return .YES
    }

    /// The request is complete; called again after every resume until there is an answer.
    func endOfRequest() -> MHD_Result {
        if lingered != nil { return .NO }
        if let immediate {
            self.immediate = nil
            return send(immediate)
        }
        guard let exchange else { return .NO }
        if let receiver {
            self.receiver = nil
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
        exchange?.disconnect()
        receiver?.cancel(Failure(.timeout, "the client left before the body was complete"))
        receiver = nil
        record.end()
        server.metrics.record(status: status, seconds: ServerCore.monotonicSeconds() - began)
    }

    /// Answers a request whose body, if it has one, nobody wants.
    private func answerHead(_ response: Response) -> MHD_Result {
        // The library closes a connection that is answered in the first callback, so this waits for the second.
        immediate = response
        guard hasBody else { return .YES }
        // A client that waits for leave to send its body gets the answer instead.
        if MHD_lookup_connection_value(connection, .HEADER_KIND, "Expect") != nil {
            immediate = nil
            return send(response)
        }
        if isTooLongToDrain(of: contentLength) { answerEarly(response) }
        return .YES
    }

    /// A browser lets a page of any site send a form, or JSON called text, without asking first, and such a request may
    /// change something here. It says where the page is from; other clients say nothing.
    /// - Throws: ``Failure`` (403).
    private func refuseOtherSites(_ view: ConnectionView) throws(Failure) {
        switch view.method {
        case .get, .head, .options: return
        case .put, .post, .delete, .patch: break
        }
        guard origin == nil, let from = view.header("Origin"),
            !["same-origin", "same-site", "none"].contains(view.header("Sec-Fetch-Site"))
        else { return }
        throw Failure(
            .forbidden,
            "a page of '\(from.prefix(80))' may not change anything here; CORS_ALLOWED_ORIGINS names those that may")
    }

    private func isTooLongToDrain(of remaining: Int?) -> Bool { (remaining ?? Int.max) > Self.drainBytesMax }

    private func beginExchange() -> Exchange {
        let exchange = Exchange(id: id, connection: connection, record: record, log: server.log)
        record.begin(exchange)
        // After it can be found: either the stopping server sees it, or it sees that the server waits for nothing more.
        if server.isEnding { exchange.forceEnd() }
        self.exchange = exchange
        return exchange
    }

    private func failure(_ error: any Error) -> Response {
        let response = Response.failure(error)
        if response.status.code >= 500 { server.log.error("request failed", ["error": "\(error)", "request_id": id]) }
        return response
    }

    private func send(_ response: Response) -> MHD_Result {
        status = response.status.code
        guard let made = ResponseWriter.make(response, exchange: { exchange ?? beginExchange() }) else { return .NO }
        defer { MHD_destroy_response(made) }
        MHD_add_response_header(made, "X-Request-ID", id)
        if server.isStopping { MHD_add_response_header(made, "Connection", "close") }
        if isEndlessToHead(response) { vstack_mhd_end_with_connection(made) }
        if let origin {
            for (name, value) in CrossOriginPolicy.headers(for: origin) { MHD_add_response_header(made, name, value) }
        }
        record.enter(.sending)
        return MHD_queue_response(connection, UInt32(status), made)
    }

    /// Whether the library would send the end of a chunked body to HEAD, whose beginning it rightly leaves out; the
    /// client would take it for the next answer.
    private func isEndlessToHead(_ response: Response) -> Bool {
        guard isHead, case .stream(length: nil, _) = response.body else { return false }
        return true
    }

    /// Answers while the body is still coming, which the library cannot: the bytes are written to the socket here, and
    /// the rest of the body is dropped until the client closes or has been given time to.
    private func answerEarly(_ response: Response) {
        lingered = 0
        immediate = nil
        receiver?.cancel(Failure(.invalidArgument, "the request was answered before its body was complete"))
        status = response.status.code
        var body: [UInt8] = []
        if case .bytes(let bytes) = response.body { body = bytes }
        var head = "HTTP/1.1 \(response.status) \(String(cString: MHD_get_reason_phrase_for(UInt32(status))))\r\n"
        head += "Connection: close\r\nContent-Length: \(body.count)\r\nX-Request-ID: \(id)\r\n"
        var headers = Array(response.headers)
        if let origin { headers += CrossOriginPolicy.headers(for: origin) }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        let message = Array((head + "\r\n").utf8) + body
        let socket = vstack_mhd_socket(connection)
        // An answer of this size fits the empty send buffer of any socket.
        _ = Glibc.send(socket, message, message.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        Glibc.shutdown(socket, Int32(SHUT_WR))
    }

    /// The id the client sent, when it is one that can go into logs as it is.
    private static func requestID(of connection: OpaquePointer) -> String? {
        guard let value = MHD_lookup_connection_value(connection, .HEADER_KIND, "X-Request-ID") else { return nil }
        let length = strnlen(value, 65)
        guard (1...64).contains(length) else { return nil }
        let bytes = UnsafeRawBufferPointer(start: value, count: length)
        let isPlain = bytes.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (48...57).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        }
        return isPlain ? String(cString: value) : nil
    }
}

extension HTTPMethod {
    /// The method of that name, compared without making a string.
    fileprivate init?(name: UnsafePointer<CChar>) {
        // GET first: it is nearly all of them.
        for method in [HTTPMethod.get, .head, .put, .post, .delete, .patch, .options]
        where strcmp(name, method.rawValue) == 0 {
            self = method
            return
        }
        return nil
    }
}

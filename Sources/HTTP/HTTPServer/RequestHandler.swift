import Base
import CMicrohttpd
import Glibc
import HTTPTypes

/// Serves one request on the connection's own thread: finds the handler, feeds it the body, sends its answer.
final class RequestHandler {
    /// What is still to come of a body that nobody wants is read up to this, so that the connection can be kept; above
    /// it the answer is sent at once and the connection closed.
    private static let drainBytesMax = 64 * ByteCount.kibibyte
    /// How much more is read and dropped after an early answer, so that the client comes to read it before the reset.
    private static let lingerBytesMax = 64 * ByteCount.mebibyte

    private let server: ServerCore
    private let connection: OpaquePointer
    private let record: ConnectionRecord
    private let exchange: Exchange
    private let began = ServerCore.monotonicSeconds()
    private var receiver: BodyReceiver?
    private var contentLength: Int?
    private var origin: String?
    private var status = 0
    /// Bytes dropped since the answer was sent early; nil while it was not.
    private var lingered: Int?

    init(server: ServerCore, connection: OpaquePointer, record: ConnectionRecord) {
        self.server = server
        self.connection = connection
        self.record = record
        let id = Self.requestID(of: connection) ?? server.makeRequestID()
        exchange = Exchange(id: id, connection: connection, record: record, log: server.log)
        record.begin(exchange)
    }

    /// The head is complete.
    func begin(url: UnsafePointer<CChar>, method: UnsafePointer<CChar>) -> MHD_Result {
        let path = String(cString: url)
        let reply: Reply
        let hasBody: Bool
        do {
            guard let method = HTTPMethod(rawValue: String(cString: method)) else {
                return send(
                    .detail(HTTPStatus(501), "the method \(String(cString: method).prefix(20)) is not known here"))
            }
            var view = ConnectionView(connection: connection, method: method, path: path, id: exchange.id)
            origin = view.header("Origin").flatMap { server.allowedOrigin($0, host: view.header("Host")) }
            contentLength = view.contentLength
            hasBody = (contentLength ?? 0) > 0 || view.header("Transfer-Encoding") != nil
            guard vstack_mhd_header_size(connection) <= server.configuration.headerBytesMax else {
                let limit = ByteCount.text(server.configuration.headerBytesMax)
                return answerHead(.detail(.headersTooLarge, "the request's header fields are larger than \(limit)"))
            }
            reply = try server.reply(to: &view)
            if case .respond(let response) = reply { return answerHead(response) }
            record.enter(hasBody ? .receiving : .working)
            receiver = try BodyReceiver(
                reply, connection: connection, contentLength: contentLength, exchange: exchange)
            return .YES
        } catch {
            return answerHead(failure(error))
        }
    }

    /// Answers a request whose body, if it has one, nobody wants.
    private func answerHead(_ response: Response) -> MHD_Result {
        // A client that waits for leave to send its body gets the answer instead, and the library closes.
        if MHD_lookup_connection_value(connection, .HEADER_KIND, "Expect") != nil { return send(response) }
        exchange.complete(.success(response))
        if isBodyAnnounced {
            record.enter(.receiving)
            if isTooLongToDrain(of: contentLength) {
                answerEarly()
                return .YES
            }
        }
        receiver = try? BodyReceiver(.respond(response), connection: connection, contentLength: nil, exchange: exchange)
        return .YES
    }

    /// A piece of the body.
    func receive(_ bytes: UnsafeRawBufferPointer) -> MHD_Result {
        if let lingered {
            self.lingered = lingered + bytes.count
            return lingered > Self.lingerBytesMax ? .NO : .YES
        }
        guard let receiver else { return .NO }
        do { try receiver.receive(bytes) } catch {
            receiver.cancel(error)
            exchange.complete(.success(failure(error)))
        }
        let remaining = contentLength.map { $0 - receiver.bytesReceived }
        if exchange.hasResponse, isTooLongToDrain(of: remaining) { answerEarly() }
        return .YES
    }

    /// The request is complete; called again after every resume until there is an answer.
    func endOfRequest() -> MHD_Result {
        if lingered != nil { return .NO }
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
        exchange.disconnect()
        receiver?.cancel(Failure(.timeout, "the client left before the body was complete"))
        receiver = nil
        record.end()
        server.metrics.record(status: status, seconds: ServerCore.monotonicSeconds() - began)
    }

    private var isBodyAnnounced: Bool {
        (contentLength ?? 0) > 0 || MHD_lookup_connection_value(connection, .HEADER_KIND, "Transfer-Encoding") != nil
    }

    private func isTooLongToDrain(of remaining: Int?) -> Bool { (remaining ?? Int.max) > Self.drainBytesMax }

    private func failure(_ error: any Error) -> Response {
        let response = Response.failure(error)
        if response.status.code >= 500 {
            server.log.error("request failed", ["error": "\(error)", "request_id": exchange.id])
        }
        return response
    }

    private func send(_ response: Response) -> MHD_Result {
        status = response.status.code
        guard let made = ResponseWriter.make(response, for: exchange) else { return .NO }
        defer { MHD_destroy_response(made) }
        MHD_add_response_header(made, "X-Request-ID", exchange.id)
        if server.isStopping { MHD_add_response_header(made, "Connection", "close") }
        if let origin {
            for (name, value) in CrossOriginPolicy.headers(for: origin) { MHD_add_response_header(made, name, value) }
        }
        record.enter(.sending)
        return MHD_queue_response(connection, UInt32(status), made)
    }

    /// Answers while the body is still coming, which the library cannot: the bytes are written to the socket here, and
    /// the rest of the body is dropped until the client closes or has been given time to.
    private func answerEarly() {
        lingered = 0
        receiver?.cancel(Failure(.invalidArgument, "the request was answered before its body was complete"))
        guard let response = exchange.takeResponse(), case .bytes(let body) = response.body else { return }
        status = response.status.code
        var head = "HTTP/1.1 \(response.status) Error\r\nConnection: close\r\nContent-Length: \(body.count)\r\n"
        head += "X-Request-ID: \(exchange.id)\r\n"
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

import Base
import HTTPTypes

/// A request to another service.
package struct ClientRequest: Sendable {
    package var method: HTTPMethod
    /// Absolute `http://` or `https://` URL, already percent-encoded.
    package var url: String
    package var headers: HTTPHeaders
    package var body: ClientBody
    /// How long connecting may take.
    package var connectTimeout: Duration = .seconds(2)
    /// How long the whole exchange may take; nil for streams that last.
    package var totalTimeout: Duration? = .seconds(30)
    /// How long the exchange may go without a byte in either direction.
    package var idleTimeout: Duration = .seconds(15)

    package init(_ method: HTTPMethod, _ url: String, headers: HTTPHeaders = [:], body: ClientBody = .none) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }

    package static func get(_ url: String) -> ClientRequest { ClientRequest(.get, url) }

    /// A request whose body is `value` as JSON.
    package static func json(_ method: HTTPMethod, _ url: String, _ value: some Encodable) throws -> ClientRequest {
        ClientRequest(
            method, url, headers: ["Content-Type": "application/json"], body: .bytes(try JSON.encode(value)))
    }
}

/// The bytes of a request.
package enum ClientBody: Sendable {
    case none
    /// Sent without a copy; several requests may share one array.
    case bytes([UInt8])
    /// Asked for piece by piece while they are sent. `length` nil means chunked transfer encoding.
    case stream(length: Int?, ByteSource)
}

/// An answer that was read whole.
package struct ClientResponse: Sendable {
    package let status: HTTPStatus
    package let headers: HTTPHeaders
    package let body: [UInt8]

    package init(status: HTTPStatus, headers: HTTPHeaders, body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The body as `Value`.
    /// - Throws: ``HTTPClientError`` when the status is not 2xx (with the service's own `detail`), or the JSON is not
    ///   the expected.
    package func decoded<Value: Decodable>(as type: Value.Type) throws(HTTPClientError) -> Value {
        try requireSuccess()
        do {
            return try JSON.decode(type, from: body)
        } catch {
            throw HTTPClientError(.malformedResponse, "the answer is not what was expected: \(error.message)")
        }
    }

    /// - Throws: ``HTTPClientError`` of code `status` when the status is not 2xx.
    package func requireSuccess() throws(HTTPClientError) {
        guard !status.isSuccess else { return }
        throw HTTPClientError(.status(status), detail ?? "the service answered \(status)")
    }

    /// What the service said in `{"detail": …}`.
    package var detail: String? {
        struct Detail: Decodable { let detail: String }
        return try? JSON.decode(Detail.self, from: body).detail
    }
}

/// An answer whose head is here and whose body is read as it comes, with back pressure. Letting go of `body` before
/// its end closes the connection.
package struct StreamingClientResponse: Sendable {
    package let status: HTTPStatus
    package let headers: HTTPHeaders
    package let body: BodyStream

    package init(status: HTTPStatus, headers: HTTPHeaders, body: BodyStream) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Why an exchange failed.
package struct HTTPClientError: PresentableError {
    package enum Code: Sendable, Equatable {
        case invalidURL
        /// Nobody answers there: refused, unreachable, name unknown.
        case connection
        case timeout
        /// The connection broke before the answer was whole.
        case interrupted
        /// The answer is larger than the caller allows.
        case tooLarge
        case malformedResponse
        /// The service answered, with a status that is not 2xx.
        case status(HTTPStatus)
        case cancelled
        /// The client was shut down.
        case closed
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var category: ErrorCategory {
        switch code {
        case .status(let status): ErrorCategory(upstream: status)
        case .invalidURL: .invalidArgument
        case .connection, .timeout, .interrupted, .closed, .cancelled: .unavailable
        case .tooLarge, .malformedResponse: .internal
        }
    }
}

extension ErrorCategory {
    /// What a service that calls another says to its own client: the other's verdict on the request passes through,
    /// any failure of the other is `unavailable`.
    fileprivate init(upstream status: HTTPStatus) {
        switch status.code {
        case 400: self = .invalidArgument
        case 404: self = .notFound
        case 409: self = .conflict
        case 413: self = .tooLarge
        case 507: self = .insufficientStorage
        default: self = .unavailable
        }
    }
}

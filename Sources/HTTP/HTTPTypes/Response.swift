import Base

/// An answer to a request.
package struct Response: Sendable {
    package var status: HTTPStatus
    package var headers: HTTPHeaders
    package var body: ResponseBody

    package init(_ status: HTTPStatus, headers: HTTPHeaders = [:], body: ResponseBody = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package static func json(_ value: some Encodable, status: HTTPStatus = .ok) throws -> Response {
        json(try JSON.encode(value), status)
    }

    package static func json(_ value: some Encodable & JSONWritable, status: HTTPStatus = .ok) throws -> Response {
        json(try JSON.encode(value), status)
    }

    private static func json(_ bytes: [UInt8], _ status: HTTPStatus) -> Response {
        Response(status, headers: ["Content-Type": "application/json"], body: .bytes(bytes))
    }

    package static func text(_ text: String, contentType: String = "text/plain; charset=utf-8") -> Response {
        Response(.ok, headers: ["Content-Type": contentType], body: .bytes(Array(text.utf8)))
    }

    /// What an error looks like to whoever asked: `{"detail": …}` and the category's status. An error that is not
    /// presentable says only that something went wrong here; the log has the rest under the request's id.
    package static func failure(_ error: any Error) -> Response {
        guard let error = error as? any PresentableError else {
            return detail(.internalServerError, "something went wrong in the service; its log has the reason")
        }
        return detail(HTTPStatus(error.category), error.message)
    }

    package static func detail(_ status: HTTPStatus, _ message: String) -> Response {
        struct Detail: Encodable { let detail: String }
        let body = (try? JSON.encode(Detail(detail: message))) ?? Array(#"{"detail":"unknown"}"#.utf8)
        return json(body, status)
    }

    /// The same error with its sentence also under `key`, for clients that read that one.
    package func repeatingDetail(as key: String) -> Response {
        guard status.code >= 400, case .bytes(let bytes) = body, headers["Content-Type"] == "application/json",
            case .object(var fields)? = try? JSON.decode(JSONValue.self, from: bytes), let detail = fields["detail"],
            fields[key] == nil
        else { return self }
        fields[key] = detail
        guard let both = try? JSON.encode(fields) else { return self }
        var copy = self
        copy.body = .bytes(both)
        return copy
    }
}

/// The bytes of an answer.
package enum ResponseBody: Sendable {
    case empty
    case bytes([UInt8])
    /// Memory that is sent as it lies and kept alive until it is sent: a mapping, a cache entry.
    case region(MemoryRegion)
    /// Bytes produced while they are sent, asked for one piece at a time, so that a slow reader costs no memory.
    /// `length` nil means chunked transfer encoding.
    case stream(length: Int?, ByteSource)
}

/// Bytes that come piece by piece: `next` gives the next non-empty piece, or nil at the end. It is asked again only
/// when the piece before has been used.
package struct ByteSource: Sendable {
    package let next: @Sendable () async throws -> [UInt8]?

    package init(next: @escaping @Sendable () async throws -> [UInt8]?) { self.next = next }
}

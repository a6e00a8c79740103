import Base

/// The head of a request while the server's own thread looks at it. It must not be kept: what goes on elsewhere takes
/// a ``snapshot()``.
///
/// A protocol because the server hands out a view of its own memory, so that a request answered at once copies no
/// header it does not ask for.
package protocol RequestView {
    var method: HTTPMethod { get }
    /// The path as it came, still percent-encoded, beginning with `/` and without the query.
    var path: String { get }
    /// Values that the route's pattern captured, decoded.
    var parameters: PathParameters { get }
    var id: String { get }
    /// Bytes that the client announced; nil when it sends chunks of unknown number or no body.
    var contentLength: Int? { get }
    func header(_ name: String) -> String?
    /// The first value of a query parameter, decoded; empty when it has no value.
    func query(_ name: String) -> String?
    func snapshot() -> Request
}

/// The head of a request, complete and independent of the connection.
package struct Request: RequestView, Sendable {
    package let method: HTTPMethod
    package let path: String
    package let parameters: PathParameters
    package let id: String
    package let headers: HTTPHeaders
    package let queryItems: [(name: String, value: String)]

    package init(
        method: HTTPMethod, path: String, parameters: PathParameters = PathParameters(), id: String = "",
        headers: HTTPHeaders = [:], queryItems: [(name: String, value: String)] = []
    ) {
        self.method = method
        self.path = path
        self.parameters = parameters
        self.id = id
        self.headers = headers
        self.queryItems = queryItems
    }

    package var contentLength: Int? { headers["Content-Length"].flatMap { Int($0) } }
    package func header(_ name: String) -> String? { headers[name] }
    package func query(_ name: String) -> String? { queryItems.first { $0.name == name }?.value }
    package func snapshot() -> Request { self }
}

extension RequestView {
    /// A whole number from the query.
    /// - Throws: ``Failure`` (400) when it is not one, or outside the range.
    package func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int>) throws(Failure) -> Int {
        guard let text = query(name) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw Failure(
                .invalidArgument,
                "'\(name)' is '\(text.prefix(40))': it must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    /// The video that the path names.
    /// - Throws: ``Failure`` (400) when it is no UUID.
    package func videoID(_ name: String = "video_id") throws(Failure) -> VideoID {
        let text = parameters[name]
        guard let id = VideoID(text) else {
            throw Failure(.invalidArgument, "'\(text.prefix(80))' is not a video id: it must be a UUID")
        }
        return id
    }

    /// The chunk that the path names.
    /// - Throws: ``Failure`` (400) when it is not a chunk id.
    package func chunkID(_ name: String = "chunk_id") throws(Failure) -> ChunkID {
        let text = parameters[name]
        guard let id = ChunkID(text) else {
            throw Failure(
                .invalidArgument,
                "'\(text.prefix(80))' is not a chunk id: it must be 1 to 64 of a-z, A-Z, 0-9, '_' and '-'")
        }
        return id
    }
}

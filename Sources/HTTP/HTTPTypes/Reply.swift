import Base

/// How a handler, having seen the head of a request on the server's own thread, wants to go on.
package enum Reply: Sendable {
    /// Answer now. The thread serves other connections too, so nothing that blocks may have been done.
    case respond(Response)
    /// The same with an answer that was made before.
    case prepared(PreparedResponse)
    /// Answer later, from a task. A body, should there be one, is drained and ignored.
    case task(@Sendable () async throws -> Response)
    /// Collect the body, refuse it (413) over `limit` bytes, then answer from a task.
    case body(limit: Int, @Sendable ([UInt8]) async throws -> Response)
    /// Hand the body on while it arrives, with back pressure.
    case stream(limit: Int?, @Sendable (BodyStream) async throws -> Response)
    /// Take `multipart/form-data` (or urlencoded) apart while it arrives, with back pressure.
    case form(limit: Int?, @Sendable (FormStream) async throws -> Response)
    /// Give the body to a sink on the server's own thread: no copy, no task.
    case sink(limit: Int, any BodySink)
}

/// Takes a request's body on the server's own thread.
package protocol BodySink: AnyObject, Sendable {
    /// A piece of the body; it must not block. Throwing ends the request with that error's answer.
    func receive(_ bytes: UnsafeRawBufferPointer) throws
    /// The body is complete. `respond` is called once, from any thread.
    func finish(_ respond: @escaping @Sendable (Result<Response, any Error>) -> Void)
    /// The client left, was too slow, or was refused: there will be no `finish`.
    func abort()
}

/// A request's body while it arrives: the pieces in order, then nil. Throws when the client leaves before the end.
package struct BodyStream: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    private let source: ByteSource

    package init(_ source: ByteSource) { self.source = source }

    package struct AsyncIterator: AsyncIteratorProtocol {
        let source: ByteSource
        package mutating func next() async throws -> [UInt8]? { try await source.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source) }
}

/// A form while it arrives. Throws when the client leaves before the end or the form is malformed.
package struct FormStream: AsyncSequence, Sendable {
    package enum Event: Sendable {
        /// A part begins; all data until the next `part` is its.
        case part(name: String, filename: String?, contentType: String?)
        case data([UInt8])
    }
    package typealias Element = Event

    private let source: @Sendable () async throws -> Event?

    package init(_ source: @escaping @Sendable () async throws -> Event?) { self.source = source }

    package struct AsyncIterator: AsyncIteratorProtocol {
        let source: @Sendable () async throws -> Event?
        package mutating func next() async throws -> Event? { try await source() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source) }
}

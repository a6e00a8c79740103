import Base
import CCurl
import HTTPTypes

/// An HTTP/1.1 client over libcurl's multi interface: one thread drives any number of exchanges, connections are kept
/// and shared, and nothing blocks the caller's thread.
package final class HTTPClient: Sendable {
    package init(connectionsPerHostMax: Int = 64) { fatalError() }

    /// Sends the request and reads the whole answer, whatever its status.
    /// - Parameter bodyLimit: bytes that the answer may have.
    /// - Throws: ``HTTPClientError``; cancelling the task ends the exchange.
    package func send(_ request: ClientRequest, bodyLimit: Int = 64 * ByteCount.mebibyte) async throws -> ClientResponse
    {
        fatalError()
    }

    /// Sends the request and returns as soon as the head of the answer is here.
    package func stream(_ request: ClientRequest) async throws -> StreamingClientResponse { fatalError() }

    /// Ends every exchange and the thread. Idempotent.
    package func shutdown() {}
}

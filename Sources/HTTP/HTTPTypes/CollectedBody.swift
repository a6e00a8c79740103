/// Collects a request's body and hands it over when it is complete, on the server's own thread: for handlers that do not
/// block, and answer from wherever they come to know the answer.
package final class CollectedBody: BodySink, @unchecked Sendable {
    package typealias Respond = @Sendable (Result<Response, any Error>) -> Void

    // The server calls one method at a time, so `bytes` needs no lock.
    private var bytes: [UInt8] = []
    private let handler: @Sendable (_ body: [UInt8], _ respond: @escaping Respond) -> Void

    /// - Parameters:
    ///   - byteCount: how many the client announced, if it did.
    ///   - handler: must not block, and calls `respond` once.
    package init(
        byteCount: Int?, _ handler: @escaping @Sendable (_ body: [UInt8], _ respond: @escaping Respond) -> Void
    ) {
        self.handler = handler
        bytes.reserveCapacity(min(byteCount ?? 0, Self.reservedBytesMax))
    }

    /// More is taken as it comes: what is announced need not be true.
    private static let reservedBytesMax = 16 * 1024

    package func receive(_ bytes: UnsafeRawBufferPointer) { self.bytes.append(contentsOf: bytes) }

    package func finish(_ respond: @escaping Respond) { handler(bytes, respond) }

    package func abort() {}
}

import Base
import CMicrohttpd
import HTTPTypes
import Synchronization

/// A body that is produced while it is sent. One piece is fetched ahead while the one before is being sent; while
/// there is nothing to send the connection is suspended and costs no thread.
final class ResponseStream: Sendable {
    /// How much the library asks for at once.
    static let blockBytes = 128 * ByteCount.kibibyte

    private struct State {
        var current: [UInt8] = []
        var offset = 0
        var ahead: [UInt8]?
        var isFetching = false
        /// The reader found nothing and sleeps until there is something.
        var isStarved = false
        var end: Result<Void, any Error>?
        var isCancelled = false
        var fetch: Task<Void, Never>?
    }

    private let state = Locked(State())
    private let source: ByteSource
    private let exchange: Exchange

    init(_ source: ByteSource, exchange: Exchange) {
        self.source = source
        self.exchange = exchange
    }

    /// Called by the server's thread whenever the socket takes more.
    /// - Returns: bytes written, 0 to be asked again after a resume, or the library's codes for end and failure.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        state.withLock { state in
            if state.offset == state.current.count, let ahead = state.ahead {
                state.current = ahead
                state.offset = 0
                state.ahead = nil
            }
            if state.ahead == nil, state.end == nil { fetch(&state) }
            let count = min(buffer.count, state.current.count - state.offset)
            if count > 0 {
                state.current.withUnsafeBytes { bytes in
                    buffer.copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: bytes[state.offset..<state.offset + count]))
                }
                state.offset += count
                return count
            }
            switch state.end {
            case .success: return -1  // MHD_CONTENT_READER_END_OF_STREAM
            case .failure: return -2  // MHD_CONTENT_READER_END_WITH_ERROR
            case nil:
                state.isStarved = true
                return exchange.suspendSending() ? 0 : -2
            }
        }
    }

    /// The connection is done with the body, sent or not.
    func cancel() {
        let task = state.withLock { state in
            state.isCancelled = true
            return state.fetch
        }
        task?.cancel()
    }

    private func fetch(_ state: inout State) {
        guard !state.isFetching, !state.isCancelled else { return }
        state.isFetching = true
        state.fetch = Task {
            let piece: Result<[UInt8]?, any Error>
            do { piece = .success(try await source.next()) } catch { piece = .failure(error) }
            deliver(piece)
        }
    }

    private func deliver(_ piece: Result<[UInt8]?, any Error>) {
        let wake = state.withLock { state in
            state.isFetching = false
            state.fetch = nil
            switch piece {
            case .success(let bytes?): state.ahead = bytes
            case .success(nil): state.end = .success(())
            case .failure(let error):
                state.end = .failure(error)
                exchange.log.warning("an answer broke off", ["error": "\(error)", "request_id": exchange.id])
            }
            defer { state.isStarved = false }
            return state.isStarved && !state.isCancelled
        }
        if wake { exchange.resumeSending() }
    }
}

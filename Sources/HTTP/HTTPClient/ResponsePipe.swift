import Base
import HTTPTypes
import Synchronization

/// The head of an answer.
struct ResponseHead: Sendable {
    let status: HTTPStatus
    let headers: HTTPHeaders
}

/// Carries an answer's body from the driver's thread to its reader.
///
/// Invariants:
/// - At most ``highWater`` bytes and one delivery of libcurl more wait.
/// - `driverIsPaused` means that an offer was refused: the reader that makes room wakes the driver, once.
final class ResponsePipe: Sendable {
    static let highWater = 256 * ByteCount.kibibyte

    private struct State {
        var buffer: [UInt8] = []
        var end: Result<Void, any Error>?
        var driverIsPaused = false
        var reader: CheckedContinuation<[UInt8]?, any Error>?
    }

    let head = Promise<ResponseHead>()
    private let state = Locked(State())

    /// The driver's: takes the bytes, or refuses them all because enough wait.
    func offer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let (isTaken, reader): (Bool, CheckedContinuation<[UInt8]?, any Error>?) = state.withLock { state in
            if let reader = state.reader {
                state.reader = nil
                return (true, reader)
            }
            guard state.buffer.count < Self.highWater else {
                state.driverIsPaused = true
                return (false, nil)
            }
            state.buffer.append(contentsOf: bytes)
            return (true, nil)
        }
        reader?.resume(returning: [UInt8](bytes))
        return isTaken
    }

    /// The driver's: no more will come.
    func finish(_ result: Result<Void, any Error>) {
        if case .failure(let error) = result { head.give(.failure(error)) }
        let reader = state.withLock { state in
            state.end = result
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(with: result.map { nil })
    }

    /// The reader's: what is here, or the next to come; nil at the end. What came before a failure is given first.
    func next(wakeDriver: () -> Void) async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { continuation in
            let (result, wakes): (Result<[UInt8]?, any Error>?, Bool) = state.withLock { state in
                if !state.buffer.isEmpty {
                    defer {
                        state.buffer = []
                        state.driverIsPaused = false
                    }
                    return (.success(state.buffer), state.driverIsPaused)
                }
                if let end = state.end { return (end.map { nil }, false) }
                precondition(state.reader == nil, "a body has one reader")
                state.reader = continuation
                return (nil, false)
            }
            if wakes { wakeDriver() }
            if let result { continuation.resume(with: result) }
        }
    }
}

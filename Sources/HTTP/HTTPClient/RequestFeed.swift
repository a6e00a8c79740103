import Base
import HTTPTypes
import Synchronization

/// Carries a request's body from its source, asked by a task of its own, to the driver's thread.
///
/// Invariants:
/// - At most ``highWater`` bytes and one piece more wait.
/// - `driverWaits` means that sending is paused: whoever adds, ends or fails next wakes the driver, once.
/// - After `isClosed` the source is asked for nothing more and its task is cancelled.
final class RequestFeed: Sendable {
    static let highWater = 256 * ByteCount.kibibyte

    enum Pull {
        case bytes(Int)
        /// Nothing yet; sending pauses until `wakeDriver`.
        case wait
        case end
        case failed(any Error)
    }

    private struct State {
        var pieces: [[UInt8]] = []
        /// What of the first piece is gone already.
        var offset = 0
        var bufferedBytes = 0
        var end: Result<Void, any Error>?
        var isClosed = false
        var driverWaits = false
        var room: CheckedContinuation<Void, Never>?
        var task: Task<Void, Never>?
    }

    let length: Int?
    private let source: ByteSource
    private let wakeDriver: @Sendable () -> Void
    private let state = Locked(State())

    init(_ source: ByteSource, length: Int?, wakeDriver: @escaping @Sendable () -> Void) {
        self.source = source
        self.length = length
        self.wakeDriver = wakeDriver
    }

    /// Starts asking the source.
    func begin() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.task = Task { await self.produce() }
        }
    }

    /// Ends the asking and waits until the source is at rest.
    func finish() async {
        close()
        await state.withLock { $0.task }?.value
    }

    /// The driver's: no more is wanted.
    func close() {
        let (task, room) = state.withLock { state in
            state.isClosed = true
            defer { state.room = nil }
            return (state.task, state.room)
        }
        task?.cancel()
        room?.resume()
    }

    /// The driver's: moves what is here into `output`.
    func pull(into output: UnsafeMutableRawBufferPointer) -> Pull {
        let (pull, room): (Pull, CheckedContinuation<Void, Never>?) = state.withLock { state in
            if case .failure(let error) = state.end { return (.failed(error), nil) }
            let count = Self.move(from: &state, into: output)
            if count > 0 {
                guard state.bufferedBytes < Self.highWater else { return (.bytes(count), nil) }
                defer { state.room = nil }
                return (.bytes(count), state.room)
            }
            if state.end != nil { return (.end, nil) }
            state.driverWaits = true
            return (.wait, nil)
        }
        room?.resume()
        return pull
    }

    private static func move(from state: inout State, into output: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        var emptied = 0
        while emptied < state.pieces.count, count < output.count {
            let piece = state.pieces[emptied]
            let part = min(piece.count - state.offset, output.count - count)
            piece.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[state.offset..<state.offset + part])
                UnsafeMutableRawBufferPointer(rebasing: output[count...]).copyMemory(from: rest)
            }
            count += part
            state.offset += part
            if state.offset == piece.count {
                emptied += 1
                state.offset = 0
            }
        }
        state.pieces.removeFirst(emptied)
        state.bufferedBytes -= count
        return count
    }

    private func produce() async {
        do {
            var given = 0
            while let piece = try await source.next() {
                given += piece.count
                if let length, given > length { throw Self.wrongLength("more than", length) }
                guard await push(piece) else { return }
            }
            if let length, given < length { throw Self.wrongLength("\(given) bytes instead of", length) }
            end(.success(()))
        } catch {
            end(.failure(error))
        }
    }

    /// Adds a piece and waits for room for the next; false when no more is wanted.
    private func push(_ piece: [UInt8]) async -> Bool {
        guard !piece.isEmpty else { return true }
        let wakes = state.withLock { state in
            state.pieces.append(piece)
            state.bufferedBytes += piece.count
            defer { state.driverWaits = false }
            return state.driverWaits
        }
        if wakes { wakeDriver() }
        await withCheckedContinuation { continuation in
            let hasRoom = state.withLock { state in
                if state.isClosed || state.bufferedBytes < Self.highWater { return true }
                state.room = continuation
                return false
            }
            if hasRoom { continuation.resume() }
        }
        return !state.withLock { $0.isClosed }
    }

    private func end(_ result: Result<Void, any Error>) {
        let wakes = state.withLock { state in
            state.end = result
            defer { state.driverWaits = false }
            return state.driverWaits
        }
        if wakes { wakeDriver() }
    }

    private static func wrongLength(_ given: String, _ length: Int) -> HTTPClientError {
        HTTPClientError(.interrupted, "the request's body gave \(given) the \(length) bytes that were announced")
    }
}

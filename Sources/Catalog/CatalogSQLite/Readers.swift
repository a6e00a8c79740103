import Base
import Catalog
import Dispatch
import Synchronization

/// A few connections that only read, each on a queue of its own. In WAL mode they neither wait for the writer nor hold
/// it up, and each read sees one moment of the catalog.
final class Readers: Sendable {
    /// Reads waiting for a connection; more are refused.
    static let waitingMax = 16_384

    private struct Reader: Sendable {
        let connection: Connection
        let queue: DispatchQueue
    }

    private struct Operation: Sendable {
        let run: @Sendable (Connection) -> Void
        let refuse: @Sendable (CatalogError) -> Void
    }

    private struct State {
        var idle: [Reader]
        var busyCount = 0
        /// Last in, last out: operations are taken from `next` on, and the array is emptied when it is used up.
        var waiting: [Operation] = []
        var next = 0
        var isClosed = false
        /// Those who wait for the last read to end.
        var closers: [CheckedContinuation<Void, Never>] = []

        var waitingCount: Int { waiting.count - next }

        mutating func takeWaiting() -> Operation? {
            guard next < waiting.count else { return nil }
            let operation = waiting[next]
            next += 1
            if next == waiting.count || next > Readers.waitingMax {
                waiting.removeFirst(next)
                next = 0
            }
            return operation
        }
    }

    private let state: Locked<State>

    init(path: String, count: Int) throws(CatalogError) {
        var idle: [Reader] = []
        for index in 0..<count {
            let connection = try Connection(path: path, createsFile: false)
            try connection.script("PRAGMA query_only = 1")
            idle.append(Reader(connection: connection, queue: DispatchQueue(label: "catalog.reader.\(index)")))
        }
        state = Locked(State(idle: idle))
    }

    /// Runs `body` over one moment of the catalog.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(CatalogError) -> Value
    ) async throws(CatalogError) -> Value {
        let result: Result<Value, CatalogError> = await withCheckedContinuation { continuation in
            enqueue(
                Operation(
                    run: { connection in
                        do throws(CatalogError) {
                            let value = try connection.transaction("BEGIN") { () throws(CatalogError) in
                                try body(connection)
                            }
                            continuation.resume(returning: .success(value))
                        } catch {
                            continuation.resume(returning: .failure(error))
                        }
                    },
                    refuse: { continuation.resume(returning: .failure($0)) }))
        }
        return try result.get()
    }

    /// Finishes the reads that were asked for, then lets go of the connections.
    func close() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                state.isClosed = true
                state.idle = []
                if state.busyCount > 0 { state.closers.append(continuation) }
                return state.busyCount == 0
            }
            if isDone { continuation.resume() }
        }
    }

    private func enqueue(_ operation: Operation) {
        enum Outcome {
            case run(Reader)
            case wait
            case refuse(CatalogError)
        }
        let outcome = state.withLock { state -> Outcome in
            if state.isClosed { return .refuse(CatalogError(.closed, "the catalog is closed")) }
            if let reader = state.idle.popLast() {
                state.busyCount += 1
                return .run(reader)
            }
            guard state.waitingCount < Self.waitingMax else {
                return .refuse(
                    CatalogError(.overloaded, "\(Self.waitingMax) reads of the catalog wait already: try again later"))
            }
            state.waiting.append(operation)
            return .wait
        }
        switch outcome {
        case .run(let reader): reader.queue.async { self.work(operation, on: reader) }
        case .wait: break
        case .refuse(let error): operation.refuse(error)
        }
    }

    /// Runs the operation and those that wait after it.
    private func work(_ operation: Operation, on reader: Reader) {
        var next: Operation? = operation
        while let operation = next {
            operation.run(reader.connection)
            next = nextOperation(for: reader)
        }
    }

    /// What waits, or nil and the reader is idle again.
    private func nextOperation(for reader: Reader) -> Operation? {
        let (operation, closers) = state.withLock { state -> (Operation?, [CheckedContinuation<Void, Never>]) in
            if let operation = state.takeWaiting() { return (operation, []) }
            state.busyCount -= 1
            if !state.isClosed { state.idle.append(reader) }
            guard state.isClosed, state.busyCount == 0 else { return (nil, []) }
            defer { state.closers = [] }
            return (nil, state.closers)
        }
        for closer in closers { closer.resume() }
        return operation
    }
}

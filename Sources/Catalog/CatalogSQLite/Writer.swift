import Base
import Catalog
import Dispatch
import Foundation
import Synchronization

/// The one connection that writes, on a queue of its own.
///
/// Group commit: whatever waits when the queue turns to it becomes one transaction, so that one `fsync` serves all. Where
/// one of them fails, all is undone and done again with each in a savepoint, so that its error undoes only its own. A
/// caller hears of its operation only after the commit.
final class Writer: Sendable {
    /// Operations in one transaction; more wait for the next.
    static let groupMax = 1024
    /// Operations waiting; more are refused.
    static let waitingMax = 16_384

    /// An operation: `run` does it, perhaps twice, and returns what tells the caller, given the error of the commit if
    /// there is one.
    private struct Operation: Sendable {
        let run: @Sendable (Connection) -> Done
        let refuse: @Sendable (CatalogError) -> Void
    }

    private typealias Finish = @Sendable (CatalogError?) -> Void
    private typealias Done = (failed: Bool, finish: Finish)

    private struct State {
        var waiting: [Operation] = []
        var isDraining = false
        var isClosed = false
        /// Why nothing can be written any more.
        var broken: CatalogError?
        var connection: Connection?
        /// Changes when others have written.
        var dataVersion: Int64?
    }

    /// Transactions committed so far: fewer than operations when they come together.
    let commits = Atomic<Int>(0)

    /// What another service that wants to write gets in between; its own look at the lock comes every millisecond.
    private static let courtesyMicroseconds: UInt32 = 1500

    private let queue = DispatchQueue(label: "catalog.writer")
    private let state: Locked<State>

    init(_ connection: Connection) { state = Locked(State(connection: connection)) }

    /// Runs `body` in a transaction, and calls `completion` when it is durable or has failed, on the writer's own queue:
    /// the next group waits until it returns.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(CatalogError) -> Value,
        _ completion: @escaping @Sendable (Result<Value, CatalogError>) -> Void
    ) {
        enqueue(
            Operation(
                run: { connection in
                    let result = Result { () throws(CatalogError) in try body(connection) }
                    let failed = if case .failure = result { true } else { false }
                    return (failed, { error in completion(error.map { .failure($0) } ?? result) })
                },
                refuse: { completion(.failure($0)) }))
    }

    /// The same for callers that await.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(CatalogError) -> Value
    ) async throws(CatalogError) -> Value {
        let result: Result<Value, CatalogError> = await withCheckedContinuation { continuation in
            write(body) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Finishes what waits, then lets go of the connection.
    func close() async {
        state.withLock { $0.isClosed = true }
        await withCheckedContinuation { continuation in
            // The queue is serial, so a drain that is under way or due comes first.
            queue.async {
                self.state.withLock { $0.connection = nil }
                continuation.resume()
            }
        }
    }

    private func enqueue(_ operation: Operation) {
        let refusal = state.withLock { state -> CatalogError? in
            if let broken = state.broken { return broken }
            if state.isClosed { return CatalogError(.closed, "the catalog is closed") }
            guard state.waiting.count < Self.waitingMax else {
                return CatalogError(
                    .overloaded, "\(Self.waitingMax) changes to the catalog wait already: try again later")
            }
            state.waiting.append(operation)
            if !state.isDraining {
                state.isDraining = true
                queue.async { self.drain() }
            }
            return nil
        }
        if let refusal { operation.refuse(refusal) }
    }

    private func drain() {
        while true {
            let (group, connection, broken) = state.withLock { state in
                let group = Array(state.waiting.prefix(Self.groupMax))
                state.waiting.removeFirst(group.count)
                if group.isEmpty { state.isDraining = false }
                return (group, state.connection, state.broken)
            }
            if group.isEmpty { return }
            guard let connection, broken == nil else {
                let error = broken ?? CatalogError(.closed, "the catalog is closed")
                for operation in group { operation.refuse(error) }
                continue
            }
            commit(group, connection)
            letOthersWrite(connection)
        }
    }

    /// SQLite's lock goes to whoever asks first, which would always be the one that just had it.
    private func letOthersWrite(_ connection: Connection) {
        guard let version = try? connection.dataVersion() else { return }
        let isShared = state.withLock { state in
            defer { state.dataVersion = version }
            return state.dataVersion.map { $0 != version } ?? false
        }
        if isShared { usleep(Self.courtesyMicroseconds) }
    }

    private func commit(_ group: [Operation], _ connection: Connection) {
        do {
            try connection.run("BEGIN IMMEDIATE")
        } catch {
            for operation in group { operation.refuse(error) }
            return
        }
        var finishing: [Finish] = []
        for operation in group {
            let (failed, finish) = operation.run(connection)
            guard !failed else {
                if connection.isInTransaction { try? connection.run("ROLLBACK") }
                return commitApart(group[...], connection)
            }
            finishing.append(finish)
        }
        end(finishing, connection)
    }

    /// Each operation in a savepoint. That costs two statements more and a copy of each page that is changed, which those
    /// that succeed, and they are nearly all, can do without.
    private func commitApart(_ group: ArraySlice<Operation>, _ connection: Connection) {
        do {
            try connection.run("BEGIN IMMEDIATE")
        } catch {
            for operation in group { operation.refuse(error) }
            return
        }
        var finishing: [Finish] = []
        for (index, operation) in zip(group.indices, group) {
            let (failed, finish) = Self.inSavepoint(connection, operation)
            finishing.append(finish)
            // A full disk or an I/O error ends the whole transaction: nothing of it is there.
            guard failed, !connection.isInTransaction else { continue }
            let error = CatalogError(.unwritable, "the catalog could not be written: the change was undone")
            for finish in finishing.dropLast() { finish(error) }
            finish(nil)
            let rest = group[(index + 1)...]
            if !rest.isEmpty { commitApart(rest, connection) }
            return
        }
        end(finishing, connection)
    }

    private func end(_ finishing: [Finish], _ connection: Connection) {
        do {
            try connection.run("COMMIT")
            commits.wrappingAdd(1, ordering: .relaxed)
            for finish in finishing { finish(nil) }
        } catch {
            if connection.isInTransaction { try? connection.run("ROLLBACK") }
            // After a failed fsync nobody knows what is on the disk, and asking again would only say that all is well.
            if error.code == .unwritable { state.withLock { $0.broken = error } }
            for finish in finishing { finish(error) }
        }
    }

    private static func inSavepoint(_ connection: Connection, _ operation: Operation) -> Done {
        do {
            try connection.run("SAVEPOINT operation")
            let done = operation.run(connection)
            if !done.failed { try connection.run("RELEASE operation") }
            if done.failed, connection.isInTransaction {
                try? connection.run("ROLLBACK TO operation")
                try? connection.run("RELEASE operation")
            }
            return done
        } catch {
            if connection.isInTransaction { try? connection.run("ROLLBACK TO operation") }
            return (true, { [error] _ in operation.refuse(error) })
        }
    }
}

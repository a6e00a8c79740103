import CPlatform
import Glibc
import Synchronization

/// A value for every core, each behind a lock of its own: for what threads remember to spare themselves work, so that
/// they need not wait for each other to look it up.
///
/// Inlinable, as called through runtime generics it would cost more than most of what is remembered.
package final class PerCore<Value: Sendable>: Sendable {
    @usableFromInline let cells: [Cell]

    @usableFromInline final class Cell: Sendable {
        @usableFromInline let value: Locked<Value>
        // Keeps the next cell out of this one's cache lines.
        private let padding = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

        init(_ value: Value) { self.value = Locked(value) }
    }

    package init(_ initial: Value) { cells = (0..<Cores.rowCount).map { _ in Cell(initial) } }

    /// Runs `body` with the value of the core that the thread is on.
    @inlinable package func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        cells[Cores.currentRow].value.withLock { body(&$0) }
    }
}

/// The processor's cores, as far as keeping them out of each other's way needs to know them.
@usableFromInline enum Cores {
    /// One row a core, a power of two; on machines with more cores than the limit, several share a row.
    static let rowCount: Int = {
        let cores = min(max(sysconf(Int32(_SC_NPROCESSORS_CONF)), 1), 64)
        var rows = 1
        while rows < cores { rows *= 2 }
        return rows
    }()

    /// The row of the core that the thread is on now; it may be on another one the next moment.
    @usableFromInline static var currentRow: Int {
        // -1 where the kernel does not say, which the mask makes the last row.
        Int(vstack_current_core()) & (rowCount - 1)
    }
}

import Base
import Synchronization

/// The sessions that can be asked for, the newest ``countMax`` of them, each that was acknowledged with its line in the
/// journal.
final class SessionStore: Sendable {
    typealias Entry = SessionJournal.Entry

    static let countMax = 10_000

    private struct State {
        var entries: [String: Entry] = [:]
        /// Ids, the oldest first.
        var order: [String] = []
    }

    private let journal: SessionJournal
    private let countMax: Int
    private let state: Locked<State>

    /// - Parameter recovered: what the journal had, the oldest first.
    init(journal: SessionJournal, recovered: [Entry] = [], countMax: Int = SessionStore.countMax) {
        self.journal = journal
        self.countMax = countMax
        state = Locked(
            State(
                entries: Dictionary(recovered.map { ($0.session.id, $0) }) { _, new in new },
                order: recovered.map(\.session.id)))
    }

    func add(_ session: UploadSession) {
        let evicted = state.withLock { state -> [String] in
            state.entries[session.id] = Entry(session: session)
            state.order.append(session.id)
            guard state.order.count > countMax else { return [] }
            let old = state.order.filter { state.entries[$0]?.session.isFinal == true }
                .prefix(state.order.count - countMax)
            state.order.removeAll(where: Set(old).contains)
            for id in old { state.entries[id] = nil }
            return Array(old)
        }
        for id in evicted { journal.remove(id) }
    }

    func session(_ id: String) -> UploadSession? { state.withLock { $0.entries[id]?.session } }

    /// The newest first.
    func recent(_ count: Int) -> [UploadSession] {
        state.withLock { state in state.order.suffix(count).reversed().compactMap { state.entries[$0]?.session } }
    }

    var activeCount: Int { state.withLock { $0.entries.values.count { !$0.session.isFinal } } }

    /// A change that is seen at once. A new status of an acknowledged upload goes to the journal in time, so that a
    /// restart does not begin again where it began.
    func update(_ id: String, _ change: (inout UploadSession) -> Void) {
        state.withLock { state in
            guard let before = state.entries[id]?.session.status else { return }
            change(&state.entries[id]!.session)
            guard let entry = state.entries[id], entry.accepted != nil, entry.session.status != before else { return }
            // Under the lock, so that the journal gets changes in their order.
            journal.post(entry)
        }
    }

    /// A change that survives a kill once this returns.
    func note(_ id: String, _ change: (inout Entry) -> Void) async {
        if let entry = changed(id, change) { await journal.write(entry) }
    }

    /// A change that survives a power failure once this returns.
    /// - Throws: ``Failure`` when the disk does not take it.
    func noteDurably(_ id: String, _ change: (inout Entry) -> Void) async throws(Failure) {
        if let entry = changed(id, change) { try await journal.writeDurably(entry) }
    }

    /// Forgets a session that came to nothing before it was anybody's.
    func remove(_ id: String) {
        state.withLock { state in
            state.entries[id] = nil
            state.order.removeAll { $0 == id }
        }
        journal.remove(id)
    }

    private func changed(_ id: String, _ change: (inout Entry) -> Void) -> Entry? {
        state.withLock { state in
            if state.entries[id] != nil { change(&state.entries[id]!) }
            return state.entries[id]
        }
    }
}

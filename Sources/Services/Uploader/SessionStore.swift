import Base
import Synchronization

/// The sessions that can be asked for, the newest ``countMax`` of them, each with its line in the journal.
final class SessionStore: Sendable {
    static let countMax = 10_000

    private struct State {
        var sessions: [String: UploadSession] = [:]
        /// Ids, the oldest first.
        var order: [String] = []
    }

    private let journal: SessionJournal
    private let countMax: Int
    private let state: Locked<State>

    /// - Parameter recovered: what the journal had, in any order.
    init(journal: SessionJournal, recovered: [UploadSession] = [], countMax: Int = SessionStore.countMax) {
        self.journal = journal
        self.countMax = countMax
        let ordered = recovered.sorted { $0.startedAt < $1.startedAt }
        state = Locked(
            State(
                sessions: Dictionary(ordered.map { ($0.id, $0) }) { _, new in new }, order: ordered.map(\.id)))
    }

    func add(_ session: UploadSession) {
        let evicted = state.withLock { state -> [String] in
            state.sessions[session.id] = session
            state.order.append(session.id)
            guard state.order.count > countMax else { return [] }
            let old = state.order.filter { state.sessions[$0]?.isFinal == true }.prefix(state.order.count - countMax)
            state.order.removeAll(where: Set(old).contains)
            for id in old { state.sessions[id] = nil }
            return Array(old)
        }
        for id in evicted { journal.remove(id) }
    }

    func session(_ id: String) -> UploadSession? { state.withLock { $0.sessions[id] } }

    /// The newest first.
    func recent(_ count: Int) -> [UploadSession] {
        state.withLock { state in state.order.suffix(count).reversed().compactMap { state.sessions[$0] } }
    }

    var activeCount: Int { state.withLock { $0.sessions.values.count { !$0.isFinal } } }

    func update(_ id: String, _ change: (inout UploadSession) -> Void) {
        state.withLock { state in if state.sessions[id] != nil { change(&state.sessions[id]!) } }
    }

    /// A change that must survive a kill.
    func updateDurably(_ id: String, isReported: Bool = true, _ change: (inout UploadSession) -> Void) async {
        update(id, change)
        if let session = session(id) { await journal.write(.init(session: session, isReported: isReported)) }
    }

    /// Forgets a session that came to nothing before it was anybody's.
    func remove(_ id: String) {
        state.withLock { state in
            state.sessions[id] = nil
            state.order.removeAll { $0 == id }
        }
        journal.remove(id)
    }
}

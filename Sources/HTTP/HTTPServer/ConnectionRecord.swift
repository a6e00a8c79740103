import Base
import CPlatform
import Glibc
import Synchronization

/// What the server knows about one TCP connection.
final class ConnectionRecord: Sendable {
    /// Whose turn it is. Only the client's turns can be too slow.
    enum Phase: Int, Sendable {
        /// The client's: the head of a request is awaited.
        case awaitingHead
        /// The client's: a body is arriving.
        case receiving
        /// Ours: a handler works, or we hold the body back.
        case working
        /// The client's: an answer is being taken.
        case sending
    }

    /// One look at a connection: how far its bytes had come, and when.
    struct Mark: Sendable {
        var phase: Phase
        var turn: Int
        var bytes: UInt64
        var time: Double
    }

    private let descriptor: Int32
    private let isOpen = Locked(true)
    /// The phase in the low bits, above them a number that grows with every change: one store on the hot path.
    private let phaseAndTurn = Atomic<Int>(Phase.awaitingHead.rawValue)
    /// The request under way that is answered later, so that a stopping server can find it.
    private let current = Locked<Exchange?>(nil)
    /// The guard's own notes; only its thread looks at them.
    let mark = Locked<Mark?>(nil)

    init(descriptor: Int32) { self.descriptor = descriptor }

    func begin(_ exchange: Exchange) { current.withLock { $0 = exchange } }

    /// The request that was to be answered later is over.
    func endExchange() { current.withLock { $0 = nil } }

    /// Whether a request is under way.
    var isBusy: Bool { phaseAndTurn.load(ordering: .relaxed) & 3 != Phase.awaitingHead.rawValue }

    var exchange: Exchange? { current.withLock { $0 } }

    /// Called by the connection's own server thread, or while the connection is suspended.
    func enter(_ phase: Phase) {
        let turn = (phaseAndTurn.load(ordering: .relaxed) >> 2) &+ 1
        phaseAndTurn.store(turn << 2 | phase.rawValue, ordering: .relaxed)
    }

    /// The phase now, which turn it is, and the bytes that have moved in either direction.
    func observe(time: Double) -> Mark {
        let value = phaseAndTurn.load(ordering: .relaxed)
        var received: UInt64 = 0
        var acknowledged: UInt64 = 0
        isOpen.withLock { isOpen in
            if isOpen { _ = vstack_tcp_progress(descriptor, &received, &acknowledged) }
        }
        return Mark(
            phase: Phase(rawValue: value & 3) ?? .working, turn: value >> 2, bytes: received &+ acknowledged, time: time
        )
    }

    /// An algorithm that every kernel has and lets everybody choose; where it does not, nothing changes.
    func choose(congestionControl name: StaticString) {
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CONGESTION, name.utf8Start, socklen_t(name.utf8CodeUnitCount))
    }

    /// Wakes the connection's own thread if the client has sent its last byte and nothing is left to read.
    ///
    /// The library does not look at a socket again after a read that came up short, until epoll reports it anew; an end
    /// that arrived together with the last bytes was reported with them, and would never be seen.
    func noticeEnd() {
        isOpen.withLock { isOpen in
            var byte: UInt8 = 0
            guard isOpen, recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0 else { return }
            // Changes nothing about a stream that has ended, but makes epoll report it.
            Glibc.shutdown(descriptor, Int32(SHUT_RD))
        }
    }

    /// Ends the connection from another thread: its own thread then sees it closed.
    /// - Returns: whether it was open until now.
    func drop() -> Bool {
        isOpen.withLock { isOpen in
            guard isOpen else { return false }
            isOpen = false
            // What is still queued for a client that does not take it is thrown away at close, not kept trying.
            var reset = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
            Glibc.shutdown(descriptor, Int32(SHUT_RDWR))
            return true
        }
    }

    /// The descriptor is about to be closed and may be reused.
    func close() { isOpen.withLock { $0 = false } }
}

/// Drops connections whose client is too slow or has left: one thread a server, one look a second, nothing on the
/// request's path.
///
/// A client must complete the head of a request within the header timeout, and must move bytes at the least rate,
/// averaged over the idle timeout, while it is its turn.
final class SlowClientGuard: Sendable {
    private let configuration: ServerConfiguration
    private let connections = Locked<[ObjectIdentifier: ConnectionRecord]>([:])
    private let onDrop: @Sendable () -> Void

    init(configuration: ServerConfiguration, onDrop: @escaping @Sendable () -> Void) {
        self.configuration = configuration
        self.onDrop = onDrop
    }

    var connectionCount: Int { connections.withLock { $0.count } }

    var isIdle: Bool { !connections.withLock { $0.values.contains(where: \.isBusy) } }

    var exchangesUnderWay: [Exchange] {
        connections.withLock { Array($0.values) }.compactMap(\.exchange)
    }

    func add(_ record: ConnectionRecord) { connections.withLock { $0[ObjectIdentifier(record)] = record } }

    func remove(_ record: ConnectionRecord) {
        record.close()
        _ = connections.withLock { $0.removeValue(forKey: ObjectIdentifier(record)) }
    }

    /// Looks at every connection once. `now` is in seconds of a clock that only goes forward.
    func sweep(now: Double) {
        for record in connections.withLock({ Array($0.values) }) {
            let seen = record.observe(time: now)
            if seen.phase == .awaitingHead || seen.phase == .receiving { record.noticeEnd() }
            let isTooSlow = record.mark.withLock { mark in
                guard let last = mark, last.turn == seen.turn else {
                    mark = seen
                    return false
                }
                return judge(since: last, seen, &mark)
            }
            if isTooSlow, record.drop() { onDrop() }
        }
    }

    private func judge(
        since last: ConnectionRecord.Mark, _ seen: ConnectionRecord.Mark, _ mark: inout ConnectionRecord.Mark?
    ) -> Bool {
        let elapsed = seen.time - last.time
        switch seen.phase {
        case .working: return false
        case .awaitingHead: return elapsed >= configuration.headerTimeoutSeconds
        case .receiving, .sending:
            guard elapsed >= configuration.idleTimeoutSeconds else { return false }
            mark = seen
            return Double(seen.bytes &- last.bytes) < Double(configuration.bytesPerSecondMin) * elapsed
        }
    }
}

import Base
import CMicrohttpd
import Glibc
import HTTPTypes
import Synchronization

/// An HTTP/1.1 server over libmicrohttpd: a few threads with epoll, each with a listening socket of its own, parsing,
/// answering and sending for many connections. What cannot be answered at once suspends its connection and holds no thread.
package final class HTTPServer: Sendable {
    /// Memory of a connection: the head, and the window through which bodies come and go.
    private static let connectionBytes = 32 * ByteCount.kibibyte

    /// Where it listens; with port 0 asked for, the port that was free.
    package let port: Int

    private let core: ServerCore
    /// One a thread: the library's own pool leaves most connections to whichever thread wakes first.
    private let daemons: Locked<[Daemon]>
    private let sweeper: Sweeper

    /// The library's handle; the mutex around it is its lock.
    private struct Daemon: @unchecked Sendable {
        let handle: OpaquePointer
        /// Holds the core for the library's callbacks.
        let context: Unmanaged<ServerCore>
    }

    /// Opens the port and begins to answer.
    /// - Throws: ``Failure`` that names the port and why it cannot be opened.
    package init(configuration: ServerConfiguration, router: Router, metrics: Metrics, log: Logger) throws(Failure) {
        let core = ServerCore(configuration: configuration, router: router, metrics: metrics, log: log)
        let sockets = try ListeningSocket.group(
            host: configuration.host, port: configuration.port, count: configuration.threads)
        let started = sockets.compactMap { Self.start(core, on: $0.descriptor) }
        port = sockets[0].port
        self.core = core
        daemons = Locked(started)
        sweeper = Sweeper(core)
        guard started.count == sockets.count else {
            stop()
            throw Failure(.internal, "the HTTP server on port \(port) did not start")
        }
    }

    /// Takes no more connections, finishes what is being answered (for as long as the configuration says), and ends.
    /// Idempotent. Blocks: call it from a thread of your own.
    package func stop() {
        let taken = daemons.withLock { daemons in
            defer { daemons = [] }
            return daemons
        }
        guard !taken.isEmpty else { return }
        core.beginStopping()
        let sockets = taken.map { MHD_quiesce_daemon($0.handle) }.filter { $0 >= 0 }
        // Refuses who comes now. The library's thread may still have the number in its hands: it is given back, for others
        // to use, when that thread has ended.
        for socket in sockets { shutdown(socket, CInt(SHUT_RDWR)) }
        wait(seconds: core.configuration.drainSeconds) { core.slowClients.isIdle }
        sweeper.stop()
        // The library must not be stopped while a connection is suspended, not even one whose request came just now.
        core.beginEnding()
        for exchange in core.slowClients.exchangesUnderWay { exchange.forceEnd() }
        wait(seconds: 1) { core.slowClients.exchangesUnderWay.isEmpty }
        for daemon in taken {
            MHD_stop_daemon(daemon.handle)
            daemon.context.release()
        }
        for socket in sockets { close(socket) }
    }

    private func wait(seconds: Double, until isDone: () -> Bool) {
        let deadline = ServerCore.monotonicSeconds() + seconds
        while !isDone(), ServerCore.monotonicSeconds() < deadline { usleep(2_000) }
    }

    private static func start(_ core: ServerCore, on socket: Int32) -> Daemon? {
        let context = Unmanaged.passRetained(core)
        let pointer = context.toOpaque()
        let completed: MHD_RequestCompletedCallback = { _, _, slot, _ in
            guard let handler = slot?.pointee else { return }
            slot?.pointee = nil
            Unmanaged<RequestHandler>.fromOpaque(handler)._withUnsafeGuaranteedRef { $0.completed() }
        }
        let notify: MHD_NotifyConnectionCallback = { context, connection, slot, event in
            HTTPServer.notify(context, connection, slot, event)
        }
        // Paths and queries are decoded here, piece by piece, so that an encoded slash or NUL forges nothing.
        let unescape: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<CChar>?) -> Int = {
            _, _, text in text.map { strlen($0) } ?? 0
        }
        let configuration = core.configuration
        let options: [MHD_OptionItem] = [
            item(.LISTEN_SOCKET, Int(socket)),
            item(.CONNECTION_LIMIT, max(configuration.connectionsMax / configuration.threads, 1)),
            item(.CONNECTION_MEMORY_LIMIT, connectionBytes),
            item(.CONNECTION_MEMORY_INCREMENT, connectionBytes / 4),
            item(.SIGPIPE_HANDLED_BY_APP, 1),
            item(.NOTIFY_COMPLETED, unsafeBitCast(completed, to: Int.self), pointer),
            item(.NOTIFY_CONNECTION, unsafeBitCast(notify, to: Int.self), pointer),
            item(.UNESCAPE_CALLBACK, unsafeBitCast(unescape, to: Int.self), pointer),
            item(.END, 0),
        ]
        let flags = MHD_USE_EPOLL_INTERNAL_THREAD.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue | MHD_USE_TURBO.rawValue
        let handle = options.withUnsafeBufferPointer { options in
            vstack_mhd_start(flags, 0, accessHandler, pointer, options.baseAddress)
        }
        guard let handle else {
            context.release()
            return nil
        }
        return Daemon(handle: handle, context: context)
    }

    private static func item(_ option: MHD_OPTION, _ value: Int, _ pointer: UnsafeMutableRawPointer? = nil)
        -> MHD_OptionItem
    {
        MHD_OptionItem(option: option, value: value, ptr_value: pointer)
    }

    /// `slot` is null in the first call for a request, and then names the connection's handler until it is completed.
    private static let accessHandler: MHD_AccessHandlerCallback = { _, connection, url, method, _, data, size, slot in
        guard let connection, let url, let method, let size, let slot else { return .NO }
        if let handler = slot.pointee {
            // Kept by the connection, so nothing is counted here.
            return Unmanaged<RequestHandler>.fromOpaque(handler)._withUnsafeGuaranteedRef { handler in
                guard size.pointee > 0 else { return handler.endOfRequest() }
                let bytes = UnsafeRawBufferPointer(start: data, count: size.pointee)
                size.pointee = 0
                return handler.receive(bytes)
            }
        }
        guard let handler = vstack_mhd_socket_context(connection) else { return .NO }
        slot.pointee = handler
        return Unmanaged<RequestHandler>.fromOpaque(handler)._withUnsafeGuaranteedRef {
            $0.begin(url: url, method: method)
        }
    }

    private static func notify(
        _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
        _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ event: MHD_ConnectionNotificationCode
    ) {
        guard let context, let connection, let slot else { return }
        let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
        if event == .CONNECTION_NOTIFY_STARTED {
            let handler = RequestHandler(server: core, connection: connection)
            slot.pointee = Unmanaged.passRetained(handler).toOpaque()
            core.slowClients.add(handler.record)
            // The system's own choice is made for networks: BBR spreads packets over time by timers, which on a way
            // without loss or queues only costs: a third of the kernel's time for 2 MiB, see docs/decisions/006.
            if vstack_mhd_is_local(connection) { handler.record.choose(congestionControl: "reno") }
        } else if let handler = slot.pointee {
            slot.pointee = nil
            core.slowClients.remove(Unmanaged<RequestHandler>.fromOpaque(handler).takeRetainedValue().record)
        }
    }
}

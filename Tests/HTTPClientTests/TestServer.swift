import Base
import Foundation
import Synchronization

/// A server of a few lines: each connection gets a thread that runs the test's own idea of HTTP.
final class TestServer: Sendable {
    private struct State {
        var connections: [Int32] = []
        var count = 0
        var isStopped = false
    }

    let port: Int
    private let listener: Int32
    private let state = Locked(State())

    init(backlog: Int32 = 128, _ handler: @escaping @Sendable (TestPeer) -> Void) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && listen(descriptor, backlog) == 0
                    && getsockname(descriptor, address, &size) == 0
            }
        }
        guard bound else { throw CocoaError(.fileReadUnknown) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in acceptAll(handler) }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// Connections that were ever accepted.
    var connectionCount: Int { state.withLock { $0.count } }

    func stop() {
        state.withLock { state in
            state.isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    private func acceptAll(_ handler: @escaping @Sendable (TestPeer) -> Void) {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            let number = state.withLock { state in
                if state.isStopped { shutdown(connection, Int32(SHUT_RDWR)) }
                state.connections.append(connection)
                state.count += 1
                return state.count
            }
            Thread.detachNewThread { [self] in
                handler(TestPeer(connection, number: number))
                state.withLock { $0.connections.removeAll { $0 == connection } }
                close(connection)
            }
        }
        close(listener)
    }
}

/// One connection, seen from the server. It belongs to its thread.
final class TestPeer {
    let number: Int
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    // POLLRDHUP, which Glibc does not show to Swift.
    private static let clientClosedItsEnd: Int16 = 0x2000

    init(_ descriptor: Int32, number: Int) {
        self.descriptor = descriptor
        self.number = number
    }

    /// The next request's head; nil when the client left.
    func readHead() -> String? {
        while true {
            let text = String(decoding: buffer, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                buffer.removeFirst(text[..<end.upperBound].utf8.count)
                return String(text[..<end.lowerBound])
            }
            guard fill() else { return nil }
        }
    }

    /// The next `count` bytes, fewer when the client left.
    func read(_ count: Int) -> [UInt8] {
        while buffer.count < count, fill() {}
        let bytes = Array(buffer.prefix(count))
        buffer.removeFirst(bytes.count)
        return bytes
    }

    /// A body in chunked transfer encoding.
    func readChunked() -> [UInt8] {
        var body: [UInt8] = []
        while true {
            var line = ""
            while !line.hasSuffix("\r\n") {
                let byte = read(1)
                guard !byte.isEmpty else { return body }
                line += String(decoding: byte, as: UTF8.self)
            }
            let size = Int(line.dropLast(1), radix: 16) ?? 0
            body += read(size)
            _ = read(2)
            if size == 0 { return body }
        }
    }

    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    func answer(_ status: String = "200 OK", _ body: String = "ok", headers: String = "") {
        write("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
    }

    /// Waits until the client has closed its end.
    func waitForClose() { while fill() { buffer.removeAll() } }

    /// Neither reads nor closes until the client closes or the server is stopped.
    func holdOpen() {
        var entry = pollfd(fd: descriptor, events: Self.clientClosedItsEnd, revents: 0)
        poll(&entry, 1, -1)
    }

    /// Whether the client's side takes bytes again within that time.
    func isWritable(withinMilliseconds time: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, time) > 0
    }

    /// Closes so that the client's kernel sees a reset.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    private func fill() -> Bool {
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count > 0 else { return false }
        buffer += piece[..<count]
        return true
    }
}

/// Something that is awaited by a test and set by a server's thread, or the other way round.
final class Signal: Sendable {
    private let condition = NSCondition()
    private let isSet = Locked(false)

    func set() {
        condition.lock()
        isSet.withLock { $0 = true }
        condition.broadcast()
        condition.unlock()
    }

    /// For a server's thread.
    func waitBlocking() {
        condition.lock()
        while !isSet.withLock({ $0 }) { condition.wait() }
        condition.unlock()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                self.waitBlocking()
                continuation.resume()
            }
        }
    }
}

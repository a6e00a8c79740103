import Foundation

/// A TCP connection on which a test writes and reads what it likes. Blocking, with a bound on every wait.
final class RawConnection {
    private let socket: Int32
    private var buffered: [UInt8] = []
    /// Kept alive for as long as the connection is used.
    private let server: any AnyObject

    struct Failed: Error {}

    struct Answer {
        let status: Int
        let headers: [String: String]
        let body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    init(port: Int, of server: any AnyObject) throws {
        self.server = server
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var bound = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &bound, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &bound, socklen_t(MemoryLayout<timeval>.size))
        if connected != 0 { throw Failed() }
    }

    deinit { Foundation.close(socket) }

    func close() { Foundation.shutdown(socket, Int32(SHUT_RDWR)) }

    /// Sends no more, and still reads.
    func endSending() { Foundation.shutdown(socket, Int32(SHUT_WR)) }

    func shrinkReceiveBuffer() {
        var size: Int32 = 4_096
        setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// - Returns: how many of the bytes could be sent before the other side closed.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Int {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return sent }
            sent += count
        }
        return sent
    }

    @discardableResult
    func send(_ text: String) -> Int { send(Array(text.utf8)) }

    /// - Returns: whether the other side closed (or reset) instead of sending more.
    func isClosedByPeer() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(socket, &bytes, bytes.count, 0)
            if count == 0 || (count < 0 && errno != EAGAIN) { return true }
            if count < 0 { return false }
        }
    }

    func line() throws -> String {
        var text: [UInt8] = []
        while true {
            let byte = try byte()
            if byte == UInt8(ascii: "\n") { return String(decoding: text.filter { $0 != 13 }, as: UTF8.self) }
            text.append(byte)
        }
    }

    func answer(hasBody: Bool = true) throws -> Answer {
        let status = Int(try line().split(separator: " ")[1]) ?? 0
        var headers: [String: String] = [:]
        while case let line = try line(), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        var body: [UInt8] = []
        if hasBody, headers["transfer-encoding"] == "chunked" {
            while case let size = Int(try line(), radix: 16) ?? 0, size > 0 {
                for _ in 0..<size { body.append(try byte()) }
                _ = try line()
            }
            _ = try line()
        } else if hasBody, let length = headers["content-length"].flatMap({ Int($0) }) {
            for _ in 0..<length { body.append(try byte()) }
        }
        return Answer(status: status, headers: headers, body: body)
    }

    func byte() throws -> UInt8 {
        if buffered.isEmpty {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(socket, &chunk, chunk.count, 0)
            guard count > 0 else { throw Failed() }
            buffered = chunk[..<count].reversed()
        }
        return buffered.removeLast()
    }
}

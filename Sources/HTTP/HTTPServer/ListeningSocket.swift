import Base
import Glibc

/// A TCP socket that listens, made here rather than by the library so that what goes wrong can be said in words.
struct ListeningSocket {
    let descriptor: Int32
    let port: Int

    private static let backlog: Int32 = 1_024

    /// Sockets that share one port, among which the kernel spreads the connections.
    static func group(host: String, port: Int, count: Int) throws(Failure) -> [ListeningSocket] {
        // Two programs that both share their ports would not notice each other, so the first socket begins to listen as
        // one that does not, and is shared only then: whoever comes meanwhile, or later, finds the port in use.
        var sockets = [try ListeningSocket(host: host, port: port, isShared: false)]
        sockets[0].share()
        do {
            while sockets.count < count {
                sockets.append(try ListeningSocket(host: host, port: sockets[0].port, isShared: true))
            }
            return sockets
        } catch {
            for socket in sockets { close(socket.descriptor) }
            throw error
        }
    }

    private init(host: String, port: Int, isShared: Bool) throws(Failure) {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let name = host == "localhost" ? "127.0.0.1" : host
        guard getaddrinfo(name, String(port), &hints, &list) == 0, let address = list else {
            throw Failure(.invalidArgument, "'\(host)' is not an address of this machine: set HOST to one that is")
        }
        defer { freeaddrinfo(list) }
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let socket = Glibc.socket(address.pointee.ai_family, type, 0)
        guard socket >= 0 else { throw Failure(.internal, "no socket could be opened: \(Self.reason(errno))") }
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        if isShared { Self.share(socket) }
        guard bind(socket, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0, listen(socket, Self.backlog) == 0
        else {
            let code = errno
            close(socket)
            throw Self.failure(code, host: host, port: port)
        }
        descriptor = socket
        self.port = Self.boundPort(of: socket) ?? port
    }

    private func share() { Self.share(descriptor) }

    private static func share(_ socket: Int32) {
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func failure(_ code: Int32, host: String, port: Int) -> Failure {
        switch code {
        case EADDRINUSE:
            Failure(
                .unavailable,
                "port \(port) on \(host) is in use: stop the program that has it, or choose other ports "
                    + "(PORT, or --port-offset for all)")
        case EACCES:
            Failure(.forbidden, "port \(port) on \(host) may not be opened by this user: choose a port above 1023")
        case EADDRNOTAVAIL:
            Failure(.invalidArgument, "'\(host)' is not an address of this machine: set HOST to one that is")
        default: Failure(.unavailable, "port \(port) on \(host) cannot be opened: \(reason(code))")
        }
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }

    private static func boundPort(of socket: Int32) -> Int? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let found = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
        }
        guard found == 0 else { return nil }
        // The port lies at the same place in sockaddr_in and sockaddr_in6.
        return withUnsafeBytes(of: storage) { Int(UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self))) }
    }
}

import Base
import Foundation

/// Where a server listens and what it puts up with.
package struct ServerConfiguration: Sendable {
    /// An IP address, or `localhost`.
    package var host = "127.0.0.1"
    /// 0 takes any free port.
    package var port = 0
    /// Threads that parse, answer and send. Each serves many connections.
    package var threads = 2
    package var connectionsMax = 2_048
    /// Bytes of the request line and header fields together; more is 431.
    package var headerBytesMax = 16 * ByteCount.kibibyte
    /// How long a connection may wait for the head of its next request to be complete, idle time included.
    package var headerTimeoutSeconds = 30.0
    /// How long a client may leave a request or an answer without progress.
    package var idleTimeoutSeconds = 30.0
    /// What a client must send or take while a body is under way, averaged over the idle timeout.
    package var bytesPerSecondMin = 512
    /// How long a stopping server waits for answers under way.
    package var drainSeconds = 8.0
    package var crossOrigin = CrossOriginPolicy()
    /// Under which name errors say their `detail` a second time.
    package var errorKey: String?

    package init() {}

    /// - Throws: ``Failure`` that names the setting that is out of range.
    package init(settings: Settings, defaultPort: Int) throws(Failure) {
        host = settings.text("HOST", default: host)
        port = try settings.integer("PORT", default: defaultPort, in: 0...65_535)
        connectionsMax = try settings.integer("HTTP_MAX_CONNECTIONS", default: connectionsMax, in: 8...1_000_000)
        headerTimeoutSeconds = try settings.number(
            "HTTP_HEADER_TIMEOUT", default: headerTimeoutSeconds, in: 0.1...86_400)
        idleTimeoutSeconds = try settings.number("HTTP_IDLE_TIMEOUT", default: idleTimeoutSeconds, in: 0.1...86_400)
        bytesPerSecondMin = try settings.integer("HTTP_MIN_RATE", default: bytesPerSecondMin)
        drainSeconds = try settings.number("HTTP_DRAIN_SECONDS", default: drainSeconds, in: 0...600)
        crossOrigin = CrossOriginPolicy(allowed: settings.list("CORS_ALLOWED_ORIGINS"))
    }
}

/// Which pages of other origins may use the API from a browser (Fetch Standard, CORS).
///
/// A page served under the same host name as the request's, on whatever port, may: that is how the roles' pages reach
/// each other's ports. Others must be named in `CORS_ALLOWED_ORIGINS`; `*` there allows every page.
package struct CrossOriginPolicy: Sendable {
    private let allowed: Set<String>

    package init(allowed: [String] = []) { self.allowed = Set(allowed) }

    /// Whether a page of `origin` may read the answer to a request that was sent to `host`.
    package func allows(origin: String, host: String?) -> Bool {
        if allowed.contains("*") || allowed.contains(origin) { return true }
        guard let separator = origin.range(of: "://"), let host else { return false }
        let originName = Self.name(ofAuthority: origin[separator.upperBound...])
        let hostName = Self.name(ofAuthority: host[...])
        return originName == hostName || (Self.loopback.contains(originName) && Self.loopback.contains(hostName))
    }

    private static let loopback: Set<String> = ["localhost", "127.0.0.1", "[::1]"]

    private static func name(ofAuthority authority: Substring) -> String {
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]").map(authority.index(after:)) : nil
        let name = end.map { authority[..<$0] } ?? authority.prefix { $0 != ":" }
        return name.lowercased()
    }
}

import Base

/// The address of a service: `http(s)://host[:port][/prefix]`.
///
/// Only characters that a URL may hold are let in, so that the text can stand in a header.
struct ServiceURL: Sendable, Equatable {
    let scheme: String
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    let host: String
    let port: Int?
    /// Empty, or beginning with `/` and not ending with it.
    let prefix: String

    /// - Parameter setting: the name of the setting that holds `text`, for the error.
    init(_ text: String, setting: String) throws(Failure) {
        guard let parsed = Self.parse(text) else {
            throw Failure(
                .invalidArgument,
                "\(setting) is '\(text.prefix(80))': it must be the address of a service, such as http://localhost:8080"
            )
        }
        self = parsed
    }

    private init(scheme: String, host: String, port: Int?, prefix: String) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.prefix = prefix
    }

    /// Scheme, host and port: what a content security policy names.
    var origin: String { "\(scheme)://\(host)" + (port.map { ":\($0)" } ?? "") }

    var text: String { origin + prefix }

    /// Whether only this machine can use the address.
    var isLoopback: Bool { host == "localhost" || host == "[::1]" || host.hasPrefix("127.") }

    /// The address as a browser must use it that reached this site by the `Host` header `browserHost`: a loopback
    /// address means "the machine the page came from" there.
    func reachable(from browserHost: String?) -> ServiceURL {
        guard isLoopback, let browserHost, let authority = Self.parseAuthority(browserHost) else { return self }
        return ServiceURL(scheme: scheme, host: authority.host, port: port, prefix: prefix)
    }

    private static func parse(_ text: String) -> ServiceURL? {
        guard let scheme = ["http", "https"].first(where: { text.hasPrefix("\($0)://") }) else { return nil }
        let rest = text.dropFirst(scheme.count + 3)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var prefix = rest[slash...]
        while prefix.last == "/" { prefix.removeLast() }
        guard prefix.utf8.allSatisfy(isPathByte), let authority = parseAuthority(rest[..<slash]) else { return nil }
        return ServiceURL(scheme: scheme, host: authority.host, port: authority.port, prefix: String(prefix))
    }

    private static func parseAuthority(_ text: some StringProtocol) -> (host: String, port: Int?)? {
        let hostEnd: String.Index
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { return nil }
            hostEnd = text.index(after: bracket)
            let address = text[text.index(after: text.startIndex)..<bracket]
            guard !address.isEmpty, address.utf8.allSatisfy({ Hex.value(of: $0) != nil || $0 == UInt8(ascii: ":") })
            else { return nil }
        } else {
            hostEnd = text.firstIndex(of: ":") ?? text.endIndex
            guard hostEnd > text.startIndex, text[..<hostEnd].utf8.allSatisfy(isNameByte) else { return nil }
        }
        let host = String(text[..<hostEnd])
        guard hostEnd < text.endIndex else { return (host, nil) }
        guard text[hostEnd] == ":", let port = UInt16(text[text.index(after: hostEnd)...]), port > 0 else { return nil }
        return (host, Int(port))
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isPathByte(_ byte: UInt8) -> Bool { isNameByte(byte) || byte == UInt8(ascii: "/") }
}

import Base
import CMicrohttpd
import Glibc
import HTTPTypes

/// The head of a connection's present request as it lies in the library's memory: valid on the server's own thread
/// during one callback.
final class ConnectionView: RequestView {
    let connection: OpaquePointer
    var parameters = PathParameters()
    private(set) var method = HTTPMethod.get
    private let server: ServerCore
    /// The path as the library gave it; nil between requests.
    private var url: UnsafePointer<CChar>?
    private var madeID: String?

    init(_ connection: OpaquePointer, server: ServerCore) {
        self.connection = connection
        self.server = server
    }

    func begin(_ method: HTTPMethod, url: UnsafePointer<CChar>) {
        self.method = method
        self.url = url
    }

    func end() {
        url = nil
        madeID = nil
        parameters = PathParameters()
    }

    var path: String { url.map { String(cString: $0) } ?? "" }

    /// The path's bytes, without a copy.
    var pathBytes: UnsafeBufferPointer<UInt8> {
        guard let url else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: url, count: strlen(url)).assumingMemoryBound(to: UInt8.self)
    }

    /// What the client calls the request, or else a name of our own.
    var id: String {
        if let madeID { return madeID }
        let made = clientID ?? server.makeRequestID()
        madeID = made
        return made
    }

    /// The id the client sent, when it is one that can go into logs as it is.
    var clientID: String? {
        guard let value = field("X-Request-ID") else { return nil }
        let length = strnlen(value, 65)
        guard (1...64).contains(length) else { return nil }
        let bytes = UnsafeRawBufferPointer(start: value, count: length)
        let isPlain = bytes.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (48...57).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        }
        return isPlain ? String(cString: value) : nil
    }

    /// The library does not look at a length that stands beside a transfer encoding, which overrules it; neither may we.
    var contentLength: Int? {
        guard field("Transfer-Encoding") == nil else { return nil }
        return header("Content-Length").flatMap { Int($0) }
    }

    func header(_ name: String) -> String? { field(name).map { String(cString: $0) } }

    /// A field's value where it lies.
    func field(_ name: String) -> UnsafePointer<CChar>? {
        // Passed as it is, the string would be copied to the heap for every look.
        name.withCString { MHD_lookup_connection_value(connection, .HEADER_KIND, $0) }
    }

    func query(_ name: String) -> String? {
        for (key, value) in values(of: .GET_ARGUMENT_KIND)
        where PercentEncoding.decode(key, plusIsSpace: true) == name {
            return PercentEncoding.decode(value, plusIsSpace: true)
        }
        return nil
    }

    func snapshot() -> Request {
        Request(
            method: method, path: path, parameters: parameters, id: id,
            headers: HTTPHeaders(values(of: .HEADER_KIND)),
            queryItems: values(of: .GET_ARGUMENT_KIND).map {
                (
                    PercentEncoding.decode($0.name, plusIsSpace: true),
                    PercentEncoding.decode($0.value, plusIsSpace: true)
                )
            })
    }

    private func values(of kind: MHD_ValueKind) -> [(name: String, value: String)] {
        typealias List = [(name: String, value: String)]
        var list: List = []
        withUnsafeMutablePointer(to: &list) { pointer in
            _ = MHD_get_connection_values(
                connection, kind,
                { context, _, name, value in
                    let list = context!.assumingMemoryBound(to: List.self)
                    list.pointee.append(
                        (name.map { String(cString: $0) } ?? "", value.map { String(cString: $0) } ?? ""))
                    return .YES
                }, pointer)
        }
        return list
    }
}

import Base
import CMicrohttpd
import HTTPTypes

/// The head of a request as it lies in the library's memory: valid on the server's own thread during one callback.
struct ConnectionView: RequestView {
    let connection: OpaquePointer
    let method: HTTPMethod
    /// The path as the library gave it.
    let url: UnsafePointer<CChar>
    let id: String
    var parameters = PathParameters()

    var path: String { String(cString: url) }

    /// The library does not look at a length that stands beside a transfer encoding, which overrules it; neither may we.
    var contentLength: Int? {
        guard header("Transfer-Encoding") == nil else { return nil }
        return header("Content-Length").flatMap { Int($0) }
    }

    func header(_ name: String) -> String? {
        guard let value = MHD_lookup_connection_value(connection, .HEADER_KIND, name) else { return nil }
        return String(cString: value)
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

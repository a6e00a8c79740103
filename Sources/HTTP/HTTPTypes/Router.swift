import Base

/// The handlers of a service, found by method and path.
///
/// A pattern is a path whose segments are literal or `{name}`, which captures one segment; a last `{name:path}`
/// captures the rest, slashes included. A literal wins over a placeholder. A path that is known under other methods
/// is 405 with `Allow`; HEAD is answered by GET's handler unless it has its own.
package struct Router: Sendable {
    package typealias Handler = @Sendable (any RequestView) throws -> Reply

    package enum Match: Sendable {
        case found(Handler, PathParameters)
        case methodNotAllowed(allow: [HTTPMethod])
        case notFound
    }

    /// A documented route.
    package struct Route: Sendable {
        package let method: HTTPMethod
        package let pattern: String
        package let summary: String
    }

    /// What stands at one place of the tree for each method. Few, so a walk over them is faster than hashing.
    private struct Handlers: Sendable {
        private var entries: [Entry] = []

        // A struct, as a closure in a tuple or an optional is wrapped in another one on the heap.
        struct Entry: Sendable {
            let method: HTTPMethod
            let handler: Handler
        }

        var isEmpty: Bool { entries.isEmpty }

        subscript(method: HTTPMethod) -> Entry? {
            for entry in entries where entry.method == method { return entry }
            return nil
        }

        func adding(_ method: HTTPMethod, _ handler: @escaping Handler, pattern: String) -> Handlers {
            precondition(self[method] == nil, "two routes for \(method.rawValue) \(pattern)")
            var added = self
            added.entries.append(Entry(method: method, handler: handler))
            return added
        }
    }

    /// A place in the tree of segments. Built once, then only read.
    private final class Node: Sendable {
        /// Few a place, so a walk over them is faster than hashing.
        let literals: [(text: [UInt8], node: Node)]
        let placeholder: (name: String, node: Node)?
        let rest: (name: String, handlers: Handlers)?
        let handlers: Handlers

        init(
            literals: [(text: [UInt8], node: Node)] = [], placeholder: (name: String, node: Node)? = nil,
            rest: (name: String, handlers: Handlers)? = nil, handlers: Handlers = Handlers()
        ) {
            self.literals = literals
            self.placeholder = placeholder
            self.rest = rest
            self.handlers = handlers
        }
    }

    /// Every route, in order of registration.
    package private(set) var routes: [Route] = []
    private var root = Node()

    package init() {}

    /// Adds a route. `summary` is what `/docs` says of it; an empty one keeps the route out of there.
    package mutating func add(
        _ method: HTTPMethod, _ pattern: String, _ summary: String, handler: @escaping Handler
    ) {
        let segments = Self.segments(of: pattern)
        root = Self.inserting(handler, method, segments[...], pattern, into: root)
        routes.append(Route(method: method, pattern: pattern, summary: summary))
    }

    /// Adds a route that is answered from a task and reads no body.
    package mutating func task(
        _ method: HTTPMethod, _ pattern: String, _ summary: String,
        handler: @escaping @Sendable (Request) async throws -> Response
    ) {
        add(method, pattern, summary) { view in
            let request = view.snapshot()
            return .task { try await handler(request) }
        }
    }

    /// Adds a route about one video that is answered from a task and reads no body.
    /// - Parameter parameter: the placeholder of the pattern that is the video's id.
    package mutating func video(
        _ method: HTTPMethod, _ pattern: String, _ summary: String, id parameter: String = "video_id",
        handler: @escaping @Sendable (VideoID) async throws -> Response
    ) {
        add(method, pattern, summary) { view in
            let id = try view.videoID(parameter)
            return .task { try await handler(id) }
        }
    }

    /// Adds a route that takes a JSON body of up to 1 MiB and is answered from a task.
    package mutating func json<Body: Decodable & Sendable>(
        _ method: HTTPMethod, _ pattern: String, _ summary: String, _ type: Body.Type,
        limit: Int = ByteCount.mebibyte, handler: @escaping @Sendable (Request, Body) async throws -> Response
    ) {
        add(method, pattern, summary) { view in
            let request = view.snapshot()
            return .body(limit: limit) { bytes in
                try await handler(request, try JSON.decode(type, from: bytes))
            }
        }
    }

    /// - Parameter path: as it came, still percent-encoded, so that an encoded slash cannot forge a segment; what is
    ///   captured is decoded. A trailing slash is ignored.
    package func match(_ method: HTTPMethod, _ path: String) -> Match {
        var path = path
        return path.withUTF8 { match(method, $0) }
    }

    /// The same for a path that lies in memory as UTF-8.
    package func match(_ method: HTTPMethod, _ path: UnsafeBufferPointer<UInt8>) -> Match {
        var parameters = PathParameters()
        guard let handlers = Self.find(path[...], root, &parameters) else { return .notFound }
        if let entry = handlers[method] { return .found(entry.handler, parameters) }
        if method == .head, let entry = handlers[.get] { return .found(entry.handler, parameters) }
        var allow = HTTPMethod.allCases.filter { handlers[$0] != nil || $0 == .options }
        if handlers[.get] != nil, handlers[.head] == nil { allow.append(.head) }
        return .methodNotAllowed(allow: allow.sorted { $0.rawValue < $1.rawValue })
    }

    private static func segments(of path: String) -> [Substring] { path.split(separator: "/") }

    private static func find(
        _ path: Slice<UnsafeBufferPointer<UInt8>>, _ node: Node, _ captured: inout PathParameters
    ) -> Handlers? {
        let slash = UInt8(ascii: "/")
        guard let start = path.firstIndex(where: { $0 != slash }) else {
            return node.handlers.isEmpty ? nil : node.handlers
        }
        let end = path[start...].firstIndex(of: slash) ?? path.endIndex
        let segment = path[start..<end]
        for (text, next) in node.literals where text.count == segment.count && text.elementsEqual(segment) {
            if let found = find(path[end...], next, &captured) { return found }
        }
        if let (name, next) = node.placeholder {
            captured.append((name, decoded(segment)))
            if let found = find(path[end...], next, &captured) { return found }
            captured.removeLast()
        }
        guard let (name, handlers) = node.rest else { return nil }
        captured.append((name, decoded(path[start...])))
        return handlers
    }

    private static func decoded(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> String {
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes), as: UTF8.self)
        return bytes.contains(UInt8(ascii: "%")) ? PercentEncoding.decode(text) : text
    }

    private static func inserting(
        _ handler: @escaping Handler, _ method: HTTPMethod, _ segments: ArraySlice<Substring>, _ pattern: String,
        into node: Node
    ) -> Node {
        var literals = node.literals
        var placeholder = node.placeholder
        var rest = node.rest
        var handlers = node.handlers
        let remaining = segments.dropFirst()
        switch segments.first.map(Segment.init) {
        case nil: handlers = handlers.adding(method, handler, pattern: pattern)
        case .literal(let text):
            let bytes = Array(text.utf8)
            let place = literals.firstIndex { $0.text == bytes }
            let next = inserting(handler, method, remaining, pattern, into: place.map { literals[$0].node } ?? Node())
            if let place { literals[place].node = next } else { literals.append((bytes, next)) }
        case .placeholder(let name):
            precondition(placeholder == nil || placeholder?.name == name, "\(pattern): another name at the same place")
            placeholder = (name, inserting(handler, method, remaining, pattern, into: placeholder?.node ?? Node()))
        case .rest(let name):
            precondition(remaining.isEmpty, "\(pattern): nothing may follow {\(name):path}")
            rest = (name, (rest?.handlers ?? Handlers()).adding(method, handler, pattern: pattern))
        }
        return Node(literals: literals, placeholder: placeholder, rest: rest, handlers: handlers)
    }

    private enum Segment {
        case literal(String)
        case placeholder(String)
        case rest(String)

        init(_ text: Substring) {
            guard text.hasPrefix("{"), text.hasSuffix("}") else {
                self = .literal(String(text))
                return
            }
            let name = text.dropFirst().dropLast()
            self = name.hasSuffix(":path") ? .rest(String(name.dropLast(5))) : .placeholder(String(name))
        }
    }
}

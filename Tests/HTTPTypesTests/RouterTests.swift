import HTTPTypes
import Testing

@Suite struct RouterTests {
    /// A router whose handlers answer with the pattern they were added under.
    private static func router(_ routes: [(HTTPMethod, String)]) -> Router {
        var router = Router()
        for (method, pattern) in routes {
            router.add(method, pattern, "summary of \(pattern)") { _ in .respond(.text("\(method.rawValue) \(pattern)"))
            }
        }
        return router
    }

    private let router = Self.router([
        (.get, "/"), (.get, "/videos"), (.post, "/videos"), (.get, "/video/{id}"), (.delete, "/video/{id}"),
        (.get, "/video/latest"), (.get, "/video/{id}/chunk/{number}"), (.head, "/ping"), (.get, "/ping"),
        (.get, "/stream/{id}/{quality}/playlist.m3u8"), (.get, "/stream/{id}/original"),
        (.get, "/stream/{id}/{asset:path}"), (.put, "/stream/{id}/{asset:path}"),
    ])

    /// What the match says, in words.
    private func answer(_ method: HTTPMethod, _ path: String) throws -> String {
        switch router.match(method, path) {
        case .notFound: return "404"
        case .methodNotAllowed(let allow): return "405 " + allow.map(\.rawValue).joined(separator: ",")
        case .found(let handler, let parameters):
            let request = Request(method: method, path: path, parameters: parameters)
            guard case .respond(let response) = try handler(request), case .bytes(let bytes) = response.body else {
                return "other"
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    @Test(
        "a path finds its pattern, a literal before a placeholder, a placeholder before the rest",
        arguments: [
            ("/", "GET /"), ("/videos", "GET /videos"), ("/videos/", "GET /videos"), ("//videos", "GET /videos"),
            ("/video/7", "GET /video/{id}"), ("/video/latest", "GET /video/latest"),
            ("/video/7/chunk/3", "GET /video/{id}/chunk/{number}"),
            ("/stream/7/original", "GET /stream/{id}/original"),
            ("/stream/7/1080p/playlist.m3u8", "GET /stream/{id}/{quality}/playlist.m3u8"),
            ("/stream/7/1080p/other", "GET /stream/{id}/{asset:path}"),
            ("/stream/7/original/extra", "GET /stream/{id}/{asset:path}"),
            ("/video", "404"), ("/video/7/chunk", "404"), ("/stream/7", "404"), ("/nothing", "404"), ("", "GET /"),
        ])
    func finds(path: String, expected: String) throws {
        #expect(try answer(.get, path) == expected)
    }

    @Test("a known path under another method is 405 and says which it takes")
    func methodNotAllowed() throws {
        #expect(try answer(.put, "/videos") == "405 GET,HEAD,OPTIONS,POST")
        #expect(try answer(.post, "/video/7") == "405 DELETE,GET,HEAD,OPTIONS")
        #expect(try answer(.post, "/ping") == "405 GET,HEAD,OPTIONS")
        #expect(try answer(.delete, "/stream/7/a/b") == "405 GET,HEAD,OPTIONS,PUT")
        #expect(try answer(.delete, "/nothing") == "404")
    }

    @Test("HEAD goes to GET's handler unless it has its own")
    func head() throws {
        #expect(try answer(.head, "/videos") == "GET /videos")
        #expect(try answer(.head, "/ping") == "HEAD /ping")
    }

    @Test("placeholders capture one segment each, and the rest captures slashes too")
    func captures() {
        guard case .found(_, let parameters) = router.match(.get, "/video/a b/chunk/003") else {
            Issue.record("no match")
            return
        }
        #expect(parameters["id"] == "a b")
        #expect(parameters["number"] == "003")
        guard case .found(_, let rest) = router.match(.put, "/stream/7/a/b/c.txt") else {
            Issue.record("no match")
            return
        }
        #expect(rest["id"] == "7")
        #expect(rest["asset"] == "a/b/c.txt")
    }

    @Test("what a branch captured before it turned out wrong is forgotten")
    func backtracking() {
        let router = Self.router([(.get, "/{a}/x/y"), (.get, "/{rest:path}")])
        guard case .found(_, let parameters) = router.match(.get, "/1/x/z") else {
            Issue.record("no match")
            return
        }
        #expect(parameters["rest"] == "1/x/z")
    }

    @Test("routes are remembered in order with what they are for")
    func routes() {
        #expect(router.routes.count == 13)
        #expect(router.routes[1].method == .get && router.routes[1].pattern == "/videos")
        #expect(router.routes[1].summary == "summary of /videos")
    }
}

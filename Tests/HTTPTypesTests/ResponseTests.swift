import Base
import HTTPTypes
import Testing

@Suite struct ResponseTests {
    private func text(_ response: Response) -> String {
        guard case .bytes(let bytes) = response.body else { return "no bytes" }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        "each category of error has its status",
        arguments: [
            (.invalidArgument, 400), (.unauthenticated, 401), (.forbidden, 403), (.notFound, 404), (.timeout, 408),
            (.conflict, 409), (.tooLarge, 413), (.unsupportedMediaType, 415), (.corrupt, 500), (.internal, 500),
            (.unavailable, 503), (.insufficientStorage, 507),
        ] as [(ErrorCategory, Int)])
    func categories(category: ErrorCategory, code: Int) {
        let response = Response.failure(Failure(category, "chunk \"a\" is\nnot here"))
        #expect(response.status.code == code)
        #expect(response.headers["content-type"] == "application/json")
        #expect(text(response) == #"{"detail":"chunk \"a\" is\nnot here"}"#)
    }

    @Test("an error that is not meant to be shown shows nothing of itself")
    func unknownError() {
        struct Secret: Error { let path = "/var/lib/secret" }
        let response = Response.failure(Secret())
        #expect(response.status == .internalServerError)
        #expect(!text(response).contains("ecret"))
        #expect(text(response).hasPrefix(#"{"detail":"#))
    }

    @Test("an event has its name and one data line for each line of its data")
    func event() {
        let encode: (ServerSentEvent) -> String = { String(decoding: $0.encoded, as: UTF8.self) }
        #expect(encode(ServerSentEvent(name: "job:updated", data: "{}")) == "event: job:updated\ndata: {}\n\n")
        #expect(encode(ServerSentEvent(data: "a\n\nb")) == "data: a\ndata: \ndata: b\n\n")
        #expect(encode(ServerSentEvent(data: "")) == "data: \n\n")
    }

    @Test("a stream of events says what it is, keeps alive with comments, and ends with its source")
    func events() async throws {
        let list = EventList([[ServerSentEvent(data: "1"), ServerSentEvent(data: "2")], []])
        let response = Response.events { await list.next() }
        #expect(response.headers["Content-Type"] == "text/event-stream")
        #expect(response.headers["Cache-Control"] == "no-cache")
        guard case .stream(nil, let source) = response.body else {
            Issue.record("not a stream of unknown length")
            return
        }
        #expect(try await source.next() == Array("data: 1\n\ndata: 2\n\n".utf8))
        #expect(try await source.next() == Array(": keep-alive\n\n".utf8))
        #expect(try await source.next() == nil)
    }

    @Test("header names compare without regard to case; setting replaces all, adding keeps")
    func headers() {
        var headers: HTTPHeaders = ["X-One": "1"]
        headers.add("x-one", "2")
        #expect(headers["X-ONE"] == "1")
        #expect(headers.map(\.value) == ["1", "2"])
        headers["x-One"] = "3"
        #expect(headers.map(\.value) == ["3"])
        headers["X-ONE"] = nil
        #expect(headers["X-One"] == nil)
        // Characters that differ by the case bit alone are no letters.
        headers["X-@"] = "at"
        #expect(headers["X-`"] == nil)
    }

    @Test("header fields lie as C strings; what follows a NUL is left out, and an empty value stays")
    func headersInC() {
        var headers: HTTPHeaders = ["X-Long-Name-Of-A-Field": String(repeating: "v", count: 5_000), "X-Empty": ""]
        headers.add("X-Nul", "seen\0X-Forged: 1")
        headers.add("X-Number", -12)
        var fields: [String] = []
        headers.forEachCString { fields.append(String(cString: $0) + "=" + String(cString: $1)) }
        #expect(
            fields == [
                "X-Long-Name-Of-A-Field=" + String(repeating: "v", count: 5_000), "X-Empty=", "X-Nul=seen",
                "X-Number=-12",
            ])
        #expect(headers.map { "\($0.name)=\($0.value)" } == fields)
        #expect(headers["x-empty"] == "")
        #expect(HTTPHeaders().map(\.name).isEmpty)
    }

    @Test("the tag of a digest is its hex digits in quotes")
    func digestTag() throws {
        let digest = try #require(SHA256Digest(String(repeating: "0a", count: 32)))
        #expect(EntityTag(digest) == EntityTag(digest.hex))
        #expect(EntityTag(digest).header == "\"\(String(repeating: "0a", count: 32))\"")
    }

    @Test("a query parameter outside its range, or no number, is refused by name")
    func integers() throws {
        let request = Request(method: .get, path: "/", queryItems: [("limit", "7"), ("offset", "-1"), ("page", "two")])
        #expect(try request.integer("limit", default: 1, in: 1...1000) == 7)
        #expect(try request.integer("absent", default: 100, in: 1...1000) == 100)
        for name in ["offset", "page"] {
            let error = #expect(throws: Failure.self) { try request.integer(name, default: 0, in: 0...10) }
            #expect(error?.category == .invalidArgument)
            #expect(error?.message.contains("'\(name)'") == true)
        }
    }

    @Test("ids in a path are checked before they are used")
    func identifiers() throws {
        let id = VideoID()
        let good = Request(
            method: .get, path: "/", parameters: PathParameters([("video_id", id.compact), ("chunk_id", "a-1_B")]))
        #expect(try good.videoID() == id)
        #expect(try good.chunkID().description == "a-1_B")
        let bad = Request(
            method: .get, path: "/", parameters: PathParameters([("video_id", "7"), ("chunk_id", "../etc")]))
        #expect(throws: Failure.self) { try bad.videoID() }
        #expect(throws: Failure.self) { try bad.chunkID() }
    }
}

/// Gives its lists one after another.
private actor EventList {
    private var lists: [[ServerSentEvent]]

    init(_ lists: [[ServerSentEvent]]) { self.lists = lists }

    func next() -> [ServerSentEvent]? { lists.isEmpty ? nil : lists.removeFirst() }
}

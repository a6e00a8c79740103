import Base
import HTTPClient
import HTTPTypes

/// The paths of the video backend's other services, passed on to them: one address for who knows no other.
struct Gateway: Sendable {
    /// What of a request the other service needs to know.
    private static let asked = ["Range", "If-Range", "If-None-Match", "If-Modified-Since"]
    private static let answered = [
        "Content-Type", "Content-Range", "Content-Disposition", "Accept-Ranges", "ETag", "Last-Modified",
        "Cache-Control",
        "Location", "Retry-After", "Allow",
    ]
    /// Silence of the other service that ends an answer.
    private static let idleTimeout = Duration.seconds(30)

    let transcodeURL: String
    let streamingURL: String
    let http: HTTPClient

    func add(to router: inout Router) {
        for (method, path, summary) in [
            (HTTPMethod.post, "", "Start a video's transcoding with all qualities that suit it"),
            (.get, "/status", "How a video's transcoding goes"),
            (.get, "/qualities", "The qualities that are made, and those that can be played"),
        ] {
            pass(method, "/transcode/{video_id}\(path)", summary, to: &router) {
                "\(transcodeURL)/transcode/\($0)\(path)"
            }
        }
        router.add(.get, "/video/{video_id}", "A video's master playlist") { request in
            let id = try request.videoID()
            // Its addresses are relative to its own.
            return .respond(Response(HTTPStatus(302), headers: ["Location": "/video/\(id)/master.m3u8"]))
        }
        router.add(.get, "/video/{video_id}/{asset:path}", "A video's playlists, segments and original") { request in
            let id = try request.videoID()
            // As it came: what was encoded once stays so.
            let asset = request.path.split(separator: "/", maxSplits: 2).last ?? ""
            return relay(request, to: "\(streamingURL)/stream/\(id)/\(asset)")
        }
        pass(.get, "/thumbnail/{video_id}", "A picture of a video", to: &router) {
            "\(streamingURL)/stream/\($0)/thumbnail.jpg"
        }
    }

    private func pass(
        _ method: HTTPMethod, _ path: String, _ summary: String, to router: inout Router,
        target: @escaping @Sendable (VideoID) -> String
    ) {
        router.add(method, path, summary) { request in relay(request, to: target(try request.videoID())) }
    }

    private func relay(_ request: any RequestView, to url: String) -> Reply {
        var outgoing = ClientRequest(request.method, url)
        for name in Self.asked { if let value = request.header(name) { outgoing.headers[name] = value } }
        outgoing.totalTimeout = nil
        outgoing.idleTimeout = Self.idleTimeout
        return .task { [outgoing, http] in try await Self.answer(outgoing, http) }
    }

    /// The other service's answer, whatever its status, its body as it comes.
    private static func answer(_ request: ClientRequest, _ http: HTTPClient) async throws -> Response {
        let answer: StreamingClientResponse
        do {
            answer = try await http.stream(request)
        } catch let error as HTTPClientError {
            throw Failure(.unavailable, "the service behind this does not answer; try again in a moment", cause: error)
        }
        var headers: HTTPHeaders = [:]
        for name in answered { headers[name] = answer.headers[name] }
        let length = answer.headers["Content-Length"].flatMap { Int($0) }
        guard length != 0, request.method != .head, answer.status != .notModified, answer.status != .noContent else {
            return Response(answer.status, headers: headers)
        }
        let pieces = answer.body.makeAsyncIterator()
        let source = ByteSource {
            var pieces = pieces
            return try await pieces.next()
        }
        return Response(answer.status, headers: headers, body: .stream(length: length, source))
    }
}

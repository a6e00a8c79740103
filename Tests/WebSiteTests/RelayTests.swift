import Base
import HTTPClient
import HTTPTypes
import Testing

@testable import WebSite

@Suite struct RelayTests {
    private let video = "550e8400-e29b-41d4-a716-446655440000"

    @Test("the library is the metadata service's, page by page")
    func library() async throws {
        let site = try Site(network: FakeNetwork { _ in FakeNetwork.json("[]") })
        let answer = await site.call(.get, "/api/videos", query: ["limit": "25", "offset": "50"])
        #expect(answer.status == .ok)
        #expect(answer.text == "[]")
        #expect(answer.headers["Content-Type"] == "application/json")
        #expect(answer.headers["Cache-Control"] == "no-store")
        #expect(site.network.calls == ["GET http://localhost:8080/videos?limit=25&offset=50"])
    }

    @Test(
        "a limit or offset out of range is refused here",
        arguments: [("limit", "0"), ("limit", "1001"), ("offset", "-1")])
    func outOfRange(name: String, value: String) async throws {
        let site = try Site()
        let answer = await site.call(.get, "/api/videos", query: [name: value])
        #expect(answer.status == .badRequest)
        #expect(answer.text.contains("'\(name)' is '\(value)'"))
        #expect(site.network.calls.isEmpty)
    }

    @Test("reading, deleting and viewing a video go to the metadata service, in either form of its id")
    func video() async throws {
        let site = try Site(
            network: FakeNetwork { request in
                request.method == .delete
                    ? ClientResponse(status: .noContent, headers: [:], body: []) : FakeNetwork.json("{}")
            })
        let compact = video.replacing("-", with: "")
        #expect(await site.call(.get, "/api/videos/\(compact)").status == .ok)
        #expect(await site.call(.delete, "/api/videos/\(video)").status == .noContent)
        #expect(await site.call(.post, "/api/videos/\(video)/view").status == .ok)
        #expect(
            site.network.calls == [
                "GET http://localhost:8080/video/\(video)", "DELETE http://localhost:8080/video/\(video)",
                "POST http://localhost:8080/video/\(video)/view",
            ])
    }

    @Test("an id that is none is refused here")
    func badID() async throws {
        let site = try Site()
        #expect(await site.call(.delete, "/api/videos/../nodes").status == .notFound)
        #expect(await site.call(.delete, "/api/videos/x").status == .badRequest)
        #expect(await site.call(.get, "/api/upload/status/a?b=c").status == .notFound)
        #expect(site.network.calls.isEmpty)
    }

    @Test("a service's own refusal comes back as it is")
    func refusalPasses() async throws {
        let refusal = #"{"detail":"there is no such video"}"#
        let site = try Site(network: FakeNetwork { _ in FakeNetwork.json(refusal, status: .notFound) })
        let answer = await site.call(.get, "/api/videos/\(video)")
        #expect(answer.status == .notFound)
        #expect(answer.text == refusal)
    }

    @Test("a service that does not answer is a 503 that names it")
    func silence() async throws {
        let site = try Site()
        let library = await site.call(.get, "/api/videos")
        #expect(library.status == .serviceUnavailable)
        #expect(library.text.contains("the metadata service does not answer"))
        let status = await site.call(.get, "/api/upload/status/\(video)")
        #expect(status.status == .serviceUnavailable)
        #expect(status.text.contains("the uploader service does not answer"))
    }

    @Test("a page of another site can change nothing")
    func otherSites() async throws {
        let site = try Site(network: FakeNetwork { _ in FakeNetwork.json("{}") })
        let foreign: HTTPHeaders = ["Sec-Fetch-Site": "cross-site", "Content-Type": "multipart/form-data; boundary=x"]
        #expect(await site.call(.delete, "/api/videos/\(video)", headers: foreign).status.code == 403)
        #expect(await site.call(.post, "/api/videos/\(video)/view", headers: foreign).status.code == 403)
        #expect(await site.call(.post, "/api/upload", headers: foreign).status.code == 403)
        #expect(site.network.calls.isEmpty)
        let own: HTTPHeaders = ["Sec-Fetch-Site": "same-origin"]
        #expect(await site.call(.delete, "/api/videos/\(video)", headers: own).status == .ok)
    }

    @Test("an upload's status is asked of the uploader")
    func uploadStatus() async throws {
        let site = try Site(network: FakeNetwork { _ in FakeNetwork.json(#"{"progress":65}"#) })
        let answer = await site.call(.get, "/api/upload/status/\(video)")
        #expect(answer.text == #"{"progress":65}"#)
        #expect(site.network.calls == ["GET http://localhost:8084/upload/status/\(video)"])
    }
}

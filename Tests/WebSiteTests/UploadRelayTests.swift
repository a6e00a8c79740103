import Base
import HTTPClient
import HTTPTypes
import Testing

@testable import WebSite

@Suite struct UploadRelayTests {
    private static let form: HTTPHeaders = [
        "Content-Type": "multipart/form-data; boundary=AbC", "Content-Length": "9", "Sec-Fetch-Site": "same-origin",
    ]

    /// Everything that a request's body gives.
    private static func drain(_ request: ClientRequest) async throws -> [UInt8] {
        guard case .stream(_, let source) = request.body else { return [] }
        var bytes: [UInt8] = []
        while let piece = try await source.next() { bytes += piece }
        return bytes
    }

    @Test("the body goes to the uploader as it came, with its length and type")
    func passesOn() async throws {
        let site = try Site(
            network: FakeNetwork { request in
                FakeNetwork.json(String(decoding: try await Self.drain(request), as: UTF8.self), status: .accepted)
            })
        let pieces: [[UInt8]] = [Array("one".utf8), Array("two".utf8), Array("end".utf8)]
        let answer = await site.call(.post, "/api/upload", headers: Self.form, body: pieces)
        #expect(answer.status == .accepted)
        #expect(answer.text == "onetwoend")
        let request = try #require(site.network.requests.first)
        #expect(site.network.calls == ["POST http://localhost:8084/upload"])
        #expect(request.headers["Content-Type"] == "multipart/form-data; boundary=AbC")
        guard case .stream(let length, _) = request.body else {
            Issue.record("the body is not streamed")
            return
        }
        #expect(length == 9)
        #expect(request.totalTimeout == nil)
    }

    @Test("no piece is taken from the browser before the uploader asks for it")
    func backPressure() async throws {
        let pieces = PieceSource((0..<8).map { [UInt8($0)] })
        let site = try Site(
            network: FakeNetwork { request in
                guard case .stream(_, let source) = request.body else {
                    return FakeNetwork.json("", status: .badRequest)
                }
                for taken in 1...3 {
                    let piece = try await source.next()
                    #expect(piece == [UInt8(taken - 1)])
                    #expect(pieces.taken == taken)
                }
                return FakeNetwork.json("{}")
            })
        _ = try await site.upload(headers: Self.form, body: BodyStream(ByteSource { pieces.next() }))
        #expect(pieces.taken == 3)
    }

    @Test("a refusal before the whole body was sent comes back as it is")
    func earlyRefusal() async throws {
        let pieces = PieceSource([[1], [2], [3]])
        let refusal = #"{"detail":"the file is larger than the uploader takes"}"#
        let site = try Site(network: FakeNetwork { _ in FakeNetwork.json(refusal, status: .contentTooLarge) })
        let answer = try await site.upload(headers: Self.form, body: BodyStream(ByteSource { pieces.next() }))
        #expect(answer.status == .contentTooLarge)
        #expect(answer.text == refusal)
        #expect(pieces.taken == 0)
    }

    @Test("a body of unknown length is passed on as such")
    func unknownLength() async throws {
        let site = try Site(network: FakeNetwork { _ in FakeNetwork.json("{}") })
        let headers: HTTPHeaders = ["Content-Type": "multipart/form-data; boundary=AbC"]
        #expect(await site.call(.post, "/api/upload", headers: headers, body: [[1]]).status == .ok)
        guard case .stream(nil, _)? = site.network.requests.first?.body else {
            Issue.record("the body has a length, or is not streamed")
            return
        }
    }

    @Test("what is no form is refused before a byte is read", arguments: ["video/mp4", "application/json"])
    func notAForm(type: String) async throws {
        let site = try Site()
        let answer = await site.call(.post, "/api/upload", headers: ["Content-Type": type], body: [[1]])
        #expect(answer.status.code == 415)
        #expect(site.network.calls.isEmpty)
    }
}

import Base
import Foundation
import HTTPServer
import HTTPTypes
import Synchronization
import Testing

@Suite("The HTTP server")
struct HTTPServerTests {
    @Test("answers at once, keeps the connection, and gives every answer a request id")
    func answers() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            var ids = Set<String>()
            for name in ["Ann", "J%C3%BCrgen", "a+b"] {
                connection.send("GET /hello?name=\(name) HTTP/1.1\r\nHost: x\r\n\r\n")
                let answer = try connection.answer()
                #expect(answer.status == 200)
                #expect(answer.text == "hello \(PercentEncoding.decode(name, plusIsSpace: true))")
                ids.insert(answer.headers["x-request-id"] ?? "")
            }
            #expect(ids.count == 3)
        }
    }

    @Test("passes a client's own request id to the handler's logs and back, unless it could forge a log line")
    func requestIDs() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("GET /slow HTTP/1.1\r\nHost: x\r\nX-Request-ID: abc-1.2_3\r\n\r\n")
            let answer = try connection.answer()
            #expect(answer.text == "slow abc-1.2_3")
            #expect(answer.headers["x-request-id"] == "abc-1.2_3")
            connection.send("GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\"b\r\n\r\n")
            #expect(try connection.answer().headers["x-request-id"] != "a\"b")
        }
    }

    @Test("knows what is not there from what is not allowed there")
    func notFoundAndNotAllowed() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            let missing = try connection.answer()
            #expect(missing.status == 404)
            #expect(missing.text.contains("\"detail\":"))
            connection.send("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            let refused = try connection.answer()
            #expect(refused.status == 405)
            #expect(refused.headers["allow"] == "GET, HEAD, OPTIONS")
            connection.send("GET /fails HTTP/1.1\r\nHost: x\r\n\r\n")
            let failed = try connection.answer()
            #expect(failed.status == 409)
            #expect(failed.text == #"{"detail":"that was there already"}"#)
            connection.send("BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try connection.answer().status == 501)
        }
    }

    @Test("an encoded slash stays inside its segment")
    func encodedSlash() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("GET /item/..%2F..%2Fetc HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try connection.answer().text == "../../etc")
        }
    }

    @Test("HEAD has the headers of GET and no body")
    func head() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("HEAD /region HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try connection.answer(hasBody: false)
            #expect(answer.status == 200)
            #expect(answer.headers["content-length"] == "1000000")
            connection.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try connection.answer().text == "hello nobody")
        }
    }

    @Test("HEAD of what is streamed asks the producer for nothing, and nothing follows its head")
    func headOfStream() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("HEAD /pieces HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try connection.answer(hasBody: false)
            #expect(answer.status == 200)
            #expect(throws: RawConnection.Failed.self) { try connection.byte() }
            #expect(test.piecesAsked.withLock { $0 } == 0)
        }
    }

    @Test("sends a region whole, in part, or not at all, as the request asks")
    func region() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("GET /region HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try connection.answer().body == TestServer.region)
            connection.send("GET /region HTTP/1.1\r\nHost: x\r\nRange: bytes=999990-\r\n\r\n")
            let part = try connection.answer()
            #expect(part.status == 206)
            #expect(part.headers["content-range"] == "bytes 999990-999999/1000000")
            #expect(part.body == Array(TestServer.region.suffix(10)))
            connection.send("GET /region HTTP/1.1\r\nHost: x\r\nRange: bytes=1000000-\r\n\r\n")
            #expect(try connection.answer().status == 416)
            connection.send("GET /region HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"r\"\r\n\r\n")
            #expect(try connection.answer(hasBody: false).status == 304)
        }
    }

    @Test("streams an answer of unknown length, and server-sent events")
    func streams() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n")
            let body = try connection.answer().body
            #expect(body == (1...100).flatMap { [UInt8](repeating: UInt8($0), count: 10_000) })
            connection.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            let events = try connection.answer()
            #expect(events.headers["content-type"] == "text/event-stream")
            #expect(events.text == "event: tick\ndata: 1\n\nevent: tick\ndata: 2\n\n")
        }
    }

    @Test("header fields beyond the limit are 431")
    func headersTooLarge() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            let long = String(repeating: "x", count: 20_000)
            connection.send("GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: \(long)\r\n\r\n")
            #expect(try connection.answer().status == 431)
        }
    }

    @Test("a page of the same host name may call from any port, others may not unless they are named")
    func crossOrigin() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            let ask = { (origin: String) in
                connection.send("GET /hello HTTP/1.1\r\nHost: localhost:8004\r\nOrigin: \(origin)\r\n\r\n")
                return try connection.answer().headers["access-control-allow-origin"]
            }
            #expect(try ask("http://localhost:8085") == "http://localhost:8085")
            #expect(try ask("http://127.0.0.1:8085") == "http://127.0.0.1:8085")
            #expect(try ask("https://evil.example") == nil)
            #expect(try ask("null") == nil)
            connection.send(
                "OPTIONS /echo HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:1\r\n"
                    + "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n")
            let preflight = try connection.answer(hasBody: false)
            #expect(preflight.status == 204)
            #expect(preflight.headers["access-control-allow-methods"] == "OPTIONS, POST")
            #expect(preflight.headers["access-control-allow-headers"] == "content-type")
            #expect(CrossOriginPolicy(allowed: ["https://my.example"]).allows(origin: "https://my.example", host: "x"))
        }
    }

    @Test("a page of another site changes nothing, however simple its request")
    func otherSites() async throws {
        try await onOwnThread {
            let test = try TestServer { $0.crossOrigin = CrossOriginPolicy(allowed: ["https://my.example"]) }
            let connection = try test.connect()
            let ask = { (headers: String) in
                connection.send(
                    "POST /echo HTTP/1.1\r\nHost: localhost:8084\r\n\(headers)Content-Type: text/plain\r\n"
                        + "Content-Length: 2\r\n\r\n{}")
                return try connection.answer().status
            }
            #expect(try ask("") == 200)
            #expect(try ask("Origin: http://127.0.0.1:8085\r\nSec-Fetch-Site: cross-site\r\n") == 200)
            #expect(try ask("Origin: https://my.example\r\nSec-Fetch-Site: cross-site\r\n") == 200)
            // Behind a proxy that does not pass the host's name on, the browser's word is enough.
            #expect(try ask("Origin: https://films.example\r\nSec-Fetch-Site: same-origin\r\n") == 200)
            #expect(try ask("Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n") == 403)
            #expect(try ask("Origin: https://evil.example\r\n") == 403)
            #expect(try ask("Origin: null\r\n") == 403)
        }
    }
}

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

    @Test("asks a producer for no more than the client takes")
    func streamBackPressure() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.shrinkReceiveBuffer()
            connection.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try connection.line().hasPrefix("HTTP/1.1 200"))
            var before = -1
            // What is asked for stops growing once the sockets' buffers are full.
            #expect(
                eventually {
                    let now = test.piecesAsked.withLock { $0 }
                    usleep(50_000)
                    defer { before = now }
                    return now == before
                })
            #expect(test.piecesAsked.withLock { $0 } < 2_000)
            connection.close()
        }
    }

    @Test("answers 100 to Expect, and collects a body of either framing")
    func bodies() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            #expect(try connection.line() == "HTTP/1.1 100 Continue")
            #expect(try connection.line().isEmpty)
            connection.send("hello")
            #expect(try connection.answer().text == "hello")
            connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.send("3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
            #expect(try connection.answer().text == "abcdefg")
            let large = [UInt8](repeating: 9, count: 3_000_000)
            connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
            connection.send(large)
            #expect(try connection.answer().body == large)
        }
    }

    @Test("refuses a body that is too long before it is read, and one that turns out to be")
    func tooLong() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let announced = try test.connect()
            announced.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\nExpect: 100-continue\r\n\r\n")
            #expect(try announced.answer().status == 413)
            let chunked = try test.connect()
            chunked.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let piece = [UInt8](repeating: 1, count: 1_000_000)
            for _ in 0..<6 {
                chunked.send("F4240\r\n")
                chunked.send(piece)
                chunked.send("\r\n")
            }
            let answer = try chunked.answer()
            #expect(answer.status == 413)
            #expect(answer.text.contains("larger than"))
        }
    }

    @Test("a handler that refuses early is heard while the body is still coming")
    func earlyAnswer() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("POST /refuses HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
            let piece = [UInt8](repeating: 1, count: 100_000)
            for _ in 0..<40 where connection.send(piece) < piece.count { break }
            let answer = try connection.answer()
            #expect(answer.status == 400)
            #expect(answer.text.contains("not wanted"))
        }
    }

    @Test("holds the client back while the handler is behind, and loses nothing")
    func bodyBackPressure() async throws {
        try await onOwnThread {
            let test = try TestServer()
            test.gate.close()
            let total = 64_000_000
            let connection = try test.connect()
            connection.send("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: \(total)\r\n\r\n")
            let sent = Counter()
            let isDone = Counter()
            nonisolated(unsafe) let shared = connection
            Thread.detachNewThread {
                let piece = [UInt8](repeating: 1, count: 1_000_000)
                for _ in 0..<total / piece.count { sent.add(shared.send(piece)) }
                isDone.add()
            }
            #expect(eventually { test.gate.waiterCount == 1 })
            var before = -1
            #expect(
                eventually {
                    usleep(50_000)
                    defer { before = sent.value }
                    return sent.value == before
                })
            #expect(sent.value < total)
            test.gate.open()
            #expect(eventually { isDone.value == 1 })
            #expect(try connection.answer().text == "\(total)")
        }
    }

    @Test("takes a form apart, empty files and parts in any order included")
    func forms() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            let body = [
                "--edge", "Content-Disposition: form-data; name=\"title\"", "", "A film", "--edge",
                "Content-Disposition: form-data; name=\"video\"; filename=\"a.mp4\"", "Content-Type: video/mp4", "",
                "bytes", "--edge", "Content-Disposition: form-data; name=\"video\"; filename=\"empty.mp4\"", "", "",
                "--edge--", "",
            ].joined(separator: "\r\n")
            connection.send(
                "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            let answer = try connection.answer()
            #expect(answer.text == "[title|-|-]A film[video|a.mp4|video/mp4]bytes[video|empty.mp4|-]")
        }
    }

    @Test("what is no form is 415, and a form that breaks off is 400")
    func badForms() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send(
                "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            #expect(try connection.answer().status == 415)
            let half = "--edge\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA fi"
            connection.send(
                "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
                    + "Content-Length: \(half.utf8.count)\r\n\r\n\(half)")
            let broken = try connection.answer()
            #expect(broken.status == 400, "\(broken)")
        }
    }

    @Test("a sink gets the body on the server's thread and answers from its own")
    func sinks() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1500000\r\n\r\n")
            connection.send([UInt8](repeating: 5, count: 1_500_000))
            #expect(try connection.answer().text == "1500000")
            connection.send("PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 2000001\r\n\r\n")
            #expect(try connection.answer().status == 413)
            let leaver = try test.connect()
            leaver.send("PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
            #expect(eventually { test.sinks.withLock { $0.last?.seen.withLock { $0.bytes } == 3 } })
            leaver.close()
            #expect(eventually { test.sinks.withLock { $0.last?.seen.withLock { $0.isAborted } == true } })
            let ends = test.sinks.withLock { $0.map { $0.seen.withLock { ($0.isFinished, $0.isAborted) } } }
            #expect(ends.map(\.0) == [true, false, false])
            #expect(ends.map(\.1) == [false, true, true])
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

    @Test("clients that dribble their head, their body, or do not read are dropped; the others are not")
    func slowClients() async throws {
        try await onOwnThread {
            let test = try TestServer {
                $0.headerTimeoutSeconds = 0.4
                $0.idleTimeoutSeconds = 0.4
                $0.threads = 1
            }
            let idle = try test.connect()
            let head = try test.connect()
            head.send("GET /hello HTTP/1.1\r\nHos")
            let body = try test.connect()
            body.send("PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc")
            let deaf = try test.connect()
            deaf.shrinkReceiveBuffer()
            deaf.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            test.gate.close()
            let patient = try test.connect()
            patient.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(idle.isClosedByPeer())
            #expect(head.isClosedByPeer())
            #expect(body.isClosedByPeer())
            // The client that does not read is the fourth; the one that waits for a slow handler is not among them.
            try #require(eventually { test.metrics.exposition.contains("http_slow_clients_total 4") })
            test.gate.open()
            #expect(try patient.answer().text.hasPrefix("slow"))
            #expect(deaf.isClosedByPeer())
        }
    }

    @Test("a body that is announced and never comes holds no connection, whatever the method")
    func missingBody() async throws {
        try await onOwnThread {
            let test = try TestServer { $0.idleTimeoutSeconds = 0.3 }
            for head in [
                "GET /hello HTTP/1.1\r\nContent-Length: 5", "GET /slow HTTP/1.1\r\nContent-Length: 5",
                "HEAD /hello HTTP/1.1\r\nTransfer-Encoding: chunked", "BREW /hello HTTP/1.1\r\nContent-Length: 5",
                "POST /nothing HTTP/1.1\r\nContent-Length: 5",
            ] {
                let connection = try test.connect()
                connection.send(head + "\r\nHost: x\r\n\r\n")
                #expect(connection.isClosedByPeer(), "\(head)")
            }
            // With the end of the connection right behind the head, the library may not notice the end by itself.
            for _ in 0..<50 {
                let leaver = try test.connect()
                leaver.send("GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
                leaver.close()
            }
            #expect(eventually { test.metrics.exposition.contains("http_connections 0.0\n") })
        }
    }

    @Test("a client that ends its side in the middle of a body is let go, however its last bytes came")
    func endInTheMiddle() async throws {
        try await onOwnThread {
            // So patient that only the end itself can be the reason.
            let test = try TestServer { ($0.headerTimeoutSeconds, $0.idleTimeoutSeconds) = (80_000, 80_000) }
            let body = [UInt8](repeating: 7, count: 31_000)
            for _ in 0..<200 {
                let connection = try test.connect()
                connection.send(Array("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n".utf8) + body)
                connection.endSending()
                #expect(connection.isClosedByPeer())
            }
        }
    }

    @Test("a stopping server finishes what is under way and takes nothing new")
    func stops() async throws {
        try await onOwnThread {
            let test = try TestServer()
            test.gate.close()
            let connection = try test.connect()
            connection.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(eventually { test.gate.waiterCount == 1 })
            let stopped = Counter()
            Thread.detachNewThread {
                test.server.stop()
                stopped.add()
            }
            #expect(eventually { (try? test.connect()) == nil })
            test.gate.open()
            let answer = try connection.answer()
            #expect(answer.status == 200)
            #expect(answer.headers["connection"]?.lowercased() == "close")
            #expect(eventually { stopped.value == 1 })
        }
    }

    @Test("a stopping server waits for a stuck handler no longer than it is told, and answers for it")
    func stopsDespiteStuckHandler() async throws {
        try await onOwnThread {
            let test = try TestServer { $0.drainSeconds = 0.05 }
            test.gate.close()
            let connection = try test.connect()
            connection.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(eventually { test.gate.waiterCount == 1 })
            let stopped = Counter()
            Thread.detachNewThread {
                test.server.stop()
                stopped.add()
            }
            #expect(try connection.answer().status == 503)
            #expect(eventually { stopped.value == 1 })
            test.gate.open()
        }
    }

    @Test("a stopping server answers a request that comes while it waits for the last ones, and ends")
    func stopsDespiteLateRequest() async throws {
        try await onOwnThread {
            let test = try TestServer {
                $0.drainSeconds = 0.05
                $0.threads = 1
            }
            test.gate.close()
            let deaf = try test.connect()
            deaf.shrinkReceiveBuffer()
            deaf.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            var before = -1
            // Until its buffers are full: from then on it is the client that is waited for.
            #expect(
                eventually {
                    let now = test.piecesAsked.withLock { $0 }
                    usleep(50_000)
                    defer { before = now }
                    return now > 0 && now == before
                })
            let stuck = try test.connect()
            stuck.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(eventually { test.gate.waiterCount == 1 })
            let late = try test.connect()
            late.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try late.answer().status == 200)
            let stopped = Counter()
            Thread.detachNewThread {
                test.server.stop()
                stopped.add()
            }
            // The deaf client keeps the server waiting after it has answered for the stuck handler; should it have got
            // to its end already, the late one finds its connection closed.
            #expect(try stuck.answer().status == 503)
            late.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            if let answer = try? late.answer() { #expect(answer.status == 503) }
            #expect(eventually { stopped.value == 1 })
            test.gate.open()
        }
    }

    @Test("many small chunks of one body hold their client back once, and lose nothing")
    func smallChunks() async throws {
        try await onOwnThread {
            let test = try TestServer { $0.threads = 1 }
            test.gate.close()
            let piece = "64\r\n" + String(repeating: "x", count: 100) + "\r\n"
            let body = Array(String(repeating: piece, count: 20_000).utf8) + Array("0\r\n\r\n".utf8)
            let connections = try (0..<4).map { _ in try test.connect() }
            let sent = Counter()
            for connection in connections {
                connection.send("POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                nonisolated(unsafe) let shared = connection
                Thread.detachNewThread { sent.add(shared.send(body)) }
            }
            #expect(eventually { test.gate.waiterCount == 4 })
            var before = -1
            #expect(
                eventually {
                    usleep(50_000)
                    let now = test.metrics.exposition.contains("http_connections 4") ? sent.value : -2
                    defer { before = now }
                    return now == before
                })
            test.gate.open()
            for connection in connections { #expect(try connection.answer().text == "2000000") }
        }
    }

    @Test("a length that the framing overrules is not believed")
    func contradictoryFraming() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send(
                "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                    + "Content-Length: -9223372036854775808\r\n\r\n")
            connection.send("3\r\nabc\r\n0\r\n\r\n")
            #expect(try connection.answer().text == "abc")
        }
    }

    @Test("of servers that start at the same moment on one port, one gets it")
    func startTogether() async throws {
        try await onOwnThread {
            let port = try TestServer().port
            for _ in 0..<400 {
                let started = Locked<[TestServer]>([])
                let ended = Counter()
                for _ in 0..<4 {
                    Thread.detachNewThread {
                        if let test = try? TestServer({ $0.port = port }) { started.withLock { $0.append(test) } }
                        ended.add()
                    }
                }
                #expect(eventually { ended.value == 4 })
                #expect(started.withLock { $0.count } == 1)
                let connection = try #require(started.withLock { $0.first }).connect()
                connection.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try connection.answer().status == 200)
            }
        }
    }

    @Test("a port in use is said by its number")
    func portInUse() async throws {
        try await onOwnThread {
            let test = try TestServer()
            #expect {
                _ = try TestServer { $0.port = test.port }
            } throws: { error in
                (error as? Failure)?.message.contains("port \(test.port) on 127.0.0.1 is in use") == true
            }
        }
    }
}

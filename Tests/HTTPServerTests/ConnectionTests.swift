import Base
import Foundation
import HTTPServer
import HTTPTypes
import Synchronization
import Testing

@Suite("Connections and ports, from first to last")
struct ConnectionTests {
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

import Base
import Foundation
import HTTPClient
import HTTPTypes
import Synchronization
import Testing

/// Answers every request of every connection with its own body or "ok".
private func echo(_ peer: TestPeer) {
    while let head = peer.readHead() {
        let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        let count = length.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
        let body = peer.read(count)
        peer.answer("200 OK", body.isEmpty ? "ok" : String(decoding: body, as: UTF8.self))
    }
}

/// What the client says went wrong; nil when nothing did.
func failureCode(_ body: () async throws -> Void) async -> HTTPClientError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? HTTPClientError)?.code
    }
}

@Suite struct SendTests {
    @Test("requests one after another share a connection")
    func keepAlive() async throws {
        let server = try TestServer(echo)
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        for _ in 0..<20 {
            let response = try await client.send(.get(server.url))
            #expect(response.status == .ok)
            #expect(response.body == Array("ok".utf8))
        }
        #expect(server.connectionCount == 1)
    }

    @Test("many requests at once are all answered, on no more connections than allowed")
    func concurrency() async throws {
        let server = try TestServer(echo)
        let client = HTTPClient(connectionsPerHostMax: 8)
        defer { client.shutdown(); server.stop() }
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<300 {
                group.addTask {
                    let request = ClientRequest(.put, server.url, body: .bytes(Array("body \(number)".utf8)))
                    return String(decoding: try await client.send(request).body, as: UTF8.self)
                }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(answers == Set((0..<300).map { "body \($0)" }))
        #expect(server.connectionCount <= 8)
    }

    @Test("what is sent arrives: method, path as it stands, headers, no Expect, the request's id")
    func requestHead() async throws {
        let heads = Locked<[String]>([])
        let server = try TestServer { peer in
            while let head = peer.readHead() {
                heads.withLock { $0.append(head) }
                peer.answer()
            }
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        var request = ClientRequest(.delete, "\(server.url)/a/../b%20c?d=e", headers: ["X-One": "1", "X-Empty": ""])
        request.headers.add("X-One", "2")
        try await Logger.$requestID.withValue("request-7") { _ = try await client.send(request) }
        let lines = heads.withLock { $0[0] }.components(separatedBy: "\r\n")
        #expect(lines[0] == "DELETE /a/../b%20c?d=e HTTP/1.1")
        for line in [
            "X-One: 1", "X-One: 2", "X-Empty:", "X-Request-ID: request-7", "User-Agent: vstack/\(Version.current)",
        ] {
            #expect(lines.contains(line))
        }
        #expect(!lines.contains { $0.hasPrefix("Expect") || $0.hasPrefix("Content-Length") })
    }

    @Test("a body of bytes arrives whole, whatever its size, and an empty POST says that it is empty")
    func bodies() async throws {
        let received = Locked<[UInt8]>([])
        let server = try TestServer { peer in
            while let head = peer.readHead() {
                let field = head.components(separatedBy: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                let count = field.flatMap { Int($0.dropFirst(16)) } ?? -1
                if head.contains("Expect") { peer.write("HTTP/1.1 100 Continue\r\n\r\n") }
                let body = peer.read(max(0, count))
                received.withLock { $0 = body }
                peer.answer("200 OK", "\(count) \(head.contains("Expect") ? "expect" : "at once")")
            }
        }
        let client = HTTPClient()
        defer {
            client.shutdown()
            server.stop()
        }
        let tile = (0..<4099).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        for count in [0, 1, 65_535, 2_097_152, 5_000_000] {
            var bytes: [UInt8] = []
            while bytes.count < count { bytes += tile.prefix(count - bytes.count) }
            for method in [HTTPMethod.put, .post] {
                let response = try await client.send(ClientRequest(method, server.url, body: .bytes(bytes)))
                // What cannot be sent twice waits for the server's word when it is large.
                let manner = method == .post && count > 1_048_576 ? "expect" : "at once"
                #expect(String(decoding: response.body, as: UTF8.self) == "\(count) \(manner)")
                let isWhole = received.withLock { $0 == bytes }
                #expect(isWhole)
            }
        }
        let empty = try await client.send(ClientRequest(.post, server.url))
        #expect(String(decoding: empty.body, as: UTF8.self) == "0 at once")
    }

    @Test("HEAD, 204 and 304 end with their head although they announce a length")
    func bodiless() async throws {
        let server = try TestServer { peer in
            while let head = peer.readHead() {
                if head.hasPrefix("HEAD") {
                    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
                } else if head.contains("/304") {
                    peer.write("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 999999999\r\n\r\n")
                } else {
                    peer.write("HTTP/1.1 204 No Content\r\n\r\n")
                }
            }
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let head = try await client.send(ClientRequest(.head, server.url), bodyLimit: 10)
        #expect(head.status == .ok && head.headers["content-length"] == "999999999" && head.body.isEmpty)
        #expect(try await client.send(.get("\(server.url)/304"), bodyLimit: 10).status == .notModified)
        #expect(try await client.send(.get("\(server.url)/204")).status == .noContent)
        #expect(server.connectionCount == 1)
    }

    @Test("an answer larger than allowed is refused, announced or not")
    func oversize() async throws {
        let server = try TestServer { peer in
            guard let head = peer.readHead() else { return }
            let length = head.contains("/announced") ? "Content-Length: 5000\r\n" : ""
            peer.write("HTTP/1.1 200 OK\r\n\(length)\r\n" + String(repeating: "x", count: 5000))
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        for path in ["announced", "unannounced"] {
            let request = ClientRequest.get("\(server.url)/\(path)")
            #expect(await failureCode { _ = try await client.send(request, bodyLimit: 4999) } == .tooLarge)
            #expect(try await client.send(request, bodyLimit: 5000).body.count == 5000)
        }
    }

    @Test("a refused connection, a name that nobody has and a bad address say so")
    func unreachable() async throws {
        let server = try TestServer(echo)
        let url = server.url
        server.stop()
        let client = HTTPClient()
        defer { client.shutdown() }
        // The port may be answered for a moment longer; a connection that is closed at once is no answer either.
        let refused = await failureCode { _ = try await client.send(.get(url)) }
        #expect(refused == .connection || refused == .interrupted)
        #expect(await failureCode { _ = try await client.send(.get("http://nobody.invalid/")) } == .connection)
        for bad in ["ftp://localhost/", "file:///etc/passwd", "localhost", "http://a b/", "http://x/\r\nX: y", ""] {
            #expect(await failureCode { _ = try await client.send(.get(bad)) } == .invalidURL)
        }
        let header = ClientRequest(.get, "http://localhost/", headers: ["X-A": "b\r\nX-C: d"])
        #expect(await failureCode { _ = try await client.send(header) } == .invalidURL)
    }

    @Test("a server that never answers is given up after the idle time, and after the total time")
    func timeouts() async throws {
        let server = try TestServer { peer in peer.waitForClose() }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        var request = ClientRequest.get(server.url)
        request.idleTimeout = .milliseconds(50)
        request.totalTimeout = nil
        #expect(await failureCode { _ = try await client.send(request) } == .timeout)
        request.idleTimeout = .seconds(60)
        request.totalTimeout = .milliseconds(50)
        #expect(await failureCode { _ = try await client.send(request) } == .timeout)
    }

    @Test("a body that trickles is not idle, and still ends at the total time")
    func trickle() async throws {
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\n\r\n")
            while peer.write("x") {}
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        var request = ClientRequest.get(server.url)
        request.idleTimeout = .seconds(60)
        request.totalTimeout = .milliseconds(100)
        #expect(await failureCode { _ = try await client.send(request, bodyLimit: .max) } == .timeout)
    }

    @Test("a connection that breaks before the end of the answer is interrupted")
    func broken() async throws {
        let server = try TestServer { peer in
            guard let head = peer.readHead() else { return }
            if head.contains("/half") { peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") }
            if head.contains("/chunked") {
                peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            }
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        for path in ["nothing", "half", "chunked"] {
            #expect(
                await failureCode { _ = try await client.send(.get("\(server.url)/\(path)")) } == .interrupted)
        }
    }

    @Test("what is no HTTP is malformed")
    func malformed() async throws {
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("220 mail.example.org ESMTP\r\n\r\n")
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        #expect(await failureCode { _ = try await client.send(.get(server.url)) } == .malformedResponse)
    }

    @Test("a kept connection that the server closes under a request is replaced, unseen by the caller")
    func staleConnection() async throws {
        // Each connection answers once and drops the second request unanswered, as one that times out just then does.
        let server = try TestServer { peer in
            guard let head = peer.readHead() else { return }
            if head.hasPrefix("PUT") { _ = peer.read(4) }
            peer.answer()
            _ = peer.readHead()
            peer.reset()
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        for _ in 0..<5 {
            #expect(try await client.send(.get(server.url)).status == .ok)
            #expect(try await client.send(ClientRequest(.put, server.url, body: .bytes([1, 2, 3, 4]))).status == .ok)
        }
        #expect(server.connectionCount >= 5)
    }

    @Test("cancelling the task ends the exchange and closes its connection")
    func cancellation() async throws {
        let arrived = Signal()
        let left = Signal()
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            arrived.set()
            peer.waitForClose()
            left.set()
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let task = Task { await failureCode { _ = try await client.send(.get(server.url)) } }
        await arrived.wait()
        task.cancel()
        #expect(await task.value == .cancelled)
        await left.wait()
    }

    @Test("shutdown fails what is under way and what comes later")
    func shutdown() async throws {
        let arrived = Signal()
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            arrived.set()
            peer.waitForClose()
        }
        defer { server.stop() }
        let client = HTTPClient()
        let task = Task { await failureCode { _ = try await client.send(.get(server.url)) } }
        await arrived.wait()
        client.shutdown()
        client.shutdown()
        #expect(await task.value == .closed)
        #expect(await failureCode { _ = try await client.send(.get(server.url)) } == .closed)
    }
}
